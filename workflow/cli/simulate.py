"""A sweep on this machine: jobs side by side, each a `project.py run` of signac-flow.

Flow's own parallel run waits for the slowest job after every operation.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, TaskID, TaskProgressColumn
from rich.progress import Progress as Bars

from user_input import EXIT_USER_ERROR, UserError, count_of
from workflow.jobs import files as job_files
from workflow.jobs.failures import failed_among, is_failed, read_failure, read_refusal
from workflow.jobs.lock import EXIT_HELD, holder_of
from workflow.jobs.progress import read_progress
from workflow.jobs.sweep_state import are_defined, may_be_defined
from workflow.process import EXIT_INTERRUPTED, STOP_SIGNALS, signal_of
from workflow.results.definitions import define, sweeps_of
from workflow.results.sweep_results import places_on_axis
from workflow.stages.table import is_done
from workflow.sweep.state_point import read_state_point
from workflow.sweep.work import estimated_work

if TYPE_CHECKING:
    from models.model import Model

_PROJECT_FILE = Path(__file__).parents[2] / 'project.py'
# Everything but the operations over a whole sweep.
_OPERATIONS = '^(?!(definitions|decide|report)$).*'
_LOG = 'run.log'
_SECONDS_BETWEEN_LOOKS = 0.2
_SECONDS_BETWEEN_LINES = 15.0
_SECONDS_TO_STOP = 60.0
# Bytes below which a log does not say why a job failed.
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

    First all that needs no definitions; these are found when all have sampled; then the rest.

    Returns:
        0 if all are done, EXIT_INTERRUPTED if it or one of its jobs was stopped, 1 if a job failed,
        now or before (those that are marked as failed are not run), EXIT_HELD if all that is not
        done is run by other processes.
    """
    _define_sweeps(jobs)
    done = sum(map(is_done, jobs))
    if done:
        print(f'{done} of {count_of(len(jobs), "job")} done already')
    left_out = failed_among(jobs)
    if left_out:
        print(f'{len(left_out)} of {count_of(len(jobs), "job")} left out: failed before')
    waiting = [job for job in jobs if not (is_done(job) or is_failed(job.path))]
    with _stop_mark() as stop:
        first = _run_side_by_side(_longest_first(waiting), parallel, stop)
        ended = [each for each in first if not _has_sampled(each)]
        sampled = [each.job for each in first if _has_sampled(each)]
        if not stop:
            _define_sweeps(jobs)
            defined = [job for job in sampled if job.isfile(job_files.DEFINITIONS)]
            ended += _run_side_by_side(defined, parallel, stop)
    if stop:
        print('stopped. The same command resumes it.')
        return EXIT_INTERRUPTED
    if len(defined) < len(sampled):
        print(
            f'{count_of(len(sampled) - len(defined), "job")} sampled, waiting for the rest of the '
            'sweep: contact distances and wave number are found from all of it.'
        )
    codes = [_report_end(each) for each in ended] + [1 for _ in left_out]
    return next((code for code in _WORST_FIRST if code in codes), 0)


def _has_sampled(ended: _Running) -> bool:
    return not ended.process.returncode and ended.job.isfile(job_files.STRUCTURE)


def _define_sweeps(jobs: Sequence[Job]) -> None:
    """Give the jobs the definitions of their sweeps, where these are known or can be found."""
    for sweep in sweeps_of(jobs):
        if not are_defined(sweep) and may_be_defined(sweep):
            define(sweep)


def _run_side_by_side(jobs: Sequence[Job], parallel: int, stop: Collection[int]) -> list[_Running]:
    """Run a process for each job, and return those after which a job was not done."""
    if not jobs:
        return []
    waiting, total = list(jobs), len(jobs)
    running: list[_Running] = []
    ended: list[_Running] = []
    with _display(places_on_axis(jobs)) as display:
        try:
            while (waiting and not stop) or running:
                while waiting and len(running) < parallel and not stop:
                    job = waiting.pop(0)
                    running.append(_Running(job, _start(job)))
                if stop:
                    _interrupt(running)
                for each in [each for each in running if each.process.poll() is not None]:
                    running.remove(each)
                    if not is_done(each.job):
                        ended.append(each)
                display.show(running, total - len(waiting) - len(running), total)
                time.sleep(_SECONDS_BETWEEN_LOOKS)
        finally:
            _interrupt(running)  # whatever ended this loop, none is left behind
    return ended


def _longest_first(jobs: Sequence[Job]) -> list[Job]:
    """Sort jobs by their estimated work, so that no long one is left alone at the end."""
    models: dict[str, Model] = {}
    work: dict[str, float] = {}
    for job in jobs:
        with suppress(UserError):  # its own process says what is wrong with it
            point = read_state_point(dict(job.cached_statepoint), job.id)
            if point.model_hash not in models:
                models[point.model_hash] = job_files.read_model(Path(job.path), point)
            limits = job_files.read_limits(Path(job.path))
            work[job.id] = estimated_work(point, models[point.model_hash], limits)
    return sorted(jobs, key=lambda job: -work.get(job.id, 0.0))


