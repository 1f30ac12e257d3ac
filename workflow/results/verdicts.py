"""Verdicts on claims, from the values of a sweep's replicas; and where shares set in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from analysis.estimators.estimate import Estimate, exponentiated
from analysis.estimators.pooling import ONE_REPLICA
from analysis.estimators.trends import (
    LEVEL,
    Decision,
    contrast,
    maximum_test,
    minimum_test,
    no_dependence,
    trend_test,
    undecided,
)
from analysis.observable import Combination
from workflow.results.aggregate import Row, not_converged
from workflow.results.axis import Axis, Place
from workflow.results.claims import PLACE_TOLERANCE, Claim, Claims, Expectation
from workflow.results.series import Point, Series, comparable, fitting
from workflow.results.tables import format_interval

SETS_IN_ABOVE = 0.5
NOT_TESTED = 'not tested'
NOTHING: Mapping[str, str] = {}

# A quantity that changes by less over the axis does not depend on it.
INDEPENDENT_WITHIN = 0.1


@dataclass(frozen=True)
class Finding:
    """A claim beside what a sweep says of one quantity.

    Attributes:
        quantity: Its name, with the series where there are several.
        found: What is seen, in words.
        effect: With its interval, as text.
        p: Of no effect, two-sided, adjusted for the quantities of the claim.
        power: Chance that this design decides an effect as large as that seen.
        cure: What would decide it.
        test: Which test was used, and why that; empty where nothing could be decided.
        why: What it rests on here, or why nothing could be decided.
        gains_at: Where more replicas would tell most, while it is undecided.
        expected: What is claimed, as written in the file.
        bounds_at: Those of them where longer runs would: they have only bounds.
    """

    claim: str
    source: str
    quantity: str
    found: str
    verdict: str
    effect: str = ''
    p: float | None = None
    power: float | None = None
    cure: str = ''
    test: str = ''
    why: str = ''
    gains_at: tuple[Place, ...] = ()
    bounds_at: tuple[Place, ...] = ()
    expected: str = ''

    @property
    def key(self) -> str:
        """What it is about, by which it is found again at a later look."""
        return ' '.join((self.claim, self.quantity, self.expected))

    @property
    def is_open(self) -> bool:
        """Whether it was tested, and not decided."""
        return self.verdict == 'undecided'


def judge(
    claims: Claims,
    many: Sequence[Series],
    axis: Axis,
    level: float = LEVEL,
    missing: Mapping[str, str] = NOTHING,
) -> list[Finding]:
    """Hold claims against the series of a sweep that lie along its axis.

    A claim on several quantities decides each of them at a p that Holm's method adjusts for their
    number (1979, Scand. J. Statist. 6, 65). `level` is the rate of false decisions; `missing` says
    why there is no quantity of a name.
    """
    findings = []
    for claim in claims.claim:
        if claim.expect is None:
            findings.append(Finding(claim.text, claim.source, '', claim.not_tested, NOT_TESTED))
            continue
        asked = [
            (f'{name}{series.where}', series.along(name))
            for name, series in fitting(many, axis, claim.quantity)
        ]
        if not asked:
            patterns = ', '.join(claim.quantity)
            why = f'no result is named {patterns} along {axis.name or "any axis"}'
            why = ': '.join([why, *(missing[each] for each in claim.quantity if each in missing)])
            findings.append(Finding(claim.text, claim.source, '', f'{why}.', NOT_TESTED))
            continue
        tests = [_test(claim.expect, points, axis, level) for _, points in asked]
        adjusted = holm([1.0 if test.decision is None else test.decision.p for test in tests])
        for (name, points), test, p in zip(asked, tests, adjusted, strict=True):
            findings.append(_finding(claim, name, points, test, p, level))
    return findings


def keep_decided(findings: Sequence[Finding], decided: Mapping[str, str]) -> list[Finding]:
    """Keep the verdicts of an earlier look at a sweep that has got more replicas since."""
    return [
        replace(each, verdict=decided[each.key], cure='', gains_at=(), bounds_at=())
        if each.key in decided
        else each
        for each in findings
    ]


def holm(p: Sequence[float]) -> list[float]:
    """Adjust p for the number of tests, by Holm's method."""
    order = sorted(range(len(p)), key=lambda k: p[k])
    adjusted, largest = [1.0] * len(p), 0.0
    for rank, k in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - rank) * p[k]))
        adjusted[k] = largest
    return adjusted


def onsets(many: Sequence[Series], axis: Axis) -> dict[str, str]:
    """Say of each share in the series along the axis between which places it passes 1/2."""
    return {
        f'{name}{series.where}': onset(series.along(name), axis)
        for series in many
        if series.axis == axis
        for name in series.proportions
    }


