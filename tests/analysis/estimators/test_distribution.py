"""Distributions with intervals, and their logarithmic bins."""

import numpy as np
import pytest
from scipy.signal import lfilter

from analysis.estimators.distribution import (
    Distribution,
    cumulative,
    distribution,
    log_binned,
)
from analysis.estimators.inefficiency import statistical_inefficiency
from analysis.estimators.intervals import merge_blocks, shared_by_neighbours


def test_distributions_are_covered():
    """Counts whose rates follow a slow variable, common sizes and rare ones."""
    generator = np.random.default_rng(10)
    rates, slopes = np.array([20.0, 4.0, 1.0, 0.1]), np.array([-0.5, 0, 0.5, 1])
    truth = rates * np.exp(slopes**2 / 2)
    truth /= truth.sum()
    inside, offered = np.zeros(4), np.zeros(4)
    for _ in range(400):
        noise = generator.normal(size=300) * np.sqrt(1 - 0.5**2)
        noise[0] = generator.normal()
        slow = lfilter([1], [1, -0.5], noise)
        counts = generator.poisson(rates * np.exp(slopes * slow[:, None]))
        blocks = counts.reshape(20, 15, 4).sum(axis=1).astype(float)
        inefficiency = statistical_inefficiency(slow)
        merged = merge_blocks(blocks, inefficiency, 300)
        shared = shared_by_neighbours(inefficiency, 300 / len(merged))
        found = distribution(np.arange(4), merged, shared)
        seen = found.values.astype(int)
        inside[seen] += (found.low <= truth[seen]) & (truth[seen] <= found.high)
        offered[seen] += 1
    assert np.all(inside / offered >= 0.92)
    assert np.all(inside / offered <= 0.98)


def widths_of_bins(most):
    """How many whole numbers lie in each of the eighths of a decade that hold any, exactly."""
    bins = [sum(10**k <= n**8 < 10 ** (k + 1) for n in range(1, most)) for k in range(8 * 4)]
    return np.array([width for width in bins if width])


WIDTHS = widths_of_bins(10_000)


def test_bins_hold_all_of_the_probability():
    generator = np.random.default_rng(3)
    values = np.sort(generator.choice(np.arange(1, 2000), 300, replace=False))
    probability = generator.dirichlet(np.ones(300))
    curve = log_binned(Distribution(values, probability, None, None), 'n', 'P')
    assert (curve.value * WIDTHS[: len(curve.x)]).sum() == pytest.approx(1)
    assert np.all(np.diff(curve.x) > 0)
    assert curve.low is None
    assert curve.outside == 0


@pytest.mark.parametrize('value', [1, 2, 9, 10, 13, 14, 99, 100, 101, 1000, 1333, 1334])
def test_a_single_value_is_spread_over_its_bin_alone(value):
    curve = log_binned(Distribution(np.array([value]), np.ones(1), None, None), 'n', 'P')
    assert curve.value[:-1].tolist() == [0] * (len(curve.x) - 1)
    assert curve.value[-1] == pytest.approx(1 / WIDTHS[len(curve.x) - 1])
    assert (curve.value * WIDTHS[: len(curve.x)]).sum() == pytest.approx(1)


def test_small_values_stay_and_errors_add_in_squares():
    values, probability = np.array([1, 2, 3, 11, 12]), np.array([0.5, 0.2, 0.1, 0.1, 0.1])
    half = np.array([0.04, 0.03, 0.02, 0.03, 0.04])
    found = Distribution(values, probability, probability - half, probability + half)
    curve = log_binned(found, 'n', 'P')
    assert curve.x[:3] == pytest.approx([1, 2, 3])
    assert curve.value[:3] == pytest.approx(probability[:3])
    assert curve.high[:3] == pytest.approx((probability + half)[:3])
    # 10 to 13 share a bin: nothing is at 10 and 13.
    assert curve.x[-1] == pytest.approx((10 * 11 * 12 * 13) ** 0.25)
    assert curve.value[-1] == pytest.approx(0.2 / 4)
    assert curve.high[-1] - curve.value[-1] == pytest.approx(0.05 / 4)
    assert curve.low[-1] == pytest.approx((0.2 - 0.05) / 4)


def test_a_spike_is_a_step_of_the_cumulative_share() -> None:
    found = Distribution(np.array([1, 3, 239]), np.array([0.1, 0.2, 0.7]), None, None)
    curve = cumulative(found, 'n', 'P')
    assert curve.x[0] == 1
    at = dict(zip(curve.x.astype(int).tolist(), curve.value.tolist(), strict=True))
    expected = {1: 1.0, 2: 0.9, 3: 0.9, 4: 0.7, 240: 0.0}
    assert {n: at[n] for n in expected} == pytest.approx(expected)
