"""Pair potentials that are not Lennard-Jones."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# In sigma; where engines begin a table.
NEAREST_IN_TABLE = 1e-3
# Of the diameter: at a touch, 1e-24 of the attraction is what its repulsion comes to.
_POINT = 1e-3


@dataclasses.dataclass(frozen=True)
class Mie:
    """U(r) = C epsilon [(sigma/r)^n - (sigma/r)^m], shifted to zero at `cutoff`.

    C = n/(n-m) (n/m)^(m/(n-m)) makes epsilon the depth (Mie, Ann. Phys. 316, 657 (1903), with the
    prefactor that is usual today); n = 12 and m = 6 give Lennard-Jones.
    """

    epsilon: float
    sigma: float
    n: float
    m: float
    cutoff: float

    def derivatives(self, r: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Compute U, dU/dr and its second derivative at distances up to the cut-off."""
        energy, slope, curvature = np.zeros((3, *r.shape))
        strength = self.epsilon * mie_prefactor(self.n, self.m)
        for sign, exponent in ((1, self.n), (-1, self.m)):
            power = sign * strength * (self.sigma / r) ** exponent
            energy += power - sign * strength * (self.sigma / self.cutoff) ** exponent
            slope -= exponent * power / r
            curvature += exponent * (exponent + 1) * power / r**2
        return energy, slope, curvature


@dataclasses.dataclass(frozen=True, eq=False)
class Tabulated:
    """U(r) by a cubic spline through points, shifted to zero at the last one.

    The ends of the spline are 'not a knot'. Below the first point the force stays what it is there.
    """

    r: FloatArray
    energy: FloatArray

    @property
    def cutoff(self) -> float:
        """Distance of the last point."""
        return float(self.r[-1])

    @cached_property
    def _spline(self) -> Any:
        from scipy.interpolate import CubicSpline  # slow to import, and few models need it

        return CubicSpline(self.r, self.energy - self.energy[-1])

    def derivatives(self, r: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Compute U, dU/dr and its second derivative at distances up to the cut-off."""
        first = self.r[0]
        inside = np.maximum(r, first)
        energy, slope, curvature = (self._spline(inside, order) for order in range(3))
        return energy + slope * (r - inside), slope, np.where(r < first, 0.0, curvature)


PairPotential = Mie | Tabulated


def mie_prefactor(n: float, m: float) -> float:
    """Compute C of a Mie potential."""
    return float(n / (n - m) * (n / m) ** (m / (n - m)))


def ion_solvation(strength: float, sigma: float, cutoff: float) -> Mie:
    """Make U = -strength [(sigma/r)^4 - (sigma/cutoff)^4]: a charge and the dipole it induces.

    Both engines have it as a Mie potential whose repulsion is too short-ranged to matter.
    """
    depth = strength / mie_prefactor(12, 4) / _POINT**4
    return Mie(depth, _POINT * sigma, 12.0, 4.0, cutoff)
