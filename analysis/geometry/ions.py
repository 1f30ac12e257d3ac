"""The ions of a system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from analysis.arrays import BoolArray, FloatArray, IntArray
from analysis.geometry.chains import molecules
from analysis.geometry.shells import unite_shells
from analysis.geometry.topology import Snapshot, Topology
from user_input import UserError

# Charges in files have few digits: of a small enough unit all are whole multiples.
ROUGHLY_WHOLE, MOST_OF_A_UNIT = 0.01, 9


class BondedIons(StrEnum):
    """What becomes of ions that bonds hold together, in g(+-) and among contacts."""

    LEAVE_OUT = 'leave-out'
    LEAVE_OUT_1_3 = 'leave-out-1-3'
    KEEP = 'keep'


@dataclass(frozen=True)
class Ions:
    """The ions of a system.

    Attributes:
        indices: Their indices among all particles, rising, shape (n,).
        is_cation: Shape (n,).
        charge: In the units of the file, of core and shell together, shape (n,).
        typeid: Index into `type_names`, shape (n,).
        bonded: Pairs of ions that are no contacts, each once, as indices of `indices`, (M, 2).
        remarks: What a reader of the results has to know of charges, shells and bonds.
        parts: Charges that are parts of that of a molecule (`parts_of_charges`), where each counts
            as an ion; else empty.
    """

    indices: IntArray
    is_cation: BoolArray
    charge: FloatArray
    typeid: IntArray
    type_names: tuple[str, ...]
    bonded: IntArray
    remarks: tuple[str, ...]
    parts: str = ''

    @property
    def pairs(self) -> dict[str, tuple[IntArray, IntArray]]:
        """Particles of a cation type and of an anion type, for each pair of them, as 'Li-S'."""
        return {
            pair: (
                self.indices[self.is_cation & (self.typeid == cation)],
                self.indices[~self.is_cation & (self.typeid == anion)],
            )
            for pair, (cation, anion) in self._pairs.items()
        }

    @property
    def _pairs(self) -> dict[str, tuple[int, int]]:
        cations, anions = np.unique(self.typeid[self.is_cation]), self.typeid[~self.is_cation]
        return {
            f'{self.type_names[cation]}-{self.type_names[anion]}': (int(cation), int(anion))
            for cation in cations
            for anion in np.unique(anions)
        }

    @property
    def unlike_bonded(self) -> IntArray:
        """Those of the bonded pairs that are of a cation and an anion, shape (M, 2)."""
        is_cation = self.is_cation[self.bonded]
        return np.asarray(self.bonded[is_cation[:, 0] != is_cation[:, 1]])

    def limits(self, distances: Mapping[str, float]) -> FloatArray:
        """Tabulate contact distances by pair of types, shape (T, T): of like ions the largest."""
        table = np.full((len(self.type_names), len(self.type_names)), max(distances.values()))
        for pair, (cation, anion) in self._pairs.items():
            table[cation, anion] = table[anion, cation] = distances[pair]
        return table


def has_ions(topology: Topology) -> bool:
    """Return whether there are charges of both signs, so that there can be ion clusters."""
    return bool(np.any(topology.charge > 0) and np.any(topology.charge < 0))


def parts_of_charges(topology: Topology) -> str:
    """List charges that are parts of that of a molecule, by type; empty where all are of ions.

    Those of ions are whole, or few of a unit, of which the least has one, two or three. Others are
    parts if bonds join charges; or if no bonds are known, and there are three and more.
    """
    is_charged = topology.charge != 0
    sizes = np.unique(np.abs(topology.charge[is_charged]))
    joins_charges = np.all(is_charged[topology.bonds], axis=1).any()
    if not joins_charges and (len(topology.bonds) or len(sizes) < 3):
        return ''
    in_e, *in_parts = (sizes / unit for unit in (1.0, sizes[0], sizes[0] / 2, sizes[0] / 3))
    if any(
        np.abs(each - np.rint(each)).max() < ROUGHLY_WHOLE
        for each in (in_e, *(each for each in in_parts if each[-1] < MOST_OF_A_UNIT))
    ):
        return ''
    return _listed(topology, topology.charge[is_charged], topology.typeid[is_charged])


def find_ions(
    topology: Topology,
    first: Snapshot,
    cation_types: tuple[str, ...] | None = None,
    anion_types: tuple[str, ...] | None = None,
    shell_types: tuple[str, ...] | None = None,
    bonded: BondedIons = BondedIons.LEAVE_OUT,
) -> Ions:
    """Find the ions from the signs of the charges or from the names of their types.

    A shell and its core are one ion, where the core is (see `unite_shells`), which looks at the
    `first` frame. Ions of named types have the charges of the file where all have the sign that
    they are named for, and else 1 and -1. Where those are parts of the charges of molecules, each
    stands for its molecule, and has its charge.

    Raises:
        UserError: If there are no ions of one of the two kinds, a type has no such name, or
            particles may or may not be shells.
    """
    if (cation_types is None) != (anion_types is None):
        raise UserError('name the types of the cations and of the anions, or neither.')
    named = (cation_types or ()) + (anion_types or ())
    topology, shells = unite_shells(topology, first, shell_types, named)
    if cation_types is not None and anion_types is not None:
        cations, anions = topology.indices_of(cation_types), topology.indices_of(anion_types)
        if len(both := np.intersect1d(cations, anions)):
            name = topology.type_names[topology.typeid[both[0]]]
            raise UserError(f"type '{name}' cannot be both cation and anion.")
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
    indices = np.setdiff1d(np.concatenate([cations, anions]), shells)
    is_cation = np.isin(indices, cations)
    charge, typeid = topology.charge[indices], topology.typeid[indices].astype(np.int64)
    sign = np.where(is_cation, 1.0, -1.0)
    parts, is_assumed = parts_of_charges(topology), False
    if parts and named:
        molecule = molecules(len(topology.charge), topology.bonds)
        charge = np.bincount(molecule, topology.charge)[molecule[indices]]
        # Of several ions of a molecule, or without bonds, no one knows which has which charge.
        own = np.bincount(molecule[indices])
        parts, is_assumed = '', bool(len(topology.bonds) == 0 or own.max() > 1)
    is_assumed = is_assumed or bool(np.any(charge * sign <= 0))
    pairs = _bonded_pairs(topology, indices, bonded)
    remarks = [_remark_on_charges(topology, charge, typeid, is_assumed)]
    if len(shells):
        remarks.append(f'{len(shells)} shells (Drude particles) count with their cores')
    if len(pairs):
        remarks.append(
            f'{len(pairs)} pairs of bonded ions are in one cluster without a contact '
            f'(--bonded-ions {bonded})'
        )
    return Ions(
        indices,
        is_cation,
        sign if is_assumed else charge,
        typeid,
        tuple(topology.type_names),
        pairs,
        tuple(remarks),
        parts,
    )


def _remark_on_charges(
    topology: Topology, charge: FloatArray, typeid: IntArray, is_assumed: bool
) -> str:
    listed = _listed(topology, charge, typeid)
    if not is_assumed:
        return f'charges, in the units of the file: {listed}'
    if not np.any(charge):
        return 'the file has no charges of the ions: 1 and -1 are assumed'
    return (
        f'the charges in the file ({listed}) are not those of the ions that the types are named '
        'for: 1 and -1 are assumed'
    )


def _listed(topology: Topology, charge: FloatArray, typeid: IntArray) -> str:
    listed = []
    for k in np.unique(typeid):
        low, high = charge[typeid == k].min(), charge[typeid == k].max()
        value = f'{low:.6g}' if high - low <= 1e-6 * abs(high) else f'{low:.6g} to {high:.6g}'
        listed.append(f'{topology.type_names[k]} {value}')
    return ', '.join(listed)


def _bonded_pairs(topology: Topology, indices: IntArray, bonded: BondedIons) -> IntArray:
    """Find pairs of ions with one bond between them, or up to two, shape (M, 2)."""
    from scipy import sparse  # not at the top: importing the project must not load SciPy

    is_ion = np.zeros(len(topology.charge), dtype=bool)
    is_ion[indices] = True
    bonds = topology.bonds
    if bonded is BondedIons.KEEP or not np.any(is_ion[bonds]):
        return np.zeros((0, 2), dtype=np.int64)
    n = len(is_ion)
    one_way = sparse.coo_array((np.ones(len(bonds)), (bonds[:, 0], bonds[:, 1])), shape=(n, n))
    matrix = (one_way + one_way.T).tocsr()
    ions = matrix[indices]
    near = ions[:, indices]
    if bonded is BondedIons.LEAVE_OUT_1_3:
        near = near + ions @ matrix[:, indices]
    first, second = sparse.triu(near, 1).nonzero()
    return np.stack([first, second], axis=1).astype(np.int64)
