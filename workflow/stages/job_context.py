"""A job as operations see it, and what keeps two of them off each other."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow.jobs import files as job_files
from workflow.jobs.lock import LOCK, hold
from workflow.jobs.signac_files import read_job_document
from workflow.stages.stage_folder import StageFolder
from workflow.sweep.state_point import StatePoint, read_state_point


class StageIsDone(Exception):
    """Another process has finished the operation since it was asked for."""


@dataclass(frozen=True)
class JobContext:
    """A job as the operations see it: signac stays outside.

    Attributes:
        folder: Where its files stand.
        point: Its state point.
        record: The job document, to which runs are added.
    """

    folder: Path
    point: StatePoint
    record: Any


Operation = Callable[[JobContext], None]


def job_context(job: Any) -> JobContext:
    """The context of a signac job.

    Raises:
        UserError: If the state point was made by another version, or the document is damaged.
    """
    read_job_document(job)  # or a run could not be recorded
    folder = Path(job.path)
    where = f'{folder.name}/signac_statepoint.json'
    return JobContext(folder, read_state_point(job.cached_statepoint, where), job.document)


def alone(product: str, lock: str = LOCK) -> Callable[[Operation], Operation]:
    """Hold the job during an operation, which is not done again if its product stands.

    Analyses that may go on side by side have locks of their own.
    """

    def decorate(operation: Operation) -> Operation:
        @functools.wraps(operation)
        def held(job: JobContext) -> None:
            with hold(job.folder, lock=lock):
                refuse_done(job, operation.__name__, product)
                operation(job)

        return held

    return decorate


def refuse_done(job: JobContext, operation: str, product: str) -> None:
    """Raise StageIsDone if the product of an operation stands."""
    if (job.folder / product).exists():
        raise StageIsDone(f'job {job.folder.name}: {operation} was done by another process.')


def remove_leftovers(job: JobContext) -> None:
    """Remove the folders of stages that are done: a run that was killed may have left one."""
    for stage, product in job_files.STAGE_PRODUCTS.items():
        if (job.folder / product).exists():
            shutil.rmtree(StageFolder(job.folder, stage).path, ignore_errors=True)
