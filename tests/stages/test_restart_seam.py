"""A run that was stopped and goes on is the run that it would have been."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conftest import RelaxedMelt
from tests.stages.test_runner import StopAfter
from tests.systems import state_point
from workflow.engines.contract import ConstantEnergy, ConstantVolume, Engine, State
from workflow.process import Interrupted, StopRequest
from workflow.stages.checkpoint import read_checkpoint
from workflow.stages.runner import Plan, run_plan
from workflow.stages.stage_folder import StageFolder
from workflow.stages.system import System
from workflow.stages.thermo_writer import read_rows
from workflow.sweep.frame_schedule import BlockSchedule

STEPS, RESTARTS = 4000, 9
# Chunks end at frames, every 100 steps, once they are as long as they may be.
QUESTIONS = 5
NEWTON = Plan('sample', ConstantEnergy(0.004), STEPS, STEPS, 10, BlockSchedule(100, 1))
MODELS = {'neutral': ('kremer_grest', {'M': 1.0}), 'ionic': ('isp', {'LSP': 0.5, 'DOPA': 0.5})}


@pytest.fixture(params=MODELS)
def start(
    request: pytest.FixtureRequest, engine: Engine, relaxed_melt: RelaxedMelt
) -> tuple[System, State]:
    model, composition = MODELS[request.param]
    chains = 20 if model == 'kremer_grest' else 8
    return relaxed_melt(state_point(model, composition, chains=chains), engine, 1e-3)


def total_energy(folder: StageFolder) -> NDArray[np.float64]:
    rows = read_rows(folder.thermo)
    return np.asarray(rows['kinetic_energy'] + rows['potential_energy'])


def test_a_restart_takes_up_the_state_in_double_precision(
    start: tuple[System, State], tmp_path: Path
) -> None:
    system, state = start
    folder = StageFolder(tmp_path, 'sample')
    stage = replace(NEWTON, integrator=ConstantVolume(0.004, 1.0, 1.0))
    with pytest.raises(Interrupted):
        run_plan(folder, system, stage, state, lambda _: False, StopAfter(QUESTIONS))
    saved = read_checkpoint(folder.checkpoint).state
    simulation = system.simulation(saved, stage.integrator, system.mesh(saved), 'sample', 10)
    again = simulation.state()
    energies = simulation.energies()
    simulation.close()
    # Single precision would be 1e-7 off.
    exactly = {'rtol': 0, 'atol': 1e-12}
    np.testing.assert_allclose(again.velocities, saved.velocities, **exactly)
    unwrapped = saved.positions + saved.images * saved.box
    np.testing.assert_allclose(again.positions + again.images * again.box, unwrapped, **exactly)
    assert again.step == saved.step
    # The row that was logged at this step, before the stop, has the energies of the state.
    rows = read_rows(folder.thermo)
    assert rows['step'][-1] == saved.step
    kinetic = 0.5 * float(np.sum(system.limits.masses[:, None] * saved.velocities**2))
    assert rows['kinetic_energy'][-1] == pytest.approx(kinetic, rel=1e-9)
    error = 1e-3 if system.is_charged else 1e-9  # the mesh is chosen anew
    assert rows['potential_energy'][-1] == pytest.approx(sum(energies.values()), rel=error)


def test_energy_drifts_no_more_with_many_restarts(
    start: tuple[System, State], tmp_path: Path
) -> None:
    """Under Newton's equations each seam that lost anything would show as a step in the energy."""
    system, state = start
    whole, pieces = StageFolder(tmp_path / 'whole', 'sample'), StageFolder(tmp_path, 'sample')
    whole.path.parent.mkdir()
    run_plan(whole, system, NEWTON, state, lambda _: False, StopRequest())
    seams = []
    for _ in range(RESTARTS):
        with pytest.raises(Interrupted):
            run_plan(pieces, system, NEWTON, state, lambda _: False, StopAfter(QUESTIONS))
        seams.append(len(read_rows(pieces.thermo)['step']))
    run_plan(pieces, system, NEWTON, state, lambda _: False, StopRequest())
    assert len(set(seams)) == RESTARTS
    once, again = total_energy(whole), total_energy(pieces)
    assert len(once) == len(again) == STEPS // 10
    # From the second row on: a first row comes from a beginning that both share.
    changes = np.abs(np.diff(again))
    at_seams = np.zeros(len(changes), dtype=bool)
    at_seams[np.array(seams) - 1] = True
    usual = float(np.sqrt(np.mean(np.diff(once) ** 2)))
    assert np.sqrt(np.mean(changes[at_seams] ** 2)) < 2 * usual
    assert again[-50:].mean() == pytest.approx(once[-50:].mean(), abs=6 * once.std())
