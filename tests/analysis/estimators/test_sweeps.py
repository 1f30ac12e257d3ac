"""Pooled intervals and decisions; how often they are wrong: validation/sections/sweeps.py."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from analysis.estimators.pooling import ONE_REPLICA, Replicates, Spread, bartlett, pooled_intervals
from analysis.estimators.sequential import interim_level
from analysis.estimators.trends import contrast, maximum_test, no_dependence, trend_test

# Times of a sweep of two replicas, in logarithms: they fall by 0.72 per unit, and spread by 0.1.
FALLING = ([2.31, 2.20], [2.12, 1.98], [1.79, 1.90], [1.66, 1.60])


def sweep(
    *values: Sequence[float], error: float = math.nan, censored: Sequence[int] = ()
) -> list[Replicates]:
    """States at 0, 1, ..., of which those named hold values that are larger than known."""
    return [
        Replicates(
            float(place),
            np.array(each, dtype=float),
            np.full(len(each), int(place in censored)),
            np.full(len(each), error),
        )
        for place, each in enumerate(values)
    ]


def test_trend_of_single_values_is_kendalls() -> None:
    values = [3.1, 1.0, 4.0, 1.5, 9.0, 2.6, 5.3]
    expected = stats.kendalltau(range(7), values, method='exact').pvalue
    assert trend_test(sweep(*([v] for v in values))).p == pytest.approx(expected)


def test_trend_over_two_states_is_mann_and_whitneys() -> None:
    first, second = [1.0, 2, 3, 7], [4.0, 5, 6, 8, 9]
    expected = stats.mannwhitneyu(first, second, method='exact').pvalue
    assert trend_test(sweep(first, second)).p == pytest.approx(expected)


def test_trend_counted_by_hand() -> None:
    # 90 orders of three pairs: one has all 12 pairs rising, three have 11 of them.
    assert trend_test(sweep([1, 2], [3, 4], [5, 6])).p == pytest.approx(2 / 90)
    found = trend_test(sweep([1, 2], [3, 5], [4, 6]))
    assert found.p == pytest.approx(2 * 3 / 90)
    assert (found.direction, found.more_replicas) == (0, 1)


def test_ties_and_many_values_agree_with_scipy() -> None:
    generator = np.random.default_rng(1)
    few = generator.integers(0, 9, (4, 5)) + np.arange(4)[:, None]
    many = generator.normal(size=(6, 20)) + 0.1 * np.arange(6)[:, None]
    for table, tolerance in ((few, 0.015), (many, 0.002)):
        expected = stats.kendalltau(np.repeat(np.arange(len(table)), table.shape[1]), table.ravel())
        assert trend_test(sweep(*table)).p == pytest.approx(expected.pvalue, abs=tolerance)


def test_falling_sweep_is_decided_where_intervals_of_two_replicas_are_not() -> None:
    states = sweep(*FALLING)
    trend = trend_test(states)
    assert (trend.direction, trend.more_replicas) == (-1, 0)
    assert trend.effect.low < -0.21 < trend.effect.high < 0
    assert trend.power > 0.9
    assert contrast(states, 0, 3).direction == 1
    assert contrast(states, 3, 0).direction == -1
    assert maximum_test(states, 0).direction == 0
    assert maximum_test(states, 3).direction == -1
    assert maximum_test(sweep([3.0, 3.1], *FALLING[1:]), 0).direction == 1
    own = stats.t.ppf(0.975, 1) * np.std(FALLING[1], ddof=1) / math.sqrt(2)
    spread = Spread.of(states)
    assert spread.degrees_of_freedom == 4
    assert spread.deviation == pytest.approx(
        math.sqrt(np.mean([np.var(each, ddof=1) for each in FALLING]))
    )
    estimate = pooled_intervals(states)[1]
    assert estimate.high - estimate.low < 2 * own / 4


def test_weighted_spread_by_hand() -> None:
    # Variances 2 and 0.5, pooled 1.25; the first state's is (4 * 1.25 + 2) / 5, with 2 degrees.
    estimate = pooled_intervals(sweep([0, 2], [5, 6]))[0]
    half = stats.t.ppf(0.975, 2) * math.sqrt(7 / 5 / 2)
    assert (estimate.low, estimate.high) == pytest.approx((1 - half, 1 + half))


def test_spreads_that_differ_are_not_pooled() -> None:
    generator = np.random.default_rng(2)
    values = generator.normal(size=(3, 6)) * np.array([[1], [1], [20]])
    spread = Spread.of(sweep(*values))
    expected = stats.bartlett(*values).pvalue
    assert spread.homogeneity_p == pytest.approx(expected)
    assert spread.differs
    assert bartlett(values.var(axis=1, ddof=1), np.full(3, 5.0)) == pytest.approx(expected)
    assert spread.degrees_of_freedom == 0
    low, high = stats.ttest_1samp(values[0], 0).confidence_interval()
    estimate = pooled_intervals(sweep(*values))[0]
    assert (estimate.low, estimate.high) == pytest.approx((low, high))
    welch = stats.ttest_ind(values[0], values[2], equal_var=False).pvalue
    assert contrast(sweep(*values), 0, 2).p == pytest.approx(welch)


def test_one_replica_has_the_shared_spread_or_the_error_within_its_run() -> None:
    shared = pooled_intervals(sweep([1.0, 1.2], [2.0, 2.1], [3.0]))
    assert shared[2].is_converged
    alone = pooled_intervals(sweep([1.0], [2.0], error=0.1))
    assert alone[0].verdict == ONE_REPLICA
    assert alone[0].high == pytest.approx(1.196, abs=1e-3)
    nothing = pooled_intervals(sweep([1.0], [2.0]))
    assert nothing[0].low is None
    assert contrast(sweep([1.0], [2.0], error=0.1), 1, 0).effect.verdict == ONE_REPLICA


def test_no_interval_is_narrower_than_the_runs_allow() -> None:
    estimate = pooled_intervals(sweep([1.0, 1.001], [2.0, 2.001], error=0.5))[0]
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 * 0.5 / math.sqrt(2), rel=1e-3)


def test_bounds_count_where_they_are_certain() -> None:
    # The last state's times are longer than its runs.
    states = sweep([1.0, 1.1], [2.0, 2.2], [3.0, 3.0], censored=[2])
    assert trend_test(states).direction == 1
    up = contrast(states, 2, 0)
    assert up.direction == 1
    assert up.effect.is_bound
    assert up.effect.low > 0
    assert contrast(states, 0, 2).direction == -1
    assert maximum_test(states, 2).direction == 1
    estimate = pooled_intervals(states)[2]
    assert (estimate.value, estimate.low, estimate.high) == (None, 3.0, None)
    # What is larger than a small number may be larger than anything.
    below = sweep([5.0, 5.1], [4.0, 4.2], [3.0, 3.0], censored=[2])
    assert trend_test(below).direction == 0
    assert contrast(below, 0, 2).direction == 0
    assert maximum_test(below, 0).direction == 0


def test_bounds_without_a_spread_are_told_apart_by_their_order() -> None:
    states = sweep([1.0, 1.1, 1.3, 1.2], [3.0] * 4, censored=[0, 1])
    assert contrast(states, 1, 0).direction == 0
    mixed = [states[1], replace(states[0], censored=np.array([0, 0, 0, -1]))]
    found = contrast(mixed, 0, 1)
    assert found.direction == 1
    assert found.p == pytest.approx(2 / 70, abs=0.01)
    assert 'order of the values' in found.why


@pytest.mark.parametrize(
    ('states', 'why'),
    [
        (sweep([1.0, 2.0, 3.0]), 'one'),
        (sweep([1.0], [2.0], [3.0]), 'too few|neither'),
        (sweep([1.0, 1.0], [2.0, 2.0]), 'too few|neither'),
        (sweep([1.0, 2.0], [1.0, 3.0], [2.0, 1.0], censored=[0, 1, 2]), 'bounds'),
    ],
)
def test_what_cannot_be_decided_says_why(states: list[Replicates], why: str) -> None:
    last = len(states) - 1
    decisions = [trend_test(states), maximum_test(states, last), no_dependence(states, 1.0)]
    for found in [*decisions, contrast(states, last, 0)] if last else decisions:
        assert found.direction == 0
        assert found.p > 0.05
        assert not found.test
        assert found.why.startswith('cannot be decided because')
        assert any(word in found.why for word in why.split('|'))
    assert len(pooled_intervals(states)) == len(states)


def test_no_dependence_needs_intervals_within_the_margin() -> None:
    states = sweep([1.0, 1.02, 0.99], [1.01, 1.0, 0.98], [1.0, 1.01, 1.03])
    assert no_dependence(states, 0.1).direction == 1
    narrow = no_dependence(states, 0.03)
    assert narrow.direction == 0
    assert narrow.more_replicas is not None
    assert no_dependence(sweep(*FALLING), 0.1).direction == 0


def test_further_replicas_that_decide() -> None:
    generator = np.random.default_rng(3)
    pilot = np.array([-1, 1]) / math.sqrt(2)
    line = np.array([0.0, 0.35, 0.7, 1.05])
    states = sweep(*(pilot + mean for mean in line))
    more = trend_test(states).more_replicas
    assert more is not None
    assert 3 <= more <= 12
    decided = np.mean([
        trend_test(sweep(*(generator.normal(mean, 1, 2 + more) for mean in line))).direction == 1
        for _ in range(200)
    ])  # fmt: skip
    assert decided == pytest.approx(0.8, abs=0.1)


def test_too_few_values_say_how_many_more_could_do() -> None:
    # One value at each of three places has 6 orders; two at each have 90.
    found = trend_test(sweep([1.0], [2.0], [3.0]))
    assert (found.direction, found.more_replicas) == (0, 1)
    assert found.p == pytest.approx(2 / 6)
    early = trend_test(sweep([1.0, 1.1], [2.0, 2.1], [3.0, 3.1]), level=1e-4)
    assert (early.direction, early.more_replicas) == (0, 2)
    assert early.effect.low < 1 < early.effect.high


def test_few_sweeps_without_an_effect_are_decided() -> None:
    generator = np.random.default_rng(4)
    decided, inside = np.zeros(3), 0
    for _ in range(400):
        states = sweep(*generator.normal(size=(5, 3)))
        found = trend_test(states), contrast(states, 0, 4), maximum_test(states, 2)
        decided += [each.direction != 0 for each in found]
        inside += sum(e.low < 0 < e.high for e in pooled_intervals(states))
    assert np.all(decided / 400 <= 0.08)
    assert inside / 2000 == pytest.approx(0.95, abs=0.02)


def test_looks_keep_the_level_together() -> None:
    assert interim_level(1, 1) == pytest.approx(0.05, abs=1e-4)
    levels = [interim_level(look, 4) for look in (1, 2, 3, 4)]
    assert levels == sorted(levels)
    walk = np.random.default_rng(5).normal(size=(100_000, 4)).cumsum(axis=1)
    p = 2 * stats.norm.sf(np.abs(walk) / np.sqrt([1, 2, 3, 4]))
    assert np.mean((p <= levels).any(axis=1)) == pytest.approx(0.05, abs=0.002)
    first = 2 * stats.norm.sf(stats.norm.isf(0.025) * 2)
    assert levels[0] == pytest.approx(first, rel=0.05)
