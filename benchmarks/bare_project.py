"""A signac-flow project with as many operations as this one, which do nothing.

`workspace_commands` runs it beside `project.py`: what its commands take is signac-flow's own share.
`python -m benchmarks.bare_project init FILE` makes a job of each state point in a JSON file; the
other commands are signac-flow's. OPERATIONS_FILE in its folder lists the operations, so that no
code of this project is loaded for them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import signac
from flow import FlowProject
from flow.environment import DefaultSlurmEnvironment
from flow.scheduling.fake_scheduler import FakeScheduler
from signac.job import Job

OPERATIONS_FILE = 'operations.json'


class NoQueue(DefaultSlurmEnvironment):
    """Slurm's scripts without a scheduler to ask."""

    scheduler_type = FakeScheduler


class BareProject(FlowProject):
    """Operations that wait for the file of the one before."""


whole_job = BareProject.make_group('job')


def _add_operation(name: str, before: str | None) -> None:
    def operation(job: Job) -> None:
        Path(job.fn(f'{name}.done')).touch()

    operation.__name__ = name
    BareProject.operation(operation, name=name)
    BareProject.post.isfile(f'{name}.done')(operation)
    if before is not None:
        BareProject.pre.isfile(f'{before}.done')(operation)
    whole_job(operation)


def main() -> None:
    """Make the jobs, or run a command of signac-flow."""
    operations = json.loads(Path(OPERATIONS_FILE).read_text())
    for number, name in enumerate(operations):
        _add_operation(name, operations[number - 1] if number else None)
    if sys.argv[1] == 'init':
        project = signac.init_project()
        for point in json.loads(Path(sys.argv[2]).read_text()):
            project.open_job(point).init()
    else:
        BareProject.get_project(environment=NoQueue).main()


if __name__ == '__main__':
    main()
