"""What decides verdicts of `make validate`, on numbers whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.estimators.estimate import Estimate
from validation.ratio_of_distributions import slope_of_ratio
from validation.sections.ionomer import intercept_weights
from validation.sections.melts import WIDEST, agrees, over_chains
from validation.systems import crystal, side_by_side


def test_slope_between_two_normal_distributions() -> None:
    """ln P2/P1 of normal distributions of variance s^2 is linear with slope (m2 - m1) / s^2."""
    generator = np.random.default_rng(1)
    expected, scores, errors = -0.6, [], []
    for _ in range(200):
        first = generator.normal(264.0, 3.2, 200)
        second = generator.normal(264.0 + expected * 3.2**2, 3.2, 200)
        slope, error = slope_of_ratio(first, second, expected)
        scores.append((slope - expected) / error)
        errors.append(error)
    assert np.mean(scores) == pytest.approx(0, abs=0.25)
    assert np.std(scores) == pytest.approx(1, abs=0.15)
    # 1.37 / sqrt(n) of the slope is the least that n values a state can give.
    assert np.mean(errors) == pytest.approx(0.6 * 1.37 / np.sqrt(200), rel=0.1)


def test_a_wrong_pressure_is_far_from_the_expected_slope() -> None:
    generator = np.random.default_rng(2)
    first, second = generator.normal(264.0, 3.2, 200), generator.normal(252.0, 3.2, 200)
    slope, error = slope_of_ratio(first, second, -0.6)
    assert abs(slope + 0.6) > 3.5 * error


def test_correlated_values_widen_the_error_of_a_slope() -> None:
    generator = np.random.default_rng(3)
    first, second = generator.normal(0.0, 1.0, 200), generator.normal(2.0, 1.0, 200)
    alone = slope_of_ratio(first, second, 2.0)[1]
    ordered = slope_of_ratio(np.repeat(first[:100], 2), np.repeat(second[:100], 2), 2.0)[1]
    assert ordered > 1.4 * alone


def test_the_intercept_of_a_line_is_its_value_at_no_wave_vector() -> None:
    x = np.array([0.2, 0.3, 0.7, 1.1])
    assert (0.9 + 0.4 * x) @ intercept_weights(x) == pytest.approx(0.9)


def test_what_is_not_converged_or_too_wide_agrees_with_nothing() -> None:
    assert agrees(Estimate(1.02, 0.98, 1.06, 30.0), 1.0, 0.0)
    assert not agrees(Estimate(1.02, 0.98, 1.06, 5.0, 'too short'), 1.0, 0.0)
    wide = WIDEST + 0.01
    assert not agrees(Estimate(1.0, 1 - wide, 1 + wide, 30.0), 1.0, 0.1)
    assert not agrees(Estimate(1.0, None, None, 30.0), 1.0, 0.1)


def test_the_interval_over_chains_covers_the_mean() -> None:
    generator = np.random.default_rng(4)
    draws = generator.exponential(1.0, (2000, 20))
    covered = np.abs(draws.mean(axis=1) - 1) < over_chains(draws.T)
    assert 0.88 < covered.mean() < 0.96  # skewed: less than for normal values


def test_copies_side_by_side_keep_their_surroundings() -> None:
    sample, nearest = crystal('NaCl', 2)
    long = side_by_side(sample, (3, 1, 1))
    assert long.state.box == pytest.approx(sample.state.box * (3, 1, 1))
    positions, box = long.state.positions, long.state.box
    apart = positions[:, None] - positions
    apart -= box * np.round(apart / box)
    distance = np.linalg.norm(apart, axis=2) + 10 * np.eye(len(positions))
    assert distance.min(axis=1) == pytest.approx(nearest)
    assert long.charges.sum() == pytest.approx(0)
