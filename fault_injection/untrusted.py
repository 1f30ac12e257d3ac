"""`python -m fault_injection.untrusted TARGET ...`: files changed at random are read or told of.

Bytes are flipped, cut, doubled and overwritten with numbers that are too large; words of text files
are exchanged for what does not belong there. Whatever comes out is read as the project reads such
files, within limits of time and memory. Anything but a result or a message for the user is a find.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import os
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType

import gsd.hoomd
import numpy as np

from user_input import UserError

ROOT = Path(__file__).parent.parent
MOST_SECONDS, MOST_MEMORY = 20.0, 4 << 30
TEXTS = {'.toml', '.dump', '.data', '.pdb'}
# What is written over bytes: counts and sizes of all widths that nothing can have.
_LARGE = [n.to_bytes(8, 'little') for n in (2**63 - 1, 2**40, 2**32, 2**31, 10**12, 0)]
_WORDS = (
    '0', '-1', '1e308', '1e-300', 'nan', 'inf', '-inf', '1000000000000', str(10**30), '0.5', "''",
    "'../../escaped'", "'/tmp/escaped'", "'$(touch escaped)'", "'`touch escaped`'", "'a\\nb'",
    '"a\\nb"', "'{{ 7 * 7 }}'", "'; touch escaped #'", '[]', '{}', '[[1]]', 'true', "'LSP'",
    '{ a = { b = { c = {} } } }', '99999999', '1979-05-27',
    "'1e400'", "'1e999999999'", '9' * 5000, '[' * 5000,
    "'" + 'x' * 10_000 + "'",
)  # fmt: skip

Read = Callable[[Path], object]


def main() -> int:
    """Read changed files; 1 at the first find."""
    parser = argparse.ArgumentParser(
        prog='python -m fault_injection.untrusted', description=__doc__
    )
    parser.add_argument('targets', nargs='*', choices=[[], *TARGETS], metavar='TARGET')
    parser.add_argument('--examples', type=int, default=300, help='of each; default: 300')
    parser.add_argument('--seed', type=int, default=1)
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    signal.signal(signal.SIGALRM, _too_long)
    found = 0
    for target in options.targets or TARGETS:
        found += _try_target(target, options.examples, options.seed)
    return int(found > 0)


def _try_target(target: str, examples: int, seed: int) -> int:
    make, read = TARGETS[target]
    rng = np.random.default_rng([seed, *target.encode()])
    refused = found = 0
    longest = 0.0
    with tempfile.TemporaryDirectory(prefix='isp-untrusted-') as name, contextlib.chdir(name):
        path = make(Path(name))
        whole = path.read_bytes()
        read(path)
        for number in range(examples):
            changed = _changed(whole, rng, is_text=path.suffix in TEXTS)
            path.write_bytes(changed)
            started = time.monotonic()
            try:
                signal.setitimer(signal.ITIMER_REAL, MOST_SECONDS)
                with contextlib.redirect_stdout(io.StringIO()):
                    read(path)
            except UserError:
                refused += 1
            except Exception:
                found += 1
                kept = Path(tempfile.gettempdir()) / f'isp-untrusted-{target}-{number}{path.suffix}'
                kept.write_bytes(changed)
                print(f'{target}, example {number}, kept as {kept}:\n{traceback.format_exc()}')
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            longest = max(longest, time.monotonic() - started)
            if list(Path(name).rglob('escaped')) or Path('/tmp/escaped').exists():
                found += 1
                print(f'{target}, example {number}: a file outside was written')
    print(
        f'{target:12} {examples} examples, {refused} refused with a message, {found} finds, '
        f'{longest:.1f} s at most',
        flush=True,
    )
    return found


def _too_long(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise TimeoutError(f'it took longer than {MOST_SECONDS:g} s')


def _changed(content: bytes, rng: np.random.Generator, *, is_text: bool) -> bytes:
    """The content with one to four changes."""
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        if is_text and rng.random() < 0.7:
            changed = bytearray(_other_word(bytes(changed), rng))
            continue
        at = int(rng.integers(len(changed) + 1))
        # Where layouts stand: the beginning of a file is changed as often as all of the rest.
        at = at if rng.random() < 0.5 else min(at, int(rng.integers(400)))
        kind = rng.integers(5)
        if kind == 0 and at < len(changed):
            changed[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del changed[at:]
        elif kind == 2:
            changed[at : at + 8] = _LARGE[int(rng.integers(len(_LARGE)))]
        elif kind == 3:
            changed[at:at] = changed[at : at + int(rng.integers(1, 64))]
        else:
            del changed[at : at + int(rng.integers(1, 64))]
    return bytes(changed)


def _other_word(content: bytes, rng: np.random.Generator) -> bytes:
    text = content.decode(errors='surrogateescape')
    words = list(re.finditer(r"'[^'\n]*'|[-+\w.]+", text))
    if not words:
        return content
    word = words[int(rng.integers(len(words)))]
    other = _WORDS[int(rng.integers(len(_WORDS)))]
    return (text[: word.start()] + other + text[word.end() :]).encode(errors='surrogateescape')


def _make_gsd(folder: Path) -> Path:
    frame, state = _small_melt()
    with gsd.hoomd.open(folder / 'trajectory.gsd', 'w') as file:
        for step in range(9):
            frame.configuration.step = 100 * step
            frame.particles.position = state + 0.01 * step
            file.append(frame)
    return folder / 'trajectory.gsd'


def _make_dump(folder: Path) -> Path:
    frame, positions = _small_melt()
    box, path = frame.configuration.box[:3], folder / 'trajectory.dump'
    lines = []
    for step in range(9):
        lines += ['ITEM: TIMESTEP', str(100 * step), 'ITEM: NUMBER OF ATOMS', str(len(positions))]
        lines += ['ITEM: BOX BOUNDS pp pp pp', *(f'{-edge / 2:.6f} {edge / 2:.6f}' for edge in box)]
        lines.append('ITEM: ATOMS id type q x y z ix iy iz')
        charges = frame.particles.charge
        for i, (x, y, z) in enumerate(positions):
            kind = frame.particles.typeid[i] + 1
            lines.append(f'{i + 1} {kind} {charges[i]:g} {x:.4f} {y:.4f} {z:.4f} 0 0 0')
    path.write_text('\n'.join(lines) + '\n')
    return path


def _make_data(folder: Path) -> Path:
    """A data file, with the dump of its run beside it."""
    frame, _ = _small_melt()
    particles, bonds = frame.particles, frame.bonds
    _make_dump(folder)
    counts = [f'{particles.N} atoms', f'{bonds.N} bonds', f'{len(particles.types)} atom types']
    labels = [f'{k + 1} {name}' for k, name in enumerate(particles.types)]
    masses = [f'{k + 1} 1.0' for k in range(len(particles.types))]
    atoms = [
        f'{i + 1} 1 {particles.typeid[i] + 1} {particles.charge[i]:g} 0 0 0'
        for i in range(particles.N)
    ]
    pairs = [f'{k + 1} 1 {i + 1} {j + 1}' for k, (i, j) in enumerate(bonds.group)]
    path = folder / 'melt.data'
    lines = ['title', '', *counts]
    for title, rows in (
        ('Atom Type Labels', labels), ('Masses', masses), ('Atoms # full', atoms),
        ('Bonds', pairs),
    ):  # fmt: skip
        lines += ['', title, '', *rows]
    path.write_text('\n'.join(lines) + '\n')
    return path


def _make_packed(folder: Path) -> Path:
    path = folder / 'trajectory.gz'
    path.write_bytes(gzip.compress(_make_dump(folder).read_bytes()))
    return path


def _make_second(folder: Path) -> Path:
    """A dump that goes on from another one."""
    first, *frames = re.split('(?=ITEM: TIMESTEP)', _make_dump(folder).read_text())[1:]
    (folder / 'trajectory.dump').write_text(first)
    (folder / 'second.dump').write_text(''.join(frames))
    return folder / 'second.dump'


def _make_foreign(suffix: str) -> Callable[[Path], Path]:
    """Write what MDAnalysis can, beside a data file."""

    def make(folder: Path) -> Path:
        from MDAnalysis import Universe, Writer

        _make_data(folder)
        frame, positions = _small_melt()
        universe = Universe.empty(len(positions), trajectory=True)
        universe.add_TopologyAttr('names', ['AB'[k % 2] for k in frame.particles.typeid])
        universe.add_TopologyAttr('bonds', frame.bonds.group)
        path, now = folder / f'trajectory.{suffix}', universe.trajectory.ts
        with warnings.catch_warnings(), Writer(str(path), len(positions)) as file:
            warnings.simplefilter('ignore')
            for step in range(1 if suffix == 'pdb' else 9):
                now.positions, now.frame = positions + 0.01 * step, step
                now.dimensions = [*frame.configuration.box[:3], 90, 90, 90]
                file.write(universe.atoms)
        return path

    return make


def _small_melt() -> tuple[gsd.hoomd.Frame, np.ndarray]:
    from models.melt import build_melt
    from models.model import load_model

    frame = build_melt(
        load_model('isp'),
        composition={'LSP': 0.5, 'DOPA': 0.5},
        chains=4,
        degree_of_polymerisation=6,
        seed=1,
    )
    return frame, np.array(frame.particles.position, dtype=float)


def _analyse(
    path: Path | str | list[Path | str],
    data: Path | str | None = None,
    *,
    is_unwrapped: bool = False,
) -> None:
    from analysis.io.open_trajectory import open_trajectory
    from analysis.observable import analyse
    from analysis.observables import OBSERVABLES
    from analysis.sampling.run import Run

    trajectory = open_trajectory(path, data, is_unwrapped=is_unwrapped)
    for number in range(len(trajectory.steps)):
        trajectory.read(number)
    of_frames = [each for each in OBSERVABLES if each.needs_trajectory and not each.needs_log]
    analyse(Run(trajectory), [e for e in of_frames if e.applies_to(trajectory.topology)])


def _copy(source: Path) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        target = folder / source.name
        target.write_bytes(source.read_bytes())
        return target

    return make


def _read_model(path: Path) -> None:
    from models.force_field import force_field
    from models.melt import build_melt
    from models.model import load_model

    model = load_model(path)
    force_field(model, model.bjerrum_length)
    first = next(iter(model.monomers))
    build_melt(model, composition={first: 1.0}, chains=2, degree_of_polymerisation=5, seed=1)


def _init_sweep(path: Path) -> None:
    from workflow.cli.init import init_sweep

    init_sweep(path)


def _make_cluster(folder: Path) -> Path:
    example = (ROOT / 'docs' / 'clusters.md').read_text().split('```toml\n')[1].split('```')[0]
    (folder / 'cluster.toml').write_text(example)
    return folder / 'cluster.toml'


def _read_cluster(path: Path) -> None:
    from workflow.cluster.description import read_cluster

    read_cluster(path)


TARGETS: dict[str, tuple[Callable[[Path], Path], Read]] = {
    'gsd': (_make_gsd, _analyse),
    'dump': (_make_dump, _analyse),
    'data': (_make_data, partial(_analyse, 'trajectory.dump')),
    'packed': (_make_packed, _analyse),
    'several': (_make_second, lambda path: _analyse(['trajectory.dump', path])),
    'model': (_copy(ROOT / 'models' / 'isp.toml'), _read_model),
    'sweep': (_copy(ROOT / 'sweeps' / 'demo.toml'), _init_sweep),
    'cluster': (_make_cluster, _read_cluster),
}
# Read through MDAnalysis, by two processes: about a second each.
FOREIGN: dict[str, tuple[Callable[[Path], Path], Read]] = {
    suffix: (_make_foreign(suffix), partial(_analyse, data='melt.data', is_unwrapped=True))
    for suffix in ('dcd', 'xtc', 'trr')
}
FOREIGN['pdb'] = (_make_foreign('pdb'), _analyse)
TARGETS |= FOREIGN


if __name__ == '__main__':
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    sys.exit(main())
