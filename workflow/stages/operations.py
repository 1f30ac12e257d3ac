"""What each kind of stage does to one job, in its folder.

Products have their final names only when they are whole; a stage whose products are there is not
run again.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from gsd.hoomd import Frame

from models.force_field import force_field
from workflow.engines.contract import State
from workflow.engines.errors import SimulationFailed
from workflow.engines.mpi import select_engine, tell_followers
from workflow.engines.settings import choice_from_environment
from workflow.jobs import files as job_files
from workflow.jobs import products, provenance
from workflow.jobs.definitions import read_definitions
from workflow.jobs.failures import clear_failure, mark_failed, refuse_failed
from workflow.jobs.progress import PROGRESS_FILE, ProgressWriter, read_progress
from workflow.process import stop_requests
from workflow.stages.extension import End, keep_end
from workflow.stages.job_context import JobContext, holding, remove_leftovers
from workflow.stages.mesh_record import MeshChoices
from workflow.stages.relax import relax, state_of, thermal_velocities
from workflow.stages.review import equilibrium_of, is_precise, why_not_equilibrated
from workflow.stages.runner import Plan, run_plan
from workflow.stages.segments import total_steps
from workflow.stages.stage_folder import StageFolder
from workflow.stages.substeps import NO_SUBSTEPS, read_substeps
from workflow.stages.system import System
from workflow.stages.table import STAGES, Kind, Stage, stage_product
from workflow.stages.thermo_writer import read_rows, write_hdf5
from workflow.stages.trajectory_writer import frame_with_state, read_frame, write_frame
from workflow.stages.tuning import choose_settings
from workflow.sweep.state_point import as_plain_values, derive_seed, melt_of

_logger = logging.getLogger(__name__)


def run_stage(stage: Stage, job: JobContext) -> None:
    """Run a stage of a job to its end, in the way of its kind.

    Raises:
        StageIsDone: If its products are there.
        Interrupted: If a stop was requested; a checkpoint is written before.
        SimulationFailed: If the simulation failed; the job is marked then.
        UserError: If another process runs the job, it is marked as failed, or a file is damaged.
    """
    run = {
        Kind.BUILD: _build,
        Kind.RELAX: _relax,
        Kind.UNTIL_EQUILIBRIUM: _run_until_equilibrium,
        Kind.UNTIL_PRECISE: _run_until_precise,
        Kind.OF_GIVEN_LENGTH: _run_its_length,
    }
    run[stage.kind](stage, job)


def _build(stage: Stage, job: JobContext) -> None:
    with holding(job, stage):
        frame = melt_of(job.point, job_files.read_model(job.folder, job.point))
        _system(job, frame).mesh(state_of(frame))  # refuses a box too small before anything runs
        # Before the product: what is stopped in between is built again, and recorded anew.
        job.record[stage.name] = _provenance_of(job, stage.name, 'melt')
        (built,) = stage.products
        with products.writing(job.folder, stage.product(built)) as path:
            write_frame(path, frame)


def _relax(stage: Stage, job: JobContext) -> None:
    start = _frame(job, stage)
    folder = StageFolder(job.folder, stage.name)
    with stop_requests() as stop, _running(job, stage, _system(job, start)) as (record, system):
        progress = ProgressWriter(job.folder, stage.name, total_steps(job.point))
        record['steps'] = total_steps(job.point)
        state = relax(folder.path, system, job.point, start, stop, progress)
        (relaxed,) = stage.products
        with products.writing(job.folder, stage.product(relaxed)) as path:
            write_frame(path, frame_with_state(start, state))
        shutil.rmtree(folder.path)


@contextmanager
def _reviewed_run(
    stage: Stage, job: JobContext, review: Callable[[StageFolder], bool]
) -> Iterator[tuple[StageFolder, Frame, State, provenance.Record]]:
    """Run a stage until `review` is content, leave its log; the context makes its last product."""
    frame, folder = _frame(job, stage), StageFolder(job.folder, stage.name)
    with stop_requests() as stop, _running(job, stage, _system(job, frame)) as (record, system):
        start, plan = _start(stage, system), _plan(stage, job)
        settings = choose_settings(
            folder.settings, system, start, plan.integrator, plan.maximum_steps, stop
        )
        record.update(settings.record())
        system = replace(system, tuning=settings.tuning)
        end = run_plan(folder, system, plan, start, review, stop)
        record['steps'] = end.step
        with products.writing(job.folder, stage.product(stage.products[0])) as path:
            write_hdf5(folder.thermo, path, job.point.protocol.time_step)
        yield folder, frame, end, record
        shutil.rmtree(folder.path)


def _run_until_equilibrium(stage: Stage, job: JobContext) -> None:
    with _reviewed_run(stage, job, lambda so_far: equilibrium_of(so_far)[0]) as run:
        folder, frame, end, record = run
        equilibrated, row = equilibrium_of(folder)
        record.update(equilibrated=equilibrated, equilibrated_from=row)
        if not equilibrated:
            record['not_equilibrated'] = why_not_equilibrated(folder)
            _logger.info(
                '%s: not equilibrated at its limit: %s', stage.name, record['not_equilibrated']
            )
        if job.point.pressure is not None:
            volume = read_rows(folder.thermo)['volume'][row:].mean()
            scale = float(np.cbrt(volume / np.prod(end.box)))
            end = replace(end, box=end.box * scale, positions=end.positions * scale)
        with products.writing(job.folder, stage.product(stage.last_product)) as path:
            write_frame(path, frame_with_state(frame, replace(end, step=0)))


def _run_until_precise(stage: Stage, job: JobContext) -> None:
    precision, is_enough = job.limits[stage.name].precision, False
    given = read_definitions(job.folder)
    definitions = None if given is None else given.definitions

    def review(so_far: StageFolder) -> bool:
        nonlocal is_enough
        is_enough = is_precise(so_far, precision, job.point.kT, definitions)
        return is_enough

    with _reviewed_run(stage, job, review) as (folder, _, end, _):
        if not folder.is_at_former_end:
            _remove_results(stage, job)
        keep_end(folder, End(end.step, precision, is_enough))
        products.move_in(folder.trajectory, job.folder, stage.product(stage.last_product))


def _run_its_length(stage: Stage, job: JobContext) -> None:
    with _reviewed_run(stage, job, lambda _: True) as (folder, *_):
        _remove_results(stage, job)
        products.move_in(folder.trajectory, job.folder, stage.product(stage.last_product))


def _remove_results(stage: Stage, job: JobContext) -> None:
    """Remove what was measured on another or a shorter trajectory, or is begun from its end."""
    for name in job_files.results_of(stage.name):
        (job.folder / name).unlink(missing_ok=True)
    for later in STAGES:
        if later.start == stage.last_product:
            shutil.rmtree(StageFolder(job.folder, later.name).path, ignore_errors=True)


def _start(stage: Stage, system: System) -> State:
    """Read the state that a stage begins from, at step 0.

    Frames of a trajectory have no velocities. They are drawn from the Maxwell distribution, which
    in equilibrium does not depend on where the beads are.
    """
    state = replace(state_of(system.topology), step=0)
    if state.velocities.any():
        return state
    rng = np.random.default_rng(derive_seed(system.state_point, 'velocities', stage.name))
    kT = float(system.state_point['kT'])
    return replace(state, velocities=thermal_velocities(system.limits.masses, kT, rng))


def _plan(stage: Stage, job: JobContext) -> Plan:
    assert stage.integrator is not None  # of all that are no RELAX
    log_period, most = job.point.protocol.log_period, stage.most_steps(job.point, job.limits)
    has_length = stage.kind is Kind.OF_GIVEN_LENGTH
    return Plan(
        stage.name,
        stage.integrator(job.point),
        most if has_length else job.limits[stage.name].minimum_steps,
        most,
        log_period,
        stage.table(job.point).schedule(log_period),
    )


def _provenance_of(job: JobContext, stage: str, purpose: str) -> dict[str, Any]:
    seed = derive_seed(as_plain_values(job.point), purpose)
    return provenance.of_run(job.folder.name, job.point.model_hash, stage, seed)


def _frame(job: JobContext, stage: Stage) -> Frame:
    """Read the frame that a stage begins from."""
    with products.reading(job.folder, stage_product(stage.start)) as path:
        return read_frame(path)


def _system(job: JobContext, topology: Frame) -> System:
    point = job.point
    return System(
        topology,
        force_field(job_files.read_model(job.folder, point), point.bjerrum_length),
        select_engine(choice_from_environment()),
        point.protocol.coulomb_error,
        as_plain_values(point),
    )


@contextmanager
def _running(
    job: JobContext, stage: Stage, system: System
) -> Iterator[tuple[provenance.Record, System]]:
    """Hold the job, record what runs, where and how long, and mark the job if it fails.

    Gives the run's record in the job document, and the system, whose seeds are recorded there.
    """
    folder, started = StageFolder(job.folder, stage.name).path, time.time()
    made = _provenance_of(job, stage.name, stage.name) | system.engine.describe()
    made['started'] = started
    substeps = read_substeps(folder)
    if substeps != NO_SUBSTEPS:
        made['short_steps'] = asdict(substeps)
    with holding(job, stage):
        refuse_failed(job.folder)
        remove_leftovers(job)
        tell_followers(job.folder, stage.name)
        crashed = provenance.crashes(job.record(), stage.name, folder)
        last = read_progress(job.folder)  # of the run that was killed
        record = provenance.begin_run(job.record, made, folder)
        try:
            if crashed:
                where = last.step if last is not None and last.stage == stage.name else None
                raise SimulationFailed(crashed, where)
            meshes = MeshChoices(record.update)
            yield record, replace(system, seeds=record['seeds'], meshes=meshes)
            record['outcome'] = 'done'
            clear_failure(job.folder)
        except SimulationFailed as failure:
            mark_failed(job.folder, stage.name, failure, system.engine.describe(), job.record)
            record['outcome'] = f'{failure.kind}: {failure}'
            raise
        except BaseException as error:
            record['outcome'] = f'{type(error).__name__}: {error}'
            raise
        finally:
            (job.folder / PROGRESS_FILE).unlink(missing_ok=True)
            record['seconds'] = time.time() - started
