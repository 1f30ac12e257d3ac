"""The direct Ewald sum against known lattice energies; the chosen mesh against the Ewald sum."""

from __future__ import annotations

import numpy as np
import pytest

from user_input import UserError
from validation.electrostatics import HIGHEST, LOWEST, error_ratios
from validation.forces import MADELUNG
from validation.systems import crystal, random_ions
from workflow.coulomb import choose_mesh, ewald_forces, ewald_sum


@pytest.mark.parametrize('name', MADELUNG)
def test_the_direct_sum_gives_madelung_energies(name: str) -> None:
    sample, nearest = crystal(name, 2)
    state = sample.state
    energy, forces = ewald_sum(state.positions, sample.charges, state.box, 1.0)
    assert energy * nearest / (len(sample.charges) / 2) == pytest.approx(-MADELUNG[name], abs=2e-6)
    assert np.abs(forces).max() < 1e-6


def test_forces_on_a_sample_are_those_of_the_whole_sum() -> None:
    sample = random_ions(60, 0.4, 16.0, seed=2)
    state, chosen = sample.state, np.array([3, 17, 40])
    arguments = (state.positions, sample.charges, state.box, 16.0)
    whole = ewald_sum(*arguments)[1]
    np.testing.assert_allclose(ewald_forces(*arguments, chosen), whole[chosen], atol=1e-4)


def test_the_direct_sum_is_the_derivative_of_its_energy() -> None:
    sample = random_ions(20, 0.2, 4.0, seed=3)
    state, step = sample.state, 1e-5
    moved = np.zeros_like(state.positions)
    moved[7, 1] = step
    energies = [
        ewald_sum(state.positions + sign * moved, sample.charges, state.box, 4.0)[0]
        for sign in (1, -1)
    ]
    force = ewald_sum(state.positions, sample.charges, state.box, 4.0)[1][7, 1]
    assert -(energies[0] - energies[1]) / (2 * step) == pytest.approx(force, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize('seed', [1, 2])
def test_the_achieved_error_is_the_requested_one(seed: int) -> None:
    ratios = error_ratios(random_ions(200, 0.4, 16.0, seed), 'lammps')
    assert all(LOWEST <= ratio <= HIGHEST for ratio in ratios.values())


def test_an_error_that_no_mesh_reaches_is_refused() -> None:
    sample = random_ions(200, 0.4, 16.0, seed=1)
    state = sample.state
    with pytest.raises(UserError, match='no mesh of up to'):
        choose_mesh(state.positions, sample.charges, state.box * 1.0, 16.0, 1e-15, 3.0)
