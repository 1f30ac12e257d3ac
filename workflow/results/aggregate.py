"""From the results of single jobs to one row per state and quantity, over replicas."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from analysis.estimators.estimate import Estimate
from analysis.estimators.replicas import combine_replicas, combine_replicas_log
from analysis.observable import Combination, Quantity
from analysis.observables import OBSERVABLES
from workflow.results.axis import Axis, Place, places_of
from workflow.results.job_results import JobResult
from workflow.stages.review import half_width


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
    """

    place: Place
    observable: str
    quantity: Quantity

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
    rows = tuple(row for state in states for row in _rows_of(state, precision))
    return SweepTable(name, axis, tuple(states), rows)


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


def _rows_of(state: State, precision: Mapping[str, float]) -> Iterator[Row]:
    """Make one row for each quantity."""
    for observable in OBSERVABLES:
        by_name: dict[str, list[Quantity]] = {}
        for result in state.results:
            for quantity in result.quantities(observable.name):
                by_name.setdefault(quantity.name, []).append(quantity)
        for quantities in by_name.values():
            wanted = precision.get(quantities[0].name)
            found = _over_replicas(quantities, len(state.results), wanted)
            yield Row(state.place, observable.name, found)


def combine(quantities: Sequence[Quantity]) -> Estimate:
    """Combine one quantity over independent replicas, with the 95 % interval of their mean.

    Student's t on the values, or on the logarithms of times, whose mean is then geometric; a bound
    where a replica gives only a bound. `n_effective` is the number of replicas that gave either. A
    single replica gives no interval, nor do values that are all the same. The interval of a
    proportion is at least as wide as those within the runs allow, since replicas that all give 0 or
    1 have no spread. Values that are strongly skewed, as those of replicas close to a limit may be,
    get too narrow an interval (measured: validation/sections/intervals.py).
    """
    estimates = [quantity.estimate for quantity in quantities]
    reasons = _verdicts(estimates)
    bounds = [each for each in estimates if each.is_bound]
    values = [each.value for each in estimates if each.value is not None]
    if bounds:
        return _estimate(None, *_common_bound(bounds, values), len(values) + len(bounds), reasons)
    if not values:
        return _estimate(None, None, None, 0, reasons or ['no replica has a value'])
    if len(values) < len(quantities) and not reasons:
        reasons = [f'{len(quantities) - len(values)} of {len(quantities)} replicas have no value']
    if len(values) == 1:
        reasons = [*reasons, 'one replica: no interval']
    kind, limits = quantities[0].combination, quantities[0].limits
    over = combine_replicas_log if kind is Combination.POSITIVE_TIME else combine_replicas
    found = over(values)
    mean, low, high = found.value, found.low, found.high
    assert mean is not None  # there is a value
    if kind is Combination.PROPORTION and low is not None and high is not None:
        low, high = _at_least_within_runs(estimates, mean, low, high)
    if low is None or high is None or not high - low > 1e-9 * abs(mean):
        are_given = all(each.low == each.value == each.high for each in estimates)
        if not reasons and mean not in limits and not are_given:
            reasons = ['no interval: all replicas are the same']
        return _estimate(mean, None, None, len(values), reasons)
    return _estimate(mean, low, high, len(values), reasons).within(*limits)


def _over_replicas(quantities: Sequence[Quantity], n: int, wanted: float | None) -> Quantity:
    first, found = quantities[0], combine(quantities)
    reasons = [found.verdict] if found.verdict else []
    if len(quantities) < n:
        reasons.append(f'{n - len(quantities)} of {n} replicas do not have it')
    reasons += _imprecise(first.combination, found, wanted)
    return replace(first, estimate=replace(found, verdict='; '.join(reasons)))


def _estimate(
    value: float | None, low: float | None, high: float | None, n: int, reasons: Sequence[str]
) -> Estimate:
    return Estimate(value, low, high, float(n), '; '.join(reasons))


def _order(state: State) -> Any:
    values = state.place.values()
    return [(isinstance(v, str), 0.0 if isinstance(v, str) else v, str(v)) for v in values]


def _verdicts(estimates: Sequence[Estimate]) -> list[str]:
    """List the verdicts of the replicas, each once, with how many share it."""
    n, counts = len(estimates), Counter(each.verdict for each in estimates if each.verdict)
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


def _common_bound(
    bounds: Sequence[Estimate], values: Sequence[float]
) -> tuple[float | None, float | None]:
    """Find what holds for all replicas: one with a value is no longer and no shorter than it."""
    longer = [each.low for each in bounds if each.low is not None]
    shorter = [each.high for each in bounds if each.high is not None]
    if longer and shorter:
        return None, None
    return (min([*longer, *values]), None) if longer else (None, max([*shorter, *values]))


def _at_least_within_runs(
    estimates: Sequence[Estimate], mean: float, low: float, high: float
) -> tuple[float, float]:
    """Widen an interval to that of the mean of the replicas by their errors within the runs."""
    below = [e.value - e.low for e in estimates if e.value is not None and e.low is not None]
    above = [e.high - e.value for e in estimates if e.value is not None and e.high is not None]
    n = len(below)
    return min(low, mean - math.hypot(*below) / n), max(high, mean + math.hypot(*above) / n)
