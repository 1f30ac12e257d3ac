"""Ewald splitting: estimates of the force error, and the mesh for a requested one.

Energies are l_B q_i q_j / r in units of epsilon, with charges in e and the vacuum between periodic
images replaced by a conductor (tin-foil boundary).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.spatial import cKDTree
from scipy.special import spherical_jn

from user_input import UserError
from workflow.electrostatics.ewald import screened_force

# Coefficients of the error of P3M with ik-differentiation and the optimal influence function, by
# assignment order: Deserno and Holm, J. Chem. Phys. 109, 7694 (1998), table I.
_IK_ERROR_COEFFICIENTS = {
    3: (1 / 588, 7 / 1440, 21 / 3872),
    4: (1 / 4320, 3 / 1936, 7601 / 2271360, 143 / 28800),
    5: (1 / 23232, 7601 / 13628160, 143 / 69120, 517231 / 106536960, 106640677 / 11737571328),
    6: (
        691 / 68140800,
        13 / 57600,
        47021 / 35512320,
        9694607 / 2095994880,
        733191589 / 59609088000,
        326190917 / 11700633600,
    ),
    7: (
        1 / 345600,
        3617 / 35512320,
        745739 / 838397952,
        56399353 / 12773376000,
        25091609 / 1560084480,
        1755948832039 / 36229939200000,
        4887769399 / 37838389248,
    ),
}

# Sizes whose factors are all small: the fast Fourier transform is fast on them.
MESH_SIZES = tuple(
    sorted(
        2**a * 3**b * 5**c
        for a, b, c in itertools.product(range(9), range(4), range(3))
        if 8 <= 2**a * 3**b * 5**c <= 256
    )
)
_ORDERS = (4, 5, 6)
# Found are 0.7 of the estimate (dilute ions, strongly paired, coarse requests) to 1.7 of it (few
# ions that have clustered). Aiming at half of the request keeps all of these between 0.3 and 1 of
# it (`python -m validation`). Of few ions the error scatters more about its estimate, so with n
# ions 1 - 1/sqrt(n) of this is aimed at.
_SHARE_OF_REQUEST = 0.5
# The correction for correlated ions depends on the choice, and little: it settles at once.
_ROUNDS = 3
# Where S_ZZ is measured: beyond, ions are as if without correlations.
_WAVES, _LONGEST_WAVE_VECTOR = 600, 15.0
_LAGUERRE_NODES, _LAGUERRE_WEIGHTS = np.polynomial.laguerre.laggauss(8)
# Below this the neighbour list costs as much as the pairs; above it, the mesh is always cheaper.
_SHORTEST_CUTOFF, _LONGEST_CUTOFF = 2.0, 6.0
# A box that shrinks a little at constant pressure must still hold the cut-off.
_SHARE_OF_BOX = 0.97


@dataclass(frozen=True)
class CoulombMesh:
    """How the Coulomb sum is split and gridded.

    Attributes:
        resolution: Mesh points along each axis.
        order: Assignment order.
        cutoff: Real-space cut-off in sigma.
        splitting: Ewald parameter kappa in 1/sigma.
        requested_error: RMS force error that was asked for, relative to `typical_force`.
        estimated_error: The same, as estimated for this choice.
        typical_force: RMS Coulomb force on an ion in epsilon/sigma.
    """

    resolution: int
    order: int
    cutoff: float
    splitting: float
    requested_error: float
    estimated_error: float
    typical_force: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the job document."""
        return asdict(self)


