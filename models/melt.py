"""A disordered melt of copolymers and counter-ions as a GSD frame."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import gsd.hoomd
import numpy as np
from numpy.typing import NDArray

from models.backbone_walk import BOND_LENGTH, walk_directions, walk_positions
from models.chain_length import ChainLengths, Monodisperse, draw_chain_lengths
from models.entries import BondEntry, FeneBondEntry
from models.model import Model
from models.model_checks import counter_ions_of
from models.sequence import IdealSequence, SequenceStatistics, check_composition, draw_sequences
from models.side_chains import grow_monomers
from user_input import UserError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MOLECULE_ID = 'particles/molecule_id'
# Some hundred times what one GPU runs; a slip of the finger asks for more.
MOST_UNITS = 100_000_000


@dataclasses.dataclass(frozen=True, eq=False)
class _Chains:
    """The chains of a melt as arrays over their U repeat units, chain after chain."""

    monomer: IntArray  # index in the model
    is_first: NDArray[np.bool_]
    is_last: NDArray[np.bool_]
    first_bead: IntArray
    backbone_bead: IntArray
    beads: int  # of all chains


def build_melt(
    model: Model,
    *,
    composition: Mapping[str, float],
    chains: int,
    degree_of_polymerisation: int,
    density: float | None = None,
    sequence: SequenceStatistics | None = None,
    chain_lengths: ChainLengths | None = None,
    seed: int,
) -> gsd.hoomd.Frame:
    """Draw a melt: chain lengths, sequences, random walks, and ions anywhere in the box.

    Bonds have a fixed length (0.97 sigma of the bond for FENE, r0 for harmonic bonds) and
    beads two bonds apart keep clear of each other; beads further apart overlap, and angle
    potentials are not heeded, so a soft push-off must come before dynamics. Beads are ordered
    chain by chain, unit by unit, as in the monomer; counter-ions come last.

    Args:
        composition: Monomer -> mole fraction; monomers that are left out have 0.
        degree_of_polymerisation: Number-average number of repeat units per chain.
        density: Beads, ions included, per sigma^3; the model's own if left out.
        sequence: Sequence statistics; ideal random if left out.
        chain_lengths: Distribution of chain lengths; monodisperse if left out.
        seed: The same seed gives the same melt.

    Returns:
        A frame with types, masses, charges in e, wrapped positions and images, bonds, angles
        and, in `log['particles/molecule_id']`, int32 of shape (N,): chains 0, 1, ..., then a
        number of its own for each counter-ion. All types of the model are listed, used or not.

    Raises:
        UserError: If a number is zero or negative, or the composition is not possible.
    """
    density = model.density if density is None else density
    if not 0.0 < density < np.inf:
        raise UserError(f'density = {density:g}: give a number of beads per sigma^3 above 0.')
    if chains * degree_of_polymerisation > MOST_UNITS:
        raise UserError(
            f'{chains} chains of {degree_of_polymerisation:g} units: at most {MOST_UNITS:g} repeat '
            'units can be built. Take fewer or shorter chains.'
        )
    if seed < 0:
        raise UserError(f'seed = {seed}: give a whole number, 0 or more.')
    check_composition(composition, model.monomers)
    # in the order of the model, without zeros: how the composition is written changes nothing
    present = {m: composition[m] for m in model.monomers if composition.get(m, 0.0) > 0.0}

    # one stream each, so that a change in one choice leaves the others as they were
    length_rng, sequence_rng, chain_rng, ion_rng = (
        np.random.Generator(np.random.PCG64(child))
        for child in np.random.SeedSequence(seed).spawn(4)
    )
    lengths = draw_chain_lengths(
        chain_lengths or Monodisperse(), chains, degree_of_polymerisation, length_rng
    )
    drawn = draw_sequences(sequence or IdealSequence(), present, lengths, sequence_rng)
    in_model = np.array([list(model.monomers).index(monomer) for monomer in present])
    layout = _lay_out(model, in_model[drawn], lengths)

    ions = _ion_types(model, layout.monomer)
    total = layout.beads + ions.size
    box_length = (total / density) ** (1 / 3)
    positions = np.empty((total, 3))
    positions[: layout.beads] = _chain_positions(model, layout, box_length, chain_rng)
    positions[layout.beads :] = ion_rng.uniform(-0.5, 0.5, (ions.size, 3)) * box_length

    frame = gsd.hoomd.Frame()
    frame.configuration.step = 0
    frame.configuration.box = [box_length, box_length, box_length, 0, 0, 0]
    _set_particles(frame, model, np.concatenate([_chain_types(model, layout), ions]))
    frame.particles.position, frame.particles.image = wrapped(positions, box_length)
    _set_bonds(frame, model, layout)
    _set_angles(frame, model, layout)
    chain_of_bead = np.repeat(np.cumsum(layout.is_first) - 1, _sizes(model)[layout.monomer])
    molecules = np.concatenate([chain_of_bead, chains + np.arange(ions.size)])
    frame.log[MOLECULE_ID] = molecules.astype(np.int32)
    return frame


def _lay_out(model: Model, monomer: IntArray, lengths: IntArray) -> _Chains:
    is_first, is_last = np.zeros((2, monomer.size), dtype=bool)
    ends = np.cumsum(lengths)
    is_first[ends - lengths] = True
    is_last[ends - 1] = True
    sizes = _sizes(model)[monomer]
    first_bead = np.cumsum(sizes) - sizes
    joints = np.array([m.backbone for m in model.monomers.values()])
    return _Chains(
        monomer=monomer,
        is_first=is_first,
        is_last=is_last,
        first_bead=first_bead,
        backbone_bead=first_bead + joints[monomer],
        beads=int(sizes.sum()),
    )


def _sizes(model: Model) -> IntArray:
    return np.array([len(monomer.beads) for monomer in model.monomers.values()])


def _beads_of(model: Model, layout: _Chains, kind: int) -> IntArray:
    """Index the beads of all monomers of one kind, shape (monomers, beads of each)."""
    first = layout.first_bead[layout.monomer == kind]
    beads: IntArray = first[:, None] + np.arange(_sizes(model)[kind])
    return beads


def _chain_types(model: Model, layout: _Chains) -> IntArray:
    type_of = {bead: index for index, bead in enumerate(model.beads)}
    types = np.empty(layout.beads, dtype=np.int64)
    for kind, monomer in enumerate(model.monomers.values()):
        types[_beads_of(model, layout, kind)] = [type_of[bead] for bead in monomer.beads]
    return types


def _ion_types(model: Model, monomer: IntArray) -> IntArray:
    """List the bead types of the counter-ions that neutralise the chains, shape (ions,)."""
    type_of = {bead: index for index, bead in enumerate(model.beads)}
    numbers = np.zeros(len(model.beads), dtype=np.int64)
    for kind, name in enumerate(model.monomers):
        for ion, number in counter_ions_of(model, name).items():
            numbers[type_of[ion]] += number * np.count_nonzero(monomer == kind)
    return np.repeat(np.arange(numbers.size), numbers)


def _bond_length(bond: BondEntry) -> float:
    return BOND_LENGTH * bond.sigma if isinstance(bond, FeneBondEntry) else bond.r0


def _chain_positions(
    model: Model, layout: _Chains, box_length: float, rng: np.random.Generator
) -> FloatArray:
    """Place the chain beads, unwrapped, shape (beads, 3), of chains that begin anywhere."""
    bond_lengths = {name: _bond_length(bond) for name, bond in model.bonds.items()}
    starts = rng.uniform(-0.5, 0.5, (np.count_nonzero(layout.is_first), 3)) * box_length
    onward = walk_directions(layout.is_first, rng)
    backbone = walk_positions(onward, layout.is_first, starts, bond_lengths[model.backbone.bond])
    neighbours = np.zeros((layout.monomer.size, 2, 3))
    neighbours[~layout.is_first, 0] = -onward[~layout.is_last]
    neighbours[~layout.is_last, 1] = onward[~layout.is_last]
    positions = np.empty((layout.beads, 3))
    for kind, (name, monomer) in enumerate(model.monomers.items()):
        units = layout.monomer == kind
        positions[_beads_of(model, layout, kind)] = grow_monomers(
            name, monomer, bond_lengths, backbone[units], neighbours[units], rng
        )
    return positions


def _set_particles(frame: gsd.hoomd.Frame, model: Model, types: IntArray) -> None:
    masses = np.array([bead.mass for bead in model.beads.values()])
    charges = np.array([bead.charge for bead in model.beads.values()])
    assert abs(charges[types].sum()) < 1e-6 * types.size, 'a melt must be neutral'
    frame.particles.N = types.size
    frame.particles.types = list(model.beads)
    frame.particles.typeid = types.astype(np.uint32)
    frame.particles.mass = masses[types].astype(np.float32)
    frame.particles.charge = charges[types].astype(np.float32)


def wrapped(
    positions: FloatArray, box_length: float
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Wrap positions (N, 3) into [-box_length/2, box_length/2); also the images that undo it."""
    images = np.floor(positions / box_length + 0.5).astype(np.int32)
    wrapped = (positions - images * box_length).astype(np.float32)
    # single precision may round up to the far face, which is outside of the box
    outside = wrapped >= np.float32(0.5) * np.float32(box_length)
    wrapped[outside] = -np.float32(0.5) * np.float32(box_length)
    images[outside] += 1
    return wrapped, images


