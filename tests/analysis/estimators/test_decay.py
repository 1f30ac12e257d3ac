"""Relaxation times of curves that are known exactly."""

from functools import partial

import numpy as np
import pytest
from scipy import optimize

from analysis.estimators.decay import decay_times, fit_stretched_exponential
from analysis.estimators.estimate import Estimate

LAGS = np.logspace(0, 2, 20)
EXPONENTIAL = np.exp(-LAGS / 10)
NO_FIT = 'no stretched exponential fits: the fit does not converge or beta is at a limit'


def test_a_stretched_exponential_is_found_again():
    time = np.logspace(-2, 3, 45)
    curve = 0.85 * np.exp(-((time / 3.0) ** 0.6))
    fit = fit_stretched_exponential(time, curve)
    assert (fit.amplitude, fit.tau, fit.beta) == pytest.approx((0.85, 3.0, 0.6), rel=1e-4)
    assert fit.mean_time == pytest.approx(3.0 / 0.6 * 0.9027453, rel=1e-3)
    blocks = np.repeat(curve[None], 8, axis=0)
    assert decay_times(time, blocks, np.ones(blocks.shape), 1e4).mean.value == fit.mean_time


def test_bounds_instead_of_numbers():
    time = np.logspace(0, 2, 20)
    counts = np.ones((8, 20))
    slow = decay_times(time, counts * np.exp(-time / 1e4), counts, 300.0)
    assert slow.mean.value is None
    assert slow.mean.low == pytest.approx(100)
    fast = decay_times(time, counts * np.exp(-time * 5), counts, 300.0)
    assert fast.one_over_e.value is None
    assert fast.one_over_e.high == 1


def in_blocks(curve):
    """Eight equal blocks of a curve at 20 lags from 1 to 100, with one origin each."""
    return np.tile(curve, (8, 1)), np.ones((8, 20))


def test_a_fit_that_is_stopped_before_it_converges_gives_no_mean_time(monkeypatch):
    sums, counts = in_blocks(EXPONENTIAL)
    assert decay_times(LAGS, sums, counts, 1e4).fit is not None
    # The starting point lies on the solution of this one: noise takes it away from there.
    sums = sums + np.random.default_rng(1).normal(0, 0.02, sums.shape)
    stopped = partial(optimize.least_squares, max_nfev=1)
    monkeypatch.setattr(optimize, 'least_squares', stopped)
    decay = decay_times(LAGS, sums, counts, 1e4)
    assert decay.fit is None
    assert decay.mean == Estimate(verdict=NO_FIT)
    assert decay.one_over_e.value == pytest.approx(10, rel=0.1)


@pytest.mark.parametrize(
    'curve',
    [
        np.where(LAGS < 20, 0.85, 0.02),  # a step: beta runs to its upper limit
        np.where(LAGS < 60, 0.95, 0.02),  # too few points below 0.9
    ],
)
def test_a_curve_without_a_stretched_exponential_has_no_mean_time(curve):
    decay = decay_times(LAGS, *in_blocks(curve), 1e4)
    assert decay.fit is None
    assert decay.mean == Estimate(verdict=NO_FIT)
    assert decay.one_over_e.value is not None


def test_a_fit_that_misses_the_curve_says_by_how_much():
    wave = 0.15 * np.sin(2 * np.log(LAGS)) * np.exp(-LAGS / 60)
    decay = decay_times(LAGS, *in_blocks(EXPONENTIAL + wave), 1e4)
    missed = np.abs(decay.fit(LAGS) - (EXPONENTIAL + wave))[EXPONENTIAL + wave <= 0.9].max()
    assert missed > 0.05
    assert decay.mean.verdict == f'the fit misses the curve by up to {missed:.2f}'
    assert decay.mean.value is not None
    assert not decay.one_over_e.verdict
    assert not decay_times(LAGS, *in_blocks(EXPONENTIAL + wave / 4), 1e4).mean.verdict


def test_times_that_rest_on_one_block_have_no_interval():
    blocks, counts = in_blocks(EXPONENTIAL)
    # All but the first never fall to 1/e.
    blocks[1:] = np.maximum(blocks[1:], 0.42)
    blocks[0] = 8 * EXPONENTIAL - blocks[1:].sum(axis=0)
    time = decay_times(LAGS, blocks, counts, 1e4).one_over_e
    assert time.value == pytest.approx(10, rel=0.01)
    assert (time.low, time.high) == (None, None)
    assert time.verdict == 'does not hold without one of its blocks'


@pytest.mark.parametrize(('duration', 'is_doubted'), [(8 * 21.0, False), (8 * 19.0, True)])
def test_a_time_longer_than_half_a_block_is_doubted(duration, is_doubted):
    generator = np.random.default_rng(2)
    blocks = EXPONENTIAL + generator.normal(0, 0.01, (8, 20))
    decay = decay_times(LAGS, blocks, np.ones((8, 20)), duration)
    for time in (decay.one_over_e, decay.mean):
        assert time.value == pytest.approx(10, rel=0.04)
        assert time.low < time.value < time.high
        assert ('longer than half a block' in time.verdict) is is_doubted


def test_too_few_blocks_give_no_interval():
    time = np.logspace(0, 2, 20)
    counts = np.zeros((8, 20))
    counts[[0, 4]] = 2
    counts[:, 15:] = 1
    decay = decay_times(time, counts * np.exp(-time / 10), counts, 300.0)
    assert decay.one_over_e.value == pytest.approx(10, rel=0.05)
    assert decay.one_over_e.low is None
    assert 'only 2' in decay.one_over_e.verdict
    assert decay.mean.low is None
