"""Taking over a workspace that an earlier version made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from user_input import UserError
from workflow.jobs import files as job_files
from workflow.jobs.lock import hold
from workflow.jobs.products import CHECKSUMS
from workflow.jobs.signac_files import state_point_of
from workflow.jobs.workspace import (
    FORMAT,
    FORMATS_BEFORE,
    find_project,
    read_format,
    record_format,
    refusal_of,
)
from workflow.stages.table import STAGES, is_done
from workflow.sweep.state_point import read_state_point

# Within a job: results that are made anew, with their checksums.
ASIDE = 'results_of_format_2'


def migrate() -> None:
    """Take over the workspace of this folder; results of an older kind are moved aside.

    No simulation is run again, and nothing is lost. What was interrupted can be run again.

    Raises:
        UserError: If it is of a version that cannot be taken over, damaged, or a job is being run.
    """
    project = find_project()
    found = read_format(project)
    if found == FORMAT:
        print(f'{project.path}: its workspace has format {FORMAT}: there is nothing to do.')
        return
    if found not in FORMATS_BEFORE:
        raise refusal_of(project, found)
    jobs = list(project)
    for job in jobs:
        _check(job)
    moved = sum([_move_aside(Path(job.path)) for job in jobs])
    record_format(project)
    anew = sum(job.isfile(STAGES[-1].last_product) and not is_done(job) for job in jobs)
    print(f'{project.path}: {len(jobs)} jobs are now of format {FORMAT}.')
    if moved:
        where = f'{ASIDE} in the folders of their jobs'
        print(f'{moved} results of an older kind were moved to {where}.')
    if anew:
        print(f'The next simulate, run or submit analyses {anew} jobs anew; it simulates none.')


def _check(job: Any) -> None:
    where = f'{Path(job.path).name}/signac_statepoint.json'
    try:
        read_state_point(state_point_of(job), where)
    except UserError as error:
        raise UserError(
            f'{error}\n{job.project.path}: the workspace was made by another version, or holds '
            'jobs of another project. Use the version that made it, or run init in an empty folder.'
        ) from None


def _move_aside(folder: Path) -> int:
    """Move results of an older kind into a folder of their own; give their number."""
    old = [name for name in job_files.RESULTS if _is_old(folder / name)]
    if not old:
        return 0
    with hold(folder):
        (folder / ASIDE / CHECKSUMS).mkdir(parents=True, exist_ok=True)
        for name in old:
            for path in (f'{CHECKSUMS}/{name}.b2', name):
                if (folder / path).exists():
                    os.replace(folder / path, folder / ASIDE / path)
    return len(old)


def _is_old(path: Path) -> bool:
    try:
        content = job_files.read_json(path)
    except FileNotFoundError:
        return False
    except ValueError:  # it is damaged: the analysis makes it anew
        return True
    return not (isinstance(content, dict) and 'result' in content)
