"""The fastest oscillation against what can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gsd.hoomd import Frame
from scipy.optimize import brentq

from models.entries import CosineAngle, HarmonicBond
from models.force_field import ForceField
from models.model import load_model, shipped_models
from models.oscillation import fastest_motion
from models.pair_potentials import Mie, Tabulated, ion_solvation
from tests.systems import melt, state_point
from user_input import UserError

COLD = 1e-6
BENT = CosineAngle(k=5000.0)
MONOMERS = {
    'isp': {'LSP': 1.0},
    'kremer_grest': {'M': 1.0},
    'kremer_grest_bending': {'M': 1.0},
    'neutral_control': {'N': 1.0},
    'salt_doped': {'M': 1.0},
    'pendant': {'N': 0.8, 'I': 0.2},
    'ionene': {'N': 0.8, 'I': 0.2},
}
# Ions of half a diameter at a Bjerrum length of 36: the scripts of the published models take 0.005.
CLOSE_IONS = ('pendant', 'ionene')


def system(model: str) -> tuple[Frame, ForceField]:
    return melt(state_point(model, MONOMERS[model], chains=4))


def test_a_bead_on_a_harmonic_bond_oscillates_with_its_reduced_mass() -> None:
    frame, field = system('kremer_grest')
    stiff = replace(
        field, bonds={'backbone': HarmonicBond(k=5000.0, r0=1.0)}, masses=np.array([2.0])
    )
    found = fastest_motion(frame, stiff, 1.0)
    assert found.of == "bond 'backbone' (M-M)"
    assert found.omega == pytest.approx(np.sqrt(5000.0 / 1.0))
    assert found.period == pytest.approx(2 * np.pi / found.omega)


def test_the_bottom_of_a_lennard_jones_well() -> None:
    """U'' = 72 epsilon / (2^(1/3) sigma^2) at the minimum, and beads of mass 1: mu = 1/2."""
    frame, field = system('neutral_control')
    field = replace(field, pair_epsilon=np.array([[400.0]]))
    found = fastest_motion(frame, field, COLD)
    assert found.of == 'pair N-N'
    assert found.omega == pytest.approx(np.sqrt(2 * 400 * 72 / 2 ** (1 / 3)), rel=1e-3)


def test_the_bottom_of_a_kremer_grest_bond() -> None:
    """Its length is 0.961 sigma; the two curvatures there add up to 981 epsilon/sigma^2."""
    found = fastest_motion(*system('kremer_grest'), COLD)
    assert found.omega == pytest.approx(44.3, rel=1e-3)


def test_heat_and_charges_make_it_faster() -> None:
    frame, field = system('isp')
    rates = [fastest_motion(frame, field, kT).omega for kT in (COLD, 0.5, 1.5, 6.0)]
    assert rates == sorted(set(rates))
    stronger = fastest_motion(frame, replace(field, bjerrum_length=200.0), 1.0)
    assert stronger.of == 'pair S-Li'
    assert stronger.omega > 2 * fastest_motion(frame, field, 1.0).omega


def test_unlike_charges_in_contact() -> None:
    """S and Li: U'' at the bottom of 4 (s/r)^12 - 4 (s/r)^6 - l/r, found by a root of U'."""
    frame, field = system('isp')
    sigma, length = 0.75, 200.0

    def slope(r: float) -> float:
        return -48 * sigma**12 / r**13 + 24 * sigma**6 / r**7 + length / r**2

    r = brentq(slope, 0.5, 0.8)
    curvature = 624 * sigma**12 / r**14 - 168 * sigma**6 / r**8 - 2 * length / r**3
    masses = [field.masses[field.bead_types.index(name)] for name in ('S', 'Li')]
    found = fastest_motion(frame, replace(field, bjerrum_length=length), COLD)
    assert found.of == 'pair S-Li'
    assert found.omega == pytest.approx(np.sqrt(curvature * sum(1 / m for m in masses)), rel=2e-3)


def test_charges_that_nothing_keeps_apart_are_refused() -> None:
    frame, field = system('isp')
    s, li = (field.bead_types.index(name) for name in ('S', 'Li'))
    cutoff = field.pair_cutoff.copy()
    cutoff[s, li] = cutoff[li, s] = 0
    with pytest.raises(UserError, match="'S' and 'Li' attract each other"):
        fastest_motion(frame, replace(field, pair_cutoff=cutoff), 1.0)


