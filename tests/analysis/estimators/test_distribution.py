"""Distributions with intervals, and their logarithmic bins."""

import numpy as np
from scipy.signal import lfilter

from analysis.estimators.distribution import distribution
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
        inside[found.values] += (found.low <= truth[found.values]) & (
            truth[found.values] <= found.high
        )
        offered[found.values] += 1
    assert np.all(inside / offered >= 0.92)
    assert np.all(inside / offered <= 0.98)
