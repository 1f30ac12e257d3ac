"""A disordered melt of copolymers and counter-ions as a GSD frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import gsd.hoomd
import numpy as np
from numpy.typing import NDArray

from models.architecture import Architecture, Linear, strand_lengths
from models.chain_length import ChainLengths, Monodisperse, draw_chain_lengths
from models.free_molecules import check_neutral, free_numbers, whole_counter_ions
from models.layout import Layout, bead_numbers, beads_of, chain_positions, lay_out, rest_length
from models.model import Model
from models.molecules import BondedBeads
from models.sequence import IdealSequence, SequenceStatistics, check_composition, draw_sequences
from models.side_chains import grow_beads
from user_input import UserError, error_context

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MOLECULE_ID = 'particles/molecule_id'
# Some hundred times what one GPU runs; a slip of the finger asks for more.
MOST_UNITS = 100_000_000


def build_melt(
    model: Model,
    *,
    composition: Mapping[str, float],
    chains: int,
    degree_of_polymerisation: int,
    density: float | None = None,
    sequence: SequenceStatistics | None = None,
    chain_lengths: ChainLengths | None = None,
    architecture: Architecture | None = None,
    seed: int,
) -> gsd.hoomd.Frame:
    """Draw a melt: chain lengths, sequences, random walks, and all else anywhere in the box.

    Bonds have a fixed length (0.97 sigma of the bond for FENE, r0 for harmonic bonds) and
    beads two bonds apart keep clear of each other; beads further apart overlap, and angle
    potentials are not heeded, so a soft push-off must come before dynamics. Beads are ordered
    chain by chain, unit by unit, as in the monomer; then come free ions, by type, and molecules.

    Args:
        composition: Monomer -> mole fraction; monomers that are left out have 0.
        degree_of_polymerisation: Number average, in repeat units of a molecule.
        density: Beads, ions and molecules included, per sigma^3; the model's own if left out.

    Returns:
        A frame with types, masses, charges in e, wrapped positions and images, bonds, angles
        and, in `log['particles/molecule_id']`, int32 of shape (N,): chains 0, 1, ..., then a
        number of its own for each ion and free molecule. All types of the model are listed,
        used or not.

    Raises:
        UserError: If the composition is not possible, or ions do not neutralise the melt.
    """
    density = model.density if density is None else density
    if chains * degree_of_polymerisation > MOST_UNITS:
        raise UserError(
            f'{chains} chains of {degree_of_polymerisation:g} units: at most {MOST_UNITS:g} repeat '
            'units can be built. Take fewer or shorter chains.'
        )
    check_composition(composition, model.monomers)
    # in the order of the model, without zeros: how the composition is written changes nothing
    present = {m: composition[m] for m in model.monomers if composition.get(m, 0.0) > 0.0}

    # one stream each, so that a change in one choice leaves the others as they were
    length_rng, sequence_rng, chain_rng, ion_rng, molecule_rng = (
        np.random.Generator(np.random.PCG64(child))
        for child in np.random.SeedSequence(seed).spawn(5)
    )
    sequence, architecture = sequence or IdealSequence(), architecture or Linear()
    lengths = draw_chain_lengths(
        chain_lengths or Monodisperse(), chains, degree_of_polymerisation, length_rng
    )
    strands = strand_lengths(architecture, lengths)
    drawn = draw_sequences(sequence, present, strands, sequence_rng)
    in_model = np.array([list(model.monomers).index(monomer) for monomer in present])
    layout = lay_out(model, architecture, in_model[drawn], lengths)

    if not sequence.exact_composition:
        _check_neutral_monomers(model, present)
    counts = np.bincount(layout.monomer, minlength=len(model.monomers)).tolist()
    monomers = {m: n for m, n in zip(model.monomers, counts, strict=True) if n}
    free_ions, molecules = free_numbers(model, monomers, density)
    ions = np.repeat(_types(model, free_ions), list(free_ions.values()))
    free = [(model.molecules[name], number) for name, number in molecules.items()]
    of_chains = layout.beads + ions.size
    total = of_chains + sum(len(graph.beads) * number for graph, number in free)
    box_length = (total / density) ** (1 / 3)
    positions = np.empty((total, 3))
    positions[: layout.beads] = chain_positions(model, architecture, layout, box_length, chain_rng)
    positions[layout.beads : of_chains] = ion_rng.uniform(-0.5, 0.5, (ions.size, 3)) * box_length
    positions[of_chains:] = _molecule_positions(model, molecules, box_length, molecule_rng)

    frame = gsd.hoomd.Frame()
    frame.configuration.step = 0
    frame.configuration.box = [box_length, box_length, box_length, 0, 0, 0]
    types = [np.tile(_types(model, graph.beads), number) for graph, number in free]
    _set_particles(frame, model, np.concatenate([_chain_types(model, layout), ions, *types]))
    frame.particles.position, frame.particles.image = wrapped(positions, box_length)
    groups = _groups(model, layout, free, of_chains)
    _set_groups(frame.bonds, list(model.bonds), groups['bonds'])
    _check_charged_bonds(frame, model)
    if model.angles:
        _set_groups(frame.angles, list(model.angles), groups['angles'])
    sizes = [
        bead_numbers(model)[layout.monomer],
        np.ones(ions.size, dtype=np.int64),
        *(np.full(number, len(graph.beads)) for graph, number in free),
    ]
    others = chains + np.arange(ions.size + sum(number for _, number in free))
    molecule = np.repeat(np.concatenate([layout.molecule, others]), np.concatenate(sizes))
    frame.log[MOLECULE_ID] = molecule.astype(np.int32)
    return frame


def _check_neutral_monomers(model: Model, present: Mapping[str, float]) -> None:
    """Check that the melt is neutral however many there are of each monomer."""
    with error_context(
        'sequence: exact_composition = false, where the number of each monomer is left to chance, '
        'needs monomers that are neutral with their counter-ions'
    ):
        for monomer in present:
            check_neutral(model, {monomer: 1}, whole_counter_ions(model, {monomer: 1}), {})


def _types(model: Model, beads: Iterable[str]) -> IntArray:
    return np.array([list(model.beads).index(bead) for bead in beads], dtype=np.int64)


def _chain_types(model: Model, layout: Layout) -> IntArray:
    types = np.empty(layout.beads, dtype=np.int64)
    for kind, monomer in enumerate(model.monomers.values()):
        types[beads_of(model, layout, kind)] = _types(model, monomer.beads)
    return types


def _molecule_positions(
    model: Model, molecules: Mapping[str, int], box_length: float, rng: np.random.Generator
) -> FloatArray:
    """Place the beads of free molecules, unwrapped, shape (beads, 3)."""
    bond_lengths = {name: rest_length(bond) for name, bond in model.bonds.items()}
    placed = [np.empty((0, 3))]
    for name, number in molecules.items():
        origins = rng.uniform(-0.5, 0.5, (number, 1, 3)) * box_length
        nowhere = np.zeros((number, 1, 1, 3))
        grown = grow_beads(name, model.molecules[name], bond_lengths, origins, nowhere, rng)
        placed.append(grown.reshape(-1, 3))
    return np.concatenate(placed)


def _set_particles(frame: gsd.hoomd.Frame, model: Model, types: IntArray) -> None:
    masses = np.array([bead.mass for bead in model.beads.values()])
    charges = np.array([bead.charge for bead in model.beads.values()])
    assert abs(charges[types].sum()) < 1e-6 * types.size, 'a melt must be neutral'
    frame.particles.N = types.size
    frame.particles.types = list(model.beads)
    frame.particles.typeid = types.astype(np.uint32)
    frame.particles.mass = masses[types].astype(np.float32)
    frame.particles.charge = charges[types].astype(np.float32)


def _check_charged_bonds(frame: gsd.hoomd.Frame, model: Model) -> None:
    charges = frame.particles.charge[frame.bonds.group]
    charged = np.flatnonzero(np.all(charges != 0, axis=1))
    if charged.size and model.coulomb_between_bonded is None:
        types = frame.particles.typeid[frame.bonds.group[charged[0]]]
        first, second = (frame.particles.types[each] for each in types)
        raise UserError(
            f"bonds of type '{frame.bonds.types[frame.bonds.typeid[charged[0]]]}' join the charged "
            f"beads '{first}' and '{second}': say in the model whether bonded neighbours feel each "
            "other's charges (coulomb_between_bonded = true, as with `special_bonds lj 0 1 1 coul "
            '1 1 1` of LAMMPS) or not (false).'
        )


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


def _groups(
    model: Model, layout: Layout, free: Sequence[tuple[BondedBeads, int]], first: int
) -> dict[str, list[tuple[IntArray, str]]]:
    """List beads and type of all bonds and angles; the free molecules begin at the bead `first`."""
    found = {'bonds': [(layout.backbone_bonds(), model.backbone.bond)], 'angles': []}
    if model.backbone.angle is not None:
        found['angles'].append((layout.backbone_angles(model), model.backbone.angle))
    graphs: list[tuple[BondedBeads, IntArray]] = [
        (monomer, beads_of(model, layout, kind))
        for kind, monomer in enumerate(model.monomers.values())
    ]
    for graph, number in free:
        size = len(graph.beads)
        graphs.append((graph, first + np.arange(number * size).reshape(number, size)))
        first += number * size
    for graph, beads in graphs:
        for bond in graph.bonds:
            found['bonds'].append((beads[:, bond[:2]], bond[2]))
        for angle in graph.angles:
            found['angles'].append((beads[:, angle[:3]], angle[3]))
    return found


def _set_groups(target: Any, names: list[str], found: list[tuple[IntArray, str]]) -> None:
    """Set the bonds or angles of a frame, in the order of their first beads."""
    none = np.empty((0, target.M), dtype=np.int64)
    found = [(none, names[0]), *found]
    group = np.concatenate([beads for beads, _ in found])
    typeid = np.concatenate([np.full(len(beads), names.index(name)) for beads, name in found])
    order = np.argsort(group[:, 0], kind='stable')
    target.N, target.types = len(group), names
    target.typeid, target.group = typeid[order].astype(np.uint32), group[order].astype(np.int32)
