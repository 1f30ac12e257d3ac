"""What reduced units are in real ones.

Lengths in sigma, energies in epsilon, masses in m, charges in e (the elementary charge), times in
tau = sigma (m/epsilon)^(1/2). Constants are those of the SI and of CODATA 2022.
"""

from __future__ import annotations

import math
import re
from typing import Self

import pydantic
from pydantic import PositiveFloat

from user_input import StrictModel, added_later

BOLTZMANN = 1.380649e-23  # J/K
AVOGADRO = 6.02214076e23  # 1/mol
ELEMENTARY_CHARGE = 1.602176634e-19  # C
VACUUM_PERMITTIVITY = 8.8541878188e-12  # F/m

# Of a friction that is too low: what is said wherever times become real ones.
FRICTION = (
    'Friction between coarse-grained beads is too low: real times are longer, and diffusion, '
    'conductivity and viscosity in real units are no absolute values. Ratios of them along the '
    'sweep are what the model can tell.'
)

# Powers of metre, kilogram, second and coulomb -> name, and what one is in SI units.
_REAL_UNITS: dict[tuple[float, ...], tuple[str, float]] = {
    (1, 0, 0, 0): ('nm', 1e-9),
    (2, 0, 0, 0): ('nm^2', 1e-18),
    (3, 0, 0, 0): ('nm^3', 1e-27),
    (-1, 0, 0, 0): ('nm^-1', 1e9),
    (-2, 0, 0, 0): ('nm^-2', 1e18),
    (-3, 0, 0, 0): ('nm^-3', 1e27),
    (0, 0, 1, 0): ('ps', 1e-12),
    (0, 0, -1, 0): ('ps^-1', 1e12),
    (0, 1, 0, 0): ('g/mol', 1e-3 / AVOGADRO),
    (1, 0, -1, 0): ('m/s', 1.0),
    (2, 0, -1, 0): ('cm^2/s', 1e-4),
    (2, 1, -2, 0): ('kJ/mol', 1e3 / AVOGADRO),
    (-3, 1, 0, 0): ('g/cm^3', 1e3),
    (-1, 1, -2, 0): ('MPa', 1e6),
    (-1, 1, -1, 0): ('mPa s', 1e-3),
    (-3, -1, 1, 2): ('S/cm', 1e2),
}
_FACTOR = re.compile(r'([a-zA-Z]+)(?:\^(-?\d+(?:\.\d+)?))?$')


class Units(StrictModel):
    """What one reduced unit is: a length, a mass or a time, and an energy or a temperature.

    Attributes:
        sigma: Length unit in nm.
        mass: Mass unit in g/mol; or
        tau: Time unit in ps.
        temperature: Temperature in K at which kT = 1; or
        epsilon: Energy unit in kJ/mol.
    """

    sigma: PositiveFloat
    mass: PositiveFloat | None = None
    temperature: PositiveFloat | None = None
    # These two came later.
    tau: PositiveFloat | None = added_later(None)
    epsilon: PositiveFloat | None = added_later(None)

    @pydantic.model_validator(mode='after')
    def _are_independent(self) -> Self:
        if (self.mass is None) == (self.tau is None):
            raise ValueError("give either 'mass' in g/mol or 'tau' in ps: the other follows")
        if (self.temperature is None) == (self.epsilon is None):
            raise ValueError(
                "give either 'temperature' in K, where kT = 1, or 'epsilon' in kJ/mol: the other "
                'follows'
            )
        return self

    @property
    def kelvin(self) -> float:
        """Temperature in K at which kT = 1."""
        return self.temperature or self._joule / BOLTZMANN

    @property
    def picoseconds(self) -> float:
        """One tau in ps."""
        return self._second * 1e12

    def bjerrum_length(self, permittivity: float) -> float:
        """Convert a relative permittivity to a Bjerrum length in sigma at kT = 1.

        l_B = e^2 / (4 pi epsilon_0 epsilon_r kT) of charges e.
        """
        coulomb = ELEMENTARY_CHARGE**2 / (4 * math.pi * VACUUM_PERMITTIVITY)
        return coulomb / (permittivity * self._joule * self._metre)

    def permittivity(self, bjerrum_length: float) -> float:
        """Convert a Bjerrum length in sigma at kT = 1 to a relative permittivity."""
        return self.bjerrum_length(1.0) / bjerrum_length

    def real(self, unit: str) -> tuple[float, str] | None:
        """Find the real unit of a reduced one, and how many of it one is; None if it has none.

        A reduced unit is a product of powers of e, sigma, tau, epsilon, m and kT (that of kT = 1),
        with one slash at most, such as 'sigma^2/tau' or 'e^2/(sigma tau epsilon)'.
        """
        above, _, below = unit.replace('*', ' ').partition('/')
        powers = {'sigma': 0.0, 'tau': 0.0, 'epsilon': 0.0, 'm': 0.0, 'e': 0.0}
        for part, sign in ((above, 1), (below.strip().removeprefix('(').removesuffix(')'), -1)):
            for factor in part.split():
                if factor == '1':
                    continue
                found = _FACTOR.match(factor)
                name = {'kT': 'epsilon'}.get(found[1], found[1]) if found else ''
                if found is None or name not in powers:
                    return None
                powers[name] += sign * float(found[2] or 1)
        length, time, energy, mass, charge = powers.values()
        of_si = (length + 2 * energy, energy + mass, time - 2 * energy, charge)
        if of_si not in _REAL_UNITS:
            return None
        name, size = _REAL_UNITS[of_si]
        one = self._metre**length * self._second**time * self._joule**energy
        one *= self._kilogram**mass * ELEMENTARY_CHARGE**charge
        return one / size, name

    @property
    def _metre(self) -> float:
        return self.sigma * 1e-9

    @property
    def _joule(self) -> float:
        if self.temperature is not None:
            return BOLTZMANN * self.temperature
        return (self.epsilon or 0.0) * 1e3 / AVOGADRO

    @property
    def _kilogram(self) -> float:
        if self.mass is not None:
            return self.mass * 1e-3 / AVOGADRO
        return self._joule * ((self.tau or 0.0) * 1e-12 / self._metre) ** 2

    @property
    def _second(self) -> float:
        if self.tau is not None:
            return self.tau * 1e-12
        return self._metre * math.sqrt(self._kilogram / self._joule)
