"""Ion clusters along a trajectory: sizes, charges, shapes and percolation, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from analysis import contact_graph
from analysis.cluster_limits import CLUSTER_LIMITS
from analysis.frame_selection import evenly_spaced
from analysis.pair_correlation import PairCorrelation, pair_correlation
from analysis.plain import plain
from analysis.statistics import (
    Equilibration,
    Estimate,
    detect_equilibration,
    jackknife,
    mean_with_interval,
    merge_blocks,
    proportion_with_interval,
    shared_by_neighbours,
    statistical_inefficiency,
)
from analysis.trajectory import BoolArray, FloatArray, IntArray, Snapshot, Topology, Trajectory
from user_input import UserError

Progress = Callable[[IntArray], Iterable[Any]]

# Histograms are kept per block of frames: blocks before equilibration are dropped afterwards.
BLOCKS = 20
FEWEST_BLOCKS = 4
# Student's t with 2 degrees takes one event to 5.3, and Poisson's distribution to 5.6.
FEWEST_SEEN = 3
AXES = ('x', 'y', 'z')
# Of an ion, in multiples of the smallest.
MOST_CHARGE = 1000


class Pairs(StrEnum):
    """Which ions may be in contact."""

    UNLIKE = 'unlike'
    ANY = 'any'


@dataclass(frozen=True)
class Ions:
    """The ions of a system.

    Attributes:
        indices: Their indices among all particles, rising, shape (n,).
        is_cation: Shape (n,).
        charge: Charges in units of the smallest one, shape (n,).
    """

    indices: IntArray
    is_cation: BoolArray
    charge: FloatArray


@dataclass(frozen=True)
class Distribution:
    """A distribution over whole numbers, only those that occur.

    Attributes:
        values: Shape (n,).
        probability: Shape (n,).
        low: Lower ends of the 95 % intervals, shape (n,); None unless 4 blocks of at least 5
            statistical inefficiencies fit in the run.
        high: Upper ends of the 95 % intervals, shape (n,); None as `low`.
    """

    values: IntArray
    probability: FloatArray
    low: FloatArray | None
    high: FloatArray | None

    def as_dict(self) -> dict[str, Any]:
        """Content as plain values for JSON."""
        content: dict[str, Any] = plain(self)
        return content


@dataclass(frozen=True)
class ClusterShapes:
    """Mean shape against size, of the clusters that do not percolate.

    Attributes:
        size: Shape (n,).
        number: How many clusters of each size were seen, shape (n,).
        radius_of_gyration: Root of the mean squared one, in length units, shape (n,).
        anisotropy: Mean relative shape anisotropy, shape (n,).
        radius_low: Lower ends of 95 % intervals, shape (n,); None unless 4 blocks of at least 5
            statistical inefficiencies fit in the run.
        radius_high: Upper ends of 95 % intervals, shape (n,); None as `radius_low`.
        anisotropy_low: As `radius_low`, of the anisotropy.
        anisotropy_high: As `radius_high`, of the anisotropy.
    """

    size: IntArray
    number: IntArray
    radius_of_gyration: FloatArray
    anisotropy: FloatArray
    radius_low: FloatArray | None
    radius_high: FloatArray | None
    anisotropy_low: FloatArray | None
    anisotropy_high: FloatArray | None

    def as_dict(self) -> dict[str, Any]:
        """Content as plain values for JSON."""
        content: dict[str, Any] = plain(self)
        return content


@dataclass(frozen=True)
class IonClusters:
    """Ion clusters of a trajectory; every estimate is over the equilibrated frames.

    Attributes:
        n_ions: Number of ions.
        pairs: Which ions may be in contact.
        contact_distance: Largest distance of a contact.
        pair_correlation: The g(+-) whose first minimum it is; None where it was given.
        steps: Steps of the frames looked at, shape (T,).
        n_frames: Number of these frames that the estimates use.
        equilibration: Where in `steps` the estimates begin.
        estimates: Scalar results by name.
        percolation: Probability that some cluster percolates, along 'x', 'y', 'z' or 'any'.
        series: Per-frame values of the scalar results, each of shape (T,).
        number_distribution: Probability that a cluster has n ions.
        weight_distribution: Probability that an ion is in a cluster of n ions.
        charge_distribution: Probability that a cluster has the net charge z.
        shapes: Mean shape against size.
        verdict: Empty, or why the results are not to be trusted as they stand.
    """

    n_ions: int
    pairs: Pairs
    contact_distance: float
    pair_correlation: PairCorrelation | None
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
    verdict: str

    def as_dict(self) -> dict[str, Any]:
        """Content as plain values for JSON."""
        source = 'given' if self.pair_correlation is None else 'first minimum of g(+-)'
        content: dict[str, Any] = plain(self) | {'contact_distance_from': source}
        return content


def has_ions(topology: Topology) -> bool:
    """Tell whether there are charges of both signs, so that there can be ion clusters."""
    return bool(np.any(topology.charge > 0) and np.any(topology.charge < 0))


def find_ions(
    topology: Topology,
    cation_types: tuple[str, ...] | None = None,
    anion_types: tuple[str, ...] | None = None,
) -> Ions:
    """The ions, from the signs of the charges or from the names of their types.

    Charges count in units of the smallest, so that it does not matter how a file scales them.

    Raises:
        UserError: If there are no ions of one of the two kinds, a type has no such name, or the
            charges differ by more than any ions' do.
    """
    if (cation_types is None) != (anion_types is None):
        raise UserError('name the types of the cations and of the anions, or neither.')
    if cation_types is not None and anion_types is not None:
        both = set(cation_types) & set(anion_types)
        if both:
            raise UserError(f"type '{min(both)}' cannot be both cation and anion.")
        cations, anions = topology.indices_of(cation_types), topology.indices_of(anion_types)
    elif has_ions(topology):
        cations = np.flatnonzero(topology.charge > 0)
        anions = np.flatnonzero(topology.charge < 0)
    else:
        raise UserError(
            'the trajectory has no charges of both signs, so no ions. If the file leaves charges '
            'out, name the types of the ions (--cations Li --anions S) or give a LAMMPS data file '
            'with charges (--data).'
        )
    if len(cations) == 0 or len(anions) == 0:
        raise UserError('there are no particles of the types named as cations or as anions.')
    indices = np.sort(np.concatenate([cations, anions]))
    is_cation = np.isin(indices, cations)
    sign = np.where(is_cation, 1.0, -1.0)
    magnitude = np.abs(topology.charge[indices])
    is_charged = bool(np.all(magnitude > 0))
    if is_charged and magnitude.max() > MOST_CHARGE * magnitude.min():
        raise UserError(
            f'the charges of the ions range from {magnitude.min():g} to {magnitude.max():g}: net '
            'charges are counted in multiples of the smallest. Is the file damaged? If not, name '
            'the types of the ions (--cations, --anions).'
        )
    charge = sign * magnitude / magnitude.min() if is_charged else sign
    return Ions(indices, is_cation, charge)


def ion_clusters(
    trajectory: Trajectory,
    *,
    contact_distance: float | None = None,
    pairs: Pairs = Pairs.UNLIKE,
    cation_types: tuple[str, ...] | None = None,
    anion_types: tuple[str, ...] | None = None,
    first_frame: int = 0,
    progress: Progress = iter,
) -> IonClusters:
    """Analyse the ion clusters of a trajectory.

    A cluster is a connected component of the graph of ions within the contact distance. The frames
    looked at are evenly spaced in time; memory does not grow with their number but for a handful
    of scalars each.

    Args:
        trajectory: Any trajectory with ions.
        contact_distance: Largest distance of a contact, in the length unit of the trajectory; by
            default the first minimum of g(+-) of the same frames.
        pairs: Which ions may be in contact.
        cation_types: Names of the types of cations; by default the positive particles.
        anion_types: Names of the types of anions; by default the negative particles.
        first_frame: Index of the first frame to use.
        progress: Wraps the frames to show how far the analysis is, such as `tqdm`.

    Raises:
        UserError: If there are no ions, no contact distance can be found, or it is too long for
            the box.
    """
    ions = find_ions(trajectory.topology, cation_types, anion_types)
    frames = evenly_spaced(trajectory.steps, first_frame)
    found = None
    if contact_distance is None:
        cations, anions = ions.indices[ions.is_cation], ions.indices[~ions.is_cation]
        found = pair_correlation(trajectory, cations, anions, frames)
        contact_distance = found.first_minimum
        if contact_distance is None:
            raise UserError(
                f'{trajectory.path}: no contact distance: {found.verdict}. Give one '
                '(--contact-distance).'
            )
    elif not (np.isfinite(contact_distance) and contact_distance > 0):
        raise UserError(f'contact distance {contact_distance}: give a positive length.')
    tally = _Tally(ions, contact_distance, Pairs(pairs), len(frames))
    for row, frame in enumerate(progress(frames)):
        tally.add(row, trajectory.read(int(frame)))
    return _conclude(tally, trajectory.steps[frames], found)


class _Tally:
    """What one pass over the frames adds up: scalars per frame, histograms per block."""

    def __init__(self, ions: Ions, distance: float, pairs: Pairs, n_frames: int) -> None:
        self.ions, self.distance, self.pairs = ions, distance, pairs
        n = len(ions.indices)
        self.n_blocks = min(BLOCKS, n_frames)
        self.block_of = np.arange(n_frames) * self.n_blocks // n_frames
        self.series = {name: np.full(n_frames, np.nan) for name in SCALARS}
        self.winds = np.zeros((n_frames, 3), dtype=bool)
        self.number = np.zeros((self.n_blocks, n + 1))
        # The net charge of a cluster lies within the charges of all cations and of all anions.
        self.most_charge = int(np.ceil(np.abs(ions.charge).sum())) + 1
        self.charge = np.zeros((self.n_blocks, 2 * self.most_charge + 1))
        self.shape_sums = np.zeros((self.n_blocks, 3, n + 1))

    def add(self, row: int, snapshot: Snapshot) -> None:
        ions, block, n = self.ions, self.block_of[row], len(self.ions.indices)
        positions, box = snapshot.positions[ions.indices], snapshot.box
        unlike = contact_graph.contacts_between(positions, box, ions.is_cation, self.distance)
        graph = unlike
        if self.pairs is Pairs.ANY:
            graph = contact_graph.contacts_among(positions, box, self.distance)
        components = contact_graph.connected_components(graph)
        form = contact_graph.shapes(positions, box, components)
        size = components.size
        charge = contact_graph.net_charges(ions.charge, components)
        self.number[block] += np.bincount(size, minlength=n + 1)
        np.add.at(self.charge[block], charge + self.most_charge, 1)
        finite = components.dimension == 0
        for k, values in enumerate(
            (np.ones(len(size)), form.radius_of_gyration**2, form.anisotropy)
        ):
            self.shape_sums[block, k] += np.bincount(size[finite], values[finite], n + 1)
        self.winds[row] = components.winds.any(axis=0)
        self.series['number_average_size'][row] = n / len(size)
        self.series['weight_average_size'][row] = float((size.astype(float) ** 2).sum()) / n
        self.series['largest_cluster_fraction'][row] = size.max() / n
        self.series['free_ion_fraction'][row] = (size == 1).sum() / n
        self.series['coordination_number'][row] = contact_graph.coordination(unlike).mean()
        self.series['percolation_dimension'][row] = components.dimension.max()


SCALARS = {
    'number_average_size': 'number-average size [ions]',
    'weight_average_size': 'weight-average size [ions]',
    'largest_cluster_fraction': 'largest-cluster fraction',
    'free_ion_fraction': 'free-ion fraction',
    'coordination_number': 'mean coordination number (+-)',
    'percolation_dimension': 'percolation dimension (0 to 3)',
}
# Slow and never constant, so equilibration is looked for in these.
WATCHED = ('number_average_size', 'weight_average_size', 'coordination_number')


def _conclude(tally: _Tally, steps: IntArray, found: PairCorrelation | None) -> IonClusters:
    # The series that settles last decides.
    equilibration = max(
        (detect_equilibration(tally.series[name]) for name in WATCHED),
        key=lambda e: (not e.is_equilibrated, e.start),
    )
    # A series that never settles has no better start than its first frame.
    start = equilibration.start if equilibration.is_equilibrated else 0
    starts = _block_starts(tally)
    first_block = min(int(np.searchsorted(starts, start)), len(starts) - 1)
    start = int(starts[first_block])
    used = slice(start, None)
    inefficiency = max(statistical_inefficiency(tally.series[name][used]) for name in WATCHED)
    n_frames = len(steps) - start
    number, charge, form = (
        merge_blocks(sums[first_block:], inefficiency, n_frames)
        for sums in (tally.number, tally.charge, tally.shape_sums)
    )
    shared = shared_by_neighbours(inefficiency, n_frames / len(number))
    sizes = np.arange(tally.number.shape[1])
    charges = np.arange(tally.charge.shape[1]) - tally.most_charge
    percolation = {
        axis: proportion_with_interval(tally.winds[used, k], inefficiency)
        for k, axis in enumerate(AXES)
    }
    percolation['any'] = proportion_with_interval(
        np.asarray(tally.winds[used].any(axis=1)), inefficiency
    )
    return IonClusters(
        n_ions=len(tally.ions.indices),
        pairs=tally.pairs,
        contact_distance=tally.distance,
        pair_correlation=found,
        steps=steps,
        n_frames=n_frames,
        equilibration=equilibration,
        estimates={
            name: mean_with_interval(each[used]).within(*CLUSTER_LIMITS[name])
            for name, each in tally.series.items()
        },
        percolation=percolation,
        series=tally.series,
        number_distribution=_distribution(sizes, number, shared),
        weight_distribution=_distribution(sizes, number * sizes, shared),
        charge_distribution=_distribution(charges, charge, shared),
        shapes=_mean_shapes(sizes, form, shared),
        verdict='; '.join(filter(None, (equilibration.verdict, *_doubts(tally, steps)))),
    )


def _doubts(tally: _Tally, steps: IntArray) -> Iterator[str]:
    if np.any(np.diff(steps) <= 0):
        yield 'the steps of the frames do not rise: without their order no interval counts'
    if not np.any(tally.series['coordination_number']):
        yield f'no two ions came within the contact distance of {tally.distance:g}'


def _block_starts(tally: _Tally) -> IntArray:
    return np.searchsorted(tally.block_of, np.arange(tally.n_blocks))


def _distribution(values: IntArray, counts: FloatArray, shared: float) -> Distribution:
    """A normalised distribution from counts per block, shape (B, n).

    Args:
        values: Shape (n,).
        counts: In blocks as long as an interval needs.
        shared: As `jackknife`.
    """
    total = counts.sum(axis=0)
    seen = np.flatnonzero(total)
    counts, total = counts[:, seen], total[seen]
    probability = total / total.sum()
    if len(counts) < FEWEST_BLOCKS:
        return Distribution(values[seen], probability, None, None)
    others = total - counts
    # What a few blocks saw has a spread that is known from these alone.
    degrees = np.maximum((counts > 0).sum(axis=0), FEWEST_SEEN) - 1
    without_one = others / others.sum(axis=1, keepdims=True)
    low, high = jackknife(probability, without_one, degrees, shared)
    return Distribution(values[seen], probability, np.maximum(low, 0), np.minimum(high, 1))


def _mean_shapes(sizes: IntArray, sums: FloatArray, shared: float) -> ClusterShapes:
    """Mean shapes from (number, squared radius, anisotropy) sums per block, shape (B, 3, n).

    Args:
        sizes: Shape (n,).
        sums: In blocks as long as an interval needs.
        shared: As `jackknife`.
    """
    total = sums.sum(axis=0)
    seen = np.flatnonzero((total[0] > 0) & (sizes > 1))
    sums, total = sums[:, :, seen], total[:, seen]
    number = total[0].astype(np.int64)
    squared, anisotropy = total[1] / total[0], total[2] / total[0]
    if len(sums) < FEWEST_BLOCKS:
        return ClusterShapes(
            sizes[seen], number, np.sqrt(squared), anisotropy, None, None, None, None
        )
    others = total - sums
    # A size seen in one block alone says nothing about its spread: it gets not a number.
    with np.errstate(invalid='ignore', divide='ignore'):
        squares, anisotropies = others[:, 1] / others[:, 0], others[:, 2] / others[:, 0]
    low, high = jackknife(squared, squares, shared=shared)
    anisotropy_low, anisotropy_high = jackknife(anisotropy, anisotropies, shared=shared)
    return ClusterShapes(
        sizes[seen],
        number,
        np.sqrt(squared),
        anisotropy,
        np.sqrt(np.maximum(low, 0)),
        np.sqrt(high),
        np.maximum(anisotropy_low, 0),
        np.minimum(anisotropy_high, 1),
    )
