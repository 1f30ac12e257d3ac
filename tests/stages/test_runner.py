"""Stages on real engines: every scheduled frame and row exactly once, whatever stops them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import gsd.hoomd
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conftest import RelaxedMelt
from tests.systems import melt, state_point
from user_input import UserError
from workflow.engines.contract import THERMO_COLUMNS, ConstantEnergy, ConstantVolume, Engine, State
from workflow.process import Interrupted, StopRequest
from workflow.stages.checkpoint import read_checkpoint
from workflow.stages.pace import SECONDS_VARIABLE
from workflow.stages.runner import Plan, run_plan
from workflow.stages.stage_folder import StageFolder
from workflow.stages.system import System
from workflow.stages.thermo_writer import read_rows
from workflow.sweep.frame_schedule import BlockSchedule, NoFrames

STEPS = 1280
STAGE = Plan('sample', ConstantVolume(0.005, 1.0, 1.0), STEPS, STEPS, 10, BlockSchedule(10, 6))


@pytest.fixture
def start(engine: Engine, relaxed_melt: RelaxedMelt) -> tuple[System, State]:
    return relaxed_melt(state_point('isp', {'LSP': 0.5, 'DOPA': 0.5}), engine, 1e-2)


class StopAfter(StopRequest):
    """Asks to stop at the n-th question."""

    def __init__(self, questions: int) -> None:
        super().__init__()
        self._left = questions

    @property
    def reason(self) -> str | None:
        self._left -= 1
        return 'test' if self._left < 0 else None


def run(folder: StageFolder, start: tuple[System, State], stop: StopRequest) -> State:
    system, state = start
    return run_plan(folder, system, STAGE, state, lambda _: False, stop)


def assert_exactly_once(folder: StageFolder) -> None:
    assert read_rows(folder.thermo)['step'].tolist() == list(range(10, STEPS + 1, 10))
    with gsd.hoomd.open(folder.trajectory) as trajectory:
        steps = [int(frame.configuration.step) for frame in trajectory]
    schedule = STAGE.schedule
    assert steps == [step for step in range(STEPS + 1) if schedule.is_due(step)]
    assert len(steps) == sum(map(schedule.is_due, range(STEPS + 1)))


def test_an_interrupted_stage_goes_on_with_every_frame_and_row_once(
    start: tuple[System, State], tmp_path: Path
) -> None:
    folder = StageFolder(tmp_path, 'sample')
    for questions in (3, 1, 11):
        with pytest.raises(Interrupted):
            run(folder, start, StopAfter(questions))
    assert run(folder, start, StopRequest()).step == STEPS
    assert_exactly_once(folder)


def test_a_stage_without_frames_moves_and_logs_as_one_with_frames(
    start: tuple[System, State], tmp_path: Path
) -> None:
    ends, rows, frames = [], [], []
    for kind in (BlockSchedule, NoFrames):
        folder, stage = StageFolder(tmp_path, kind.__name__), replace(STAGE, maximum_steps=640)
        stage = replace(stage, schedule=kind(10, 6))
        ends.append(run_plan(folder, start[0], stage, start[1], lambda _: False, StopRequest()))
        rows.append(read_rows(folder.thermo))
        with gsd.hoomd.open(folder.trajectory) as trajectory:
            frames.append(len(trajectory))
    np.testing.assert_array_equal(ends[0].positions, ends[1].positions)
    np.testing.assert_equal(rows[0], rows[1])
    assert frames == [8, 1]


class Slow:
    """A real engine whose every step takes as long as that of a large system."""

    SECONDS_PER_STEP = 0.02

    def __init__(self, engine: Engine) -> None:
        self._engine, self.name = engine, engine.name
        self.mesh_costs, self.skin = engine.mesh_costs, engine.skin
        self.chunks: list[int] = []

    def describe(self) -> dict[str, Any]:
        return self._engine.describe()

    def simulation(self, *arguments: Any) -> Any:
        made = self._engine.simulation(*arguments)
        run = made.run

        def slow(steps: int) -> None:
            self.chunks.append(steps)
            time.sleep(steps * self.SECONDS_PER_STEP)
            run(steps)

        made.run = slow  # type: ignore[method-assign]
        return made


def test_no_chunk_takes_much_longer_than_a_second_from_the_first_on(
    start: tuple[System, State], tmp_path: Path
) -> None:
    system, state = start
    slow = Slow(system.engine)
    stage = replace(STAGE, schedule=BlockSchedule(640, 2), maximum_steps=20 * STEPS)
    with pytest.raises(Interrupted):
        run_plan(
            StageFolder(tmp_path, 'sample'),
            replace(system, engine=slow),
            stage,
            state,
            lambda _: False,
            StopAfter(8),
        )
    assert slow.chunks[0] == 1
    assert max(slow.chunks) * slow.SECONDS_PER_STEP < 1.5
    assert max(slow.chunks) * slow.SECONDS_PER_STEP > 0.5  # and soon as long as it may be


def test_outputs_beyond_the_checkpoint_are_cut_back(
    start: tuple[System, State], tmp_path: Path
) -> None:
    folder = StageFolder(tmp_path, 'sample')
    with pytest.raises(Interrupted):
        run(folder, start, StopAfter(8))
    # As after a kill between a write and the next checkpoint.
    with gsd.hoomd.open(folder.trajectory, 'r+') as trajectory:
        trajectory.append(trajectory[0])
    with open(folder.thermo, 'ab') as thermo:
        thermo.write(b'half a row')
    run(folder, start, StopRequest())
    assert_exactly_once(folder)


def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    start: tuple[System, State], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = StageFolder(tmp_path, 'sample')
    for questions in (3, 5):
        with pytest.raises(Interrupted):
            run(folder, start, StopAfter(questions))
    previous = read_checkpoint(folder.path / 'checkpoint.previous').state.step
    assert 0 < previous < read_checkpoint(folder.checkpoint).state.step
    content = bytearray(folder.checkpoint.read_bytes())
    content[len(content) // 2] ^= 1
    folder.checkpoint.write_bytes(content)
    capsys.readouterr()
    run(folder, start, StopRequest())
    said = capsys.readouterr().out
    assert 'checkpoint is damaged' in said
    assert f'resuming from step {previous}\n' in said
    assert 'restarting the stage from step 0' not in said
    assert_exactly_once(folder)


@pytest.mark.parametrize('output', ['trajectory.gsd', 'thermo.rows'])
def test_a_bit_flipped_in_the_first_frame_or_row_restarts_the_stage(
    start: tuple[System, State], tmp_path: Path, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = StageFolder(tmp_path, 'sample')
    for questions in (3, 5):
        with pytest.raises(Interrupted):
            run(folder, start, StopAfter(questions))
    content = bytearray((folder.path / output).read_bytes())
    checkpoint = read_checkpoint(folder.checkpoint)
    assert checkpoint.frames is not None
    # The first frame's data lies behind the first index and list of names.
    position = 8 if output == 'thermo.rows' else 256 + 128 * 32 + 1024 + 100
    content[position] ^= 4
    (folder.path / output).write_bytes(content)
    run(folder, start, StopRequest())
    said = capsys.readouterr().out
    assert f'{output} does not hold what was written' in said
    assert 'restarting the stage from step 0' in said
    assert_exactly_once(folder)


def test_what_the_disk_spoils_while_a_stage_runs_reaches_no_product(
    start: tuple[System, State], tmp_path: Path
) -> None:
    system, state = start
    folder = StageFolder(tmp_path, 'sample')

    def spoil(so_far: StageFolder) -> bool:
        with open(so_far.thermo, 'r+b') as file:
            file.seek(100)
            file.write(b'?')
        return True

    with pytest.raises(UserError, match='thermo.rows does not hold what was written'):
        run_plan(folder, system, STAGE, state, spoil, StopRequest())


def test_a_run_that_was_killed_in_its_review_ends_at_the_planned_step(
    start: tuple[System, State], tmp_path: Path
) -> None:
    system, state = start
    folder = StageFolder(tmp_path, 'sample')
    stage = replace(STAGE, minimum_steps=640)

    def killed(so_far: StageFolder) -> bool:
        raise Interrupted('killed')

    with pytest.raises(Interrupted):
        run_plan(folder, system, stage, state, killed, StopRequest())
    end = run_plan(folder, system, stage, state, lambda _: True, StopRequest())
    assert end.step == 640
    assert read_rows(folder.thermo)['step'].tolist() == list(range(10, 641, 10))


@pytest.mark.parametrize('output', ['trajectory.gsd', 'thermo.rows'])
def test_a_truncated_output_goes_back_to_what_is_whole(
    start: tuple[System, State], tmp_path: Path, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = StageFolder(tmp_path, 'sample')
    with pytest.raises(Interrupted):
        run(folder, start, StopAfter(3))
    whole = (folder.path / output).stat().st_size
    previous = read_checkpoint(folder.checkpoint).state.step
    assert previous > 0
    with pytest.raises(Interrupted):
        run(folder, start, StopAfter(5))
    longer = (folder.path / output).stat().st_size
    assert longer > whole
    # Between what the two checkpoints count on.
    os.truncate(folder.path / output, (whole + longer) // 2)
    capsys.readouterr()
    run(folder, start, StopRequest())
    said = capsys.readouterr().out
    assert f'is passed over: {output} has' in said
    assert f'resuming from step {previous}\n' in said
    assert 'restarting the stage from step 0' not in said
    assert_exactly_once(folder)


def _run_until_killed(folder: StageFolder, start: tuple[System, State]) -> None:
    os.environ[SECONDS_VARIABLE] = '0.05'  # of the fork alone
    run(folder, start, StopRequest())


@pytest.mark.parametrize('engine', ['lammps'], indirect=True)  # HOOMD does not survive a fork
def test_a_killed_stage_goes_on(start: tuple[System, State], tmp_path: Path) -> None:
    folder = StageFolder(tmp_path, 'sample')
    rng = np.random.default_rng(7)
    for delay in rng.uniform(0.05, 0.5, 4):
        process = multiprocessing.get_context('fork').Process(
            target=_run_until_killed, args=(folder, start)
        )
        process.start()
        time.sleep(delay)
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
    run(folder, start, StopRequest())
    assert_exactly_once(folder)


def kinetic_temperature(folder: StageFolder, n_beads: int) -> NDArray[np.float64]:
    return np.asarray(2 * read_rows(folder.thermo)['kinetic_energy'] / (3 * n_beads - 3))


def test_the_thermostat_holds_its_temperature(start: tuple[System, State], tmp_path: Path) -> None:
    system, state = start
    folder = StageFolder(tmp_path, 'warm')
    integrator = ConstantVolume(0.005, 0.8, 0.2)
    stage = replace(STAGE, name='warm', integrator=integrator, maximum_steps=8 * STEPS)
    run_plan(folder, system, stage, state, lambda _: False, StopRequest())
    settled = kinetic_temperature(folder, len(state.positions))[400:]
    assert settled.mean() == pytest.approx(0.8, rel=0.02)
    # Canonical: var(T)/T^2 = 2/(degrees of freedom).
    expected = np.sqrt(2 / (3 * len(state.positions) - 3))
    assert settled.std() / settled.mean() == pytest.approx(expected, rel=0.35)


def test_schedule_counts_its_own_frames() -> None:
    schedule = BlockSchedule(5, 4)
    due = [step for step in range(400) if schedule.is_due(step)]
    assert due[:7] == [0, 5, 10, 20, 40, 80, 85]
    walked = [0]
    while schedule.next_frame(walked[-1]) < 400:
        walked.append(schedule.next_frame(walked[-1]))
    assert walked == due


def test_frames_hold_the_images_of_the_state(start: tuple[System, State], tmp_path: Path) -> None:
    folder = StageFolder(tmp_path, 'sample')
    last = run(folder, start, StopRequest())
    with gsd.hoomd.open(folder.trajectory) as trajectory:
        frame, first = trajectory[-1], trajectory[0]
        assert int(frame.configuration.step) == last.step
        np.testing.assert_array_equal(frame.particles.image, last.images)
        assert np.any(frame.particles.image != first.particles.image)


def test_paths_have_no_jumps(start: tuple[System, State]) -> None:
    """Positions and images together move no farther than a bead can, whenever they are asked."""
    system, state = start
    simulation = system.simulation(state, STAGE.integrator, system.mesh(state), 'sample')
    before, crossings = state, 0
    for _ in range(150):
        simulation.run(7)
        now = simulation.state()
        paths = [each.positions + each.images * each.box for each in (before, now)]
        assert np.abs(paths[1] - paths[0]).max() < 0.5
        assert np.abs(now.positions).max() <= now.box.max() / 2 * (1 + 1e-6)
        crossings += int(np.sum(now.images != before.images))
        before = now
    simulation.close()
    assert crossings > 100


def test_thermo_rows_of_an_ideal_gas_are_those_of_its_velocities(engine: Engine) -> None:
    """Far apart nothing interacts: the pressure tensor is sum m v_a v_b / V, with known order."""
    point = state_point('kremer_grest', {'M': 1.0}, chains=8, degree_of_polymerisation=1)
    frame, field = melt(point)
    rng = np.random.default_rng(3)
    n = int(frame.particles.N)
    frame.configuration.box = [60, 60, 60, 0, 0, 0]
    corners = np.stack(np.meshgrid(*[[-15.0, 15.0]] * 3), axis=-1).reshape(-1, 3)
    frame.particles.position = corners[:n]
    frame.particles.image = np.zeros((n, 3), dtype=np.int32)
    velocities = rng.normal(size=(n, 3)) * [1.0, 2.0, 3.0]
    frame.particles.velocity = velocities - velocities.mean(axis=0)
    simulation = engine.simulation(frame, field, ConstantEnergy(0.001), None, 1, log_period=10)
    simulation.run(10)
    row = dict(zip(THERMO_COLUMNS, simulation.take_thermo_rows()[-1], strict=True))
    v = simulation.state().velocities
    simulation.close()
    assert row['kinetic_energy'] == pytest.approx(0.5 * np.sum(v**2), rel=1e-6)
    tensor = v.T @ v / 60**3
    for a, b in ('xx', 'xy', 'xz', 'yy', 'yz', 'zz'):
        expected = tensor['xyz'.index(a), 'xyz'.index(b)]
        assert row[f'pressure_{a}{b}'] == pytest.approx(expected, rel=1e-6, abs=1e-12)
