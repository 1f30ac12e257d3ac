"""One simulation over several MPI ranks: rank 0 runs the operation, the others follow it.

Only the engine is parallel. Rank 0 alone reads jobs, writes files and takes decisions; every call
that it makes to the engine is sent to the other ranks, which make the same call.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from user_input import UserError
from workflow.engines.failure import SimulationFailed

if TYPE_CHECKING:  # `project.py status` imports this module and must stay light
    import numpy as np
    from gsd.hoomd import Frame
    from numpy.typing import NDArray

    from models.force_field import ForceField
    from workflow.coulomb import CoulombMesh
    from workflow.engines import contract

RANKS_VARIABLE = 'ISP_RANKS'
_RANK_COUNT_VARIABLES = ('OMPI_COMM_WORLD_SIZE', 'PMI_SIZE', 'PMIX_SIZE', 'SLURM_STEP_NUM_TASKS')


def asked_ranks() -> int:
    """How many MPI ranks each simulation is to have: ISP_RANKS, else 1.

    Raises:
        UserError: If that is not a whole number from 1 up.
    """
    value = os.environ.get(RANKS_VARIABLE, '1')
    if not value.isdecimal() or int(value) < 1:
        raise UserError(f'{RANKS_VARIABLE}={value}: give a whole number from 1 up.')
    return int(value)


def started_ranks() -> int:
    """How many ranks the launcher says it started; 1 without a launcher."""
    for variable in _RANK_COUNT_VARIABLES:
        value = os.environ.get(variable, '')
        if value.isdecimal():
            return int(value)
    return 1


@contextmanager
def leading_or_following() -> Iterator[bool]:
    """On rank 0, lead for as long as the context lasts; on the others, follow until it ends.

    Yields:
        Whether this is rank 0, which alone has anything left to do.
    """
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise UserError(
            f'MPI ranks were started, but mpi4py cannot be loaded: {error}. It needs an MPI '
            'library: pip install mpi4py mpich, or load the MPI module of this machine.'
        ) from None

    from workflow.engines.selection import choice_from_environment, select_serial_engine

    if MPI.COMM_WORLD.rank > 0:
        follow(select_serial_engine(choice_from_environment()), MPI.COMM_WORLD)
        yield False
        return
    try:
        yield True
    finally:
        MPI.COMM_WORLD.bcast(('release', ()))


class LeadingEngine:
    """The engine of rank 0: every call also goes to the ranks that follow."""

    def __init__(self, engine: contract.Engine) -> None:
        from mpi4py import MPI

        self._engine, self._communicator = engine, MPI.COMM_WORLD
        self.name = engine.name

    def describe(self) -> dict[str, Any]:
        """What the engine says of itself, with the number of ranks."""
        return self._engine.describe() | {'ranks': self._communicator.size}

    def simulation(
        self,
        frame: Frame,
        force_field: ForceField,
        integrator: contract.Integrator,
        mesh: CoulombMesh | None,
        seed: int,
        log_period: int,
    ) -> contract.Simulation:
        """See `contract.Engine.simulation`."""
        arguments = (frame, force_field, integrator, mesh, seed, log_period)
        self._communicator.bcast(('simulation', arguments))
        return _LeadingSimulation(self._engine.simulation(*arguments), self._communicator)


class _LeadingSimulation:
    def __init__(self, simulation: contract.Simulation, communicator: Any) -> None:
        self._simulation, self._communicator = simulation, communicator

    @property
    def step(self) -> int:
        return self._simulation.step

    def run(self, steps: int) -> None:
        self._communicator.bcast(('run', (steps,)))
        self._simulation.run(steps)

    def state(self) -> contract.State:
        self._communicator.bcast(('state', ()))
        return self._simulation.state()

    def take_thermo_rows(self) -> NDArray[np.float64]:
        self._communicator.bcast(('take_thermo_rows', ()))
        return self._simulation.take_thermo_rows()

    def energies(self) -> dict[str, float]:
        self._communicator.bcast(('energies', ()))
        return self._simulation.energies()

    def forces(self) -> NDArray[np.float64]:
        self._communicator.bcast(('forces', ()))
        return self._simulation.forces()

    def close(self) -> None:
        self._communicator.bcast(('close', ()))
        self._simulation.close()


def follow(engine: contract.Engine, communicator: Any) -> None:
    """Make the calls that rank 0 makes, until it releases this rank."""
    simulation: contract.Simulation | None = None
    while True:
        call, arguments = communicator.bcast(None)
        if call == 'release':
            return
        try:
            if call == 'simulation':
                simulation = engine.simulation(*arguments)
            else:
                getattr(simulation, call)(*arguments)
        except SimulationFailed:
            pass  # rank 0 fails alike, and says so
        except BaseException:
            # Rank 0 would wait for this one without end.
            traceback.print_exc()
            communicator.Abort(1)
