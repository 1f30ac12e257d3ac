"""Record what a checkout computes, and compare two records: shows that a change leaves the physics.

    python -m tools.reference record CHECKOUT FOLDER [--engine lammps|hoomd] [--only SWEEP]
    python -m tools.reference compare FOLDER OTHER [--only SWEEP]

Of a checkout it relies on `project.py simulate` and on the products below alone, so that anything
else may move. Sweeps stand beside it, not in the checkout: both records are of the same text. Each
job runs on one thread, which repeats to the last digit. Only a machine that stalls for a tenth of a
second and more may shift the steps at which a job at constant pressure looks at its box.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gsd.hoomd
import h5py
import numpy as np

from user_input import UserError, exits_on_user_error

SWEEPS = Path(__file__).with_name('reference_sweeps')
NAMES = ('neutral', 'charged', 'demo')
RECORD = 'record.json'
LOG = 'simulate.log'
# Columns of a summary that are results; all others say of what.
RESULTS = ('unit', 'mean', 'ci95_low', 'ci95_high', 'n_replicas', 'converged')

# Digest of each part of a product, by name, in the order of the file.
Parts = dict[str, str]
# A sweep's engine, its products by job id and file name, and the rows of its summary.
Record = dict[str, Any]


def record(checkout: Path, folder: Path, engine: str, names: Sequence[str]) -> None:
    """Simulate the sweeps `names` with the code of `checkout`, and add them to the record.

    Raises:
        UserError: If there is no such code, a sweep was recorded before, or a simulation fails.
    """
    project = checkout.resolve() / 'project.py'
    if not project.is_file():
        raise UserError(f'{project}: there is no such file. Give the root of a checkout.')
    for name in names:
        if (folder / name).exists():
            raise UserError(f'{folder / name}: exists already. Delete it, or take another folder.')
    records = read_record(folder) if (folder / RECORD).exists() else {}
    for name in names:
        _simulate(project, folder / name, engine)
        records[name] = {'engine': engine, **digests(folder / name)}
        (folder / RECORD).write_text(json.dumps(records, indent=1))
        print(f'{name}: {len(records[name]["jobs"])} jobs recorded in {folder / RECORD}')


def _simulate(project: Path, folder: Path, engine: str) -> None:
    folder.mkdir(parents=True)
    sweep = Path(shutil.copy(SWEEPS / f'{folder.name}.toml', folder))
    command = [sys.executable, str(project), 'simulate', sweep.name, '--parallel', '2']
    command += ['--engine', engine, '--device', 'cpu', '--threads', '1', '--ranks', '1']
    with open(folder / LOG, 'wb') as log:
        ended = subprocess.run(command, cwd=folder, stdout=log, stderr=log, check=False)
    if ended.returncode:
        raise UserError(
            f'{project} simulate {sweep.name} ended with exit code {ended.returncode}: '
            f'see {folder / LOG}, and delete {folder} before the next try.'
        )


def digests(folder: Path) -> Record:
    """Digest the products of all jobs in `folder`, and read the summary of its sweep.

    Raises:
        UserError: If a product is missing or cannot be read.
    """
    try:
        jobs = {
            job.name: {
                'trajectory.gsd': trajectory_parts(job / 'trajectory.gsd'),
                'equilibration_thermo.h5': log_parts(job / 'equilibration_thermo.h5'),
                'thermo.h5': log_parts(job / 'thermo.h5'),
            }
            for job in sorted((folder / 'workspace').iterdir())
        }
        with open(folder / 'results' / folder.name / 'summary.csv', newline='') as file:
            return {'jobs': jobs, 'summary': list(csv.DictReader(file))}
    except (OSError, RuntimeError) as error:
        raise UserError(f'{folder}: a product cannot be read ({error}). Record it again.') from None


def trajectory_parts(path: Path) -> Parts:
    """Digest every frame of a GSD file: step, box, topology, positions, images and velocities."""
    parts = {}
    with gsd.hoomd.open(path, 'r') as trajectory:
        for number, frame in enumerate(trajectory):
            beads, bonds, angles = frame.particles, frame.bonds, frame.angles
            topology = [beads.types, beads.typeid, beads.mass, beads.charge]
            topology += [each for links in (bonds, angles) for each in (links.typeid, links.group)]
            for name, values in (
                ('step', [frame.configuration.step]),
                ('box', [frame.configuration.box]),
                ('topology', topology),
                ('position', [beads.position]),
                ('image', [beads.image]),
                ('velocity', [beads.velocity]),
            ):
                parts[f'frame {number}, {name}'] = _digest(*values)
    return parts


def log_parts(path: Path) -> Parts:
    """Digest every dataset of an HDF5 file."""
    parts: Parts = {}
    with h5py.File(path, 'r') as file:
        file.visititems(
            lambda name, item: (
                parts.update({f'column {name}': _digest(item[()])})
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    return parts


def _digest(*values: Any) -> str:
    sha = hashlib.sha256()
    for value in values:
        array = np.ascontiguousarray(value)
        sha.update(f'{array.dtype.str}{array.shape}'.encode())
        sha.update(array.tobytes())
    return sha.hexdigest()


def read_record(folder: Path) -> dict[str, Record]:
    """Read the record in `folder`, by name of the sweep.

    Raises:
        UserError: If there is none.
    """
    try:
        records: dict[str, Record] = json.loads((folder / RECORD).read_bytes())
        return records
    except (OSError, ValueError) as error:
        raise UserError(f'{folder / RECORD}: cannot be read ({error}). Record it anew.') from None


def differences(before: Record, after: Record) -> list[str]:
    """Name everything in which two records of a sweep differ, but for rows that came in addition.

    Raises:
        UserError: If they are of different engines.
    """
    if before['engine'] != after['engine']:
        raise UserError(f'one record is of {before["engine"]}, the other of {after["engine"]}.')
    jobs, others = before['jobs'], after['jobs']
    found = [f'job {each} is missing' for each in jobs.keys() - others.keys()]
    found += [f'job {each} came in addition' for each in others.keys() - jobs.keys()]
    for job in sorted(jobs.keys() & others.keys()):
        for product, parts in jobs[job].items():
            if first := first_difference(parts, others[job][product]):
                found.append(f'job {job}: {product}: {first}')
    return found + row_differences(before['summary'], after['summary'])


def first_difference(parts: Mapping[str, str], others: Mapping[str, str]) -> str:
    """Say which part of a product differs first, and how many do; '' if none does."""
    names = list(dict.fromkeys([*parts, *others]))
    different = [name for name in names if parts.get(name) != others.get(name)]
    if not different:
        return ''
    first = different[0]
    how = 'differs' if first in parts and first in others else 'is in one of them only'
    return f'{first}, {how} ({len(different)} of {len(names)} parts)'


def row_differences(
    rows: Sequence[Mapping[str, str]], others: Sequence[Mapping[str, str]]
) -> list[str]:
    """Name rows that are missing, and cells that changed.

    An axis that has one value throughout may come or go: it tells no rows apart.
    """
    columns, other_columns = ({name for row in table for name in row} for table in (rows, others))
    found = [
        f'summary: the column {name} is missing'
        for name in sorted(columns - other_columns)
        if name in RESULTS or len({row[name] for row in rows}) > 1
    ]
    keys = sorted((columns & other_columns).difference(RESULTS))
    by_key = [{tuple(row[key] for key in keys): row for row in table} for table in (rows, others)]
    for table, unique in zip((rows, others), by_key, strict=True):
        if len(unique) < len(table):
            found.append(f'summary: {len(table)} rows, but {len(unique)} of {", ".join(keys)}')
    before, after = by_key
    for key, row in before.items():
        where = 'summary: ' + ', '.join(map('{} {}'.format, keys, key))
        if key not in after:
            found.append(f'{where}: the row is missing')
            continue
        for name in sorted((columns & other_columns).intersection(RESULTS)):
            if row[name] != after[key][name]:
                found.append(f'{where}: {name} was {row[name]!r}, is {after[key][name]!r}')
    return found


def compare(folder: Path, other: Path, names: Sequence[str] | None) -> int:
    """Print how two records differ; 1 if they do, else 0.

    Raises:
        UserError: If there is no record, or a sweep of `names` is not in the first.
    """
    before, after = read_record(folder), read_record(other)
    different = False
    for name in names or before:
        if name not in before:
            raise UserError(f'{folder / RECORD}: has no sweep {name}. Record it.')
        found = [f'is not in {other / RECORD}']
        if name in after:
            found = differences(before[name], after[name])
            rows, others = (
                Counter(row['quantity'] for row in record[name]['summary'])
                for record in (before, after)
            )
            added = f'{(others - rows).total()} rows in addition'
            print(f'{name}: {len(before[name]["jobs"])} jobs, {rows.total()} rows; {added}')
        for each in found:
            print(f'{name}: {each}')
        different |= bool(found)
    print('DIFFERENT' if different else 'identical')
    return int(different)


@exits_on_user_error
def main() -> int:
    """Run one of the two commands."""
    parser = argparse.ArgumentParser(
        prog='python -m tools.reference', description=(__doc__ or '').partition('\n')[0]
    )
    commands = parser.add_subparsers(dest='command', required=True)
    recording = commands.add_parser('record', help='simulate the sweeps with a checkout')
    recording.add_argument('checkout', type=Path, help='root of a checkout of this project')
    recording.add_argument('folder', type=Path, help='where the record is kept, and all it is of')
    recording.add_argument('--engine', choices=('lammps', 'hoomd'), default='lammps')
    comparing = commands.add_parser(
        'compare', help='say how two records differ', epilog='Exit code 1 if they do.'
    )
    comparing.add_argument('folder', type=Path, help='the record of before')
    comparing.add_argument('other', type=Path, help='the record of after')
    for command in (recording, comparing):
        command.add_argument(
            '--only', choices=NAMES, action='append', help='this sweep; may be given again'
        )
    options = parser.parse_args()
    if options.command == 'compare':
        return compare(options.folder, options.other, options.only)
    record(options.checkout, options.folder, options.engine, options.only or NAMES)
    return 0


if __name__ == '__main__':
    sys.exit(main())
