"""Analyses of one job: its production window, and any number of observables in one pass."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

from analysis.geometry.ions import find_ions, has_ions
from analysis.io.open_trajectory import open_trajectory
from analysis.io.thermo_log import ThermoLog, read_thermo_log
from analysis.io.trajectory import Trajectory
from analysis.observable import Observable, Outcome, analyse
from analysis.observables import OBSERVABLES
from analysis.observables.chain_sizes import ChainSizes
from analysis.sampling.contact_distance import count_pairs
from analysis.sampling.definitions import Structure
from analysis.sampling.frame_selection import spread_out
from analysis.sampling.main_peak import sum_shells
from analysis.sampling.production import Production, where_energy_settles, where_ions_settle
from analysis.sampling.run import Run
from analysis.serialise import from_plain, to_json
from models.model import Model
from user_input import UserError
from workflow.engines.settings import choice_from_environment
from workflow.jobs import files as job_files
from workflow.jobs import products, provenance
from workflow.jobs.definitions import read_definitions
from workflow.jobs.lock import hold
from workflow.jobs.products import Product, result_product
from workflow.process import in_parallel, keep_to_one_thread
from workflow.results.definitions import STRUCTURE_PRODUCT
from workflow.stages.job_context import JobContext, remove_leftovers
from workflow.stages.table import Stage, stage_named, stage_product
from workflow.sweep.state_point import as_plain_values

_logger = logging.getLogger(__name__)

_PRODUCTION = Product(job_files.PRODUCTION, 'production', job_files.STRUCTURE)
_FRAMES_FOR_SHELLS = 20


def find_production(job: JobContext) -> None:
    """Find from where on the sampled run counts, and there g(r) and S(q) for the whole sweep."""
    keep_to_one_thread()
    with hold(job.folder):
        remove_leftovers(job)
        if (job.folder / job_files.STRUCTURE).exists():
            return
        trajectory = _trajectory(job, job_files.TRAJECTORY)
        log = _log(job, job_files.THERMO)
        found = where_ions_settle(where_energy_settles(log.columns, trajectory.steps), trajectory)
        _write(job, _PRODUCTION, found)
        _write(job, STRUCTURE_PRODUCT, _structure(Run(trajectory, production=found)))


def _structure(run: Run) -> Structure:
    frames = run.even_frames
    shells = sum_shells(run.frames, spread_out(frames, _FRAMES_FOR_SHELLS))
    if not has_ions(run.topology):
        return Structure({}, shells)
    ions = find_ions(run.topology, run.frames.read(0))
    return Structure(count_pairs(run.frames, ions, frames), shells)


def analyse_job(job: JobContext, names: Collection[str]) -> None:
    """Measure those of the named observables that are missing, in one pass over each trajectory.

    Where a simulation has several cores, each observable has a pass of its own, on one of these.
    One that is refused is reported, and leaves a result that says why. One that the job has no
    definitions for yet is left out, as are those that no sweep of the job computes, those of a
    stage that the job does not have, and those of one that is not done where others can be
    measured.
    """
    keep_to_one_thread()
    with ExitStack() as locks:
        missing = []
        is_defined = (job.folder / job_files.DEFINITIONS).exists()
        computed, point = job_files.observed(str(job.folder)), as_plain_values(job.point)
        for observable in observables_of(job_files.read_model(job.folder, job.point)):
            is_asked = observable.name in names and observable.name in computed
            has_frames = stage_named(observable.source).is_in(point)
            if is_asked and has_frames and (is_defined or not observable.defined_by):
                locks.enter_context(hold(job.folder, lock=f'{observable.name}.lock'))
                if not (job.folder / job_files.result_file(observable.name)).exists():
                    missing.append(observable)
        stages = list(dict.fromkeys(stage_named(each.source) for each in missing))
        done = [stage for stage in stages if (job.folder / stage.last_product).exists()]
        cores = choice_from_environment().cores
        # The last of them take longest.
        shares = [missing] if cores == 1 else [[each] for each in reversed(missing)]
        tasks = [
            partial(_measure, job, stage, own)
            for stage in done or stages  # of one that is missing, its reader will say so
            for share in shares
            if (own := [each for each in share if each.source == stage.name])
        ]
        in_parallel(tasks, cores)


def _measure(job: JobContext, stage: Stage, observables: Sequence[Observable[Any]]) -> None:
    run = _run(job, stage)
    outcomes = analyse(run, [each for each in observables if each.applies_to(run.topology)])
    for observable in observables:
        outcome = outcomes.get(observable.name, Outcome())
        if outcome.refusal:
            _logger.info('%s: %s', observable.name, outcome.refusal)
        _write(job, result_product(observable.name), outcome.result, outcome.refusal)


def observables_of(model: Model) -> list[Observable[Any]]:
    """List the observables, told by which bonds the model makes chains."""
    along = model.bonds_along_backbones
    return [
        replace(each, bond_type=along) if isinstance(each, ChainSizes) else each
        for each in OBSERVABLES
    ]


def _run(job: JobContext, stage: Stage) -> Run:
    """Open what a stage has left: of sampling what has settled counts, of others all."""
    thermo, trajectory = stage.products
    log = _log(job, thermo)
    with products.reading(job.folder, _PRODUCTION) as path:
        content = job_files.read_json(path)
        production: Production = from_plain(Production, content['result'])
    if stage.name != 'sample':
        production = Production(verdict=production.verdict)
    given = read_definitions(job.folder)
    return Run(
        _trajectory(job, trajectory),
        log.columns,
        production,
        log.time_step,
        job.point.kT,
        _log(job, job_files.EQUILIBRATION_THERMO).columns['volume'],
        None if given is None else given.definitions,
    )


def _trajectory(job: JobContext, name: str) -> Trajectory:
    return open_trajectory(products.whole(job.folder, stage_product(name)))


def _log(job: JobContext, name: str) -> ThermoLog:
    with products.reading(job.folder, stage_product(name)) as path:
        try:
            return read_thermo_log(path)
        except UserError as error:
            raise ValueError(str(error)) from None


def _write(job: JobContext, product: Product, result: Any, refusal: str = '') -> None:
    point = as_plain_values(job.point)
    runs = job.record().get(provenance.RUNS, [])  # the call turns it into plain values
    made = provenance.of_analysis(
        job.folder.name, job.point.model_hash, product.made_by, point, runs
    )
    content = {
        'refusal': refusal,
        'result': None if result is None else json.loads(to_json(result)),
        provenance.KEY: made,
    }
    with products.writing(job.folder, product) as path:
        job_files.write_json(path, content)
