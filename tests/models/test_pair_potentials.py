"""Pair potentials beyond Lennard-Jones, against formulas and against their own differences."""

from __future__ import annotations

import numpy as np
import pytest

from models.pair_potentials import Mie, PairPotential, Tabulated, ion_solvation

R = np.array([0.2, 0.7, 0.95, 1.2, 2.3])
ROWS = np.linspace(0.6, 2.5, 40)


def lennard_jones(r: np.ndarray, cutoff: float) -> np.ndarray:
    def energy(distance: np.ndarray | float) -> np.ndarray:
        return np.asarray(4 * 0.7 * ((0.9 / distance) ** 12 - (0.9 / distance) ** 6))

    return energy(r) - energy(cutoff)


@pytest.mark.parametrize(
    'potential',
    [
        Mie(0.7, 0.9, 16.0, 7.0, 2.5),
        ion_solvation(3.0, 0.8, 4.0),
        Tabulated(ROWS, np.exp(-(ROWS**2)) - np.exp(-3 * (ROWS - 1.4) ** 2)),
    ],
)
def test_derivatives_are_those_of_the_energy(potential: PairPotential) -> None:
    step = 1e-5
    before, here, after = (potential.derivatives(R + shift) for shift in (-step, 0.0, step))
    np.testing.assert_allclose(here[1], (after[0] - before[0]) / (2 * step), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(here[2], (after[1] - before[1]) / (2 * step), rtol=1e-6, atol=1e-5)
    assert potential.derivatives(np.array([potential.cutoff]))[0] == pytest.approx(0, abs=1e-12)


def test_a_mie_potential_of_12_and_6_is_lennard_jones_and_others_are_as_deep() -> None:
    energy = Mie(0.7, 0.9, 12.0, 6.0, 2.5).derivatives(R)[0]
    np.testing.assert_allclose(energy, lennard_jones(R, 2.5), rtol=1e-12)
    for n, m in ((16.0, 7.0), (9.0, 6.0), (36.0, 6.0)):
        r = np.linspace(0.8, 2.0, 100_001)
        depth = Mie(0.7, 0.9, n, m, 1e6).derivatives(r)[0].min()
        assert depth == pytest.approx(-0.7, rel=1e-6)


def test_solvation_is_the_inverse_fourth_power_alone() -> None:
    expected = -3.0 * ((0.8 / R) ** 4 - (0.8 / 4.0) ** 4)
    np.testing.assert_allclose(ion_solvation(3.0, 0.8, 4.0).derivatives(R)[0], expected, rtol=1e-13)


def test_a_table_goes_through_its_rows_and_follows_what_is_between() -> None:
    table = Tabulated(ROWS, lennard_jones(ROWS, 2.5) + 5.0)  # the last row is the zero
    np.testing.assert_allclose(table.derivatives(ROWS)[0], lennard_jones(ROWS, 2.5), atol=1e-12)
    between = np.linspace(0.9, 2.4, 33)
    np.testing.assert_allclose(
        table.derivatives(between)[0], lennard_jones(between, 2.5), atol=3e-3
    )
    energy, slope, curvature = table.derivatives(np.array([0.1, 0.35, 0.6]))
    assert slope[0] == slope[1] == slope[2] < 0
    assert energy[0] - energy[1] == pytest.approx(-0.25 * slope[0])
    assert not curvature[:2].any()
