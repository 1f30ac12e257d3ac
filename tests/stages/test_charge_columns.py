"""Currents and displacements of ions in the thermo log."""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.force_field import ForceField
from tests.conftest import RelaxedMelt, needs_hoomd
from tests.stages.test_restart_seam import StopAfter
from tests.systems import state_point
from workflow.engines.contract import (
    CURRENT,
    DISPLACEMENTS,
    THERMO_COLUMNS,
    ConstantEnergy,
    ConstantPressure,
    Engine,
    State,
)
from workflow.engines.mpi import select_engine
from workflow.engines.settings import EngineChoice
from workflow.process import Interrupted, StopRequest
from workflow.stages import checkpoint as checkpoints
from workflow.stages.checkpoint import read_checkpoint
from workflow.stages.runner import Plan, run_plan
from workflow.stages.stage_folder import StageFolder
from workflow.stages.system import System
from workflow.stages.thermo_writer import (
    FORMER_WIDTH,
    RowMark,
    ThermoLog,
    find_corruption,
    read_hdf5,
    read_rows,
    write_hdf5,
    write_rows,
)
from workflow.sweep.frame_schedule import BlockSchedule

TIME_STEP, STEPS = 0.001, 400
PLAN = Plan('sample', ConstantEnergy(TIME_STEP), STEPS, STEPS, 1, BlockSchedule(40, 1))


@pytest.fixture
def start(engine: Engine, relaxed_melt: RelaxedMelt) -> tuple[System, State]:
    return relaxed_melt(state_point('isp', {'LSP': 0.5, 'DOPA': 0.5}), engine, 1e-2)


def sums_over_charges(state: State, charges: NDArray[np.float64]) -> NDArray[np.float64]:
    unwrapped = state.positions + state.images * state.box
    shares = np.stack([np.where(charges > 0, charges, 0), np.where(charges < 0, -charges, 0)])
    return np.concatenate([charges @ state.velocities, (shares @ unwrapped).ravel()])


def table(folder: StageFolder) -> NDArray[np.float64]:
    return np.column_stack(list(read_rows(folder.thermo).values()))


def finish(folder: StageFolder, start: tuple[System, State], plan: Plan = PLAN) -> State:
    return run_plan(folder, start[0], plan, start[1], lambda _: False, StopRequest())


def row_of(system: System, state: State, engine: Engine) -> NDArray[np.float64]:
    """Log one step that moves nothing, of charges that do not feel each other."""
    still = replace(system, engine=engine, force_field=uncharged(system.force_field))
    simulation = still.simulation(state, ConstantEnergy(1e-12), None, 'sample', log_period=1)
    simulation.run(1)
    (row,) = simulation.take_thermo_rows()
    simulation.close()
    return np.asarray(row)


def uncharged(field: ForceField) -> ForceField:
    return replace(field, bjerrum_length=0.0)


@pytest.mark.parametrize(
    'choice',
    [
        EngineChoice('lammps', 'cpu'),
        EngineChoice('lammps', 'cpu', threads=2),
        pytest.param(EngineChoice('hoomd', 'cpu'), marks=needs_hoomd),
    ],
    ids=['lammps', 'two threads', 'hoomd'],
)
def test_a_row_is_that_of_the_state_in_any_engine(
    choice: EngineChoice, relaxed_melt: RelaxedMelt
) -> None:
    lammps = select_engine(EngineChoice('lammps', 'cpu'))
    system, state = relaxed_melt(state_point('isp', {'LSP': 0.5, 'DOPA': 0.5}), lammps, 1e-2)
    # Charges of more than one size, as a model may have them, and two masses of one charge.
    charges = system.charges * np.where(np.arange(len(system.charges)) % 3, 1, 2)
    system.topology.particles.charge = charges
    assert np.any(state.images)
    row = row_of(system, state, select_engine(choice))
    expected = sums_over_charges(state, charges)
    np.testing.assert_allclose(row[CURRENT.start :], expected, rtol=1e-9, atol=1e-8)
    assert abs(expected).min() > 1e-3
    pressure = slice(4, CURRENT.start)
    reference = row_of(system, state, lammps)[pressure]
    np.testing.assert_allclose(row[pressure], reference, rtol=1e-6, atol=1e-6)


def test_displacements_are_the_integral_of_the_current_over_any_restart(
    start: tuple[System, State], tmp_path: Path
) -> None:
    system, state = start
    folder = StageFolder(tmp_path, 'sample')
    for questions in (4, 3, 3):
        with pytest.raises(Interrupted):
            run_plan(folder, system, PLAN, state, lambda _: False, StopAfter(questions))
    end = finish(folder, start)
    rows = table(folder)
    assert rows[:, 0].tolist() == list(range(1, STEPS + 1))
    assert np.any(end.images != state.images)
    first, last = (sums_over_charges(each, system.charges) for each in (state, end))
    np.testing.assert_allclose(rows[-1, DISPLACEMENTS], (last - first)[3:], atol=1e-9)
    np.testing.assert_allclose(rows[-1, CURRENT], last[:3], atol=1e-9)
    current = np.vstack([first[:3], rows[:, CURRENT]])
    cations, anions = np.split(rows[:, DISPLACEMENTS], 2, axis=1)
    moved = np.cumsum((current[1:] + current[:-1]) / 2, axis=0) * TIME_STEP
    # Of velocity Verlet, what sums of trapezoids leave is dt^2/4 times forces at both ends.
    error = TIME_STEP * np.abs(np.diff(current, axis=0)).max()
    assert error < 2e-3
    np.testing.assert_allclose(cations - anions, moved, atol=error)
    assert np.abs(moved).max() > 0.1