def _within_monomers(model: Model, layout: _Chains, key: str) -> list[tuple[IntArray, str]]:
    """List beads and type of every entry of `key`, 'bonds' or 'angles', of the monomers."""
    return [
        (_beads_of(model, layout, kind)[:, list(entry[:-1])], entry[-1])
        for kind, monomer in enumerate(model.monomers.values())
        for entry in getattr(monomer, key)
    ]


def _set_bonds(frame: gsd.hoomd.Frame, model: Model, layout: _Chains) -> None:
    backbone = layout.backbone_bead
    onward = np.stack([backbone[~layout.is_last], backbone[~layout.is_first]], axis=1)
    found = [(onward, model.backbone.bond), *_within_monomers(model, layout, 'bonds')]
    _set_groups(frame.bonds, list(model.bonds), found)


def _set_angles(frame: gsd.hoomd.Frame, model: Model, layout: _Chains) -> None:
    if not model.angles:
        return
    names = list(model.angles)
    found = [(np.empty((0, 3), dtype=np.int64), names[0])]
    if model.backbone.angle is not None:
        centre = np.flatnonzero(~layout.is_first & ~layout.is_last)
        triples = layout.backbone_bead[centre[:, None] + np.array([-1, 0, 1])]
        found.append((triples, model.backbone.angle))
    _set_groups(frame.angles, names, found + _within_monomers(model, layout, 'angles'))


def _set_groups(target: Any, names: list[str], found: list[tuple[IntArray, str]]) -> None:
    """Set the bonds or angles of a frame, in the order of their first beads."""
    group = np.concatenate([beads for beads, _ in found])
    typeid = np.concatenate([np.full(len(beads), names.index(name)) for beads, name in found])
    order = np.argsort(group[:, 0], kind='stable')
    target.N, target.types = len(group), names
    target.typeid, target.group = typeid[order].astype(np.uint32), group[order].astype(np.int32)
