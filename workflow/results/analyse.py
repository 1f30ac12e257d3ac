"""What each analysis of a job does: plain functions over its folder."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.relaxation import segmental_relaxation
from analysis.statistics import Estimate, detect_equilibration, mean_with_interval
from analysis.trajectory import open_trajectory
from user_input import UserError
from workflow.jobs import files as job_files
from workflow.jobs import products, provenance
from workflow.results.result_files import read_result
from workflow.stages.job_context import JobContext, alone, remove_leftovers
from workflow.stages.production import (
    clusters_from,
    first_production_frame,
    first_settled_frame,
    thermodynamic_estimates,
)
from workflow.stages.thermo_writer import read_hdf5
from workflow.sweep.state_point import as_plain_values


@alone(job_files.THERMODYNAMICS)
def thermodynamics(job: JobContext) -> None:
    """Density of the equilibration; temperature, pressure and energy of the sampled run."""
    remove_leftovers(job)
    columns = _thermo(job, job_files.THERMO)
    n_beads = open_trajectory(products.whole(job.folder, job_files.TRAJECTORY)).topology.typeid.size
    volumes = _thermo(job, job_files.EQUILIBRATION_THERMO)['volume']
    estimates = thermodynamic_estimates(columns, n_beads)
    estimates['density'] = _density(n_beads, volumes)
    content = {name: estimate.as_dict() for name, estimate in estimates.items()}
    _write_result(job, 'thermodynamics', job_files.THERMODYNAMICS, content)


@alone(job_files.CLUSTERS, 'clusters.lock')
def analyse_clusters(job: JobContext) -> None:
    """Ion clusters of the production part of the run; a system without ions has none."""
    trajectory = open_trajectory(products.whole(job.folder, job_files.TRAJECTORY))
    first = first_production_frame(_thermo(job, job_files.THERMO), trajectory)
    content: dict[str, Any] = {'n_ions': 0}
    try:
        content = clusters_from(trajectory, first)
    except UserError as error:
        # Too few ions for a first minimum of g(+-): the replica goes without, and is told so.
        print(f'clusters: {error}')
        content['verdict'] = str(error)
    _write_result(job, 'clusters', job_files.CLUSTERS, content)


@alone(job_files.RELAXATION, 'relaxation.lock')
def analyse_relaxation(job: JobContext) -> None:
    """Segmental relaxation of the production part of the run, as the clusters tell it too."""
    trajectory = open_trajectory(products.whole(job.folder, job_files.TRAJECTORY))
    first = first_production_frame(_thermo(job, job_files.THERMO), trajectory)
    first = first_settled_frame(first, trajectory, read_result(job.folder, job_files.CLUSTERS))
    content = segmental_relaxation(trajectory, first_frame=first).as_dict()
    _write_result(job, 'relaxation', job_files.RELAXATION, content)


def _write_result(job: JobContext, operation: str, name: str, content: dict[str, Any]) -> None:
    point = as_plain_values(job.point)
    runs = job.record().get(provenance.RUNS, [])  # the call turns it into plain values
    made = provenance.of_analysis(job.folder.name, job.point.model_hash, operation, point, runs)
    with products.writing(job.folder, name) as path:
        job_files.write_json(path, content | {provenance.KEY: made})


def _density(n_beads: int, volumes: NDArray[np.float64]) -> Estimate:
    if np.ptp(volumes) == 0:  # a given density is what it is
        density = n_beads / float(volumes[0])
        return Estimate(density, density, density, np.inf)
    found = detect_equilibration(volumes)
    estimate = mean_with_interval(n_beads / volumes[found.start :])
    return estimate if found.is_equilibrated else replace(estimate, verdict=found.verdict)


def _thermo(job: JobContext, name: str) -> dict[str, NDArray[np.float64]]:
    with products.reading(job.folder, name) as path:
        return read_hdf5(path)
