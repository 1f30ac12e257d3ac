"""Making the jobs of a sweep."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from signac.job import calc_id

from models.force_field import ForceField, force_field
from models.model import Model
from user_input import UserError, error_context
from workflow.cluster.description import Speed
from workflow.electrostatics.mesh import (
    ForceErrorRequest,
    MeshCosts,
    choose_mesh,
    reaches_easily,
)
from workflow.jobs import files as job_files
from workflow.jobs.asked import record_limits
from workflow.jobs.signac_files import make_job
from workflow.jobs.sweep_state import GIVEN, NAMED
from workflow.jobs.workspace import (
    LENGTHENED,
    LOOKS,
    SWEEPS,
    SweepJobs,
    added_replicas,
    changes_since_init,
    open_project,
)
from workflow.results.definitions import named_definitions
from workflow.results.real_units import real_statement
from workflow.results.report_state import CLAIMS
from workflow.results.sweep_results import checked_report
from workflow.stages.extend_jobs import extend_jobs
from workflow.stages.held_at_pressure import check_held_at_pressure
from workflow.stages.review import check_precision_names
from workflow.stages.system import bonded_charges, check_box
from workflow.sweep.limits import Limits
from workflow.sweep.state_point import StatePoint, as_plain_values, melt_of
from workflow.sweep.sweep_file import load_sweep, most_points, state_points
from workflow.sweep.time_step import check_time_step
from workflow.sweep.work import CHARGED, estimated_work

Item = TypeVar('Item')

MOST_JOBS = 100_000
# More are made only where somebody says yes.
MOST_UNASKED = 1000


def init_sweep(path: Path, *, is_agreed: bool = False) -> SweepJobs:
    """Make the jobs of a sweep file, keeping those that exist.

    UserError if it cannot be built, or makes many jobs and the user, unless `is_agreed`, does not
    agree to them.
    """
    sweep, model = load_sweep(path)
    if most_points(sweep) > MOST_JOBS:  # asked before they are made, which takes a while
        raise UserError(
            f'{path}: more than {MOST_JOBS} jobs: every command would take minutes. Take fewer '
            'compositions, values or replicas, or several sweeps in folders of their own.'
        )
    shown = checked_report(path, sweep, model)
    with error_context(path):
        named = named_definitions(sweep, model)
    first = [point for point in state_points(sweep, model) if point.replica == 0]
    plain = list(map(as_plain_values, first))
    replicas = [range(sweep.replicas_of(point).minimum) for point in plain]
    values = [each | {'replica': k} for each, ks in zip(plain, replicas, strict=True) for k in ks]
    if model.units is not None:
        print('In real units:')
        for name, text in real_statement(model.units, plain):
            print(f'  {name}: {text}')
    with error_context(path):
        asked = {'protocol.sample.precision': sweep.protocol.sample.precision}
        asked |= {'decide': sweep.decide} if isinstance(sweep.decide, dict) else {}
        for where, names in asked.items():
            check_precision_names(names, model.beads, model.bonds, where, sweep.observables)
        if len(set(map(calc_id, plain))) < len(plain):
            raise UserError('a composition or a value of the grid is there twice: remove one.')
        if not is_agreed and len(values) > MOST_UNASKED:
            of_each = [point for point, ks in zip(first, replicas, strict=True) for _ in ks]
            by_id = dict(zip(map(calc_id, values), of_each, strict=True))
            _ask_for_many(by_id, model, sweep.protocol.limits)
        lengths = {point.bjerrum_length for point in first}
        fields = {length: force_field(model, length) for length in lengths}
        for point in _shown('building one melt of each state', first):
            field = fields[point.bjerrum_length]
            if warning := _check_can_be_built(point, model, field):
                print(f'warning: {path}: {warning}', file=sys.stderr)
    project = open_project()
    changes = changes_since_init(project, sweep, model)  # before its jobs are there
    ids = [make_job(project, each) for each in _shown('making jobs', values)]
    job_files.write_models((Path(project.workspace, each) for each in ids), model)
    sweeps = project.document.setdefault(SWEEPS, {})
    ids += added_replicas(project, sweep, values)
    jobs = [project.open_job(id=each) for each in ids]
    known = sweeps.get(sweep.name, {})
    before = set(known.get('jobs', []))
    if changes:
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
        NAMED: named,
        **_found_before(known, set(ids), is_changed=bool(changes)),
        'model': {
            'name': model.name,
            'description': model.description.strip(),
            'hash': model.content_hash(),
        },
    }
    extend_jobs(jobs, record_limits(project, before.union(ids)))
    return SweepJobs(sweep.name, jobs)


def _found_before(
    known: Mapping[str, Any], ids: AbstractSet[str], *, is_changed: bool
) -> dict[str, Any]:
    """Keep what was found of a sweep, if it still has jobs that it was found from.

    A sweep that was changed is looked at again, whatever ended it.
    """
    if not ids & set(known.get('jobs', ())):
        return {}
    kept = {key: known[key] for key in (GIVEN, LENGTHENED, LOOKS) if key in known}
    looks = [dict(look) for look in kept.get(LOOKS, ())]
    if looks and is_changed:
        looks[-1]['end'] = ''
        kept[LOOKS] = looks
    return kept


def _ask_for_many(
    points: Mapping[str, StatePoint], model: Model, limits: Mapping[str, Limits]
) -> None:
    """Ask whether jobs (by id) that are new are to be made, if many; UserError if not."""
    workspace = Path.cwd() / 'workspace'
    there = set(os.listdir(workspace)) if workspace.is_dir() else set()
    new = [point for job_id, point in points.items() if job_id not in there]
    if len(new) <= MOST_UNASKED:
        return
    work = sum(estimated_work(point, model, limits) for point in new)
    hours = work / CHARGED / Speed().cpu_core / 3600
    what = f'this makes {len(new)} jobs, about {max(hours, 1):.0f} core-hours at their longest'
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserError(f'{what}: give --yes to make them.')
    if input(f'{what}. Make them? [y/N] ').strip().lower() not in ('y', 'yes'):
        raise UserError('no job was made.')


def _shown(doing: str, items: list[Item]) -> Iterable[Item]:
    """Go through `items`, with a bar on a terminal where it takes a while."""
    if not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, doing, transient=True, console=Console(stderr=True))


def _check_can_be_built(point: StatePoint, model: Model, field: ForceField) -> str:
    """Build the melt once, and say now, not at night, what may go wrong; UserError if it will."""
    frame = melt_of(point, model)
    # First, as the box that it comes to at constant pressure is often the smaller one.
    warning = check_held_at_pressure(point, model.density, frame, field)
    box = np.asarray(frame.configuration.box[:3], dtype=float)
    largest = check_box(box, field)
    charges = np.asarray(frame.particles.charge, dtype=float)
    if field.is_charged and charges.any():
        request = (charges, box, field.bjerrum_length, point.protocol.coulomb_error, largest)
        if not reaches_easily(*request):
            positions = np.asarray(frame.particles.position, dtype=float)
            asked = ForceErrorRequest.of(positions, *request, excluded=bonded_charges(frame, field))
            choose_mesh(asked, MeshCosts())
    check_time_step(point, frame, field)
    return warning
