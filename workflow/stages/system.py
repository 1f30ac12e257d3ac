"""What a stage simulates, set up in any engine."""

from __future__ import annotations

import math
from collections.abc import MutableSequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from gsd.hoomd import Frame
from numpy.typing import NDArray
from pydantic import Field

from models.force_field import ForceField
from user_input import UserError
from workflow.electrostatics.force_error import Grid
from workflow.electrostatics.mesh import CoulombMesh, ForceErrorRequest, choose_mesh
from workflow.engines.contract import (
    LEAST_SKIN,
    Engine,
    Integrator,
    Simulation,
    State,
    in_shorter_steps,
)
from workflow.engines.errors import BoxTooSmall
from workflow.stages.mesh_record import MeshChoices
from workflow.stages.stability import Limits, limits_of
from workflow.stages.substeps import InSubsteps
from workflow.stages.trajectory_writer import frame_with_state
from workflow.sweep.state_point import derive_seed

# A box at constant pressure may shrink this far between two choices of the mesh.
_LEAST_SHARE_OF_EDGE = 0.97


@dataclass(frozen=True)
class Tuning:
    """How an engine is set for a kind of system: it decides the speed, and no result.

    Attributes:
        skin: Of the neighbour list, in sigma.
        grid: Of the Coulomb sum; None without charges, or where the cheapest by estimate is taken.
        error_ratio: The force error of that grid, measured over estimated; None if not measured.
    """

    skin: Annotated[float, Field(gt=0, le=2)]
    grid: Grid | None = None
    error_ratio: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None


@dataclass(frozen=True)
class System:
    """What is simulated, and by which engine.

    Attributes:
        coulomb_error: Requested relative RMS force error.
        state_point: From which all seeds are derived.
        seeds: Purpose, step and seed of each time that the engine was set up.
        meshes: The Coulomb mesh of each such time.
        tuning: How the engine is set; None for its own estimate.
    """

    topology: Frame
    force_field: ForceField
    engine: Engine
    coulomb_error: float
    state_point: dict[str, Any]
    seeds: MutableSequence[Any] = field(default_factory=list)
    meshes: MeshChoices = field(default_factory=MeshChoices)
    tuning: Tuning | None = None

    @property
    def is_charged(self) -> bool:
        """Whether there are Coulomb forces."""
        return self.force_field.is_charged and bool(np.any(self.charges))

    @property
    def charges(self) -> NDArray[np.float64]:
        """Of all beads, ``(N,)``, in e."""
        return np.asarray(self.topology.particles.charge, dtype=float)

    @cached_property
    def limits(self) -> Limits:
        """What a stable state keeps to."""
        return limits_of(self.topology, self.force_field)

    def force_error(self, state: State) -> ForceErrorRequest | None:
        """Ask for the Coulomb error; None if nothing is charged, UserError if the box is small."""
        largest = check_box(state.box, self.force_field)
        if not self.is_charged:
            return None
        return ForceErrorRequest.of(
            state.positions,
            self.charges,
            state.box,
            self.force_field.bjerrum_length,
            self.coulomb_error,
            largest,
            bonded_charges(self.topology, self.force_field),
            self.force_field.largest_cutoff,
            self.engine.skin,
        )

    def mesh(self, state: State) -> CoulombMesh | None:
        """Choose the Coulomb mesh, None if nothing is charged; UserError if the box is small."""
        request, tuning = self.force_error(state), self.tuning
        if request is None:
            return None
        mesh = None
        if tuning is not None and tuning.grid is not None:
            mesh = request.mesh(tuning.grid, tuning.error_ratio)
        return mesh or choose_mesh(request, self.engine.mesh_costs)

    def skin(self, mesh: CoulombMesh | None, box: NDArray[np.float64]) -> float:
        """Find the skin of the neighbour list that fits into the box with the cut-offs."""
        wanted = self.engine.skin if self.tuning is None else self.tuning.skin
        reach = max(self.force_field.largest_cutoff, mesh.cutoff if mesh else 0.0)
        return max(LEAST_SKIN, min(wanted, _LEAST_SHARE_OF_EDGE * float(np.min(box)) / 2 - reach))

    def mesh_under_way(self, state: State) -> CoulombMesh | None:
        """Choose the mesh of a state that a run came to; BoxTooSmall if its box allows none."""
        try:
            return self.mesh(state)
        except UserError as error:
            raise BoxTooSmall(str(error), state.step) from None

    def set_up(
        self,
        state: State,
        integrator: Integrator,
        mesh: CoulombMesh | None,
        seed: int,
        log_period: int,
    ) -> Simulation:
        """Set up `state` in the engine, and record nothing."""
        return self.engine.simulation(
            frame_with_state(self.topology, state),
            self.force_field,
            integrator,
            mesh,
            seed,
            log_period,
            self.skin(mesh, state.box),
        )

    def simulation(
        self,
        state: State,
        integrator: Integrator,
        mesh: CoulombMesh | None,
        purpose: str,
        log_period: int = 0,
        shortened_by: int = 1,
    ) -> Simulation:
        """Set up `state` for a run, on record; `purpose` and the step decide the random numbers.

        Each step may be run as `shortened_by` shorter ones: see `substeps`.
        """
        labels: tuple[str | int, ...] = (purpose, state.step)
        if shortened_by > 1:
            labels += (shortened_by,)
        seed = derive_seed(self.state_point, *labels)
        self.seeds.append([purpose, state.step, seed])
        simulation = self.set_up(
            replace(state, step=state.step * shortened_by),
            in_shorter_steps(integrator, shortened_by),
            mesh,
            seed,
            log_period * shortened_by,
        )
        if simulation.mesh is not None:
            self.meshes.add(purpose, state, simulation.mesh)
        return simulation if shortened_by == 1 else InSubsteps(simulation, shortened_by)


def bonded_charges(topology: Frame, force_field: ForceField) -> NDArray[np.int64] | None:
    """List the bonds ``(n, 2)`` between charges that do not feel each other; None without any."""
    if force_field.coulomb_between_bonded or not topology.bonds.N:
        return None
    bonds = np.asarray(topology.bonds.group, dtype=np.int64)
    charged = np.all(topology.particles.charge[bonds] != 0, axis=1)
    return bonds[charged] if charged.any() else None


def check_box(box: NDArray[np.float64], force_field: ForceField) -> float:
    """Find the longest cut-off with which no engine searches beyond the minimum image.

    UserError if a pair interaction reaches farther than that.
    """
    edge = _LEAST_SHARE_OF_EDGE * float(np.min(box))
    largest = edge / 2 - LEAST_SKIN
    needed = force_field.largest_cutoff
    if largest < needed:
        needed_edge = 2 * (needed + LEAST_SKIN)
        raise UserError(
            f'the box has an edge of {np.min(box):.2f} sigma, but the cut-off of {needed:g} sigma '
            f'needs more than {needed_edge / _LEAST_SHARE_OF_EDGE:.2f}: take more or longer chains '
            f'(at least {math.ceil(10 * (needed_edge / edge) ** 3) / 10:g} times as many beads).'
        )
    return largest
