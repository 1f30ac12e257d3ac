"""Cores and the charged shells that polarise them, as Drude particles: together one ion.

A shell is what users name as one. Else it is bonded to its core alone, and light: a Drude particle
weighs 0.4 u, the shell of LAMMPS' core/shell package a tenth of the core (Lamoureux and Roux 2003,
doi 10.1063/1.1589749; Mitchell and Fincham 1993, doi 10.1088/0953-8984/5/8/006). Where masses are
equal, as where a file has none, the two charges tell: of opposite signs, and whole only together.
Two bonded ions of whole charges, a zwitterion, stay two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import numpy as np

from analysis.arrays import BoolArray, FloatArray, IntArray
from analysis.geometry.contact_graph import nearest
from analysis.geometry.topology import Snapshot, Topology
from user_input import UserError

# Of the mass of a core.
MOST_MASS = 1 / 8
# Charges are in single precision in many files.
TOLERANCE, ROUNDING = 1e-3, 1e-6


def unite_shells(
    topology: Topology,
    first: Snapshot,
    shell_types: tuple[str, ...] | None = None,
    ion_types: tuple[str, ...] = (),
) -> tuple[Topology, IntArray]:
    """Move the charges of shells onto their cores; also the indices of the shells, shape (M,).

    What is named as an ion, by `ion_types`, is no shell unless its core is too. Positions are
    needed where shells are not bonded: those of the `first` frame.

    Raises:
        UserError: If named shells do not have a core each, or if particles that are not bonded
            look like shells, and neither they nor their cores are named.
    """
    if shell_types is None:
        shells, cores = _bonded_shells(topology, ion_types)
        if not len(shells):
            shells, cores = _loose_shells(topology, first, ion_types)
    else:
        shells = topology.indices_of(shell_types)
        cores = _cores_of(topology, first, shells, shell_types)
    if not len(shells):
        return topology, shells
    charge = topology.charge.copy()
    np.add.at(charge, cores, charge[shells])
    charge[np.abs(charge) < ROUNDING * np.abs(topology.charge).max()] = 0
    charge[shells] = 0
    return replace(topology, charge=charge), shells


def _bonded_shells(topology: Topology, ion_types: tuple[str, ...]) -> tuple[IntArray, IntArray]:
    charge, mass = topology.charge, topology.mass
    bonds = topology.bonds[np.all(charge[topology.bonds] != 0, axis=1)]
    if not len(bonds):
        return bonds[:, 0], bonds[:, 1]
    shell, core = _lighter_first(topology, bonds).T
    bonds_of = np.bincount(topology.bonds.ravel(), minlength=len(charge))
    is_shell = (mass[shell] < MOST_MASS * mass[core]) | (
        (mass[shell] == mass[core]) & _is_split(charge[shell], charge[core])
    )
    named = topology.indices_of(ion_types)
    is_shell &= (bonds_of[shell] == 1) & (~np.isin(shell, named) | np.isin(core, named))
    return shell[is_shell], core[is_shell]


def _lighter_first(topology: Topology, pairs: IntArray) -> IntArray:
    """Order each pair, (M, 2): the lighter first, of equal masses the negative."""
    mass, charge = topology.mass[pairs], topology.charge[pairs]
    turned = (mass[:, 0] > mass[:, 1]) | (
        (mass[:, 0] == mass[:, 1]) & (charge[:, 0] > charge[:, 1])
    )
    return np.where(turned[:, None], pairs[:, ::-1], pairs)


def _is_split(one: FloatArray, other: FloatArray) -> BoolArray:
    """Return whether two charges of opposite signs are parts of a whole one."""
    total = one + other
    return np.asarray(
        (one * other < 0)
        & ~_is_whole(one)
        & ~_is_whole(other)
        & _is_whole(total)
        & (np.abs(total) > 0.5)
    )


def _is_whole(charge: FloatArray) -> BoolArray:
    return np.asarray(np.abs(charge - np.rint(charge)) < TOLERANCE)


def _cores_of(
    topology: Topology, first: Snapshot, shells: IntArray, names: tuple[str, ...]
) -> IntArray:
    """Find the core of each shell: what it is bonded to, or else its nearest neighbour."""
    others = np.setdiff1d(np.arange(len(topology.charge)), shells)
    if not len(shells):
        return shells
    either_way = np.concatenate([topology.bonds, topology.bonds[:, ::-1]])
    core_of = np.full(len(topology.charge), -1)
    core_of[either_way[:, 0]] = either_way[:, 1]
    cores = core_of[shells]
    is_loose = cores < 0
    if np.any(is_loose) and len(others):
        cores[is_loose] = _nearest(first, others, shells[is_loose])
    is_known = (cores >= 0) & ~np.isin(cores, shells)
    if not np.all(is_known) or len(np.unique(cores)) < len(cores):
        raise UserError(f'--shells {" ".join(names)}: these particles do not have a core each.')
    return cores


def _nearest(first: Snapshot, of: IntArray, to: IntArray) -> IntArray:
    """Find the nearest of some particles to each of others; -1 beyond half the box."""
    found = nearest(first.positions[of], first.positions[to], first.box)
    return np.append(of, -1)[found]


def _loose_shells(
    topology: Topology, first: Snapshot, ion_types: tuple[str, ...]
) -> tuple[IntArray, IntArray]:
    """Find shells without bonds: taken where their cores are among the `ion_types`, else refused.

    All particles of a type have to have one of the other type as their nearest charged neighbour.
    """
    names = topology.type_names
    found = [
        (names[topology.typeid[pairs[0, 0]]], names[topology.typeid[pairs[0, 1]]], pairs)
        for pairs in _loose_pairs(topology, first)
    ]
    if not ion_types and found:
        shell, core, pairs = found[0]
        one, other = topology.charge[pairs[0]]
        raise UserError(
            f"each particle of type '{shell}' (charge {one:.4g}) has one of type '{core}' "
            f'({other:.4g}) next to it, and together they have a whole charge: they look like '
            f'Drude particles and their cores. Name the former (--shells '
            f'{" ".join(each[0] for each in found)}) or say that there are none (--shells).'
        )
    taken = [pairs for _, core, pairs in found if core in ion_types]
    shells, cores = np.concatenate([np.zeros((0, 2), dtype=np.int64), *taken]).T
    return shells, cores


def _loose_pairs(topology: Topology, first: Snapshot) -> Iterator[IntArray]:
    """Pair the particles of two types whose charges are whole only together, shape (M, 2)."""
    charge = topology.charge
    charged = np.flatnonzero(charge)
    if np.all(_is_whole(charge[charged])):
        return
    members = [charged[topology.typeid[charged] == k] for k in np.unique(topology.typeid[charged])]
    for one, other in combinations([each for each in members if np.ptp(charge[each]) == 0], 2):
        pairs = np.stack([one[:1], other[:1]], axis=1)
        if len(one) != len(other) or not _is_split(*charge[pairs[0]]):
            continue
        if _lighter_first(topology, pairs)[0, 0] != one[0]:
            one, other = other, one
        rest = np.setdiff1d(charged, one)
        cores = _nearest(first, rest, one)
        if np.array_equal(np.sort(cores), other):
            yield np.stack([one, cores], axis=1)
