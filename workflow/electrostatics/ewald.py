"""The direct Ewald sum, which meshes are checked against.

Energies are l_B q_i q_j / r in units of epsilon, with charges in e and the vacuum between periodic
images replaced by a conductor (tin-foil boundary).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import erfc

_PAIRS_AT_A_TIME = 1_000_000


def screened_force(r: NDArray[np.float64], kappa: float) -> NDArray[np.float64]:
    """Compute the force of the real-space part at distances `r`, of unit charges and l_B = 1."""
    gaussian = 2 * kappa / np.sqrt(np.pi) * np.exp(-((kappa * r) ** 2)) / r
    return np.asarray(erfc(kappa * r) / r**2 + gaussian)


def near_pairs(
    positions: NDArray[np.float64], box: NDArray[np.float64], cutoff: float
) -> Iterator[
    tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]
]:
    """Find pairs within `cutoff`: both indices, minimum images ``(n, 3)``, and their lengths.

    They come in parts: what is computed of them takes several times their own memory.
    """
    wrapped = np.mod(positions, box)
    pairs = cKDTree(wrapped, boxsize=box).query_pairs(cutoff, output_type='ndarray')
    for part in np.array_split(pairs, 1 + len(pairs) // _PAIRS_AT_A_TIME):
        i, j = part.T
        separation = wrapped[i] - wrapped[j]
        separation -= box * np.round(separation / box)
        yield i, j, separation, np.linalg.norm(separation, axis=1)


def pair_sum(
    positions: NDArray[np.float64],
    charges: NDArray[np.float64],
    box: NDArray[np.float64],
    bjerrum_length: float,
    pairs: NDArray[np.int64],
) -> tuple[float, NDArray[np.float64]]:
    """Sum Coulomb energy and forces ``(N, 3)`` between pairs ``(n, 2)`` at their nearest images."""
    i, j = pairs.T
    separation = positions[i] - positions[j]
    separation -= box * np.round(separation / box)
    r = np.linalg.norm(separation, axis=1)
    energies = bjerrum_length * charges[i] * charges[j] / r
    pair_forces = (energies / r**2)[:, None] * separation
    forces = np.zeros_like(positions)
    np.add.at(forces, i, pair_forces)
    np.add.at(forces, j, -pair_forces)
    return float(energies.sum()), forces


def ewald_sum(
    positions: NDArray[np.float64],
    charges: NDArray[np.float64],
    box: NDArray[np.float64],
    bjerrum_length: float,
    accuracy: float = 1e-10,
) -> tuple[float, NDArray[np.float64]]:
    """Sum Coulomb energy and forces directly, to about `accuracy` of the nearest-pair force.

    Positions are ``(N, 3)``, charges ``(N,)`` in e, edges of the box ``(3,)``, and the Bjerrum
    length is that at kT = 1. The energy is in epsilon, the ``(N, 3)`` forces in epsilon/sigma.
    """
    forces = np.zeros((len(charges), 3))
    ions = np.flatnonzero(charges)
    energy, forces[ions] = _ewald(
        positions[ions], charges[ions], box, bjerrum_length, accuracy, np.arange(len(ions))
    )
    return energy, forces


def ewald_forces(
    positions: NDArray[np.float64],
    charges: NDArray[np.float64],
    box: NDArray[np.float64],
    bjerrum_length: float,
    sample: NDArray[np.int64],
    accuracy: float = 1e-8,
) -> NDArray[np.float64]:
    """Sum the Coulomb forces ``(len(sample), 3)`` on some beads directly, due to all of them.

    See `ewald_sum`; the beads of `sample` are charged.
    """
    ions = np.flatnonzero(charges)
    among_ions = np.searchsorted(ions, sample)
    return _ewald(positions[ions], charges[ions], box, bjerrum_length, accuracy, among_ions)[1]


def _ewald(
    positions: NDArray[np.float64],
    charges: NDArray[np.float64],
    box: NDArray[np.float64],
    bjerrum_length: float,
    accuracy: float,
    sample: NDArray[np.int64],
) -> tuple[float, NDArray[np.float64]]:
    """Compute forces on the ions in `sample` and, where these are all, the energy."""
    exponent = float(np.sqrt(-np.log(accuracy)))
    # In a large box a cut-off that keeps both sums short.
    cutoff = min(0.499 * float(box.min()), max(5.0, 0.3 * float(box.min())))
    kappa = exponent / cutoff
    energy, forces = 0.0, np.zeros((len(sample), 3))
    # Ion by ion: all pairs within so long a cut-off would fill the memory.
    for number, ion in enumerate(sample):
        separation = positions[ion] - positions
        separation -= box * np.round(separation / box)
        r = np.linalg.norm(separation, axis=1)
        near = r < cutoff
        near[ion] = False
        r = r[near]
        strength = bjerrum_length * charges[ion] * charges[near]
        energy += float(np.sum(strength * erfc(kappa * r) / r)) / 2
        forces[number] = (strength * screened_force(r, kappa) / r) @ separation[near]
    energy -= bjerrum_length * kappa / np.sqrt(np.pi) * float(np.sum(charges**2))
    more_energy, more_forces = _reciprocal(
        np.mod(positions, box), charges, box, bjerrum_length, kappa, 2 * kappa * exponent, sample
    )
    return energy + more_energy, forces + more_forces


def _reciprocal(
    positions: NDArray[np.float64],
    charges: NDArray[np.float64],
    box: NDArray[np.float64],
    bjerrum_length: float,
    kappa: float,
    longest: float,
    sample: NDArray[np.int64],
) -> tuple[float, NDArray[np.float64]]:
    """Sum over wave vectors up to `longest`; phases are products of one factor per axis."""
    highest = np.ceil(longest * box / (2 * np.pi)).astype(int)
    ky, kz = (2 * np.pi / box[a] * np.arange(-highest[a], highest[a] + 1) for a in (1, 2))
    phase_y = np.exp(1j * np.outer(positions[:, 1], ky))
    phase_z = np.exp(1j * np.outer(positions[:, 2], kz))
    energy, forces = 0.0, np.zeros((len(sample), 3))
    prefactor = 4 * np.pi * bjerrum_length / np.prod(box)
    # k and -k contribute alike: half of the planes, and the first one once.
    for nx in range(highest[0] + 1):
        kx = 2 * np.pi * nx / box[0]
        k2 = kx**2 + ky[:, None] ** 2 + kz[None, :] ** 2
        used = (k2 > 0) & (k2 <= longest**2)
        k2 = np.where(used, k2, 1.0)
        weight = np.where(used, prefactor * np.exp(-k2 / (4 * kappa**2)) / k2, 0.0)
        weight *= 1.0 if nx else 0.5
        phase_x = np.exp(1j * kx * positions[:, 0])
        structure = ((charges * phase_x)[:, None] * phase_y).T @ phase_z
        energy += float(np.sum(weight * np.abs(structure) ** 2))
        field = weight * np.conj(structure)
        along = phase_y[sample] @ field
        across = (phase_y[sample] * ky) @ field
        sampled_z = phase_x[sample, None] * phase_z[sample]
        potential = np.imag(np.sum(along * sampled_z, axis=1))
        forces[:, 0] += kx * potential
        forces[:, 1] += np.imag(np.sum(across * sampled_z, axis=1))
        forces[:, 2] += np.imag(np.sum(along * sampled_z * kz, axis=1))
    return energy, 2 * charges[sample, None] * forces
