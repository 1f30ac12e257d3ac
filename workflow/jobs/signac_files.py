"""The files that signac keeps: what is damaged is told by name, before anything acts on it.

signac itself ends with a traceback, or only when the file is needed: after a stage of hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import signac.errors
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from signac.errors import JobsCorruptedError

from user_input import UserError
from workflow.jobs import files as job_files
from workflow.sweep.sweep_file import SweepName

PROJECT_DOCUMENT = 'signac_project_document.json'
JOB_DOCUMENT = 'signac_job_document.json'
STATE_POINT = 'signac_statepoint.json'

_CONFIG = '.signac/config'
_FEW = 3

Job = Any
Project = Any


class _Part(BaseModel):
    model_config = ConfigDict(extra='ignore', strict=True)


class _Model(_Part):
    name: str
    description: str


class _Sweep(_Part):
    jobs: list[Annotated[str, Field(pattern='^[0-9a-f]{32}$')]]
    sweep: dict[str, Any]
    model: _Model


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
    """The project's document; empty if there is none yet.

    Raises:
        UserError: If it is damaged.
    """
    return _read(
        Path(project.path) / PROJECT_DOCUMENT,
        _ProjectDocument,
        'Move it away and run init with each sweep file again: the jobs and their products stay.',
    )


def read_job_document(job: Job) -> dict[str, Any]:
    """A job's document; empty if there is none yet.

    Raises:
        UserError: If it is damaged.
    """
    return _read(
        Path(job.path) / JOB_DOCUMENT,
        _JobDocument,
        'Move it away: it tells what ran where, and nothing else depends on it.',
    )


@contextmanager
def signac_told() -> Iterator[None]:
    """Turn what signac says of a project's files into a `UserError`."""
    try:
        yield
    except signac.errors.Error as error:
        raise UserError(f'{_CONFIG}, or the workspace: signac says: {error}') from None
    except (SyntaxError, KeyError, ValueError) as error:
        raise UserError(
            f'{_CONFIG}: is damaged ({type(error).__name__}: {error}). Remove it and run init with '
            'the sweep again, which writes it anew; the jobs stay.'
        ) from None


def check_state_points(project: Project, may_lack: bool = False) -> list[Job]:
    """Check that every job has the state point that its id is made of.

    Args:
        project: The signac project.
        may_lack: Pass over jobs without any, which `init` writes anew.

    Returns:
        The jobs that have one.

    Raises:
        UserError: If a job has not.
    """
    damaged, whole = [], []
    for job in project:
        try:
            if may_lack and not job.isfile(STATE_POINT):
                continue
            job.cached_statepoint  # noqa: B018 - reading it verifies it
            whole.append(job)
        except (JobsCorruptedError, KeyError, TypeError, ValueError, RecursionError):
            damaged.append(job)
    if damaged:
        names = ', '.join(job.fn(STATE_POINT) for job in damaged[:_FEW])
        more = f' and {len(damaged) - _FEW} more' if len(damaged) > _FEW else ''
        raise UserError(
            f'{names}{more}: is damaged or missing: it does not fit the id of its job. Remove the '
            'file and run init with the sweep again, which writes it anew; or, if the job belongs '
            'to no sweep, move its folder away.'
        )
    return whole


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
