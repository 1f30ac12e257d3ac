"""Which places may be the highest: kept as often as said, and only as many as the data allow."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.estimators.best_place import place_of_maximum
from analysis.estimators.pooling import Replicates
from validation.coverage import LOWEST, Coverage
from validation.sections.relations import best_place_outcomes


def state(*values: float, censored: int = 0, error: float = np.nan) -> Replicates:
    n = len(values)
    return Replicates(0.0, np.array(values), np.full(n, censored), np.full(n, error))


def test_what_is_clearly_highest_stands_alone() -> None:
    found = place_of_maximum([state(1.0, 1.1), state(3.0, 3.1), state(2.0, 1.9)])
    assert (found.best, found.kept, found.open_above) == (1, (1,), ())


def test_what_cannot_be_told_from_the_highest_stays_though_it_is_no_neighbour() -> None:
    found = place_of_maximum([state(3.0, 2.8), state(1.0, 1.1), state(3.1, 2.8)])
    assert (found.best, found.kept) == (2, (0, 2))


def test_one_replica_each_leaves_out_nothing() -> None:
    found = place_of_maximum([state(1.0, error=0.01), state(9.0, error=0.01)])
    assert (found.best, found.kept) == (1, (0, 1))


def test_one_replica_is_compared_by_the_spread_that_others_have() -> None:
    found = place_of_maximum([state(1.0), state(9.0, 9.1, 8.9), state(8.9, 9.0, 9.1)])
    assert found.kept == (1, 2)


def test_lower_bounds_stay_and_upper_bounds_below_go() -> None:
    values = state(5.0, 5.2, 5.1), state(4.9, 5.1, 5.3)
    above = place_of_maximum([*values, state(2.0, 2.0, 2.0, censored=1)])
    assert (above.kept, above.open_above) == ((0, 1, 2), (2,))
    below = place_of_maximum([*values, state(2.0, 2.0, 2.0, censored=-1)])
    assert (below.kept, below.open_above) == ((0, 1), ())


@pytest.mark.parametrize('replicas', [2, 4])
def test_the_highest_of_equal_places_is_kept(replicas: int) -> None:
    outcomes = best_place_outcomes(np.zeros(7), replicas, np.ones(7), np.random.default_rng(1), 200)
    found = Coverage.of('', (outcome for outcome, _ in outcomes))
    assert found.inside >= LOWEST * found.offered
