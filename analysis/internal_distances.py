"""Sizes of linear chains: internal distances, end-to-end distance, radius of gyration."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.frame_selection import evenly_spaced
from analysis.plain import plain
from analysis.statistics import (
    FEWEST_BLOCKS,
    Estimate,
    jackknife,
    mean_with_interval,
    merge_blocks,
    shared_by_neighbours,
    statistical_inefficiency,
)
from analysis.trajectory import FloatArray, IntArray, Snapshot, Topology, Trajectory
from user_input import UserError, nearest_name

Progress = Callable[[IntArray], Iterable[Any]]

BLOCKS = 20


@dataclass(frozen=True)
class ChainSizes:
    """Sizes of the chains of a trajectory, averaged over chains and frames.

    Attributes:
        n_chains: Number of chains.
        separation: Bonds n between two beads of a chain, 1 to the longest, shape (n,).
        squared_distance: <R^2(n)>, shape (n,).
        low: Lower ends of its 95 % intervals, shape (n,); None unless 4 blocks of at least 5
            statistical inefficiencies fit in the run.
        high: Upper ends of its 95 % intervals, shape (n,); None as `low`.
        squared_end_to_end: <R_e^2>, over chains of all lengths.
        squared_radius_of_gyration: <R_g^2>, over chains of all lengths, beads of equal weight.
        n_frames: Number of frames looked at, evenly spaced.
    """

    n_chains: int
    separation: IntArray
    squared_distance: FloatArray
    low: FloatArray | None
    high: FloatArray | None
    squared_end_to_end: Estimate
    squared_radius_of_gyration: Estimate
    n_frames: int

    def as_dict(self) -> dict[str, Any]:
        """Content as plain values for JSON."""
        content: dict[str, Any] = plain(self)
        return content


def find_chains(topology: Topology, bond_type: str | None = None) -> list[IntArray]:
    """Beads of each linear chain, from end to end; side groups bonded otherwise do not count.

    Args:
        topology: With bonds.
        bond_type: Name of the bonds along the chains; by default 'backbone' where there is such a
            type, else all bonds.

    Returns:
        Shape (beads,) each, in order of the lowest index of an end.

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


def chain_sizes(
    trajectory: Trajectory,
    *,
    bond_type: str | None = None,
    first_frame: int = 0,
    progress: Progress = iter,
) -> ChainSizes:
    """Measure the chains along a trajectory.

    Chains are made whole bond by bond, so no images are needed. Memory does not grow with the
    number of frames but for two numbers each.

    Args:
        trajectory: Any trajectory with linear chains.
        bond_type: Name of the bonds along the chains; see `find_chains`.
        first_frame: Index of the first frame to use.
        progress: Wraps the frames to show how far the analysis is, such as `tqdm`.

    Raises:
        UserError: If there are no linear chains.
    """
    chains = find_chains(trajectory.topology, bond_type)
    lengths = sorted({len(chain) for chain in chains})
    # Chains of one length make one array.
    groups = [np.stack([c for c in chains if len(c) == length]) for length in lengths]
    frames = evenly_spaced(trajectory.steps, first_frame)
    n_blocks = min(BLOCKS, len(frames))
    block_of = np.arange(len(frames)) * n_blocks // len(frames)
    sums, counts = np.zeros((2, n_blocks, lengths[-1] - 1))
    end_to_end, gyration = np.zeros((2, len(frames)))
    for row, frame in enumerate(progress(frames)):
        snapshot = trajectory.read(int(frame))
        for group in groups:
            whole = _made_whole(snapshot, group)
            for n in range(1, group.shape[1]):
                squared = ((whole[:, n:] - whole[:, :-n]) ** 2).sum(axis=2)
                sums[block_of[row], n - 1] += squared.sum()
                counts[block_of[row], n - 1] += squared.size
            end_to_end[row] += ((whole[:, -1] - whole[:, 0]) ** 2).sum()
            centred = whole - whole.mean(axis=1, keepdims=True)
            gyration[row] += (centred**2).sum(axis=2).mean(axis=1).sum()
    end_to_end /= len(chains)
    gyration /= len(chains)
    inefficiency = max(statistical_inefficiency(end_to_end), statistical_inefficiency(gyration))
    value = sums.sum(axis=0) / counts.sum(axis=0)
    sums, counts = (merge_blocks(b, inefficiency, len(frames)) for b in (sums, counts))
    low, high = None, None
    if len(sums) >= FEWEST_BLOCKS:
        others = (sums.sum(axis=0) - sums) / (counts.sum(axis=0) - counts)
        shared = shared_by_neighbours(inefficiency, len(frames) / len(sums))
        low, high = jackknife(value, others, shared=shared)
    return ChainSizes(
        n_chains=len(chains),
        separation=np.arange(1, lengths[-1], dtype=np.int64),
        squared_distance=value,
        low=low,
        high=high,
        squared_end_to_end=mean_with_interval(end_to_end),
        squared_radius_of_gyration=mean_with_interval(gyration),
        n_frames=len(frames),
    )


def _made_whole(snapshot: Snapshot, chains: IntArray) -> FloatArray:
    """Positions along chains of one length as if there were no boundary, shape (C, N, 3)."""
    bonds = np.diff(snapshot.positions[chains], axis=1)
    bonds -= snapshot.box * np.rint(bonds / snapshot.box)
    whole: FloatArray = np.concatenate(
        [np.zeros((len(chains), 1, 3)), np.cumsum(bonds, axis=1)], axis=1
    )
    return whole
