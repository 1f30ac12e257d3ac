"""Command line: `python -m analysis COMMAND FILE`; the commands are in `main_parser`."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from analysis.clusters import Pairs, ion_clusters
from analysis.internal_distances import chain_sizes
from analysis.mean_squared_displacement import mean_squared_displacements
from analysis.plain import plain
from analysis.relaxation import segmental_relaxation
from analysis.report import (
    chains_report,
    clusters_report,
    displacements_report,
    relaxation_report,
    stress_report,
)
from analysis.stress_relaxation import stress_relaxation
from analysis.trajectory import IntArray, open_trajectory
from user_input import UserError, exits_on_user_error

PROGRESS_AFTER_SECONDS = 2.0
FIGURE_SUFFIXES = ('.png', '.pdf', '.svg')


def main_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m analysis',
        description='Analyse a trajectory: GSD (HOOMD) or LAMMPS text dump.',
    )
    commands = parser.add_subparsers(dest='command', required=True)
    basic = argparse.ArgumentParser(add_help=False)
    basic.add_argument('--json', action='store_true', help='print JSON and not a table')
    basic.set_defaults(plot=None)
    source = argparse.ArgumentParser(add_help=False, parents=[basic])
    source.add_argument('trajectory', type=Path, help='GSD file or LAMMPS dump')
    source.add_argument('--data', type=Path, metavar='FILE', help='LAMMPS data file of a dump')
    source.add_argument(
        '--first-frame', type=int, default=0, metavar='I', help='first frame to use, from 0'
    )
    common = argparse.ArgumentParser(add_help=False, parents=[source])
    common.add_argument('--plot', type=Path, metavar='FILE', help='write a figure (png, pdf, svg)')
    clusters = commands.add_parser('clusters', parents=[common], help='ion clusters, percolation')
    clusters.add_argument(
        '--contact-distance', type=float, metavar='R', help='default: first minimum of g(+-)'
    )
    clusters.add_argument(
        '--pairs',
        choices=[str(p) for p in Pairs],
        default=str(Pairs.UNLIKE),
        help='ions that may be in contact (default: %(default)s)',
    )
    clusters.add_argument('--cations', nargs='+', metavar='TYPE', help='default: positive charges')
    clusters.add_argument('--anions', nargs='+', metavar='TYPE', help='default: negative charges')
    clusters.set_defaults(run=_clusters)
    relaxation = commands.add_parser(
        'relaxation', parents=[common], help='segmental relaxation times'
    )
    relaxation.add_argument(
        '--time-step', type=float, metavar='DT', help='duration of a step; default: from the file'
    )
    relaxation.add_argument(
        '--sigma', type=float, default=1.0, help='bead diameter, for q = pi/sigma (default: 1)'
    )
    relaxation.set_defaults(run=_relaxation)
    msd = commands.add_parser('msd', parents=[source], help='mean squared displacements')
    msd.add_argument(
        '--time-step', type=float, metavar='DT', help='duration of a step; default: from the file'
    )
    msd.set_defaults(run=_displacements)
    chains = commands.add_parser('chains', parents=[source], help='sizes of linear chains')
    chains.add_argument(
        '--bond-type', metavar='TYPE', help="bonds along the chains; default: 'backbone', or all"
    )
    chains.set_defaults(run=_chains)
    stress = commands.add_parser('stress', parents=[basic], help="G(t), G', G'' from a thermo.h5")
    stress.add_argument('thermo', type=Path, help='HDF5 file with pressure columns and time_step')
    stress.add_argument('--kT', type=float, required=True, help='of the bath')
    stress.add_argument('--first-row', type=int, default=0, metavar='I', help='first row to use')
    stress.set_defaults(run=_stress)
    return parser


@exits_on_user_error
def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 where it went well, 2 for a mistake of the user."""
    options = main_parser().parse_args(arguments)
    warnings.showwarning = _show_warning
    if options.plot is not None:
        _check_figure(options.plot)
    options.run(options)
    return 0


