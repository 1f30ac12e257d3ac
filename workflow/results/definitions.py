"""One definition for a sweep: contact distances and wave number, for all of its jobs.

They are pooled over the jobs that have sampled, once, and recorded beside the sweep in the project
document; what the sweep file or the model names comes before. A job keeps those that it was given,
until its sweep has others: then what was measured with the old ones is measured again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.estimators.estimate import Estimate
from analysis.observables import OBSERVABLES
from analysis.sampling.definitions import (
    Definition,
    Definitions,
    Structure,
    distances_by_pair,
    pool_definitions,
)
from analysis.serialise import from_plain, to_json
from user_input import UserError
from workflow.jobs import files as job_files
from workflow.jobs import products
from workflow.jobs.definitions import JobDefinitions, read_definitions, write_definitions
from workflow.jobs.lock import hold
from workflow.jobs.sweep_state import GIVEN, NAMED, recorded
from workflow.jobs.workspace import SWEEPS, Job, SweepJobs, sweeps_in

if TYPE_CHECKING:
    from models.model import Model
    from workflow.sweep.sweep_file import Sweep

STRUCTURE_PRODUCT = products.Product(job_files.STRUCTURE, 'production', job_files.STRUCTURE)
_LOCK = '.definitions.lock'  # in the folder of the project


def named_definitions(sweep: Sweep, model: Model) -> dict[str, Any]:
    """List the definitions that the sweep file or else the model names; UserError if wrong."""
    cations, anions = (
        [name for name, bead in model.beads.items() if bead.charge * sign > 0] for sign in (1, -1)
    )
    pairs = [f'{cation}-{anion}' for cation in cations for anion in anions]
    distances: dict[str, list[Any]] = {}
    wave_number: list[Any] | None = None
    for source, table in (('model', model.definitions), ('sweep file', sweep.definitions)):
        if table.contact_distance is not None:
            found = distances_by_pair(table.contact_distance, pairs)
            distances |= {pair: [value, source] for pair, value in found.items()}
        if table.wave_number is not None:
            wave_number = [table.wave_number, source]
    return {'contact_distances': distances, 'wave_number': wave_number}


def define(sweep: SweepJobs) -> None:
    """Give each job of a sweep the definitions of the sweep, pooled now if they are not recorded.

    A job that another sweep has given definitions to keeps them. What was measured with other
    definitions than a job has now is removed, to be measured again.

    Raises:
        JobIsHeld: If another process measures one of the jobs, or does the same.
        UserError: If no job has sampled, or one cannot be read.
    """
    project = sweep.jobs[0].project
    with hold(Path(project.path), f'sweep {sweep.name} is being defined', _LOCK):
        content = recorded(sweep)
        named = content.get(NAMED) or {'contact_distances': {}, 'wave_number': None}
        pooled = content.get(GIVEN, {}).get('pooled')
        if pooled is None:
            pooled = json.loads(to_json(_pooled(sweep)))
        definitions = _with_named(from_plain(Definitions, pooled), named)
        sweeps = sweeps_in(sweep.jobs[0])
        for job in sweep.jobs:
            _give(job, JobDefinitions(sweep.name, definitions), sweeps)
        project.document[SWEEPS][sweep.name][GIVEN] = {'pooled': pooled, 'named': named}


def _pooled(sweep: SweepJobs) -> Definitions:
    found: list[Structure] = []
    for job in sweep.jobs:
        if job.isfile(job_files.STRUCTURE):
            with products.reading(Path(job.path), STRUCTURE_PRODUCT) as path:
                found.append(from_plain(Structure, job_files.read_json(path)['result']))
    if not found:
        raise UserError(f'sweep {sweep.name}: no job has sampled, so there is nothing to pool.')
    return pool_definitions(found)


def _with_named(pooled: Definitions, named: Mapping[str, Any]) -> Definitions:
    distances = {
        pair: Definition(Estimate(value), f'named in the {source}')
        for pair, (value, source) in named['contact_distances'].items()
    }
    found = replace(pooled, contact_distances=pooled.contact_distances | distances)
    if named['wave_number'] is not None:
        value, source = named['wave_number']
        found = replace(found, wave_number=Definition(Estimate(value), f'named in the {source}'))
    return found


def _give(job: Job, given: JobDefinitions, sweeps: Mapping[str, Any]) -> None:
    folder = Path(job.path)
    before = read_definitions(folder)
    if before == given:
        return
    if before is not None and before.sweep != given.sweep:
        is_still_in = before.sweep in sweeps and job.id in sweeps[before.sweep]['jobs']
        named = sweeps[given.sweep].get(NAMED) or {}
        # What a user names comes before what was found elsewhere.
        if is_still_in and not any(named.values()):
            return
    with ExitStack() as locks:
        stale = [
            each
            for each in OBSERVABLES
            if each.defined_by and (before is None or _differ(before, given, each.defined_by))
        ]
        for observable in stale:
            locks.enter_context(hold(folder, lock=f'{observable.name}.lock'))
        # In this order: whatever ends it, no result is taken for one of other definitions.
        (folder / job_files.DEFINITIONS).unlink(missing_ok=True)
        for observable in stale:
            (folder / job_files.result_file(observable.name)).unlink(missing_ok=True)
        write_definitions(folder, given)


def _differ(before: JobDefinitions, now: JobDefinitions, name: str) -> bool:
    def values(given: JobDefinitions) -> Any:
        found = getattr(given.definitions, name)
        if isinstance(found, Definition):
            return found.estimate.value
        return {pair: each.estimate.value for pair, each in found.items()}

    return bool(values(before) != values(now))


def definitions_of(jobs: Sequence[Job]) -> dict[str, JobDefinitions]:
    """Read the definitions of the jobs that have some, by id."""
    found = {job.id: read_definitions(Path(job.path)) for job in jobs}
    return {job: given for job, given in found.items() if given is not None}


def sweeps_of(jobs: Sequence[Job]) -> list[SweepJobs]:
    """Find the sweeps that have some of the jobs, with all of theirs."""
    if not jobs:
        return []
    ids, known = {job.id for job in jobs}, {job.id: job for job in jobs[0].project}
    return [
        SweepJobs(name, [known[each] for each in content['jobs'] if each in known])
        for name, content in sweeps_in(jobs[0]).items()
        if ids & set(content['jobs'])
    ]
