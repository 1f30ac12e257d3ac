"""Looks at a sweep to which replicas are added until it is decided, or its budget is spent.

Each look holds the claims against all runs so far, at a level that keeps the rate of false
decisions over all looks (`interim_level`); what is decided stays decided. Where something is open,
replicas are added to the states that tell most about it. Where it is open because runs are too
short to give more than bounds, these are made longer first, which is no look: nothing is decided
then.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.estimators.sequential import interim_level
from analysis.estimators.trends import LEVEL
from workflow.jobs import files as job_files
from workflow.jobs.asked import SAMPLE, record_limits
from workflow.jobs.provenance import RUNS
from workflow.jobs.signac_files import make_job, read_job_document, state_point_of
from workflow.jobs.workspace import LENGTHENED, LOOKS, SWEEPS, Job, SweepJobs
from workflow.results.aggregate import SweepTable
from workflow.results.axis import Place
from workflow.results.verdicts import Finding
from workflow.stages.extension import read_end
from workflow.stages.review import half_width
from workflow.stages.stage_folder import StageFolder
from workflow.sweep.state_point import read_state_point
from workflow.sweep.sweep_file import Budget, Replicas, Sweep

GROWTH = 1.5
MOST_LENGTHENING = 8


@dataclass(frozen=True)
class Look:
    """One look.

    Attributes:
        number: From 1.
        jobs: How many there were.
        level: Of false decisions, of this look.
        decided: Verdicts by claim and quantity, of this look and those before.
        undecided: What was left open.
        added: How many jobs were added.
        end: Why nothing is added any more; empty while something is.
    """

    number: int
    jobs: int
    level: float
    decided: Mapping[str, str]
    undecided: Sequence[str]
    added: int
    end: str

    def __str__(self) -> str:
        """Say what it has found and done."""
        what = f'Look {self.number}, at {self.jobs} jobs and level {self.level:.2g}: '
        what += f'{len(self.decided)} decided'
        if self.undecided:
            what += f', open: {", ".join(self.undecided)}'
        if self.end:
            return f'{what}. {self.end[0].upper()}{self.end[1:]}.'
        return f'{what}. {self.added} replicas are added.'


def planned_sizes(replicas: Replicas) -> list[int]:
    """List the numbers of replicas of a state at which a sweep is looked at."""
    sizes = [replicas.minimum]
    while sizes[-1] < replicas.maximum:
        sizes.append(min(replicas.maximum, math.ceil(GROWTH * sizes[-1])))
    return sizes


def planned_looks(sweep: Sweep) -> int:
    """Count the looks that are planned: those of the grid that may have most replicas more."""
    return max(len(planned_sizes(each.replicas or sweep.replicas)) for each in sweep.all_grids)


def looks_of(content: Mapping[str, Any]) -> list[Look]:
    """Read the looks that were taken at a sweep, from what is recorded of it."""
    return [Look(**look | {'decided': dict(look['decided'])}) for look in content.get(LOOKS, [])]


def level_of(sweep: Sweep, looks: Sequence[Look]) -> float:
    """Return the level of the next look, or of the last one once all is over."""
    if sweep.decide is None:
        return LEVEL
    planned = planned_looks(sweep)
    taken = len(looks) - bool(looks and looks[-1].end)
    return interim_level(min(taken + 1, planned), planned, LEVEL)


def lengthen(jobs: SweepJobs, sweep: Sweep, table: SweepTable, findings: Sequence[Finding]) -> int:
    """Double the sampling of the states whose bounds leave claims open, and count their jobs.

    It is recorded, and left to `record_limits` and `extend_jobs` to do. Nothing is asked of states
    that sample 8 times as long already, nor beyond the budget.
    """
    if sweep.decide != 'claims':
        return 0
    document = jobs.jobs[0].project.document[SWEEPS][jobs.name]
    before = dict(document().get(LENGTHENED, {}))
    places = [place for each in findings for place in each.bounds_at]
    wanted = {
        result.job: 2 * before.get(result.job, 1)
        for state in table.states
        if _is_in(state.place, places)
        for result in state.results
    }
    wanted = {
        job: factor
        for job, factor in wanted.items()
        if factor <= MOST_LENGTHENING and _can_go_on(jobs, job)
    }
    chains = {job.id: state_point_of(job)['chains'] for job in jobs.jobs}
    extra = [chains[job] for job, factor in wanted.items() for _ in range(factor // 2)]
    if not wanted or _within_budget(jobs, sweep, extra) < len(extra):
        return 0
    document[LENGTHENED] = before | wanted
    return len(wanted)


def _can_go_on(jobs: SweepJobs, job_id: str) -> bool:
    """Check whether the end of its sampling was kept, which earlier versions did not."""
    return any(
        job.id == job_id and read_end(StageFolder(Path(job.path), SAMPLE)) is not None
        for job in jobs.jobs
    )


def take_look(
    jobs: SweepJobs, sweep: Sweep, table: SweepTable, findings: Sequence[Finding]
) -> Look:
    """Record what is decided, and make the jobs that are to decide what is not.

    The findings are those at the level of this look, with what was decided before.
    """
    document = jobs.jobs[0].project.document[SWEEPS][jobs.name]
    looks = looks_of(document())
    places: dict[str, tuple[str, Sequence[Place]]] = {
        each.key: (each.quantity, each.gains_at) for each in findings if each.gains_at
    }
    is_open = any(each.is_open for each in findings)
    if isinstance(sweep.decide, dict):
        places = _places_of_precision(table, sweep.decide)
        is_open = bool(places)
    wanted = _more_replicas(
        jobs,
        table,
        [place for _, each in places.values() for place in each],
        lambda point: _next_size(planned_sizes(sweep.replicas_of(point)), len(looks)),
    )
    fitting = _within_budget(jobs, sweep, [point['chains'] for point in wanted])
    end = ''
    if not is_open:
        end = 'all that can be is decided'
    elif not wanted:
        end = f'nothing is left that up to {sweep.most_replicas.maximum} replicas would tell'
    elif not fitting:
        end = 'the budget is spent'
    wanted = wanted[:fitting]
    decided = {e.key: e.verdict for e in findings if e.verdict in ('agrees', 'disagrees')}
    names = [name for name, _ in places.values()]
    look = Look(
        len(looks) + 1,
        len(jobs.jobs),
        level_of(sweep, looks),
        decided,
        names,
        len(wanted),
        end,
    )
    made = _make(jobs, wanted)
    factors = dict(document().get(LENGTHENED, {}))
    document[LENGTHENED] = factors | _factors_of(jobs, made, factors)
    document['jobs'] = [job.id for job in jobs.jobs] + [job.id for job in made]
    record_limits(jobs.jobs[0].project, {job.id for job in made})
    # The look last: one that is recorded without its jobs would not be taken again.
    document.setdefault(LOOKS, [])
    # As pairs: signac takes no keys with dots.
    document[LOOKS].append(vars(look) | {'decided': [list(each) for each in decided.items()]})
    return look


def _next_size(sizes: Sequence[int], taken: int) -> int:
    """Return how many replicas an open state gets; 0 at the last of the planned looks.

    The number of the look sets it, whichever states were open before: else there would be more
    looks than their levels were made for.
    """
    return sizes[taken + 1] if taken + 1 < len(sizes) else 0


def _places_of_precision(
    table: SweepTable, precision: Mapping[str, float]
) -> dict[str, tuple[str, Sequence[Place]]]:
    """List, by quantity, its name and the states where it is less precise than asked for."""
    found: dict[str, list[Place]] = {}
    for row in table.rows:
        name, estimate = row.quantity.name, row.estimate
        ends = (estimate.value, estimate.low, estimate.high)
        if name in precision and half_width(row.quantity.combination, *ends) > precision[name]:
            found.setdefault(name, []).append(row.place)
    return {name: (name, places) for name, places in found.items()}


def _more_replicas(
    jobs: SweepJobs,
    table: SweepTable,
    places: Sequence[Place],
    size_of: Callable[[Mapping[str, Any]], int],
) -> list[dict[str, Any]]:
    """List the state points to be added, first one for each state, then the second, and so on.

    `size_of` is how many replicas an open state gets.
    """
    numbers: dict[str, list[int]] = {}
    for job in jobs.jobs:  # those without a result, too
        point = state_point_of(job)
        numbers.setdefault(_state_of(point), []).append(int(point['replica']))
    added: list[tuple[int, dict[str, Any]]] = []
    for state in table.states:
        if _is_in(state.place, places):
            point = dict(state.results[0].state_point)
            there = numbers[_state_of(point)]
            first = max(there) + 1
            more = size_of(point) - len(there)
            added += [(k, point | {'replica': first + k}) for k in range(more)]
    return [point for _, point in sorted(added, key=lambda each: each[0])]


def _is_in(place: Place, places: Sequence[Place]) -> bool:
    """Check whether a state is at one of the places, which may leave axes open, as kT."""
    return any(each.items() <= place.items() for each in places)


def _state_of(point: Mapping[str, Any]) -> str:
    return json.dumps({k: v for k, v in point.items() if k != 'replica'}, sort_keys=True)


def _factors_of(jobs: SweepJobs, made: Sequence[Job], factors: Mapping[str, int]) -> dict[str, int]:
    """Find by what factor new jobs sample longer: as the others of their states."""
    of_state: dict[str, int] = {}
    for job in jobs.jobs:
        state, factor = _state_of(state_point_of(job)), factors.get(job.id, 1)
        of_state[state] = max(factor, of_state.get(state, 1))
    found = {job.id: of_state.get(_state_of(state_point_of(job)), 1) for job in made}
    return {job: factor for job, factor in found.items() if factor > 1}


def _within_budget(jobs: SweepJobs, sweep: Sweep, wanted: Sequence[int]) -> int:
    """Count the first of the `wanted` jobs, given by their chains, that the budget allows for.

    Each is to take what those of its size took on average.
    """
    if sweep.budget is None:
        return len(wanted)
    by_size: dict[int, list[float]] = {}
    for job in jobs.jobs:
        by_size.setdefault(state_point_of(job)['chains'], []).append(_spent(job, sweep.budget))
    left = float(sweep.budget.steps or sweep.budget.core_hours or 0)
    left -= sum(map(sum, by_size.values()))
    for fitting, chains in enumerate(wanted):
        left -= sum(by_size[chains]) / len(by_size[chains])
        if left < 0:
            return fitting
    return len(wanted)


def _spent(job: Job, budget: Budget) -> float:
    runs = read_job_document(job).get(RUNS, [])
    if budget.steps is not None:  # a run that goes on counts from the first step
        return sum({run['stage']: float(run.get('steps', 0)) for run in runs}.values())
    return sum(
        float(run.get('seconds', 0))
        * (int(run.get('threads') or 1) * int(run.get('ranks') or 1) / 3600)
        for run in runs
    )


def _make(jobs: SweepJobs, points: Sequence[dict[str, Any]]) -> list[Job]:
    """Make jobs beside those that are there."""
    project, first = jobs.jobs[0].project, Path(jobs.jobs[0].path)
    ids = [make_job(project, point) for point in points]
    model = job_files.read_model(first, read_state_point(dict(state_point_of(jobs.jobs[0])), ''))
    job_files.write_models((first.with_name(each) for each in ids), model)
    return [project.open_job(id=each) for each in ids]
