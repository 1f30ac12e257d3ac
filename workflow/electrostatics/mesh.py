"""Ewald splitting: meshes of a requested force error, the cheapest first.

Energies are l_B q_i q_j / r in units of epsilon, with charges in e and the vacuum between periodic
images replaced by a conductor (tin-foil boundary).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from user_input import UserError
from workflow.electrostatics.force_error import (
    ChargeCorrelation,
    Differentiation,
    Grid,
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
# Found are 0.7 of the estimate (dilute ions, strongly paired, coarse requests) to 1.7 of it (few
# ions that have clustered). Aiming at half of the request keeps all of these between 0.3 and 1 of
# it (`python -m validation`).
_SHARE_UNMEASURED = 0.5
# Where the error of a grid was measured.
_SHARE_MEASURED = 0.95
# The correction for correlated ions depends on the choice, and little: it settles at once.
_ROUNDS = 3
# Below this the neighbour list costs as much as the pairs; above it, the mesh is always cheaper.
_SHORTEST_CUTOFF, _LONGEST_CUTOFF = 1.5, 6.0
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
        differentiation: How forces are had from the mesh.
    """

    resolution: int
    order: int
    cutoff: float
    splitting: float
    requested_error: float
    estimated_error: float
    typical_force: float
    differentiation: Differentiation = Differentiation.IK

    @property
    def grid(self) -> Grid:
        """The mesh without its splitting."""
        return Grid(self.resolution, self.order, self.differentiation)


@dataclass(frozen=True)
class MeshCosts:
    """The meshes that an engine takes, and what they cost it: nanoseconds, of which ratios matter.

    Attributes:
        sizes: Numbers of mesh points along an edge.
        pair: Of one pair of ions in the neighbour list.
        neighbour: Of one bead near another in making the neighbour list, times a skin of 1 sigma:
            a thinner one is made the more often.
        transform: Of one point of the mesh and doubling of its points, for each transform.
        assignment: Of one point that an ion is assigned to and interpolated from.
    """

    sizes: tuple[int, ...] = MESH_SIZES
    orders: tuple[int, ...] = (4, 5, 6)
    differentiations: tuple[Differentiation, ...] = (Differentiation.IK,)
    pair: float = 1.0
    neighbour: float = 1.0
    transform: float = 1.0
    assignment: float = 1.0

    def grids(self) -> Iterator[Grid]:
        """List all grids."""
        for choice in itertools.product(self.sizes, self.orders, self.differentiations):
            grid = Grid(*choice)
            # Differentiated analytically, odd ones are found to have twice the error.
            if grid.differentiation is Differentiation.IK or grid.resolution % 2 == 0:
                yield grid

    def of_grid(self, grid: Grid, n_ions: int) -> float:
        """Estimate the nanoseconds that a mesh takes in a step."""
        # One transform of the charges, and one of the potential or three of the field.
        fields = 1 if grid.differentiation is Differentiation.ANALYTIC else 3
        points = grid.resolution**3
        transforms = (1 + fields) * points * np.log2(points)
        return float(self.transform * transforms + self.assignment * n_ions * grid.order**3)

    def of_cutoff(self, cutoff: float, request: ForceErrorRequest) -> float:
        """Estimate the nanoseconds that pairs of ions and the list of neighbours take in a step."""
        ions, skin = request.ions, request.skin
        listed = ions.number**2 * (cutoff + skin) ** 3 / 2
        near = request.n_beads**2 * (max(cutoff, request.short_range) + skin) ** 3
        cost = self.pair * listed + self.neighbour / skin * near
        return float(4 / 3 * np.pi * cost / np.prod(ions.box))


