"""What each operation of the project does to one job: plain functions over its folder.

Products have their final names only when they are whole; an operation whose product stands is not
run again.
"""

from __future__ import annotations

import functools
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from gsd.hoomd import Frame
from numpy.typing import NDArray

from analysis.clusters import has_ions, ion_clusters
from analysis.relaxation import segmental_relaxation
from analysis.statistics import (
    Equilibration,
    Estimate,
    detect_equilibration,
    mean_with_interval,
)
from analysis.trajectory import Trajectory, open_trajectory
from models.force_field import force_field
from user_input import UserError
from workflow.engines.contract import ConstantPressure, ConstantVolume, Integrator, State
from workflow.engines.errors import SimulationFailed
from workflow.engines.mpi import select_engine, tell_followers
from workflow.engines.settings import choice_from_environment
from workflow.jobs import files as job_files
from workflow.jobs import products, provenance, run_record
from workflow.jobs.failures import clear_failure, mark_failed, refuse_failed
from workflow.jobs.lock import LOCK, hold
from workflow.jobs.progress import ProgressWriter, clear_progress, read_progress
from workflow.jobs.signac_files import read_job_document
from workflow.process import stop_requests
from workflow.results.result_files import read_result
from workflow.stages.coulomb_check import coulomb_record
from workflow.stages.mesh_record import MeshChoices
from workflow.stages.quantities import (
    CLUSTER_NAMES,
    Quantity,
    cluster_quantities,
    relative_half_width,
    relaxation_quantities,
    thermodynamic_quantities,
)
from workflow.stages.relax import relax, state_of, total_steps
from workflow.stages.runner import Stage, run_stage
from workflow.stages.stage_folder import StageFolder
from workflow.stages.substeps import NO_SHORT_STEPS, read_short_steps
from workflow.stages.system import System
from workflow.stages.thermo_writer import read_hdf5, read_rows, write_hdf5
from workflow.stages.trajectory_writer import frame_with_state, read_frame, write_frame
from workflow.sweep.frame_schedule import BlockSchedule
from workflow.sweep.seeds import derive_seed
from workflow.sweep.state_point import StatePoint, as_plain_values, melt_of, read_state_point

# An equilibration is believed when this share of it is past the detected start.
_EQUILIBRATED_SHARE = 0.5


class StageIsDone(Exception):
    """Another process has finished the operation since it was asked for."""


@dataclass(frozen=True)
class JobContext:
    """A job as the operations see it: signac stays outside.

    Attributes:
        folder: Where its files stand.
        point: Its state point.
        record: The job document, to which runs are added.
    """

    folder: Path
    point: StatePoint
    record: Any


Operation = Callable[[JobContext], None]


def job_context(job: Any) -> JobContext:
    """The context of a signac job.

    Raises:
        UserError: If the state point was made by another version, or the document is damaged.
    """
    read_job_document(job)  # or a run could not be recorded
    folder = Path(job.path)
    where = f'{folder.name}/signac_statepoint.json'
    return JobContext(folder, read_state_point(job.cached_statepoint, where), job.document)


def _alone(product: str, lock: str = LOCK) -> Callable[[Operation], Operation]:
    """Hold the job during an operation, which is not done again if its product stands.

    Analyses that may go on side by side have locks of their own.
    """

    def decorate(operation: Operation) -> Operation:
        @functools.wraps(operation)
        def held(job: JobContext) -> None:
            with hold(job.folder, lock=lock):
                _refuse_done(job, operation.__name__, product)
                operation(job)

        return held

    return decorate


def _refuse_done(job: JobContext, operation: str, product: str) -> None:
    if (job.folder / product).exists():
        raise StageIsDone(f'job {job.folder.name}: {operation} was done by another process.')


@_alone(job_files.BUILT)
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
            folder, system, stage, state_of(frame), lambda f: _is_equilibrated(f)[0], stop
        )
        equilibrated, start = _is_equilibrated(folder)
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
            return _is_precise(so_far, limits.precision)

        record.update(_coulomb_at_start(folder, system, state_of(frame)))
        end = run_stage(folder, system, stage, state_of(frame), review, stop)
        record['steps'] = end.step
        for name in job_files.RESULTS:  # of a trajectory that was taken away since
            (job.folder / name).unlink(missing_ok=True)
        with products.writing(job.folder, job_files.THERMO) as path:
            write_hdf5(folder.thermo, path, point.protocol.time_step)
        products.move_in(folder.trajectory, job.folder, job_files.TRAJECTORY)
        folder.remove()


