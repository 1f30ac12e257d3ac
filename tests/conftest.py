"""Engines that the tests run on: every one that imports here; HOOMD-blue is marked."""

from __future__ import annotations

import os

# A test is one of several processes on few cores: more threads than cores only slow it down.
os.environ.setdefault('OMP_NUM_THREADS', '1')

import pytest

from workflow.engines.contract import Engine
from workflow.engines.mpi import select_engine
from workflow.engines.selection import available_engines
from workflow.engines.settings import EngineChoice

HOOMD_IS_MISSING = 'needs HOOMD-blue, which is not on PyPI: conda env create -f environment.yml'

needs_hoomd = pytest.mark.skipif('hoomd' not in available_engines(), reason=HOOMD_IS_MISSING)


@pytest.fixture(params=['lammps', pytest.param('hoomd', marks=[pytest.mark.hoomd, needs_hoomd])])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn, on the CPU."""
    return select_engine(EngineChoice(request.param, 'cpu'))


def pytest_report_header() -> str:
    """Say which engines this run exercises."""
    engines = [select_engine(EngineChoice(name, 'cpu')).describe() for name in available_engines()]
    return 'engines: ' + ', '.join(f'{e["engine"]} {e["version"]} ({e["device"]})' for e in engines)
