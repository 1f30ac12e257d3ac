"""The project's own commands: make the jobs of a sweep, and simulate all of it on this machine."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from user_input import UserError
from workflow.engines.ranks import RANKS_VARIABLE, asked_ranks
from workflow.engines.selection import (
    DEVICE_VARIABLE,
    DEVICES,
    ENGINE_VARIABLE,
    ENGINES,
    THREADS_VARIABLE,
    choice_from_environment,
    select_engine,
)
from workflow.interruption import EXIT_INTERRUPTED

if TYPE_CHECKING:
    from workflow.workspace import SweepJobs


def main(arguments: Sequence[str]) -> int:
    """Run one of COMMANDS.

    Raises:
        UserError: For anything that the user can mend.
    """
    parser = argparse.ArgumentParser(
        prog='project.py',
        epilog='In a folder with a project also the commands of signac-flow: status, next, run, '
        'submit, exec; each has its own --help.',
    )
    commands = parser.add_subparsers(dest='command', required=True)
    init = commands.add_parser('init', help='make the jobs of a sweep')
    init.add_argument('sweep', type=Path, help='sweep file')
    simulate = commands.add_parser('simulate', help='run a whole sweep on this machine')
    simulate.add_argument('sweep', type=Path, help='sweep file')
    simulate.add_argument(
        '--parallel', type=int, default=1, metavar='N', help='jobs side by side (default: 1)'
    )
    simulate.add_argument('--engine', choices=ENGINES, help='default: auto')
    simulate.add_argument('--device', choices=DEVICES, help='default: auto')
    simulate.add_argument('--threads', type=int, help='threads of each job (default: 1)')
    simulate.add_argument('--ranks', type=int, help='MPI ranks of each job (default: 1)')
    report = commands.add_parser('report', help='report on what is done of a sweep')
    report.add_argument('sweep', type=Path, help='sweep file')
    options = parser.parse_args(arguments)
    return COMMANDS[options.command](options)


def _init(options: argparse.Namespace) -> int:
    from workflow.workspace import init_sweep

    jobs = init_sweep(options.sweep).jobs
    print(f'{len(jobs)} jobs. Next: python project.py status, run, or submit.')
    return 0


def _simulate(options: argparse.Namespace) -> int:
    from workflow.local_run import simulate_jobs
    from workflow.workspace import init_sweep

    for variable, value in (
        (ENGINE_VARIABLE, options.engine),
        (DEVICE_VARIABLE, options.device),
        (THREADS_VARIABLE, options.threads),
        (RANKS_VARIABLE, options.ranks),
    ):
        if value is not None:
            os.environ[variable] = str(value)
    if options.parallel < 1:
        raise UserError(f'--parallel {options.parallel}: give a whole number from 1 up.')
    # Asked for here so that a missing engine is told once, and before anything is made.
    engine = select_engine(choice_from_environment()).describe()
    asked_ranks()
    sweep = init_sweep(options.sweep)
    print(f'{len(sweep.jobs)} jobs on {engine["engine"]} {engine["version"]} ({engine["device"]})')
    code = simulate_jobs(sweep.jobs, options.parallel)
    if code == EXIT_INTERRUPTED:
        return code
    return _write_report(sweep) or code


def _report(options: argparse.Namespace) -> int:
    from workflow.workspace import init_sweep

    return _write_report(init_sweep(options.sweep))


def _write_report(sweep: SweepJobs) -> int:
    from workflow.summary_table import print_summary
    from workflow.workspace import (
        is_simulated,
        report_is_current,
        results_folder,
        write_sweep_results,
    )

    folder = results_folder(sweep)
    if not report_is_current(sweep):
        write_sweep_results(sweep)
    print_summary(folder / 'summary.csv', sys.stdout)
    done = sum(map(is_simulated, sweep.jobs))
    if done < len(sweep.jobs):
        print(f'{done} of {len(sweep.jobs)} jobs are done.')
    print(f'{folder / "summary.csv"}\n{folder / "report.html"}')
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    'init': _init,
    'simulate': _simulate,
    'report': _report,
}
