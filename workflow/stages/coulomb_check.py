"""The Coulomb error that an engine truly has: its forces on one state against a direct sum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from workflow.electrostatics.ewald import ewald_forces, pair_sum
from workflow.electrostatics.mesh import CoulombMesh
from workflow.engines.contract import ConstantEnergy, State
from workflow.stages.system import System, bonded_charges
from workflow.stages.trajectory_writer import frame_with_state

# Enough for the error of the error to be some 3 %.
_MOST_IONS = 300


class CoulombCheck:
    """The exact Coulomb forces on up to 300 ions of a state, which has charges."""

    def __init__(self, system: System, state: State) -> None:
        self._system, self._state = system, state
        charges = np.asarray(system.topology.particles.charge, dtype=float)
        ions = np.random.default_rng(0).permutation(np.flatnonzero(charges))
        self._ions = np.sort(ions[:_MOST_IONS])
        place = (state.positions, charges, state.box, system.force_field.bjerrum_length)
        self._exact = ewald_forces(*place, self._ions)
        excluded = bonded_charges(system.topology, system.force_field)
        if excluded is not None:
            self._exact = self._exact - pair_sum(*place, excluded)[1][self._ions]
        uncharged = replace(system.force_field, bjerrum_length=0.0)
        self._other_forces = _forces(replace(system, force_field=uncharged), state, None)[0]

    def error_of(self, mesh: CoulombMesh) -> tuple[float, CoulombMesh]:
        """Measure the relative RMS error of Coulomb forces; also the mesh as the engine has it."""
        forces, as_it_is = _forces(self._system, self._state, mesh)
        assert as_it_is is not None
        return self.of_forces(forces), as_it_is

    def of_forces(self, forces: NDArray[np.float64]) -> float:
        """Compare forces ``(N, 3)`` of all terms as `error_of` does."""
        difference = (forces - self._other_forces)[self._ions] - self._exact
        return float(np.sqrt(np.mean(difference**2) / np.mean(self._exact**2)))


def _forces(
    system: System, state: State, mesh: CoulombMesh | None
) -> tuple[NDArray[np.float64], CoulombMesh | None]:
    """Compute the forces; return them, and the mesh as the engine had it."""
    simulation = system.engine.simulation(
        frame_with_state(system.topology, state),
        system.force_field,
        ConstantEnergy(1e-3),  # it takes no step
        mesh,
        1,
        0,
    )
    try:
        return simulation.forces(), simulation.mesh
    finally:
        simulation.close()
