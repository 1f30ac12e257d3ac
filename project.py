"""The signac-flow project: operations in the order in which data flows.

`python project.py init SWEEP` and `python project.py simulate SWEEP` are this project's own
commands; `status`, `run`, `submit` and `exec` are those of signac-flow. Imports that are heavy, or
need an engine, stand inside the operations: `status` must work on a login node.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from flow import FlowProject, aggregator
from flow.errors import UserOperationError
from signac.job import Job

from user_input import UserError, exits_on_user_error
from workflow import job_files
from workflow.engines.failure import SimulationFailed
from workflow.engines.ranks import asked_ranks, leading_or_following, started_ranks
from workflow.interruption import EXIT_INTERRUPTED, Interrupted

RANKS = asked_ranks()
# Without it flow would start even serial operations through mpiexec.
ENGINE_DIRECTIVES = {'nranks': RANKS} if RANKS > 1 else {}


class Project(FlowProject):
    """Bead-spring melts of ionic copolymers, from a state point to its results."""


@Project.pre.isfile(job_files.MODEL)
@Project.post.isfile(job_files.BUILT)
@Project.operation
def build(job: Job) -> None:
    """Draw the melt."""
    from workflow import operations

    operations.build(operations.job_context(job))


@Project.pre.isfile(job_files.BUILT)
@Project.post.isfile(job_files.RELAXED)
@Project.operation(directives=ENGINE_DIRECTIVES)
def relax(job: Job) -> None:
    """Push overlaps apart, anneal, and cool."""
    from workflow import operations

    operations.relax_melt(operations.job_context(job))


@Project.pre.isfile(job_files.RELAXED)
@Project.post.isfile(job_files.EQUILIBRATED)
@Project.operation(directives=ENGINE_DIRECTIVES)
def equilibrate(job: Job) -> None:
    """Run until equilibration is detected."""
    from workflow import operations

    operations.equilibrate(operations.job_context(job))


@Project.pre.isfile(job_files.EQUILIBRATED)
@Project.post.isfile(job_files.TRAJECTORY)
@Project.operation(directives=ENGINE_DIRECTIVES)
def sample(job: Job) -> None:
    """Run until the precision that the sweep asks for is reached."""
    from workflow import operations

    operations.sample(operations.job_context(job))


@Project.pre.isfile(job_files.TRAJECTORY)
@Project.post.isfile(job_files.THERMODYNAMICS)
@Project.operation
def thermodynamics(job: Job) -> None:
    """Average density, temperature, pressure and energy."""
    from workflow import operations

    operations.thermodynamics(operations.job_context(job))


@Project.pre.isfile(job_files.TRAJECTORY)
@Project.post.isfile(job_files.CLUSTERS)
@Project.operation
def clusters(job: Job) -> None:
    """Find ion clusters."""
    from workflow import operations

    operations.analyse_clusters(operations.job_context(job))


@Project.pre.isfile(job_files.TRAJECTORY)
@Project.pre.isfile(job_files.CLUSTERS)
@Project.post.isfile(job_files.RELAXATION)
@Project.operation
def relaxation(job: Job) -> None:
    """Correlate bond vectors and displacements."""
    from workflow import operations

    operations.analyse_relaxation(operations.job_context(job))


def _by_sweep(jobs: Iterable[Job]) -> Iterator[tuple[Job, ...]]:
    from workflow.workspace import jobs_by_sweep

    yield from jobs_by_sweep(jobs)


def _all_analysed(*jobs: Job) -> bool:
    return all(job.isfile(name) for job in jobs for name in job_files.RESULTS)


def _report_is_current(*jobs: Job) -> bool:
    from workflow.workspace import report_is_current

    return report_is_current(jobs)


@Project.pre(_all_analysed)
@Project.post(_report_is_current)
@Project.operation(aggregator=aggregator(_by_sweep))
def report(*jobs: Job) -> None:
    """Aggregate over replicas: summary.csv, figures and report.html."""
    from workflow.workspace import write_sweep_results

    write_sweep_results(jobs)


@exits_on_user_error
def main() -> int:
    """Run a command of this project, or one of signac-flow."""
    from workflow import commands

    if started_ranks() > 1:
        with leading_or_following() as leads:
            return _project_main() if leads else 0
    if sys.argv[1:2] and sys.argv[1] in commands.COMMANDS:
        return commands.main(sys.argv[1:])
    return _project_main()


def _project_main() -> int:
    try:
        project = Project.get_project()
    except LookupError:
        raise UserError(
            'there is no project in this folder: make one with python project.py init SWEEP.'
        ) from None
    try:
        project.main()
    except Interrupted as stopped:
        print(f'{stopped}. Run it again to go on.', file=sys.stderr)
        return EXIT_INTERRUPTED
    except UserOperationError as error:
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from None
        if isinstance(error.__cause__, SimulationFailed):
            print(f'error: {error.__cause__}', file=sys.stderr)
            return 1
        raise
    return 0


if __name__ == '__main__':
    sys.exit(main())
