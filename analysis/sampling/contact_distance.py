"""The contact distance of two species: the first minimum of their pair correlation function."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.estimate import Curve
from analysis.estimators.turning_points import lowest_point
from analysis.geometry.contact_graph import pairs_in_frames
from analysis.geometry.ions import Ions
from analysis.geometry.topology import Snapshot
from analysis.io.trajectory import Trajectory
from analysis.sampling.frame_selection import spread_out
from user_input import UserError

# Frames: as many as are looked at, or so that few ions are seen so often.
MOST_FRAMES, SIGHTINGS = 100, 2000
BINS = 400
# In units of the mean distance between neighbouring particles: several coordination shells.
REACH = 4.0
# In units of the distance within which contacts are most in excess, where ions are far apart.
REACH_OF_CONTACTS = 10.0
IONS_FOR_SCALE, FEWEST_CONTACTS = 3000, 30
# Half the least width, less a margin for rounding.
PART_OF_HALF_BOX = 0.98
SMOOTHING_BINS = 2.5
# A Gaussian of width s averages 2 s sqrt(pi) bins.
_BINS_AVERAGED = 2 * SMOOTHING_BINS * np.sqrt(np.pi)
# A minimum counts when the curve rises again by this many standard errors.
RISE_IN_ERRORS = 4.0
LEAST_RISE = 0.02
FEWEST_BINS = 5
# With more than a chance pair in the first bins, the first peak is not resolved.
FEWEST_BINS_TO_PEAK, FEWEST_UNRESOLVED = 10, 5
# Where no pair is behind the peak for long, contacts end at its foot: up to so many times its
# distance is looked at, since far out in the gap are ions that pass by.
GAP = 1.6
# Of the pairs up to a gap behind the first peak, so many may be beyond.
MOST_BEYOND_GAP = 0.01
# All pairs that are seen, if these are too few for statistics: in half the reach they are no gas.
FEWEST_PAIRS = 10
# Of frames, each of which is left out once. One or two frames have no blocks.
BLOCKS, FEWEST_BLOCKS = 10, 3
# The pairs within a minimum differ by less where it moves along a flat one, by more to another one
# (at most 0.13, and at least 0.3, in runs of the shipped models).
MOST_OTHERS = 0.2


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

    @property
    def distance(self) -> FloatArray:
        """Centres of the bins, shape (n,)."""
        return np.asarray((self.edges[1:] + self.edges[:-1]) / 2)

    @property
    def g(self) -> FloatArray:
        """The pair correlation function, shape (n,)."""
        # Without a pair that counts, as of two bonded ions alone, there is nothing to expect.
        return np.asarray(self.counts / np.maximum(self.ideal, 1e-300))


@dataclass(frozen=True)
class PairCorrelation:
    """The pair correlation function of two groups, against the centres of the bins.

    Attributes:
        curve: g(r).
        first_minimum: Distance of the first minimum after the first peak; None where there is none.
        verdict: Empty, or why there is none, or why it is in doubt.
    """

    curve: Curve
    first_minimum: float | None
    n_frames: int
    verdict: str = ''


def contact_distances(
    trajectory: Trajectory, ions: Ions, frames: IntArray, given: Mapping[str, float]
) -> tuple[dict[str, float], dict[str, PairCorrelation]]:
    """Find the first minimum of g(r) of each pair of species of ions that is not `given`.

    Also those g(r), with a verdict where part of the frames decides about it; UserError if one has
    no minimum.
    """
    distances, found = dict(given), {}
    for pair, counts in _count_by_block(trajectory, ions, frames, given).items():
        each = pair_correlation_of(counts[-1])
        if each.first_minimum is None:
            raise UserError(
                f'{trajectory.path}: no contact distance of {pair}: {each.verdict}. Give one '
                f'(--contact-distance {pair}=...).'
            )
        distances[pair] = each.first_minimum
        found[pair] = replace(each, verdict=doubt(counts, each.first_minimum))
    return distances, found


def count_pairs(
    trajectory: Trajectory, ions: Ions, frames: IntArray, not_of: Collection[str] = ()
) -> dict[str, PairCounts]:
    """Count pairs of a cation and an anion in some of the frames; bonded ones do not count.

    By pair of species, those left out that are in `not_of`.
    """
    return {
        name: each[-1] for name, each in _count_by_block(trajectory, ions, frames, not_of).items()
    }


def _count_by_block(
    trajectory: Trajectory, ions: Ions, frames: IntArray, not_of: Collection[str]
) -> dict[str, list[PairCounts]]:
    """Count as `count_pairs`: in the first block of frames, in the first two, and so on to all."""
    groups = {pair: both for pair, both in ions.pairs.items() if pair not in not_of}
    if not groups:
        return {}
    fewest = min(len(group) for both in groups.values() for group in both)
    chosen = spread_out(frames, max(MOST_FRAMES, SIGHTINGS // fewest))
    bonded = ions.indices[ions.bonded]
    counters = {
        name: _PairCounter(trajectory, chosen, one, other, _between(bonded, one, other))
        for name, (one, other) in groups.items()
    }
    so_far: dict[str, list[PairCounts]] = {name: [] for name in counters}
    for block in np.array_split(chosen, min(BLOCKS, len(chosen))):
        for frame in block:
            snapshot = trajectory.read(int(frame))
            for counter in counters.values():
                counter.add(snapshot)
        for name, counter in counters.items():
            so_far[name].append(counter.counts())
    return so_far


class _PairCounter:
    """Counts pairs of one of two groups and one of the other, but not those `left_out`."""

    def __init__(
        self,
        trajectory: Trajectory,
        frames: IntArray,
        one: IntArray,
        other: IntArray,
        left_out: IntArray,
    ) -> None:
        import freud

        self._path, self._one, self._other, self._left_out = trajectory.path, one, other, left_out
        first = trajectory.read(int(frames[0]))
        spacing = float(np.cbrt(first.box.volume / len(first.positions)))
        self._reach = min(
            REACH * spacing,
            PART_OF_HALF_BOX * first.box.least_width / 2,
            REACH_OF_CONTACTS * self._contact_scale(trajectory, frames),
        )
        self._rdf: Any = freud.density.RDF(bins=BINS, r_max=self._reach)
        self._edges = np.linspace(0.0, self._reach, BINS + 1)
        self._left = np.zeros(BINS)
        self._density, self._n_frames = 0.0, 0

    def add(self, snapshot: Snapshot) -> None:
        if 2 * self._reach > snapshot.box.least_width:
            raise UserError(
                f'{self._path}: the box shrinks to {snapshot.box.least_width:.4g}, less than '
                f'twice the {self._reach:.4g} to which g(r) is counted. Begin after that: '
                '--first-frame.'
            )
        points, query_points = snapshot.positions[self._one], snapshot.positions[self._other]
        system = (snapshot.box.for_freud, points)
        self._rdf.compute(system, query_points=query_points, reset=not self._n_frames)
        self._density += 1 / snapshot.box.volume
        self._n_frames += 1
        if len(self._left_out):
            near = pairs_in_frames(snapshot.positions[None], [snapshot.box], self._left_out)
            self._left += np.histogram(near.lengths, self._edges)[0]

    def counts(self) -> PairCounts:
        n_pairs = len(self._one) * len(self._other)
        shells = 4 / 3 * np.pi * np.diff(self._edges**3)
        ideal = shells * len(self._one) * len(self._other) * self._density
        counted = np.asarray(self._rdf.bin_counts, dtype=np.float64)
        return PairCounts(
            self._edges,
            # Single and double precision may disagree about a bin.
            np.maximum(counted - self._left, 0),
            np.asarray(ideal * (1 - len(self._left_out) / n_pairs), dtype=np.float64),
            self._n_frames,
        )

    def _contact_scale(self, trajectory: Trajectory, frames: IntArray) -> float:
        """Find the distance within which pairs are most in excess of an ideal gas.

        Infinite if there are too few of them to tell. In a melt it is that of the first peak; it is
        as well where ions are far apart and contacts rare.
        """
        some = spread_out(frames, max(2, -(-IONS_FOR_SCALE // len(self._one))))
        found, ideal = [], 0.0
        for snapshot in (trajectory.read(int(frame)) for frame in some):
            found.append(self._nearest(snapshot))
            ideal += 4 / 3 * np.pi * len(self._one) * len(self._other) / snapshot.box.volume
        distance = np.sort(np.concatenate(found))
        fewest = max(FEWEST_CONTACTS, len(some) * len(self._one) // 100)
        if len(distance) < fewest:
            return np.inf
        excess = np.arange(1, len(distance) + 1) / (ideal * np.maximum(distance, 1e-12) ** 3)
        return float(distance[fewest - 1 + int(np.argmax(excess[fewest - 1 :]))])

    def _nearest(self, snapshot: Snapshot) -> FloatArray:
        """Find how far each of the one group is from the nearest of the other, if within reach."""
        import freud

        n = len(snapshot.positions)
        keys = self._left_out.min(axis=1) * n + self._left_out.max(axis=1)
        most = int(np.bincount(self._left_out.ravel(), minlength=1).max())
        tree = freud.locality.AABBQuery(snapshot.box.for_freud, snapshot.positions[self._other])
        asked = {'mode': 'nearest', 'num_neighbors': 1 + most, 'exclude_ii': False}
        near = tree.query(snapshot.positions[self._one], asked).toNeighborList()
        pairs = np.asarray(near[:], dtype=np.int64)
        first, second = self._one[pairs[:, 0]], self._other[pairs[:, 1]]
        is_free = ~np.isin(np.minimum(first, second) * n + np.maximum(first, second), keys)
        nearest: FloatArray = np.full(len(self._one), np.inf)
        np.minimum.at(nearest, pairs[is_free, 0], np.asarray(near.distances)[is_free])
        return np.asarray(nearest[np.isfinite(nearest)])


def _between(pairs: IntArray, one: IntArray, other: IntArray) -> IntArray:
    """Select the pairs, (M, 2), of one of a group and one of another."""
    in_one, in_other = np.isin(pairs, one), np.isin(pairs, other)
    is_between = (in_one[:, 0] & in_other[:, 1]) | (in_one[:, 1] & in_other[:, 0])
    return pairs[is_between]


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
    """Compute g(r) and its first minimum after its first peak from counts, or why there is none."""
    valley, verdict = _find_valley(pairs)
    curve = Curve(
        pairs.distance, pairs.g, x_label='distance $r$ [$\\sigma$]', y_label='$g_{+-}(r)$'
    )
    minimum = None if valley is None else _lowest_in(valley, pairs)
    return PairCorrelation(curve, minimum, pairs.n_frames, verdict)


def doubt(so_far: Sequence[PairCounts], minimum: float) -> str:
    """Say if the first minimum is another one without a part of the data; empty if it is not.

    From the counts up to the end of each block of frames. Where g(r) is low and flat, a minimum
    moves far, and it is the same: another one has many pairs more or less within.
    """
    total = so_far[-1]
    within = np.cumsum(total.counts)
    parts = list(zip(*_parts(so_far), strict=True))
    for counts, ideal in parts:
        rest = replace(total, counts=total.counts - counts, ideal=total.ideal - ideal)
        valley, _ = _find_valley(rest)
        if valley is None:
            return f'g(r) has no first minimum without one of {len(parts)} parts of the data'
        ratio = within[valley.lowest] / np.interp(minimum, total.edges[1:], within)
        if max(ratio, 1 / ratio) > 1 + MOST_OTHERS:
            other = total.distance[valley.lowest]
            return f'{minimum:.3g} is {other:.3g} without one of {len(parts)} parts of the data'
    return ''


def _parts(so_far: Sequence[PairCounts]) -> tuple[FloatArray, FloatArray]:
    """Divide pairs, and those of an ideal gas, by blocks of frames; pairs of few frames at random.

    Each of shape (parts, n).
    """
    total = so_far[-1]
    if len(so_far) >= FEWEST_BLOCKS:
        counts, ideal = ([getattr(each, name) for each in so_far] for name in ('counts', 'ideal'))
        return np.diff(counts, axis=0, prepend=0), np.diff(ideal, axis=0, prepend=0)
    dealt = np.random.default_rng(0).multinomial(
        total.counts.astype(np.int64), np.full(BLOCKS, 1 / BLOCKS)
    )
    return dealt.T.astype(np.float64), np.tile(total.ideal / BLOCKS, (BLOCKS, 1))


@dataclass(frozen=True)
class _Valley:
    """Bins of g(r), smoothed: first peak, first minimum, where it has risen, and second peak."""

    smooth: FloatArray
    peak: int
    lowest: int
    risen: int
    second_peak: int


def _find_valley(pairs: PairCounts) -> tuple[_Valley | None, str]:
    """Find the first minimum to a bin or so, with the errors of counting, or why there is none."""
    from scipy.ndimage import gaussian_filter1d

    distance, counts = pairs.distance, pairs.counts
    smooth = gaussian_filter1d(pairs.g, SMOOTHING_BINS)
    expected = np.maximum(pairs.ideal * _BINS_AVERAGED, 1e-12)
    errors = np.sqrt(np.maximum(smooth, 1 / expected) / expected)
    rises = np.diff(smooth) > 0
    peaks = np.flatnonzero(rises[:-1] & ~rises[1:] & (smooth[1:-1] >= 1.2)) + 1
    # Close to r = 0 a bin holds hardly a pair, and one of them makes a peak.
    peaks = peaks[smooth[peaks] - 1 > RISE_IN_ERRORS * errors[peaks]]
    near = slice(0, FEWEST_BINS_TO_PEAK)
    if counts[near].sum() > FEWEST_UNRESOLVED * (1 + pairs.ideal[near].sum()):
        return None, 'contacts are too rare to resolve the first peak of g(r)'
    if len(peaks) == 0 and counts.sum() >= FEWEST_PAIRS and _is_narrow(distance[counts > 0]):
        peaks = np.array([np.argmax(smooth)])
    if len(peaks) == 0:
        return None, f'g(r) has no first peak that is sure ({counts.sum():.0f} pairs within reach)'
    peak = int(peaks[0])
    behind = int(np.searchsorted(distance, GAP * distance[peak]))
    lowest, risen = _turn(smooth, errors, peak)
    if risen is None:
        beyond = counts[lowest:].sum()
        if distance[-1] <= 2 * distance[lowest] or beyond >= MOST_BEYOND_GAP * counts.sum():
            return None, 'g(r) has no minimum after its first peak within reach'
        risen = behind
    elif smooth[lowest] == 0:
        risen = min(risen, behind)
    second_peak, fallen = _turn(-smooth, errors, lowest)
    return _Valley(
        smooth, peak, lowest, risen, len(smooth) - 1 if fallen is None else second_peak
    ), ''


def _turn(curve: FloatArray, errors: FloatArray, start: int) -> tuple[int, int | None]:
    """Find the lowest point after the start, and where the curve has risen beyond doubt after it.

    None where it does not rise again.
    """
    lowest = start
    for k in range(start + 1, len(curve)):
        if curve[k] < curve[lowest]:
            lowest = k
            continue
        error = float(np.hypot(errors[lowest], errors[k]))
        rise = curve[k] - curve[lowest]
        if lowest > start and rise > max(LEAST_RISE, RISE_IN_ERRORS * error):
            return lowest, k
    return lowest, None


def _is_narrow(distance: FloatArray) -> bool:
    return float(distance[-1]) < GAP * float(distance[0])


def _lowest_in(valley: _Valley, pairs: PairCounts) -> float:
    """Locate a minimum that is known to be between a peak and where the curve has risen again.

    The square root of a count has the same error whatever the count, which the spline asks for. It
    is given the lower half of the way down from the peak, and as much beyond the minimum. That may
    reach beyond the second peak, where it may be lower still.
    """
    peak, lowest = valley.peak, valley.lowest
    root = np.sqrt(np.maximum(valley.smooth, 0.0))
    low = np.flatnonzero(root[peak:lowest] > (root[peak] + root[lowest]) / 2)
    first = min(peak + int(low[-1]) + 1, lowest - FEWEST_BINS)
    last = min(max(2 * lowest - first, valley.risen), len(root) - 1)
    part = slice(max(first, 0), last + 1)
    tolerance = float(0.5 / np.sqrt(pairs.ideal[lowest] * _BINS_AVERAGED))
    curve = (pairs.distance[part], np.sqrt(pairs.g[part]), pairs.ideal[part])
    return lowest_point(*curve, tolerance, float(pairs.distance[valley.second_peak]))