def _clusters(options: argparse.Namespace) -> None:
    result = ion_clusters(
        open_trajectory(options.trajectory, options.data),
        contact_distance=options.contact_distance,
        pairs=Pairs(options.pairs),
        cation_types=None if options.cations is None else tuple(options.cations),
        anion_types=None if options.anions is None else tuple(options.anions),
        first_frame=options.first_frame,
        progress=_progress,
    )
    if options.plot is not None:
        from analysis.plots import draw_clusters

        _save(draw_clusters(result), options.plot)
    print(_json(result) if options.json else clusters_report(result))


def _relaxation(options: argparse.Namespace) -> None:
    result = segmental_relaxation(
        open_trajectory(options.trajectory, options.data),
        time_step=options.time_step,
        first_frame=options.first_frame,
        sigma=options.sigma,
        progress=_progress,
    )
    if options.plot is not None:
        from analysis.plots import draw_relaxation

        _save(draw_relaxation(result), options.plot)
    print(_json(result) if options.json else relaxation_report(result))


def _displacements(options: argparse.Namespace) -> None:
    result = mean_squared_displacements(
        open_trajectory(options.trajectory, options.data),
        time_step=options.time_step,
        first_frame=options.first_frame,
        progress=_progress,
    )
    print(_json(result) if options.json else displacements_report(result))


def _chains(options: argparse.Namespace) -> None:
    result = chain_sizes(
        open_trajectory(options.trajectory, options.data),
        bond_type=options.bond_type,
        first_frame=options.first_frame,
        progress=_progress,
    )
    print(_json(result) if options.json else chains_report(result))


def _stress(options: argparse.Namespace) -> None:
    import h5py

    try:
        with h5py.File(options.thermo, 'r') as file:
            names = [f'pressure_{axes}' for axes in ('xx', 'xy', 'xz', 'yy', 'yz', 'zz')]
            columns = {name: np.asarray(file[name]) for name in (*names, 'volume', 'step')}
            time_step = float(file.attrs['time_step'])
    except (OSError, KeyError) as error:
        raise UserError(f'{options.thermo}: no thermo log that can be read ({error}).') from None
    rows = len(columns['step'])
    if any(column.shape != (rows,) for column in columns.values()):
        raise UserError(f'{options.thermo}: columns of unequal length: the file is damaged.')
    if not 0 <= options.first_row <= rows - 2:
        raise UserError(
            f'{options.thermo}: --first-row {options.first_row}: there are {rows} rows, the first '
            'is 0; two are the least.'
        )
    columns = {name: column[options.first_row :] for name, column in columns.items()}
    steps, volume = columns['step'], float(np.mean(columns['volume']))
    if len(np.unique(np.diff(steps))) != 1:
        raise UserError(f'{options.thermo}: the rows from there on are not at equal intervals.')
    interval = time_step * float(steps[1] - steps[0])
    pressure = {name[-2:]: columns[name].astype(np.float64) for name in names}
    result = stress_relaxation(pressure, volume, options.kT, interval)
    print(_json(result) if options.json else stress_report(result))


def _json(result: Any) -> str:
    return json.dumps(
        plain(result) if isinstance(result, dict) else result.as_dict(), allow_nan=False
    )


def _check_figure(path: Path) -> None:
    """Refuse a figure that cannot be written before the analysis, not after it."""
    if not path.parent.is_dir():
        raise UserError(
            f'{path}: the figure cannot be written: there is no folder {path.parent}. Make it.'
        )
    if path.suffix not in FIGURE_SUFFIXES:
        raise UserError(
            f'{path}: the figure cannot be written: end its name in {", ".join(FIGURE_SUFFIXES)}.'
        )


def _save(figure: Any, path: Path) -> None:
    try:
        figure.savefig(path, dpi=200)
    except (OSError, ValueError) as error:
        raise UserError(f'{path}: the figure cannot be written ({error}).') from None


def _progress(frames: IntArray) -> Iterable[Any]:
    if not sys.stderr.isatty():
        return iter(frames)
    try:
        from tqdm import tqdm
    except ImportError:
        return iter(frames)
    bar: Iterable[Any] = tqdm(frames, unit='frame', delay=PROGRESS_AFTER_SECONDS, file=sys.stderr)
    return bar


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f'warning: {message}', file=sys.stderr)


if __name__ == '__main__':
    sys.exit(main())
