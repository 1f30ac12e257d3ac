"""Reduced units in real ones, against published values."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from models.model import SHIPPED_MODELS, load_model
from models.units import AVOGADRO, BOLTZMANN, ELEMENTARY_CHARGE, Units
from user_input import UserError

ARGON = Units(sigma=0.3405, mass=39.948, temperature=119.8)
ISP = (SHIPPED_MODELS / 'isp.toml').read_text()


def real(units: Units, value: float, unit: str) -> tuple[float, str]:
    found = units.real(unit)
    assert found is not None
    return value * found[0], found[1]


def test_water_has_its_bjerrum_length() -> None:
    """0.715 nm at 25 C and relative permittivity 78.4, whatever sigma is."""
    water = Units(sigma=0.5, mass=18.0, temperature=298.15)
    length = water.bjerrum_length(78.4)
    assert real(water, length, 'sigma') == (pytest.approx(0.715, abs=5e-4), 'nm')
    assert water.permittivity(length) == pytest.approx(78.4)


def test_argon_has_its_units() -> None:
    """tau = 2.16 ps, epsilon/sigma^3 = 41.9 MPa (Allen and Tildesley, and Rahman 1964)."""
    assert real(ARGON, 1, 'tau') == (pytest.approx(2.16, abs=0.005), 'ps')
    assert real(ARGON, 1, 'epsilon/sigma^3') == (pytest.approx(41.9, abs=0.05), 'MPa')
    # The triple point: density 0.8442 sigma^-3 is 1.418 g/cm^3.
    assert real(ARGON, 0.8442, 'm/sigma^3') == (pytest.approx(1.418, abs=2e-3), 'g/cm^3')
    # Its viscosity there, 3.2 reduced, is that of liquid argon: 0.29 mPa s.
    assert real(ARGON, 3.2, 'epsilon tau/sigma^3') == (pytest.approx(0.29, abs=0.005), 'mPa s')
    # Diffusion of Rahman's argon at 94.4 K: 2.43e-5 cm^2/s.
    assert real(ARGON, 2.43e-5 / 5.377e-4, 'sigma^2/tau')[0] == pytest.approx(2.43e-5, rel=1e-3)


def test_an_ideal_electrolyte_has_its_conductivity() -> None:
    """NaCl, 1 mmol/l at 25 C: D of 1.334 and 2.032e-9 m^2/s give 126.4 S cm^2/mol."""
    units = Units(sigma=0.4, mass=23.0, temperature=298.15)
    (area, _), (volume, _) = real(units, 1, 'sigma^2/tau'), real(units, 1, 'sigma^3')
    density = 1e-3 * AVOGADRO * 1e-24 * volume  # of either ion, per sigma^3
    diffusion = (1.334e-5 + 2.032e-5) / area
    reduced = density * diffusion  # q^2 rho D / kT at kT = 1
    for unit in ('e^2/(sigma tau epsilon)', 'e^2/(sigma*tau*kT)', 'e^2 sigma^-1/(tau epsilon)'):
        assert real(units, reduced, unit) == (pytest.approx(126.4e-6, rel=1e-3), 'S/cm')


def test_one_energy_and_one_mass_give_the_other() -> None:
    epsilon = BOLTZMANN * AVOGADRO * 119.8e-3
    tau = ARGON.picoseconds
    other = Units(sigma=0.3405, tau=tau, epsilon=epsilon)
    assert other.kelvin == pytest.approx(119.8)
    for unit in ('epsilon', 'tau', 'm/sigma^3', 'e^2/(sigma tau epsilon)', 'epsilon tau/sigma^3'):
        assert real(other, 1, unit)[0] == pytest.approx(real(ARGON, 1, unit)[0])
    assert real(other, 1, 'epsilon')[0] == pytest.approx(0.9961, abs=1e-4)  # kJ/mol


@pytest.mark.parametrize('unit', ['1', 'step', 'sigma^2/step', 'e sigma/tau', 'rad', 'tau/tau'])
def test_what_has_no_real_unit_has_none(unit: str) -> None:
    assert ARGON.real(unit) is None


@pytest.mark.parametrize(
    ('table', 'message'),
    [
        ('sigma = 0.4\nmass = 80.0', "give either 'temperature' in K"),
        ('sigma = 0.4\ntemperature = 300.0', "give either 'mass' in g/mol or 'tau' in ps"),
        ('sigma = 0.4\nmass = 8.0\ntau = 2.0\nepsilon = 2.5', "give either 'mass'"),
        ('sigma = 0.4\nmass = 80.0\nkelvin = 300.0', "unknown key 'units.kelvin'"),
    ],
)
def test_units_that_do_not_settle_all_are_refused(tmp_path: Path, table: str, message: str) -> None:
    before, _, rest = ISP.partition('[units]')
    path = tmp_path / 'own.toml'
    path.write_text(f'{before}[units]\n{table}\n[beads]{rest.partition("[beads]")[2]}')
    with pytest.raises(UserError, match=message):
        load_model(path)


def test_a_permittivity_is_the_bjerrum_length_that_it_makes(tmp_path: Path) -> None:
    path = tmp_path / 'own.toml'
    path.write_text(ISP.replace('bjerrum_length = 16.0', 'permittivity = 4.0'))
    model = load_model(path)
    coulomb = ELEMENTARY_CHARGE**2 / (4 * math.pi * 8.8541878188e-12 * BOLTZMANN * 300.0)
    assert model.bjerrum_length == pytest.approx(coulomb / 4.0 / 0.45e-9)
    path.write_text(ISP.replace('= 16.0', f'= {model.bjerrum_length!r}'))
    assert load_model(path).content_hash() == model.content_hash()


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('bjerrum_length = 16.0', 'permittivity = 4.0\nbjerrum_length = 16.0', 'give either'),
        ('bjerrum_length = 16.0', 'permittivity = 0', "'permittivity'"),
        ('bjerrum_length = 16.0', '', "or with \\[units\\] 'permittivity'"),
    ],
)
def test_a_permittivity_that_means_nothing_is_refused(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / 'own.toml'
    path.write_text(ISP.replace(old, new))
    with pytest.raises(UserError, match=message):
        load_model(path)


def test_a_permittivity_needs_units(tmp_path: Path) -> None:
    before, _, rest = ISP.partition('[units]')
    text = f'{before}[beads]{rest.partition("[beads]")[2]}'
    path = tmp_path / 'own.toml'
    path.write_text(text.replace('bjerrum_length = 16.0', 'permittivity = 4.0'))
    with pytest.raises(UserError, match="'permittivity' needs \\[units\\]"):
        load_model(path)


def test_units_leave_the_models_that_are_shipped_what_they_were() -> None:
    """Their hashes are in the id of every job that was ever made."""
    assert load_model('isp').content_hash().startswith('851c8e7df47d823e')
