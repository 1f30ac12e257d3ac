"""Graphs of contacts in a periodic box: components, windings, shapes. Pure functions on arrays.

Graphs of several frames lie side by side in one: many small ones cost hardly more than one so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.arrays import BoolArray, FloatArray, IntArray
from analysis.geometry.box import Box
from user_input import UserError

# For the square of so many particles, looking at all pairs is faster than a tree.
FEW_PAIRS = 64**2
# Frames of few particles are looked at together, up to so many in all.
PARTICLES_AT_ONCE = 4000
# Three numbers of box vectors, of up to a million, are added as one of 63 bits: faster.
BITS = 21
_PLACES = BITS * np.arange(3)


@dataclass(frozen=True)
class ContactGraph:
    """Contacts between `n` particles.

    Attributes:
        pairs: Particles in contact, each pair once, shape (E, 2).
        shifts: Box vectors to add to the second particle of each pair to bring it beside the
            first, shape (E, 3).
        lengths: Distances of the pairs, shape (E,).
    """

    n: int
    pairs: IntArray
    shifts: IntArray
    lengths: FloatArray

    def only(self, is_kept: BoolArray) -> ContactGraph:
        """Keep some of the contacts, by a mask of shape (E,)."""
        kept = np.flatnonzero(is_kept)  # much faster than a mask for rows
        return replace(
            self,
            pairs=self.pairs.take(kept, axis=0),
            shifts=self.shifts.take(kept, axis=0),
            lengths=self.lengths.take(kept),
        )

    def within(self, limits: FloatArray, typeid: IntArray) -> ContactGraph:
        """Keep contacts up to the limit of their types, (T, T); types of the particles, (N,)."""
        first, second = self.pairs.T
        return self.only(self.lengths <= limits[typeid[first], typeid[second]])

    def without(self, others: ContactGraph) -> ContactGraph:
        """Leave out contacts that another graph of the same particles has."""
        if not len(others.pairs):
            return self
        return self.only(~np.isin(self._keys, others._keys))

    def joined(self, others: ContactGraph) -> ContactGraph:
        """Add the contacts of another graph of the same particles."""
        if not len(others.pairs):
            return self
        return _joined(self.n, [self, others])

    def of_frames(self, frames: IntArray, n: int) -> ContactGraph:
        """Take the graphs of some `frames`, of `n` particles each, out of those side by side."""
        place = np.full(self.n // n, -1)
        place[frames] = np.arange(len(frames))
        frame = self.pairs[:, 0] // n
        is_own = place[frame] >= 0
        own, frame = self.only(is_own), frame[is_own]
        pairs = own.pairs - n * (frame - place[frame])[:, None]
        return ContactGraph(n * len(frames), pairs, own.shifts, own.lengths)

    @property
    def _keys(self) -> IntArray:
        return np.asarray(self.pairs.min(axis=1) * self.n + self.pairs.max(axis=1))


@dataclass(frozen=True)
class Components:
    """Connected components of a contact graph, made whole across the boundary.

    Attributes:
        label: Component of each particle, shape (N,).
        size: Particles in each component, shape (K,).
        offsets: Box vectors to add to each particle to join its component, shape (N, 3).
        winds: Whether a closed path of the component winds round the box along each of its
            vectors, shape (K, 3).
        dimension: Number of independent windings, 0 to 3, shape (K,).
    """

    label: IntArray
    size: IntArray
    offsets: IntArray
    winds: BoolArray
    dimension: IntArray


@dataclass(frozen=True)
class Shapes:
    """Shapes of components, from their gyration tensors, shape (K, 3, 3), in length squared.

    The relative shape anisotropy is 0 for a sphere and 1 for a line.
    """

    gyration_tensor: FloatArray
    radius_of_gyration: FloatArray
    anisotropy: FloatArray


def contacts_between(
    positions: FloatArray, box: Box, is_first: BoolArray, distance: float
) -> ContactGraph:
    """Find contacts between unlike particles, those of `is_first`, shape (N,), and the others.

    Positions are wrapped, shape (N, 3); contacts are up to `distance`.

    Raises:
        UserError: If the box is somewhere narrower than twice the contact distance.
    """
    first, second = np.flatnonzero(is_first), np.flatnonzero(~is_first)
    found, lengths = _query(positions[first], positions[second], box, distance)
    pairs = np.stack([second[found[:, 0]], first[found[:, 1]]], axis=1)
    return _nearest_images(positions, box, pairs, lengths)


def contacts_among(positions: FloatArray, box: Box, distance: float) -> ContactGraph:
    """Find contacts between any two particles; arguments and errors as for `contacts_between`."""
    found, lengths = _query(positions, positions, box, distance)
    once = found[:, 0] < found[:, 1]
    return _nearest_images(positions, box, found[once], lengths[once])


def contacts_in_frames(
    positions: FloatArray, boxes: Sequence[Box], is_first: BoolArray | None, distance: float
) -> ContactGraph:
    """Find contacts in several frames, which lie side by side in the graph.

    Between unlike particles, those of `is_first`, (N,), and the others; with None between any two.
    Positions have shape (F, N, 3). Errors as for `contacts_between`.
    """
    n = positions.shape[1]
    if n**2 <= FEW_PAIRS:
        for box in boxes:
            _check_width(box, distance)
        first, second = np.triu_indices(n, 1)
        if is_first is not None:
            is_unlike = is_first[first] != is_first[second]
            first, second = first[is_unlike], second[is_unlike]
        graph = pairs_in_frames(positions, boxes, np.stack([first, second], axis=1))
        return graph.only(graph.lengths <= distance)
    frames = zip(positions, boxes, strict=True)
    if is_first is None:
        return side_by_side([contacts_among(*each, distance) for each in frames])
    return side_by_side([contacts_between(*each, is_first, distance) for each in frames])


def nearest(points: FloatArray, query_points: FloatArray, box: Box) -> IntArray:
    """Find the point, of (N, 3), nearest to each query point, of (M, 3); -1 beyond half the box."""
    import freud

    tree = freud.locality.AABBQuery(box.for_freud, points)
    one = {'mode': 'nearest', 'num_neighbors': 1, 'exclude_ii': False}
    found = np.full(len(query_points), -1)
    pairs = np.asarray(tree.query(query_points, one).toNeighborList()[:], dtype=np.int64)
    found[pairs[:, 0]] = pairs[:, 1]
    return found


def pairs_in_frames(positions: FloatArray, boxes: Sequence[Box], pairs: IntArray) -> ContactGraph:
    """Join the same pairs, (M, 2), in several frames, (F, N, 3), whatever their distances."""
    n_frames, n, _ = positions.shape
    if not len(pairs):
        return ContactGraph(n_frames * n, pairs, np.zeros((0, 3), dtype=np.int64), np.zeros(0))
    fractions = np.stack([box.fractions(each) for box, each in zip(boxes, positions, strict=True)])
    apart = fractions[:, pairs[:, 1]] - fractions[:, pairs[:, 0]]
    shifts = -np.rint(apart)
    vectors = (apart + shifts) @ np.stack([box.matrix for box in boxes])
    lengths = np.sqrt(np.einsum('fpa,fpa->fp', vectors, vectors)).ravel()
    of_frames = (pairs + n * np.arange(n_frames)[:, None, None]).reshape(-1, 2)
    return ContactGraph(n_frames * n, of_frames, shifts.reshape(-1, 3).astype(np.int64), lengths)


def side_by_side(graphs: Sequence[ContactGraph]) -> ContactGraph:
    """Join graphs of `n` particles each into one without contacts between them."""
    n = graphs[0].n
    moved = [replace(graph, pairs=graph.pairs + k * n) for k, graph in enumerate(graphs)]
    return moved[0] if len(moved) == 1 else _joined(n * len(graphs), moved)


def connected_components(graph: ContactGraph) -> Components:
    """Find the components and how they wind round the periodic box.

    Each component is unfolded along a spanning tree. An edge beside the tree closes a path; the
    box vectors that are missing when its ends are compared are the winding of that path, and these
    paths generate all closed paths. So a component percolates along an axis, that is a vector
    of the box, when one of its windings has a part along it, and their rank is the dimension of
    percolation (see Livraghi et al. 2021, doi 10.1021/acs.jctc.1c00423, for the same idea).
    """
    n_components, label = _labels(graph)
    size = np.bincount(label, minlength=n_components)
    # What no contact joins across the boundary is whole as it is.
    is_across = np.zeros(n_components, dtype=bool)
    is_across[label[graph.pairs[graph.shifts.any(axis=1), 0]]] = True
    graph = graph.only(is_across[label[graph.pairs[:, 0]]])
    pairs = graph.pairs
    roots = np.unique(label, return_index=True)[1][is_across]
    shifts = graph.shifts @ 2**_PLACES
    offsets = _unfold(graph, shifts, _spanning_forest(graph, roots))
    winding = offsets[pairs[:, 0]] + shifts - offsets[pairs[:, 1]]
    closed = np.flatnonzero(winding)
    owner, winding = label[pairs[closed, 0]], _three_numbers(winding[closed])
    winds = np.zeros((n_components, 3), dtype=bool)
    dimension = np.zeros(n_components, dtype=np.int64)
    gram = np.zeros((n_components, 3, 3))
    np.logical_or.at(winds, owner, winding != 0)
    np.add.at(gram, owner, (winding[:, :, None] * winding[:, None, :]).astype(np.float64))
    percolating = np.flatnonzero(winds.any(axis=1))
    if len(percolating):
        dimension[percolating] = np.linalg.matrix_rank(gram[percolating], hermitian=True)
    return Components(label, size, _three_numbers(offsets), winds, dimension)


def component_sizes(graph: ContactGraph, n: int) -> tuple[IntArray, IntArray]:
    """Count the particles in each component, without unfolding them; also find its frame, (K,).

    Frames of `n` particles lie side by side.
    """
    n_components, label = _labels(graph)
    frame = np.empty(n_components, dtype=np.int64)
    frame[label] = np.arange(graph.n) // n
    return np.bincount(label, minlength=n_components), frame


def _labels(graph: ContactGraph) -> tuple[int, IntArray]:
    """Label the component of each particle, shape (N,); also the number of components."""
    from scipy import sparse  # not at the top: importing the project must not load SciPy
    from scipy.sparse import csgraph

    n, pairs = graph.n, graph.pairs
    matrix = sparse.coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    n_components, label = csgraph.connected_components(matrix, directed=False)
    return int(n_components), label.astype(np.int64)


def shapes(positions: FloatArray, boxes: Sequence[Box], components: Components) -> Shapes:
    """Compute gyration tensors of the components; without meaning for those that percolate.

    Relative shape anisotropy 1 - 3 (l1 l2 + l2 l3 + l3 l1) / (l1 + l2 + l3)^2, Theodorou and
    Suter 1985, doi 10.1021/ma00148a028. It is 0 for a single particle. Positions are wrapped,
    shape (F, N, 3) for frames side by side.
    """
    label, size = components.label, components.size
    k = len(size)
    offsets = components.offsets.reshape(positions.shape)
    whole = (positions + offsets @ np.stack([box.matrix for box in boxes])).reshape(-1, 3)
    # Counting from a member of the component keeps digits that large coordinates would cost.
    whole = whole - whole[np.unique(label, return_index=True)[1]][label]
    centre = np.stack([np.bincount(label, whole[:, a], k) for a in range(3)], axis=1)
    relative = whole - (centre / size[:, None])[label]
    tensor = np.empty((k, 3, 3))
    for a in range(3):
        for b in range(a, 3):
            sums = np.bincount(label, relative[:, a] * relative[:, b], k) / size
            tensor[:, a, b] = tensor[:, b, a] = sums
    trace = np.trace(tensor, axis1=1, axis2=2)
    minors = (trace**2 - (tensor**2).sum(axis=(1, 2))) / 2
    is_extended = trace > 0
    anisotropy = np.zeros(k)
    anisotropy[is_extended] = 1 - 3 * minors[is_extended] / trace[is_extended] ** 2
    return Shapes(tensor, np.sqrt(trace), anisotropy)


def coordination(graph: ContactGraph) -> IntArray:
    """Count the contacts of each particle, shape (N,)."""
    return np.asarray(np.bincount(graph.pairs.ravel(), minlength=graph.n), dtype=np.int64)


def _query(
    points: FloatArray, query_points: FloatArray, box: Box, distance: float
) -> tuple[IntArray, FloatArray]:
    """Find pairs (query point, point) within `distance`, shape (E, 2), and how far apart, (E,)."""
    import freud

    _check_width(box, distance)
    tree = freud.locality.AABBQuery(box.for_freud, points)
    found = tree.query(query_points, {'r_max': distance, 'exclude_ii': False}).toNeighborList()
    pairs = np.asarray(found[:], dtype=np.int64).reshape(-1, 2)
    return pairs, np.asarray(found.distances, dtype=np.float64)


def _nearest_images(
    positions: FloatArray, box: Box, pairs: IntArray, lengths: FloatArray
) -> ContactGraph:
    shifts = -np.rint(box.fractions(positions[pairs[:, 1]] - positions[pairs[:, 0]]))
    return ContactGraph(len(positions), pairs, shifts.astype(np.int64), lengths)


def _check_width(box: Box, distance: float) -> None:
    if box.least_width < 2 * distance:
        raise UserError(
            f'contact distance {distance:.4g}: more than half the least width of the box '
            f'({box.least_width:.4g}), so a particle could touch two images of another. Give a '
            'shorter contact distance or use a larger system.'
        )


def _joined(n: int, graphs: Sequence[ContactGraph]) -> ContactGraph:
    return ContactGraph(
        n,
        np.concatenate([graph.pairs for graph in graphs]),
        np.concatenate([graph.shifts for graph in graphs]),
        np.concatenate([graph.lengths for graph in graphs]),
    )


def _spanning_forest(graph: ContactGraph, roots: IntArray) -> IntArray:
    """Find the parent of each particle, itself for `roots` and those not joined to any, (N,)."""
    from scipy import sparse
    from scipy.sparse import csgraph

    n = graph.n
    # A virtual particle n joins the components, so that one search spans them all.
    rows = np.concatenate([graph.pairs[:, 0], np.full(len(roots), n)])
    columns = np.concatenate([graph.pairs[:, 1], roots])
    joined = sparse.coo_array((np.ones(len(rows)), (rows, columns)), shape=(n + 1, n + 1)).tocsr()
    _, found = csgraph.breadth_first_order(joined, n, directed=False, return_predecessors=True)
    parent = np.arange(n)
    is_child = (found[:n] >= 0) & (found[:n] < n)
    parent[is_child] = found[:n][is_child]
    return parent


def _unfold(graph: ContactGraph, shifts: IntArray, parent: IntArray) -> IntArray:
    """Sum the shifts, (E,), from each particle up to its root, halving the way with each round."""
    offsets = np.zeros(graph.n, dtype=np.int64)
    first, second = graph.pairs[:, 0], graph.pairs[:, 1]
    for child, other, shift in ((second, first, shifts), (first, second, -shifts)):
        tree = np.flatnonzero(parent[child] == other)
        offsets[child[tree]] = shift[tree]
    above = parent.copy()
    under_way = np.flatnonzero(above[above] != above)
    while len(under_way):
        reached = above[under_way]
        offsets[under_way] += offsets[reached]
        above[under_way] = above[reached]
        under_way = under_way[above[above[under_way]] != above[under_way]]
    return offsets


def _three_numbers(packed: IntArray) -> IntArray:
    """Take the three numbers of box vectors out of each one, shape (n, 3)."""
    half = 1 << (BITS - 1)
    raised = packed[:, None] + (half << _PLACES).sum()
    return np.asarray((raised >> _PLACES & (2 * half - 1)) - half)
