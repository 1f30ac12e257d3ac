"""Making the jobs of a sweep."""

from __future__ import annotations

import json
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path

import numpy as np

from models.force_field import force_field
from models.model import Model
from user_input import UserError, error_context
from workflow.cli.extend import extend_jobs
from workflow.electrostatics.mesh import MESH_SIZES, choose_mesh
from workflow.jobs import files as job_files
from workflow.jobs.signac_files import make_job
from workflow.jobs.workspace import SWEEPS, Project, SweepJobs, changes_since_init, open_project
from workflow.results.sweep_results import CLAIMS, checked_report
from workflow.stages.review import check_precision_names
from workflow.stages.system import check_box
from workflow.sweep.limits import Limits, ProtocolTable, join_limits
from workflow.sweep.state_point import StatePoint, as_plain_values, melt_of
from workflow.sweep.sweep_file import load_sweep, number_of_points, state_points
from workflow.sweep.time_step import check_time_step

MOST_JOBS = 100_000


def init_sweep(path: Path) -> SweepJobs:
    """Make the jobs of a sweep file, keeping those that exist; UserError if it cannot be built."""
    sweep, model = load_sweep(path)
    if number_of_points(sweep) > MOST_JOBS:  # asked before they are made, which takes a while
        raise UserError(
            f'{path}: more than {MOST_JOBS} jobs: every command would take minutes. Take fewer '
            'compositions, values or replicas, or several sweeps in folders of their own.'
        )
    shown = checked_report(path, sweep, model)
    points = list(state_points(sweep, model))
    with error_context(path):
        check_precision_names(sweep.protocol.sample.precision, model.beads, model.bonds)
        values = [as_plain_values(point) for point in points]
        if len({json.dumps(each, sort_keys=True) for each in values}) < len(values):
            raise UserError('a composition or a value of the grid is there twice: remove one.')
        for point in points:
            if point.replica == 0:
                _check_can_be_built(point, model)
    project = open_project()
    jobs = [make_job(project, each) for each in values]
    job_files.write_models((Path(job.path) for job in jobs), model)
    sweeps = project.document.setdefault(SWEEPS, {})
    ids = [job.id for job in jobs]
    before = set(sweeps.get(sweep.name, {}).get('jobs', []))
    if changes := changes_since_init(project, sweep, model):
        print(f'{path} changed since init: {changes}.')
    if before - set(ids):
        print(
            f'Those of the earlier {sweep.name!r} stay, and are in no report: give the sweep '
            'another name to keep both, or see python project.py prune.'
        )
    sweeps[sweep.name] = {
        'jobs': ids,
        'sweep': sweep.model_dump(mode='json'),
        CLAIMS: shown[CLAIMS],
        'model': {
            'name': model.name,
            'description': model.description.strip(),
            'hash': model.content_hash(),
        },
    }
    extend_jobs(jobs, _record_limits(project, before.union(ids)))
    return SweepJobs(sweep.name, jobs)


def _record_limits(project: Project, ids: AbstractSet[str]) -> dict[str, dict[str, Limits]]:
    """Keep with each job what all sweeps that have it ask of it; return what was asked before."""
    before: dict[str, dict[str, Limits]] = {}
    asked: dict[str, list[dict[str, Limits]]] = {}
    for content in project.document[SWEEPS]().values():
        limits = ProtocolTable.model_validate(content['sweep']['protocol']).limits
        for job_id in ids & set(content['jobs']):
            asked.setdefault(job_id, []).append(limits)
    for job_id, several in asked.items():
        folder = Path(project.workspace) / job_id
        if folder.is_dir():
            with suppress(UserError):  # there is none yet, or it is damaged: it is written anew
                before[job_id] = job_files.read_limits(folder)
            job_files.write_limits(folder, join_limits(several))
    return before


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
        try:  # the finest mesh is nearly always enough, and asked for quickly
            choose_mesh(positions, charges, box, *request, MESH_SIZES[-1:])
        except UserError:
            choose_mesh(positions, charges, box, *request)
    check_time_step(point, frame, field)
