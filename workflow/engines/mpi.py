"""One simulation over several MPI ranks: rank 0 runs the operation, the others follow it.

Only the engine is parallel. Rank 0 alone reads jobs, writes files and takes decisions; every call
that it makes to the engine is sent to the other ranks, which make the same call. An error that one
rank alone found leaves the others waiting inside the engine: that rank says why and ends them all.
"""

from __future__ import annotations

import itertools
import logging
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from user_input import UserError
from workflow.engines.errors import SimulationFailed, is_lone
from workflow.engines.settings import EngineChoice, choice_from_environment, started_ranks

if TYPE_CHECKING:  # `project.py status` imports this module and must stay light
    from workflow.engines import contract

_logger = logging.getLogger(__name__)

# Rank 0 knows more: if it failed too, it is to write the mark.
_SECONDS_FOR_RANK_0 = 2.0

MarkFailed = Callable[[Path, str, SimulationFailed, dict[str, Any]], None]


def select_engine(choice: EngineChoice) -> contract.Engine:
    """Make the engine that `choice` asks for, over all MPI ranks; see `select_serial_engine`."""
    from workflow.engines.selection import select_serial_engine

    engine = select_serial_engine(choice)
    return LeadingEngine(engine) if started_ranks() > 1 else engine


@contextmanager
def leading_or_following(mark_failed: MarkFailed) -> Iterator[bool]:
    """Lead for as long as the context lasts on rank 0; follow until it ends on the others.

    Gives whether this is rank 0, which alone has anything left to do. A rank that follows and alone
    finds that the simulation failed calls `mark_failed`.
    """
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise UserError(
            f'MPI ranks were started, but mpi4py cannot be loaded: {error}. It needs an MPI '
            'library: pip install mpi4py mpich, or load the MPI module of this machine.'
        ) from None

    from workflow.engines.selection import chosen_engine, select_serial_engine

    choice = choice_from_environment()
    chosen_engine(choice)  # what it refuses, all ranks refuse before one waits for another
    if MPI.COMM_WORLD.rank > 0:
        engine = select_serial_engine(choice)
        follow(engine, MPI.COMM_WORLD, mark_failed)
        yield False
        return
    try:
        yield True
    except UserError as error:
        if _Lead.is_alone:  # nobody comes to say it after the end
            _logger.error('error: %s', error)
        raise
    finally:
        if _Lead.is_alone:
            sys.stdout.flush()
            sys.stderr.flush()
            MPI.COMM_WORLD.Abort(1)
        MPI.COMM_WORLD.bcast(('release', 0, (), {}))


class _Lead:
    """What rank 0 knows of the others."""

    is_alone = False  # they wait inside the engine, and hear nothing more
    numbers = itertools.count()  # of simulations


def tell_followers(job_folder: Path, stage: str) -> None:
    """Send the other ranks the job that the calls that follow are about."""
    if started_ranks() > 1:
        from mpi4py import MPI

        MPI.COMM_WORLD.bcast(('job', 0, (job_folder, stage), {}))


class LeadingEngine:
    """The engine of rank 0: every call also goes to the ranks that follow."""

    def __init__(self, engine: contract.Engine) -> None:
        self._engine = engine
        self.name, self.mesh_costs, self.skin = engine.name, engine.mesh_costs, engine.skin

    def describe(self) -> dict[str, Any]:
        """Describe the engine, with the number of ranks."""
        return self._engine.describe() | {'ranks': started_ranks()}

    def simulation(self, *setup: Any, **more: Any) -> contract.Simulation:
        """See `contract.Engine.simulation`."""
        number = next(_Lead.numbers)
        return _LeadingSimulation(_call('simulation', number, self._engine, *setup, **more), number)


class _LeadingSimulation:
    """A simulation of rank 0; the other ranks know theirs by the same number."""

    def __init__(self, simulation: contract.Simulation, number: int) -> None:
        self._simulation, self._number = simulation, number

    def __getattr__(self, name: str) -> Any:
        if name in ('step', 'mesh'):  # rank 0 knows them
            return getattr(self._simulation, name)
        return partial(_call, name, self._number, self._simulation)

    def close(self) -> None:
        if not _Lead.is_alone:  # closing takes all ranks
            _call('close', self._number, self._simulation)


def _call(name: str, number: int, of: Any, *arguments: Any, **more: Any) -> Any:
    """Make a call about a simulation on rank 0, and on the others while they hear it."""
    from mpi4py import MPI

    if not _Lead.is_alone:
        MPI.COMM_WORLD.bcast((name, number, arguments, more))
    try:
        return getattr(of, name)(*arguments, **more)
    except (SimulationFailed, UserError) as error:
        _Lead.is_alone = _Lead.is_alone or is_lone(error)
        raise


def follow(engine: contract.Engine, communicator: Any, mark_failed: MarkFailed) -> None:
    """Make the calls that rank 0 makes, until it releases this rank."""
    simulations: dict[int, contract.Simulation] = {}
    job: tuple[Path, str] | None = None
    while True:
        call, number, arguments, more = communicator.bcast(None)
        if call == 'release':
            return
        try:
            if call == 'job':
                job = arguments
            elif call == 'simulation':
                simulations[number] = engine.simulation(*arguments, **more)
            elif number in simulations:  # else it is closed, and has nothing left to do
                simulation = simulations.pop(number) if call == 'close' else simulations[number]
                getattr(simulation, call)(*arguments)
        except (SimulationFailed, UserError) as error:
            if not is_lone(error):
                continue  # rank 0 fails alike, and says so
            time.sleep(_SECONDS_FOR_RANK_0)
            _logger.error('error: %s', error)
            if job and isinstance(error, SimulationFailed):
                mark_failed(job[0], job[1], error, engine.describe())
            communicator.Abort(1)
        except BaseException:
            # Rank 0 would wait for this one without end.
            traceback.print_exc()
            communicator.Abort(1)