def test_a_stiff_bending_angle_straightens_with_its_own_curvature() -> None:
    """U'' = k at the straight chain; three beads of mass 1 with bonds of 1: k (1 + 1 + 4)."""
    frame, field = system('kremer_grest_bending')
    field = replace(
        field, bonds={'backbone': HarmonicBond(k=1.0, r0=1.0)}, angles={'bending': BENT}
    )
    found = fastest_motion(frame, field, COLD)
    assert found.of == "angle 'bending' (M-M-M)"
    assert found.omega == pytest.approx(np.sqrt(6 * BENT.k))


def test_a_mie_well_is_as_narrow_as_its_exponents_make_it() -> None:
    """U'' = n m epsilon / r_min^2 at the minimum, r_min = (n/m)^(1/(n-m)) sigma."""
    frame, field = system('neutral_control')
    nothing = np.zeros((1, 1))
    mie = Mie(2000.0, 1.0, 16.0, 7.0, 2.5)
    field = replace(field, pair_cutoff=nothing, extra_pairs={(0, 0): mie})
    found = fastest_motion(frame, field, COLD)
    assert found.of == 'pair N-N'
    curvature = 16 * 7 * 2000 / (16 / 7) ** (2 / 9)
    assert found.omega == pytest.approx(np.sqrt(2 * curvature), rel=1e-3)


def test_solvation_deepens_the_well_of_an_ion() -> None:
    frame, field = system('isp')
    pair = tuple(sorted(field.bead_types.index(name) for name in ('B', 'Li')))
    term = ion_solvation(300.0, 0.75, 3.0)
    found = fastest_motion(frame, replace(field, extra_pairs={pair: term}), 1.0)
    assert found.of == 'pair B-Li'


def test_charges_of_a_bond_count_where_it_feels_them() -> None:
    """Like charges: U'' = k + 2 l / r^3 where k (r - 1) = l / r^2."""
    frame, field = system('isp')
    stiffness, length = 2000.0, 40.0
    charges = np.where(np.isin(field.bead_types, ['P', 'S']), 1.0, 0.0)
    bonds = dict.fromkeys(field.bonds, HarmonicBond(k=stiffness, r0=1.0))
    field = replace(field, charges=charges, bonds=bonds, bjerrum_length=length)
    r = brentq(lambda r: stiffness * (r - 1) - length / r**2, 1, 1.1)
    masses = [field.masses[field.bead_types.index(name)] for name in ('P', 'S')]
    for feels, curvature in ((False, stiffness), (True, stiffness + 2 * length / r**3)):
        found = fastest_motion(frame, replace(field, coulomb_between_bonded=feels), COLD)
        assert found.omega == pytest.approx(np.sqrt(curvature * sum(1 / m for m in masses)), 1e-4)
    unlike = np.where(np.array(field.bead_types) == 'P', -1.0, charges)
    weak = dict.fromkeys(field.bonds, HarmonicBond(k=10.0, r0=1.0))
    field = replace(field, bonds=weak, charges=unlike, coulomb_between_bonded=True)
    with pytest.raises(UserError, match="charges of 'P' and 'S' pull bond"):
        fastest_motion(frame, field, 1.0)


def test_charges_that_only_a_soft_table_keeps_apart_are_refused() -> None:
    frame, field = system('isp')
    s, li = (field.bead_types.index(name) for name in ('S', 'Li'))
    cutoff = field.pair_cutoff.copy()
    cutoff[s, li] = cutoff[li, s] = 0
    soft = Tabulated(np.linspace(0, 2, 9), np.linspace(2, 0, 9) ** 2)
    field = replace(field, pair_cutoff=cutoff, extra_pairs={(min(s, li), max(s, li)): soft})
    with pytest.raises(UserError, match="'S' and 'Li' attract each other"):
        fastest_motion(frame, field, 1.0)


@pytest.mark.parametrize('model', shipped_models())
def test_shipped_models_take_the_usual_time_step(model: str) -> None:
    strength = load_model(model).bjerrum_length
    point = state_point(model, MONOMERS[model], chains=25, bjerrum_length=strength)
    time_step = 0.005 if model in CLOSE_IONS else 0.01
    assert fastest_motion(*melt(point), 1.5).period > 8 * time_step
