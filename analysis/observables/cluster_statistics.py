"""Statistics of ion clusters, added up over the frames of a run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.distribution import Distribution, distribution
from analysis.estimators.equilibration import Equilibration
from analysis.estimators.estimate import Curve, Estimate, joined
from analysis.estimators.inefficiency import statistical_inefficiency
from analysis.estimators.intervals import (
    FEWEST_BLOCKS,
    jackknife,
    mean_with_interval,
    merge_blocks,
    proportion_with_interval,
    shared_by_neighbours,
)
from analysis.geometry import contact_graph
from analysis.geometry.box import Box
from analysis.geometry.ions import Ions
from analysis.geometry.topology import Snapshot
from analysis.observable import FRACTION, NOT_NEGATIVE, Accumulator, Combination, Panel, Quantity
from analysis.observables.contact_scan import ContactScan
from analysis.sampling.contact_distance import PairCorrelation
from analysis.sampling.production import WATCHED, association_equilibration
from analysis.sampling.run import Run

# Histograms are kept per block of frames: blocks before equilibration are dropped afterwards.
BLOCKS = 20
PARTS_OF_CHARGE = 1e6
# Of charges in the least of them: files round 1/3, or the unit of charge of HOOMD.
ROUNDED = 1e-3
AXES = ('x', 'y', 'z')

_SIZES = Panel('cluster sizes', 'mean cluster size [ions]', scale='log')
_FRACTIONS = Panel('cluster fractions', 'fraction of the ions', limits=(-0.04, 1.06))
_COORDINATION = Panel('ion coordination', 'mean coordination number')
PERCOLATION = Panel('percolation', 'percolation probability', limits=(-0.04, 1.06))
PANELS = tuple(each.name for each in (_SIZES, _FRACTIONS, _COORDINATION, PERCOLATION))

_AT_LEAST_1 = (1.0, math.inf)
# Scalars of each frame, without their values.
SCALARS = {
    key: Quantity(name, unit, Estimate(), Combination.MEAN, limits, panel, label, is_key)
    for key, name, label, unit, limits, panel, is_key in (
        ('number_average_size', 'number_average_cluster_size', 'number-average size', 'ions',
         _AT_LEAST_1, _SIZES, False),
        ('weight_average_size', 'weight_average_cluster_size', 'weight-average size', 'ions',
         _AT_LEAST_1, _SIZES, False),
        ('largest_cluster_fraction', 'largest_cluster_fraction', 'largest cluster', '1',
         FRACTION, _FRACTIONS, True),
        ('free_ion_fraction', 'free_ion_fraction', 'free ions', '1', FRACTION, _FRACTIONS, True),
        ('coordination_number', 'ion_coordination_number', 'coordination', '1',
         NOT_NEGATIVE, _COORDINATION, True),
        ('percolation_dimension', 'percolation_dimension', 'percolation dimension', '1',
         (0.0, 3.0), None, False),
    )
}  # fmt: skip


class Pairs(StrEnum):
    """Which ions may be in contact."""

    UNLIKE = 'unlike'
    ANY = 'any'


@dataclass(frozen=True)
class ClusterShapes:
    """Mean shape against size, of the clusters that do not percolate.

    Attributes:
        number: How many clusters of each size were seen, shape (n,).
        radius_of_gyration: Root of the mean squared one, in length units; intervals only where 4
            blocks of at least 5 statistical inefficiencies fit in the run.
        anisotropy: Mean relative shape anisotropy, with intervals likewise.
    """

    number: IntArray
    radius_of_gyration: Curve
    anisotropy: Curve


@dataclass(frozen=True)
class ClusterResult:
    """Ion clusters of a trajectory; every estimate is over the equilibrated frames.

    Attributes:
        contact_distances: By pair of species, as 'Li-S'.
        pair_correlations: The g(r) whose first minima these are; empty where they were given.
        steps: Steps of the frames looked at, shape (T,); `n_frames` of them are used.
        equilibration: Where in `steps` the estimates begin.
        percolation: Probability that some cluster percolates, along 'x', 'y', 'z' or 'any'.
        series: Per-frame values of the scalar results, each of shape (T,).
        number_distribution: Probability that a cluster has n ions.
        weight_distribution: Probability that an ion is in a cluster of n ions.
        charge_distribution: Probability that a cluster has a net charge, in units of the file.
        against_contact_distance: What the choice of contact distances changes, by name.
        verdict: Empty, or why the results are not to be trusted.
        remarks: Which charges count, and what became of shells and of bonded ions.
    """

    n_ions: int
    pairs: Pairs
    contact_distances: dict[str, float]
    pair_correlations: dict[str, PairCorrelation]
    steps: IntArray
    n_frames: int
    equilibration: Equilibration
    estimates: dict[str, Estimate]
    percolation: dict[str, Estimate]
    series: dict[str, FloatArray]
    number_distribution: Distribution
    weight_distribution: Distribution
    charge_distribution: Distribution
    shapes: ClusterShapes
    against_contact_distance: dict[str, Curve]
    verdict: str
    remarks: tuple[str, ...] = ()


class ClusterStatistics(Accumulator[ClusterResult]):
    """Scalars per frame, histograms per block of frames; small frames are looked at together."""

    def __init__(
        self,
        run: Run,
        ions: Ions,
        distances: dict[str, float],
        found: dict[str, PairCorrelation],
        pairs: Pairs,
    ) -> None:
        self.frames = run.even_frames
        self._steps = run.frames.steps[self.frames]
        self._ions, self._distances, self._found, self._pairs = ions, distances, found, pairs
        self._limits = ions.limits(distances)
        # Bonds hold ions together that could be in contact, without being contacts.
        self._links = ions.bonded if pairs is Pairs.ANY else ions.unlike_bonded
        n, n_frames = len(ions.indices), len(self.frames)
        self._scan = ContactScan(n_frames, self._limits, ions.typeid)
        self._n_blocks = min(BLOCKS, n_frames)
        self._block_of = np.arange(n_frames) * self._n_blocks // n_frames
        self._series = {name: np.full(n_frames, np.nan) for name in SCALARS}
        self._winds = np.zeros((n_frames, 3), dtype=bool)
        self._number = np.zeros((self._n_blocks, n + 1))
        self._shape_sums = np.zeros((self._n_blocks, 3, n + 1))
        self._parts_per_charge = _parts_per_charge(ions.charge)
        self._parts = np.rint(ions.charge * self._parts_per_charge)
        self._charge: list[Counter[int]] = [Counter() for _ in range(self._n_blocks)]
        self._waiting: list[tuple[FloatArray, Box]] = []
        self._row = 0

    def add(self, frame: int, snapshot: Snapshot) -> None:
        self._waiting.append((snapshot.positions[self._ions.indices], snapshot.box))
        if len(self._waiting) * len(self._ions.indices) >= contact_graph.PARTICLES_AT_ONCE:
            self._look()

    def _look(self) -> None:
        """Look at the frames that wait."""
        ions, n, n_frames = self._ions, len(self._ions.indices), len(self._waiting)
        positions = np.stack([each for each, _ in self._waiting])
        boxes = [box for _, box in self._waiting]
        rows = self._row + np.arange(n_frames)
        self._waiting, self._row = [], self._row + n_frames
        scanned = np.intersect1d(rows, self._scan.rows)
        if 2 * self._scan.reach > min(box.least_width for box in boxes):
            scanned = scanned[:0]
        reach = self._scan.reach if len(scanned) else float(self._limits.max())
        links = contact_graph.pairs_in_frames(positions, boxes, self._links)
        near = (positions, boxes, ions.is_cation, reach)
        contacts = unlike = contact_graph.contacts_in_frames(*near).without(links)
        if self._pairs is Pairs.ANY:
            among = contact_graph.contacts_in_frames(positions, boxes, None, reach)
            contacts = among.without(links)
        if len(scanned):
            graphs = (unlike, contacts, links)
            self._scan.add(scanned, *(each.of_frames(scanned - rows[0], n) for each in graphs))
        typeid = np.tile(ions.typeid, n_frames)
        unlike, contacts = (each.within(self._limits, typeid) for each in (unlike, contacts))
        components = contact_graph.connected_components(contacts.joined(links))
        form = contact_graph.shapes(positions, boxes, components)
        size, dimension = components.size, components.dimension
        frame_of = np.empty(len(size), dtype=np.int64)
        frame_of[components.label] = np.arange(n_frames * n) // n
        number = np.bincount(frame_of, minlength=n_frames)
        largest, most_dimensions = np.zeros(n_frames), np.zeros(n_frames)
        np.maximum.at(largest, frame_of, size)
        np.maximum.at(most_dimensions, frame_of, dimension)
        np.logical_or.at(self._winds, rows[frame_of], components.winds)
        is_free = contact_graph.coordination(contacts).reshape(n_frames, n) == 0
        for name, values in {
            'number_average_size': n / number,
            'weight_average_size': np.bincount(frame_of, size.astype(float) ** 2, n_frames) / n,
            'largest_cluster_fraction': largest / n,
            'free_ion_fraction': is_free.sum(axis=1) / n,
            'coordination_number': contact_graph.coordination(unlike).reshape(n_frames, n).mean(1),
            'percolation_dimension': most_dimensions,
        }.items():
            self._series[name][rows] = values
        parts = np.bincount(components.label, np.tile(self._parts, n_frames), len(size))
        measures = (np.ones(len(size)), form.radius_of_gyration**2, form.anisotropy)
        block_of = self._block_of[rows[frame_of]]
        for block in np.unique(block_of):
            own, finite = block_of == block, (block_of == block) & (dimension == 0)
            self._number[block] += np.bincount(size[own], minlength=n + 1)
            self._charge[block].update(parts[own].astype(np.int64).tolist())
            self._shape_sums[block] += [
                np.bincount(size[finite], each[finite], n + 1) for each in measures
            ]

    def conclude(self) -> ClusterResult:
        if self._waiting:
            self._look()
        equilibration = association_equilibration(self._series)
        # A series that drifts has no better start than its first frame.
        start = 0 if equilibration.drifts else equilibration.start
        starts = np.searchsorted(self._block_of, np.arange(self._n_blocks))
        first_block = min(int(np.searchsorted(starts, start)), len(starts) - 1)
        start = int(starts[first_block])
        used = slice(start, None)
        inefficiency = max(statistical_inefficiency(self._series[name][used]) for name in WATCHED)
        n_frames = len(self._steps) - start
        parts = np.unique(np.concatenate([list(each) for each in self._charge]))
        charges = np.array(
            [[counter[part] for part in parts.tolist()] for counter in self._charge], dtype=float
        )
        number, charge, form = (
            merge_blocks(sums[first_block:], inefficiency, n_frames)
            for sums in (self._number, charges, self._shape_sums)
        )
        shared = shared_by_neighbours(inefficiency, n_frames / len(number))
        sizes = np.arange(self._number.shape[1])
        winds = {axis: self._winds[used, k] for k, axis in enumerate(AXES)}
        winds['any'] = np.asarray(self._winds[used].any(axis=1))
        return ClusterResult(
            n_ions=len(self._ions.indices),
            pairs=self._pairs,
            contact_distances=self._distances,
            pair_correlations=self._found,
            steps=self._steps,
            n_frames=n_frames,
            equilibration=equilibration,
            estimates={
                name: mean_with_interval(each[used]).within(*SCALARS[name].limits)
                for name, each in self._series.items()
            },
            percolation={
                axis: proportion_with_interval(each, inefficiency) for axis, each in winds.items()
            },
            series=self._series,
            number_distribution=distribution(sizes, number, shared),
            weight_distribution=distribution(sizes, number * sizes, shared),
            charge_distribution=distribution(parts / self._parts_per_charge, charge, shared),
            shapes=_mean_shapes(sizes, form, shared),
            against_contact_distance=self._scan.curves(self._distances, start, inefficiency),
            verdict=joined(equilibration.verdict * equilibration.drifts, *self._doubts()),
            remarks=self._ions.remarks,
        )

    def _doubts(self) -> Iterator[str]:
        for pair, each in self._found.items():
            if each.verdict:
                yield (
                    f'the contact distance of {pair} is in doubt: {each.verdict}. Name one '
                    f'(--contact-distance {pair}=...) or look at more frames'
                )
        if np.any(np.diff(self._steps) <= 0):
            yield 'the steps of the frames do not rise: without their order no interval counts'
        if not np.any(self._series['coordination_number']):
            yield f'no two ions came within the contact distance of {self._limits.max():g}'


def _parts_per_charge(charge: FloatArray) -> float:
    """Choose what net charges are whole multiples of: the least charge, or else a small part."""
    size = np.abs(charge)
    multiples = size / size.min()
    if np.all(np.abs(multiples - np.rint(multiples)) < ROUNDED):
        return float(1 / size.min())
    return float(PARTS_OF_CHARGE / 10.0 ** np.floor(np.log10(size.max())))


def _mean_shapes(sizes: IntArray, sums: FloatArray, shared: float) -> ClusterShapes:
    """Average shapes from (number, squared radius, anisotropy) sums per block, (B, 3, n)."""
    total = sums.sum(axis=0)
    seen = np.flatnonzero((total[0] > 0) & (sizes > 1))
    sums, total = sums[:, :, seen], total[:, seen]
    means = total[1:] / total[0]
    ends: list[tuple[FloatArray | None, FloatArray | None]] = [(None, None), (None, None)]
    if len(sums) >= FEWEST_BLOCKS:
        others = total - sums
        # A size seen in one block alone says nothing about its spread: it gets not a number.
        with np.errstate(invalid='ignore', divide='ignore'):
            low, high = jackknife(means, others[:, 1:] / others[:, :1], shared=shared)
        low = np.maximum(low, 0)
        ends = [(np.sqrt(low[0]), np.sqrt(high[0])), (low[1], np.minimum(high[1], 1))]
    size, label = sizes[seen].astype(np.float64), 'cluster size $n$ [ions]'
    labels = (label, r'radius of gyration [$\sigma$]')
    radius = Curve(size, np.sqrt(means[0]), *ends[0], *labels, 'log', 'log')
    form = Curve(size, means[1], *ends[1], label, 'relative shape anisotropy', 'log')
    return ClusterShapes(total[0].astype(np.int64), radius, form)
