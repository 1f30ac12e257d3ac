"""The production part of a run, and what its log and trajectory say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.clusters import has_ions, ion_clusters
from analysis.statistics import Equilibration, Estimate, detect_equilibration, mean_with_interval
from analysis.trajectory import Trajectory


def production_start(columns: dict[str, NDArray[np.float64]]) -> Equilibration:
    """Where production starts: rows of the log from which on the energy is stationary."""
    return detect_equilibration(columns['potential_energy'])


def thermodynamic_estimates(
    columns: dict[str, NDArray[np.float64]], n_beads: int
) -> dict[str, Estimate]:
    """Means over the production rows of a thermo log, by name."""
    diagonal = [columns[f'pressure_{axis}'] for axis in ('xx', 'yy', 'zz')]
    series = {
        'temperature': 2 * columns['kinetic_energy'] / (3 * n_beads - 3),
        'pressure': np.mean(diagonal, axis=0),
        'potential_energy_per_bead': columns['potential_energy'] / n_beads,
    }
    found = production_start(columns)
    estimates = {name: mean_with_interval(each[found.start :]) for name, each in series.items()}
    if found.is_equilibrated:
        return estimates
    return {name: replace(each, verdict=found.verdict) for name, each in estimates.items()}


def clusters_from(trajectory: Trajectory, first: int) -> dict[str, Any]:
    """Analyse the ion clusters from frame `first` on, as plain values; without ions, say so."""
    if not has_ions(trajectory.topology):
        return {'n_ions': 0}
    return ion_clusters(trajectory, first_frame=first).as_dict()


def first_settled_frame(first: int, trajectory: Trajectory, clusters: dict[str, Any]) -> int:
    """The first frame from `first` on in which the clusters have settled too."""
    if clusters['n_ions'] and clusters['equilibration']['is_equilibrated']:
        settled = clusters['steps'][clusters['equilibration']['start']]
        first = max(first, int(np.searchsorted(trajectory.steps, settled)))
    return first


def first_production_frame(columns: dict[str, NDArray[np.float64]], trajectory: Trajectory) -> int:
    """Find the first frame at which the energy is stationary."""
    found = production_start(columns)
    # An energy that never settles has no better start than the first frame; the results say so.
    step = columns['step'][found.start] if found.is_equilibrated else 0
    return int(np.searchsorted(trajectory.steps, step))
