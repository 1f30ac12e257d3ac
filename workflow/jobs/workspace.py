"""Sweeps in a signac workspace: their jobs, and whether this version reads them."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import signac
from signac.job import calc_id

from user_input import UserError, nearest_name, validate
from workflow.jobs.signac_files import (
    PROJECT_DOCUMENT,
    read_project_document,
    translate_signac_errors,
)

if TYPE_CHECKING:  # `project.py status` reads no sweep
    from models.model import Model
    from workflow.sweep.sweep_file import Sweep

_logger = logging.getLogger(__name__)

SWEEPS = 'sweeps'
# In the project document, beside the sweep: what was found each time it was to be decided.
LOOKS = 'looks'
# By what factor a job samples longer than its sweep file says, to decide the sweep.
LENGTHENED = 'lengthened'
# Which version of this project's layout a workspace has is in the project document. Raise it, and
# teach `cli/migrate.py`, when a state point, a file of a job or the project document comes to mean
# something else; a new file or key that older code would pass over does not need it.
FORMAT = 4
# Those that `migrate` takes over; None is for before formats were recorded.
FORMATS_BEFORE = (None, 2, 3)
_FORMAT_KEY = 'workspace_format'

Job = Any
Project = Any


@dataclass(frozen=True)
class SweepJobs:
    """A sweep in the workspace: its name, and its jobs in the order of its file."""

    name: str
    jobs: list[Job]


def recorded_sweep(path: Path) -> SweepJobs:
    """Find the jobs that `init` made of a sweep file in this folder; UserError without any.

    What was changed in the file since is reported.
    """
    from workflow.sweep.sweep_file import load_sweep

    sweep, model = load_sweep(path)
    jobs: list[Job] = []
    with suppress(NoProject):
        project = checked_project()
        known = {job.id: job for job in project}
        recorded = recorded_sweeps(project).get(sweep.name, {'jobs': []})
        jobs = [known[each] for each in recorded['jobs'] if each in known]
        if jobs and (changes := changes_since_init(project, sweep, model)):
            print(
                f'{path} changed since init: {changes}. This is the sweep as it was then: '
                f'python project.py init {path} takes up what is new.',
                file=sys.stderr,
            )
    if not jobs:
        raise UserError(
            f'{path}: there are no jobs of sweep {sweep.name!r} in this folder: '
            f'python project.py init {path} makes them, simulate runs them too.'
        )
    return SweepJobs(sweep.name, jobs)


def changes_since_init(project: Project, sweep: Sweep, model: Model) -> str:
    """Say what was changed in a sweep since its jobs were made, and which of them are kept."""
    from workflow.sweep.changes import Recorded, describe_changes
    from workflow.sweep.state_point import as_plain_values
    from workflow.sweep.sweep_file import Sweep, state_points

    content = recorded_sweeps(project).get(sweep.name)
    if content is None:
        return ''
    where = f'{PROJECT_DOCUMENT}, sweep {sweep.name}'
    before = validate(Sweep, content['sweep'], where)
    points = [as_plain_values(each) for each in state_points(sweep, model)]
    ids = list(map(calc_id, points))
    ids += added_replicas(project, sweep, points)
    return describe_changes(
        Recorded(before, content['jobs'], content['model'].get('hash', '')),
        Recorded(sweep, ids, model.content_hash()),
        os.listdir(project.workspace),
    )


def added_replicas(
    project: Project, sweep: Sweep, points: Sequence[Mapping[str, Any]]
) -> list[str]:
    """List the jobs that were added to a sweep beyond those of its file, to decide it.

    The state points are those of the file; `maximum` is respected.
    """
    content = project.document().get(SWEEPS, {}).get(sweep.name)
    if content is None or sweep.decide is None:
        return []
    first = {_without_replica(point) for point in points}
    found = []
    for job_id in content['jobs']:
        with suppress(LookupError):
            point = project.open_job(id=job_id).statepoint()
            if _without_replica(point) in first:
                replicas = sweep.replicas_of(point)
                if replicas.minimum <= point['replica'] < replicas.maximum:
                    found.append(job_id)
    return found


def _without_replica(point: Mapping[str, Any]) -> str:
    return json.dumps({k: v for k, v in point.items() if k != 'replica'}, sort_keys=True)


def open_project() -> Any:
    """Open the signac project of this folder, or make one; UserError if this version cannot."""
    with translate_signac_errors():
        if (above := _project_above()) is not None:
            _logger.info(
                'A new project is made in %s, apart from the one in %s.', Path.cwd(), above
            )
        project = signac.init_project()
        check_format(project)
    return project


def _project_above() -> Path | None:
    """Find the project that this folder is in, unless it is one itself."""
    try:
        found = Path(signac.get_project().path)
    except LookupError:
        return None
    return None if found.samefile(Path.cwd()) else found


def recorded_sweeps(project: Project) -> dict[str, dict[str, Any]]:
    """Read the sweeps of a project, by name."""
    content: dict[str, dict[str, Any]] = project.document().get(SWEEPS, {})
    return content


def sweep_named(project: Project, name: str) -> dict[str, Any]:
    """Read one sweep of a project; UserError if there is none of that name."""
    sweeps = recorded_sweeps(project)
    if name not in sweeps:
        raise UserError(f"there is no sweep '{name}' in this project. {nearest_name(name, sweeps)}")
    return sweeps[name]


def jobs_by_sweep(jobs: Iterable[Job]) -> Iterator[tuple[Job, ...]]:
    """Group jobs into the sweeps that they belong to; a job may be in several."""
    by_id = {job.id: job for job in jobs}
    if not by_id:
        return
    for content in sweeps_in(next(iter(by_id.values()))).values():
        members = tuple(by_id[job_id] for job_id in content['jobs'] if job_id in by_id)
        if members:
            yield members


def sweeps_with(jobs: Sequence[Job]) -> list[SweepJobs]:
    """Find the sweeps whose jobs, as far as they are in the workspace, are just these."""
    ids = [job.id for job in jobs]
    there = set(os.listdir(jobs[0].project.workspace))
    return [
        SweepJobs(name, list(jobs))
        for name, content in sweeps_in(jobs[0]).items()
        if [each for each in content['jobs'] if each in there] == ids
    ]


def sweeps_in(job: Job) -> dict[str, dict[str, Any]]:
    """Read the sweeps of the project that `job` belongs to, by name."""
    return recorded_sweeps(job.project)


class NoProject(UserError):
    """This folder is in no project."""


def find_project() -> Project:
    """Find the project here, of any version; NoProject without one, UserError for a damaged one."""
    try:
        with translate_signac_errors():
            return signac.get_project()
    except LookupError:
        raise NoProject(
            'there is no project in this folder: make one with python project.py init SWEEP.'
        ) from None


def checked_project() -> Project:
    """Find the project here; NoProject without one, UserError unless this version reads it."""
    project = find_project()
    check_format(project)
    return project


def check_format(project: Project) -> None:
    """Check that this version reads the workspace, UserError if not; record that in a new one."""
    found = read_format(project)
    if found is None and not len(project):
        record_format(project)
    elif found in FORMATS_BEFORE:
        raise UserError(
            f'{project.path}: its workspace was made by an earlier version of isp-cgmd. Take it '
            'over with python project.py migrate: no simulation is run again.'
        )
    elif found != FORMAT:
        raise refusal_of(project, found)


def read_format(project: Project) -> int | None:
    """Read the format of a workspace, None if it records none; UserError if it is damaged."""
    found: int | None = read_project_document(project).get(_FORMAT_KEY)
    return found


def record_format(project: Project) -> None:
    """Record that a workspace has the format of this version."""
    project.document[_FORMAT_KEY] = FORMAT


def refusal_of(project: Project, found: int | None) -> UserError:
    """Report a workspace whose format this version cannot read."""
    return UserError(
        f'{project.path}: its workspace has format {found}, and this version of isp-cgmd '
        f'reads format {FORMAT}. Use the version that made it (the job documents name it), or '
        'run init in an empty folder.'
    )
