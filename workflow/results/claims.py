"""Claims of others beside what a sweep says, from its intervals alone; and where shares set in."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from analysis.observables import OBSERVABLES
from models.model import Model
from user_input import StrictModel, UserError, nearest_name, read_toml, validate
from workflow.results.aggregate import Row
from workflow.results.axis import Axis
from workflow.results.series import Series
from workflow.results.tables import format_interval

ROOT = Path(__file__).parents[2]
SETS_IN_ABOVE = 0.5
# Places are written with two digits: 0.67 is 2/3.
PLACE_TOLERANCE = 0.02
NOT_TESTED = 'not tested'

# What was found, and 'agrees', 'disagrees' or 'undecided'.
Found = tuple[str, str]


class Expectation(StrictModel):
    """What a claim says of a quantity along the axis: one of these.

    Attributes:
        trend: From the first place to the last.
        maximum_at: The place where it is largest.
        greater: Two places: it is greater at the first.
    """

    trend: Literal['falls', 'rises'] | None = None
    maximum_at: float | None = None
    greater: tuple[float, float] | None = None

    @model_validator(mode='after')
    def _one(self) -> Self:
        if sum(each is not None for each in (self.trend, self.maximum_at, self.greater)) != 1:
            raise ValueError(
                "give 'falls', 'rises', { maximum_at = PLACE } or { greater = [PLACE, PLACE] }"
            )
        return self


class Claim(StrictModel):
    """One claim: what is claimed, and where.

    Attributes:
        quantity: Patterns of the names of quantities, as of file names.
        expect: What is claimed of them; None where it cannot be tested.
        not_tested: Why it cannot.
    """

    text: str
    source: str
    quantity: Annotated[list[str], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)] = []
    expect: Annotated[
        Expectation | None, BeforeValidator(lambda v: {'trend': v} if isinstance(v, str) else v)
    ] = None
    not_tested: str = ''

    @model_validator(mode='after')
    def _tested_or_not(self) -> Self:
        if (self.expect is None) == (not self.not_tested):
            raise ValueError("give either 'expect' or the reason why it is 'not_tested'")
        if self.expect is not None and not self.quantity:
            raise ValueError("'expect' needs a 'quantity'")
        return self


class Claims(StrictModel):
    """A file of claims: whose they are, what else a reader has to know, and each of them."""

    title: str
    note: str = ''
    claim: Annotated[list[Claim], Field(min_length=1)]


@dataclass(frozen=True)
class Finding:
    """A claim, or a quantity of which something is found, beside what the sweep says of it."""

    claim: str
    source: str
    found: str
    verdict: str  # 'agrees', 'disagrees', 'undecided' or 'not tested'


def read_claims(name: str, sweep_path: Path, model: Model) -> Claims:
    """Read a file of claims, named relative to the sweep file or else to this project's folder.

    Raises:
        UserError: If there is no such file, something in it is wrong, or a pattern fits no
            quantity of the model.
    """
    places = [sweep_path.parent / name, ROOT / name]
    path = next((each for each in places if each.is_file()), None)
    if path is None:
        raise UserError(
            f"{sweep_path}: report.claims: there is no file '{name}' beside it or in {ROOT}. "
            'Correct the path, or leave the key out.'
        )
    claims = validate(Claims, read_toml(path), str(path))
    types, bonds = sorted(model.beads), sorted(model.bonds)
    known = [name for each in OBSERVABLES for name in each.quantity_names(types, bonds)]
    for number, claim in enumerate(claims.claim):
        for pattern in claim.quantity if claim.expect else ():
            if not any(fnmatchcase(each, pattern) for each in known):
                raise UserError(
                    f"{path}: claim.{number}.quantity: no result of model '{model.name}' is named "
                    f"'{pattern}'. {nearest_name(pattern, known)}"
                )
    return claims


def judge(claims: Claims, many: Sequence[Series], axis: Axis) -> list[Finding]:
    """Hold claims against the series of a sweep that lie along its axis."""
    findings = []
    for claim in claims.claim:
        if claim.expect is None:
            findings.append(Finding(claim.text, claim.source, claim.not_tested, NOT_TESTED))
            continue
        found = [
            Finding(claim.text, claim.source, f'{name}{series.where}: {sentence}', verdict)
            for series in many
            if series.axis == axis
            for name in series.names
            if any(fnmatchcase(name, pattern) for pattern in claim.quantity)
            for sentence, verdict in [_verdict(claim.expect, series.along(name), axis)]
        ]
        patterns = ', '.join(claim.quantity)
        missing = f'no result is named {patterns} along {axis.name or "any axis"}.'
        findings += found or [Finding(claim.text, claim.source, missing, NOT_TESTED)]
    return findings


def onsets(many: Sequence[Series], axis: Axis) -> list[Finding]:
    """Say of each share in the series along the axis between which places it passes 1/2."""
    return [
        Finding(f'{row.quantity.name}{series.where}', '', onset(series.along(name), axis)[0], '')
        for series in many
        if series.axis == axis
        for name in series.proportions
        for row in [series.along(name)[0][1]]
    ]


Point = tuple[float, Row]


def trend(points: Sequence[Point], axis: Axis, *, falls: bool) -> Found:
    """Decide whether a quantity falls or rises from the first to the last place on an axis.

    Two values differ when their intervals do not overlap. Values that are not converged decide
    nothing, but a bound does. The points, place and row of one quantity, are by rising place.
    """
    usable = _usable(points)
    if len(usable) < 2:
        return f'fewer than two values along {axis.name} have it.', 'undecided'
    first, last = usable[0], usable[-1]
    ends = f'{_at(first, axis)}, {_at(last, axis)}'
    change = _change(first, last)
    steps = [_change(a, b) for a, b in itertools.pairwise(usable)]
    counted = (
        f'{steps.count(-1)} of {len(steps)} steps between neighbours fall, {steps.count(1)} rise, '
        f'{len(steps) - steps.count(1) - steps.count(-1)} are undecided.'
    )
    if change is None:
        return f'{ends}: without an interval (one replica) nothing can be decided.', 'undecided'
    if change == 0:
        return f'{ends}: the intervals overlap. {counted}', 'undecided'
    word = 'falls' if change < 0 else 'rises'
    if not _can_decide(first, last):
        return f'{ends}: {word}, but not converged. {counted}', 'undecided'
    agrees = (change < 0) == falls
    # A step against the trend, beyond the intervals, is no trend.
    against = steps.count(-change)
    if agrees and against:
        return f'{ends}: {word} overall, not throughout. {counted}', 'disagrees'
    return f'{ends}: {word}. {counted}', 'agrees' if agrees else 'disagrees'


def maximum(points: Sequence[Point], axis: Axis, place: float) -> Found:
    """Decide whether a quantity is largest at a place; see `trend` for when two values differ."""
    usable = _usable(points)
    top = _nearest(usable, place)
    if top is None or len(usable) < 2:
        return f'it is not known at {axis.text(place)} and elsewhere.', NOT_TESTED
    others = [point for point in usable if point is not top]
    larger = [each for each in others if _change(top, each) == 1 and _can_decide(top, each)]
    if larger:
        return f'{_at(top, axis)}, larger: {_listed(larger, axis)}.', 'disagrees'
    open_ones = [each for each in others if _change(top, each) != -1 or not _can_decide(top, each)]
    if open_ones:
        return f'{_at(top, axis)}, not distinct from {_listed(open_ones, axis)}.', 'undecided'
    return f'{_at(top, axis)}, smaller at all other {len(others)}.', 'agrees'


def greater(points: Sequence[Point], axis: Axis, first: float, second: float) -> Found:
    """Decide whether a quantity is greater at the first of two places; see `trend`."""
    usable = _usable(points)
    one, other = _nearest(usable, first), _nearest(usable, second)
    if one is None or other is None:
        missing = first if one is None else second
        return f'it is not known at {axis.text(missing)}.', NOT_TESTED
    ends, change = f'{_at(one, axis)}, {_at(other, axis)}', _change(one, other)
    if not change or not _can_decide(one, other):
        why = 'the intervals overlap' if change == 0 else 'not converged, or without an interval'
        return f'{ends}: {why}.', 'undecided'
    return f'{ends}.', 'agrees' if change < 0 else 'disagrees'


def onset(points: Sequence[Point], axis: Axis) -> tuple[str, tuple[float | None, float | None]]:
    """Find between which places a share passes 1/2 beyond its interval.

    Also the highest place below it and the lowest one above, where known.
    """
    ends = [(place, row.estimate.low, row.estimate.high) for place, row in points]
    above = [place for place, low, _ in ends if low is not None and low > SETS_IN_ABOVE]
    below = [place for place, _, high in ends if high is not None and high < SETS_IN_ABOVE]
    is_sound = all(row.is_converged for _, row in points)
    caution = '' if is_sound else ' Not all of the values are converged.'
    caution += ' One box size: the onset is that of this size.'
    if not above and not below:
        return f'no interval excludes 1/2: the onset is undecided.{caution}', (None, None)
    if not above:
        text = f'below 1/2 up to {axis.text(max(below))}; no onset is seen beyond doubt.'
        return text + caution, (max(below), None)
    first = min(above)
    lower = [x for x in below if x < first]
    later = [x for x in below if x > first]
    if later:
        caution = f' It falls below 1/2 again at {axis.text(min(later))}.{caution}'
    if lower:
        text = f'sets in between {axis.text(max(lower))} and {first:.3g}.'
        return text + caution, (max(lower), first)
    undecided = ', '.join(f'{place:.3g}' for place, _ in points if place < first)
    below_it = (
        f'undecided at {undecided}' if undecided else 'nothing that has it was simulated below'
    )
    return f'above 1/2 from {axis.text(first)} on; {below_it}.{caution}', (None, first)


def _verdict(expect: Expectation, points: Sequence[Point], axis: Axis) -> Found:
    if expect.trend is not None:
        return trend(points, axis, falls=expect.trend == 'falls')
    if expect.maximum_at is not None:
        return maximum(points, axis, expect.maximum_at)
    assert expect.greater is not None  # one of them is given
    return greater(points, axis, *expect.greater)


def _usable(points: Iterable[Point]) -> list[Point]:
    return [p for p in points if p[1].estimate.value is not None or p[1].estimate.is_bound]


def _nearest(points: Sequence[Point], place: float) -> Point | None:
    near = [point for point in points if math.isclose(point[0], place, rel_tol=PLACE_TOLERANCE)]
    return min(near, key=lambda point: abs(point[0] - place), default=None)


def _can_decide(*points: Point) -> bool:
    return all(row.is_converged or row.estimate.is_bound for _, row in points)


def _listed(points: Iterable[Point], axis: Axis) -> str:
    return '; '.join(_at(point, axis) for point in points)


def _at(point: Point, axis: Axis) -> str:
    place, row = point
    unit = '' if row.quantity.unit == '1' else f' {row.quantity.unit}'
    return f'{format_interval(row.estimate)}{unit} at {axis.text(place)}'


def _change(before: Point, after: Point) -> int | None:
    """Return -1 for a fall, 1 for a rise, 0 where intervals overlap, None where there is none."""
    one, other = _range(before[1]), _range(after[1])
    if one is None or other is None:
        return None
    if other[1] < one[0]:
        return -1
    return 1 if other[0] > one[1] else 0


def _range(row: Row) -> tuple[float, float] | None:
    low, high = row.estimate.low, row.estimate.high
    if row.estimate.is_bound:
        return (-math.inf if low is None else low, math.inf if high is None else high)
    return None if low is None or high is None else (low, high)
