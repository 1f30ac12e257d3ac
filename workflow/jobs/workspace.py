"""Sweeps in a signac workspace: their jobs, and the results over all of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import signac

from models.force_field import force_field
from models.model import Model
from user_input import UserError, said_of
from workflow.electrostatics.mesh import MESH_SIZES, choose_mesh
from workflow.jobs import files as job_files
from workflow.jobs import provenance
from workflow.jobs.failures import composition_text, read_failure
from workflow.jobs.lock import hold
from workflow.jobs.signac_files import read_job_document, signac_told
from workflow.jobs.workspace_format import NoProject, check_workspace, checked_project
from workflow.stages.quantities import check_precision_names
from workflow.stages.system import check_box
from workflow.sweep.state_point import StatePoint, as_plain_values, melt_of
from workflow.sweep.sweep_file import load_sweep, number_of_points, state_points
from workflow.sweep.time_step import check_time_step

_SWEEPS = 'sweeps'
_JOB_LIST = 'jobs.json'
_PROVENANCE = 'provenance.json'

Job = Any
MOST_JOBS = 100_000


@dataclass(frozen=True)
class SweepJobs:
    """A sweep in the workspace: its name, and its jobs in the order of its file."""

    name: str
    jobs: list[Job]


def init_sweep(path: Path) -> SweepJobs:
    """Make the jobs of a sweep file in the project of this folder; those that exist stay.

    Raises:
        UserError: If anything in the sweep or its model is wrong, or cannot be built.
    """
    sweep, model = load_sweep(path)
    if number_of_points(sweep) > MOST_JOBS:  # asked before they are made, which takes a while
        raise UserError(
            f'{path}: more than {MOST_JOBS} jobs: every command would take minutes. Take fewer '
            'compositions, values or replicas, or several sweeps in folders of their own.'
        )
    points = list(state_points(sweep, model))
    with said_of(path):
        check_precision_names(sweep.protocol.sample.precision, model.bonds)
        if len({json.dumps(as_plain_values(p), sort_keys=True) for p in points}) < len(points):
            raise UserError('a composition or a value of the grid stands twice: remove one.')
        for point in points:
            if point.replica == 0:
                _check_can_be_built(point, model)
    project = open_project()
    jobs = []
    for point in points:
        job = project.open_job(as_plain_values(point)).init()
        job_files.write_model(Path(job.path), model)
        jobs.append(job)
    sweeps = project.document.setdefault(_SWEEPS, {})
    ids = [job.id for job in jobs]
    left_out = set(sweeps.get(sweep.name, {}).get('jobs', [])) - set(ids)
    if left_out:
        print(
            f'{len(left_out)} jobs of an earlier {sweep.name!r} are no longer part of it: '
            'give the sweep another name to keep both.'
        )
    sweeps[sweep.name] = {
        'jobs': ids,
        'sweep': sweep.model_dump(mode='json'),
        'model': {'name': model.name, 'description': model.description.strip()},
    }
    return SweepJobs(sweep.name, jobs)


def recorded_sweep(path: Path) -> SweepJobs:
    """The jobs that `init` made of a sweep file in the project of this folder.

    Raises:
        UserError: If there is no project, or the sweep has no jobs in it.
    """
    sweep, _ = load_sweep(path)
    jobs: list[Job] = []
    with suppress(NoProject):
        project = checked_project()
        known = {job.id: job for job in project}
        recorded = project.document().get(_SWEEPS, {}).get(sweep.name, {'jobs': []})
        jobs = [known[each] for each in recorded['jobs'] if each in known]
    if not jobs:
        raise UserError(
            f'{path}: there are no jobs of sweep {sweep.name!r} in this folder: '
            f'python project.py init {path} makes them, simulate runs them too.'
        )
    return SweepJobs(sweep.name, jobs)


def open_project() -> Any:
    """The signac project of this folder, made if there is none.

    Raises:
        UserError: If it is damaged, or of another version.
    """
    with signac_told():
        if (above := _project_above()) is not None:
            print(f'A new project is made in {Path.cwd()}, apart from the one in {above}.')
        project = signac.init_project()
        check_workspace(project, may_lack_state_points=True)
    return project


def _project_above() -> Path | None:
    """The project that this folder lies in, unless it is one itself."""
    try:
        found = Path(signac.get_project().path)
    except LookupError:
        return None
    return None if found.samefile(Path.cwd()) else found


def is_simulated(job: Job) -> bool:
    """Whether every product of a job stands."""
    return all(job.isfile(name) for name in job_files.SIMULATION_PRODUCTS + job_files.RESULTS)


def jobs_by_sweep(jobs: Iterable[Job]) -> Iterator[tuple[Job, ...]]:
    """Group jobs into the sweeps that they belong to; a job may be in several."""
    by_id = {job.id: job for job in jobs}
    if not by_id:
        return
    for content in _sweeps(next(iter(by_id.values()))).values():
        members = tuple(by_id[job_id] for job_id in content['jobs'] if job_id in by_id)
        if members:
            yield members


def sweeps_with(jobs: Sequence[Job]) -> list[SweepJobs]:
    """The sweeps whose jobs, as far as they are in the workspace, are just these."""
    ids = [job.id for job in jobs]
    workspace = Path(jobs[0].project.workspace)
    return [
        SweepJobs(name, list(jobs))
        for name, content in _sweeps(jobs[0]).items()
        if [each for each in content['jobs'] if (workspace / each).is_dir()] == ids
    ]


def results_folder(sweep: SweepJobs) -> Path:
    """Where the results of a sweep stand."""
    return Path(sweep.jobs[0].project.path) / 'results' / sweep.name


def write_sweep_results(sweep: SweepJobs) -> Path:
    """Write summary.csv, figures and report.html over the jobs of a sweep that are done.

    Raises:
        JobIsHeld: If another process writes them.
        UserError: If none is done.
    """
    folder = results_folder(sweep)
    folder.mkdir(parents=True, exist_ok=True)
    with hold(folder, f'the report of sweep {sweep.name} is being written'):
        _write_results(sweep, folder)
    return folder


def _write_results(sweep: SweepJobs, folder: Path) -> None:
    from workflow.results.aggregate import read_job_result
    from workflow.results.report import write_results

    # Before they are read: a result that comes while figures are drawn is not in this report.
    stamps = _stamps(sweep.jobs)
    results = []
    for job in sweep.jobs:
        result = read_job_result(Path(job.path), dict(job.cached_statepoint))
        if result is not None:
            results.append(result)
    if not results:
        raise UserError(f'sweep {sweep.name}: no job is done yet, so there is nothing to report.')
    records = [read_job_document(job) for job in sweep.jobs]
    runs = [run for record in records for run in record.get('runs', [])]
    content = _sweeps(sweep.jobs[0])[sweep.name] | {'failed': _failures(sweep.jobs)}
    write_results(folder, sweep.name, content, results, runs)
    made = provenance.of_sweep(
        [
            (job.id, dict(job.cached_statepoint), record)
            for job, record in zip(sweep.jobs, records, strict=True)
        ]
    )
    job_files.write_json(folder / _PROVENANCE, made)
    job_files.write_json(folder / _JOB_LIST, {'jobs': stamps})


def report_is_current(sweep: SweepJobs) -> bool:
    """Whether the report is there, and made of the results that these jobs have now."""
    folder = results_folder(sweep)
    if not all((folder / name).is_file() for name in ('summary.csv', 'report.html')):
        return False
    try:
        listed = job_files.read_json(folder / _JOB_LIST)['jobs']
    except (OSError, ValueError, KeyError, TypeError):
        return False
    found = _stamps(sweep.jobs)
    return bool(listed == found and all(all(stamps) for stamps in found.values()))


def _stamps(jobs: Sequence[Job]) -> dict[str, list[list[int] | None]]:
    """Job -> time and size of each of its results; None for one that is not there."""

    def stamp(path: Path) -> list[int] | None:
        try:
            status = path.stat()
        except FileNotFoundError:
            return None
        return [status.st_mtime_ns, status.st_size]

    return {job.id: [stamp(Path(job.fn(name))) for name in job_files.RESULTS] for job in jobs}


def _failures(jobs: Sequence[Job]) -> list[dict[str, str]]:
    """The jobs that failed, as the report shows them."""
    found = [(job, read_failure(Path(job.path))) for job in jobs]
    return [
        {'job': job.id, 'composition': composition_text(job), 'why': str(failure)}
        for job, failure in found
        if failure is not None
    ]


def _sweeps(job: Job) -> dict[str, dict[str, Any]]:
    """Sweep name -> content, of the project that `job` belongs to."""
    content: dict[str, dict[str, Any]] = job.project.document().get(_SWEEPS, {})
    return content


def _check_can_be_built(point: StatePoint, model: Model) -> None:
    """Build the melt once, to say now what would otherwise be said in the middle of the night."""
    frame = melt_of(point, model)
    field = force_field(model, point.bjerrum_length)
    box = np.asarray(frame.configuration.box[:3], dtype=float)
    largest = check_box(box, field)
    charges = np.asarray(frame.particles.charge, dtype=float)
    if field.is_charged and charges.any():
        positions = np.asarray(frame.particles.position, dtype=float)
        request = (field.bjerrum_length, point.protocol.coulomb_error, largest)
        try:  # a few sizes are nearly always enough
            choose_mesh(positions, charges, box, *request, MESH_SIZES[::5])
        except UserError:
            choose_mesh(positions, charges, box, *request)
    check_time_step(point, frame, field)
