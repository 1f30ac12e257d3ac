"""Jobs that failed: a mark in the job's folder that says why.

A marked job is not run, so that it does not fail again and again while the sweep runs. A retry
removes the mark, or the stage when it is done.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import signac
from pydantic import Field, TypeAdapter, ValidationError

from user_input import UserError
from workflow.engines.errors import SimulationFailed
from workflow.jobs import files as job_files
from workflow.jobs.progress import read_progress
from workflow.jobs.provenance import RUNS
from workflow.jobs.signac_files import read_job_document, state_point_of

RETRIES = 'retries'
UNKNOWN_STAGE = 'unknown stage'  # of a mark that cannot be read


@dataclass(frozen=True)
class Failure:
    """Why and where a job failed.

    Attributes:
        step: Of the stage, at which it was found; None if that is not known.
        goes_on_from: Step of the last good state, from which a retry resumes; None if not known.
        thermo: The last thermo rows, oldest first, column by name; relaxation writes none.
        time: Seconds since the epoch.
        after_retries: How many retries of the same place came before.
    """

    __pydantic_config__ = job_files.AS_WRITTEN

    stage: job_files.StageName
    kind: str
    reason: str
    step: int | None
    goes_on_from: int | None
    thermo: list[dict[str, float | str]] = field(default_factory=list)
    time: float = 0.0
    host: str = ''
    engine: dict[str, Any] = field(default_factory=dict)
    after_retries: Annotated[int, Field(ge=0)] = 0

    def __str__(self) -> str:
        where = '' if self.step is None else f' at step {self.step}'
        return f'{self.stage} {self.kind}{where}: {self.reason}'


_MARK = TypeAdapter(Failure)


def mark_failed(
    folder: Path, stage: str, failure: SimulationFailed, engine: dict[str, Any], record: Any
) -> None:
    """Mark the job in `folder` as failed."""
    here = failure.goes_on_from or failure.step or 0
    retries = [each for each in record.get(RETRIES, []) if each['failure']['stage'] == stage]
    mark = Failure(
        stage,
        failure.kind,
        str(failure),
        failure.step,
        failure.goes_on_from,
        failure.rows,
        time.time(),
        platform.node(),
        engine,
        sum(each['until'] >= here for each in retries),
    )
    job_files.write_json(folder / job_files.FAILURE, asdict(mark))


def mark_failed_by_follower(
    folder: Path, stage: str, failure: SimulationFailed, engine: dict[str, Any]
) -> None:
    """Mark the job in `folder`, unless it is, from a process that knows only what is on disk."""
    if is_failed(folder):
        return
    progress = read_progress(folder)
    if progress is not None:
        failure.step = progress.step
    job = signac.get_job(folder)
    document = read_job_document(job)
    mark_failed(folder, stage, failure, engine, document)
    if document.get(RUNS):  # the rank that would have recorded how its run ended is ended too
        job.document[RUNS][-1]['outcome'] = f'{failure.kind}: {failure}'


def is_failed(folder: str | os.PathLike[str]) -> bool:
    """Check whether the job in `folder` is marked as failed."""
    return os.path.isfile(os.path.join(folder, job_files.FAILURE))


def read_failure(folder: Path) -> Failure | None:
    """Read the mark of the job in `folder`; None if it is not failed."""
    try:
        return _MARK.validate_json((folder / job_files.FAILURE).read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        why = f'its mark cannot be read: {error}'
    except ValidationError as error:
        fault = error.errors()[0]
        key = '.'.join(map(str, fault['loc']))
        why = f'its mark {job_files.FAILURE} is damaged: {key or "it"}: {fault["msg"]}'
    return Failure(UNKNOWN_STAGE, 'failed', why, None, None)


def clear_failure(folder: Path) -> None:
    """Remove the mark."""
    (folder / job_files.FAILURE).unlink(missing_ok=True)


def refuse_failed(folder: Path) -> None:
    """Refuse a job that is marked as failed with a UserError: only a retry runs it again."""
    failure = read_failure(folder)
    if failure is not None:
        raise UserError(
            f'job {folder.name} is marked as failed ({failure}). To run it again: '
            f'python project.py retry {folder.name}'
        )


def record_refusal(folder: Path, error: Exception) -> None:
    """Keep why the job in `folder` could not be run, which is not its simulation's failure."""
    with suppress(OSError):  # of a full disk, it may be
        (folder / job_files.REFUSAL).write_text(f'{error}\n')


def read_refusal(folder: Path) -> str:
    """Read why the job in `folder` could not be run the last time; empty if it could."""
    try:
        return (folder / job_files.REFUSAL).read_text(errors='replace').strip()
    except OSError:
        return ''


def clear_refusal(folder: Path) -> None:
    """Remove what `record_refusal` kept."""
    (folder / job_files.REFUSAL).unlink(missing_ok=True)


def failed_among(jobs: Iterable[Any]) -> list[Any]:
    """Select the signac jobs that are marked as failed."""
    return [job for job in jobs if is_failed(job.path)]


def refused_among(jobs: Iterable[Any]) -> list[Any]:
    """Select the signac jobs that could not be run the last time, and did not fail."""
    return [job for job in jobs if not is_failed(job.path) and read_refusal(Path(job.path))]


def composition_text(job: Any) -> str:
    """Write the composition of a job as a user would."""
    fractions = state_point_of(job)['composition'].items()
    return ', '.join(f'{name} {fraction:.3g}' for name, fraction in fractions)
