"""Command line: `python -m validation [--only SECTION ...] [--engine lammps|hoomd]`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from user_input import exits_on_user_error
from validation.claim import Row, Verdict, not_run
from validation.job import NO_ENGINE, Job
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


@dataclass(frozen=True)
class Task:
    """A job on an engine, in its section."""

    section: str
    job: Job
    engine: str

    @property
    def label(self) -> str:
        """What it is called in the progress and in the table if it crashes."""
        return f'{self.section}: {self.job.name} ({self.engine})'


@exits_on_user_error
def main(arguments: list[str] | None = None) -> int:
    """Measure all claims, or those of some sections; 1 if one of them fails."""
    parser = argparse.ArgumentParser(
        prog='python -m validation',
        description='Measure each claim against something independent; write docs/validation.md. '
        'Sections left out by --only keep the rows of their last run on this machine.',
    )
    parser.add_argument('--only', nargs='+', choices=SECTIONS, metavar='SECTION', help=_names())
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
        Task(name, job, engine)
        for name in chosen
        for job in section(name).jobs()
        for engine in job.engines
        if engine == NO_ENGINE or (engine in wanted and engine in installed)
    ]
    rows = _run_all(tasks, started + 60 * options.minutes)
    for name in chosen:
        of_section = [(task, found) for task, found in rows if task.section == name]
        found = [row for _, rows_of_task in of_section for row in rows_of_task[0]]
        for engine in _engines_of(name):
            if engine not in installed:
                found.append(not_run('all claims of this section', engine, NO_SUCH_ENGINE))
            elif engine not in wanted:
                found.append(not_run('all claims of this section', engine, 'left out by --engine'))
        seconds = sum(rows_of_task[1] for _, rows_of_task in of_section)
        command = ' '.join(['python -m validation', *(arguments or sys.argv[1:])])
        wall = time.monotonic() - started
        save_result(SectionResult.now(name, command, seconds, wall, found))
    results = read_results()
    write_page(options.page, results)
    all_rows = [row for name in chosen for row in results[name].rows]
    for row in all_rows:
        if row.verdict == Verdict.FAIL:
            print(f'FAILED {row.claim} ({row.engine}): {row.measured} {row.reason}')
    failed = sum(row.verdict == Verdict.FAIL for row in all_rows)
    missing = sum(
        row.verdict == Verdict.NOT_RUN and row.reason != NO_SUCH_ENGINE for row in all_rows
    )
    minutes = (time.monotonic() - started) / 60
    stated = sum(row.verdict == Verdict.STATED for row in all_rows)
    counts = f'{len(all_rows)} rows, {failed} failed, {missing} not run, {stated} stated'
    print(f'{counts}, {minutes:.0f} min; {options.page} is written.')
    return 1 if failed or missing else 0


def _engines_of(name: str) -> list[str]:
    """The engines that some job of a section is for."""
    return sorted({engine for job in section(name).jobs() for engine in job.engines} - {NO_ENGINE})


def _names() -> str:
    return 'of: ' + ', '.join(SECTIONS)


def _run_all(tasks: list[Task], deadline: float) -> list[tuple[Task, tuple[list[Row], float]]]:
    """Run the tasks side by side, each in a process; results in the order of the tasks."""
    results: dict[int, tuple[list[Row], float]] = {}
    with ThreadPoolExecutor(WORKERS) as pool:
        # The longest jobs stand last on the page: begun first, they leave no core idle at the end.
        last_first = reversed(list(enumerate(tasks)))
        futures = {pool.submit(_run, task, deadline): number for number, task in last_first}
        for done, future in enumerate(as_completed(futures), start=1):
            number = futures[future]
            results[number] = future.result()
            found, seconds = results[number]
            verdicts = ', '.join(_counts(found))
            print(
                f'[{done:3d}/{len(tasks)}] {tasks[number].label}: {verdicts} ({seconds:.0f} s)',
                flush=True,
            )
    return [(task, results[number]) for number, task in enumerate(tasks)]


def _counts(rows: list[Row]) -> Iterator[str]:
    for verdict in Verdict:
        number = sum(row.verdict == verdict for row in rows)
        if number:
            yield f'{number} {verdict}'


def _run(task: Task, deadline: float) -> tuple[list[Row], float]:
    started = time.monotonic()
    if started > deadline:
        return [not_run(task.job.name, task.engine, 'the time limit was reached')], 0.0
    late = False
    with tempfile.TemporaryDirectory(prefix='isp-validation-') as scratch:
        file = Path(scratch) / 'rows.json'
        command = [sys.executable, '-m', 'validation.worker']
        try:
            process = subprocess.run(
                [*command, task.section, task.job.name, task.engine, str(file)],
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
        content = json.loads(file.read_text()) if file.exists() else []
    rows = [Row.from_dict(values) for values in content]
    if late:
        rows.append(not_run(task.job.name, task.engine, 'the time limit was reached'))
    if code:
        why = reason[0] if reason else f'exit code {code}'
        rows.append(Row(task.job.name, task.engine, '', '', '', Verdict.FAIL, f'crashed: {why}'))
    return rows, time.monotonic() - started


if __name__ == '__main__':
    sys.exit(main())
