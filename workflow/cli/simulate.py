"""A sweep on this machine: jobs side by side, each a `project.py run` of signac-flow.

One process for each job, and not flow's own parallel run: that waits for the slowest job after
every operation.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from user_input import EXIT_USER_ERROR
from workflow.jobs.failures import failed_among, is_failed, read_failure
from workflow.jobs.lock import EXIT_HELD, holder_of
from workflow.jobs.progress import Progress, read_progress
from workflow.process import EXIT_INTERRUPTED, STOP_SIGNALS, signal_of
from workflow.stages.table import is_done

_PROJECT_FILE = Path(__file__).parents[2] / 'project.py'
# Everything but the operations over a whole sweep.
_OPERATIONS = '^(?!report$).*'
_LOG = 'run.log'
_SECONDS_BETWEEN_LOOKS = 0.2
_SECONDS_BETWEEN_LINES = 15.0
_SECONDS_TO_STOP = 60.0
# Bytes below which a log does not tell why a job failed.
_LEAST_FREE = 1 << 13

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Of several exit codes, that of the first of these is given.
_WORST_FIRST = (1, EXIT_USER_ERROR, EXIT_INTERRUPTED, EXIT_HELD)

Job = Any


@dataclass
class _Running:
    job: Job
    process: subprocess.Popen[bytes]


def simulate_jobs(jobs: Sequence[Job], parallel: int) -> int:
    """Run all operations of `jobs`, `parallel` at a time, and show how far they are.

    Returns:
        0 if all are done, EXIT_INTERRUPTED if it or one of its jobs was stopped, 1 if a job failed,
        now or before (those that are marked as failed are not run), EXIT_HELD if all that is not
        done is run by other processes.
    """
    waiting = [job for job in jobs if not is_done(job)]
    if len(waiting) < len(jobs):
        print(f'{len(jobs) - len(waiting)} of {len(jobs)} jobs are done already')
    left_out = failed_among(waiting)
    waiting = [job for job in waiting if not is_failed(job.path)]
    if left_out:
        print(f'{len(left_out)} of {len(jobs)} jobs failed before and are left out')
    # The jobs with most charges take longest: they go first, so that none is left at the end.
    waiting.sort(key=lambda job: -job.cached_statepoint['composition'].get('LSP', 0.0))
    total = len(waiting)
    running: list[_Running] = []
    ended: list[_Running] = []
    with _stop_mark() as stop, _display() as display:
        try:
            while (waiting and not stop.asked) or running:
                while waiting and len(running) < parallel and not stop.asked:
                    job = waiting.pop(0)
                    running.append(_Running(job, _start(job)))
                if stop.asked:
                    _interrupt(running)
                for each in [each for each in running if each.process.poll() is not None]:
                    running.remove(each)
                    if not is_done(each.job) and not stop.asked:
                        ended.append(each)
                display.show(running, total - len(waiting) - len(running), total)
                time.sleep(_SECONDS_BETWEEN_LOOKS)
        finally:
            _interrupt(running)  # whatever ended this loop, none is left behind
    if stop.asked:
        print('stopped. The same command goes on where it was.')
        return EXIT_INTERRUPTED
    codes = [_tell_end(each) for each in ended] + [1 for _ in left_out]
    return next((code for code in _WORST_FIRST if code in codes), 0)


def _tell_end(ended: _Running) -> int:
    """Say why a job came to no end, as an exit code too."""
    job, code = ended.job, ended.process.returncode
    if code == EXIT_HELD:
        print(f'job {job.id} is left to {holder_of(Path(job.path))}, which runs it')
        return code
    ended_by = signal_of(code)
    if ended_by in STOP_SIGNALS:
        print(f'job {job.id} was stopped. The same command goes on where it was.')
        return EXIT_INTERRUPTED
    why = str(read_failure(Path(job.path)) or _last_line(job))
    if ended_by is not None:
        # Nobody else kills without being asked.
        memory = ': the memory may not be enough' if ended_by == signal.SIGKILL else ''
        why = f'its process was ended by {ended_by.name}{memory}. The last it said: {why}'
    what = 'could not be run' if code == EXIT_USER_ERROR else 'failed'
    print(f'job {job.id} {what}: {why} (all of it: {job.fn(_LOG)})')
    return EXIT_USER_ERROR if code == EXIT_USER_ERROR else 1


def _start(job: Job) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(_PROJECT_FILE), 'run', '-o', _OPERATIONS, '-j', job.id]
    with open(job.fn(_LOG), 'ab') as log:
        return subprocess.Popen(
            command,
            cwd=job.project.path,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # A Ctrl-C in the terminal comes to this process alone, which passes it on once.
            start_new_session=True,
            env=_environment(),
        )


def _environment() -> dict[str, str]:
    """The environment of a job: threads as asked, and the mpiexec of this Python first."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get('PATH', '')))
    threads = os.environ.get('ISP_THREADS', '1')
    return os.environ | {'OMP_NUM_THREADS': threads, 'PATH': path}


