"""From the results of single jobs to one row per state and quantity, over replicas."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from analysis.estimators.drift import shared_drift
from analysis.estimators.estimate import Estimate, exponentiated
from analysis.estimators.pooling import Replicates, pooled_intervals
from analysis.observable import Combination, Quantity
from analysis.observables import OBSERVABLES
from workflow.results.axis import Axis, Place, places_of
from workflow.results.job_results import JobResult
from workflow.stages.review import half_width

NORMAL_95 = 1.959964
# A time that is not positive has no logarithm, and does not occur.
SMALLEST = 1e-300


@dataclass(frozen=True)
class State:
    """Replicas of one state point, and where it is on the axes that all states share."""

    place: Place
    results: tuple[JobResult, ...]


@dataclass(frozen=True)
class Row:
    """One quantity of one state, by its place, over the replicas.

    Attributes:
        quantity: With the estimate over the replicas, whose `n_effective` is how many of them gave
            a value or a bound, and whose verdict says why it is not converged.
        by_replica: What each replica gave, by its number.
    """

    place: Place
    observable: str
    quantity: Quantity
    by_replica: Mapping[int, Quantity] = field(default_factory=dict)

    @property
    def estimate(self) -> Estimate:
        """Of the quantity."""
        return self.quantity.estimate

    @property
    def n_replicas(self) -> int:
        """How many replicas gave a value or a bound."""
        return int(self.estimate.n_effective or 0)

    @property
    def is_converged(self) -> bool:
        """Whether nothing speaks against any replica, and the asked precision is met."""
        return not self.estimate.verdict

    def replicates(self, place: float) -> Replicates:
        """Return the values of the replicas, with their place on an axis, to compare states."""
        return replicates([*self.by_replica.values()], place)


@dataclass(frozen=True)
class SweepTable:
    """The results of a sweep, one row for each state, ordered along its axis, and quantity."""

    name: str
    axis: Axis
    states: tuple[State, ...]
    rows: tuple[Row, ...]


def tabulate(
    name: str, axis: Axis, results: Iterable[JobResult], precision: Mapping[str, float]
) -> SweepTable:
    """Bring the results of a sweep's jobs together, of those that have finished.

    `precision` is what the sweep asks for: relative half-widths, by name of the quantity.
    """
    states = group_states(results, axis)
    rows: list[list[Row]] = [[] for _ in states]
    for observable in OBSERVABLES:
        by_name: dict[str, dict[int, dict[int, Quantity]]] = {}
        for k, state in enumerate(states):
            for result in state.results:
                for each in result.quantities(observable.name):
                    of_state = by_name.setdefault(each.name, {}).setdefault(k, {})
                    of_state[result.state_point['replica']] = each
        for found in by_name.values():
            members = [states[k] for k in found]
            made = _rows_of(observable.name, members, list(found.values()), precision)
            for k, row in zip(found, made, strict=True):
                rows[k].append(row)
    return SweepTable(name, axis, tuple(states), tuple(itertools.chain.from_iterable(rows)))


def group_states(results: Iterable[JobResult], axis: Axis) -> list[State]:
    """Bring replicas together, ordered by the axis, kT and the other axes that vary."""
    groups: dict[str, list[JobResult]] = {}
    for result in results:
        key = {k: v for k, v in result.state_point.items() if k != 'replica'}
        groups.setdefault(json.dumps(key, sort_keys=True), []).append(result)
    places = places_of([group[0].state_point for group in groups.values()], axis)
    states = [
        State(place, tuple(sorted(group, key=lambda r: r.state_point['replica'])))
        for place, group in zip(places, groups.values(), strict=True)
    ]
    return sorted(states, key=_order)


def not_converged(converged: Sequence[bool], of: str = 'states') -> list[str]:
    """Say how many of the values that something rests on speak against themselves, if any do."""
    doubtful = converged.count(False)
    return [f'{doubtful} of {len(converged)} {of} are not converged'] if doubtful else []


def replicates(quantities: Sequence[Quantity], place: float = 0.0) -> Replicates:
    """Collect what replicas gave of one quantity, on the scale on which states are compared.

    That of times is the logarithm. Replicas that gave neither a value nor a bound are left out.
    """
    is_log = quantities[0].combination is Combination.POSITIVE_TIME
    values, censored, errors = [], [], []
    for found in (quantity.estimate for quantity in quantities):
        if found.value is None and not found.is_bound:
            continue
        value, low, high = (
            math.nan if end is None else math.log(max(end, SMALLEST)) if is_log else end
            for end in (found.value, found.low, found.high)
        )
        is_lower = found.low is not None
        values.append(value if found.value is not None else low if is_lower else high)
        censored.append(0 if found.value is not None else 1 if is_lower else -1)
        half = (high - low) / 2
        if is_log and found.low is not None and found.low <= 0:  # an end without a logarithm
            half = high - value
        errors.append(half / NORMAL_95)
    return Replicates(
        place,
        np.array(values, dtype=np.float64),
        np.array(censored, dtype=np.int64),
        np.array(errors, dtype=np.float64),
    )


def combine(by_state: Sequence[Sequence[Quantity]]) -> list[Estimate]:
    """Combine one quantity over the replicas of each state, with 95 % intervals of their means.

    The spread of replicas is pooled over the states where it is the same (`pooled_intervals`): few
    replicas alone give wide intervals. Times are combined on their logarithms. A bound is left
    where a replica gives only a bound. The interval of a proportion is at least as wide as those
    within the runs allow, since replicas that all give 0 or 1 have no spread.

    Returns:
        One estimate for each state, whose `n_effective` is the number of replicas that gave a value
        or a bound.
    """
    found = [replicates(each) for each in by_state]
    means = iter(pooled_intervals([each for each in found if each.n]))
    return [
        _of_state(quantities, next(means) if each.n else Estimate(n_effective=0.0))
        for quantities, each in zip(by_state, found, strict=True)
    ]


def _of_state(quantities: Sequence[Quantity], found: Estimate) -> Estimate:
    """Bring the mean of replicas back to the scale of its quantity; add what speaks against it."""
    first = quantities[0]
    if first.combination is Combination.POSITIVE_TIME:
        found = exponentiated(found)
    estimates = [quantity.estimate for quantity in quantities]
    reasons = _verdicts(estimates)
    if not found.n_effective:
        return Estimate(None, None, None, 0.0, '; '.join(reasons or ['no replica has a value']))
    n = int(found.n_effective)
    if n < len(quantities) and not reasons:
        reasons = [f'{len(quantities) - n} of {len(quantities)} replicas have no value']
    value, low, high = found.value, found.low, found.high
    if value is not None and first.combination is Combination.PROPORTION:
        low, high = _at_least_within_runs(estimates, value, low, high)
    if value is not None and (low is None or high is None or not high - low > 1e-9 * abs(value)):
        low = high = None
        are_given = all(each.low == each.value == each.high for each in estimates)
        if not reasons and value not in first.limits and not are_given:
            reasons = [found.verdict or 'no interval: all replicas are the same']
    elif found.verdict:
        reasons.append(found.verdict)
    return Estimate(value, low, high, float(n), '; '.join(reasons)).within(*first.limits)


def _rows_of(
    observable: str,
    states: Sequence[State],
    found: Sequence[Mapping[int, Quantity]],
    precision: Mapping[str, float],
) -> Iterator[Row]:
    """Make one row of a quantity for each state that has it."""
    estimates = combine([list(each.values()) for each in found])
    for state, by_replica, estimate in zip(states, found, estimates, strict=True):
        first, n = next(iter(by_replica.values())), len(state.results)
        reasons = [estimate.verdict] if estimate.verdict else []
        if not reasons:  # no run alone shows it
            reasons += _shared_drifts(state, first.follows)
        if len(by_replica) < n:
            reasons.append(f'{n - len(by_replica)} of {n} replicas do not have it')
        reasons += _imprecise(first.combination, estimate, precision.get(first.name))
        judged = replace(first, estimate=replace(estimate, verdict='; '.join(reasons)))
        yield Row(state.place, observable, judged, by_replica)


def _shared_drifts(state: State, names: Sequence[str]) -> list[str]:
    """Say which of the named series drift in the mean of the replicas."""
    reasons = []
    for name in names:
        drifts = [each.drifts[name] for each in state.results if name in each.drifts]
        mean, is_significant = shared_drift(drifts) if drifts else (None, False)
        if mean is not None and is_significant:
            reasons.append(
                f'the replicas drift together: {name.replace("_", " ")} by {mean.change:+.2g} of '
                f'its standard deviations within the run, with an error of {mean.error:.1g}'
            )
    return reasons


def _order(state: State) -> Any:
    values = state.place.values()
    return [(isinstance(v, str), 0.0 if isinstance(v, str) else v, str(v)) for v in values]


def _verdicts(estimates: Sequence[Estimate]) -> list[str]:
    """List the verdicts of the replicas, each once, with how many share it."""
    n = len(estimates)
    # The spread of several replicas tells what the intervals of the runs themselves may not.
    verdicts = [each.against if n == 1 else each.verdict for each in estimates]
    counts = Counter(filter(None, verdicts))
    return [
        verdict if count == n else f'{verdict} ({count} of {n} replicas)'
        for verdict, count in counts.items()
    ]


def _imprecise(kind: Combination, found: Estimate, wanted: float | None) -> list[str]:
    if wanted is None:
        return []
    reached = half_width(kind, found.value, found.low, found.high)
    if reached <= wanted:
        return []
    if not math.isfinite(reached):
        return [f'precision {wanted:g} is asked for, and there is no interval over replicas']
    return [f'precision {reached:.2g} over replicas, {wanted:g} is asked for']


def _at_least_within_runs(
    estimates: Sequence[Estimate], mean: float, low: float | None, high: float | None
) -> tuple[float | None, float | None]:
    """Widen an interval to that of the mean of the replicas by their errors within the runs."""
    below = [e.value - e.low for e in estimates if e.value is not None and e.low is not None]
    above = [e.high - e.value for e in estimates if e.value is not None and e.high is not None]
    n = len(below)
    if n == 0 or low is None or high is None:
        return low, high
    return min(low, mean - math.hypot(*below) / n), max(high, mean + math.hypot(*above) / n)
