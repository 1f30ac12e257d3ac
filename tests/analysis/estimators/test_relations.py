"""Fits over states of known law: activation, power laws between noisy quantities, crossings."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.arrays import FloatArray
from analysis.estimators.activation import ARRHENIUS, NEITHER, VTF, fit_activation
from analysis.estimators.crossing import crossing
from analysis.estimators.pooling import Replicates
from analysis.estimators.power_law import power_law
from validation.coverage import LOWEST, Coverage
from validation.sections.relations import crossing_outcomes, power_law_outcomes

TEMPERATURES = np.linspace(0.7, 1.2, 6)
NOISE = 0.02 * np.array([1, -1, -1, 1, 1, -1])


def test_a_known_vtf_law_comes_back() -> None:
    fit = fit_activation(TEMPERATURES, 3 - 1.2 / (TEMPERATURES - 0.4), 0.9)
    assert fit.law == VTF
    assert fit.energy.value == pytest.approx(1.2 * 0.9**2 / 0.5**2, rel=1e-3)
    assert fit.t0.value == pytest.approx(0.4, abs=1e-3)
    assert fit.strength.value == pytest.approx(1.2, rel=5e-3)
    np.testing.assert_allclose(fit(TEMPERATURES), 3 - 1.2 / (TEMPERATURES - 0.4), atol=1e-3)


def test_an_arrhenius_law_has_no_t0_and_the_same_energy_everywhere() -> None:
    two = np.repeat(TEMPERATURES, 2)
    noise = np.concatenate([NOISE, -NOISE[::-1]])
    fits = [fit_activation(two, 1 - 3 / two + noise, at) for at in (0.7, 0.9, 1.2)]
    for fit in fits:
        assert fit.law == ARRHENIUS
        assert fit.t0.value is None
        assert 'no bend' in fit.strength.verdict
        assert fit.energy.low < 3 < fit.energy.high
        assert fit.constant.value == pytest.approx(3, abs=0.05)
    # At the ends a bend that is not seen could still change it.
    widths = [fit.energy.high - fit.energy.low for fit in fits]
    assert widths[1] < 0.5 * min(widths[0], widths[2])


def test_b_and_t0_are_refused_where_t0_reaches_a_bound() -> None:
    # A weak bend that is seen: T0 is above 0, but 0 is not excluded.
    four = np.repeat(TEMPERATURES, 4)
    noise = 0.02 * np.random.default_rng(3).normal(size=24)
    fits = [fit_activation(four, -2.6 / (four - t0) + noise, 0.9) for t0 in np.linspace(0, 0.2, 41)]
    weak = [fit for fit in fits if fit.law == VTF and fit.t0.value is None]
    assert weak
    assert all('reaches 0' in fit.t0.verdict and fit.strength.value is None for fit in weak)
    assert all(fit.energy.low is not None for fit in weak)


def test_a_bend_the_other_way_is_no_vtf() -> None:
    fit = fit_activation(TEMPERATURES, -20 / (TEMPERATURES + 2), 0.9)
    assert fit.law == NEITHER
    assert fit.t0.value is None


def test_few_temperatures_give_a_straight_line_with_a_verdict() -> None:
    fit = fit_activation(TEMPERATURES[:4], -3 / TEMPERATURES[:4], 0.8)
    assert fit.law == ''
    assert fit.energy.value == pytest.approx(3)
    assert '4 temperatures, 6 are needed' in fit.energy.verdict
    assert fit.t0.value is None
    assert fit_activation(TEMPERATURES[:2], -3 / TEMPERATURES[:2], 0.7).energy.low is None


@pytest.mark.parametrize(('temperatures', 'at'), [([1.0, 1.0], 1.0), ([0.8, 1.0], 1.2)])
def test_nothing_is_told_beyond_the_temperatures(temperatures: list[float], at: float) -> None:
    with pytest.raises(ValueError, match='temperature'):
        fit_activation(np.array(temperatures), np.zeros(2), at)


def test_errors_of_both_do_not_flatten_a_power_law() -> None:
    generator = np.random.default_rng(1)
    x = np.linspace(-1, 1, 30)
    slopes, plain = [], []
    for _ in range(100):
        data = np.stack([x, 0.8 * x])[:, :, None] + 0.4 * generator.normal(size=(2, 30, 3))
        slopes.append(power_law(list(data.transpose(1, 0, 2))).value)
        means = data.mean(axis=2)
        plain.append(np.polyfit(means[0], means[1], 1)[0])
    assert np.mean(slopes) == pytest.approx(0.8, abs=0.02)
    assert np.mean(plain) < 0.72


def test_intervals_of_power_laws_and_crossings_hold_the_truth() -> None:
    generator = np.random.default_rng(2)
    outcomes = list(power_law_outcomes(6, 3, (0.2, 0.2, 0.3), 0.2, generator))[:600]
    found = Coverage.of('power law', outcomes)
    assert found.inside / found.offered > LOWEST - 0.02
    outcomes = [
        outcome
        for _, outcome in zip(
            range(120),
            crossing_outcomes(np.linspace(0, 1, 5), 3, (0.1, 0.1), generator),
            strict=False,
        )
    ]
    found = Coverage.of('crossing', outcomes)
    assert found.inside / found.offered > LOWEST - 0.05


def test_a_power_law_needs_states_that_differ() -> None:
    same = np.random.default_rng(1).normal(size=(20, 2, 3))
    assert 'hardly differ' in power_law(list(same)).verdict
    assert '3 states, 4 are needed' in power_law(list(same[:3])).verdict
    alone = [np.array([[x], [0.5 * x]]) for x in (0.0, 1.0, 2.0, 4.0)]
    assert power_law(alone).value == pytest.approx(0.5)
    assert 'one replica' in power_law(alone).verdict


def curve(*values: float, spread: float = 0.02) -> list[Replicates]:
    """Three replicas at places 0, 1, ..."""
    shifts: FloatArray = spread * np.array([-1.0, 0.0, 1.0])
    return [
        Replicates(float(k), value + shifts, np.zeros(3, dtype=np.int64), np.full(3, np.nan))
        for k, value in enumerate(values)
    ]


def test_curves_cross_where_they_do() -> None:
    found = crossing(curve(0, 0, 0, 0), curve(-2, -1, 1, 2))
    assert found.value == pytest.approx(1.5)
    assert found.low is not None
    assert found.high is not None
    assert 1.3 < found.low < 1.5 < found.high < 1.7
    wide = crossing(curve(0, 0, 0, 0, spread=0.4), curve(-2, -1, 1, 2, spread=0.4))
    assert wide.low is not None
    assert wide.low < found.low


@pytest.mark.parametrize(
    ('upper', 'why'),
    [
        ((1, 1, 2, 2), 'nowhere below'),
        ((-2, -1, -1, -1), 'nowhere above'),
        ((-1, 1, -1, 1), 'more than once'),
        ((0, 0, 0, 0), 'nowhere below'),
    ],
)
def test_curves_that_do_not_cross_have_no_threshold(upper: tuple[int, ...], why: str) -> None:
    found = crossing(curve(0, 0, 0, 0), curve(*upper))
    assert found.value is found.low is None
    assert why in found.verdict
