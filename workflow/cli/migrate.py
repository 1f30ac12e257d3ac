"""Taking over a workspace that an earlier version made."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from user_input import UserError, count_of
from workflow.jobs import files as job_files
from workflow.jobs.atomic_writes import synchronise
from workflow.jobs.lock import hold
from workflow.jobs.products import CHECKSUMS
from workflow.jobs.signac_files import STATE_POINT, state_point_of
from workflow.jobs.workspace import (
    FORMAT,
    FORMATS_BEFORE,
    SWEEPS,
    Project,
    find_project,
    read_format,
    record_format,
    refusal_of,
)
from workflow.stages.table import is_done
from workflow.sweep.limits import Limits, split_limits
from workflow.sweep.state_point import read_state_point

# Within a job: results that are made anew, with their checksums.
ASIDE = 'results_of_earlier_format'
# While a job is renamed: what becomes its state point.
_NEXT_STATE_POINT = f'{STATE_POINT}.next'


def migrate() -> None:
    """Take over the workspace of this folder.

    Results of an older kind are moved aside; what is asked of a job moves from its state point to a
    file of its own, so that its id changes. No simulation is run again, and nothing is lost. What
    was interrupted can be run again.
    UserError if it is of a version that cannot be taken over, damaged, or a job is being run.
    """
    project = find_project()
    found = read_format(project)
    if found == FORMAT:
        print(f'{project.path}: its workspace has format {FORMAT}: there is nothing to do.')
        return
    if found not in FORMATS_BEFORE:
        raise refusal_of(project, found)
    workspace = Path(project.workspace)
    _finish_renaming(project, workspace)
    renamed = _renamed(project)
    for name in renamed:
        with hold(workspace / name):
            pass  # nobody runs it: asked of all before one is changed
    moved = sum([_move_aside(workspace / name) for name in renamed])
    _rename_in_sweeps(project, renamed)
    for name, new in renamed.items():
        _rename(workspace, name, new)
    record_format(project)
    jobs = list(project)
    anew = sum(job.isfile(job_files.TRAJECTORY) and not is_done(job) for job in jobs)
    print(f'{project.path}: {count_of(len(jobs), "job")} now of format {FORMAT}.')
    if any(name != new.name for name, new in renamed.items()):
        print(
            'Their folders have new names: step limits and precision are no part of them any more.'
        )
    if moved:
        where = f'{ASIDE} in the folders of their jobs'
        print(f'Results of an older kind, moved to {where}: {moved}.')
    if anew:
        print(
            f'The next simulate, run or submit analyses {count_of(anew, "job")} anew; it simulates '
            'none.'
        )


@dataclass(frozen=True)
class _NewName:
    """What becomes of a job: its name, its state point, and what is asked of its stages."""

    name: str
    state_point: dict[str, Any]
    limits: dict[str, Limits]


def _renamed(project: Project) -> dict[str, _NewName]:
    """Map each job to what becomes of it; UserError if two become one, or one is unreadable."""
    found: dict[str, _NewName] = {}
    taken: dict[str, str] = {}
    for job in project:
        asked: dict[str, Any] = {}
        state_point = state_point_of(job)
        if isinstance(protocol := state_point.get('protocol'), dict):
            state_point['protocol'], asked = split_limits(protocol)
        _check(job, state_point)
        new = project.open_job(state_point).id
        if new in taken:
            raise UserError(
                f'{project.path}: jobs {taken[new]} and {job.id} differ in step limits or '
                'precision alone: they are one simulation, of which one can be kept. Move the '
                f'folder of the shorter one out of {project.workspace}, and run migrate again. '
                'Nothing was changed.'
            )
        taken[new] = job.id
        limits = {name: Limits.model_validate(each) for name, each in asked.items()}
        found[job.id] = _NewName(new, state_point, limits)
    return found


def _rename_in_sweeps(project: Project, renamed: Mapping[str, _NewName]) -> None:
    """Give the jobs of the recorded sweeps their new names, in one write."""
    sweeps = project.document().get(SWEEPS, {})
    for content in sweeps.values():
        members = [renamed[each] for each in content['jobs'] if each in renamed]
        names = {name: new.name for name, new in renamed.items()}
        content['jobs'] = [names.get(each, each) for each in content['jobs']]
        if members:
            content['model'] |= {'hash': members[0].state_point['model_hash']}
    if sweeps:
        project.document[SWEEPS] = sweeps


def _rename(workspace: Path, name: str, new: _NewName) -> None:
    """Give a job its new name and state point; a kill at any point leaves what migrate finishes."""
    if name == new.name:
        return
    folder = workspace / name
    with hold(folder):
        job_files.write_limits([folder], new.limits)
        job_files.write_json(folder / _NEXT_STATE_POINT, new.state_point)
        os.replace(folder, workspace / new.name)
        os.replace(*_state_points(workspace / new.name))
        synchronise(workspace)


def _finish_renaming(project: Project, workspace: Path) -> None:
    """Give jobs that were renamed by a migration that was killed their new state point."""
    for path in workspace.glob(f'*/{_NEXT_STATE_POINT}'):
        if project.open_job(job_files.read_json(path)).id == path.parent.name:
            os.replace(*_state_points(path.parent))


def _state_points(folder: Path) -> tuple[Path, Path]:
    return folder / _NEXT_STATE_POINT, folder / STATE_POINT


def _check(job: Any, state_point: dict[str, Any]) -> None:
    where = f'{Path(job.path).name}/{STATE_POINT}'
    try:
        read_state_point(state_point, where)
    except UserError as error:
        raise UserError(
            f'{error}\n{job.project.path}: the workspace was made by another version, or holds '
            'jobs of another project. Use the version that made it, or run init in an empty folder.'
        ) from None


def _move_aside(folder: Path) -> int:
    """Move results of an older kind into a folder of their own; give their number."""
    # All of them: numbers that still read may be defined otherwise today.
    files = (job_files.PRODUCTION, *job_files.RESULTS)
    old = [name for name in files if (folder / name).exists()]
    if not old:
        return 0
    with hold(folder):
        (folder / ASIDE / CHECKSUMS).mkdir(parents=True, exist_ok=True)
        for name in old:
            for path in (f'{CHECKSUMS}/{name}.b2', name):
                if (folder / path).exists():
                    os.replace(folder / path, folder / ASIDE / path)
    return len(old)