@dataclass(frozen=True, eq=False)
class ForceErrorRequest:
    """A force error, relative to `typical_force`, that is asked for the ions of one configuration.

    `longest` is the longest cut-off that the box allows, `short_range` that of all other pair
    forces; these and the skin of the neighbour list are in sigma.
    """

    ions: Ions
    correlation: ChargeCorrelation
    typical_force: float
    error: float
    longest: float
    n_beads: int
    short_range: float
    skin: float

    @classmethod
    def of(
        cls,
        positions: NDArray[np.float64],
        charges: NDArray[np.float64],
        box: NDArray[np.float64],
        bjerrum_length: float,
        requested_error: float,
        largest_cutoff: float,
        excluded: NDArray[np.int64] | None = None,
        short_range: float = 0.0,
        skin: float = 0.5,
    ) -> Self:
        """Measure a configuration.

        Positions ``(N, 3)`` and charges ``(N,)``, in e, are of all beads, edges of the box
        ``(3,)``; the Bjerrum length is that at kT = 1, and between the beads `excluded`,
        ``(n, 2)``, there are no Coulomb forces.
        """
        ions = charges != 0
        pairs = None if excluded is None else np.searchsorted(np.flatnonzero(ions), excluded)
        return cls(
            Ions.of(charges, box, bjerrum_length),
            charge_correlation(positions[ions], charges[ions], box),
            typical_coulomb_force(positions[ions], charges[ions], box, bjerrum_length, pairs),
            requested_error,
            _longest(largest_cutoff),
            len(charges),
            short_range,
            skin,
        )

    def aim(self, measured: bool) -> float:
        """Find the error to aim at, relative to `typical_force`."""
        return _aimed_at(self.error, self.ions.number, measured)

    def mesh(self, grid: Grid, error_ratio: float | None = None) -> CoulombMesh | None:
        """Split the sum for a grid: the shortest cut-off that reaches the error; None if none does.

        `error_ratio` is the error of this grid as measured over that as estimated.
        """
        chosen = self._split(grid, 1.0, error_ratio)
        for _ in range(_ROUNDS - 1):
            if chosen is not None:
                chosen = self._split(grid, self._correction(chosen), error_ratio)
        if chosen is None:
            return None
        error = (error_ratio or 1.0) * self._correction(chosen) * self._error(chosen)
        return replace(chosen, estimated_error=error)

    def meshes(self, costs: MeshCosts, error_ratio: float | None = None) -> list[CoulombMesh]:
        """List the splits of all grids that reach the error, the cheapest first.

        `error_ratio` is that of `mesh`, for all of them: 1 where the error is still to be measured.
        Errors are estimated for ions without correlations, and then for the charge structure factor
        of this configuration: paired ions screen each other on the scale of a coarse mesh.
        """
        found: list[CoulombMesh] = []
        factor = 1.0
        # Whatever its cut-off, a grid that costs more than twice the best is none of the best.
        shortest = costs.of_cutoff(_SHORTEST_CUTOFF, self)
        bounds = {g: costs.of_grid(g, self.ions.number) + shortest for g in costs.grids()}
        for _ in range(_ROUNDS):
            priced: list[tuple[float, int, CoulombMesh]] = []
            least = np.inf
            for grid, bound in sorted(bounds.items(), key=lambda item: item[1]):
                if bound > 2 * least:
                    break
                if (mesh := self._split(grid, factor, error_ratio)) is not None:
                    cost = costs.of_grid(grid, self.ions.number)
                    cost += costs.of_cutoff(mesh.cutoff, self)
                    priced.append((cost, len(priced), mesh))
                    least = min(least, cost)
            if not priced:
                return []
            found = [mesh for _, _, mesh in sorted(priced)]
            factor = self._correction(found[0])
        factor *= error_ratio or 1.0
        return [replace(mesh, estimated_error=factor * self._error(mesh)) for mesh in found]

    def _correction(self, mesh: CoulombMesh) -> float:
        edge = float(np.mean(self.ions.box))
        return self.correlation.error_factor(mesh.grid, mesh.cutoff, mesh.splitting, edge)

    def _error(self, mesh: CoulombMesh) -> float:
        real = self.ions.real_space_error(mesh.cutoff, mesh.splitting)
        of_mesh = self.ions.mesh_error(mesh.grid, mesh.splitting)
        return float(np.hypot(real, of_mesh)) / self.typical_force

    def _split(self, grid: Grid, factor: float, ratio: float | None) -> CoulombMesh | None:
        aim = self.aim(ratio is not None)
        target = aim / (1.0 if ratio is None else ratio) / factor * self.typical_force
        split = _split(self.ions, grid, target, self.longest)
        if split is None:
            return None
        mesh = (grid.resolution, grid.order, *split, self.error, aim, self.typical_force)
        return CoulombMesh(*mesh, grid.differentiation)


