"""What each operation of the project does to one job: plain functions over its folder.

Products have their final names only when they are whole; an operation whose product stands is not
run again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from gsd.hoomd import Frame
from numpy.typing import NDArray

from models.force_field import force_field
from workflow.engines.contract import ConstantPressure, ConstantVolume, Integrator, State
from workflow.engines.errors import SimulationFailed
from workflow.engines.mpi import select_engine, tell_followers
from workflow.engines.settings import choice_from_environment
from workflow.jobs import files as job_files
from workflow.jobs import products, provenance
from workflow.jobs.failures import clear_failure, mark_failed, refuse_failed
from workflow.jobs.lock import hold
from workflow.jobs.progress import ProgressWriter, clear_progress, read_progress
from workflow.process import stop_requests
from workflow.stages.coulomb_check import coulomb_record
from workflow.stages.job_context import JobContext, alone, refuse_done, remove_leftovers
from workflow.stages.mesh_record import MeshChoices
from workflow.stages.relax import relax, state_of, total_steps
from workflow.stages.review import equilibrium_of, is_precise
from workflow.stages.runner import Stage, run_stage
from workflow.stages.stage_folder import StageFolder
from workflow.stages.substeps import NO_SHORT_STEPS, read_short_steps
from workflow.stages.system import System
from workflow.stages.thermo_writer import read_rows, write_hdf5
from workflow.stages.trajectory_writer import frame_with_state, read_frame, write_frame
from workflow.sweep.frame_schedule import BlockSchedule
from workflow.sweep.seeds import derive_seed
from workflow.sweep.state_point import StatePoint, as_plain_values, melt_of


@alone(job_files.BUILT)
def build(job: JobContext) -> None:
    """Draw the melt."""
    frame = melt_of(job.point, job_files.read_model(job.folder, job.point))
    _system(job, frame).mesh(state_of(frame))  # refuses a box too small before anything runs
    with products.writing(job.folder, job_files.BUILT) as path:
        write_frame(path, frame)
    job.record['build'] = _provenance_of(job, 'build', 'melt')


def relax_melt(job: JobContext) -> None:
    """Push overlaps apart, anneal, and cool."""
    start = _frame(job, job_files.BUILT)
    system = _system(job, start)
    folder = StageFolder(job.folder, 'relax').path
    with stop_requests() as stop, _running(job, 'relax', system) as (_, system):
        progress = ProgressWriter(job.folder, 'relax', total_steps(job.point))
        state = relax(folder, system, job.point, start, stop, progress)
        with products.writing(job.folder, job_files.RELAXED) as path:
            write_frame(path, frame_with_state(start, state))
        StageFolder(job.folder, 'relax').remove()


def equilibrate(job: JobContext) -> None:
    """Run until equilibration is detected in volume and energy, or the limit is reached."""
    point, limits = job.point, job.point.protocol.equilibrate
    frame = _frame(job, job_files.RELAXED)
    system = _system(job, frame)
    log_period = point.protocol.log_period
    # Few frames: this trajectory only shows how the melt came to equilibrium.
    spacing = max(log_period, limits.minimum_steps // 20 // log_period * log_period)
    stage = Stage(
        'equilibrate',
        _equilibration_integrator(point),
        limits.minimum_steps,
        limits.maximum_steps,
        log_period,
        BlockSchedule(spacing, 1),
    )
    folder = StageFolder(job.folder, stage.name)
    with stop_requests() as stop, _running(job, stage.name, system) as (record, system):
        record.update(_coulomb_at_start(folder, system, state_of(frame)))
        end = run_stage(
            folder, system, stage, state_of(frame), lambda f: equilibrium_of(f)[0], stop
        )
        equilibrated, start = equilibrium_of(folder)
        record.update(steps=end.step, equilibrated=equilibrated, equilibrated_from=start)
        if point.pressure is not None:
            end = _at_mean_volume(end, read_rows(folder.thermo)['volume'][start:])
        with products.writing(job.folder, job_files.EQUILIBRATION_THERMO) as path:
            write_hdf5(folder.thermo, path, point.protocol.time_step)
        with products.writing(job.folder, job_files.EQUILIBRATED) as path:
            write_frame(path, frame_with_state(frame, replace(end, step=0)))
        folder.remove()


def sample(job: JobContext) -> None:
    """Run at constant volume until the asked precision is reached, or the limit."""
    point, limits = job.point, job.point.protocol.sample
    frame = _frame(job, job_files.EQUILIBRATED)
    system = _system(job, frame)
    stage = Stage(
        'sample',
        ConstantVolume(point.protocol.time_step, point.kT, limits.thermostat_time),
        limits.minimum_steps,
        limits.maximum_steps,
        point.protocol.log_period,
        limits.schedule,
    )
    folder = StageFolder(job.folder, stage.name)
    with stop_requests() as stop, _running(job, stage.name, system) as (record, system):

        def review(so_far: StageFolder) -> bool:
            return is_precise(so_far, limits.precision, point.kT)

        record.update(_coulomb_at_start(folder, system, state_of(frame)))
        end = run_stage(folder, system, stage, state_of(frame), review, stop)
        record['steps'] = end.step
        for name in (
            job_files.PRODUCTION,
            *job_files.RESULTS,
        ):  # of a trajectory that was taken away since
            (job.folder / name).unlink(missing_ok=True)
        with products.writing(job.folder, job_files.THERMO) as path:
            write_hdf5(folder.thermo, path, point.protocol.time_step)
        products.move_in(folder.trajectory, job.folder, job_files.TRAJECTORY)
        folder.remove()


def _provenance_of(job: JobContext, stage: str, purpose: str) -> dict[str, Any]:
    seed = derive_seed(as_plain_values(job.point), purpose)
    return provenance.of_run(job.folder.name, job.point.model_hash, stage, seed)


def _frame(job: JobContext, name: str) -> Frame:
    with products.reading(job.folder, name) as path:
        return read_frame(path)


def _system(job: JobContext, topology: Frame) -> System:
    point = job.point
    model = job_files.read_model(job.folder, point)
    return System(
        topology,
        force_field(model, point.bjerrum_length),
        select_engine(choice_from_environment()),
        point.protocol.coulomb_error,
        as_plain_values(point),
    )


def _coulomb_at_start(folder: StageFolder, system: System, state: State) -> dict[str, Any]:
    """The Coulomb record of a stage that begins; empty for one that goes on."""
    return {} if folder.checkpoint.exists() else coulomb_record(system, state)


@contextmanager
def _running(
    job: JobContext, stage: str, system: System
) -> Iterator[tuple[provenance.Record, System]]:
    """Hold the job, record what runs, where and how long, and mark the job if it fails.

    Yields:
        The run's record in the job document, and the system, whose seeds are recorded there.

    Raises:
        StageIsDone: If its product stands.
        UserError: If the job is marked as failed, or another process runs it.
    """
    folder = StageFolder(job.folder, stage).path
    started = time.time()
    made = _provenance_of(job, stage, stage) | system.engine.describe() | {'started': started}
    short_steps = read_short_steps(folder)
    if short_steps != NO_SHORT_STEPS:
        made['short_steps'] = short_steps.as_dict()
    with hold(job.folder):
        refuse_done(job, stage, job_files.STAGE_PRODUCTS[stage])
        refuse_failed(job.folder)
        remove_leftovers(job)
        tell_followers(job.folder, stage)
        crashed = provenance.crashes(job.record(), stage, folder)
        last = read_progress(job.folder)  # of the run that was killed
        record = provenance.begin_run(job.record, made, folder)
        try:
            if crashed:
                where = last.step if last is not None and last.stage == stage else None
                raise SimulationFailed(crashed, where)
            meshes = MeshChoices(record.update)
            yield record, replace(system, seeds=record['seeds'], meshes=meshes)
            record['outcome'] = 'done'
            clear_failure(job.folder)
        except SimulationFailed as failure:
            mark_failed(job.folder, stage, failure, system.engine.describe(), job.record)
            record['outcome'] = f'{failure.kind}: {failure}'
            raise
        except BaseException as error:
            record['outcome'] = f'{type(error).__name__}: {error}'
            raise
        finally:
            clear_progress(job.folder)
            record['seconds'] = time.time() - started


def _equilibration_integrator(point: StatePoint) -> Integrator:
    protocol, limits = point.protocol, point.protocol.equilibrate
    if point.pressure is None:
        return ConstantVolume(protocol.time_step, point.kT, limits.thermostat_time)
    return ConstantPressure(
        protocol.time_step, point.kT, limits.thermostat_time, point.pressure, limits.barostat_time
    )


def _at_mean_volume(state: State, volumes: NDArray[np.float64]) -> State:
    scale = float(np.cbrt(volumes.mean() / np.prod(state.box)))
    return replace(state, box=state.box * scale, positions=state.positions * scale)
