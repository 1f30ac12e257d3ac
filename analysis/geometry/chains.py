"""Linear chains among the bonds of a system."""

from __future__ import annotations

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.geometry.topology import Snapshot, Topology
from user_input import UserError, nearest_name


def find_chains(topology: Topology, bond_type: str | None = None) -> list[IntArray]:
    """Find each linear chain from end to end, shape (beads,), by the lowest index of an end.

    Side groups count where they are bonded as the chain is: by default bonds are those of type
    'backbone' where there is such a type, else all.

    Raises:
        UserError: If there is no such type, or the bonds branch or close rings.
    """
    names = topology.bond_type_names
    if bond_type is None and 'backbone' in names:
        bond_type = 'backbone'
    if bond_type is not None and bond_type not in names:
        raise UserError(
            f"the trajectory has no bond type '{bond_type}'. " + nearest_name(bond_type, names)
        )
    bonds = topology.bonds
    if bond_type is not None:
        bonds = bonds[topology.bond_typeid == names.index(bond_type)]
    if len(bonds) == 0:
        raise UserError('the trajectory has no bonds along chains.')
    neighbours: dict[int, list[int]] = {}
    for first, second in bonds.tolist():
        neighbours.setdefault(first, []).append(second)
        neighbours.setdefault(second, []).append(first)
    branched = [bead for bead, others in neighbours.items() if len(others) > 2]
    if branched:
        raise UserError(
            f'bead {min(branched)} has more than two bonds along its chain, so it is no linear '
            'chain. Name the type of the bonds along the backbone.'
        )
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
    if len(seen) < len(neighbours):
        raise UserError('some chains are rings, which have no ends.')
    return chains


def whole_chains(snapshot: Snapshot, chains: IntArray) -> FloatArray:
    """Join chains of one length, (C, N), bond by bond: positions (C, N, 3) from the origin."""
    bonds = snapshot.box.nearest_image(np.diff(snapshot.positions[chains], axis=1))
    whole: FloatArray = np.concatenate(
        [np.zeros((len(chains), 1, 3)), np.cumsum(bonds, axis=1)], axis=1
    )
    return whole
