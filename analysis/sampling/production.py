"""The production part of a run: where energy, and then the association of ions, have settled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.drift import Drift, drift_of
from analysis.estimators.equilibration import Equilibration, detect_equilibration
from analysis.geometry import contact_graph
from analysis.geometry.ions import Ions, find_ions, has_ions
from analysis.io.trajectory import Trajectory
from analysis.sampling.contact_distance import contact_distances
from analysis.sampling.frame_selection import evenly_spaced
from user_input import UserError

ENERGY = 'potential_energy'


@dataclass(frozen=True)
class Production:
    """From where on the rows and frames of a run count.

    Attributes:
        first_row: Of the thermo log.
        first_frame: For averages without time.
        first_settled_frame: For correlations in time, which an association of ions that still
            drifts would slow down; at least `first_frame`.
        verdict: Empty, or how the energy drifts. One too short to tell says nothing of other
            quantities: each is judged by its own independent values.
        drifts: By name of a watched series, over the part that counts: replicas may show together
            what none shows alone.
    """

    first_row: int = 0
    first_frame: int = 0
    first_settled_frame: int = 0
    verdict: str = ''
    drifts: Mapping[str, Drift] = field(default_factory=dict)


def where_energy_settles(thermo: Mapping[str, FloatArray], steps: IntArray) -> Production:
    """Find where the potential energy becomes stationary.

    The thermo log has columns of shape (R,); `steps` are those of the frames, shape (F,).
    """
    found = detect_equilibration(thermo[ENERGY])
    # An energy that drifts has no better start than the first frame; the verdict says so.
    step = 0 if found.drifts else thermo['step'][found.start]
    frame = int(np.searchsorted(steps, step))
    drifts = {ENERGY: drift_of(thermo[ENERGY][found.start :])}
    verdict = found.verdict if found.drifts else ''
    return Production(found.start, frame, frame, verdict, drifts)


def where_ions_settle(production: Production, trajectory: Trajectory) -> Production:
    """Move the start of the correlations to where the ions, if there are any, have settled too."""
    if not has_ions(trajectory.topology):
        return production
    ions = find_ions(trajectory.topology, trajectory.read(0))
    frames = evenly_spaced(trajectory.steps, production.first_frame)
    try:
        # Its own, as those of a sweep come of the productions of all its runs.
        distances, _ = contact_distances(trajectory, ions, frames, {})
        series = association(trajectory, ions, ions.limits(distances), frames)
    except UserError:  # too few ions for a contact distance
        return production
    found = association_equilibration(series)
    drifts = {name: drift_of(series[name][found.start :]) for name in WATCHED}
    production = replace(production, drifts={**production.drifts, **drifts})
    if found.drifts:
        return production
    settled = int(np.searchsorted(trajectory.steps, trajectory.steps[frames[found.start]]))
    return replace(production, first_settled_frame=max(production.first_frame, settled))


# Slow and never constant, so equilibration is looked for in these.
WATCHED = ('number_average_size', 'weight_average_size', 'coordination_number')


def association_equilibration(series: Mapping[str, FloatArray]) -> Equilibration:
    """Find where the association of ions is in equilibrium: the last to settle of WATCHED, (T,)."""
    return max(
        (detect_equilibration(series[name]) for name in WATCHED),
        key=lambda each: (not each.is_equilibrated, each.start),
    )


def association(
    trajectory: Trajectory, ions: Ions, limits: FloatArray, frames: IntArray
) -> dict[str, FloatArray]:
    """Measure WATCHED in some frames, (T,) each, with contacts up to `limits` of types, (T, T)."""
    series = {name: np.empty(len(frames)) for name in WATCHED}
    n = len(ions.indices)
    at_once = max(1, contact_graph.PARTICLES_AT_ONCE // n)
    for begin in range(0, len(frames), at_once):
        rows = slice(begin, begin + at_once)
        snapshots = (trajectory.read(int(frame)) for frame in frames[rows])
        found, boxes = zip(*((s.positions[ions.indices], s.box) for s in snapshots), strict=True)
        positions, typeid = np.stack(found), np.tile(ions.typeid, len(boxes))
        near = (positions, boxes, ions.is_cation, float(limits.max()))
        links = contact_graph.pairs_in_frames(positions, boxes, ions.unlike_bonded)
        graph = contact_graph.contacts_in_frames(*near).within(limits, typeid).without(links)
        size, of_frame = contact_graph.component_sizes(graph.joined(links), n)
        series['number_average_size'][rows] = n / np.bincount(of_frame)
        squared = np.bincount(of_frame, size.astype(float) ** 2)
        series['weight_average_size'][rows] = squared / n
        contacts = contact_graph.coordination(graph).reshape(-1, n)
        series['coordination_number'][rows] = contacts.mean(axis=1)
    return series
