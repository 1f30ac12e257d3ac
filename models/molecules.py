"""What a melt is made of, as entries of a model file: monomers, free molecules, salts."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Sequence
from typing import Self

import pydantic
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from models.left_out import Entry
from user_input import Ratio, StrictModel


class BondedBeads(Entry):
    """A connected graph of beads.

    Attributes:
        beads: Bead type of each bead, in the order in which they are written to the frame.
        bonds: Bonds between them, (bead, bead, bond type).
        angles: Angles between them, (bead, centre bead, bead, angle type).
    """

    beads: tuple[str, ...] = Field(min_length=1)
    bonds: tuple[tuple[NonNegativeInt, NonNegativeInt, str], ...] = ()
    angles: tuple[tuple[NonNegativeInt, NonNegativeInt, NonNegativeInt, str], ...] = ()

    @property
    def joints(self) -> tuple[int, int]:
        """The ends of the path: of a monomer, the beads bonded to the units before and after."""
        return (0, 0)

    @property
    def path(self) -> tuple[int, ...]:
        """The beads from which all others are grown, in order: of a monomer, its backbone."""
        first, last = self.joints
        before, found = self._parents((first,)), [last]
        while found[-1] in before:
            found.append(before[found[-1]])
        return tuple(reversed(found)) if found[-1] == first else (first,)

    @pydantic.model_validator(mode='after')
    def _is_a_connected_graph(self) -> Self:
        """Check that indices are in range, bonds are single and connect, and angles follow them."""
        size = len(self.beads)
        indices = [('backbone', index) for index in self.joints]
        indices += [('bonds', index) for bond in self.bonds for index in bond[:2]]
        indices += [('angles', index) for angle in self.angles for index in angle[:3]]
        for key, index in indices:
            if index >= size:
                raise ValueError(
                    f"'{key}' names bead {index}, but the {size} beads are numbered 0 to {size - 1}"
                )
        edges = [frozenset(bond[:2]) for bond in self.bonds]
        for edge, count in collections.Counter(edges).items():
            if len(edge) == 1:
                raise ValueError(f'bead {min(edge)} is bonded to itself: remove that bond')
            if count > 1:
                raise ValueError(f'beads {sorted(edge)} are bonded {count} times: keep one bond')
        for first, centre, last, _ in self.angles:
            missing = [e for e in ({first, centre}, {centre, last}) if frozenset(e) not in edges]
            if missing or first == last:
                raise ValueError(
                    f'angle [{first}, {centre}, {last}] does not follow two bonds: '
                    'write the bonded beads in order, the centre in the middle'
                )
        root = self.joints[0]
        lost = sorted(set(range(size)) - self._parents((root,)).keys() - {root})
        if lost:
            raise ValueError(
                f"bead(s) {lost} are not connected to bead {root}: add the missing 'bonds'"
            )
        return self

    def outward(self, roots: Sequence[int]) -> list[tuple[int, int, str]]:
        """List (bead, parent, bond type) of all that are bonded to `roots`, nearest first."""
        steps: list[tuple[int, int, str]] = []
        reached = list(roots)
        for parent in reached:
            for first, second, bond_type in self.bonds:
                bead = second if first == parent else first
                if parent in (first, second) and bead not in reached:
                    reached.append(bead)
                    steps.append((bead, parent, bond_type))
        return steps

    def _parents(self, roots: Sequence[int]) -> dict[int, int]:
        return {bead: parent for bead, parent, _ in self.outward(roots)}


class Monomer(BondedBeads):
    """A repeat unit: a connected graph of beads of which one or a path join the backbone.

    `backbone` is the bead that joins the backbone; or two, [in, out]: those bonded to the unit
    before and to the unit after. The backbone then runs along the shortest path between them.
    """

    backbone: NonNegativeInt | tuple[NonNegativeInt, NonNegativeInt] = 0

    @property
    def joints(self) -> tuple[int, int]:
        """The bead bonded to the unit before, and the one bonded to the unit after."""
        both = self.backbone
        return both if isinstance(both, tuple) else (both, both)

    @property
    def path_bonds(self) -> tuple[str, ...]:
        """The types of the bonds from bead to bead of the path."""
        return tuple(
            name
            for pair in itertools.pairwise(self.path)
            for *beads, name in self.bonds
            if set(beads) == set(pair)
        )


class Backbone(Entry):
    """How monomers are joined: the type of the bonds between units, and of angles.

    Angles are at all beads along the backbone for which no monomer gives one of its own.
    """

    bond: str
    angle: str | None = None


class Amount(StrictModel):
    """How many molecules of a kind are in a melt: one of three.

    They are counted per repeat unit, in all, or per sigma^3 of the melt as it is built.
    """

    per_monomer: Ratio | None = Field(None, gt=0)
    number: PositiveInt | None = None
    concentration: PositiveFloat | None = None

    @pydantic.model_validator(mode='after')
    def _one(self) -> Self:
        given = [self.per_monomer, self.number, self.concentration]
        if sum(each is not None for each in given) != 1:
            raise ValueError("give one of 'per_monomer', 'number' and 'concentration'")
        return self


class FreeMolecule(BondedBeads, Amount):
    """A molecule beside the chains, such as a solvent."""


class Salt(Amount):
    """An added salt: free ions, as many of each in a formula unit as make it neutral."""

    cation: str
    anion: str


# Bead type of the free ion; or several, each with the fraction of the charge it neutralises.
CounterIons = str | dict[str, Ratio]


def shares_of(ions: CounterIons) -> dict[str, float]:
    """Find the fraction of the charge of a bead that each of its counter-ions neutralises."""
    return {ions: 1.0} if isinstance(ions, str) else dict(ions)
