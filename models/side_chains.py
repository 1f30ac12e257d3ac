"""Beads beside the backbone: all molecules of one kind are grown at once, bead by bead."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.backbone_walk import LARGEST_BOND_COSINE
from models.molecules import BondedBeads
from user_input import UserError

# A crowded bead may have no free direction; then the least crowded of the tried ones is taken.
MOST_TRIES = 100

# Rings are closed by moving their beads; what is not closed to this is drawn anew.
LARGEST_MISFIT = 0.02
CLOSING_SWEEPS = 300
MOST_REDRAWS = 20

FloatArray = NDArray[np.float64]


def grow_beads(
    name: str,
    graph: BondedBeads,
    bond_lengths: dict[str, float],
    origins: FloatArray,
    directions: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    """Place the beads of all n monomers or molecules of one kind, each of s beads: (n, s, 3).

    Beads are placed outward from those of the path, each in a random direction that keeps it as
    far from the other neighbours of its parent as the backbone keeps its own (on a bead with so
    many neighbours that none is free, the least crowded direction found). Bonds that close rings
    are brought to their length afterwards.

    Args:
        graph: Of p beads in its path; `name` is for messages.
        origins: Shape (n, p, 3), positions of the beads of the path.
        directions: Shape (n, p, k, 3), unit vectors from these to their neighbours on the path and
            in other units, 0 where there is none.

    Raises:
        UserError: If no arrangement in space gives all bonds their length.
    """
    positions = _grow_trees(graph, bond_lengths, origins, directions, rng)
    if len(graph.bonds) < len(graph.beads):
        return positions
    for _ in range(MOST_REDRAWS):
        misfit = _close_rings(graph, bond_lengths, positions)
        bad = np.flatnonzero(misfit > LARGEST_MISFIT)
        if not bad.size:
            return positions
        positions[bad] = _grow_trees(graph, bond_lengths, origins[bad], directions[bad], rng)
    raise UserError(
        f"'{name}': no arrangement of its {len(graph.beads)} beads gives all its "
        f'{len(graph.bonds)} bonds their length: remove bonds or change their lengths.'
    )


def free_directions(taken: list[FloatArray], rng: np.random.Generator) -> FloatArray:
    """Draw unit vectors (n, 3) that keep clear of those taken, unit (or zero) vectors (n, 3)."""
    occupied = np.stack(taken, axis=1)
    best = np.zeros((len(occupied), 3))
    crowding = np.full(len(occupied), np.inf)
    left = np.arange(len(occupied))
    for _ in range(MOST_TRIES):
        trial = rng.normal(size=(left.size, 3))
        trial /= np.linalg.norm(trial, axis=1, keepdims=True)
        cosine = np.einsum('nij,nj->ni', occupied[left], trial).max(axis=1)
        better = cosine < crowding[left]
        best[left[better]] = trial[better]
        crowding[left[better]] = cosine[better]
        left = left[crowding[left] > LARGEST_BOND_COSINE]
        if not left.size:
            break
    return best


def _grow_trees(
    graph: BondedBeads,
    bond_lengths: dict[str, float],
    origins: FloatArray,
    directions: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    positions = np.empty((len(origins), len(graph.beads), 3))
    positions[:, graph.path] = origins
    taken = {
        bead: list(directions[:, place].transpose(1, 0, 2)) for place, bead in enumerate(graph.path)
    }
    for bead, parent, bond_type in graph.outward(graph.path):
        direction = free_directions(taken[parent], rng)
        positions[:, bead] = positions[:, parent] + bond_lengths[bond_type] * direction
        taken[parent].append(direction)
        taken[bead] = [-direction]
    return positions


def _close_rings(
    graph: BondedBeads, bond_lengths: dict[str, float], positions: FloatArray
) -> FloatArray:
    """Shift beads in place along bonds until the bonds fit; return the misfit of each monomer."""
    misfit = np.zeros(len(positions))
    for _ in range(CLOSING_SWEEPS):
        misfit[:] = 0.0
        for first, second, bond_type in graph.bonds:
            bond = positions[:, second] - positions[:, first]
            length = np.linalg.norm(bond, axis=1)
            strain = length / bond_lengths[bond_type] - 1.0
            misfit = np.maximum(misfit, np.abs(strain))
            shift = bond * (1.0 - bond_lengths[bond_type] / length)[:, None]
            # the beads of the backbone stay where the walk has put them
            share = {
                bead: s for bead, s in ((first, 0.5), (second, -0.5)) if bead not in graph.path
            }
            for bead, part in share.items():
                positions[:, bead] += 2.0 * part / len(share) * shift
        if misfit.max(initial=0.0) < 0.5 * LARGEST_MISFIT:
            break
    return misfit
