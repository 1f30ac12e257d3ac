"""Which version of this project's layout a workspace has: what is not known is refused.

The number stands in the project document. Raise it, and teach `_take_over`, when a state point, a
file of a job or the project document comes to mean something else; a new file or key that older
code would pass over does not need it.
"""

from __future__ import annotations

import sys
from typing import Any

import signac

from user_input import UserError
from workflow.jobs.signac_files import (
    STATE_POINT,
    check_state_points,
    read_project_document,
    signac_told,
)
from workflow.sweep.state_point import read_state_point

FORMAT = 2
_KEY = 'workspace_format'

Project = Any


class NoProject(UserError):
    """This folder lies in no project."""


def checked_project() -> Project:
    """The project that this folder lies in, with a workspace that this version reads.

    Raises:
        NoProject: If there is none.
        UserError: If its workspace is of another version, or damaged.
    """
    try:
        with signac_told():
            project = signac.get_project()
    except LookupError:
        raise NoProject(
            'there is no project in this folder: make one with python project.py init SWEEP.'
        ) from None
    check_workspace(project)
    return project


def check_workspace(project: Project, may_lack_state_points: bool = False) -> None:
    """Check that this version reads the workspace as it was meant; record that in a new one.

    Args:
        project: The signac project.
        may_lack_state_points: Pass over jobs without any, which `init` writes anew.

    Raises:
        UserError: If it is of another version, or damaged.
    """
    document = read_project_document(project)
    found = document.get(_KEY)
    if found is not None and found != FORMAT:
        raise UserError(
            f'{project.path}: its workspace has format {found}, and this version of isp-cgmd '
            f'reads format {FORMAT}. Use the version that made it (the job documents name it), or '
            'run init in an empty folder.'
        )
    jobs = check_state_points(project, may_lack_state_points)
    if found is None:
        _take_over(project, jobs)
        project.document[_KEY] = FORMAT


def _take_over(project: Project, jobs: list[Any]) -> None:
    """Take over a workspace from before formats were recorded.

    Its state points are those of today, so that its jobs keep their ids and seeds; its products
    are read as they are, without a checksum too; a checkpoint of an older kind is passed over, and
    its stage begins anew.

    Raises:
        UserError: If a state point is not one of today.
    """
    for job in jobs:
        where = f'{job.fn(STATE_POINT)} (its workspace records no format)'
        try:
            read_state_point(dict(job.cached_statepoint), where)
        except UserError as error:
            raise UserError(
                f'{error}\n{project.path}: the workspace was made by another version, or holds '
                'jobs of another project. Use the version that made it, or run init in an empty '
                'folder.'
            ) from None
    if jobs:
        print(
            f'{project.path}: the {len(jobs)} jobs were made before workspaces recorded their '
            f'format; they are those of format {FORMAT}, which is recorded now.',
            file=sys.stderr,
        )