@_alone(job_files.THERMODYNAMICS)
def thermodynamics(job: JobContext) -> None:
    """Density of the equilibration; temperature, pressure and energy of the sampled run."""
    _remove_leftovers(job)
    columns = _thermo(job, job_files.THERMO)
    n_beads = open_trajectory(products.whole(job.folder, job_files.TRAJECTORY)).topology.typeid.size
    volumes = _thermo(job, job_files.EQUILIBRATION_THERMO)['volume']
    estimates = _thermodynamic_estimates(columns, n_beads)
    estimates['density'] = _density(n_beads, volumes)
    content = {name: estimate.as_dict() for name, estimate in estimates.items()}
    _write_result(job, 'thermodynamics', job_files.THERMODYNAMICS, content)


@_alone(job_files.CLUSTERS, 'clusters.lock')
def analyse_clusters(job: JobContext) -> None:
    """Ion clusters of the production part of the run; a system without ions has none."""
    trajectory = open_trajectory(products.whole(job.folder, job_files.TRAJECTORY))
    first = _first_production_frame(_thermo(job, job_files.THERMO), trajectory)
    content: dict[str, Any] = {'n_ions': 0}
    try:
        content = _clusters_from(trajectory, first)
    except UserError as error:
        # Too few ions for a first minimum of g(+-): the replica goes without, and is told so.
        print(f'clusters: {error}')
        content['verdict'] = str(error)
    _write_result(job, 'clusters', job_files.CLUSTERS, content)


@_alone(job_files.RELAXATION, 'relaxation.lock')
def analyse_relaxation(job: JobContext) -> None:
    """Segmental relaxation of the production part of the run, as the clusters tell it too."""
    trajectory = open_trajectory(products.whole(job.folder, job_files.TRAJECTORY))
    first = _first_production_frame(_thermo(job, job_files.THERMO), trajectory)
    first = _first_settled_frame(first, trajectory, read_result(job.folder, job_files.CLUSTERS))
    content = segmental_relaxation(trajectory, first_frame=first).as_dict()
    _write_result(job, 'relaxation', job_files.RELAXATION, content)


def _provenance_of(job: JobContext, stage: str, purpose: str) -> dict[str, Any]:
    seed = derive_seed(as_plain_values(job.point), purpose)
    return provenance.of_run(job.folder.name, job.point.model_hash, stage, seed)


def _write_result(job: JobContext, operation: str, name: str, content: dict[str, Any]) -> None:
    point = as_plain_values(job.point)
    runs = job.record().get(run_record.RUNS, [])  # the call turns it into plain values
    made = provenance.of_analysis(job.folder.name, job.point.model_hash, operation, point, runs)
    with products.writing(job.folder, name) as path:
        job_files.write_json(path, content | {provenance.KEY: made})


def _frame(job: JobContext, name: str) -> Frame:
    with products.reading(job.folder, name) as path:
        return read_frame(path)


def _thermo(job: JobContext, name: str) -> dict[str, NDArray[np.float64]]:
    with products.reading(job.folder, name) as path:
        return read_hdf5(path)


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


def _remove_leftovers(job: JobContext) -> None:
    """Remove the folders of stages that are done: a run that was killed may have left one."""
    for stage, product in job_files.STAGE_PRODUCTS.items():
        if (job.folder / product).exists():
            shutil.rmtree(StageFolder(job.folder, stage).path, ignore_errors=True)


@contextmanager
def _running(
    job: JobContext, stage: str, system: System
) -> Iterator[tuple[run_record.Record, System]]:
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
        _refuse_done(job, stage, job_files.STAGE_PRODUCTS[stage])
        refuse_failed(job.folder)
        _remove_leftovers(job)
        tell_followers(job.folder, stage)
        crashed = run_record.crashes(job.record(), stage, folder)
        last = read_progress(job.folder)  # of the run that was killed
        record = run_record.begin(job.record, made, folder)
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


def _is_equilibrated(folder: StageFolder) -> tuple[bool, int]:
    """Whether volume and energy have settled, and the row from which on."""
    columns = read_rows(folder.thermo)
    found = [detect_equilibration(columns[name]) for name in ('volume', 'potential_energy')]
    start = max(each.start for each in found)
    settled = all(each.is_equilibrated for each in found)
    share = 1 - start / len(columns['step'])
    return settled and share >= _EQUILIBRATED_SHARE, start


