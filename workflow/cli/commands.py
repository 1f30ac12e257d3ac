"""The project's own commands: make the jobs of a sweep, and simulate all of it on this machine."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from user_input import UserError, count_of
from workflow.engines.mpi import select_engine
from workflow.engines.settings import (
    DEVICES,
    ENGINES,
    VARIABLES,
    asked_ranks,
    choice_from_environment,
)
from workflow.jobs.failures import failed_among, refused_among
from workflow.process import EXIT_INTERRUPTED

if TYPE_CHECKING:
    from workflow.jobs.workspace import SweepJobs


def main(arguments: Sequence[str]) -> int:
    """Run one of COMMANDS; UserError for anything that the user can fix."""
    parser = argparse.ArgumentParser(
        prog='project.py',
        epilog='In a folder with a project also the commands of signac-flow: status, next, run, '
        'submit, exec; each has its own --help.',
    )
    commands = parser.add_subparsers(dest='command', required=True)
    for name, what in (
        ('init', 'make the jobs of a sweep'),
        ('simulate', 'run a whole sweep on this machine'),
        ('report', 'report on what is done of a sweep'),
    ):
        command = commands.add_parser(name, help=what)
        command.add_argument('sweep', type=Path, help='sweep file')
        if name != 'report':
            command.add_argument(
                '--yes', action='store_true', help='make the jobs without asking, however many'
            )
        if name == 'simulate':
            _add_run_options(command)
        if name == 'report':
            command.add_argument(
                '--page', type=Path, metavar='FILE.md', help='also write it as a page, for docs'
            )
    failed = commands.add_parser(
        'failed',
        help='list the jobs that failed or could not be run, and why',
        epilog='Exit code 1 if there are any.',
    )
    failed.add_argument('jobs', nargs='*', metavar='JOB', help='all that is known of these')
    retry = commands.add_parser(
        'retry',
        help='run failed jobs again, from their last good checkpoint',
        epilog='A job that blew up begins with shorter steps, until it is past where it did.',
    )
    retry.add_argument('jobs', nargs='*', metavar='JOB', help='default: all that failed')
    retry.add_argument(
        '--later',
        action='store_true',
        help='only make them ready: the next simulate, run or submit takes them up',
    )
    _add_run_options(retry)
    remove = commands.add_parser(
        'remove', help='delete a sweep, and the jobs that are in no other one'
    )
    remove.add_argument('sweep', help='name of the sweep')
    pruning = commands.add_parser('prune', help='delete the jobs that are in no sweep')
    for command in (remove, pruning):
        command.add_argument(
            '--yes', action='store_true', help='do it; default: only show what would be deleted'
        )
    commands.add_parser('migrate', help='take over a workspace of an earlier version')
    options = parser.parse_args(arguments)
    return COMMANDS[options.command](options)


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--parallel', type=int, default=1, metavar='N', help='jobs side by side (default: 1)'
    )
    parser.add_argument('--engine', choices=ENGINES, help='default: auto')
    parser.add_argument('--device', choices=DEVICES, help='default: auto')
    parser.add_argument('--threads', type=int, help='threads of each job (default: 1)')
    parser.add_argument('--ranks', type=int, help='MPI ranks of each job (default: 1)')


def _init(options: argparse.Namespace) -> int:
    from workflow.cli.init import init_sweep

    jobs = init_sweep(options.sweep, is_agreed=options.yes).jobs
    print(f'{count_of(len(jobs), "job")}. Next: python project.py status, run, or submit.')
    return 0


def _simulate(options: argparse.Namespace) -> int:
    from workflow.cli.init import init_sweep
    from workflow.cli.simulate import simulate_jobs
    from workflow.jobs.sweep_state import look_is_due, recorded
    from workflow.jobs.workspace import recorded_sweep
    from workflow.results.sweep_results import look_at
    from workflow.stages.table import have_ended, is_done

    engine = _engine(options)
    sweep = init_sweep(options.sweep, is_agreed=options.yes)
    print(f'{count_of(len(sweep.jobs), "job")} on {engine}')
    code = simulate_jobs(sweep.jobs, options.parallel)
    while code in (0, 1) and have_ended(sweep.jobs) and look_is_due(recorded(sweep)):
        look = look_at(sweep)
        print(look)
        sweep = recorded_sweep(options.sweep)
        code = simulate_jobs(sweep.jobs, options.parallel)
    if code == EXIT_INTERRUPTED:
        return code
    if code and not any(map(is_done, sweep.jobs)):
        _point_to_failed(sweep.jobs)
        return code
    _write_report(sweep)
    return code


def _engine(options: argparse.Namespace) -> str:
    """Hand the run options to all processes, and describe what will run."""
    for option, variable in VARIABLES.items():
        if (value := getattr(options, option)) is not None:
            os.environ[variable] = str(value)
    if options.parallel < 1:
        raise UserError(f'--parallel {options.parallel}: give a whole number from 1 up.')
    # Asked for here so that a missing engine is reported once, and before anything is made.
    engine = select_engine(choice_from_environment()).describe()
    asked_ranks()
    return f'{engine["engine"]} {engine["version"]} ({engine["device"]})'


def _failed(options: argparse.Namespace) -> int:
    from workflow.cli.failed import (
        chosen_jobs,
        print_failures,
        print_refusals,
        print_whole_failure,
    )

    chosen = chosen_jobs(options.jobs)
    failed, refused = failed_among(chosen), refused_among(chosen)
    if not failed:
        print('no job is marked as failed.')
    elif options.jobs:
        for job in failed:
            print_whole_failure(job, sys.stdout)
    else:
        print_failures(failed, sys.stdout)
    if refused:
        print_refusals(refused, sys.stdout)
    return 1 if failed or refused else 0


def _retry(options: argparse.Namespace) -> int:
    from workflow.cli.failed import chosen_jobs
    from workflow.cli.retry import make_ready
    from workflow.cli.simulate import simulate_jobs
    from workflow.jobs.signac_files import read_job_document

    engine = '' if options.later else _engine(options)
    chosen = chosen_jobs(options.jobs)
    jobs = chosen if options.jobs else failed_among(chosen)
    if not jobs:
        print('no job is marked as failed: there is nothing to retry.')
        return 0
    for job in jobs:
        read_job_document(job)  # of all, before one is made ready
    for job in jobs:
        print(f'job {job.id}: {make_ready(Path(job.path), job.document)}')
    if options.later:
        print('Next: python project.py simulate SWEEP, run, or submit.')
        return 0
    print(f'{count_of(len(jobs), "job")} on {engine}')
    code = simulate_jobs(jobs, options.parallel)
    _point_to_failed(jobs)
    return code


def _migrate(options: argparse.Namespace) -> int:
    from workflow.cli.migrate import migrate

    migrate()
    return 0


def _remove(options: argparse.Namespace) -> int:
    from workflow.cli.remove import remove_sweep

    remove_sweep(options.sweep, for_good=options.yes)
    return 0


def _prune(options: argparse.Namespace) -> int:
    from workflow.cli.remove import prune

    prune(for_good=options.yes)
    return 0


def _point_to_failed(jobs: Sequence[Any]) -> None:
    """Say how many of `jobs` failed and what to do about it."""
    failed = failed_among(jobs)
    if failed:
        print(
            f'{len(failed)} of {count_of(len(jobs), "job")} failed. To see why: '
            'python project.py failed. To run them again: python project.py retry.'
        )


def _report(options: argparse.Namespace) -> int:
    from workflow.jobs.workspace import recorded_sweep
    from workflow.results.sweep_results import record_report, write_page

    sweep = recorded_sweep(options.sweep)
    record_report(options.sweep, sweep)
    _write_report(sweep)
    if options.page is not None:
        write_page(sweep, options.page)
        print(options.page)
    return 0


def _write_report(sweep: SweepJobs) -> None:
    from workflow.results.report_state import report_is_current, results_folder
    from workflow.results.sweep_results import read_sweep_table, write_sweep_results
    from workflow.results.tables import print_key_tables
    from workflow.stages.table import is_done

    folder = results_folder(sweep)
    table = read_sweep_table(sweep) if report_is_current(sweep) else write_sweep_results(sweep)
    print_key_tables(table, sys.stdout)
    done = sum(map(is_done, sweep.jobs))
    if done < len(sweep.jobs):
        print(f'{done} of {len(sweep.jobs)} jobs are done.')
        _point_to_failed(sweep.jobs)
    print(f'{folder / "summary.csv"}\n{folder / "report.html"}')


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    'init': _init,
    'simulate': _simulate,
    'report': _report,
    'failed': _failed,
    'retry': _retry,
    'migrate': _migrate,
    'remove': _remove,
    'prune': _prune,
}
