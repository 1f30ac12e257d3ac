"""A box that changes under pressure gets new meshes, and each one is recorded."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import gsd.hoomd
import numpy as np
import pytest

from tests.conftest import RelaxedMelt
from tests.stages.test_runner import StopAfter
from tests.systems import melt, state_point
from workflow.electrostatics.ewald import ewald_sum
from workflow.electrostatics.mesh import CoulombMesh
from workflow.engines.contract import (
    LEAST_SKIN,
    ConstantEnergy,
    ConstantPressure,
    Engine,
    Simulation,
    State,
)
from workflow.jobs.progress import ProgressWriter
from workflow.process import Interrupted, StopRequest
from workflow.stages.mesh_record import MeshChoices, box_has_changed
from workflow.stages.pace import ChunkLength
from workflow.stages.relax import relax
from workflow.stages.runner import Plan, run_plan
from workflow.stages.stage_folder import StageFolder
from workflow.stages.system import System
from workflow.stages.thermo_writer import read_rows
from workflow.stages.trajectory_writer import frame_with_state
from workflow.sweep.frame_schedule import BlockSchedule
from workflow.sweep.state_point import as_plain_values

COULOMB_ERROR = 1e-2
STEPS = 2000


@pytest.fixture
def dilute(engine: Engine, relaxed_melt: RelaxedMelt) -> tuple[System, State]:
    """A melt of ions at half of its density: it shrinks as soon as it may."""
    point = state_point('isp', {'LSP': 1.0}, density=0.45)
    return relaxed_melt(point, engine, COULOMB_ERROR)


def mesh_of(choice: dict[str, object]) -> CoulombMesh:
    return CoulombMesh(**{k: v for k, v in choice.items() if k not in ('for', 'step', 'box')})


def coulomb_error(system: System, state: State, mesh: CoulombMesh) -> float:
    """RMS error of the Coulomb forces on the ions, relative to those of the direct sum."""
    frame = frame_with_state(system.topology, state)
    forces = []
    for used in (mesh, None):
        simulation = system.engine.simulation(
            frame, system.force_field, ConstantEnergy(1e-3), used, 1, 0
        )
        forces.append(simulation.forces())
        simulation.close()
    charges = np.asarray(frame.particles.charge, dtype=float)
    ions = charges != 0
    length = system.force_field.bjerrum_length
    exact = ewald_sum(state.positions, charges, state.box, length)[1][ions]
    off = (forces[0] - forces[1])[ions] - exact
    return float(np.sqrt(np.mean(off**2) / np.mean(exact**2)))


def test_a_box_that_shrinks_has_its_mesh_chosen_anew(
    dilute: tuple[System, State], tmp_path: Path
) -> None:
    system, start = dilute
    before = system.meshes.number
    integrator = ConstantPressure(0.005, 1.0, 1.0, 6.0, 5.0)
    stage = Plan('press', integrator, STEPS, STEPS, 10, BlockSchedule(100, 1))
    folder = StageFolder(tmp_path, 'press')
    for questions in (7, 4):
        with pytest.raises(Interrupted):
            run_plan(folder, system, stage, start, lambda _: True, StopAfter(questions))
    end = run_plan(folder, system, stage, start, lambda _: True, StopRequest())

    assert end.box[0] < 0.85 * start.box[0]
    chosen = system.meshes.as_dict()['meshes'][before:]
    assert {choice['for'] for choice in chosen} == {'press'}
    assert len(chosen) > 4
    with gsd.hoomd.open(folder.trajectory) as trajectory:
        boxes = {int(f.configuration.step): f.configuration.box[:3] for f in trajectory}
    # The box is looked at where a frame is written: none goes on with a mesh for another box.
    for step, box in boxes.items():
        if step == end.step:  # nothing goes on from there
            continue
        used = [choice['box'] for choice in chosen if choice['step'] <= step][-1]
        assert not box_has_changed(np.array(used), box * (1 + 1e-6))
    mesh = mesh_of(chosen[-1])
    assert mesh.cutoff + LEAST_SKIN < end.box.min() / 2
    assert coulomb_error(system, end, mesh) < COULOMB_ERROR
    # Outputs have every frame and row once, whatever was set up anew.
    assert read_rows(folder.thermo)['step'].tolist() == list(range(10, STEPS + 1, 10))
    assert list(boxes) == [step for step in range(STEPS + 1) if stage.schedule.is_due(step)]


def test_relaxation_under_pressure_follows_its_box(engine: Engine, tmp_path: Path) -> None:
    protocol = {
        'push_off': {'steps': 200},
        'anneal': {'steps': 2000, 'cooling_steps': 200},
        'coulomb_error': COULOMB_ERROR,
    }
    point = state_point('isp', {'LSP': 1.0}, density=None, pressure=2.0, protocol=protocol)
    built, field = melt(state_point('isp', {'LSP': 1.0}, density=0.6))
    system = System(built, field, engine, COULOMB_ERROR, as_plain_values(point))
    progress = ProgressWriter(tmp_path, 'relax', 1)
    end = relax(tmp_path / 'relax', system, point, built, StopRequest(), progress)
    hot = [choice for choice in system.meshes.as_dict()['meshes'] if choice['for'] == 'hot']
    assert len(hot) > 1
    for earlier, later in itertools.pairwise(hot):
        assert earlier['step'] < later['step']
        assert box_has_changed(np.array(earlier['box']), np.array(later['box']))
    last = system.meshes.as_dict()['meshes'][-1]
    assert coulomb_error(system, end, mesh_of(last)) < COULOMB_ERROR
    assert len(system.seeds) == len(set(map(tuple, system.seeds)))  # no noise comes twice


def test_the_clock_decides_no_motion(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    protocol = {
        'push_off': {'steps': 100},
        'anneal': {'steps': 600, 'cooling_steps': 100},
        'coulomb_error': COULOMB_ERROR,
    }
    point = state_point('isp', {'LSP': 1.0}, density=None, pressure=2.0, protocol=protocol)
    built, field = melt(state_point('isp', {'LSP': 1.0}, density=0.6))
    stage = Plan('press', ConstantPressure(0.005, 1, 1, 6, 5), 400, 400, 10, BlockSchedule(200, 1))
    ends, chosen = [], []
    for chunk in (7, 1000):

        def run(self: ChunkLength, simulation: Simulation, steps: int, chunk: int = chunk) -> None:
            simulation.run(steps)
            self.steps = chunk

        monkeypatch.setattr(ChunkLength, 'run', run)
        folder = tmp_path / str(chunk)
        folder.mkdir()
        system = System(built, field, engine, COULOMB_ERROR, as_plain_values(point))
        progress = ProgressWriter(folder, 'relax', 1)
        start = relax(folder / 'relax', system, point, built, StopRequest(), progress)
        pressed = StageFolder(folder, 'press')
        ends += [(start, run_plan(pressed, system, stage, start, lambda _: False, StopRequest()))]
        chosen += [system.meshes.as_dict()]
    for one, other in zip(*ends, strict=True):
        np.testing.assert_equal(vars(one), vars(other))
    assert chosen[0] == chosen[1]
    (hot, press) = ([c for c in chosen[0]['meshes'] if c['for'] == n] for n in ('hot', 'press'))
    assert len(hot) > 1
    assert len(press) > 1


def test_a_mesh_is_chosen_among_the_sizes_that_the_engine_takes(
    relaxed_melt: RelaxedMelt,
) -> None:
    from workflow.engines.lammps_engine import LammpsEngine

    engine = LammpsEngine()
    engine.mesh_costs = replace(engine.mesh_costs, sizes=(16, 32, 64))
    system, state = relaxed_melt(state_point('isp', {'LSP': 1.0}), engine, COULOMB_ERROR)
    for error in (1e-1, 1e-2, 1e-3):
        mesh = replace(system, coulomb_error=error).mesh(state)
        assert mesh is not None
        assert mesh.resolution in engine.mesh_costs.sizes
        assert coulomb_error(system, state, mesh) < error


def test_the_mesh_of_an_engine_is_the_one_that_was_chosen(
    engine: Engine, relaxed_melt: RelaxedMelt
) -> None:
    point = state_point('isp', {'LSP': 0.5, 'DOPA': 0.5})
    system, state = relaxed_melt(point, engine, COULOMB_ERROR)
    mesh = system.mesh(state)
    assert mesh is not None
    integrator = ConstantEnergy(1e-3)
    simulation = system.simulation(state, integrator, mesh, 'a')
    real = simulation.mesh
    simulation.close()
    assert real is not None
    assert (real.resolution, real.order) == (mesh.resolution, mesh.order)
    assert real.cutoff == pytest.approx(mesh.cutoff)
    # HOOMD-blue finds its own with the beginning of the series that the estimate sums up.
    assert real.splitting == pytest.approx(mesh.splitting, rel=2e-2)
    recorded = system.meshes.as_dict()['meshes'][-1]
    assert recorded['splitting'] == real.splitting
    assert recorded['box'] == state.box.tolist()


def test_very_many_choices_are_counted_and_not_all_kept() -> None:
    mesh = CoulombMesh(16, 5, 3.0, 1.0, 1e-2, 1e-2, 1.0)
    choices = MeshChoices()
    nothing = np.zeros((2, 3))
    apart = np.array([[0.0, 0, 0], [1, 0, 0]])
    state = State(0, np.full(3, 8.0), apart, nothing.astype(np.int32), nothing)
    assert choices.as_dict() == {}
    for step in range(1000):
        choices.add('press', replace(state, step=step), mesh)
    kept = choices.as_dict()
    steps = [choice['step'] for choice in kept['meshes']]
    assert kept['meshes_chosen'] == 1000
    assert steps[0] == 0
    assert steps[-1] == 999
    assert len(steps) < 50
    assert len(json.dumps(kept)) < 20_000
