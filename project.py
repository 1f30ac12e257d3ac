"""The operations on a job and on a sweep, in the order in which data flows.

`python project.py init SWEEP`, `simulate`, `report`, `failed`, `retry`, `remove`, `prune` and
`migrate` are this project's own commands; `status`, `run`, `submit` and `exec` are those of
signac-flow. Imports that are heavy, or need an engine, are inside the operations: `status` must
work on a login node.
"""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

if __name__ == '__main__':  # until there is anything to save: left without a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.disable()  # what is imported stays: looking through it takes a tenth of that time

from workflow.cli import flow_project  # first: it says which library is missing

# isort: split
from signac.job import Job

from analysis.observable import Observable
from analysis.observables import OBSERVABLES
from workflow.cli.flow_project import JobProject, each_sweep, not_failed, run_on
from workflow.cluster.directives import directives_of
from workflow.jobs.files import DEFINITIONS, STRUCTURE, listed, observed, result_file
from workflow.jobs.sweep_state import are_defined, look_is_due, may_be_defined, recorded
from workflow.jobs.workspace import sweeps_with
from workflow.process import ignore_requests
from workflow.results.report_state import report_is_current
from workflow.stages.table import STAGES, Stage, analyses_of, have_ended, stage_named


class Project(JobProject):
    """Bead-spring melts of ionic copolymers, from a state point to its results."""


# One submission takes a job through all of a group's operations.
whole_job = Project.make_group('job')
simulation = Project.make_group('simulation')
analysis = Project.make_group('analysis')


def add_operation(
    name: str, operate: Callable[[Job], None], needs: Sequence[str], leaves: str, group: Any
) -> None:
    """Declare an operation on one job: files of the job that it needs, and the one it leaves."""
    Project.operation(operate, name=name, directives=directives_of(name))

    def has_what_it_needs(job: Job) -> bool:
        return listed(job.path).issuperset(needs)

    def has_left_it(job: Job) -> bool:
        return leaves in listed(job.path)

    Project.pre(has_what_it_needs)(operate)
    Project.post(has_left_it)(operate)
    whole_job(group(operate))


def run_stage(stage: Stage, job: Job) -> None:
    """Run a stage of a simulation to its end."""
    from workflow.stages import operations

    run_on(job, partial(operations.run_stage, stage))


for stage in STAGES:
    run_this = partial(run_stage, stage)
    add_operation(stage.name, run_this, [stage.start], stage.last_product, simulation)
    if stage.runs_engine:
        Project.pre(not_failed)(run_this)
    if stage.is_optional:
        # A partial: signac-flow writes the tag to the condition, and a bound method takes none.
        Project.pre(partial(stage.is_part_of), tag=stage.name)(run_this)


def find_production(job: Job) -> None:
    """Find from where on the sampled run counts, and what is pooled over the sweep."""
    from workflow.results import analyse

    run_on(job, analyse.find_production)


SAMPLED = stage_named('sample').last_product
add_operation('production', find_production, [SAMPLED], STRUCTURE, analysis)


def measure(observable: Observable[Any], job: Job) -> None:
    """Measure an observable, and in the same pass over the frames all others to be run."""
    from workflow.results import analyse

    names = {each.name for each in OBSERVABLES} & Project.selected | {observable.name}
    run_on(job, partial(analyse.analyse_job, names=names))


def _may_be_defined(*jobs: Job) -> bool:
    return any(map(may_be_defined, sweeps_with(jobs)))


def _are_defined(*jobs: Job) -> bool:
    return all(map(are_defined, sweeps_with(jobs)))


@Project.pre(_may_be_defined)
@Project.post(_are_defined)
@Project.operation(aggregator=each_sweep, directives=directives_of('definitions'))
def definitions(*jobs: Job) -> None:
    """Find contact distances and wave number from all jobs of a sweep, for all of them."""
    from workflow.results.definitions import define

    for sweep in filter(may_be_defined, sweeps_with(jobs)):
        define(sweep)


def is_computed(name: str) -> Callable[[Job], bool]:
    """Make the condition that a sweep of a job computes the observable of that name."""

    def _is_computed(job: Job) -> bool:
        return name in observed(job.path)

    return _is_computed


for observable in OBSERVABLES:
    source = stage_named(observable.source).last_product
    measure_it = partial(measure, observable)
    add_operation(
        observable.name,
        measure_it,
        [source, STRUCTURE, *([DEFINITIONS] if observable.defined_by else [])],
        result_file(observable.name),
        analysis,
    )
    Project.pre(is_computed(observable.name))(measure_it)


def _all_analysed(*jobs: Job) -> bool:
    return all(listed(job.path).issuperset(analyses_of(job)) for job in jobs)


def _no_look_is_due(*jobs: Job) -> bool:
    return not any(look_is_due(recorded(sweep)) for sweep in sweeps_with(jobs))


def _all_ended(*jobs: Job) -> bool:
    return not _no_look_is_due(*jobs) and have_ended(jobs)  # in this order: the first costs least


@Project.pre(_all_ended)
@Project.post(_no_look_is_due)
@Project.operation(aggregator=each_sweep, directives=directives_of('decide'))
def decide(*jobs: Job) -> None:
    """Add replicas to a sweep that is to be decided and is not."""
    from workflow.results.sweep_results import look_at

    for sweep in sweeps_with(jobs):
        if look_is_due(recorded(sweep)):
            print(f'sweep {sweep.name}: {look_at(sweep)}')


def _report_is_current(*jobs: Job) -> bool:
    sweeps = sweeps_with(jobs)
    return bool(sweeps) and all(map(report_is_current, sweeps))


@Project.pre(_all_analysed)
@Project.post(_report_is_current)
@Project.operation(aggregator=each_sweep, directives=directives_of('report'))
def report(*jobs: Job) -> None:
    """Aggregate over replicas: summary.csv, figures and report.html."""
    from workflow.results.sweep_results import write_sweep_results

    for sweep in sweeps_with(jobs):
        write_sweep_results(sweep)


def main() -> int:
    """Run a command of this project, or one of signac-flow."""
    return flow_project.main(Project)


if __name__ == '__main__':
    exit_code = main()
    ignore_requests()
    sys.exit(exit_code)
