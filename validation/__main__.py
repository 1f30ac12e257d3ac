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
from validation.job import Job
from validation.page import SectionResult, read_results, save_result, write_page
from validation.sections import SECTIONS, section
from workflow.engines.selection import available_engines

ROOT = Path(__file__).parent.parent
PAGE = ROOT / 'docs' / 'validation.md'
WORKERS = 2
# No job is meant to take longer than this; one that does has come to a halt.
SECONDS_PER_JOB = 1800


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
    parser.add_argument('--page', type=Path, default=PAGE, help='where the page is written')
    options = parser.parse_args(arguments)
    started = time.monotonic()
    chosen = options.only or list(SECTIONS)
    installed = available_engines()
    wanted = [options.engine] if options.engine else ['lammps', 'hoomd']
    tasks = [
        Task(name, job, engine)
        for name in chosen
        for job in section(name).jobs()
        for engine in job.engines
        if engine in wanted and engine in installed
    ]
    rows = _run_all(tasks)
    for name in chosen:
        of_section = [(task, found) for task, found in rows if task.section == name]
        found = [row for _, rows_of_task in of_section for row in rows_of_task[0]]
        for engine in ('lammps', 'hoomd'):
            if engine not in installed:
                found.append(not_run('all claims of this section', engine, 'not installed here'))
            elif engine not in wanted:
                found.append(not_run('all claims of this section', engine, 'left out by --engine'))
        seconds = sum(rows_of_task[1] for _, rows_of_task in of_section)
        command = ' '.join(['python -m validation', *(arguments or sys.argv[1:])])
        save_result(SectionResult.now(name, command, seconds, found))
    results = read_results()
    write_page(options.page, results, time.monotonic() - started)
    all_rows = [row for name in chosen for row in results[name].rows]
    for row in all_rows:
        if row.verdict == Verdict.FAIL:
            print(f'FAILED {row.claim} ({row.engine}): {row.measured} {row.reason}')
    failed = sum(row.verdict == Verdict.FAIL for row in all_rows)
    print(f'{len(all_rows)} rows, {failed} failed; {options.page} is written.')
    return 1 if failed else 0


def _names() -> str:
    return 'of: ' + ', '.join(SECTIONS)


def _run_all(tasks: list[Task]) -> list[tuple[Task, tuple[list[Row], float]]]:
    """Run the tasks side by side, each in a process; results in the order of the tasks."""
    results: dict[int, tuple[list[Row], float]] = {}
    with ThreadPoolExecutor(WORKERS) as pool:
        futures = {pool.submit(_run, task): number for number, task in enumerate(tasks)}
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


def _run(task: Task) -> tuple[list[Row], float]:
    started = time.monotonic()
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
                timeout=SECONDS_PER_JOB,
            )
            reason = process.stderr.strip().splitlines()[-1:] if process.returncode else []
            code = process.returncode
        except subprocess.TimeoutExpired:
            reason, code = [f'no end after {SECONDS_PER_JOB} s'], 1
        content = json.loads(file.read_text()) if file.exists() else []
    rows = [Row.from_dict(values) for values in content]
    if code:
        why = reason[0] if reason else f'exit code {code}'
        rows.append(Row(task.job.name, task.engine, '', '', '', Verdict.FAIL, f'crashed: {why}'))
    return rows, time.monotonic() - started


if __name__ == '__main__':
    sys.exit(main())
