"""Where along the axis of a sweep quantities are highest, or lowest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from analysis.estimators.best_place import place_of_maximum
from analysis.estimators.estimate import Estimate
from workflow.results.aggregate import not_converged
from workflow.results.axis import Axis, value_text
from workflow.results.claims import Claims
from workflow.results.relation import Relation
from workflow.results.series import Series, comparable, fitting
from workflow.sweep.sweep_file import ExtremumTable

HIGHEST, LOWEST = 'place_of_maximum', 'place_of_minimum'
TITLE = 'Where along the axis'
DEFINITION = (
    'The place with the highest (lowest) mean, and from the first to the last of the places that '
    'may have it. A place is left out where it is below (above) some other one by the replicas, '
    'one-sided at 5 % divided by the number of others: multiple comparisons with the best (Hsu, '
    'Ann. Stat. 12, 1136, 1984; Bonferroni). What is truly highest of the places is among them in '
    'some 95 % of sweeps; a place without a value stays. Between the places, and beyond the '
    'ends, nothing is known; a highest value at an end is no maximum.'
)
AT_END, MAYBE_END, INSIDE = (
    'at the end of the axis',
    'within the axis, unless at an end',
    'within the axis',
)


def asked_extrema(asked: ExtremumTable, claims: Claims | None) -> dict[str, Sequence[str]]:
    """List patterns of quantities by relation: those named, else those of claims."""
    of_maximum, of_minimum = asked.maximum, asked.minimum
    if of_maximum is None:
        of_maximum = claims.quantities('maximum_at') if claims else []
    if of_minimum is None:
        of_minimum = claims.quantities('minimum_at') if claims else []
    return {HIGHEST: of_maximum, LOWEST: of_minimum}


def find_extrema(
    many: Sequence[Series], axis: Axis, asked: Mapping[str, Sequence[str]]
) -> Iterator[Relation]:
    """Find where quantities are highest and lowest in each series with two places or more."""
    for relation, patterns in asked.items():
        for name, series in fitting(many, axis, patterns):
            if len(comparable(series.along(name))) > 1:
                yield _relation(relation, name, series)


def _relation(relation: str, name: str, series: Series) -> Relation:
    every = series.along(name)
    points = comparable(every)
    places = [place for place, _ in points]
    states = [row.replicates(place) for place, row in points]
    found = place_of_maximum(states if relation == HIGHEST else [each.negated for each in states])
    missing = [place for place, _ in every if place not in places]
    best, kept = places[found.best], sorted([places[i] for i in found.kept] + missing)
    ends = {every[0][0], every[-1][0]}
    inside = MAYBE_END if ends & set(kept) else INSIDE
    reasons = not_converged([row.is_converged for _, row in every])
    if all(each.n == 1 for each in states):
        reasons.append('one replica of each state: nothing can be left out')
    if missing:
        reasons.append(f'no value at {_listed(missing)}')
    if found.open_above:
        reasons.append(f'only a bound at {_listed([places[i] for i in found.open_above])}')
    estimate = Estimate(best, min(kept), max(kept), len(points), '; '.join(reasons))
    return Relation(
        relation,
        name,
        series.axis.name,
        series.label,
        '1',
        estimate,
        len(points),
        AT_END if best in ends else inside,
        tuple(kept),
    )


def _listed(places: Sequence[float]) -> str:
    return ', '.join(map(value_text, places))
