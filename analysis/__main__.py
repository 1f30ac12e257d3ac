"""Command line: `python -m analysis OBSERVABLE FILE`; commands come from the observables."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

try:
    import numpy as np

    from analysis.arrays import IntArray
    from analysis.estimators.estimate import Estimate
    from analysis.io.open_trajectory import open_trajectory
    from analysis.io.thermo_log import read_thermo_log
    from analysis.observable import Observable
    from analysis.observables import OBSERVABLES
    from analysis.plotting import STYLE, new_figure
    from analysis.sampling.frame_selection import frames_from
    from analysis.sampling.production import Production
    from analysis.sampling.run import Run
    from analysis.serialise import to_json
    from user_input import UserError, exits_on_user_error
except ImportError as missing:
    # Nothing of this package can say it before these are there.
    print(
        f'error: a library is missing: {missing}. Use the Python of the environment that make test '
        'or conda env create -f environment.yml made (. .venv/bin/activate).',
        file=sys.stderr,
    )
    sys.exit(2)

FIGURE_SUFFIXES = ('.png', '.pdf', '.svg')


def main_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m analysis',
        description='Analyse a trajectory: GSD, LAMMPS text dump, DCD, XTC and others. Sigma, tau '
        'and epsilon stand for the units of the file.',
    )
    commands = parser.add_subparsers(dest='command', required=True)
    for observable in OBSERVABLES:
        command = commands.add_parser(
            observable.name,
            help=observable.title.lower(),
            description=observable.title + '. ' + observable.definition,
        )
        command.set_defaults(observable=observable)
        command.add_argument('--json', action='store_true', help='print JSON and not a table')
        command.add_argument('--plot', type=Path, metavar='FILE', help='draw (png, pdf, svg)')
        command.add_argument(
            '--time-step',
            type=float,
            metavar='DT',
            help='duration of a step, in tau; default: as recorded',
        )
        if observable.needs_trajectory:
            command.add_argument(
                'trajectory',
                type=Path,
                nargs='+',
                help='GSD, LAMMPS dump (may be compressed), DCD, XTC, ...; or several files',
            )
            command.add_argument(
                '--data',
                '--topology',
                type=Path,
                help='LAMMPS data file of a dump; of other formats also PSF, PDB, GRO, TPR, ...',
            )
            command.add_argument(
                '--atom-style', metavar='STYLE', help='of the data file; default: as stated there'
            )
            command.add_argument(
                '--unwrapped',
                action='store_true',
                help='DCD, XTC, ...: coordinates go on beyond the box',
            )
            command.add_argument(
                '--first-frame', type=int, default=0, metavar='I', help='first to use, from 0'
            )
        if observable.needs_log:
            name = '--thermo' if observable.needs_trajectory else 'thermo'
            command.add_argument(name, type=Path, help='thermo log (thermo.h5)')
            command.add_argument(
                '--first-row', type=int, default=0, metavar='I', help='first row of it to use'
            )
            command.add_argument('--kT', type=float, help='of the bath, in epsilon')
        for field in dataclasses.fields(observable):  # type: ignore[arg-type]
            flag = '--' + field.name.replace('_', '-')
            command.add_argument(flag, default=field.default, **field.metadata['option'])
    return parser


@exits_on_user_error
def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 where it went well, 2 for a mistake of the user."""
    options = main_parser().parse_args(arguments)
    warnings.showwarning = _show_warning
    if options.plot is not None:
        _check_figure(options.plot)
    observable = _with_options(options)
    result = observable.compute(_run_of(options), _progress)
    if options.plot is not None:
        _draw(observable, result, options.plot)
    print(to_json(result).decode() if options.json else _table(observable, result))
    return 0


def _with_options(options: argparse.Namespace) -> Observable[Any]:
    """Set the fields of the observable to what the user gives."""
    given = {f.name: getattr(options, f.name) for f in dataclasses.fields(options.observable)}
    given = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
    observable: Observable[Any] = dataclasses.replace(options.observable, **given)
    return observable


def _run_of(options: argparse.Namespace) -> Run:
    trajectory, frame = None, 0
    if options.observable.needs_trajectory:
        trajectory = open_trajectory(
            options.trajectory, options.data, options.atom_style, is_unwrapped=options.unwrapped
        )
        frame = int(frames_from(trajectory.steps, options.first_frame)[0])
    columns, time_step = None, options.time_step
    # What cannot do without one says so.
    if options.observable.needs_log and options.thermo is not None:
        log, row = read_thermo_log(options.thermo), options.first_row
        steps = log.columns['step']
        if not 0 <= row <= len(steps) - 2:
            raise UserError(
                f'{options.thermo}: --first-row {row}: there are {len(steps)} rows, the first is '
                '0; two are the least.'
            )
        rows = frames_from(steps, row, 'row')
        columns = {name: column[rows] for name, column in log.columns.items()}
        own = None if trajectory is None else trajectory.time_step
        if time_step is None and own is not None and not np.isclose(own, log.time_step, 1e-4, 0):
            raise UserError(
                f'{options.thermo}: a step lasts {log.time_step:g} tau, and {own:g} tau in '
                f'{options.trajectory[0]}: give files of one run, or its --time-step.'
            )
        time_step = log.time_step if time_step is None else time_step
    production = Production(first_frame=frame, first_settled_frame=frame)
    return Run(trajectory, columns, production, time_step, getattr(options, 'kT', None))


def _table(observable: Observable[Any], result: Any) -> str:
    """Write what a result says, for people to read."""
    quantities = observable.quantities(result)
    width = max([len(each.name) for each in quantities], default=0) + 2
    lines = [observable.title, *observable.notes(result), '']
    lines.append(f'{"":{width}}{"value":>11}  {"95 % interval":24}{"n_eff":>8}  unit')
    lines += [_row(f'{each.name:{width}}', each.estimate, each.unit) for each in quantities]
    curves = ', '.join(observable.curves(result))
    return '\n'.join([*lines, '', f'curves (--json, --plot): {curves or "none"}'])


def _row(name: str, estimate: Estimate, unit: str) -> str:
    low, high = estimate.low, estimate.high
    value = '-' if estimate.value is None else f'{estimate.value:.4g}'
    interval = 'none'
    if estimate.is_bound:
        value = f'> {low:.4g}' if low is not None else f'< {high:.4g}'
    elif low is not None and high is not None:
        interval = f'{low:.4g} to {high:.4g}'
    worth = '' if estimate.n_effective is None else f'{estimate.n_effective:.1f}'
    row = f'{name}{value:>11}  {interval:24}{worth:>8}  {unit}'
    return f'{row}  {estimate.against}'.rstrip()


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


def _draw(observable: Observable[Any], result: Any, path: Path) -> None:
    from matplotlib import rc_context

    with rc_context(STYLE):
        figure = new_figure(5.0, 3.8)
        observable.plot(result, figure.add_subplot())
        try:
            figure.savefig(path, dpi=200)
        except (OSError, ValueError) as error:
            raise UserError(f'{path}: the figure cannot be written ({error}).') from None


def _progress(frames: IntArray) -> Iterable[Any]:
    if not sys.stderr.isatty():
        return iter(frames)
    from rich.console import Console
    from rich.progress import track

    # Standard output is for the result.
    return track(list(frames), 'frames', transient=True, console=Console(stderr=True))


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    _show_once(str(message))


@functools.cache
def _show_once(text: str) -> None:
    print(f'warning: {text}', file=sys.stderr)


if __name__ == '__main__':
    sys.exit(main())
