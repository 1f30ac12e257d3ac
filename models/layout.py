"""The polymer molecules of a melt as arrays: their units, their backbones, where the beads are."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.architecture import FEWEST_IN_RING, Architecture, Ring, Star, strand_lengths
from models.backbone_walk import (
    BOND_LENGTH,
    closed_walk_directions,
    walk_directions,
    walk_positions,
)
from models.entries import Bond, FeneBond
from models.model import Model
from models.side_chains import free_directions, grow_beads
from user_input import UserError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

NONE = -1


@dataclasses.dataclass(frozen=True, eq=False)
class Layout:
    """The U repeat units of all molecules, one after another, and the P beads of their backbones.

    Attributes:
        monomer: Shape (U,), index in the model; so are `molecule` and `first_bead` of units.
        beads: Number in all molecules.
        unit: Shape (P,), of a bead of a backbone; `place` is that in the path of its unit.
        bead: Shape (P,), its index among all.
        is_first: Shape (P,), whether it begins a strand.
        before: Shape (P,), its neighbour in this list, -1 at an end; so is `after`.
    """

    monomer: IntArray
    molecule: IntArray
    first_bead: IntArray
    beads: int
    unit: IntArray
    place: IntArray
    bead: IntArray
    is_first: BoolArray
    before: IntArray
    after: IntArray

    def backbone_bonds(self) -> IntArray:
        """List the beads of the bonds between units, shape (bonds, 2)."""
        joined = np.flatnonzero((self.place == 0) & (self.before != NONE))
        return np.stack([self.bead[self.before[joined]], self.bead[joined]], axis=1)

    def backbone_angles(self, model: Model) -> IntArray:
        """List the beads of all angles along backbones that no monomer gives, (angles, 3)."""
        own = _table(
            [
                [any(_is_at(m.path, k, angle) for angle in m.angles) for k in range(len(m.path))]
                for m in model.monomers.values()
            ]
        )
        has_own = own[self.monomer[self.unit], self.place].astype(bool)
        centre = np.flatnonzero((self.before != NONE) & (self.after != NONE) & ~has_own)
        return self.bead[np.stack([self.before[centre], centre, self.after[centre]], axis=1)]


def lay_out(
    model: Model, architecture: Architecture, monomer: IntArray, lengths: IntArray
) -> Layout:
    """Arrange units (U,) in molecules of `lengths` units; UserError if a ring has too few beads."""
    sizes = bead_numbers(model)[monomer]
    first_bead = np.cumsum(sizes) - sizes
    paths = [m.path for m in model.monomers.values()]
    path_sizes = np.array([len(path) for path in paths])[monomer]
    first_of_unit = np.cumsum(path_sizes) - path_sizes
    unit = np.repeat(np.arange(monomer.size), path_sizes)
    here = np.arange(unit.size)
    place = here - first_of_unit[unit]

    strands = strand_lengths(architecture, lengths)
    first = first_of_unit[np.cumsum(strands) - strands]
    last = np.append(first[1:], unit.size) - 1
    before, after = here - 1, here + 1
    before[first], after[last] = NONE, NONE
    if isinstance(architecture, Ring):
        if np.min(last - first) + 1 < FEWEST_IN_RING:
            raise UserError(
                f'architecture: a ring needs {FEWEST_IN_RING} beads in its backbone: take longer '
                'chains, or a narrower distribution of their lengths.'
            )
        before[first], after[last] = last, first
    if isinstance(architecture, Star):
        core = first_of_unit[np.cumsum(lengths) - lengths]
        core = core + path_sizes[unit[core]] - 1
        is_arm = np.arange(first.size) % architecture.arms > 0
        before[first[is_arm]] = np.repeat(core, architecture.arms - 1)
    is_first = np.zeros(unit.size, dtype=bool)
    is_first[first] = True
    return Layout(
        monomer=monomer,
        molecule=np.repeat(np.arange(lengths.size), lengths),
        first_bead=first_bead,
        beads=int(sizes.sum()),
        unit=unit,
        place=place,
        bead=first_bead[unit] + _table(paths)[monomer[unit], place],
        is_first=is_first,
        before=before,
        after=after,
    )


def bead_numbers(model: Model) -> IntArray:
    """Count the beads of each monomer."""
    return np.array([len(monomer.beads) for monomer in model.monomers.values()])


def beads_of(model: Model, layout: Layout, kind: int) -> IntArray:
    """Index the beads of all monomers of one kind, shape (monomers, beads of each)."""
    first = layout.first_bead[layout.monomer == kind]
    beads: IntArray = first[:, None] + np.arange(bead_numbers(model)[kind])
    return beads


def rest_length(bond: Bond) -> float:
    """Find the length at which a bond is built."""
    return BOND_LENGTH * bond.sigma if isinstance(bond, FeneBond) else bond.r0


def chain_positions(
    model: Model,
    architecture: Architecture,
    layout: Layout,
    box_length: float,
    rng: np.random.Generator,
) -> FloatArray:
    """Place all beads, unwrapped, shape (beads, 3), of molecules that begin anywhere."""
    bond_lengths = {name: rest_length(bond) for name, bond in model.bonds.items()}
    lengths = _onward_lengths(model, bond_lengths)[layout.monomer[layout.unit], layout.place]
    molecules = int(layout.molecule[-1]) + 1
    starts = rng.uniform(-0.5, 0.5, (molecules, 3)) * box_length
    if isinstance(architecture, Ring):
        onward = closed_walk_directions(layout.is_first, lengths, rng)
    else:
        onward = walk_directions(layout.is_first, rng)
    neighbours = np.zeros((layout.unit.size, 2, 3))
    has_before, has_after = layout.before != NONE, layout.after != NONE
    neighbours[has_before, 0] = -onward[layout.before[has_before]]
    neighbours[has_after, 1] = onward[has_after]
    if isinstance(architecture, Star):
        walked, neighbours = _attach_arms(architecture, layout, neighbours, starts, lengths, rng)
    else:
        walked = walk_positions(onward, layout.is_first, starts, lengths)
    positions = np.empty((layout.beads, 3))
    for kind, (name, monomer) in enumerate(model.monomers.items()):
        beads = beads_of(model, layout, kind)
        of_kind = layout.monomer[layout.unit] == kind
        path = (len(beads), len(monomer.path))
        positions[beads] = grow_beads(
            name,
            monomer,
            bond_lengths,
            walked[of_kind].reshape(*path, 3),
            neighbours[of_kind].reshape(*path, *neighbours.shape[1:]),
            rng,
        )
    return positions


def _attach_arms(
    architecture: Star,
    layout: Layout,
    neighbours: FloatArray,
    starts: FloatArray,
    lengths: FloatArray,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Place the beads of stars, clear of each other around their cores.

    Returns:
        Positions, shape (P, 3); and directions to all neighbours, shape (P, 1 + arms, 3).
    """
    arms = architecture.arms
    first = np.flatnonzero(layout.is_first)
    begins = np.zeros((first.size, 3))
    begins[::arms] = starts
    walked = walk_positions(neighbours[:, 1], layout.is_first, begins, lengths)
    core = layout.before[first[1::arms]]
    others = np.zeros((layout.unit.size, arms - 1, 3))
    shifts = np.zeros((first.size, 3))
    for arm in range(1, arms):
        begin = first[arm::arms]
        taken = [*neighbours[core].transpose(1, 0, 2), *others[core].transpose(1, 0, 2)]
        outward = free_directions([*taken, -neighbours[begin, 1]], rng)
        neighbours[begin, 0] = -outward
        others[core, arm - 1] = outward
        shifts[arm::arms] = walked[core] + lengths[core, None] * outward
    walked += shifts[np.cumsum(layout.is_first) - 1]
    return walked, np.concatenate([neighbours, others], axis=1)


def _onward_lengths(model: Model, bond_lengths: dict[str, float]) -> FloatArray:
    """Tabulate how far the next bead is from each of a path, shape (kinds, longest path)."""
    joint = bond_lengths[model.backbone.bond]
    return _table(
        [
            [*(bond_lengths[name] for name in monomer.path_bonds), joint]
            for monomer in model.monomers.values()
        ]
    )


def _is_at(path: tuple[int, ...], place: int, angle: tuple[int, int, int, str]) -> bool:
    """Return whether an angle is that of three beads of a path around `place`."""
    three = path[place - 1 : place + 2]
    return angle[:3] in (three, three[::-1])


def _table(rows: Sequence[Sequence[Any]]) -> NDArray[Any]:
    """Write rows of different lengths as one array, with zeros behind."""
    return np.array(list(itertools.zip_longest(*rows, fillvalue=0))).T