@dataclass(frozen=True)
class Comparison:
    """An expectation of a quantity, tested: with the wanted direction, and what is seen.

    There is no decision where the quantity is not known at a place that is asked for.

    Attributes:
        decided_by: The values that tell most.
        is_independent: Whether there is no dependence beyond `INDEPENDENT_WITHIN`.
        against: Steps between neighbours that contradict a trend beyond doubt.
    """

    wanted: int
    seen: str
    decision: Decision | None = None
    effect: str = ''
    decided_by: Sequence[Point] = ()
    is_independent: bool = False
    against: str = ''


def trend(points: Sequence[Point], axis: Axis, wanted: int, level: float = LEVEL) -> Comparison:
    """Test whether a quantity falls (-1) or rises (1) along an axis.

    The points, place and row of one quantity, are by rising place.
    """
    usable = comparable(points)
    if len(usable) < 2:
        return Comparison(
            wanted, f'cannot be decided: fewer than two states along {axis.name} have it.'
        )
    states = [row.replicates(place) for place, row in usable]
    first, last = usable[0], usable[-1]
    decision = trend_test(states, level)
    span = last[0] - first[0]
    # Of two states a rank test makes little; of bounds, a difference of means.
    if len(states) == 2 and not any(state.is_censored for state in states):
        decision, span = _of_replicas(contrast(states, 1, 0, level)), 1.0
    seen = f'{_at(first, axis)}, {_at(last, axis)}.'
    change = decision.effect.mapped(lambda end: end * span)
    effect = _effect_text(change, first[1], f', {axis.text(first[0])} to {last[0]:.3g}')
    outer = -(-len(usable) // 3)
    ends = usable[:outer] + usable[-outer:]  # on which a slope rests most
    if not decision.direction:
        margin = _margin([row for _, row in usable])
        if no_dependence(states, margin, level).direction:
            seen += f' No dependence within {INDEPENDENT_WITHIN:.0%}.'
            return Comparison(wanted, seen, decision, effect, is_independent=True)
        return Comparison(wanted, seen, decision, effect, ends)
    pairs = range(len(states) - 1)
    steps = [contrast(states, k + 1, k, level / len(states)) for k in pairs]
    against = [
        f'{axis.text(usable[k][0])} to {usable[k + 1][0]:.3g}'
        for k, step in enumerate(steps)
        if step.direction == -decision.direction
    ]
    return Comparison(wanted, seen, decision, effect, ends, against=', '.join(against))


def extremum(
    points: Sequence[Point], axis: Axis, place: float, sign: int, level: float = LEVEL
) -> Comparison:
    """Test whether a quantity is largest (1) or smallest (-1) at a place."""
    usable = comparable(points)
    top = _nearest(usable, place)
    if top is None or len(usable) < 2:
        return Comparison(1, f'it is not known at {axis.text(place)} and elsewhere.')
    states = [row.replicates(each) for each, row in usable]
    index = usable.index(top)
    test = maximum_test if sign > 0 else minimum_test
    decision = _of_replicas(test(states, index, level))
    others = [point for point in usable if point is not top]
    rival = max(others, key=lambda point: sign * _known(point[1]))
    if decision.rival is not None:
        rival = usable[decision.rival]
    seen = f'{_at(top, axis)}; the hardest to tell from it {_at(rival, axis)}.'
    where = f', {axis.text(top[0])} against {rival[0]:.3g}'
    effect = _effect_text(decision.effect, top[1], where)
    return Comparison(1, seen, decision, effect, [top, rival])


def greater(
    points: Sequence[Point], axis: Axis, first: float, second: float, level: float = LEVEL
) -> Comparison:
    """Test whether a quantity is greater at the first of two places."""
    usable = comparable(points)
    one, other = _nearest(usable, first), _nearest(usable, second)
    if one is None or other is None:
        missing = first if one is None else second
        return Comparison(1, f'it is not known at {axis.text(missing)}.')
    states = [row.replicates(each) for each, row in usable]
    decision = _of_replicas(contrast(states, usable.index(one), usable.index(other), level))
    where = f', {axis.text(one[0])} against {other[0]:.3g}'
    effect = _effect_text(decision.effect, one[1], where)
    return Comparison(1, f'{_at(one, axis)}, {_at(other, axis)}.', decision, effect, [one, other])


def onset(points: Sequence[Point], axis: Axis) -> str:
    """Say between which places a share passes 1/2 beyond its interval."""
    ends = [(place, row.estimate.low, row.estimate.high) for place, row in points]
    above = [place for place, low, _ in ends if low is not None and low > SETS_IN_ABOVE]
    below = [place for place, _, high in ends if high is not None and high < SETS_IN_ABOVE]
    is_sound = all(row.is_converged for _, row in points)
    caution = '' if is_sound else ' Not all of the values are converged.'
    caution += ' One box size: the onset is that of this size.'
    if not above and not below:
        return f'no interval excludes 1/2: the onset is undecided.{caution}'
    if not above:
        where = axis.text(max(below))
        return f'below 1/2 up to {where}; no onset is seen beyond doubt.{caution}'
    first = min(above)
    lower = [x for x in below if x < first]
    later = [x for x in below if x > first]
    if later:
        caution = f' It falls below 1/2 again at {axis.text(min(later))}.{caution}'
    if lower:
        return f'sets in between {axis.text(max(lower))} and {first:.3g}.{caution}'
    undecided = ', '.join(f'{place:.3g}' for place, _ in points if place < first)
    below_it = (
        f'undecided at {undecided}' if undecided else 'nothing that has it was simulated below'
    )
    return f'above 1/2 from {axis.text(first)} on; {below_it}.{caution}'


def _test(expect: Expectation, points: Sequence[Point], axis: Axis, level: float) -> Comparison:
    if expect.trend is not None:
        return trend(points, axis, -1 if expect.trend == 'falls' else 1, level)
    if expect.maximum_at is not None:
        return extremum(points, axis, expect.maximum_at, 1, level)
    if expect.minimum_at is not None:
        return extremum(points, axis, expect.minimum_at, -1, level)
    assert expect.greater is not None  # one of them is given
    return greater(points, axis, *expect.greater, level)


def _finding(
    claim: Claim, name: str, points: Sequence[Point], test: Comparison, p: float, level: float
) -> Finding:
    decision = test.decision
    doubts = ''.join(f'{each}.' for each in not_converged([row.is_converged for _, row in points]))
    if decision is None:
        return Finding(claim.text, claim.source, name, test.seen, NOT_TESTED)
    is_decided = test.is_independent or (decision.direction != 0 and p <= level)
    found, verdict, cure = test.seen, 'undecided', ''
    if not is_decided:
        cure = _cure(decision)
    elif decision.direction != test.wanted:
        verdict = 'disagrees'
    else:
        verdict = 'disagrees' if test.against else 'agrees'
        found += f' Against it: {test.against}.' if test.against else ''
    found = ' '.join(filter(None, (found, doubts)))
    assert claim.expect is not None  # it was tested
    expected = claim.expect.model_dump_json(exclude_none=True)
    measures = (verdict, test.effect, p, decision.power, cure)
    about = (decision.test, decision.why)
    gains = [] if is_decided else [row for _, row in test.decided_by]
    bounds = [row for row in gains if row.estimate.is_bound]
    gains_at, bounds_at = (tuple(row.place for row in rows) for rows in (gains, bounds))
    return Finding(
        claim.text, claim.source, name, found, *measures, *about, gains_at, bounds_at, expected
    )


def _of_replicas(decision: Decision) -> Decision:
    """Decide nothing where the error within a run stands for a spread of replicas."""
    if decision.effect.verdict == ONE_REPLICA:
        return undecided('a state has one replica, and no spread of replicas is known')
    return decision


def _cure(decision: Decision) -> str:
    if not decision.test:
        return f'It {decision.why}'
    if decision.more_replicas is None:
        return 'No number of replicas would decide so small an effect'
    more = decision.more_replicas or 1
    many = f'{more} more replica{"" if more == 1 else "s"}'
    return f'To decide it: {many} of each state, were the effect as seen'


def _margin(rows: Sequence[Row]) -> float:
    """Return the change that counts as none, on the scale of the values."""
    if rows[0].quantity.combination is Combination.POSITIVE_TIME:
        return math.log(1 + INDEPENDENT_WITHIN)
    return INDEPENDENT_WITHIN * max(abs(_known(row)) for row in rows)


def _effect_text(change: Estimate, row: Row, where: str) -> str:
    """Write a change with its interval: of times as a factor."""
    if change.value is None and not change.is_bound:
        return ''
    if row.quantity.combination is Combination.POSITIVE_TIME:
        return f'\N{MULTIPLICATION SIGN} {format_interval(exponentiated(change))}{where}'
    unit = '' if row.quantity.unit == '1' else f' {row.quantity.unit}'
    sign = '+' if change.value is not None and change.value > 0 else ''
    return f'{sign}{format_interval(change)}{unit}{where}'


def _nearest(points: Sequence[Point], place: float) -> Point | None:
    near = [point for point in points if math.isclose(point[0], place, rel_tol=PLACE_TOLERANCE)]
    return min(near, key=lambda point: abs(point[0] - place), default=None)


def _at(point: Point, axis: Axis) -> str:
    place, row = point
    unit = '' if row.quantity.unit == '1' else f' {row.quantity.unit}'
    return f'{format_interval(row.estimate)}{unit} at {axis.text(place)}'


def _known(row: Row) -> float:
    """Return the value, or the bound."""
    estimate = row.estimate
    found = next(e for e in (estimate.value, estimate.low, estimate.high) if e is not None)
    return float(found)