def _interrupt(running: list[_Running]) -> None:
    for each in running:
        each.process.send_signal(signal.SIGINT)
    end = time.monotonic() + _SECONDS_TO_STOP
    for each in running:
        try:
            each.process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            each.process.kill()


def _last_line(job: Job) -> str:
    if shutil.disk_usage(job.path).free < _LEAST_FREE:
        return 'the disk is full. Free some space; then run the same command again'
    lines = Path(job.fn(_LOG)).read_text(errors='replace').strip().splitlines()
    return lines[-1] if lines else 'it said nothing'


class _StopMark:
    asked = False

    def receive(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.asked = True


@contextmanager
def _stop_mark() -> Iterator[_StopMark]:
    mark = _StopMark()
    before = {n: signal.signal(n, mark.receive) for n in _STOPPING}
    try:
        yield mark
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _LiveDisplay:
    """A table that is redrawn in place."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._started = time.monotonic()

    def show(self, running: list[_Running], done: int, total: int) -> None:
        table = Table(box=None, pad_edge=False)
        for column, justify in (
            ('job', 'left'),
            ('LSP', 'right'),
            ('stage', 'left'),
            ('', 'left'),
            ('steps/s', 'right'),
            ('at most left', 'right'),
        ):
            table.add_column(column, justify=justify)  # type: ignore[arg-type]
        for each in running:
            table.add_row(*_cells(each.job))
        table.add_row(f'{done} of {total} done, {_clock(time.monotonic() - self._started)}')
        self._live.update(table)


class _LineDisplay:
    """Lines now and then, for a log."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._shown = 0.0

    def show(self, running: list[_Running], done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._shown < _SECONDS_BETWEEN_LINES:
            return
        self._shown = now
        parts = ['  '.join(str(cell) for cell in _cells(each.job)) for each in running]
        print(f'[{_clock(now - self._started)}] {done} of {total} done', *parts, sep=' | ')
        sys.stdout.flush()


@contextmanager
def _display() -> Iterator[_LiveDisplay | _LineDisplay]:
    if not sys.stdout.isatty():
        yield _LineDisplay()
        return
    with Live(console=Console(), transient=True, refresh_per_second=4) as live:
        yield _LiveDisplay(live)


def _cells(job: Job) -> tuple[str | Text, ...]:
    fraction = job.cached_statepoint['composition'].get('LSP', 0.0)
    progress = read_progress(Path(job.path))
    name = (job.id[:8], f'{fraction:.2f}')
    if progress is None:
        return (*name, 'analysis' if job.isfile('trajectory.gsd') else 'setting up', '', '', '')
    return (
        *name,
        progress.stage,
        _bar(progress),
        f'{progress.steps_per_second:.0f}',
        _clock(progress.seconds_left) if progress.seconds_left >= 0 else '',
    )


def _bar(progress: Progress, width: int = 20) -> str:
    share = min(1.0, progress.step / progress.steps)
    full = int(share * width)
    return f'{"━" * full}{"╌" * (width - full)} {share:4.0%}'


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02d}:{rest:02d}' if hours else f'{minutes}:{rest:02d}'
