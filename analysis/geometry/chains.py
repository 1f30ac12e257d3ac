"""Chains and molecules among the bonds of a system."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.geometry.topology import Snapshot, Topology
from user_input import UserError, nearest_name


def bonds_along_chains(topology: Topology, bond_types: Collection[str] | None = None) -> IntArray:
    """Select the bonds of some types, each once, shape (M, 2).

    By default bonds are those of type 'backbone' where there is such a type, so that side groups
    do not count, else all. UserError if there are none.
    """
    names = topology.bond_type_names
    if bond_types is None and 'backbone' in names:
        bond_types = ('backbone',)
    for each in bond_types or ():
        if each not in names:
            raise UserError(
                f"the trajectory has no bond type '{each}'. " + nearest_name(each, names)
            )
    bonds = topology.bonds
    if bond_types is not None:
        bonds = bonds[np.isin(topology.bond_typeid, [names.index(each) for each in bond_types])]
    if len(bonds) == 0:
        raise UserError(
            'the trajectory has no bonds along chains. Give a file that has them (--data), or the '
            'types of those that it has (--bond-type).'
        )
    return np.unique(np.sort(bonds, axis=1), axis=0)


def linear_chains(bonds: IntArray) -> list[IntArray]:
    """Find each chain from end to end, shape (beads,), by the lowest index of an end.

    Bonds are those of `bonds_along_chains`, shape (M, 2); where some branch or close rings, not all
    are linear, and there is no chain.
    """
    neighbours: dict[int, list[int]] = {}
    for first, second in bonds.tolist():
        neighbours.setdefault(first, []).append(second)
        neighbours.setdefault(second, []).append(first)
    if max(map(len, neighbours.values())) > 2:
        return []
    ends = sorted(bead for bead, others in neighbours.items() if len(others) == 1)
    chains: list[IntArray] = []
    seen: set[int] = set()
    for end in ends:
        if end in seen:
            continue
        chain = [end]
        seen.add(end)
        while following := [bead for bead in neighbours[chain[-1]] if bead not in seen]:
            chain.append(following[0])
            seen.add(following[0])
        chains.append(np.array(chain, dtype=np.int64))
    return chains if len(seen) == len(neighbours) else []


def molecules(n: int, bonds: IntArray) -> IntArray:
    """Find which molecule each of `n` particles is in, (N,), from 0 on; bonds (M, 2) join them."""
    from scipy import sparse  # not at the top: importing the project must not load SciPy
    from scipy.sparse import csgraph

    matrix = sparse.coo_array((np.ones(len(bonds)), tuple(bonds.T)), shape=(n, n))
    return np.asarray(csgraph.connected_components(matrix, directed=False)[1])


def count_molecules(n: int, bonds: IntArray) -> int:
    """Count the `molecules` of `n` particles; a free particle is one."""
    return int(molecules(n, bonds).max(initial=-1)) + 1


def whole_chains(snapshot: Snapshot, chains: IntArray) -> FloatArray:
    """Join chains of one length, (C, N), bond by bond: positions (C, N, 3) from the origin."""
    bonds = snapshot.box.nearest_image(np.diff(snapshot.positions[chains], axis=1))
    whole: FloatArray = np.concatenate(
        [np.zeros((len(chains), 1, 3)), np.cumsum(bonds, axis=1)], axis=1
    )
    return whole
