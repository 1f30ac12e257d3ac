"""Engines that the tests run on: every one that imports here; HOOMD-blue is marked."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

# A test is one of several processes on few cores: more threads than cores only slow it down.
os.environ.setdefault('OMP_NUM_THREADS', '1')

import pytest

from tests.systems import melt
from workflow.engines.contract import Engine, State
from workflow.engines.mpi import select_engine
from workflow.engines.selection import available_engines
from workflow.engines.settings import EngineChoice
from workflow.jobs.progress import ProgressWriter
from workflow.process import StopRequest
from workflow.stages.mesh_record import MeshChoices
from workflow.stages.relax import relax
from workflow.stages.system import System
from workflow.sweep.state_point import StatePoint, as_plain_values

RelaxedMelt = Callable[[StatePoint, Engine, float], tuple[System, State]]

HOOMD_IS_MISSING = 'needs HOOMD-blue, which is not on PyPI: conda env create -f environment.yml'

needs_hoomd = pytest.mark.skipif('hoomd' not in available_engines(), reason=HOOMD_IS_MISSING)


@pytest.fixture(params=['lammps', pytest.param('hoomd', marks=[pytest.mark.hoomd, needs_hoomd])])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn, on the CPU."""
    return select_engine(EngineChoice(request.param, 'cpu'))


@pytest.fixture(scope='session')
def relaxed_melt(tmp_path_factory: pytest.TempPathFactory) -> RelaxedMelt:
    """A system of its own, of a state point, engine and Coulomb error, and its relaxed state.

    Each melt is relaxed once on each engine; the arrays of its state are read-only.
    """
    states: dict[tuple[str, str], State] = {}

    def relaxed(point: StatePoint, engine: Engine, coulomb_error: float) -> tuple[System, State]:
        frame, field = melt(point)
        system = System(frame, field, engine, coulomb_error, as_plain_values(point))
        key = engine.name, point.model_dump_json()
        if key not in states:
            folder = tmp_path_factory.mktemp('relaxed')
            start = replace(system, coulomb_error=1e-2, seeds=[], meshes=MeshChoices())
            progress = ProgressWriter(folder, 'relax', 1)
            state = relax(folder / 'relax', start, point, frame, StopRequest(), progress)
            for array in (state.box, state.positions, state.images, state.velocities):
                array.flags.writeable = False
            states[key] = state
        return system, states[key]

    return relaxed


def pytest_report_header() -> str:
    """Say which engines this run exercises."""
    engines = [select_engine(EngineChoice(name, 'cpu')).describe() for name in available_engines()]
    return 'engines: ' + ', '.join(f'{e["engine"]} {e["version"]} ({e["device"]})' for e in engines)
