"""A job as operations see it, and what keeps two of them off each other."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from analysis.observables import OBSERVABLES
from workflow.jobs.files import read_limits
from workflow.jobs.lock import hold
from workflow.jobs.signac_files import read_job_document, state_point_of
from workflow.stages.stage_folder import StageFolder
from workflow.stages.table import ENGINE_STAGES, Stage
from workflow.sweep.limits import Limits
from workflow.sweep.state_point import StatePoint, read_state_point


class StageIsDone(Exception):
    """Another process has finished the stage since it was asked for."""


@dataclass(frozen=True)
class JobContext:
    """A job as the operations see it: signac stays outside."""

    folder: Path
    point: StatePoint
    record: Any

    @cached_property
    def limits(self) -> dict[str, Limits]:
        """What is asked of its stages, by name; UserError if that is missing or damaged."""
        return read_limits(self.folder)


def job_context(job: Any) -> JobContext:
    """Make the context of a job; UserError if its files are damaged or of another version."""
    read_job_document(job)  # or a run could not be recorded
    folder = Path(job.path)
    where = f'{folder.name}/signac_statepoint.json'
    return JobContext(folder, read_state_point(state_point_of(job), where), job.document)


@contextmanager
def holding(job: JobContext, stage: Stage) -> Iterator[None]:
    """Hold the job for a stage; StageIsDone if its products are there, UserError if it is held."""
    with hold(job.folder):
        if (job.folder / stage.last_product).exists():
            raise StageIsDone(f'job {job.folder.name}: {stage.name} was done by another process.')
        yield


@contextmanager
def holding_all(folder: Path) -> Iterator[None]:
    """Hold the job in `folder` against runs and analyses; JobIsHeld if there is one."""
    with ExitStack() as locks:
        locks.enter_context(hold(folder))
        for observable in OBSERVABLES:
            locks.enter_context(hold(folder, lock=f'{observable.name}.lock'))
        yield


def remove_leftovers(job: JobContext) -> None:
    """Remove the folders of stages that are done: a run that was killed may have left one."""
    for stage in ENGINE_STAGES:
        if (job.folder / stage.last_product).exists():
            shutil.rmtree(StageFolder(job.folder, stage.name).path, ignore_errors=True)
