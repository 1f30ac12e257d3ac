"""The files that signac keeps: what is damaged is reported by name, before anything acts on it.

signac itself ends with a traceback, or only when the file is needed: after a stage of hours.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import signac.errors
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from signac.errors import JobsCorruptedError
from signac.job import calc_id

from user_input import UserError
from workflow.jobs import files as job_files
from workflow.jobs.atomic_writes import renaming
from workflow.sweep.sweep_name import SweepName

PROJECT_DOCUMENT = 'signac_project_document.json'
JOB_DOCUMENT = 'signac_job_document.json'
STATE_POINT = 'signac_statepoint.json'

_CONFIG = '.signac/config'
# What signac raises for a state point that is not the one of the job.
_NO_STATE_POINT = (JobsCorruptedError, KeyError, TypeError, ValueError, RecursionError)

Job = Any
Project = Any


class _Part(BaseModel):
    model_config = ConfigDict(extra='ignore', strict=True)


class _Sweep(_Part):
    jobs: list[Annotated[str, Field(pattern='^[0-9a-f]{32}$')]]
    sweep: dict[str, Any]
    model: dict[str, Any]


class _ProjectDocument(_Part):
    workspace_format: int | None = None
    sweeps: dict[SweepName, _Sweep] = {}
    # what signac-flow keeps of the scheduler
    status: dict[str, int] = Field({}, alias='_status')


class _RetriedFailure(_Part):
    stage: str


class _Retry(_Part):
    failure: _RetriedFailure
    until: int


class _JobDocument(_Part):
    build: dict[str, Any] | None = None
    runs: list[dict[str, Any]] = []
    retries: list[_Retry] = []


def read_project_document(project: Project) -> dict[str, Any]:
    """Read the project's document, empty if there is none yet; UserError if it is damaged."""
    return _read(
        Path(project.path) / PROJECT_DOCUMENT,
        _ProjectDocument,
        'Move it away, then run migrate, and init with each sweep file again: the jobs and their '
        'products stay.',
    )


def read_job_document(job: Job) -> dict[str, Any]:
    """Read a job's document, empty if there is none yet; UserError if it is damaged."""
    return _read(
        Path(job.path) / JOB_DOCUMENT,
        _JobDocument,
        'Move it away: it records what ran where, and nothing else depends on it.',
    )


@contextmanager
def translate_signac_errors() -> Iterator[None]:
    """Turn what signac says of a project's files into a `UserError`."""
    try:
        yield
    except signac.errors.Error as error:
        raise UserError(f'{_CONFIG}, or the workspace: signac says: {error}') from None
    except (SyntaxError, KeyError, ValueError) as error:
        raise UserError(
            f'{_CONFIG}: is damaged ({type(error).__name__}: {error}). Remove it and run init with '
            'the sweep again, which writes a new one; the jobs stay.'
        ) from None


def state_point_of(job: Job) -> dict[str, Any]:
    """Read the state point of a job; UserError if it is missing, or not the one of its id."""
    try:
        return dict(job.cached_statepoint)
    except _NO_STATE_POINT:
        raise _damaged_state_point(job.fn(STATE_POINT)) from None


def make_job(project: Project, state_point: dict[str, Any]) -> str:
    """Make the job of a state point unless it is there; UserError if it is there and damaged.

    As `Job.init` of signac, which takes three times as long: it copies each state point often.
    """
    job_id: str = calc_id(state_point)
    path = Path(project.workspace, job_id, STATE_POINT)
    try:
        found = calc_id(job_files.read_json(path))
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        with renaming(path) as temporary:
            temporary.write_text(json.dumps(state_point))
        return job_id
    except ValueError:
        found = None
    if found != job_id:
        raise _damaged_state_point(path)
    return job_id


def _damaged_state_point(path: str | Path) -> UserError:
    return UserError(
        f'{path}: is damaged or missing: it does not fit the id of its job. Remove '
        'the file and run init with the sweep again, which writes a new one; or, if the job '
        'belongs to no sweep, move its folder away.'
    )


def _read(path: Path, schema: type[BaseModel], what_to_do: str) -> dict[str, Any]:
    try:
        content = job_files.read_json(path)
        schema.model_validate(content)
    except FileNotFoundError:
        return {}
    except ValidationError as error:
        fault = error.errors()[0]
        key = '.'.join(map(str, fault['loc']))
        raise UserError(
            f'{path}: is damaged ({key}: {fault["msg"]}). {what_to_do}'.replace('(: ', '(')
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f'{path}: is damaged ({error}). {what_to_do}') from None
    found: dict[str, Any] = content
    return found
