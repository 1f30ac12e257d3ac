"""Command line: `python -m validation [--only SECTION ...] [--engine lammps|hoomd]`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

from analysis.serialise import from_json
from user_input import exits_on_user_error
from validation.claim import Row, Verdict, not_run
from validation.job import NO_ENGINE
from validation.page import SectionResult, commit_here, read_results, save_result, write_page
from validation.sections import SECTIONS, section
from workflow.engines.selection import available_engines

ROOT = Path(__file__).parent.parent
PAGE = ROOT / 'docs' / 'validation.md'
WORKERS = 2
# What has not ended by then is reported as not run.
MINUTES = 180.0
# Why an engine's claims were not measured where nobody could.
NO_SUCH_ENGINE = 'not installed here'


class Task(NamedTuple):
    """A job on an engine, in its section."""

    section: str
    job: str
    engine: str


@exits_on_user_error
def main(arguments: list[str] | None = None) -> int:
    """Measure all claims, or those of some sections; 1 if one of them fails."""
    of_sections = 'of: ' + ', '.join(SECTIONS)
    parser = argparse.ArgumentParser(
        prog='python -m validation',
        description='Measure each claim against something independent; write docs/validation.md. '
        'Sections left out by --only keep the rows of their last run on this machine.',
    )
    parser.add_argument('--only', nargs='+', choices=SECTIONS, metavar='SECTION', help=of_sections)
    parser.add_argument(
        '--engine', choices=('lammps', 'hoomd'), help='default: each that is installed'
    )
    parser.add_argument(
        '--minutes', type=float, default=MINUTES, help=f'time limit; default: {MINUTES:g}'
    )
    parser.add_argument(
        '--page-only', action='store_true', help='measure nothing: write the page anew'
    )
    parser.add_argument('--page', type=Path, default=PAGE, help='where the page is written')
    options = parser.parse_args(arguments)
    started = time.monotonic()
    commit_here()  # kept from now on: the code that the workers begin with
    if options.page_only:
        write_page(options.page, read_results())
        return 0
    chosen = options.only or list(SECTIONS)
    installed = available_engines()
    wanted = [options.engine] if options.engine else ['lammps', 'hoomd']
    tasks = [
        Task(name, job.name, engine)
        for name in chosen
        for job in section(name).jobs()
        for engine in job.engines
        if engine == NO_ENGINE or (engine in wanted and engine in installed)
    ]
    outcomes = _run_all(tasks, started + 60 * options.minutes)
    command = ' '.join(['python -m validation', *(arguments or sys.argv[1:])])
    wall = time.monotonic() - started
    for name in chosen:
        mine = [outcomes[task] for task in tasks if task.section == name]
        rows = [row for found, _ in mine for row in found]
        engines = {engine for job in section(name).jobs() for engine in job.engines} - {NO_ENGINE}
        for engine in sorted(engines.difference(installed)):
            rows.append(not_run('all claims of this section', engine, NO_SUCH_ENGINE))
        for engine in sorted(engines.intersection(installed).difference(wanted)):
            rows.append(not_run('all claims of this section', engine, 'left out by --engine'))
        seconds = sum(each for _, each in mine)
        save_result(SectionResult.now(name, command, seconds, wall, rows))
    results = read_results()
    write_page(options.page, results)
    measured = [row for name in chosen for row in results[name].rows]
    failed = [row for row in measured if row.verdict == Verdict.FAIL]
    for row in failed:
        print(f'FAILED {row.claim} ({row.engine}): {row.measured} {row.reason}')
    minutes = (time.monotonic() - started) / 60
    print(f'{_counts(measured)}, {minutes:.0f} min; {options.page} is written.')
    missing = (row.verdict == Verdict.NOT_RUN and row.reason != NO_SUCH_ENGINE for row in measured)
    return 1 if failed or any(missing) else 0


def _run_all(tasks: list[Task], deadline: float) -> dict[Task, tuple[list[Row], float]]:
    """Run the tasks side by side, each in a process; their rows and seconds."""
    outcomes = {}
    with ThreadPoolExecutor(WORKERS) as pool:
        # The longest jobs stand last on the page: begun first, they leave no core idle at the end.
        futures = {pool.submit(_run, task, deadline): task for task in reversed(tasks)}
        for done, future in enumerate(as_completed(futures), start=1):
            task, (rows, seconds) = futures[future], future.result()
            outcomes[task] = rows, seconds
            name = f'{task.section}: {task.job} ({task.engine})'
            print(f'[{done:3d}/{len(tasks)}] {name}: {_counts(rows)} ({seconds:.0f} s)', flush=True)
    return outcomes


def _counts(rows: list[Row]) -> str:
    counts = Counter(row.verdict for row in rows)
    return ', '.join(f'{counts[verdict]} {verdict}' for verdict in Verdict if counts[verdict])


def _run(task: Task, deadline: float) -> tuple[list[Row], float]:
    started = time.monotonic()
    if started > deadline:
        return [not_run(task.job, task.engine, 'the time limit was reached')], 0.0
    late = False
    with tempfile.TemporaryDirectory(prefix='isp-validation-') as scratch:
        file = Path(scratch) / 'rows.json'
        command = [sys.executable, '-m', 'validation.worker']
        try:
            process = subprocess.run(
                [*command, *task, str(file)],
                cwd=ROOT,
                env=os.environ | {'OMP_NUM_THREADS': '1'},
                capture_output=True,
                text=True,
                timeout=max(1.0, deadline - started),
            )
            reason = process.stderr.strip().splitlines()[-1:] if process.returncode else []
            code = process.returncode
        except subprocess.TimeoutExpired:
            late, reason, code = True, [], 0
        rows: list[Row] = from_json(list[Row], file.read_bytes()) if file.exists() else []
    if late:
        rows.append(not_run(task.job, task.engine, 'the time limit was reached'))
    if code:
        why = reason[0] if reason else f'exit code {code}'
        rows.append(Row(task.job, task.engine, '', '', '', Verdict.FAIL, f'crashed: {why}'))
    return rows, time.monotonic() - started


if __name__ == '__main__':
    sys.exit(main())
