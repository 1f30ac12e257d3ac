"""Units of the molten salt."""

import numpy as np
import pytest

from validation.sections import published_salt as salt
from validation.sections.forces import MADELUNG


def test_reduced_and_si_units_give_one_nernst_einstein_conductivity() -> None:
    pairs = salt.KILOGRAMS_PER_CUBIC_METRE / (salt.SODIUM + salt.CHLORINE) * salt.LENGTH**3
    diffusion = sum(value for value, _ in salt.PUBLISHED_DIFFUSION.values()) / salt.DIFFUSION
    ratio, error = salt.published_haven_ratio()
    expected = ratio * salt.PUBLISHED_CONDUCTIVITY[0]
    assert pairs * diffusion * salt.CONDUCTIVITY == pytest.approx(expected)
    assert expected == pytest.approx(431, abs=1)
    assert error == pytest.approx(0.053, abs=0.001)


def test_the_crystal_has_the_lattice_constant_of_rock_salt() -> None:
    # 5.64 Angstrom at room temperature, to which the potential was fitted; here it is cold.
    d = np.linspace(2.5e-10, 3.2e-10, 7001)
    energy = -MADELUNG['NaCl'] * salt.BJERRUM * salt.LENGTH / d
    for pairs, distance, kinds in (
        (6, 1, [(0, 1)]),
        (6, 2, [(0, 0), (1, 1)]),
        (8, 3, [(0, 1)]),
        (3, 4, [(0, 0), (1, 1)]),
    ):
        energy += sum(pairs * salt.energy_of(kind, d * distance**0.5) for kind in kinds)
    assert 2 * d[energy.argmin()] == pytest.approx(5.64e-10, abs=0.06e-10)