def choose_mesh(
    positions: NDArray[np.float64],
    charges: NDArray[np.float64],
    box: NDArray[np.float64],
    bjerrum_length: float,
    requested_error: float,
    largest_cutoff: float,
    sizes: Sequence[int] = MESH_SIZES,
) -> CoulombMesh:
    """Choose the cheapest mesh, order and cut-off for a relative RMS force error.

    The error is relative to the RMS Coulomb force on the ions of this very configuration. For
    each mesh and order, kappa is where the mesh takes half of the squared error, and the cut-off
    where the real-space sum takes the other half: no accuracy is bought that was not asked for.
    Both are estimated for ions without correlations, and then for the charge structure factor of
    this configuration: paired ions screen each other on the scale of a coarse mesh.
    The cost that is compared counts pairs, mesh points and assignments.

    Args:
        positions: ``(N, 3)`` of all beads.
        charges: ``(N,)`` in e.
        box: ``(3,)`` edge lengths.
        bjerrum_length: In sigma, at kT = 1.
        requested_error: Relative RMS force error, for example 1e-3.
        largest_cutoff: Longest cut-off that the box allows.
        sizes: Numbers of mesh points along an edge to choose from.

    Raises:
        UserError: If no mesh within bounds reaches the error.
    """
    ions = charges != 0
    typical_force = typical_coulomb_force(positions[ions], charges[ions], box, bjerrum_length)
    system = _Ions.of(charges, box, bjerrum_length)
    correlation = charge_correlation(positions[ions], charges[ions], box)
    share = _SHARE_OF_REQUEST * (1 - 1 / np.sqrt(max(2, int(np.count_nonzero(ions)))))
    target = share * requested_error * typical_force
    longest = min(_SHARE_OF_BOX * largest_cutoff, _LONGEST_CUTOFF)
    factor, chosen = 1.0, None
    for _ in range(_ROUNDS):
        chosen = _cheapest(system, len(charges), target / factor, longest, sizes)
        if chosen is None:
            break
        factor = correlation.error_factor(*chosen, float(np.mean(box)))
    if chosen is None:
        raise UserError(
            f'no mesh of up to {max(sizes)} points along an edge of {box.max():.1f} sigma '
            f'reaches a relative force error of {requested_error:g}: ask for a larger one '
            '(coulomb_error in the protocol).'
        )
    resolution, order, cutoff, splitting = chosen
    return CoulombMesh(
        resolution,
        order,
        cutoff,
        splitting,
        requested_error,
        factor * system.error(*chosen) / typical_force,
        typical_force,
    )


def _cheapest(
    system: _Ions, n_beads: int, target: float, longest: float, sizes: Sequence[int]
) -> tuple[int, int, float, float] | None:
    """Resolution, order, cut-off and kappa of least cost that reach `target`; None if none do."""
    best, least = None, np.inf
    for order, resolution in itertools.product(_ORDERS, sizes):
        split = _split(system, resolution, order, target, longest)
        if split is None:
            continue
        cost = _relative_cost(n_beads, system.number, system.box, split[0], order, resolution)
        if cost < least:
            best, least = (resolution, order, *split), cost
    return best


def estimated_error(
    mesh: CoulombMesh,
    positions: NDArray[np.float64],
    charges: NDArray[np.float64],
    box: NDArray[np.float64],
    bjerrum_length: float,
) -> float:
    """The RMS force error that a mesh has by the estimate, relative to its `typical_force`."""
    ions = charges != 0
    split = (mesh.resolution, mesh.order, mesh.cutoff, mesh.splitting)
    correlation = charge_correlation(positions[ions], charges[ions], box)
    factor = correlation.error_factor(*split, float(np.mean(box)))
    return factor * _Ions.of(charges, box, bjerrum_length).error(*split) / mesh.typical_force


@dataclass(frozen=True, eq=False)
class _Ions:
    """What the error estimates need to know of a system."""

    charge_squared: float
    number: int
    box: NDArray[np.float64]

    @classmethod
    def of(
        cls, charges: NDArray[np.float64], box: NDArray[np.float64], bjerrum_length: float
    ) -> Self:
        strength = bjerrum_length * float(np.sum(charges**2))
        return cls(strength, int(np.count_nonzero(charges)), box)

    def error(self, resolution: int, order: int, cutoff: float, kappa: float) -> float:
        real = self.real_space_error(cutoff, kappa)
        return float(np.hypot(real, self.mesh_error(resolution, order, kappa)))

    def real_space_error(self, cutoff: float, kappa: float) -> float:
        return real_space_error(self.charge_squared, self.number, self.box, cutoff, kappa)

    def mesh_error(self, resolution: int, order: int, kappa: float) -> float:
        return mesh_error(self.charge_squared, self.number, self.box, resolution, order, kappa)


