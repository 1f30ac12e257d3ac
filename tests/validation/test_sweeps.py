"""The synthetic sweeps are what their rows say, and the verdicts can fail."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from validation.claim import Verdict
from validation.sections.sweeps import (
    Draw,
    apart,
    cut,
    false_decisions,
    gamma,
    lognormal,
    normal,
    standard,
    state,
)


@pytest.mark.parametrize(('draw', 'skew'), [(normal, 0), (lognormal, 1), (gamma, 1)])
def test_values_have_no_mean_and_unit_variance(draw: Draw, skew: float) -> None:
    values = draw(np.random.default_rng(1), 400_000)
    assert values.mean() == pytest.approx(0, abs=0.01)
    assert values.var() == pytest.approx(1, abs=0.02)
    assert stats.skew(values) == pytest.approx(skew, abs=0.08)


def test_more_than_five_percent_fails() -> None:
    assert false_decisions('all', 540, 10_000).verdict is Verdict.PASS
    assert false_decisions('all', 560, 10_000).verdict is Verdict.FAIL


def test_bounds_stand_at_their_limit() -> None:
    found = cut(state(0.0, np.array([0.5, 2.0])), 1.0)
    assert found.values.tolist() == [0.5, 1.0]
    assert found.censored.tolist() == [0, 1]


def test_intervals_apart() -> None:
    values = standard(3)
    # Half a width of 2.48: 4.303 / sqrt(3).
    assert not apart(state(0, values), state(1, values + 4.9))
    assert apart(state(0, values), state(1, values + 5.0))
