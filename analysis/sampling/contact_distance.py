"""The contact distance of two species: the first minimum of their pair correlation function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.estimate import Curve
from analysis.estimators.turning_points import lowest_point
from analysis.geometry.ions import Ions
from analysis.io.trajectory import Trajectory
from analysis.sampling.frame_selection import spread_out
from user_input import UserError

MOST_FRAMES = 100
BINS = 400
# In units of the mean distance between neighbouring particles: several coordination shells.
REACH = 4.0
# Half the least width, less a margin for rounding.
PART_OF_HALF_BOX = 0.98
SMOOTHING_BINS = 2.5
# A Gaussian of width s averages 2 s sqrt(pi) bins.
_BINS_AVERAGED = 2 * SMOOTHING_BINS * np.sqrt(np.pi)
# A minimum counts when the curve rises again by this many standard errors.
RISE_IN_ERRORS = 4.0
LEAST_RISE = 0.02
FEWEST_BINS = 5


@dataclass(frozen=True)
class PairCounts:
    """Pairs of two species by their distance, summed over frames.

    Attributes:
        edges: Of the bins, from 0, shape (n + 1,).
        counts: Pairs seen, shape (n,).
        ideal: Pairs of an ideal gas, for which g(r) = 1, shape (n,).
    """

    edges: FloatArray
    counts: FloatArray
    ideal: FloatArray
    n_frames: int


@dataclass(frozen=True)
class PairCorrelation:
    """The pair correlation function of two groups, against the centres of the bins.

    Attributes:
        curve: g(r).
        first_minimum: Distance of the first minimum after the first peak; None with a verdict why.
    """

    curve: Curve
    first_minimum: float | None
    n_frames: int
    verdict: str = ''


def contact_distances(
    trajectory: Trajectory, ions: Ions, frames: IntArray
) -> tuple[dict[str, float], dict[str, PairCorrelation]]:
    """Find the first minimum of g(r) of each pair of species of ions, and g(r), or a UserError."""
    found = {
        pair: pair_correlation_of(counts)
        for pair, counts in count_pairs(trajectory, ions.pairs, frames).items()
    }
    distances = {}
    for pair, each in found.items():
        if each.first_minimum is None:
            raise UserError(
                f'{trajectory.path}: no contact distance of {pair}: {each.verdict}. Give one '
                '(--contact-distance).'
            )
        distances[pair] = each.first_minimum
    return distances, found


def pair_correlation(
    trajectory: Trajectory, group: IntArray, other: IntArray, frames: IntArray
) -> PairCorrelation:
    """Average g(r) between two groups without common members over at most 100 of the frames."""
    (counts,) = count_pairs(trajectory, {'': (group, other)}, frames).values()
    return pair_correlation_of(counts)


def count_pairs(
    trajectory: Trajectory, groups: Mapping[str, tuple[IntArray, IntArray]], frames: IntArray
) -> dict[str, PairCounts]:
    """Count pairs of two groups without common members, by name, in at most 100 of the frames."""
    import freud

    chosen = spread_out(frames, MOST_FRAMES)
    reach, density = 0.0, 0.0
    rdfs: dict[str, freud.density.RDF] = {}
    for snapshot in (trajectory.read(int(frame)) for frame in chosen):
        if not rdfs:
            spacing = float(np.cbrt(snapshot.box.volume / len(snapshot.positions)))
            reach = min(REACH * spacing, PART_OF_HALF_BOX * snapshot.box.least_width / 2)
            rdfs = {name: freud.density.RDF(bins=BINS, r_max=reach) for name in groups}
        if 2 * reach > snapshot.box.least_width:
            raise UserError(
                f'{trajectory.path}: the box shrinks to {snapshot.box.least_width:.4g}, less than '
                f'twice the {reach:.4g} to which g(r) is counted. Begin after that: --first-frame.'
            )
        box = snapshot.box.for_freud
        for name, (one, other) in groups.items():
            points, query_points = snapshot.positions[one], snapshot.positions[other]
            rdfs[name].compute((box, points), query_points=query_points, reset=not density)
        density += 1 / snapshot.box.volume
    edges = np.linspace(0.0, reach, BINS + 1)
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    return {
        name: PairCounts(
            edges,
            np.asarray(rdfs[name].bin_counts, dtype=np.float64),
            np.asarray(shells * len(one) * len(other) * density, dtype=np.float64),
            len(chosen),
        )
        for name, (one, other) in groups.items()
    }


def pool(runs: Sequence[PairCounts]) -> PairCounts:
    """Add up the counts of runs, so that each ion counts once.

    Neighbours at contact are about as many at all concentrations: a state weighs by its ions. With
    equal weights for g(r), which is high where ions are few, the noise of these would prevail.
    """
    reach = min(run.edges[-1] for run in runs)
    edges = np.linspace(0.0, reach, BINS + 1)
    counts = np.sum([_rebinned(run.counts, run.edges, edges) for run in runs], axis=0)
    ideal = np.sum([_rebinned(run.ideal, run.edges, edges) for run in runs], axis=0)
    return PairCounts(edges, counts, ideal, sum(run.n_frames for run in runs))


def _rebinned(values: FloatArray, edges: FloatArray, onto: FloatArray) -> FloatArray:
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(np.diff(np.interp(onto, edges, sums)), dtype=np.float64)


def pair_correlation_of(pairs: PairCounts) -> PairCorrelation:
    """Compute g(r) and its first minimum from counts."""
    distance = (pairs.edges[1:] + pairs.edges[:-1]) / 2
    g = pairs.counts / pairs.ideal
    first_minimum, verdict = find_first_minimum(distance, g, pairs.ideal)
    curve = Curve(distance, g, x_label='distance $r$ [$\\sigma$]', y_label='$g_{+-}(r)$')
    return PairCorrelation(curve, first_minimum, pairs.n_frames, verdict)


def find_first_minimum(
    distance: FloatArray, g: FloatArray, expected: FloatArray
) -> tuple[float | None, str]:
    """Find the first minimum of g(r) after its first peak, or why there is none.

    Errors are those of counting. Distances of bins, g, and the number of pairs that g = 1 puts
    into each have shape (n,).
    """
    from scipy.ndimage import gaussian_filter1d

    smooth = gaussian_filter1d(g, SMOOTHING_BINS)
    counts = np.maximum(expected * _BINS_AVERAGED, 1e-12)
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
            return _lowest_between(distance, g, expected, smooth, start, lowest, k), ''
    return None, 'g(r) has no minimum after its first peak within half the box'


def _lowest_between(
    distance: FloatArray,
    g: FloatArray,
    expected: FloatArray,
    smooth: FloatArray,
    peak: int,
    lowest: int,
    risen: int,
) -> float:
    """Locate a minimum that is known to be between a peak and where the curve has risen again.

    The square root of a count has the same error whatever the count, which the spline asks for. It
    is given the lower half of the way down from the peak, and as much beyond the minimum.
    """
    root = np.sqrt(np.maximum(smooth, 0.0))
    low = np.flatnonzero(root[peak:lowest] > (root[peak] + root[lowest]) / 2)
    first = min(peak + int(low[-1]) + 1, lowest - FEWEST_BINS)
    last = min(max(2 * lowest - first, risen), len(g) - 1)
    part = slice(max(first, 0), last + 1)
    tolerance = 0.5 / np.sqrt(expected[lowest] * _BINS_AVERAGED)
    return lowest_point(distance[part], np.sqrt(g[part]), expected[part], float(tolerance))
