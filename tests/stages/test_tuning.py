"""Settings chosen by measurement: the error they have, what is kept of them, and what is not."""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import RelaxedMelt
from tests.stages.test_runner import StopAfter
from tests.systems import state_point
from user_input import UserError
from validation.systems import random_ions
from workflow.electrostatics.force_error import Differentiation, Grid, Ions
from workflow.electrostatics.mesh import CoulombMesh
from workflow.engines.contract import ConstantPressure, ConstantVolume, Engine, State
from workflow.engines.errors import BlewUp, engine_error
from workflow.engines.lammps_engine import LammpsEngine
from workflow.engines.settings import TUNING_CACHE_VARIABLE
from workflow.process import Interrupted, StopRequest
from workflow.stages.coulomb_check import CoulombCheck
from workflow.stages.system import System
from workflow.stages.tuning import Choice, cache_file, choose_settings

INTEGRATOR = ConstantVolume(0.005, 1.0, 1.0)
SHORT, LONG = 1_000, 10_000_000


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(TUNING_CACHE_VARIABLE, str(tmp_path / 'cache'))
    monkeypatch.setattr('workflow.stages.tuning._SECONDS', 0.02)
    monkeypatch.setattr('workflow.stages.tuning._MESHES', 3)
    return tmp_path / 'cache'


@pytest.fixture
def melt(relaxed_melt: RelaxedMelt) -> tuple[System, State]:
    point = state_point('isp', {'LSP': 0.5, 'DOPA': 0.5})
    return relaxed_melt(point, LammpsEngine(), 1e-2)


@pytest.mark.parametrize('request_', [1e-2, 1e-3])
@pytest.mark.parametrize('fraction', [0.1, 0.5, 1.0])
def test_the_error_of_a_stage_is_the_one_asked_for(
    engine: Engine,
    relaxed_melt: RelaxedMelt,
    fraction: float,
    request_: float,
    tmp_path: Path,
) -> None:
    composition = {'LSP': fraction, 'DOPA': 1 - fraction}
    system, state = relaxed_melt(state_point('isp', composition), engine, request_)
    choice = choose_settings(
        tmp_path / 'settings.json', system, state, INTEGRATOR, SHORT, StopRequest()
    )
    n_ions = np.count_nonzero(system.topology.particles.charge)
    assert choice.mesh is not None
    assert choice.trials == ()
    # What a stage begins with is the mesh that was measured.
    mesh = replace(system, tuning=choice.tuning).mesh(state)
    assert mesh is not None
    error, _ = CoulombCheck(system, state).error_of(mesh)
    assert error == pytest.approx(choice.achieved_error, rel=1e-6)
    assert (0.8 if n_ions > 100 else 0.6) * request_ < error < request_


def test_a_stage_that_resumes_has_the_settings_that_it_began_with(
    melt: tuple[System, State], tmp_path: Path
) -> None:
    system, state = melt
    saved = tmp_path / 'settings.json'
    first = choose_settings(saved, system, state, INTEGRATOR, SHORT, StopRequest())
    changed = first.tuning.skin + 0.05
    text = saved.read_text().replace(f'"skin": {first.tuning.skin}', f'"skin": {changed}')
    saved.write_text(text)
    again = choose_settings(saved, system, state, INTEGRATOR, LONG, StopRequest())
    assert again.tuning.skin == pytest.approx(changed)
    assert again.record()['coulomb']['achieved_error'] == first.achieved_error
    assert list(system.seeds) == []  # its random numbers are those of the stage alone


