"""Estimates of the force error of an Ewald sum on a mesh, and of the force it is relative to.

Energies are l_B q_i q_j / r in units of epsilon, with charges in e.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

# Kappa times mesh spacing for which the error of a mesh is tabulated; it is smooth between.
_SPACINGS = np.geomspace(0.02, 4.0, 40)
# Of the integral over the first Brillouin zone, and how many zones around it count.
_NODES, _ZONES = 8, 2
# Where S_ZZ is measured: beyond, ions are as if without correlations.
_WAVES, _LONGEST_WAVE_VECTOR = 600, 15.0
_LAGUERRE_NODES, _LAGUERRE_WEIGHTS = np.polynomial.laguerre.laggauss(8)


class Differentiation(StrEnum):
    """How forces are had from a mesh: three transformed fields, or one differentiated potential."""

    IK = 'ik'
    ANALYTIC = 'ad'


@dataclass(frozen=True)
class Grid:
    """A mesh of an engine: points along each axis, order of assignment, differentiation."""

    resolution: int
    order: int
    differentiation: Differentiation = Differentiation.IK


@dataclass(frozen=True, eq=False)
class Ions:
    """What the error estimates need to know of a system; l_B sum q^2 is `charge_squared`."""

    charge_squared: float
    number: int
    box: NDArray[np.float64]

    @classmethod
    def of(
        cls, charges: NDArray[np.float64], box: NDArray[np.float64], bjerrum_length: float
    ) -> Self:
        """Sum up the charges ``(N,)``, in e, of all beads."""
        strength = bjerrum_length * float(np.sum(charges**2))
        return cls(strength, int(np.count_nonzero(charges)), box)

    def real_space_error(self, cutoff: float, kappa: float) -> float:
        """Estimate the real-space RMS error (Kolafa, Perram, Mol. Simul. 9, 351 (1992), eq. 18)."""
        scale = 2 * self.charge_squared / np.sqrt(self.number * cutoff * np.prod(self.box))
        return float(scale * np.exp(-((kappa * cutoff) ** 2)))

    def mesh_error(self, grid: Grid, kappa: float) -> float:
        """Estimate the RMS error of a mesh with the optimal influence function."""
        logs = np.log(kappa * self.box / grid.resolution)
        table = _mesh_errors(grid.order, grid.differentiation)
        squares = np.exp(np.interp(logs, np.log(_SPACINGS), table))
        volume = np.prod(self.box)
        return float(self.charge_squared * np.sqrt(kappa * np.mean(squares) / self.number / volume))


@dataclass(frozen=True, eq=False)
class ChargeCorrelation:
    """The charge structure factor S_ZZ(k) of ions, at wave vectors of their box.

    Attributes:
        k: Lengths of wave vectors in 1/sigma, about evenly spread, shape (n,).
        structure: |sum q exp(i k.r)|^2 / sum q^2 at each, shape (n,); 1 without correlations.
    """

    k: NDArray[np.float64]
    structure: NDArray[np.float64]

    def error_factor(self, grid: Grid, cutoff: float, kappa: float, edge: float) -> float:
        """Compare the RMS force error of these ions with that of ions without correlations.

        An error is a convolution of the charges with a kernel: its square is the sum over wave
        vectors of kernel^2 S_ZZ, where the estimates have kernel^2. Both halves of the squared
        error count alike, as `_split` makes them.
        """
        from scipy.special import spherical_jn  # not at the top: `init` rarely needs SciPy

        from workflow.electrostatics.ewald import screened_force

        # Of the sum past the cut-off: the transform of its force, by Gauss-Laguerre quadrature.
        depth = 1 / (2 * kappa**2 * cutoff)
        r = cutoff + depth * _LAGUERRE_NODES
        weights = _LAGUERRE_WEIGHTS * np.exp(_LAGUERRE_NODES) * r**2 * screened_force(r, kappa)
        real = self._mean((spherical_jn(1, self.k[:, None] * r) @ weights) ** 2)
        # Of the mesh: it takes a wave for its aliases and its aliases for it, one as much as the
        # other, and more so by (k spacing)^(2 order).
        mesh = self._mean(_aliased_force(self.k, grid.order, kappa))
        # The largest aliases are mirror images in a face of the first zone.
        alias = np.abs(2 * np.pi * grid.resolution / edge - self.k)
        mirrored = self._mean(_aliased_force(alias, grid.order, kappa) * (alias / self.k) ** 2)
        return float(np.sqrt((real + (mesh + mirrored) / 2) / 2))

    def _mean(self, weight: NDArray[np.float64]) -> float:
        """Average S_ZZ over all wave vectors; lengths are evenly spread here, and there not."""
        weight = weight * self.k**2
        total = weight.sum()
        return float(weight @ self.structure / total) if total > 0 else 1.0


@cache
def _mesh_errors(order: int, differentiation: Differentiation) -> NDArray[np.float64]:
    """Tabulate the log of the squared error of a mesh at _SPACINGS.

    It is that of unit charges at l_B = 1 without correlations, times the volume and divided by
    their number and kappa: an integral over the first Brillouin zone of what the force and its
    aliases leave over of the optimal influence function (Hockney, Eastwood, Computer Simulation
    Using Particles (1988), eq. 8-22; for both differentiations: Ballenegger, Cerda, Holm, JCTC 8,
    936 (2012)). Differences of what is nearly equal are written as sums over aliases.
    """
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    # An octant serves for all; of points that differ by the order of their axes, one.
    picks = [sorted(pick) for pick in itertools.product(range(_NODES), repeat=3)]
    points, multiplicity = np.unique(picks, axis=0, return_counts=True)
    weight = multiplicity * np.prod(weights[points] / 2, axis=1)
    zones = 2 * np.pi * np.arange(-_ZONES, _ZONES + 1)
    shifts = np.array(sorted(itertools.product(zones, repeat=3), key=np.linalg.norm))
    power, errors = 2 * order, []
    for spacing in _SPACINGS:
        edge = min(np.pi, 10 * spacing)  # beyond, the Gaussian has died out
        waves = edge * (nodes[points] + 1)[:, None] / 2 + shifts  # the first is no alias
        squares = np.sum(waves**2, axis=2)
        # The sines of aliases differ by their signs alone.
        assigned = (np.prod(np.sin(waves[:, :1] / 2), axis=2) / np.prod(waves, axis=2)) ** power
        share = assigned / assigned.sum(axis=1, keepdims=True)
        if differentiation is Differentiation.IK:
            other = share
            along = np.sum(waves * waves[:, :1], axis=2)
            kept = share * along / np.sqrt(squares * squares[:, :1])
        else:
            other = assigned * squares
            other /= other.sum(axis=1, keepdims=True)
            kept = np.sqrt(share * other)
        force = 4 * np.pi * np.exp(-squares / (2 * spacing) ** 2) / np.sqrt(squares)
        lost = share[:, 1:].sum(axis=1) + share[:, 0] * other[:, 1:].sum(axis=1)
        aliases = np.sum(kept[:, 1:] * force[:, 1:], axis=1)
        error = force[:, 0] ** 2 * lost + np.sum(force[:, 1:] ** 2, axis=1)
        error -= aliases * (2 * kept[:, 0] * force[:, 0] + aliases)
        errors.append((edge / np.pi) ** 3 * weight @ error / spacing)
    return np.log(errors)


def _aliased_force(k: NDArray[np.float64], order: int, kappa: float) -> NDArray[np.float64]:
    """Compute the squared mesh force times that of its error, but for a constant."""
    scaled = k / kappa / np.sqrt(2 * order)
    # Logarithms: the powers would overflow.
    return np.asarray(np.exp((2 * order - 2) * np.log(scaled + 1e-300) + order * (1 - scaled**2)))


def charge_correlation(
    positions: NDArray[np.float64], charges: NDArray[np.float64], box: NDArray[np.float64]
) -> ChargeCorrelation:
    """Measure S_ZZ of ions ``(n, 3)``, ``(n,)`` in e, at some hundred wave vectors of their box."""
    rng = np.random.default_rng(0)  # the same ions always get the same mesh
    directions = rng.normal(size=(_WAVES, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    lengths = _LONGEST_WAVE_VECTOR * (np.arange(_WAVES) + 0.5) / _WAVES
    indices = np.round(lengths[:, None] * directions * box / (2 * np.pi))
    vectors = 2 * np.pi * indices[np.any(indices != 0, axis=1)] / box
    amplitude = np.empty(len(vectors))
    for part in np.array_split(np.arange(len(vectors)), 1 + len(charges) * _WAVES // 10**6):
        amplitude[part] = np.abs(charges @ np.exp(1j * (positions @ vectors[part].T)))
    return ChargeCorrelation(np.linalg.norm(vectors, axis=1), amplitude**2 / np.sum(charges**2))


def typical_coulomb_force(
    positions: NDArray[np.float64],
    charges: NDArray[np.float64],
    box: NDArray[np.float64],
    bjerrum_length: float,
    excluded: NDArray[np.int64] | None = None,
) -> float:
    """Estimate the RMS Coulomb force on an ion from near neighbours alone, in epsilon/sigma.

    The damped, shifted-force sum of Fennell and Gezelter, J. Chem. Phys. 124, 234104 (2006), with
    a cut-off of 5 sigma: an RMS force is set by contacts, so this is linear in the number of ions
    and within some percent of the full sum. The pairs of ions `excluded`, ``(n, 2)``, do not count.
    """
    from workflow.electrostatics.ewald import near_pairs, screened_force  # loads SciPy

    damping = 0.4
    cutoff = _force_cutoff(box)
    forces = np.zeros_like(positions)
    for i, j, separation, r in near_pairs(positions, box, cutoff):
        if excluded is not None:
            low, high = np.sort(excluded, axis=1).T
            keys = np.minimum(i, j) * len(charges) + np.maximum(i, j)
            counts = ~np.isin(keys, low * len(charges) + high)
            i, j, separation, r = i[counts], j[counts], separation[counts], r[counts]
        magnitude = screened_force(r, damping) - screened_force(np.array(cutoff), damping)
        # Beads that have not been pushed apart yet would set the scale: no ion is nearer.
        r = np.maximum(r, 0.5)
        magnitude = np.minimum(magnitude, screened_force(r, damping))
        strength = bjerrum_length * charges[i] * charges[j] * magnitude / r
        pair_forces = strength[:, None] * separation
        np.add.at(forces, i, pair_forces)
        np.add.at(forces, j, -pair_forces)
    rms = float(np.sqrt(np.mean(np.sum(forces**2, axis=1))))
    return max(rms, least_typical_force(box, bjerrum_length))


def least_typical_force(box: NDArray[np.float64], bjerrum_length: float) -> float:
    """Compute the force between two ions at the cut-off: a lone pair has no scale of its own."""
    return bjerrum_length / _force_cutoff(box) ** 2


def _force_cutoff(box: NDArray[np.float64]) -> float:
    return min(5.0, 0.499 * float(box.min()))
