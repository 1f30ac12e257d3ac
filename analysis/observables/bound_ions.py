"""Pairs of ions that are made at one distance and broken at another, followed frame by frame."""

from __future__ import annotations

import numpy as np

from analysis.arrays import BoolArray, FloatArray, IntArray
from analysis.estimators.survival import Lives
from analysis.geometry.contact_graph import ContactGraph, connected_components
from analysis.geometry.ion_pairs import near_pairs, places_of
from analysis.geometry.ions import Ions
from analysis.geometry.topology import Snapshot

NO_KEYS: IntArray = np.zeros(0, dtype=np.int64)


class BoundIons:
    """Follows pairs, and what is made of them; memory is that of the pairs that are bound.

    Args:
        made_within: Distances by pair of types, (T, T).
        broken_beyond: As `made_within`.
        n_counted: Number of frames that count.

    Attributes:
        pairs: Of a cation and an anion, owned by the cation.
        cages: Sets of the anions bound to a cation, which owns them.
        clusters: Of two ions and more.
        stays: Of a cation with its anion: it ends with a hop to another.
    """

    def __init__(
        self, ions: Ions, made_within: FloatArray, broken_beyond: FloatArray, n_counted: int
    ) -> None:
        self._ions, self._within, self._beyond = ions, made_within, broken_beyond
        n = self._n = len(ions.indices)
        self.pairs, self.cages, self.stays = (Lives(n_counted, n) for _ in range(3))
        self.clusters = Lives(n_counted)
        self._n_frames = self._n_percolating = 0
        self._keys = NO_KEYS
        # Between both distances in all frames so far: nobody knows whether they are bound.
        self._unknown: IntArray | None = None
        self._caged = NO_KEYS
        self._cluster, self._sizes = np.full(n, -1), NO_KEYS
        self._anion, self._settled = np.full(n, -1), NO_KEYS

    @property
    def percolating(self) -> float:
        """Share of the frames that count in which a cluster percolates."""
        return self._n_percolating / max(1, self._n_frames)

    def add(self, snapshot: Snapshot, *, is_counted: bool) -> None:
        """Take in the next frame; those that count follow those that do not."""
        near, lengths = near_pairs(self._ions, snapshot, self._beyond)
        cation, anion = np.divmod(near, self._n)
        typeid = self._ions.typeid
        is_made = lengths <= self._within[typeid[cation], typeid[anion]]
        is_bound = is_made | places_of(near, self._keys)[1]
        if self._unknown is None:
            self._unknown = near
        was_unknown = places_of(near, self._unknown)[1]
        self._unknown = near[was_unknown & ~is_bound]
        self._follow_pairs(near[is_bound], ~was_unknown[is_bound], is_counted)
        self._follow_stays(cation[is_bound], anion[is_bound], lengths[is_bound], is_counted)
        if is_counted:
            self._n_frames += 1
            self._follow_clusters(snapshot)

    def _follow_pairs(self, keys: IntArray, began: BoolArray, is_counted: bool) -> None:
        place, was_there = places_of(keys, self._keys)
        came_from = np.where(was_there, place, -1)
        has_ended = np.ones(len(self._keys), dtype=bool)
        has_ended[place[was_there]] = False
        changed = np.concatenate([keys[~was_there], self._keys[has_ended]]) // self._n
        has_changed = np.zeros(self._n, dtype=bool)
        has_changed[changed] = True
        caged = np.unique(keys // self._n)
        if is_counted:
            self.pairs.follow(came_from, keys // self._n, began)
            place, was_caged = places_of(caged, self._caged)
            is_same = was_caged & ~has_changed[caged]
            self.cages.follow(np.where(is_same, place, -1), caged)
        self._keys, self._caged = keys, caged

    def _follow_stays(
        self, cation: IntArray, anion: IntArray, lengths: FloatArray, is_counted: bool
    ) -> None:
        has_left = np.ones(self._n, dtype=bool)
        has_left[cation[anion == self._anion[cation]]] = False
        order = np.lexsort((lengths, cation))
        paired, first = np.unique(cation[order], return_index=True)
        nearest = anion[order][first]
        is_other = has_left[paired]
        self._anion[paired[is_other]] = nearest[is_other]
        settled = np.flatnonzero(self._anion >= 0)
        if is_counted:
            has_hopped = np.zeros(self._n, dtype=bool)
            has_hopped[paired[is_other]] = True
            place, was_settled = places_of(settled, self._settled)
            self.stays.follow(np.where(was_settled & ~has_hopped[settled], place, -1), settled)
        self._settled = settled

    def _follow_clusters(self, snapshot: Snapshot) -> None:
        pairs = np.stack(np.divmod(self._keys, self._n), axis=1)
        pairs = np.concatenate([pairs, self._ions.unlike_bonded])
        positions = snapshot.positions[self._ions.indices]
        apart = snapshot.box.fractions(positions[pairs[:, 1]] - positions[pairs[:, 0]])
        shifts = -np.rint(apart).astype(np.int64)
        found = connected_components(ContactGraph(self._n, pairs, shifts, np.zeros(len(pairs))))
        self._n_percolating += bool(found.dimension.any())
        is_cluster = found.size > 1
        label = np.where(is_cluster, np.cumsum(is_cluster) - 1, -1)[found.label]
        sizes = found.size[is_cluster]
        # More than half of both: no other cluster can have as much.
        in_both = (label >= 0) & (self._cluster >= 0)
        overlaps, shared = np.unique(
            np.stack([label[in_both], self._cluster[in_both]]), axis=1, return_counts=True
        )
        is_same = (2 * shared > sizes[overlaps[0]]) & (2 * shared > self._sizes[overlaps[1]])
        came_from = np.full(len(sizes), -1)
        came_from[overlaps[0, is_same]] = overlaps[1, is_same]
        self.clusters.follow(came_from)
        self._cluster, self._sizes = label, sizes
