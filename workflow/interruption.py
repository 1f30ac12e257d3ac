"""Stopping on request: signals set a mark, and the stage runner stops at the next safe point."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_INTERRUPTED = 130

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
# Time kept for the last checkpoint and for leaving before the scheduler kills.
_WALLTIME_MARGIN = 60.0


class Interrupted(BaseException):
    """The run was asked to stop, has written its checkpoint, and will go on where it was.

    Not an Exception, so that nothing in between takes it for a failure of the operation.
    """


class StopRequest:
    """Whether the run should stop, and why."""

    def __init__(self) -> None:
        self._signal: str | None = None
        end = os.environ.get('SLURM_JOB_END_TIME', '')
        self._deadline = float(end) - _WALLTIME_MARGIN if end.isdecimal() else None

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Signal handler."""
        del frame
        self._signal = signal.Signals(number).name

    @property
    def reason(self) -> str | None:
        """Why to stop; None to go on."""
        if self._signal is not None:
            return self._signal
        if self._deadline is not None and time.time() > self._deadline:
            return 'walltime'
        return None


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Turn SIGINT, SIGTERM and SIGUSR1 into a request for as long as the context lasts."""
    request = StopRequest()
    before = {number: signal.signal(number, request.receive) for number in _SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
