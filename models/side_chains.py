"""Beads beside the backbone: all monomers of one kind are grown at once, bead by bead."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.backbone_walk import LARGEST_BOND_COSINE
from models.entries import Monomer
from user_input import UserError

# A crowded bead may have no free direction; then the least crowded of the tried ones is taken.
MOST_TRIES = 100

# Rings are closed by moving their beads; what is not closed to this is drawn anew.
LARGEST_MISFIT = 0.02
CLOSING_SWEEPS = 300
MOST_REDRAWS = 20

FloatArray = NDArray[np.float64]


def grow_monomers(
    name: str,
    monomer: Monomer,
    bond_lengths: dict[str, float],
    origins: FloatArray,
    backbone_directions: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    """Place the beads of all n monomers of one kind, each of s beads: shape (n, s, 3).

    Beads are placed outward from the backbone bead, each in a random direction that keeps it as
    far from the other neighbours of its parent as the backbone keeps its own (on a bead with so
    many neighbours that none is free, the least crowded direction found). Bonds that close rings
    are brought to their length afterwards.

    Args:
        bond_lengths: Bond type -> length.
        origins: Shape (n, 3), positions of the backbone beads.
        backbone_directions: Shape (n, 2, 3), unit vectors to the backbone neighbours, 0 where
            there is none.

    Raises:
        UserError: If no arrangement in space gives all bonds of the monomer their length.
    """
    positions = _grow_trees(monomer, bond_lengths, origins, backbone_directions, rng)
    if len(monomer.bonds) < len(monomer.beads):
        return positions
    for _ in range(MOST_REDRAWS):
        misfit = _close_rings(monomer, bond_lengths, positions)
        bad = np.flatnonzero(misfit > LARGEST_MISFIT)
        if not bad.size:
            return positions
        positions[bad] = _grow_trees(
            monomer, bond_lengths, origins[bad], backbone_directions[bad], rng
        )
    raise UserError(
        f"monomer '{name}': no arrangement of its {len(monomer.beads)} beads gives all its "
        f'{len(monomer.bonds)} bonds their length: remove bonds or change their lengths.'
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
    monomer: Monomer,
    bond_lengths: dict[str, float],
    origins: FloatArray,
    backbone_directions: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    positions = np.empty((len(origins), len(monomer.beads), 3))
    positions[:, monomer.backbone] = origins
    taken = {monomer.backbone: [backbone_directions[:, 0], backbone_directions[:, 1]]}
    for bead, parent, bond_type in _outward(monomer):
        direction = free_directions(taken[parent], rng)
        positions[:, bead] = positions[:, parent] + bond_lengths[bond_type] * direction
        taken[parent].append(direction)
        taken[bead] = [-direction]
    return positions


def _outward(monomer: Monomer) -> list[tuple[int, int, str]]:
    """List (bead, parent, bond type) of all beads but the backbone's, nearest first."""
    steps: list[tuple[int, int, str]] = []
    reached = [monomer.backbone]
    for parent in reached:
        for first, second, bond_type in monomer.bonds:
            bead = second if first == parent else first
            if parent in (first, second) and bead not in reached:
                reached.append(bead)
                steps.append((bead, parent, bond_type))
    return steps


def _close_rings(
    monomer: Monomer, bond_lengths: dict[str, float], positions: FloatArray
) -> FloatArray:
    """Shift beads in place along bonds until the bonds fit; return the misfit of each monomer."""
    misfit = np.zeros(len(positions))
    for _ in range(CLOSING_SWEEPS):
        misfit[:] = 0.0
        for first, second, bond_type in monomer.bonds:
            bond = positions[:, second] - positions[:, first]
            length = np.linalg.norm(bond, axis=1)
            strain = length / bond_lengths[bond_type] - 1.0
            misfit = np.maximum(misfit, np.abs(strain))
            shift = bond * (1.0 - bond_lengths[bond_type] / length)[:, None]
            # the backbone bead stays where the walk has put it
            share = {first: 0.5, second: -0.5}
            if monomer.backbone in share:
                share = {b: 2.0 * s for b, s in share.items() if b != monomer.backbone}
            for bead, part in share.items():
                positions[:, bead] += part * shift
        if misfit.max(initial=0.0) < 0.5 * LARGEST_MISFIT:
            break
    return misfit