@pytest.mark.parametrize('content', ['', '{', '{"engine": {"engine": "other"}, "tuning": {}}'])
def test_settings_that_are_damaged_or_of_another_engine_are_found_again(
    melt: tuple[System, State], tmp_path: Path, content: str
) -> None:
    system, state = melt
    saved = tmp_path / 'settings.json'
    first = choose_settings(saved, system, state, INTEGRATOR, SHORT, StopRequest())
    whole = saved.read_bytes()
    saved.write_text(content)
    again = choose_settings(saved, system, state, INTEGRATOR, SHORT, StopRequest())
    assert again.tuning == first.tuning
    assert saved.read_bytes() == whole


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('skin', 'NaN'),
        ('skin', '-1'),
        ('skin', '1e9'),
        ('error_ratio', '0'),
        ('error_ratio', '-1'),
        ('error_ratio', 'NaN'),
        ('error_ratio', 'Infinity'),
        ('resolution', '-8'),
        ('resolution', '7'),
        ('resolution', '10000'),
        ('order', '0'),
        ('order', '9'),
        ('version', '"another"'),
    ],
)
def test_settings_and_caches_that_no_system_can_have_are_found_again(
    melt: tuple[System, State], tmp_path: Path, name: str, value: str
) -> None:
    system, state = melt
    saved = tmp_path / 'settings.json'
    first = choose_settings(saved, system, state, INTEGRATOR, SHORT, StopRequest())
    given = re.compile(rf'"{name}": [^,\n]+')
    content = given.sub(f'"{name}": {value}', saved.read_text(), count=1)
    assert content != saved.read_text()
    for file in (saved, cache_file(system, INTEGRATOR)):
        saved.unlink(missing_ok=True)
        file.parent.mkdir(exist_ok=True)
        file.write_text(content)
        again = choose_settings(saved, system, state, INTEGRATOR, SHORT, StopRequest())
        assert again.tuning == first.tuning
        assert again.achieved_error == first.achieved_error


def test_a_cache_without_a_mesh_is_not_for_ions(melt: tuple[System, State], tmp_path: Path) -> None:
    system, state = melt
    cached = cache_file(system, INTEGRATOR)
    choose_settings(cached, system, state, INTEGRATOR, SHORT, StopRequest())
    cached.write_text(re.sub('"grid": {.*?}', '"grid": null', cached.read_text(), flags=re.DOTALL))
    choice = choose_settings(tmp_path / 'a', system, state, INTEGRATOR, SHORT, StopRequest())
    assert choice.tuning.grid is not None


def test_meshes_are_ranked_by_the_cut_off_that_they_settle_at(
    melt: tuple[System, State], tmp_path: Path
) -> None:
    system, state = replace(melt[0], coulomb_error=1e-3), melt[1]
    choice = choose_settings(tmp_path / 'a', system, state, INTEGRATOR, SHORT, StopRequest())
    request = system.force_error(state)
    assert request is not None
    assert choice.mesh is not None
    likely = request.meshes(system.engine.mesh_costs, error_ratio=1.0)[0]
    assert likely.grid == choice.mesh.grid
    assert likely.cutoff == pytest.approx(choice.mesh.cutoff, rel=0.1)


