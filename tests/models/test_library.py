"""Published models that are shipped: stoichiometry, spacing and density as published."""

from __future__ import annotations

from typing import Any

import gsd.hoomd
import numpy as np
import pytest

from models.force_field import force_field
from models.melt import build_melt
from models.model import load_model
from models.oscillation import pair_energy
from models.sequence import PeriodicSequence

EVERY_NINTH = PeriodicSequence(kind='periodic', spacing=9)


def melt(name: str, composition: dict[str, float], **changes: Any) -> gsd.hoomd.Frame:
    arguments: dict[str, Any] = {'chains': 10, 'seed': 1} | changes
    return build_melt(load_model(name), composition=composition, **arguments)


def beads(frame: gsd.hoomd.Frame, name: str) -> np.ndarray:
    return np.flatnonzero(frame.particles.typeid == frame.particles.types.index(name))


@pytest.mark.parametrize(('name', 'beads_of_chain'), [('pendant', 40), ('ionene', 36)])
def test_ionomers_of_hall_stevens_and_frischknecht(name: str, beads_of_chain: int) -> None:
    """Four ions on chains of 36, nine beads apart, and as many counter-ions of half the size."""
    frame = melt(
        name,
        {'N': 8 / 9, 'I': 1 / 9},
        degree_of_polymerisation=36,
        sequence=EVERY_NINTH,
    )
    anions, cations = beads(frame, 'A'), beads(frame, 'C')
    assert 10 * (beads_of_chain + 4) == frame.particles.N
    assert len(anions) == len(cations) == 40
    assert frame.particles.charge.sum() == 0.0
    # the volume fraction that their scripts keep: 0.7 beads of diameter 1 per sigma^3
    counted = 10 * (beads_of_chain + 4 * 0.5**3)
    assert counted / frame.configuration.box[0] ** 3 == pytest.approx(0.7, rel=1e-3)
    bonded = np.bincount(frame.bonds.group.ravel(), minlength=frame.particles.N)
    assert np.all(bonded[anions] == 1) if name == 'pendant' else np.all(bonded[anions] <= 2)
    in_one_chain = anions.reshape(10, 4)
    per_spacing = beads_of_chain // 4
    assert np.all(np.diff(in_one_chain, axis=1) == per_spacing)


def test_unlike_ions_touch_where_their_diameters_say() -> None:
    """Pair coefficients of the scripts: 0.75 sigma of anion and counter-ion, 1 of two anions."""
    for name in ('pendant', 'ionene'):
        field = force_field(load_model(name))
        i, j = (field.bead_types.index(bead) for bead in 'AC')
        assert field.pair_sigma[i, j] == 0.75
        r, energy, _ = pair_energy(field, i, j)
        energy = energy - field.bjerrum_length / r
        # some kT of repulsion are overcome: the ions come closer than their diameters
        assert 0.6 < r[energy.argmin()] < 0.75


def test_salt_doped_homopolymer_of_shen_and_hall() -> None:
    frame = melt('salt_doped', {'M': 1.0}, chains=800, degree_of_polymerisation=20)
    assert len(beads(frame, 'Cat')) == len(beads(frame, 'An')) == int(800 * 20 * 0.052)
    field = force_field(load_model('salt_doped'))
    monomer, cation, anion = range(3)
    for first, second, strength in (
        (monomer, cation, 2.7),
        (cation, anion, 2.7),
        (anion, anion, 2.7),
    ):
        r, energy, _ = pair_energy(field, first, second)
        beyond = (r > 1.13) & (r < 5.0)
        expected = -strength * (r[beyond] ** -4 - 5.0**-4)
        np.testing.assert_allclose(energy[beyond], expected, atol=1e-9)
    r, energy, _ = pair_energy(field, monomer, monomer)
    assert r[-1] == pytest.approx(2 ** (1 / 6))
