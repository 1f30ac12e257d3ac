"""Ewald splitting: the mesh for a requested force error, and the direct sum it is checked against.

Energies are l_B q_i q_j / r in units of epsilon, with charges in e and the vacuum between periodic
images replaced by a conductor (tin-foil boundary).
"""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.spatial import cKDTree
from scipy.special import erfc

from user_input import UserError

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
_MESH_SIZES = tuple(
    sorted(
        2**a * 3**b * 5**c
        for a, b, c in itertools.product(range(9), range(4), range(3))
        if 8 <= 2**a * 3**b * 5**c <= 256
    )
)


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
) -> CoulombMesh:
    """Choose the cheapest mesh, order and cut-off for a relative RMS force error.

    The error is relative to the RMS Coulomb force on the ions of this very configuration. At each
    cut-off and order, kappa makes the real-space and the mesh error equal; the cost that is
    compared counts pairs, mesh points and assignments.

    Args:
        positions: ``(N, 3)`` of all beads.
        charges: ``(N,)`` in e.
        box: ``(3,)`` edge lengths.
        bjerrum_length: In sigma, at kT = 1.
        requested_error: Relative RMS force error, for example 1e-3.
        largest_cutoff: Longest cut-off that the box allows.

    Raises:
        UserError: If no mesh within bounds reaches the error.
    """
    ions = charges != 0
    typical_force = typical_coulomb_force(positions[ions], charges[ions], box, bjerrum_length)
    target = requested_error * typical_force
    charge_squared = bjerrum_length * float(np.sum(charges[ions] ** 2))
    n_ions = int(ions.sum())
    best: tuple[float, CoulombMesh] | None = None
    longest = min(largest_cutoff, 6.0)
    for cutoff in np.arange(min(2.5, longest), longest + 1e-9, 0.25):
        for order in (4, 5, 6):
            mesh = _smallest_mesh(charge_squared, n_ions, box, float(cutoff), order, target)
            if mesh is None:
                continue
            resolution, splitting, error = mesh
            cost = _relative_cost(len(charges), n_ions, box, float(cutoff), order, resolution)
            if best is None or cost < best[0]:
                best = (
                    cost,
                    CoulombMesh(
                        resolution,
                        order,
                        float(cutoff),
                        splitting,
                        requested_error,
                        error / typical_force,
                        typical_force,
                    ),
                )
    if best is None:
        raise UserError(
            f'no mesh of up to {_MESH_SIZES[-1]} points along an edge of {box.max():.1f} sigma '
            f'reaches a relative force error of {requested_error:g}: ask for a larger one '
            '(coulomb_error in the protocol).'
        )
    return best[1]


def _smallest_mesh(
    charge_squared: float,
    n_ions: int,
    box: NDArray[np.float64],
    cutoff: float,
    order: int,
    target: float,
) -> tuple[int, float, float] | None:
    """Fewest points per edge that reach `target`, with kappa and the error there."""

    def error_difference(log_kappa: float, resolution: int) -> float:
        kappa = np.exp(log_kappa)
        real = real_space_error(charge_squared, n_ions, box, cutoff, kappa)
        mesh = mesh_error(charge_squared, n_ions, box, resolution, order, kappa)
        return float(np.log(real) - np.log(mesh))

    low, high = np.log(0.05 / cutoff), np.log(20.0 / cutoff)
    for resolution in _MESH_SIZES:
        if error_difference(low, resolution) * error_difference(high, resolution) > 0:
            continue
        kappa = float(np.exp(brentq(error_difference, low, high, args=(resolution,))))
        error = np.hypot(
            real_space_error(charge_squared, n_ions, box, cutoff, kappa),
            mesh_error(charge_squared, n_ions, box, resolution, order, kappa),
        )
        if error <= target:
            return resolution, kappa, float(error)
    return None


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
    magnitude = _screened_force(r, damping) - _screened_force(np.array(cutoff), damping)
    # Beads that have not been pushed apart yet would set the scale: no ion is nearer than this.
    r = np.maximum(r, 0.5)
    magnitude = np.minimum(magnitude, _screened_force(r, damping))
    pair_forces = (bjerrum_length * charges[i] * charges[j] * magnitude / r)[:, None] * separation
    forces = np.zeros_like(positions)
    np.add.at(forces, i, pair_forces)
    np.add.at(forces, j, -pair_forces)
    rms = float(np.sqrt(np.mean(np.sum(forces**2, axis=1))))
    # Never below the force between two ions at the cut-off: a lone pair has no scale of its own.
    return max(rms, bjerrum_length / cutoff**2)


def _screened_force(r: NDArray[np.float64], kappa: float) -> NDArray[np.float64]:
    gaussian = 2 * kappa / np.sqrt(np.pi) * np.exp(-((kappa * r) ** 2)) / r
    return np.asarray(erfc(kappa * r) / r**2 + gaussian)


def ewald_sum(
    positions: NDArray[np.float64],
    charges: NDArray[np.float64],
    box: NDArray[np.float64],
    bjerrum_length: float,
    accuracy: float = 1e-10,
) -> tuple[float, NDArray[np.float64]]:
    """Sum Coulomb energy and forces directly, to about `accuracy` of the nearest-pair force.

    Ewald summation without a mesh: quadratic cost, meant for checks on up to some thousand ions.

    Returns:
        The energy in epsilon and the ``(N, 3)`` forces in epsilon/sigma.
    """
    cutoff = 0.499 * float(box.min())
    exponent = np.sqrt(-np.log(accuracy))
    kappa = exponent / cutoff
    wrapped = np.mod(positions, box)
    i, j = cKDTree(wrapped, boxsize=box).query_pairs(cutoff, output_type='ndarray').T
    separation = wrapped[i] - wrapped[j]
    separation -= box * np.round(separation / box)
    r = np.linalg.norm(separation, axis=1)
    strength = bjerrum_length * charges[i] * charges[j]
    energy = float(np.sum(strength * erfc(kappa * r) / r))
    pair_forces = (strength * _screened_force(r, kappa) / r)[:, None] * separation
    forces = np.zeros_like(positions)
    np.add.at(forces, i, pair_forces)
    np.add.at(forces, j, -pair_forces)
    energy -= bjerrum_length * kappa / np.sqrt(np.pi) * float(np.sum(charges**2))

    longest = 2 * kappa * exponent
    highest = np.ceil(longest * box / (2 * np.pi)).astype(int)
    indices = np.stack(
        np.meshgrid(*(np.arange(-n, n + 1) for n in highest), indexing='ij'), axis=-1
    ).reshape(-1, 3)
    # k and -k contribute alike: keep one of each pair.
    half = indices[len(indices) // 2 + 1 :]
    vectors = 2 * np.pi * half / box
    squares = np.sum(vectors**2, axis=1)
    vectors, squares = vectors[squares <= longest**2], squares[squares <= longest**2]
    prefactor = 4 * np.pi * bjerrum_length / np.prod(box)
    for start in range(0, len(vectors), 512):
        k, k2 = vectors[start : start + 512], squares[start : start + 512]
        phases = np.exp(1j * wrapped @ k.T)
        structure = charges @ phases
        weight = prefactor * np.exp(-k2 / (4 * kappa**2)) / k2
        energy += float(np.sum(weight * np.abs(structure) ** 2))
        imaginary = np.imag(phases * np.conj(structure))
        forces += 2 * charges[:, None] * ((imaginary * weight) @ k)
    return energy, forces