def _report_end(ended: _Running) -> int:
    """Say why a job came to no end, as an exit code too."""
    job, code = ended.job, ended.process.returncode
    if code == EXIT_HELD:
        print(f'job {job.id} is left to {holder_of(Path(job.path))}, which runs it')
        return code
    ended_by = signal_of(code)
    if ended_by in STOP_SIGNALS:
        print(f'job {job.id} was stopped. The same command resumes it.')
        return EXIT_INTERRUPTED
    folder = Path(job.path)
    why = str(read_failure(folder) or read_refusal(folder) or _last_line(job))
    if ended_by is not None:
        # Nobody else kills without being asked.
        memory = ': the memory may not be enough' if ended_by == signal.SIGKILL else ''
        why = f'its process was ended by {ended_by.name}{memory}. The last it said: {why}'
    what = 'could not be run' if code == EXIT_USER_ERROR else 'failed'
    print(f'job {job.id} {what}: {why} (all of it: {job.fn(_LOG)})')
    return EXIT_USER_ERROR if code == EXIT_USER_ERROR else 1


def _start(job: Job) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(_PROJECT_FILE), 'run', '-o', _OPERATIONS, '-j', job.id]
    # Threads as asked, and the mpiexec of this Python first.
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get('PATH', '')))
    own = {'OMP_NUM_THREADS': os.environ.get('ISP_THREADS', '1'), 'PATH': path}
    with open(job.fn(_LOG), 'ab') as log:
        return subprocess.Popen(
            command,
            cwd=job.project.path,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # A Ctrl-C in the terminal comes to this process alone, which passes it on once.
            start_new_session=True,
            env=os.environ | own,
        )


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


@contextmanager
def _stop_mark() -> Iterator[set[int]]:
    asked: set[int] = set()
    before = {n: signal.signal(n, lambda number, _: asked.add(number)) for n in _STOPPING}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _LiveDisplay:
    """Bars that are redrawn in place."""

    def __init__(self, bars: Bars, places: Mapping[str, str]) -> None:
        self._bars, self._places = bars, places
        self._tasks: dict[str, TaskID] = {}
        self._all = bars.add_task('all jobs', total=1.0, pace='')

    def show(self, running: list[_Running], done: int, total: int) -> None:
        self._bars.update(self._all, completed=done / total, pace=f'{done} of {total} done')
        for name in self._tasks.keys() - {each.job.id for each in running}:
            self._bars.remove_task(self._tasks.pop(name))
        for each in running:
            state, share, pace = _state_of(each.job, self._places)
            if each.job.id not in self._tasks:
                self._tasks[each.job.id] = self._bars.add_task(state, total=1.0, pace=pace)
            task = self._tasks[each.job.id]
            self._bars.update(task, description=state, completed=share, pace=pace)


class _LineDisplay:
    """Lines now and then, for a log."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places
        self._started = time.monotonic()
        self._shown = 0.0

    def show(self, running: list[_Running], done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._shown < _SECONDS_BETWEEN_LINES:
            return
        self._shown = now
        states = [_state_of(each.job, self._places) for each in running]
        parts = [f'{state}  {share:.0%}  {pace}' for state, share, pace in states]
        print(f'[{_clock(now - self._started)}] {done} of {total} done', *parts, sep=' | ')
        sys.stdout.flush()


@contextmanager
def _display(places: Mapping[str, str]) -> Iterator[_LiveDisplay | _LineDisplay]:
    if not sys.stdout.isatty():
        yield _LineDisplay(places)
        return
    columns = ('{task.description}', BarColumn(20), TaskProgressColumn(), '{task.fields[pace]}')
    with Bars(*columns, transient=True, refresh_per_second=4) as bars:
        yield _LiveDisplay(bars, places)


def _state_of(job: Job, places: Mapping[str, str]) -> tuple[str, float, str]:
    """Describe what runs and where on the axis; also the share of its stage done, and the pace."""
    name = f'{job.id[:8]}  {places.get(job.id, "")}'.rstrip()
    progress = read_progress(Path(job.path))
    if progress is None:
        what = 'analysis' if job.isfile(job_files.TRAJECTORY) else 'setting up'
        return f'{name}  {what}', 0.0, ''
    pace = f'{progress.steps_per_second:.0f} steps/s'
    if progress.seconds_left >= 0:
        pace += f', at most {_clock(progress.seconds_left)} left'
    return f'{name}  {progress.stage}', min(1.0, progress.step / progress.steps), pace


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02d}:{rest:02d}' if hours else f'{minutes}:{rest:02d}'
