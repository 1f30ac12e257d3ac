"""Ion clusters along a trajectory: sizes, charges, shapes and percolation, with intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.distribution import Distribution, cumulative, distribution, log_binned
from analysis.estimators.equilibration import Equilibration
from analysis.estimators.estimate import Curve, Estimate
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
from analysis.geometry.ions import Ions, find_ions, has_ions
from analysis.geometry.topology import Snapshot, Topology
from analysis.observable import (
    FRACTION,
    NOT_NEGATIVE,
    Accumulator,
    Combination,
    Observable,
    Panel,
    Quantity,
    option,
)
from analysis.observables.contact_scan import ContactScan
from analysis.plotting import plot_curves
from analysis.sampling.contact_distance import PairCorrelation, contact_distances
from analysis.sampling.definitions import distances_by_pair, read_contact_distance
from analysis.sampling.production import WATCHED, association_equilibration
from analysis.sampling.run import Run
from user_input import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Histograms are kept per block of frames: blocks before equilibration are dropped afterwards.
BLOCKS = 20
AXES = ('x', 'y', 'z')

_SIZES = Panel('cluster sizes', 'mean cluster size [ions]', scale='log')
_FRACTIONS = Panel('cluster fractions', 'fraction of the ions', limits=(-0.04, 1.06))
_COORDINATION = Panel('ion coordination', 'mean coordination number')
_PERCOLATION = Panel('percolation', 'percolation probability', limits=(-0.04, 1.06))

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
        charge_distribution: Probability that a cluster has the net charge z.
        against_contact_distance: What the choice of contact distances changes, by name.
        verdict: Empty, or why the results are not to be trusted.
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


@dataclass(frozen=True)
class IonClusters(Observable[ClusterResult]):
    """Connected components of the graph of ions within the contact distance."""

    name = 'clusters'
    title = 'Ion clusters'
    definition = (
        'An ion cluster is a connected set of ions: a cation and an anion are in contact when '
        'closer than r_c, by default the first minimum of g(r) of their species. A cluster '
        'percolates along an axis when a closed path of its contacts winds round the periodic box '
        'along it (Livraghi et al. 2021, doi 10.1021/acs.jctc.1c00423); the probability is the '
        'share of the frames in which some cluster does, in a box of one size. P(n) is the share '
        'of clusters of n ions, averaged in logarithmic bins. Lengths in sigma.'
    )
    result = ClusterResult
    panels = tuple(each.name for each in (_SIZES, _FRACTIONS, _COORDINATION, _PERCOLATION))
    defined_by = 'contact_distances'
    names = (
        *(scalar.name for scalar in SCALARS.values()),
        *(f'percolation_probability_{axis}' for axis in (*AXES, 'any')),
        'contact_distance',
    )
    never_precise = {
        'contact_distance': 'has no interval within a run, so that no length would be enough.'
    }

    contact_distance: float | Mapping[str, float] | None = option(
        None,
        'largest distance of a contact, or several by species: Li-S=1.3,Na-S=1.6; default: first '
        'minimum of g(r)',
        type=read_contact_distance,
        metavar='R',
    )
    pairs: Pairs = option(
        Pairs.UNLIKE,
        'ions that may be in contact (default: unlike)',
        type=Pairs,
        choices=tuple(Pairs),
    )
    cations: tuple[str, ...] | None = option(
        None, 'particle types; default: positive charges', metavar='TYPE', nargs='+'
    )
    anions: tuple[str, ...] | None = option(
        None, 'particle types; default: negative charges', metavar='TYPE', nargs='+'
    )

    def applies_to(self, topology: Topology) -> bool:
        return has_ions(topology)

    def begin(self, run: Run) -> Accumulator[ClusterResult]:
        ions = find_ions(run.topology, self.cations, self.anions)
        found: dict[str, PairCorrelation] = {}
        if self.contact_distance is not None:
            distances = distances_by_pair(self.contact_distance, ions.pairs)
            if missing := sorted(ions.pairs.keys() - distances):
                raise UserError(f'contact distance: that of {missing[0]} is missing.')
        elif run.definitions is not None:
            distances = run.definitions.contact_distance_values(ions.pairs)
        else:
            distances, found = contact_distances(run.frames, ions, run.even_frames)
        return _Clusters(run, ions, distances, found, self.pairs)

    def quantities(self, result: ClusterResult) -> list[Quantity]:
        found = [
            replace(each, estimate=_judged(result.estimates[key], result, each.limits))
            for key, each in SCALARS.items()
        ]
        for axis, estimate in result.percolation.items():
            name, label = f'percolation_probability_{axis}', f'percolation along {axis}'
            if axis == 'any':
                label = 'percolation, any axis'
            drawn = (Combination.PROPORTION, FRACTION, _PERCOLATION, label, axis == 'any')
            found.append(Quantity(name, '1', _judged(estimate, result, FRACTION), *drawn))
        found = [replace(each, follows=WATCHED) for each in found]
        if len(result.contact_distances) == 1:
            (value,) = result.contact_distances.values()
            # A distance that is given is what it is.
            is_given = not result.pair_correlations
            distance = Estimate(value, value, value) if is_given else Estimate(value)
            found.append(Quantity('contact_distance', 'sigma', distance, limits=NOT_NEGATIVE))
        return found

    def curves(self, result: ClusterResult) -> dict[str, Curve]:
        charges = result.charge_distribution
        size = 'cluster size $n$ [ions]'
        curves = {
            'share of ions': cumulative(
                result.weight_distribution, size, r'ions in clusters of $\geq n$'
            ),
            'share of clusters': log_binned(result.number_distribution, size, '$P(n)$'),
            'net charge': Curve(
                charges.values.astype(np.float64),
                *(charges.probability, charges.low, charges.high),
                *('net charge of the cluster [$e$]', 'share of clusters'),
                y_scale='log',
                outside=0.0,
            ),
            'radius of gyration': result.shapes.radius_of_gyration,
            **result.against_contact_distance,
        }
        return curves | {f'g({pair})': g.curve for pair, g in result.pair_correlations.items()}

    def notes(self, result: ClusterResult) -> list[str]:
        first = result.steps[len(result.steps) - result.n_frames]
        source = 'first minimum of g(r)' if result.pair_correlations else 'given'
        return [
            f'{result.n_ions} ions, {result.pairs} pairs in contact',
            *(
                f'contact distance {pair} {distance:.4g} ({source})'
                for pair, distance in result.contact_distances.items()
            ),
            f'{result.n_frames} of {len(result.steps)} evenly spaced frames, from step {first} to '
            f'{result.steps[-1]}',
            f'verdict: {result.verdict or result.equilibration.verdict or "equilibrated"}',
        ]

    def plot(self, result: ClusterResult, ax: Axes) -> None:
        curves = self.curves(result)
        plot_curves(ax, {'share of clusters': curves['share of clusters']})


def _judged(estimate: Estimate, result: ClusterResult, limits: tuple[float, float]) -> Estimate:
    """Add to an estimate what speaks against the whole analysis.

    Few independent values of the association speak against intervals only, a drift against all.
    """
    own = estimate.interval_verdict
    # A mean at a limit is the same in every frame: it has no interval, and nothing is wrong.
    if estimate.value in limits and estimate.low is None and estimate.n_effective == 1:
        own = ''
    verdict = '; '.join(dict.fromkeys(filter(None, (result.verdict, estimate.verdict))))
    own = own or ('' if result.equilibration.drifts else result.equilibration.verdict)
    return replace(estimate, verdict=verdict, interval_verdict=own)


class _Clusters(Accumulator[ClusterResult]):
    """Scalars per frame, histograms per block of frames."""

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
        n, n_frames = len(ions.indices), len(self.frames)
        self._scan = ContactScan(n_frames, self._limits, ions.typeid)
        self._n_blocks = min(BLOCKS, n_frames)
        self._block_of = np.arange(n_frames) * self._n_blocks // n_frames
        self._series = {name: np.full(n_frames, np.nan) for name in SCALARS}
        self._winds = np.zeros((n_frames, 3), dtype=bool)
        self._number = np.zeros((self._n_blocks, n + 1))
        # The net charge of a cluster lies within the charges of all cations and of all anions.
        self._most_charge = int(np.ceil(np.abs(ions.charge).sum())) + 1
        self._charge = np.zeros((self._n_blocks, 2 * self._most_charge + 1))
        self._shape_sums = np.zeros((self._n_blocks, 3, n + 1))
        self._row = 0

    def add(self, frame: int, snapshot: Snapshot) -> None:
        ions, row, n = self._ions, self._row, len(self._ions.indices)
        block = self._block_of[row]
        positions, box = snapshot.positions[ions.indices], snapshot.box
        is_scanned = row in self._scan.rows and 2 * self._scan.reach <= box.least_width
        reach = self._scan.reach if is_scanned else float(self._limits.max())
        unlike = contact_graph.contacts_between(positions, box, ions.is_cation, reach)
        graph = unlike
        if self._pairs is Pairs.ANY:
            graph = contact_graph.contacts_among(positions, box, reach)
        if is_scanned:
            self._scan.add(row, unlike, graph)
        unlike, graph = (each.within(self._limits, ions.typeid) for each in (unlike, graph))
        components = contact_graph.connected_components(graph)
        form = contact_graph.shapes(positions, box, components)
        size = components.size
        charge = contact_graph.net_charges(ions.charge, components)
        self._number[block] += np.bincount(size, minlength=n + 1)
        np.add.at(self._charge[block], charge + self._most_charge, 1)
        finite = components.dimension == 0
        measures = (np.ones(len(size)), form.radius_of_gyration**2, form.anisotropy)
        self._shape_sums[block] += [np.bincount(size[finite], m[finite], n + 1) for m in measures]
        self._winds[row] = components.winds.any(axis=0)
        self._series['number_average_size'][row] = n / len(size)
        self._series['weight_average_size'][row] = float((size.astype(float) ** 2).sum()) / n
        self._series['largest_cluster_fraction'][row] = size.max() / n
        self._series['free_ion_fraction'][row] = (size == 1).sum() / n
        self._series['coordination_number'][row] = contact_graph.coordination(unlike).mean()
        self._series['percolation_dimension'][row] = components.dimension.max()
        self._row += 1

    def conclude(self) -> ClusterResult:
        equilibration = association_equilibration(self._series)
        # A series that drifts has no better start than its first frame.
        start = 0 if equilibration.drifts else equilibration.start
        starts = np.searchsorted(self._block_of, np.arange(self._n_blocks))
        first_block = min(int(np.searchsorted(starts, start)), len(starts) - 1)
        start = int(starts[first_block])
        used = slice(start, None)
        inefficiency = max(statistical_inefficiency(self._series[name][used]) for name in WATCHED)
        n_frames = len(self._steps) - start
        number, charge, form = (
            merge_blocks(sums[first_block:], inefficiency, n_frames)
            for sums in (self._number, self._charge, self._shape_sums)
        )
        shared = shared_by_neighbours(inefficiency, n_frames / len(number))
        sizes = np.arange(self._number.shape[1])
        charges = np.arange(self._charge.shape[1]) - self._most_charge
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
            charge_distribution=distribution(charges, charge, shared),
            shapes=_mean_shapes(sizes, form, shared),
            against_contact_distance=self._scan.curves(self._distances, start, inefficiency),
            verdict='; '.join(
                filter(None, (equilibration.verdict * equilibration.drifts, *self._doubts()))
            ),
        )

    def _doubts(self) -> Iterator[str]:
        if np.any(np.diff(self._steps) <= 0):
            yield 'the steps of the frames do not rise: without their order no interval counts'
        if not np.any(self._series['coordination_number']):
            yield f'no two ions came within the contact distance of {self._limits.max():g}'


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
