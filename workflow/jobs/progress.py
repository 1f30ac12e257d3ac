"""How far a job is: one small file that the run rewrites and any process may read."""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from workflow.jobs import files as job_files
from workflow.jobs.atomic_writes import renaming

PROGRESS_FILE = 'progress.json'
# A run that has reported nothing for so long is taken to be gone.
SECONDS_OF_SILENCE = 120.0
_SECONDS_BETWEEN_WRITES = 0.5


@dataclass(frozen=True)
class Progress:
    """A moment of a running stage, of which `steps` are the most and `seconds_left` until then.

    `process` is host and process id of the run; `time` is in seconds since the epoch.
    """

    __pydantic_config__ = job_files.AS_WRITTEN

    stage: job_files.StageName
    step: int
    steps: Annotated[int, Field(gt=0)]
    steps_per_second: float
    seconds_left: float
    process: str
    time: float


_WRITTEN = TypeAdapter(Progress)


class ProgressWriter:
    """Measures the speed of a stage and writes its progress into the job's folder."""

    def __init__(self, folder: Path, stage: str, steps: int) -> None:
        self._path = folder / PROGRESS_FILE
        self._stage, self._steps = stage, steps
        self._written = -_SECONDS_BETWEEN_WRITES
        self.restart(0)

    def restart(self, step: int) -> None:
        """Measure the speed from `step` and from now on."""
        self._first_step = step
        self._started = time.monotonic()
        self.steps_per_second = 0.0

    def update(self, step: int) -> None:
        """Take note of `step`; write if the last time is long enough ago."""
        now = time.monotonic()
        elapsed = now - self._started
        if elapsed > 0:
            self.steps_per_second = (step - self._first_step) / elapsed
        if now - self._written < _SECONDS_BETWEEN_WRITES:
            return
        self._written = now
        speed = self.steps_per_second
        progress = Progress(
            self._stage,
            step,
            self._steps,
            speed,
            (self._steps - step) / speed if speed > 0 else -1.0,
            f'{socket.gethostname()}:{os.getpid()}',
            time.time(),
        )
        # Not brought to disk for good: it is old within a second, and a disk may take that long.
        with renaming(self._path) as temporary:
            temporary.write_text(json.dumps(asdict(progress)))


def read_progress(folder: Path) -> Progress | None:
    """Read the last progress written into a job's folder; None if there is none to read."""
    try:
        return _WRITTEN.validate_json((folder / PROGRESS_FILE).read_bytes())
    except (OSError, ValidationError):
        return None
