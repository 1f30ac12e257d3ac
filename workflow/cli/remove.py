"""Deleting jobs: those of one sweep, or those that belong to none. Shown first, done if asked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from user_input import count_of
from workflow.jobs.failures import composition_text
from workflow.jobs.workspace import SWEEPS, Job, checked_project, recorded_sweeps, sweep_named
from workflow.stages.job_context import holding_all
from workflow.stages.table import is_done

# Of a folder that is being deleted: signac takes it for no job.
_REMOVED = 'removed.'
_MOST_SHOWN = 20


def remove_sweep(name: str, *, for_good: bool) -> None:
    """Delete a sweep and the jobs that are in no other one, or show which these are.

    JobIsHeld if one of them is being run: nothing is deleted then. UserError for no such sweep.
    """
    project = checked_project()
    own = set(sweep_named(project, name)['jobs'])
    sweeps = recorded_sweeps(project)
    others = {job for each, content in sweeps.items() if each != name for job in content['jobs']}
    jobs = [job for job in project if job.id in own - others]
    shared = len(own & others)
    if shared:
        print(f'In another sweep too, and kept: {shared} of {len(own)} jobs of sweep {name}.')
    total = _show(jobs)
    if not for_good:
        print(f'With --yes sweep {name} is removed, and these jobs are deleted: {total}.')
    else:
        _refuse_held(jobs)
        # Before its jobs: a removal that is killed leaves jobs of no sweep, which `prune` deletes.
        del project.document[SWEEPS][name]
        _delete(jobs)
        print(f'Sweep {name} is removed, and {total}. Its report stays in the folder results.')


def prune(*, for_good: bool) -> None:
    """Delete the jobs that are in no sweep, or show which these are; JobIsHeld if one is run."""
    project = checked_project()
    members = {job for content in recorded_sweeps(project).values() for job in content['jobs']}
    jobs = [job for job in project if job.id not in members]
    total = _show(jobs)
    if not for_good:
        print(f'With --yes these jobs, which are in no sweep, are deleted: {total}.')
    else:
        _refuse_held(jobs)
        _delete(jobs)
        print(f'{total} in no sweep: deleted.')
        for folder in Path(project.workspace).glob(f'{_REMOVED}*'):  # of a removal that was killed
            shutil.rmtree(folder)


def _show(jobs: Sequence[Job]) -> str:
    """List jobs, and sum up what they are."""
    for job in jobs[:_MOST_SHOWN]:
        state = 'done' if is_done(job) else 'not done'
        print(f'{job.id}  {composition_text(job)}  {state}  {_megabytes(Path(job.path)):.1f} MB')
    if len(jobs) > _MOST_SHOWN:
        print(f'... and {len(jobs) - _MOST_SHOWN} more')
    return f'{count_of(len(jobs), "job")}, {sum(_megabytes(Path(job.path)) for job in jobs):.1f} MB'


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob('*') if path.is_file()) / 1e6


def _refuse_held(jobs: Sequence[Job]) -> None:
    for job in jobs:
        with holding_all(Path(job.path)):
            pass


def _delete(jobs: Sequence[Job]) -> None:
    for job in jobs:
        folder = Path(job.path)
        with holding_all(folder):
            gone = folder.with_name(_REMOVED + folder.name)
            os.replace(folder, gone)
        shutil.rmtree(gone)
