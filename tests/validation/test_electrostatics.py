"""The direct Ewald sum against known lattice energies; the chosen mesh against the Ewald sum."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from user_input import UserError
from validation.sections.electrostatics import HIGHEST, LOWEST, error_ratios
from validation.sections.forces import MADELUNG
from validation.systems import crystal, random_ions
from workflow.electrostatics import ewald
from workflow.electrostatics.ewald import ewald_forces, ewald_sum
from workflow.electrostatics.force_error import (
    ChargeCorrelation,
    Grid,
    charge_correlation,
    typical_coulomb_force,
)
from workflow.electrostatics.mesh import ForceErrorRequest, MeshCosts, choose_mesh, reaches_easily


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


def test_a_large_melt_is_checked_in_memory_that_grows_with_its_ions_alone() -> None:
    sample, peaks = random_ions(8000, 0.25, 16.0, seed=2), {}
    place = (sample.state.positions, sample.charges, sample.state.box, 16.0)
    for name, measure in (
        ('direct sum', lambda: ewald_forces(*place, np.arange(3))),
        ('typical force', lambda: typical_coulomb_force(*place)),
    ):
        tracemalloc.start()
        measure()
        peaks[name] = tracemalloc.get_traced_memory()[1] / len(sample.charges)
        tracemalloc.stop()
    # Of all pairs within the cut-off of the direct sum it would be 60 kB.
    assert all(peak < 10e3 for peak in peaks.values()), peaks


def test_the_typical_force_is_the_same_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = random_ions(500, 0.4, 16.0, seed=2)
    place = (sample.state.positions, sample.charges, sample.state.box, 16.0)
    excluded = np.array([[1, 0], [7, 9]])
    whole = typical_coulomb_force(*place, excluded)
    monkeypatch.setattr(ewald, '_PAIRS_AT_A_TIME', 1000)
    assert typical_coulomb_force(*place, excluded) == pytest.approx(whole, rel=1e-12)


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


@pytest.mark.parametrize('requested', [1e-4, 1e-2])
def test_both_parts_of_the_error_make_up_the_one_aimed_at(requested: float) -> None:
    sample = random_ions(200, 0.4, 16.0, seed=1)
    place = (sample.state.positions, sample.charges, np.asarray(sample.state.box, dtype=float))
    asked = ForceErrorRequest.of(*place, 16.0, requested, 3.5)
    mesh = choose_mesh(asked, MeshCosts())
    assert mesh.estimated_error == pytest.approx(asked.aim(measured=False), rel=0.05)


def test_an_error_that_no_mesh_reaches_is_refused() -> None:
    sample = random_ions(200, 0.4, 16.0, seed=1)
    state = sample.state
    with pytest.raises(UserError, match='no mesh of up to'):
        choose_mesh(
            ForceErrorRequest.of(
                state.positions, sample.charges, state.box * 1.0, 16.0, 1e-15, 3.0
            ),
            MeshCosts(),
        )


@pytest.mark.parametrize('requested', [1e-7, 1e-5, 1e-3, 1e-1])
@pytest.mark.parametrize('number', [4, 200])
def test_where_a_mesh_is_easily_found_one_is_chosen(number: int, requested: float) -> None:
    sample = random_ions(number, 0.4, 16.0, seed=1)
    box = np.asarray(sample.state.box, dtype=float)
    request = (sample.charges, box, 16.0, requested, 0.45 * float(box.min()))
    is_easy = reaches_easily(*request)
    assert is_easy or requested < 1e-4
    if is_easy:  # whether there is one is else left open
        asked = ForceErrorRequest.of(sample.state.positions, *request)
        assert choose_mesh(asked, MeshCosts()).requested_error == requested
    assert not reaches_easily(sample.charges, box, 16.0, 1e-15, 3.0)


def test_charge_correlation_of_random_ions_and_of_pairs() -> None:
    random = random_ions(1_000, 0.4, 16.0, seed=4)
    state, charges = random.state, random.charges
    correlation = charge_correlation(state.positions, charges, state.box)
    assert np.mean(correlation.structure) == pytest.approx(1.0, abs=0.15)
    factor = correlation.error_factor(Grid(16, 5), 3.0, 0.7, float(state.box[0]))
    assert factor == pytest.approx(1.0, abs=0.1)
    # Each cation with an anion a distance d beside it: S_ZZ(k) = 1 - sin(kd)/kd.
    rng, edge, d = np.random.default_rng(5), 40.0, 0.75
    cations = rng.uniform(0, edge, (1_000, 3))
    steps = rng.normal(size=(1_000, 3))
    steps *= d / np.linalg.norm(steps, axis=1)[:, None]
    pairs = np.concatenate([cations, cations + steps])
    signs = np.repeat([1.0, -1.0], 1_000)
    paired = charge_correlation(pairs, signs, np.full(3, edge))
    expected = 1 - np.sinc(paired.k * d / np.pi)
    for part in (paired.k < 2, paired.k > 2):
        found = np.mean(paired.structure[part])
        assert found == pytest.approx(np.mean(expected[part]), rel=0.25)
    choice = (Grid(16, 5), 6.0, 0.35, edge)
    in_closed_form = ChargeCorrelation(paired.k, expected).error_factor(*choice)
    assert in_closed_form < 0.8
    assert paired.error_factor(*choice) == pytest.approx(in_closed_form, rel=0.1)
