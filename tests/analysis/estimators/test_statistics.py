"""Intervals and equilibration; how often they hold: validation/sections/intervals.py."""

import numpy as np
import pytest
from scipy.signal import lfilter

from analysis.estimators.equilibration import detect_equilibration
from analysis.estimators.estimate import Estimate
from analysis.estimators.inefficiency import statistical_inefficiency
from analysis.estimators.intervals import (
    jackknife,
    mean_with_interval,
    merge_blocks,
    proportion_with_interval,
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


def test_values_that_come_ten_times_count_once():
    values = np.random.default_rng(2).normal(size=300)
    once, often = mean_with_interval(values), mean_with_interval(np.repeat(values, 10))
    assert often.value == pytest.approx(once.value)
    assert often.n_effective == pytest.approx(once.n_effective, rel=0.15)
    assert often.high - often.low == pytest.approx(once.high - once.low, rel=0.15)


def test_short_series_do_not_pass_for_independent_ones():
    generator = np.random.default_rng(11)
    found = [statistical_inefficiency(autoregressive(570, 0.9, generator)) for _ in range(200)]
    assert np.mean(19 / np.array(found)) == pytest.approx(1, abs=0.12)


def test_too_short_says_so():
    generator = np.random.default_rng(3)
    assert 'too short' in mean_with_interval(autoregressive(200, 0.99, generator)).against
    assert not mean_with_interval([1.0, 2.0]).is_converged
    assert mean_with_interval([1.0, 2.0]).low is None
    assert mean_with_interval(np.ones(100)).low is None
    assert mean_with_interval([np.nan]).value is None


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


@pytest.mark.parametrize('memory', [0.5, 0.9])
def test_transient_that_fills_the_run_is_not_equilibrated(memory):
    generator = np.random.default_rng(6)
    n = int(100 * (1 + memory) / (1 - memory))
    transient = 6 * np.exp(-np.arange(n) / n)
    called = [
        detect_equilibration(transient + autoregressive(n, memory, generator)).is_equilibrated
        for _ in range(50)
    ]
    assert np.mean(called) < 0.1


def test_short_transient_leaves_no_bias_and_no_transient_no_verdict():
    generator = np.random.default_rng(7)
    n, error = 1000, np.sqrt(19 / 1000)
    biases = []
    for amplitude in (0, 6):
        transient = amplitude * np.exp(-np.arange(n) / (0.04 * n))
        series = [transient + autoregressive(n, 0.9, generator) for _ in range(60)]
        found = [detect_equilibration(each) for each in series]
        assert np.mean([each.is_equilibrated for each in found]) > 0.9
        biases.append(
            np.mean([s[f.start :].mean() for s, f in zip(series, found, strict=True)]) / error
        )
    assert np.abs(biases).max() < 0.5
    assert detect_equilibration(np.ones(200)).start == 0


def test_chance_alone_cuts_nothing_off():
    """The best of many starts looks better than the first: taken, it makes intervals narrow."""
    generator = np.random.default_rng(13)
    starts = [detect_equilibration(autoregressive(400, 0.5, generator)).start for _ in range(60)]
    assert np.mean(np.array(starts) == 0) > 0.85


def test_jackknife_of_a_mean_is_students_interval():
    values = np.random.default_rng(8).normal(size=7)
    others = (values.sum() - values) / 6
    low, high = jackknife(values.mean()[None], others[:, None])
    half = 2.446912 * values.std(ddof=1) / np.sqrt(7)
    assert low[0] == pytest.approx(values.mean() - half)
    assert high[0] == pytest.approx(values.mean() + half)
    wider = jackknife(values.mean()[None], others[:, None], np.array([2]))
    ratio = 4.302653 / 2.446912  # of Student's quantiles for 2 and for 6 degrees
    assert wider[1][0] - values.mean() == pytest.approx((high[0] - values.mean()) * ratio)


def test_merged_blocks_keep_the_sum():
    blocks = np.arange(40.0).reshape(20, 2)
    for inefficiency in (0.1, 1.0, 3.0, 100.0):
        merged = merge_blocks(blocks, inefficiency, 100)
        assert merged.sum(axis=0).tolist() == blocks.sum(axis=0).tolist()
    assert len(merge_blocks(blocks, 1.0, 100)) == 20
    assert len(merge_blocks(blocks, 2.0, 100)) == 10


@pytest.mark.parametrize('inefficiency', [0.1, 1.0, 1.3, 3.0, 4.7, 5.0, 6.0, 100.0])
def test_no_block_is_shorter_than_5_inefficiencies(inefficiency):
    lengths = merge_blocks(np.full((20, 1), 5.0), inefficiency, 100)[:, 0]
    assert len(lengths) == 1 or lengths.min() >= 5 * inefficiency
    assert (len(lengths) < 4) is (inefficiency > 5)


def test_proportion_has_an_interval_where_it_never_happened():
    estimate = proportion_with_interval(np.zeros(100, dtype=bool), 5.0)
    assert estimate.value == estimate.low == 0
    assert estimate.high == pytest.approx(3.8415 / (20 + 3.8415), rel=1e-3)  # Wilson, n = 20


def test_an_interval_leaves_out_what_cannot_be() -> None:
    estimate = Estimate(0.99, 0.95, 1.03, 40.0).within(0.0, 1.0)
    assert (estimate.low, estimate.high) == (0.95, 1.0)
    assert Estimate(0.99, None, None, 1.0).within(0.0, 1.0).low is None


def two_scales(n, generator):
    """Half of the variance fast, and half slow, worth about 40 values of 2000."""
    return (autoregressive(n, 0.3, generator) + autoregressive(n, 0.98, generator)) / np.sqrt(2)


def test_a_slow_motion_under_fast_noise_is_no_drift():
    """The end of such a series looks like many independent values: Chodera's start is there."""
    generator = np.random.default_rng(14)
    found = [detect_equilibration(two_scales(2000, generator)) for _ in range(60)]
    assert np.mean([each.is_equilibrated for each in found]) > 0.85
    assert np.mean([each.start == 0 for each in found]) > 0.85


@pytest.mark.parametrize('memory', [0.97, 0.985])
def test_one_threshold_leaves_intervals_that_hold(memory):
    """33 and 15 independent values: with a higher threshold fewer intervals hold, not more."""
    generator = np.random.default_rng(15)
    found = [mean_with_interval(autoregressive(2000, memory, generator)) for _ in range(400)]
    for_all = [each.low < 0 < each.high for each in found if not each.against]
    assert len(for_all) > 300
    assert np.mean(for_all) > 0.92
