"""The percolation threshold along the axis of a sweep, from two system sizes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from analysis.estimators.crossing import crossing
from analysis.estimators.pooling import Replicates
from analysis.observable import Combination
from workflow.results.aggregate import Row, SweepTable, not_converged, replicates
from workflow.results.axis import Key, key_of, place_text
from workflow.results.relation import Relation

NAME, TITLE = 'percolation_threshold', 'Percolation threshold'
LARGEST, PROBABILITY = 'largest_cluster_fraction', 'percolation_probability_any'
# Of random percolation in three dimensions (Wang, Zhou, Zhang, Garoni and Deng, Phys. Rev. E 87,
# 052107, 2013).
BETA_OVER_NU = 0.47705
DEFINITION = (
    'Where curves of two system sizes cross along the axis, each size over its replicas: the share '
    'of the largest cluster times L^(beta/nu), with L the box length by the number of chains and '
    'beta/nu = 0.477 of random percolation in three dimensions; and the percolation probability '
    'itself, which needs no exponent and sees less. Between places of the sweep the curves are '
    'taken as straight; the interval is all where they are not told apart.'
)
ONE_SIZE = 'one system size, and a threshold needs two: another number of chains'
_SIZE = 'chains'
_PAIRS = ((LARGEST, BETA_OVER_NU), (PROBABILITY, 0.0))


@dataclass(frozen=True)
class Threshold:
    """The curves of the sizes of one group of states, and where those of neighbours cross.

    Attributes:
        where: What they share and other groups do not.
        curves: By quantity and number of chains: place on the axis and row.
    """

    where: str
    curves: Mapping[str, Mapping[float, Sequence[tuple[float, Row]]]]
    relations: tuple[Relation, ...]


def find_thresholds(table: SweepTable) -> list[Threshold]:
    """Find thresholds of all groups of states that have two sizes."""
    axis, found = table.axis, []
    groups: dict[Key, list[Row]] = {}
    for row in table.rows:
        is_drawn = {_SIZE, axis.column} <= row.place.keys() and axis.column != _SIZE
        if row.quantity.name in (LARGEST, PROBABILITY) and is_drawn:
            groups.setdefault(key_of(row.place, _SIZE, axis.column), []).append(row)
    for rest, rows in groups.items():
        curves: dict[str, dict[float, list[tuple[float, Row]]]] = {}
        for row in sorted(rows, key=lambda row: float(row.place[axis.column])):
            of_size = curves.setdefault(row.quantity.name, {})
            point = float(row.place[axis.column]), row
            of_size.setdefault(float(row.place[_SIZE]), []).append(point)
        if len(next(iter(curves.values()))) > 1:
            where = place_text(dict(rest), axis)
            found.append(Threshold(where, curves, tuple(_relations(where, curves))))
    return found


def scale_of(chains: float, exponent: float) -> float:
    """Return L^exponent, with L the cube root of the number of chains."""
    return float(chains ** (exponent / 3))


def _relations(
    where: str, curves: Mapping[str, Mapping[float, Sequence[tuple[float, Row]]]]
) -> Iterator[Relation]:
    for quantity, exponent in _PAIRS:
        of_size = curves.get(quantity, {})
        for small, large in itertools.pairwise(sorted(of_size)):
            lower, upper = dict(of_size[small]), dict(of_size[large])
            shared = sorted(lower.keys() & upper.keys())
            either = [
                [(x, rows[x], size) for x in shared]
                for rows, size in ((lower, small), (upper, large))
            ]
            states = [
                [_replicates(row, x, size, exponent) for x, row, size in each] for each in either
            ]
            both = [pair for pair in zip(*states, strict=True) if all(each.n for each in pair)]
            found = crossing([each for each, _ in both], [each for _, each in both])
            doubts = not_converged([row.is_converged for each in either for _, row, _ in each])
            if doubts and found.value is not None:
                found = replace(found, verdict=doubts[0])
            sizes = f'{small:g} and {large:g} chains'
            yield Relation(NAME, quantity, sizes, where, '1', found, 2 * len(both))


def _replicates(row: Row, place: float, chains: float, exponent: float) -> Replicates:
    """Collect the values of the replicas; logarithms, with the scale of the size, if it has one."""
    quantities = list(row.by_replica.values())
    if not exponent:
        return replicates(quantities, place)
    positive = [
        replace(each, combination=Combination.POSITIVE_TIME)
        for each in quantities
        if each.estimate.value is not None and each.estimate.value > 0
    ]
    if not positive:
        return replicates(quantities, place)
    found = replicates(positive, place)
    return replace(found, values=found.values + math.log(scale_of(chains, exponent)))
