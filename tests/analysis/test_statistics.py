"""Intervals must cover the truth as often as they say, and say so when they cannot."""

import numpy as np
import pytest
from scipy.signal import lfilter

from analysis.statistics import (
    combine_replicas,
    combine_replicas_log,
    detect_equilibration,
    mean_with_interval,
    proportion_with_interval,
    statistical_inefficiency,
)


def autoregressive(n, memory, generator):
    noise = generator.normal(size=n) * np.sqrt(1 - memory**2)
    noise[0] = generator.normal()
    return lfilter([1], [1, -memory], noise)


def test_inefficiency_of_autoregressive_series():
    generator = np.random.default_rng(1)
    found = np.mean([statistical_inefficiency(autoregressive(20000, 0.9, generator))
                     for _ in range(10)])  # fmt: skip
    assert found == pytest.approx(19, rel=0.1)  # (1 + 0.9) / (1 - 0.9)
    assert statistical_inefficiency(generator.normal(size=5000)) < 1.2


@pytest.mark.parametrize('memory', [0.0, 0.8, 0.95])
def test_coverage(memory):
    generator = np.random.default_rng(2)
    covered = total = 0
    for _ in range(300):
        estimate = mean_with_interval(autoregressive(4000, memory, generator))
        total += 1
        covered += estimate.low <= 0 <= estimate.high
    assert 0.91 <= covered / total <= 0.99


def test_too_short_says_so():
    generator = np.random.default_rng(3)
    assert 'too short' in mean_with_interval(autoregressive(200, 0.99, generator)).verdict
    assert not mean_with_interval([1.0, 2.0]).is_converged
    assert mean_with_interval([1.0, 2.0]).low is None
    assert mean_with_interval(np.ones(100)).low is None
    assert mean_with_interval([np.nan]).mean is None


def test_transient_is_found():
    generator = np.random.default_rng(4)
    series = autoregressive(3000, 0.5, generator)
    series[:600] += 8 * np.exp(-np.arange(600) / 150)
    found = detect_equilibration(series)
    assert 300 < found.start < 1000
    assert found.is_equilibrated


def test_drift_is_not_equilibrated():
    generator = np.random.default_rng(5)
    found = detect_equilibration(np.linspace(0, 10, 500) + generator.normal(size=500))
    assert not found.is_equilibrated
    assert found.verdict
    assert not detect_equilibration([1.0, 2.0]).is_equilibrated


def test_replicas():
    estimate = combine_replicas([1.0, 2.0, 3.0])
    assert estimate.mean == 2.0
    assert estimate.high == pytest.approx(2 + 4.302653 / np.sqrt(3))
    alone = combine_replicas([1.0])
    assert (alone.low, alone.high) == (None, None)
    assert alone.verdict
    assert '1 of 3' in combine_replicas([1.0, np.nan, 2.0]).verdict
    log = combine_replicas_log([1.0, 100.0, 10.0])
    assert log.mean == pytest.approx(10)
    assert log.high / log.mean == pytest.approx(log.mean / log.low)
    with pytest.raises(ValueError, match='positive'):
        combine_replicas_log([1.0, -1.0])


def test_proportion_has_an_interval_where_it_never_happened():
    estimate = proportion_with_interval(np.zeros(100, dtype=bool), 5.0)
    assert estimate.mean == estimate.low == 0
    assert estimate.high == pytest.approx(3.8415 / (20 + 3.8415), rel=1e-3)  # Wilson, n = 20
