"""The contact distance of ions: the first minimum of g(r) between cations and anions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.estimate import Curve
from analysis.geometry.ions import Ions
from analysis.io.trajectory import Trajectory
from analysis.sampling.frame_selection import spread_out
from user_input import UserError

MOST_FRAMES = 100
BINS = 400
# In units of the mean distance between neighbouring particles: several coordination shells.
REACH = 4.0
# Half the smallest edge, less a margin for rounding.
PART_OF_HALF_BOX = 0.98
SMOOTHING_BINS = 2.5
# A minimum counts when the curve rises again by this many standard errors.
RISE_IN_ERRORS = 4.0
LEAST_RISE = 0.02


@dataclass(frozen=True)
class PairCorrelation:
    """The pair correlation function of two groups, against the centres of the bins.

    Attributes:
        first_minimum: Distance of the first minimum after the first peak; None with a verdict why.
    """

    curve: Curve
    first_minimum: float | None
    n_frames: int
    verdict: str = ''


def contact_distance(
    trajectory: Trajectory, ions: Ions, frames: IntArray
) -> tuple[float, PairCorrelation]:
    """Find the first minimum of g(+-), and g(+-) itself, in at most 100 frames; or UserError."""
    cations, anions = ions.indices[ions.is_cation], ions.indices[~ions.is_cation]
    found = pair_correlation(trajectory, cations, anions, frames)
    if found.first_minimum is None:
        why = f'no contact distance: {found.verdict}'
        raise UserError(f'{trajectory.path}: {why}. Give one (--contact-distance).')
    return found.first_minimum, found


def pair_correlation(
    trajectory: Trajectory, group: IntArray, other: IntArray, frames: IntArray
) -> PairCorrelation:
    """Average g(r) between two groups without common members over at most 100 of the frames."""
    import freud

    chosen = spread_out(frames, MOST_FRAMES)
    rdf: Any = None
    n_pairs = 0.0
    for snapshot in (trajectory.read(int(frame)) for frame in chosen):
        if rdf is None:
            spacing = float(np.cbrt(np.prod(snapshot.box) / len(snapshot.positions)))
            reach = min(REACH * spacing, PART_OF_HALF_BOX * float(snapshot.box.min()) / 2)
            rdf = freud.density.RDF(bins=BINS, r_max=reach)
        if 2 * reach > snapshot.box.min():
            raise UserError(
                f'{trajectory.path}: the box shrinks to {snapshot.box.min():.4g}, less than twice '
                f'the {reach:.4g} to which g(r) is counted. Begin after that: --first-frame.'
            )
        system = (freud.box.Box(*snapshot.box), snapshot.positions[group])
        rdf.compute(system, query_points=snapshot.positions[other], reset=not n_pairs)
        n_pairs += len(group) * len(other) / float(np.prod(snapshot.box))
    distance = np.asarray(rdf.bin_centers, dtype=np.float64)
    g = np.asarray(rdf.rdf, dtype=np.float64)
    shells = 4 * np.pi * distance**2 * (distance[1] - distance[0])
    first_minimum, verdict = find_first_minimum(distance, g, shells * n_pairs)
    curve = Curve(distance, g, x_label='distance $r$ [$\\sigma$]', y_label='$g_{+-}(r)$')
    return PairCorrelation(curve, first_minimum, len(chosen), verdict)


def find_first_minimum(
    distance: FloatArray, g: FloatArray, expected: FloatArray
) -> tuple[float | None, str]:
    """Find the first minimum of g(r) after its first peak, or why there is none.

    Errors are those of counting. Distances of bins, g, and the number of pairs that g = 1 puts
    into each have shape (n,).
    """
    from scipy.ndimage import gaussian_filter1d

    smooth = gaussian_filter1d(g, SMOOTHING_BINS)
    # A Gaussian of width s averages 2 s sqrt(pi) bins.
    counts = np.maximum(expected * 2 * SMOOTHING_BINS * np.sqrt(np.pi), 1e-12)
    errors = np.sqrt(np.maximum(smooth, 1 / counts) / counts)
    rises = np.diff(smooth) > 0
    peaks = np.flatnonzero(rises[:-1] & ~rises[1:] & (smooth[1:-1] >= 1.2)) + 1
    # Close to r = 0 a bin holds hardly a pair, and one of them makes a peak.
    peaks = peaks[smooth[peaks] - 1 > RISE_IN_ERRORS * np.sqrt(1 / counts[peaks])]
    if len(peaks) == 0:
        return None, 'g(r) has no first peak: no contacts to speak of'
    start = lowest = int(peaks[0])
    for k in range(start + 1, len(smooth)):
        if smooth[k] < smooth[lowest]:
            lowest = k
            continue
        error = float(np.hypot(errors[lowest], errors[k]))
        if lowest > start and smooth[k] - smooth[lowest] > max(LEAST_RISE, RISE_IN_ERRORS * error):
            bottom = np.flatnonzero(smooth[start:k] <= smooth[lowest] + 1e-9) + start
            return float(distance[round(bottom.mean())]), ''
    return None, 'g(r) has no minimum after its first peak within half the box'
