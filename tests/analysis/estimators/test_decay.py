"""Relaxation times of curves that are known exactly."""

import math

import numpy as np
import pytest

from analysis.estimators.decay import LARGE_TAIL, decay_times, integrate_decay
from analysis.estimators.estimate import Estimate
from analysis.sampling.correlation_plan import plan_correlations
from tests.analysis.builders import log_spaced_steps

LAGS = np.logspace(0, 2, 20)
FINE = np.logspace(-2, 3, 45)
EXPONENTIAL = np.exp(-LAGS / 10)


def in_blocks(curve):
    """Eight equal blocks of a curve at 20 lags from 1 to 100, with one origin each."""
    return np.tile(curve, (8, 1)), np.ones((8, 20))


@pytest.mark.parametrize(('beta', 'gamma'), [(1.0, 1.0), (0.6, 1.5045755), (1.5, 0.9027453)])
@pytest.mark.parametrize('time', [FINE, np.logspace(-1, 3, 13), LAGS])
def test_the_integral_of_a_stretched_exponential(beta, gamma, time):
    total, tail = integrate_decay(time, np.exp(-((time / 8.0) ** beta)))
    assert total == pytest.approx(8.0 * gamma, rel=0.005)
    assert (tail.tau, tail.beta) == pytest.approx((8.0, beta), rel=0.01)
    assert tail.begins == pytest.approx(8.0 * math.log(20) ** (1 / beta), rel=0.3)


def test_the_tail_of_a_curve_that_ends_early():
    time = LAGS[LAGS < 12]
    total, tail = integrate_decay(time, np.exp(-time / 10))
    assert total == pytest.approx(10, rel=0.005)
    assert tail.begins == time[-1]
    assert tail.share == pytest.approx(np.exp(-time[-1] / 10), rel=0.01)


def test_what_is_lost_at_once_counts():
    total, tail = integrate_decay(FINE, 0.85 * np.exp(-FINE / 10))
    assert total == pytest.approx(8.5, rel=0.03)
    # The tail of one that loses half at once is taken for more stretched than it is.
    _, tail = integrate_decay(FINE, 0.5 * np.exp(-FINE / 10))
    assert tail.share > LARGE_TAIL


@pytest.mark.parametrize(
    ('longest', 'verdict'),
    [(40, ''), (24, '30 % of it is extrapolated'), (9, 'more than half of it is beyond 9')],
)
def test_a_long_tail_is_doubted(longest, verdict):
    time = np.geomspace(0.1, longest, 20)
    curve = np.exp(-np.sqrt(time / 4))
    mean = decay_times(time, np.tile(curve, (8, 1)), np.ones((8, 20)), 1e4).mean
    assert mean.verdict.startswith(verdict) if verdict else not mean.verdict
    if longest == 9:
        assert mean.value is None
        assert 0.3 * 8 < mean.low < 0.5 * 8
    else:
        assert mean.value == pytest.approx(8, rel=0.01)


# Each rotor turns at a rate of its own: the curve is no stretched exponential.
TIMES = np.geomspace(3, 60, 40)
WAYS = ('all', 'second blocks', 'fewer lags', 'even', 'a late first lag')


def thinned(steps, way):
    place = steps % 128
    return {
        'all': steps >= 0,
        'second blocks': steps // 128 % 2 == 0,
        'fewer lags': np.isin(place, [0, 1, 4, 16, 64]),
        'even': place % 32 == 0,
        'a late first lag': (place == 0) | (place >= 4),
    }[way]


def test_mean_times_do_not_depend_on_the_frames():
    steps = np.union1d(log_spaced_steps(64, block=128), np.arange(0, 64 * 128, 32))
    kicks = np.random.default_rng(2).normal(size=(len(steps), len(TIMES)))
    angle = np.cumsum(kicks * np.sqrt(2 * np.diff(steps, prepend=0)[:, None] / TIMES), axis=0)
    found = {}
    for way in WAYS:
        kept = thinned(steps, way)
        plan, kept_angle = plan_correlations(steps[kept]), angle[kept]
        cosine = np.cos(kept_angle[plan.later] - kept_angle[plan.origin]).mean(axis=1)
        sums, counts = np.zeros((2, plan.n_blocks, len(plan.lags)))
        np.add.at(sums, (plan.block, plan.lag_index), cosine)
        np.add.at(counts, (plan.block, plan.lag_index), 1)
        found[way] = decay_times(plan.lags.astype(float), sums, counts, float(plan.duration))
    means = {way: decay.mean for way, decay in found.items() if way != 'even'}
    for mean in means.values():
        assert not mean.verdict
        assert mean.low < TIMES.mean() < mean.high < 1.8 * mean.low
        assert all(mean.low < other.value < mean.high for other in means.values())
    # Half of the curve is over before the first of its lags.
    assert found['even'].one_over_e == Estimate(high=32, verdict='decayed before the shortest lag')
    assert found['even'].mean == Estimate(verdict='decayed before the shortest lag')


def test_bounds_instead_of_numbers():
    slow = decay_times(LAGS, *in_blocks(np.exp(-LAGS / 1e4)), 300.0)
    assert slow.mean.value is None
    assert slow.one_over_e.low == pytest.approx(100)
    assert slow.mean.low == pytest.approx(100 / math.e)
    fast = decay_times(LAGS, *in_blocks(np.exp(-LAGS * 5)), 300.0)
    assert fast.one_over_e.value is None
    assert fast.one_over_e.high == 1


def test_times_that_rest_on_one_block_have_no_interval():
    blocks, counts = in_blocks(EXPONENTIAL)
    # All but the first never fall to 1/e.
    blocks[1:] = np.maximum(blocks[1:], 0.42)
    blocks[0] = 8 * EXPONENTIAL - blocks[1:].sum(axis=0)
    decay = decay_times(LAGS, blocks, counts, 1e4)
    for time in (decay.one_over_e, decay.mean):
        assert time.value == pytest.approx(10, rel=0.01)
        assert (time.low, time.high) == (None, None)
        assert time.interval_verdict == 'does not hold without one of its blocks'


@pytest.mark.parametrize(('duration', 'is_doubted'), [(8 * 21.0, False), (8 * 19.0, True)])
def test_a_time_longer_than_half_a_block_is_doubted(duration, is_doubted):
    generator = np.random.default_rng(2)
    blocks = EXPONENTIAL + generator.normal(0, 0.01, (8, 20))
    decay = decay_times(LAGS, blocks, np.ones((8, 20)), duration)
    for time in (decay.one_over_e, decay.mean):
        assert time.value == pytest.approx(10, rel=0.04)
        assert time.low < time.value < time.high
        assert ('longer than half a block' in time.interval_verdict) is is_doubted


def test_too_few_blocks_give_no_interval():
    counts = np.zeros((8, 20))
    counts[[0, 4]] = 2
    counts[:, 15:] = 1
    decay = decay_times(LAGS, counts * EXPONENTIAL, counts, 300.0)
    assert decay.one_over_e.value == pytest.approx(10, rel=0.05)
    assert decay.one_over_e.low is None
    assert '(2): no interval' in decay.one_over_e.interval_verdict
    assert decay.mean.low is None
