"""Energies and forces by plain sums in double precision: no neighbour list, no cells, no engine.

Every pair is visited at its minimum image. Coulomb is apart: `ewald.ewald_sum`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from gsd.hoomd import Frame
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline

from models.entries import CosineAngle, FeneBond, HarmonicAngle, HarmonicBond
from models.force_field import ForceField
from models.pair_potentials import Mie, PairPotential

FloatArray = NDArray[np.float64]


class ReferenceSum:
    """Energies and forces of one frame.

    Attributes:
        energies: Of the terms 'pair', 'bond' and 'angle'.
        forces: ``(N, 3)``, of all these terms.
        virial: Sum of separation times force over all terms, in epsilon.
    """

    def __init__(self, frame: Frame, field: ForceField) -> None:
        self._frame, self._field = frame, field
        self._positions = np.asarray(frame.particles.position, dtype=float)
        self._box = np.asarray(frame.configuration.box[:3], dtype=float)
        self.forces = np.zeros_like(self._positions)
        self.virial = 0.0
        self.energies = {'pair': self._pairs(), 'bond': self._bonds(), 'angle': self._angles()}

    def _separation(self, i: NDArray[np.int64], j: NDArray[np.int64]) -> FloatArray:
        d = self._positions[i] - self._positions[j]
        return np.asarray(d - self._box * np.round(d / self._box))

    def _add(
        self, i: NDArray[np.int64], j: NDArray[np.int64], d: FloatArray, slope: FloatArray
    ) -> None:
        """Add central forces: `slope` is dU/dr at the separations `d`."""
        r = np.linalg.norm(d, axis=1)
        pull = (-slope / r)[:, None] * d
        np.add.at(self.forces, i, pull)
        np.add.at(self.forces, j, -pull)
        self.virial += float(np.sum(-slope * r))

    def _pairs(self) -> float:
        frame, field = self._frame, self._field
        order = [field.bead_types.index(name) for name in frame.particles.types]
        types = np.array(order)[frame.particles.typeid]
        n = len(self._positions)
        bonds = np.sort(np.asarray(frame.bonds.group, dtype=np.int64).reshape(-1, 2), axis=1)
        excluded = set((bonds[:, 0] * n + bonds[:, 1]).tolist())
        energy = 0.0
        for first in range(n - 1):  # row by row: all pairs at once would not fit in memory
            j = np.arange(first + 1, n)
            i = np.full_like(j, first)
            d = self._separation(i, j)
            r = np.linalg.norm(d, axis=1)
            near = np.flatnonzero(r < field.largest_cutoff)
            near = near[[first * n + int(other) not in excluded for other in j[near]]]
            i, j, d, r = i[near], j[near], d[near], r[near]
            for pair, potential in field.extra_pairs.items():
                low, high = np.minimum(types[i], types[j]), np.maximum(types[i], types[j])
                felt = (low == pair[0]) & (high == pair[1]) & (r < potential.cutoff)
                value, slope = beside_lennard_jones(potential, r[felt])
                energy += float(value.sum())
                self._add(i[felt], j[felt], d[felt], slope)
            cutoff = field.pair_cutoff[types[i], types[j]]
            near = np.flatnonzero((r < cutoff) & (cutoff > 0))
            if not near.size:
                continue
            i, j, d, r = i[near], j[near], d[near], r[near]
            table = (types[i], types[j])
            value, slope = lennard_jones(
                r, field.pair_epsilon[table], field.pair_sigma[table], field.pair_cutoff[table]
            )
            energy += float(value.sum())
            self._add(i, j, d, slope)
        return energy

    def _bonds(self) -> float:
        energy = 0.0
        for number, name in enumerate(self._frame.bonds.types or []):
            of_type = np.asarray(self._frame.bonds.typeid) == number
            if not of_type.any():
                continue
            bond = self._field.bonds[name]
            i, j = np.asarray(self._frame.bonds.group, dtype=np.int64)[of_type].T
            d = self._separation(i, j)
            r = np.linalg.norm(d, axis=1)
            if isinstance(bond, HarmonicBond):
                energy += float(np.sum(bond.k / 2 * (r - bond.r0) ** 2))
                self._add(i, j, d, bond.k * (r - bond.r0))
                continue
            assert isinstance(bond, FeneBond)
            stretch = 1 - (r / bond.r0_max) ** 2
            one = np.ones_like(r)
            value, slope = lennard_jones(
                r, bond.epsilon * one, bond.sigma * one, 2 ** (1 / 6) * bond.sigma * one
            )
            energy += float(np.sum(value - bond.k * bond.r0_max**2 / 2 * np.log(stretch)))
            self._add(i, j, d, slope + bond.k * r / stretch)
        return energy

    def _angles(self) -> float:
        energy = 0.0
        for number, name in enumerate(self._frame.angles.types or []):
            of_type = np.asarray(self._frame.angles.typeid) == number
            if not of_type.any():
                continue
            angle = self._field.angles[name]
            i, j, k = np.asarray(self._frame.angles.group, dtype=np.int64)[of_type].T
            u, v = self._separation(i, j), self._separation(k, j)
            ru, rv = np.linalg.norm(u, axis=1), np.linalg.norm(v, axis=1)
            cosine = np.sum(u * v, axis=1) / (ru * rv)
            if isinstance(angle, HarmonicAngle):
                theta = np.arccos(np.clip(cosine, -1, 1))
                energy += float(np.sum(angle.k / 2 * (theta - angle.radians) ** 2))
                slope = -angle.k * (theta - angle.radians) / np.sin(theta)
            elif isinstance(angle, CosineAngle):
                energy += float(np.sum(angle.k * (1 + cosine)))
                slope = np.full_like(cosine, angle.k)
            else:
                off = cosine - np.cos(angle.radians)
                energy += float(np.sum(angle.k / 2 * off**2))
                slope = angle.k * off
            # The gradient of the cosine with respect to the two outer beads.
            on_i = -slope[:, None] * (v / (ru * rv)[:, None] - (cosine / ru**2)[:, None] * u)
            on_k = -slope[:, None] * (u / (ru * rv)[:, None] - (cosine / rv**2)[:, None] * v)
            for beads, force in ((i, on_i), (k, on_k), (j, -on_i - on_k)):
                np.add.at(self.forces, beads, force)
            self.virial += float(np.sum(u * on_i + v * on_k))
        return energy


def lennard_jones(
    r: FloatArray, epsilon: FloatArray, sigma: FloatArray, cutoff: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Energy and slope dU/dr, cut and shifted to zero energy at `cutoff`."""
    inside = r < cutoff
    power = np.where(inside, sigma / r, 0.0) ** 6
    shift = np.where(inside, (sigma / cutoff) ** 12 - (sigma / cutoff) ** 6, 0.0)
    energy = 4 * epsilon * (power**2 - power - shift)
    return np.asarray(energy), np.asarray(-24 * epsilon * (2 * power**2 - power) / r)


def beside_lennard_jones(potential: PairPotential, r: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Energy and slope dU/dr, shifted to zero energy at the cut-off."""
    if isinstance(potential, Mie):
        n, m, cutoff = potential.n, potential.m, potential.cutoff
        scale = n / (n - m) * (n / m) ** (m / (n - m)) * potential.epsilon
        up, down = (scale * (potential.sigma / r) ** exponent for exponent in (n, m))
        shift = (potential.sigma / cutoff) ** n - (potential.sigma / cutoff) ** m
        return up - down - scale * shift, (m * down - n * up) / r
    spline = make_interp_spline(potential.r, potential.energy, k=3)
    inside = np.maximum(r, potential.r[0])
    slope = spline(inside, 1)
    return spline(inside) - potential.energy[-1] + slope * (r - inside), slope


def relative_rms(measured: FloatArray, expected: FloatArray) -> float:
    """RMS difference over RMS of what is expected."""
    return float(np.sqrt(np.mean((measured - expected) ** 2) / np.mean(expected**2)))


def central_difference(function: Callable[[float], float], step: float) -> float:
    """Derivative at 0 to fourth order in `step`."""
    near = function(step) - function(-step)
    far = function(2 * step) - function(-2 * step)
    return (8 * near - far) / (12 * step)
