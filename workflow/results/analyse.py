"""Analyses of one job: its production window, and any number of observables in one pass."""

from __future__ import annotations

import json
from collections.abc import Collection
from contextlib import ExitStack
from typing import Any

from analysis.io.open_trajectory import open_trajectory
from analysis.io.thermo_log import ThermoLog, read_thermo_log
from analysis.io.trajectory import Trajectory
from analysis.observable import Outcome, analyse
from analysis.observables import OBSERVABLES
from analysis.sampling.production import Production, where_energy_settles, where_ions_settle
from analysis.sampling.run import Run
from analysis.serialise import from_json, to_json
from user_input import UserError
from workflow.jobs import files as job_files
from workflow.jobs import products, provenance
from workflow.jobs.lock import hold
from workflow.jobs.products import Product, result_product
from workflow.stages.job_context import JobContext, remove_leftovers
from workflow.stages.table import stage_product
from workflow.sweep.state_point import as_plain_values

_PRODUCTION = result_product('production')


def find_production(job: JobContext) -> None:
    """Find from where on the rows and frames of the sampled run count."""
    with hold(job.folder):
        remove_leftovers(job)
        if (job.folder / job_files.PRODUCTION).exists():
            return
        trajectory = _trajectory(job)
        log = _log(job, job_files.THERMO)
        found = where_ions_settle(where_energy_settles(log.columns, trajectory.steps), trajectory)
        _write(job, _PRODUCTION, found)


def analyse_job(job: JobContext, names: Collection[str]) -> None:
    """Measure those of the named observables that are missing, in one pass over the trajectory.

    One that is refused is reported, and leaves a result that says why.
    """
    with ExitStack() as locks:
        missing = []
        for observable in OBSERVABLES:
            if observable.name in names:
                locks.enter_context(hold(job.folder, lock=f'{observable.name}.lock'))
                if not (job.folder / job_files.result_file(observable.name)).exists():
                    missing.append(observable)
        if not missing:
            return
        run = _run(job)
        measured = [each for each in missing if each.applies_to(run.topology)]
        outcomes = analyse(run, measured)
        for observable in missing:
            outcome = outcomes.get(observable.name, Outcome())
            if outcome.refusal:
                print(f'{observable.name}: {outcome.refusal}')
            _write(job, result_product(observable.name), outcome.result, outcome.refusal)


def _run(job: JobContext) -> Run:
    log = _log(job, job_files.THERMO)
    with products.reading(job.folder, _PRODUCTION) as path:
        content = job_files.read_json(path)
        production: Production = from_json(Production, json.dumps(content['result']).encode())
    return Run(
        _trajectory(job),
        log.columns,
        production,
        log.time_step,
        job.point.kT,
        _log(job, job_files.EQUILIBRATION_THERMO).columns['volume'],
    )


def _trajectory(job: JobContext) -> Trajectory:
    return open_trajectory(products.whole(job.folder, stage_product(job_files.TRAJECTORY)))


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