def test_a_box_that_changes_has_currents_and_no_displacements(
    start: tuple[System, State], tmp_path: Path
) -> None:
    folder = StageFolder(tmp_path, 'equilibrate')
    finish(folder, start, replace(PLAN, integrator=ConstantPressure(TIME_STEP, 1.0, 1.0, 1.0, 5.0)))
    path = tmp_path / 'thermo.h5'
    write_hdf5(folder.thermo, path, TIME_STEP)
    columns = read_hdf5(path)
    assert tuple(columns) == THERMO_COLUMNS[: DISPLACEMENTS.start]
    assert np.ptp(columns['volume']) > 0
    assert np.isfinite(columns['current_x']).all()
    # What was left out comes back to the last bit, where such a stage goes on.
    raw = tmp_path / 'thermo.rows'
    write_rows(raw, columns)
    assert raw.read_bytes() == folder.thermo.read_bytes()


def test_a_melt_without_charges_has_zeros(
    engine: Engine, relaxed_melt: RelaxedMelt, tmp_path: Path
) -> None:
    start = relaxed_melt(state_point('kremer_grest', {'M': 1.0}, chains=20), engine, 1e-2)
    folder = StageFolder(tmp_path, 'sample')
    finish(folder, start, replace(PLAN, maximum_steps=40))
    assert not np.any(table(folder)[:, CURRENT.start :])


def leave_as_former_code(folder: StageFolder) -> bytes:
    """Write rows and checkpoint as the former code left them; return these rows."""
    content = table(folder)[:, :FORMER_WIDTH].tobytes()
    folder.thermo.write_bytes(content)
    saved = read_checkpoint(folder.checkpoint)
    mark = RowMark(saved.rows.rows, zlib.crc32(content), FORMER_WIDTH)
    payload = checkpoints._packed(replace(saved, rows=mark))
    with np.load(io.BytesIO(payload)) as stored:
        arrays = dict(stored)
    header = json.loads(arrays['header'].tobytes())
    header['rows'] = header['rows'][:2]
    arrays['header'] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    payload = buffer.getvalue()
    folder.checkpoint.write_bytes(checkpoints.MAGIC + hashlib.sha256(payload).digest() + payload)
    return content


def test_a_stage_that_the_former_code_began_goes_on_and_loses_nothing(
    start: tuple[System, State], tmp_path: Path
) -> None:
    system, state = start
    folder = StageFolder(tmp_path, 'sample')
    with pytest.raises(Interrupted):
        run_plan(folder, system, PLAN, state, lambda _: False, StopAfter(6))
    former = leave_as_former_code(folder)
    count = len(former) // 8 // FORMER_WIDTH
    assert 1 < count < STEPS
    mark = read_checkpoint(folder.checkpoint).rows
    assert mark == RowMark(count, zlib.crc32(former), FORMER_WIDTH)
    # As after a kill before the first checkpoint of this code.
    with ThermoLog(folder.thermo, mark) as log:
        log.append(np.ones((3, len(THERMO_COLUMNS))))
    end = finish(folder, start)
    rows = table(folder)
    assert rows[:, 0].tolist() == list(range(1, STEPS + 1))
    assert rows[:count, :FORMER_WIDTH].tobytes() == former
    assert np.isnan(rows[:count, FORMER_WIDTH:]).all()
    assert np.isfinite(rows[count:]).all()
    first, last = (sums_over_charges(each, system.charges) for each in (state, end))
    np.testing.assert_allclose(rows[-1, DISPLACEMENTS], (last - first)[3:], atol=1e-9)


def test_a_log_that_the_former_code_finished_reads_as_before(tmp_path: Path) -> None:
    rows = np.random.default_rng(1).normal(size=(20, FORMER_WIDTH))
    rows[:, 0] = np.arange(20)
    former, path = RowMark(20, zlib.crc32(rows.tobytes()), FORMER_WIDTH), tmp_path / 'rows'
    path.write_bytes(rows.tobytes())
    with ThermoLog(path, former) as log:
        log.flush()
    write_hdf5(path, tmp_path / 'thermo.h5', TIME_STEP)
    columns = read_hdf5(tmp_path / 'thermo.h5')
    assert tuple(columns) == THERMO_COLUMNS[:FORMER_WIDTH]
    np.testing.assert_array_equal(np.column_stack(list(columns.values())), rows)
    # And the end of such a stage, from which it may be extended, finds its rows.
    again = tmp_path / 'again'
    write_rows(again, columns, former.width)
    assert not find_corruption(again, former)
