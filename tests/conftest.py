"""Engines that the tests run on: every one that imports here; HOOMD-blue is marked."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import hashlib
import inspect
import io
import os
import pickle
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# A test is one of several processes on few cores: more threads than cores only slow it down.
os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ.setdefault('MPIR_CVAR_ENABLE_HEAVY_YIELD', '1')  # a rank that waits leaves its core

import pytest

from project import main
from tests.systems import melt
from workflow.cli.messages import show_messages
from workflow.engines.contract import Engine, State
from workflow.engines.mpi import select_engine
from workflow.engines.selection import available_engines
from workflow.engines.settings import TUNING_CACHE_VARIABLE, EngineChoice
from workflow.jobs.progress import ProgressWriter
from workflow.process import STOP_SIGNALS, StopRequest
from workflow.stages.mesh_record import MeshChoices
from workflow.stages.relax import relax
from workflow.stages.system import System
from workflow.sweep.state_point import StatePoint, as_plain_values

ROOT = Path(__file__).parents[1]
show_messages()  # as every command does
RelaxedMelt = Callable[[StatePoint, Engine, float], tuple[System, State]]

HOOMD_IS_MISSING = 'needs HOOMD-blue, which is not on PyPI: conda env create -f environment.yml'

needs_hoomd = pytest.mark.skipif('hoomd' not in available_engines(), reason=HOOMD_IS_MISSING)


@dataclass(frozen=True)
class Done:
    """What became of a command."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        """All of it."""
        return self.stdout + self.stderr


def run_here(folder: Path, *words: str, environment: dict[str, str] | None = None) -> Done:
    """Run project.py in a folder within this process, which saves the time of its imports.

    Args:
        folder: Where.
        words: Of the command line.
        environment: Takes the place of this process's with LAMMPS as the engine.
    """
    here = dict(os.environ)
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.chdir(folder)
        patch.setattr(sys, 'argv', ['project.py', *words])
        # flow takes the program at the bottom of the stack for the one that jobs are to run.
        program = SimpleNamespace(filename=str(ROOT / 'project.py'))
        patch.setattr(inspect, 'stack', lambda *_: [program])
        try:
            os.environ.clear()
            os.environ.update(
                here | {'ISP_ENGINE': 'lammps'} if environment is None else environment
            )
            return Done(main(), out.getvalue(), err.getvalue())
        except SystemExit as left:
            return Done(int(left.code or 0), out.getvalue(), err.getvalue())
        finally:
            os.environ.clear()
            os.environ.update(here)
            for number, handler in handlers.items():
                signal.signal(number, handler)


@pytest.fixture(params=['lammps', pytest.param('hoomd', marks=[pytest.mark.hoomd, needs_hoomd])])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn, on the CPU."""
    return select_engine(EngineChoice(request.param, 'cpu'))


@pytest.fixture(scope='session', autouse=True)
def _no_settings_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ[TUNING_CACHE_VARIABLE] = str(tmp_path_factory.getbasetemp() / 'tuning')


def draw_quickly(patch: pytest.MonkeyPatch) -> None:
    """Draw figures as reports show them, without layout: to have them whole takes five times."""

    def save(figure: Any, path: Path) -> None:
        figure.set_layout_engine('none')
        figure.savefig(f'{path}.svg')

    patch.setattr('workflow.results.figures.save_figure', save)
    patch.setattr('workflow.results.relation_figures.save_figure', save)


@pytest.fixture
def quick_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw quickly: for tests to which it counts that figures are there."""
    draw_quickly(monkeypatch)


@pytest.fixture(scope='session')
def relaxed_melt(tmp_path_factory: pytest.TempPathFactory) -> RelaxedMelt:
    """A system of its own, of a state point, engine and Coulomb error, and its relaxed state.

    Each melt is relaxed once on each engine, by whichever process of pytest-xdist needs it first;
    the arrays of its state are read-only.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if 'PYTEST_XDIST_WORKER' in os.environ else base

    def relaxed(point: StatePoint, engine: Engine, coulomb_error: float) -> tuple[System, State]:
        frame, field = melt(point)
        system = System(frame, field, engine, coulomb_error, as_plain_values(point))
        key = hashlib.sha256(f'{engine.name} {point.model_dump_json()}'.encode()).hexdigest()
        file = shared / f'relaxed-{key}'
        with open(shared / f'{key}.lock', 'w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not file.exists():
                folder = tmp_path_factory.mktemp('relaxed')
                start = replace(system, coulomb_error=1e-2, seeds=[], meshes=MeshChoices())
                progress = ProgressWriter(folder, 'relax', 1)
                made = relax(folder / 'relax', start, point, frame, StopRequest(), progress)
                file.write_bytes(pickle.dumps(made))
        state: State = pickle.loads(file.read_bytes())
        for array in (state.box, state.positions, state.images, state.velocities):
            array.flags.writeable = False
        return system, state

    return relaxed


def pytest_unconfigure() -> None:
    """Undo what commands do to save time: what stays frozen, freud reports as leaked at exit."""
    gc.unfreeze()


def pytest_report_header() -> str:
    """Say which engines this run exercises."""
    engines = [select_engine(EngineChoice(name, 'cpu')).describe() for name in available_engines()]
    return 'engines: ' + ', '.join(f'{e["engine"]} {e["version"]} ({e["device"]})' for e in engines)