def _split(
    system: _Ions, resolution: int, order: int, target: float, longest: float
) -> tuple[float, float] | None:
    """The shortest cut-off, and its kappa, that reach `target`; None if none up to `longest`.

    Kappa always makes both errors equal: HOOMD-blue chooses its own so, and takes no other.
    """
    share = target / np.sqrt(2)

    def mesh_excess(log_kappa: float) -> float:
        return _log_ratio(system.mesh_error(resolution, order, np.exp(log_kappa)), share)

    low, high = np.log(0.02), np.log(20.0)
    if mesh_excess(low) > 0 or mesh_excess(high) < 0:
        return None
    kappa = float(np.exp(brentq(mesh_excess, low, high)))

    def real_excess(cutoff: float) -> float:
        return _log_ratio(system.real_space_error(cutoff, kappa), share)

    shortest = min(_SHORTEST_CUTOFF, longest)
    if real_excess(longest) > 0:
        return None
    if real_excess(shortest) > 0:
        return float(brentq(real_excess, shortest, longest)), kappa

    def difference(log_kappa: float) -> float:
        splitting = float(np.exp(log_kappa))
        real = system.real_space_error(shortest, splitting)
        return _log_ratio(real, system.mesh_error(resolution, order, splitting))

    # The shortest cut-off is more than enough: share what is left over.
    return shortest, float(np.exp(brentq(difference, low, np.log(kappa))))


def _log_ratio(error: float, other: float) -> float:
    """Log of a ratio of errors; one that underflows to zero is as good as the smallest number."""
    smallest = np.finfo(float).tiny
    return float(np.log(max(error, smallest)) - np.log(max(other, smallest)))


def _relative_cost(
    n_beads: int,
    n_ions: int,
    box: NDArray[np.float64],
    cutoff: float,
    order: int,
    resolution: int,
) -> float:
    """Cost of one step in units of one pair evaluation.

    The weights are those of a single CPU core running LAMMPS; only their order of size matters.
    """
    neighbours = n_beads / float(np.prod(box)) * 4 / 3 * np.pi * (cutoff + 0.4) ** 3
    transform = 0.5 * resolution**3 * float(np.log2(resolution**3))
    return 0.5 * n_beads * neighbours + transform + n_ions * order**3


def real_space_error(
    charge_squared: float, n_ions: int, box: NDArray[np.float64], cutoff: float, kappa: float
) -> float:
    """RMS force error of cutting the real-space sum.

    Kolafa and Perram, Mol. Simul. 9, 351 (1992), eq. 18.
    """
    return float(
        2
        * charge_squared
        / np.sqrt(n_ions * cutoff * np.prod(box))
        * np.exp(-((kappa * cutoff) ** 2))
    )


def mesh_error(
    charge_squared: float,
    n_ions: int,
    box: NDArray[np.float64],
    resolution: int,
    order: int,
    kappa: float,
) -> float:
    """RMS force error of the mesh, with ik-differentiation.

    Deserno and Holm, J. Chem. Phys. 109, 7694 (1998), eq. 38.
    """
    spacing = kappa * box / resolution
    series = sum(c * spacing ** (2 * m) for m, c in enumerate(_IK_ERROR_COEFFICIENTS[order]))
    squared: NDArray[np.float64] = (
        charge_squared**2
        * spacing ** (2 * order)
        * kappa
        * box
        * np.sqrt(2 * np.pi)
        * series
        / n_ions
        / box**4
    )
    return float(np.sqrt(np.mean(squared)))