def _at_mean_volume(state: State, volumes: NDArray[np.float64]) -> State:
    scale = float(np.cbrt(volumes.mean() / np.prod(state.box)))
    return replace(state, box=state.box * scale, positions=state.positions * scale)


def _is_precise(folder: StageFolder, precision: dict[str, float]) -> bool:
    """Whether every asked quantity has an interval narrow enough; without any, no."""
    if not precision:
        return False
    trajectory = open_trajectory(folder.trajectory)
    thermo = read_rows(folder.thermo)
    try:
        found = {q.name: q for q in _quantities_so_far(trajectory, thermo, set(precision))}
    except UserError:  # what is there so far cannot be analysed: it is not enough
        return False
    return all(
        found[name].verdict == '' and relative_half_width(found[name]) <= wanted
        for name, wanted in precision.items()
        if name in found
    )


def _quantities_so_far(
    trajectory: Trajectory, thermo: dict[str, NDArray[np.float64]], names: set[str]
) -> list[Quantity]:
    """The quantities in `names`; only the analyses that they need are made."""
    n_beads = trajectory.topology.typeid.size
    estimates = _thermodynamic_estimates(thermo, n_beads)
    quantities = thermodynamic_quantities({k: v.as_dict() for k, v in estimates.items()})
    if names <= {quantity.name for quantity in quantities}:
        return [quantity for quantity in quantities if quantity.name in names]
    # As the analyses of the finished run will have it.
    first = _first_production_frame(thermo, trajectory)
    try:
        clusters = _clusters_from(trajectory, first)
    except UserError:
        if names & set(CLUSTER_NAMES):
            raise
        clusters = {'n_ions': 0}
    quantities += cluster_quantities(clusters)
    if any('_time_' in name for name in names):
        first = _first_settled_frame(first, trajectory, clusters)
        found = segmental_relaxation(trajectory, first_frame=first)
        quantities += relaxation_quantities(found.as_dict())
    return [quantity for quantity in quantities if quantity.name in names]


def _thermodynamic_estimates(
    columns: dict[str, NDArray[np.float64]], n_beads: int
) -> dict[str, Estimate]:
    """Means over the production rows of a thermo log, by name."""
    diagonal = [columns[f'pressure_{axis}'] for axis in ('xx', 'yy', 'zz')]
    series = {
        'temperature': 2 * columns['kinetic_energy'] / (3 * n_beads - 3),
        'pressure': np.mean(diagonal, axis=0),
        'potential_energy_per_bead': columns['potential_energy'] / n_beads,
    }
    found = _production(columns)
    estimates = {name: mean_with_interval(each[found.start :]) for name, each in series.items()}
    if found.is_equilibrated:
        return estimates
    return {name: replace(each, verdict=found.verdict) for name, each in estimates.items()}


def _density(n_beads: int, volumes: NDArray[np.float64]) -> Estimate:
    if np.ptp(volumes) == 0:  # a given density is what it is
        density = n_beads / float(volumes[0])
        return Estimate(density, density, density, np.inf)
    found = detect_equilibration(volumes)
    estimate = mean_with_interval(n_beads / volumes[found.start :])
    return estimate if found.is_equilibrated else replace(estimate, verdict=found.verdict)


def _production(columns: dict[str, NDArray[np.float64]]) -> Equilibration:
    """Where production starts: rows of the log from which on the energy is stationary."""
    return detect_equilibration(columns['potential_energy'])


def _clusters_from(trajectory: Trajectory, first: int) -> dict[str, Any]:
    if not has_ions(trajectory.topology):
        return {'n_ions': 0}
    return ion_clusters(trajectory, first_frame=first).as_dict()


def _first_settled_frame(first: int, trajectory: Trajectory, clusters: dict[str, Any]) -> int:
    """The first frame from `first` on in which the clusters have settled too."""
    if clusters['n_ions'] and clusters['equilibration']['is_equilibrated']:
        settled = clusters['steps'][clusters['equilibration']['start']]
        first = max(first, int(np.searchsorted(trajectory.steps, settled)))
    return first


def _first_production_frame(columns: dict[str, NDArray[np.float64]], trajectory: Trajectory) -> int:
    found = _production(columns)
    # An energy that never settles has no better start than the first frame; the results say so.
    step = columns['step'][found.start] if found.is_equilibrated else 0
    return int(np.searchsorted(trajectory.steps, step))
