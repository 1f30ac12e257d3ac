"""Looks at a sweep to which replicas are added until it is decided, or its budget is spent.

Each look holds the claims against all runs so far, at a level that keeps the rate of false
decisions over all looks (`interim_level`); what is decided stays decided. Where something is open,
replicas are added to the states that tell most about it. Where it is open because runs are too
short to give more than bounds, these are made longer first, which is no look: nothing is decided
then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.estimators.sequential import interim_level
from workflow.jobs import files as job_files
from workflow.jobs.provenance import RUNS
from workflow.jobs.signac_files import make_job, read_job_document, state_point_of
from workflow.jobs.workspace import LENGTHENED, LOOKS, SWEEPS, SweepJobs
from workflow.results.aggregate import State, SweepTable
from workflow.results.axis import Place
from workflow.results.verdicts import LEVEL, Finding
from workflow.stages.review import half_width
from workflow.sweep.state_point import read_state_point
from workflow.sweep.sweep_file import Replicas, Sweep

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


def looks_of(content: Mapping[str, Any]) -> list[Look]:
    """Read the looks that were taken at a sweep, from what is recorded of it."""
    return [Look(**look | {'decided': dict(look['decided'])}) for look in content.get(LOOKS, [])]


def level_of(sweep: Sweep, looks: Sequence[Look]) -> float:
    """Return the level of the next look, or of the last one once all is over."""
    if sweep.decide is None:
        return LEVEL
    planned = len(planned_sizes(sweep.replicas))
    taken = len(looks) - bool(looks and looks[-1].end)
    return interim_level(min(taken + 1, planned), planned, LEVEL)


def look_is_due(content: Mapping[str, Any]) -> bool:
    """Check whether a sweep, all of whose jobs are done, is to be looked at again."""
    if not content.get('sweep', {}).get('decide'):
        return False
    looks = looks_of(content)
    return not looks or (not looks[-1].end and looks[-1].jobs < len(content['jobs']))


def lengthen(jobs: SweepJobs, sweep: Sweep, table: SweepTable, findings: Sequence[Finding]) -> int:
    """Double the sampling of the states whose bounds leave claims open, and count their jobs.

    It is recorded, and left to `record_limits` and `extend_jobs` to do. Nothing is asked of states
    that sample 8 times as long already, nor beyond the budget.
    """
    document = jobs.jobs[0].project.document[SWEEPS][jobs.name]
    before = dict(document().get(LENGTHENED, {}))
    places = [place for each in findings for place in each.bounds_at]
    wanted = {
        result.job: 2 * before.get(result.job, 1)
        for state in table.states
        if state.place in places
        for result in state.results
    }
    wanted = {job: factor for job, factor in wanted.items() if factor <= MOST_LENGTHENING}
    extra = sum(factor // 2 for factor in wanted.values())
    if not wanted or _within_budget(jobs, sweep, extra) < extra:
        return 0
    document[LENGTHENED] = before | wanted
    return len(wanted)


def take_look(
    jobs: SweepJobs, sweep: Sweep, table: SweepTable, findings: Sequence[Finding]
) -> Look:
    """Record what is decided, and make the jobs that are to decide what is not.

    The findings are those at the level of this look, with what was decided before.
    """
    document = jobs.jobs[0].project.document[SWEEPS][jobs.name]
    looks = looks_of(document())
    level = level_of(sweep, looks)
    places = _places_of_claims(findings)
    if isinstance(sweep.decide, dict):
        places = _places_of_precision(table, sweep.decide)
    wanted = _more_replicas(table, places, planned_sizes(sweep.replicas))
    fitting = _within_budget(jobs, sweep, len(wanted))
    end = ''
    if not places:
        end = 'all is decided'
    elif not wanted:
        end = f'all states that matter have {sweep.replicas.maximum} replicas'
    elif fitting < len(wanted):
        end = 'the budget is spent' if not fitting else ''
    wanted = wanted[:fitting]
    decided = {e.key: e.verdict for e in findings if e.verdict in ('agrees', 'disagrees')}
    look = Look(len(looks) + 1, len(jobs.jobs), level, decided, list(places), len(wanted), end)
    made = _make(jobs, wanted)
    # The jobs last: a look that is recorded without them would not be taken again.
    document['jobs'] = [job.id for job in jobs.jobs] + made
    document.setdefault(LOOKS, [])
    # As pairs: signac takes no keys with dots.
    document[LOOKS].append(vars(look) | {'decided': [list(each) for each in decided.items()]})
    return look


def _places_of_claims(findings: Sequence[Finding]) -> dict[str, list[Place]]:
    return {each.quantity: list(each.gains_at) for each in findings if each.gains_at}


def _places_of_precision(
    table: SweepTable, precision: Mapping[str, float]
) -> dict[str, list[Place]]:
    """List, by quantity, the states where it is less precise than asked for."""
    found: dict[str, list[Place]] = {}
    for row in table.rows:
        name, estimate = row.quantity.name, row.estimate
        ends = (estimate.value, estimate.low, estimate.high)
        if name in precision and half_width(row.quantity.combination, *ends) > precision[name]:
            found.setdefault(name, []).append(row.place)
    return found


def _more_replicas(
    table: SweepTable, places: Mapping[str, Sequence[Place]], sizes: Sequence[int]
) -> list[dict[str, Any]]:
    """List the state points to be added, first one for each state, then the second, and so on."""
    wanted = [place for each in places.values() for place in each]
    added: list[tuple[int, dict[str, Any]]] = []
    for state in table.states:
        if state.place in wanted:
            numbers = [_replica(point) for point in _points(state)]
            size = next((each for each in sizes if each > len(numbers)), len(numbers))
            for k in range(size - len(numbers)):
                point = dict(_points(state)[0]) | {'replica': max(numbers) + 1 + k}
                added.append((k, point))
    return [point for _, point in sorted(added, key=lambda each: each[0])]


def _points(state: State) -> list[Mapping[str, Any]]:
    return [result.state_point for result in state.results]


def _replica(point: Mapping[str, Any]) -> int:
    return int(point['replica'])


def _within_budget(jobs: SweepJobs, sweep: Sweep, wanted: int) -> int:
    """Count the jobs that the budget allows for, by what those before took."""
    if sweep.budget is None:
        return wanted
    spent = 0.0
    for job in jobs.jobs:
        runs = read_job_document(job).get(RUNS, [])
        if sweep.budget.steps is not None:  # a run that goes on counts from the first step
            spent += sum({run['stage']: float(run.get('steps', 0)) for run in runs}.values())
            continue
        for run in runs:
            cores = int(run.get('threads') or 1) * int(run.get('ranks') or 1)
            spent += float(run.get('seconds', 0)) * cores / 3600
    limit = float(sweep.budget.steps or sweep.budget.core_hours or 0)
    each = spent / len(jobs.jobs)
    return min(wanted, max(0, int((limit - spent) / each))) if each else wanted


def _make(jobs: SweepJobs, points: Sequence[dict[str, Any]]) -> list[str]:
    """Make jobs beside those that are there; return their ids."""
    project, first = jobs.jobs[0].project, Path(jobs.jobs[0].path)
    added = [make_job(project, point) for point in points]
    model = job_files.read_model(first, read_state_point(dict(state_point_of(jobs.jobs[0])), ''))
    job_files.write_models((Path(job.path) for job in added), model)
    for job in added:
        job_files.write_limits(Path(job.path), job_files.read_limits(first))
    return [str(job.id) for job in added]