@dataclass(frozen=True, eq=False)
class ChargeCorrelation:
    """The charge structure factor S_ZZ(k) of ions, at wave vectors of their box.

    Attributes:
        k: Lengths of wave vectors in 1/sigma, about evenly spread, shape (n,).
        structure: |sum q exp(i k.r)|^2 / sum q^2 at each, shape (n,); 1 without correlations.
    """

    k: NDArray[np.float64]
    structure: NDArray[np.float64]

    def error_factor(
        self, resolution: int, order: int, cutoff: float, kappa: float, edge: float
    ) -> float:
        """RMS force error of these ions, over that of ions without correlations.

        An error is a convolution of the charges with a kernel: its square is the sum over wave
        vectors of kernel^2 S_ZZ, where the estimates have kernel^2. Both halves of the squared
        error count alike, as `_split` makes them.
        """
        # Of the sum past the cut-off: the transform of its force, by Gauss-Laguerre quadrature.
        depth = 1 / (2 * kappa**2 * cutoff)
        r = cutoff + depth * _LAGUERRE_NODES
        weights = _LAGUERRE_WEIGHTS * np.exp(_LAGUERRE_NODES) * r**2 * screened_force(r, kappa)
        real = self._mean((spherical_jn(1, self.k[:, None] * r) @ weights) ** 2)
        # Of the mesh: it takes a wave for its aliases and its aliases for it, one as much as the
        # other, and more so by (k spacing)^(2 order).
        mesh = self._mean(_aliased_force(self.k, order, kappa))
        # The largest aliases are mirror images in a face of the first zone.
        alias = np.abs(2 * np.pi * resolution / edge - self.k)
        mirrored = self._mean(_aliased_force(alias, order, kappa) * (alias / self.k) ** 2)
        return float(np.sqrt((real + (mesh + mirrored) / 2) / 2))

    def _mean(self, weight: NDArray[np.float64]) -> float:
        """Mean of S_ZZ over all wave vectors; lengths are evenly spread here, and there not."""
        weight = weight * self.k**2
        total = weight.sum()
        return float(weight @ self.structure / total) if total > 0 else 1.0


def _aliased_force(k: NDArray[np.float64], order: int, kappa: float) -> NDArray[np.float64]:
    """Square of the mesh force times that of its error, but for a constant."""
    scaled = k / kappa / np.sqrt(2 * order)
    # Logarithms: the powers would overflow.
    return np.asarray(np.exp((2 * order - 2) * np.log(scaled + 1e-300) + order * (1 - scaled**2)))


def charge_correlation(
    positions: NDArray[np.float64], charges: NDArray[np.float64], box: NDArray[np.float64]
) -> ChargeCorrelation:
    """S_ZZ of ions at some hundred wave vectors of their box.

    Args:
        positions: ``(n, 3)``.
        charges: ``(n,)`` in e.
        box: ``(3,)`` edge lengths.
    """
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
) -> float:
    """RMS Coulomb force on an ion, from near neighbours alone, in epsilon/sigma.

    The damped, shifted-force sum of Fennell and Gezelter, J. Chem. Phys. 124, 234104 (2006), with
    a cut-off of 5 sigma: an RMS force is set by contacts, so this is linear in the number of ions
    and within some percent of the full sum.
    """
    damping = 0.4
    cutoff = min(5.0, 0.499 * float(box.min()))
    wrapped = np.mod(positions, box)
    pairs = cKDTree(wrapped, boxsize=box).query_pairs(cutoff, output_type='ndarray')
    i, j = pairs.T
    separation = wrapped[i] - wrapped[j]
    separation -= box * np.round(separation / box)
    r = np.linalg.norm(separation, axis=1)
    magnitude = screened_force(r, damping) - screened_force(np.array(cutoff), damping)
    # Beads that have not been pushed apart yet would set the scale: no ion is nearer than this.
    r = np.maximum(r, 0.5)
    magnitude = np.minimum(magnitude, screened_force(r, damping))
    pair_forces = (bjerrum_length * charges[i] * charges[j] * magnitude / r)[:, None] * separation
    forces = np.zeros_like(positions)
    np.add.at(forces, i, pair_forces)
    np.add.at(forces, j, -pair_forces)
    rms = float(np.sqrt(np.mean(np.sum(forces**2, axis=1))))
    # Never below the force between two ions at the cut-off: a lone pair has no scale of its own.
    return max(rms, bjerrum_length / cutoff**2)
