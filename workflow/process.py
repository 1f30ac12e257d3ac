"""Processes: stopping on request, and sharing work among several.

Signals set a mark, and the stage runner stops at the next safe point. Outside a stage there is
nothing to save, and a request ends the process as soon as it comes.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

EXIT_INTERRUPTED = 130

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
# Time kept for the last checkpoint and for leaving before the scheduler kills: this long, or this
# share of a short job. The signal that the submit script asks for comes earlier; this is for jobs
# that were started otherwise.
_WALLTIME_MARGIN = 60.0
_WALLTIME_SHARE = 0.1
_MOST_PROCESSES = 8


class Interrupted(BaseException):
    """The run was asked to stop, has written its checkpoint, and will resume from it.

    Not an Exception, so that nothing in between takes it for a failure of the operation.
    """


class StopRequest:
    """Whether the run should stop, and why."""

    def __init__(self) -> None:
        self._signal: str | None = None
        self._deadline = _walltime_deadline()

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        _remember(number, frame)
        self._signal = signal.Signals(number).name

    @property
    def reason(self) -> str | None:
        """Why to stop; None to run on."""
        if self._signal is not None:
            return self._signal
        if self._deadline is not None and time.time() > self._deadline:
            return 'walltime'
        return None


def _walltime_deadline() -> float | None:
    """Read from Slurm (23.02 and newer) when to stop for the walltime; None if it does not say."""
    start, end = (os.environ.get(f'SLURM_JOB_{name}_TIME', '') for name in ('START', 'END'))
    if not end.isdecimal():
        return None
    margin = _WALLTIME_MARGIN
    if start.isdecimal():
        margin = min(margin, _WALLTIME_SHARE * max(0, int(end) - int(start)))
    return float(end) - margin


def leave_on_request(has_followers: bool, follows: bool) -> None:
    """Decide what a request does to this process outside `stop_requests`.

    Args:
        has_followers: The process waits for MPI ranks that it started: it passes the request on,
            and leaves when they have.
        follows: The process is one of several ranks: they end together, when rank 0 has left its
            stage, so that none of them leaves by itself.
    """
    _remembered.clear()
    if follows:
        handler: Callable[[int, FrameType | None], None] = _remember
    else:
        handler = _tell_children if has_followers else _leave
    for number in STOP_SIGNALS:
        signal.signal(number, handler)


_remembered: list[int] = []


def _remember(number: int, frame: FrameType | None) -> None:
    del frame
    _remembered.append(number)


def _leave(number: int, frame: FrameType | None) -> None:
    _remember(number, frame)  # Python ignores what is raised within a destructor or a callback
    raise Interrupted(f'stopped by {signal.Signals(number).name}')


def _tell_children(number: int, frame: FrameType | None) -> None:
    """Pass a request on as SIGUSR1: to SIGINT and SIGTERM, mpiexec answers by killing the ranks."""
    _remember(number, frame)  # the children may be too near their end to hear it
    listed = Path(f'/proc/self/task/{os.getpid()}/children')
    children = listed.read_text().split() if listed.exists() else []
    for child in children:
        os.kill(int(child), signal.SIGUSR1)
    if not children:
        _leave(number, frame)


def leave_if_asked() -> None:
    """Raise `Interrupted` if a stage was too near its end to heed a request: no more is begun."""
    if _remembered:
        raise Interrupted(f'stopped by {signal.Signals(_remembered[-1]).name}')


def signal_of(code: int) -> signal.Signals | None:
    """Find the signal that ended a process, or its child, with this exit code; None if none did."""
    number = -code if code < 0 else code - 128
    return next((each for each in signal.Signals if each == number), None)


def ignore_requests() -> None:
    """Ignore further requests: this process is about to end."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def in_parallel(tasks: Sequence[Callable[[], None]], most: int = _MOST_PROCESSES) -> None:
    """Run tasks that only write files, on the cores that this process may use, up to `most`.

    What fails elsewhere, as for want of memory, is tried again here, where its error is raised.
    """
    fork = multiprocessing.get_context('fork')  # tasks then need no copies
    following, parent = fork.Value('i', 0), os.getpid()

    def work() -> None:
        while parent in (os.getpid(), os.getppid()):  # it may have been killed
            with following.get_lock():
                number = following.value
                following.value += 1
            if number >= len(tasks):
                return
            tasks[number]()

    def help_out() -> None:
        try:
            work()
        except BaseException:
            sys.exit(1)  # without a traceback

    n = min(_usable_cores(), len(tasks), most)
    helpers = [fork.Process(target=help_out, daemon=True) for _ in range(n - 1)]
    gc.freeze()  # no collection goes through what is there already, nor makes copies of it
    try:
        for each in helpers:
            each.start()
        work()
        for each in helpers:
            each.join()
    finally:
        gc.unfreeze()
    if any(each.exitcode for each in helpers):
        for task in tasks:
            task()


def _usable_cores() -> int:
    """Count the cores that this process may use; not every cluster keeps a job on its own."""
    of_job = os.environ.get('SLURM_CPUS_ON_NODE', '')
    usable = len(os.sched_getaffinity(0))
    return min(usable, int(of_job)) if of_job.isdecimal() else usable


def keep_to_one_thread() -> None:
    """Keep freud from taking all cores of the machine, as jobs that run side by side would each."""
    import freud  # not at the top: `status` must not load it

    freud.parallel.set_num_threads(1)


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Turn SIGINT, SIGTERM and SIGUSR1 into a request for as long as the context lasts.

    A stage that comes to its end all the same is done: `leave_if_asked` heeds the request then.
    """
    request = StopRequest()
    before = {number: signal.signal(number, request.receive) for number in STOP_SIGNALS}
    for number in list(_remembered):
        request.receive(number, None)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def is_running(process: int) -> bool:
    """Check whether there is a process of this id on this host."""
    try:
        os.kill(process, 0)
    except OSError as error:
        return isinstance(error, PermissionError)  # then it belongs to someone else
    return True
