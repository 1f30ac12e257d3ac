"""The Coulomb error that a run truly has: its first forces against a direct sum."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workflow.electrostatics.ewald import ewald_forces, pair_sum
from workflow.electrostatics.mesh import CoulombMesh
from workflow.engines.contract import ConstantEnergy, State
from workflow.stages.system import System, bonded_charges
from workflow.stages.trajectory_writer import frame_with_state

# Enough for the error of the error to be some 5 %.
_MOST_IONS = 200


def coulomb_record(system: System, state: State) -> dict[str, Any]:
    """Measure the Coulomb error of a stage for the job document; empty if nothing is charged.

    Returns:
        The mesh as plain values, and `achieved_error`: the RMS error of the engine's Coulomb forces
        on up to 200 ions of this state, relative to their RMS force.

    Raises:
        UserError: If the box is too small or no mesh reaches the requested error.
    """
    mesh = system.mesh(state)
    if mesh is None:
        return {}
    charges = np.asarray(system.topology.particles.charge, dtype=float)
    ions = np.random.default_rng(0).permutation(np.flatnonzero(charges))
    chosen = np.sort(ions[:_MOST_IONS])
    place = (state.positions, charges, state.box, system.force_field.bjerrum_length)
    exact = ewald_forces(*place, chosen)
    excluded = bonded_charges(system.topology, system.force_field)
    if excluded is not None:
        exact = exact - pair_sum(*place, excluded)[1][chosen]
    uncharged = replace(system, force_field=replace(system.force_field, bjerrum_length=0.0))
    forces, mesh = _forces(system, state, mesh)
    coulomb = forces - _forces(uncharged, state, None)[0]
    error = np.sqrt(np.mean((coulomb[chosen] - exact) ** 2) / np.mean(exact**2))
    assert mesh is not None
    return {'coulomb': asdict(mesh) | {'achieved_error': float(error)}}


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
