"""Diffusion of paths with known coefficients: covariance of their lags, and coverage."""

import math

import numpy as np
import pytest

from analysis.estimators.linear_regime import linear_regime, shared_paths
from analysis.sampling.correlation_plan import plan_correlations
from tests.analysis.builders import log_spaced_steps

STEPS = log_spaced_steps(24, block=32)
PLAN = plan_correlations(STEPS)
TIME = PLAN.lags.astype(float)
COUNTS = np.zeros((PLAN.n_blocks, len(TIME)))
np.add.at(COUNTS, (PLAN.block, PLAN.lag_index), 1)
PATHS = shared_paths(TIME, COUNTS, float(PLAN.duration))


def brownian(n, generator):
    kicks = generator.normal(size=(len(STEPS), n, 3))
    return np.cumsum(kicks * np.sqrt(2 * np.diff(STEPS, prepend=0))[:, None, None], axis=0)


def rattling(n, generator):
    """D = 1, and beside it a cage that is forgotten within 5 steps."""
    inside = generator.normal(size=(len(STEPS), n, 3))
    for k, gap in enumerate(np.diff(STEPS)):
        kept = math.exp(-gap / 5)
        inside[k + 1] = kept * inside[k] + math.sqrt(1 - kept**2) * inside[k + 1]
    return brownian(n, generator) + 2 * inside


def chained(n, generator):
    """Three in a row move as one, so they are worth a third of their number."""
    return np.repeat(brownian(n // 3, generator), 3, axis=1)


def sums_of(paths):
    moved = ((paths[PLAN.later] - paths[PLAN.origin]) ** 2).sum(axis=2).mean(axis=1)
    sums = np.zeros(COUNTS.shape)
    np.add.at(sums, (PLAN.block, PLAN.lag_index), moved)
    return sums


def test_covariance_of_lags_is_that_of_brownian_paths():
    generator = np.random.default_rng(0)
    draws = [sums_of(brownian(10, generator)).sum(axis=0) for _ in range(300)]
    measured = np.cov(np.array(draws).T / (COUNTS.sum(axis=0) * TIME)[:, None])
    # Three axes, ten walkers, <dx^2> = 2 t along each: 2 (2 t)^2 3 / 10 for the whole of a path.
    ratio = measured / (2.4 * PATHS.of_lags)
    assert np.diag(ratio) == pytest.approx(np.ones(len(TIME)), abs=0.35)
    assert np.median(ratio) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize('paths', [brownian, rattling, chained])
def test_intervals_hold_the_truth_as_often_as_they_say(paths):
    generator = np.random.default_rng(1)
    found = [linear_regime(TIME, sums_of(paths(30, generator)), COUNTS, PATHS) for _ in range(60)]
    offered = [each.diffusion for each in found if each.diffusion.value is not None]
    assert len(offered) > 45
    held = np.mean([each.low < 1 < each.high for each in offered])
    # Four counting errors below 95 %.
    assert held > 0.84
    assert np.mean([each.value for each in offered]) == pytest.approx(1, abs=0.05)
    if paths is rattling:
        assert min(each.begins for each in found if each.begins is not None) > 5
