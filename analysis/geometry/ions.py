"""The ions of a system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.arrays import BoolArray, FloatArray, IntArray
from analysis.geometry.topology import Topology
from user_input import UserError

# Of an ion, in multiples of the smallest.
MOST_CHARGE = 1000


@dataclass(frozen=True)
class Ions:
    """The ions of a system.

    Attributes:
        indices: Their indices among all particles, rising, shape (n,).
        is_cation: Shape (n,).
        charge: Charges in units of the smallest one, shape (n,).
        typeid: Index into `type_names`, shape (n,).
    """

    indices: IntArray
    is_cation: BoolArray
    charge: FloatArray
    typeid: IntArray
    type_names: tuple[str, ...]

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

    def limits(self, distances: Mapping[str, float]) -> FloatArray:
        """Tabulate contact distances by pair of types, shape (T, T): of like ions the largest."""
        table = np.full((len(self.type_names), len(self.type_names)), max(distances.values()))
        for pair, (cation, anion) in self._pairs.items():
            table[cation, anion] = table[anion, cation] = distances[pair]
        return table


def has_ions(topology: Topology) -> bool:
    """Return whether there are charges of both signs, so that there can be ion clusters."""
    return bool(np.any(topology.charge > 0) and np.any(topology.charge < 0))


def find_ions(
    topology: Topology,
    cation_types: tuple[str, ...] | None = None,
    anion_types: tuple[str, ...] | None = None,
) -> Ions:
    """Find the ions from the signs of the charges or from the names of their types.

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
    typeid = topology.typeid[indices].astype(np.int64)
    return Ions(indices, is_cation, charge, typeid, tuple(topology.type_names))
