"""The failed jobs of a project, for a user to read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from user_input import UserError
from workflow.engines.errors import BoxTooSmall
from workflow.jobs import files as job_files
from workflow.jobs.failures import composition_text, read_failure, read_refusal
from workflow.jobs.workspace import checked_project
from workflow.results.tables import PLAIN_WIDTH

_THERMO_SHOWN = ('step', 'volume', 'kinetic_energy', 'potential_energy')

Job = Any


def chosen_jobs(names: Sequence[str]) -> list[Job]:
    """Find the jobs whose ids begin with one of `names`, by default all of the project here.

    UserError if there is no usable project, or a name fits no job or several.
    """
    jobs = sorted(checked_project(), key=lambda job: job.id)
    if not names:
        return jobs
    chosen = {}
    for name in names:
        fitting = [job for job in jobs if job.id.startswith(name)]
        if len(fitting) != 1:
            raise UserError(
                f"job '{name}': {len(fitting) or 'no'} jobs of this project begin so. "
                'python project.py failed and status list them.'
            )
        chosen[fitting[0].id] = fitting[0]
    return list(chosen.values())


def print_failures(jobs: Sequence[Job], stream: TextIO) -> None:
    """Print one line for each of the failed `jobs`, and what can be done."""
    is_terminal = stream.isatty()
    table = Table(box=box.SIMPLE_HEAD if is_terminal else box.MARKDOWN)
    numbers = ('step', 'good until', 'retries')
    for name in ('job', 'composition', 'stage', *numbers, 'reason'):
        table.add_column(name, justify='right' if name in numbers else 'left', overflow='fold')
    found = [(job, failure) for job in jobs if (failure := read_failure(Path(job.path)))]
    for job, failure in found:
        steps = (_step(failure.step), _step(failure.goes_on_from), str(failure.after_retries))
        reason = f'{failure.kind}: {failure.reason}'
        cells = (job.id[:8], composition_text(job), failure.stage, *steps, reason)
        table.add_row(*map(Text, cells))
    width = None if is_terminal else PLAIN_WIDTH
    Console(file=stream, width=width, highlight=False).print(table)
    print(
        'All that is known of one: python project.py failed JOB. '
        'To run them again: python project.py retry [JOB ...]',
        file=stream,
    )
    if any(each.after_retries and each.kind != BoxTooSmall.kind for _, each in found):
        print(
            'A job that fails again after a retry needs a smaller protocol.time_step, or a softer '
            'model, in a sweep of another name.',
            file=stream,
        )


def print_refusals(jobs: Sequence[Job], stream: TextIO) -> None:
    """Print why each of `jobs` could not be run the last time, and what can be done."""
    print('Could not be run the last time:', file=stream)
    for job in jobs:
        why = read_refusal(Path(job.path))
        print(f'{job.id[:8]} ({composition_text(job)}): {why}', file=stream)
    print('Once that is done, the same simulate, run or submit takes them up.', file=stream)


def print_whole_failure(job: Job, stream: TextIO) -> None:
    """Print all that is known of why `job` failed."""
    failure = read_failure(Path(job.path))
    assert failure is not None
    lines = {
        'job': job.id,
        'composition': composition_text(job),
        'failed in': f'{failure.stage}, step {_step(failure.step)}',
        'resumes from': f'step {_step(failure.goes_on_from)}',
        'reason': f'{failure.kind}: {failure.reason}',
        'retries of it': failure.after_retries,
        'when': time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(failure.time)),
        'where': failure.host,
        'engine': ', '.join(f'{name} {value}' for name, value in failure.engine.items()),
        'record': job.fn(job_files.FAILURE),
    }
    for name, value in lines.items():
        print(f'{name + ":":15}{value}', file=stream)
    if failure.thermo:
        print(' '.join(f'{name:>18}' for name in _THERMO_SHOWN), file=stream)
    for row in failure.thermo:
        print(' '.join(f'{_number(row.get(name, "-")):>18}' for name in _THERMO_SHOWN), file=stream)
    print(file=stream)


def _step(step: int | None) -> str:
    return '-' if step is None else str(step)


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f'{value:.8g}'