def reaches_easily(
    charges: NDArray[np.float64],
    box: NDArray[np.float64],
    bjerrum_length: float,
    requested_error: float,
    largest_cutoff: float,
) -> bool:
    """Check, wherever the ions are, that the finest mesh is far better than asked for.

    Arguments are those of `ForceErrorRequest.of`, where a mesh is found then; if not, it may all
    the same.
    """
    system = Ions.of(charges, box, bjerrum_length)
    aim = _EASY * _aimed_at(requested_error, system.number, measured=False)
    share = aim * least_typical_force(box, bjerrum_length) / np.sqrt(2)
    longest = _longest(largest_cutoff)
    excess = _log_ratio(system.real_space_error(longest, 0.0), share)
    kappa = float(np.sqrt(max(excess, 0.0))) / longest
    return bool(system.mesh_error(Grid(MESH_SIZES[-1], 6), kappa) <= share)


def choose_mesh(request: ForceErrorRequest, costs: MeshCosts) -> CoulombMesh:
    """Choose the cheapest mesh of a request; UserError if none within bounds reaches it."""
    if meshes := request.meshes(costs):
        return meshes[0]
    raise none_reaches(request, costs)


def none_reaches(request: ForceErrorRequest, costs: MeshCosts) -> UserError:
    """Say that no mesh within bounds reaches the error of a request."""
    return UserError(
        f'no mesh of up to {max(costs.sizes)} points along an edge of '
        f'{request.ions.box.max():.1f} sigma reaches a relative force error of '
        f'{request.error:g}: ask for a larger one (coulomb_error in the protocol).'
    )


def _longest(largest_cutoff: float) -> float:
    return min(_SHARE_OF_BOX * largest_cutoff, _LONGEST_CUTOFF)


def _aimed_at(requested_error: float, n_ions: int, measured: bool) -> float:
    # Of few ions errors scatter more: of n that were measured, which have three components each, by
    # a part of 1/sqrt(3 n); and a bound for those that were not.
    share, values = (_SHARE_MEASURED, 3 * n_ions) if measured else (_SHARE_UNMEASURED, n_ions)
    return float(share * (1 - 1 / np.sqrt(max(2, values))) * requested_error)


def _split(ions: Ions, grid: Grid, target: float, longest: float) -> tuple[float, float] | None:
    """Find the shortest cut-off, and its kappa, that reach `target`; None if none up to `longest`.

    Kappa always makes both errors equal: HOOMD-blue chooses its own so, and takes no other.
    """
    from scipy.optimize import brentq  # not at the top: `init` rarely needs it, and it is slow

    share = target / np.sqrt(2)

    def mesh_excess(log_kappa: float) -> float:
        return _log_ratio(ions.mesh_error(grid, np.exp(log_kappa)), share)

    low, high = np.log(0.02), np.log(20.0)
    if mesh_excess(low) > 0 or mesh_excess(high) < 0:
        return None
    kappa = float(np.exp(brentq(mesh_excess, low, high)))

    def real_excess(cutoff: float) -> float:
        return _log_ratio(ions.real_space_error(cutoff, kappa), share)

    shortest = min(_SHORTEST_CUTOFF, longest)
    if real_excess(longest) > 0:
        return None
    if real_excess(shortest) > 0:
        return float(brentq(real_excess, shortest, longest)), kappa

    def difference(log_kappa: float) -> float:
        splitting = float(np.exp(log_kappa))
        real = ions.real_space_error(shortest, splitting)
        return _log_ratio(real, ions.mesh_error(grid, splitting))

    # The shortest cut-off is more than enough: share what is left over.
    return shortest, float(np.exp(brentq(difference, low, np.log(kappa))))


def _log_ratio(error: float, other: float) -> float:
    """Take the log of a ratio of errors; one that underflows counts as the smallest number."""
    smallest = np.finfo(float).tiny
    return float(np.log(max(error, smallest)) - np.log(max(other, smallest)))
