"""Ewald splitting: the cheapest mesh for a requested force error.

Energies are l_B q_i q_j / r in units of epsilon, with charges in e and the vacuum between periodic
images replaced by a conductor (tin-foil boundary).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from user_input import UserError
from workflow.electrostatics.force_error import (
    Ions,
    charge_correlation,
    least_typical_force,
    typical_coulomb_force,
)

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
# Below this the neighbour list costs as much as the pairs; above it, the mesh is always cheaper.
_SHORTEST_CUTOFF, _LONGEST_CUTOFF = 2.0, 6.0
# What the estimate for correlated ions may differ by from that without, and a wide margin.
_EASY = 0.1
# A box that shrinks a little at constant pressure must still hold the cut-off.
_SHARE_OF_BOX = 0.97


@dataclass(frozen=True)
class CoulombMesh:
    """How the Coulomb sum is split and gridded.

    Attributes:
        resolution: Mesh points along each axis.
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


def choose_mesh(
    positions: NDArray[np.float64],
    charges: NDArray[np.float64],
    box: NDArray[np.float64],
    bjerrum_length: float,
    requested_error: float,
    largest_cutoff: float,
    sizes: Sequence[int] = MESH_SIZES,
    excluded: NDArray[np.int64] | None = None,
) -> CoulombMesh:
    """Choose the cheapest mesh, order and cut-off for a relative RMS force error.

    The error is relative to the RMS Coulomb force on the ions of this very configuration. For
    each mesh and order, kappa is where the mesh takes half of the squared error, and the cut-off
    where the real-space sum takes the other half: no accuracy is bought that was not asked for.
    Both are estimated for ions without correlations, and then for the charge structure factor of
    this configuration: paired ions screen each other on the scale of a coarse mesh.
    The cost that is compared counts pairs, mesh points and assignments.

    Positions ``(N, 3)`` and charges ``(N,)``, in e, are of all beads, edges of the box ``(3,)``;
    the Bjerrum length is that at kT = 1, `sizes` are mesh points along an edge, and between the
    beads `excluded`, ``(n, 2)``, there are no Coulomb forces.

    Raises:
        UserError: If no mesh within bounds reaches the error.
    """
    ions = charges != 0
    pairs = None if excluded is None else np.searchsorted(np.flatnonzero(ions), excluded)
    typical_force = typical_coulomb_force(
        positions[ions], charges[ions], box, bjerrum_length, pairs
    )
    system = Ions.of(charges, box, bjerrum_length)
    correlation = charge_correlation(positions[ions], charges[ions], box)
    target = _aimed_at(requested_error, system.number) * typical_force
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
    error = factor * system.error(*chosen) / typical_force
    return CoulombMesh(*chosen, requested_error, error, typical_force)


def reaches_easily(
    charges: NDArray[np.float64],
    box: NDArray[np.float64],
    bjerrum_length: float,
    requested_error: float,
    largest_cutoff: float,
) -> bool:
    """Check, wherever the ions are, that the finest mesh is far better than asked for.

    Arguments are those of `choose_mesh`, which finds one then; if not, it may all the same.
    """
    system = Ions.of(charges, box, bjerrum_length)
    aim = _EASY * _aimed_at(requested_error, system.number)
    share = aim * least_typical_force(box, bjerrum_length) / np.sqrt(2)
    longest = min(_SHARE_OF_BOX * largest_cutoff, _LONGEST_CUTOFF)
    excess = _log_ratio(system.real_space_error(longest, 0.0), share)
    kappa = float(np.sqrt(max(excess, 0.0))) / longest
    return bool(system.mesh_error(MESH_SIZES[-1], _ORDERS[-1], kappa) <= share)


def _aimed_at(requested_error: float, n_ions: int) -> float:
    return float(_SHARE_OF_REQUEST * (1 - 1 / np.sqrt(max(2, n_ions))) * requested_error)


def _cheapest(
    system: Ions, n_beads: int, target: float, longest: float, sizes: Sequence[int]
) -> tuple[int, int, float, float] | None:
    """Find resolution, order, cut-off and kappa of least cost for `target`; None if none do."""
    best, least = None, np.inf
    shortest = min(_SHORTEST_CUTOFF, longest)
    for order, resolution in itertools.product(_ORDERS, sizes):
        if _relative_cost(n_beads, system, shortest, order, resolution) >= least:
            continue  # whatever its cut-off
        split = _split(system, resolution, order, target, longest)
        if split is None:
            continue
        cost = _relative_cost(n_beads, system, split[0], order, resolution)
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
    """Estimate the RMS force error of a mesh, relative to its `typical_force`."""
    ions = charges != 0
    split = (mesh.resolution, mesh.order, mesh.cutoff, mesh.splitting)
    correlation = charge_correlation(positions[ions], charges[ions], box)
    factor = correlation.error_factor(*split, float(np.mean(box)))
    return factor * Ions.of(charges, box, bjerrum_length).error(*split) / mesh.typical_force


def _split(
    system: Ions, resolution: int, order: int, target: float, longest: float
) -> tuple[float, float] | None:
    """Find the shortest cut-off, and its kappa, that reach `target`; None if none up to `longest`.

    Kappa always makes both errors equal: HOOMD-blue chooses its own so, and takes no other.
    """
    from scipy.optimize import brentq  # not at the top: `init` rarely needs it, and it is slow

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
    """Take the log of a ratio of errors; one that underflows counts as the smallest number."""
    smallest = np.finfo(float).tiny
    return float(np.log(max(error, smallest)) - np.log(max(other, smallest)))


def _relative_cost(n_beads: int, ions: Ions, cutoff: float, order: int, resolution: int) -> float:
    """Estimate the cost of one step in units of one pair evaluation.

    The weights are those of a single CPU core running LAMMPS; only their order of size matters.
    """
    neighbours = n_beads / float(np.prod(ions.box)) * 4 / 3 * np.pi * (cutoff + 0.4) ** 3
    transform = 0.5 * resolution**3 * float(np.log2(resolution**3))
    return 0.5 * n_beads * neighbours + transform + ions.number * order**3