def test_an_error_that_no_mesh_reaches_is_refused(
    melt: tuple[System, State], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, state = melt
    monkeypatch.setattr('workflow.stages.tuning._MESHES', 0)  # finer ones take seconds to set up
    system = replace(system, coulomb_error=1.001e-7)  # LAMMPS has erfc(x) to 1.5e-7
    with pytest.raises(UserError, match='ask for a larger one'):
        choose_settings(tmp_path / 'one.json', system, state, INTEGRATOR, SHORT, StopRequest())


def test_a_user_without_a_home_has_no_cache(
    melt: tuple[System, State], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (TUNING_CACHE_VARIABLE, 'XDG_CACHE_HOME', 'HOME'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr('os.getuid', lambda: 123_456_789)
    assert cache_file(melt[0], INTEGRATOR).is_absolute()


def test_a_long_stage_is_timed_once_for_all_of_its_kind(
    melt: tuple[System, State], tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    system, state = melt
    timed = choose_settings(tmp_path / 'one.json', system, state, INTEGRATOR, LONG, StopRequest())
    first, last = capsys.readouterr().out.splitlines()  # no line for each setting
    assert 'are timed for about' in first
    assert f'the fastest of {len(timed.trials)}' in last
    assert len({trial.tuning.grid for trial in timed.trials}) > 1
    assert len({trial.tuning.skin for trial in timed.trials}) == 5
    best = max(timed.trials, key=lambda trial: trial.speed)
    assert (best.tuning.grid, best.tuning.skin) == (timed.tuning.grid, timed.tuning.skin)
    replica = replace(system, state_point=system.state_point | {'replica': 1})
    assert cache_file(replica, INTEGRATOR) == cache_file(system, INTEGRATOR)
    assert list(cache.iterdir()) == [cache_file(system, INTEGRATOR)]
    other = choose_settings(tmp_path / 'two.json', replica, state, INTEGRATOR, SHORT, StopRequest())
    assert other.trials == timed.trials
    assert other.tuning.grid == timed.tuning.grid
    # Another kind of system has its own.
    assert cache_file(replace(system, coulomb_error=1e-3), INTEGRATOR) not in cache.iterdir()


def test_a_request_to_stop_is_heard_while_settings_are_timed(
    melt: tuple[System, State], tmp_path: Path
) -> None:
    system, state = melt
    saved = tmp_path / 'settings.json'
    with pytest.raises(Interrupted):
        choose_settings(saved, system, state, INTEGRATOR, LONG, StopAfter(3))
    assert not saved.exists()


def test_settings_are_timed_though_the_box_would_collapse(
    engine: Engine, relaxed_melt: RelaxedMelt, tmp_path: Path
) -> None:
    system, state = relaxed_melt(state_point('isp', {'LSP': 1.0}, density=0.45), engine, 1e-2)
    collapse = ConstantPressure(0.005, 1.0, 1.0, 50.0, 0.5)
    choice = choose_settings(tmp_path / 'one.json', system, state, collapse, LONG, StopRequest())
    assert choice.trials


@pytest.mark.parametrize('is_lone', [False, True])
def test_a_failure_while_settings_are_timed_is_left_to_the_stage_unless_ranks_wait(
    melt: tuple[System, State], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_lone: bool
) -> None:
    def fail(*_: object) -> None:
        raise engine_error('LAMMPS', Exception('Bad FENE bond'), is_lone)

    system, state = melt
    monkeypatch.setattr('workflow.stages.tuning._timed', fail)
    saved = tmp_path / 'one.json'
    with pytest.raises(BlewUp) if is_lone else nullcontext():
        choose_settings(saved, system, state, INTEGRATOR, LONG, StopRequest())
    assert saved.exists() is not is_lone


def test_without_charges_there_is_a_skin_alone(relaxed_melt: RelaxedMelt, tmp_path: Path) -> None:
    system, state = relaxed_melt(state_point('isp', {'DOPA': 1.0}), LammpsEngine(), 1e-2)
    choice = choose_settings(tmp_path / 'one.json', system, state, INTEGRATOR, LONG, StopRequest())
    assert choice.tuning.grid is None
    assert 'coulomb' not in choice.record()
    assert len({trial.tuning.skin for trial in choice.trials}) > 3


def test_a_cache_that_cannot_be_written_costs_the_time_alone(
    melt: tuple[System, State], tmp_path: Path, cache: Path
) -> None:
    system, state = melt
    cache.write_text('a file where the folder would be')
    choice = choose_settings(tmp_path / 'one.json', system, state, INTEGRATOR, LONG, StopRequest())
    assert isinstance(choice, Choice)
    assert choice.trials


@pytest.mark.parametrize('differentiation', Differentiation)
@pytest.mark.parametrize(('order', 'kappa'), [(4, 0.5), (5, 0.8), (6, 0.8), (7, 1.0)])
def test_the_error_of_a_mesh_is_its_integral(
    differentiation: Differentiation, order: int, kappa: float
) -> None:
    sample = random_ions(400, 0.4, 16.0, seed=3)
    forces = []
    for resolution, assigned in ((12, order), (36, 7)):
        mesh = CoulombMesh(resolution, assigned, 3.0, kappa, 1e-2, 1e-2, 1.0, differentiation)
        simulation = sample.simulation(LammpsEngine(), mesh=mesh)
        forces.append(simulation.forces())
        simulation.close()
    error = np.sqrt(np.mean(np.sum((forces[0] - forces[1]) ** 2, axis=1)))
    ions = Ions.of(sample.charges, np.asarray(sample.state.box, dtype=float), 16.0)
    grid = Grid(12, order, differentiation)
    assert error == pytest.approx(ions.mesh_error(grid, kappa), rel=0.2)


def test_forces_that_do_not_sum_to_zero_set_nothing_in_motion(
    melt: tuple[System, State],
) -> None:
    system, state = melt
    mesh = CoulombMesh(12, 5, 2.4, 0.9, 1e-2, 1e-2, 1.0, Differentiation.ANALYTIC)
    simulation = system.simulation(state, INTEGRATOR, mesh, 'sample')
    assert np.abs(simulation.forces().sum(axis=0)).max() > 1e-3
    simulation.run(2_000)
    masses = system.limits.masses
    momentum = masses @ simulation.state().velocities
    simulation.close()
    # It is taken away at every hundredth step, and this is one.
    assert np.abs(momentum).max() < 1e-8
