"""Pairs of a cation and an anion, each as one number, to find them again in other frames."""

from __future__ import annotations

import numpy as np

from analysis.arrays import BoolArray, FloatArray, IntArray
from analysis.geometry.contact_graph import contacts_in_frames, pairs_in_frames
from analysis.geometry.ions import Ions
from analysis.geometry.topology import Snapshot


def keys_of(pairs: IntArray, ions: Ions) -> IntArray:
    """Return n times the cation plus the anion of pairs of ions, (E, 2) either way round, (E,)."""
    is_first = ions.is_cation[pairs[:, 0]]
    cation, anion = np.where(is_first, pairs.T, pairs.T[::-1])
    return np.asarray(cation * len(ions.indices) + anion)


def near_pairs(ions: Ions, snapshot: Snapshot, limits: FloatArray) -> tuple[IntArray, FloatArray]:
    """Find the pairs up to the limit of their types, (T, T), that no bond holds together.

    Returns their keys, rising, and how far apart they are, (E,) each. UserError as
    `contacts_between`.
    """
    positions, boxes = snapshot.positions[ions.indices][None], [snapshot.box]
    graph = contacts_in_frames(positions, boxes, ions.is_cation, float(limits.max()))
    links = pairs_in_frames(positions, boxes, ions.unlike_bonded)
    graph = graph.within(limits, ions.typeid).without(links)
    keys = keys_of(graph.pairs, ions)
    order = np.argsort(keys)
    return keys[order], graph.lengths[order]


def places_of(keys: IntArray, among: IntArray) -> tuple[IntArray, BoolArray]:
    """Find the places of keys among others, rising, and whether they are there, (E,) each."""
    place = np.minimum(np.searchsorted(among, keys), max(len(among) - 1, 0))
    if len(among) == 0:
        return place, np.zeros(len(keys), dtype=bool)
    return place, np.asarray(among[place] == keys)
