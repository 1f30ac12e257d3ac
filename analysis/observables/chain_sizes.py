"""Sizes of chains: radius of gyration; of linear ones internal and end-to-end distances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.estimate import Curve, Estimate
from analysis.estimators.inefficiency import statistical_inefficiency
from analysis.estimators.intervals import (
    FEWEST_BLOCKS,
    jackknife,
    mean_with_interval,
    merge_blocks,
    shared_by_neighbours,
)
from analysis.geometry.chains import bonds_along_chains, linear_chains, whole_chains
from analysis.geometry.contact_graph import connected_components, pairs_in_frames, shapes
from analysis.geometry.topology import Snapshot, Topology
from analysis.observable import NOT_NEGATIVE, Accumulator, Observable, Panel, Quantity, option
from analysis.sampling.run import Run
from user_input import UserError

BLOCKS = 20
BONDS_OPTION: dict[str, Any] = {
    'help': "bonds along the chains, several times for several types; default: 'backbone', or all",
    'metavar': 'TYPE',
    'action': 'append',
}


@dataclass(frozen=True)
class ChainResult:
    """Sizes of the chains of a trajectory, averaged over chains of all lengths and even frames.

    Attributes:
        squared_distance: <R^2(n)> against the bonds n between two beads of a chain, 1 to the
            longest; no intervals unless 4 blocks of at least 5 statistical inefficiencies fit in
            the run. None unless all chains are linear.
        squared_end_to_end: <R_e^2>; None unless all chains are linear.
        squared_radius_of_gyration: <R_g^2>, beads of equal weight.
    """

    n_chains: int
    squared_distance: Curve | None
    squared_end_to_end: Estimate | None
    squared_radius_of_gyration: Estimate
    n_frames: int


@dataclass(frozen=True)
class ChainSizes(Observable[ChainResult]):
    """Sizes of chains, made whole bond by bond, so that no images are needed."""

    name = 'chains'
    title = 'Chain sizes'
    definition = (
        'Mean squared internal distance <R^2(n)> of beads n bonds apart, end-to-end distance and '
        'radius of gyration of the chains, beads of equal weight (Auhl et al. 2003, doi '
        '10.1063/1.1628670); of rings and of what branches, the radius of gyration alone. Lengths '
        'in sigma.'
    )
    result = ChainResult
    panels = ('chain sizes',)
    names = ('squared_end_to_end_distance', 'squared_radius_of_gyration')

    bond_type: tuple[str, ...] | None = option(None, **BONDS_OPTION)

    def applies_to(self, topology: Topology) -> bool:
        return len(topology.bonds) > 0

    def begin(self, run: Run) -> Accumulator[ChainResult]:
        bonds = bonds_along_chains(run.topology, self.bond_type)
        chains = linear_chains(bonds)
        return _Sizes(run, chains) if chains else _Gyration(run, bonds)

    def quantities(self, result: ChainResult) -> list[Quantity]:
        panel = Panel('chain sizes', r'mean square [$\sigma^2$]')
        estimates = (result.squared_end_to_end, result.squared_radius_of_gyration)
        return [
            Quantity(name, 'sigma^2', estimate, limits=NOT_NEGATIVE, panel=panel, label=label)
            for name, estimate, label in zip(
                self.names, estimates, ('$R_e^2$', '$R_g^2$'), strict=True
            )
            if estimate is not None
        ]

    def curves(self, result: ChainResult) -> dict[str, Curve]:
        distances = result.squared_distance
        return {} if distances is None else {'internal distances': distances}

    def notes(self, result: ChainResult) -> list[str]:
        frames = f'{result.n_frames} frames evenly spaced'
        if result.squared_distance is not None:
            longest = len(result.squared_distance.x) + 1
            return [f'{result.n_chains} linear chains of up to {longest} beads, {frames}']
        return [
            f'{result.n_chains} molecules, {frames}',
            'some branch or close rings, so none has an end-to-end distance; name the bonds along '
            'a backbone, if there is one: --bond-type',
        ]


class _Gyration(Accumulator[ChainResult]):
    """Sizes of molecules of any kind, with the `bonds` that count, shape (M, 2)."""

    def __init__(self, run: Run, bonds: IntArray) -> None:
        self.frames = run.even_frames
        self._beads, bonds = np.unique(bonds, return_inverse=True)
        self._bonds = bonds.reshape(-1, 2)
        self._squares: list[FloatArray] = []

    def add(self, frame: int, snapshot: Snapshot) -> None:
        frame_alone = snapshot.positions[None, self._beads], [snapshot.box]
        molecules = connected_components(pairs_in_frames(*frame_alone, self._bonds))
        if molecules.winds.any():
            raise UserError(
                f'step {snapshot.step}: a molecule is bonded to itself through the boundary of the '
                'box, as networks are: it has no radius of gyration.'
            )
        form = shapes(*frame_alone, molecules)
        self._squares.append(form.radius_of_gyration**2)

    def conclude(self) -> ChainResult:
        gyration = mean_with_interval(np.mean(self._squares, axis=1))
        return ChainResult(len(self._squares[0]), None, None, gyration, len(self.frames))


class _Sizes(Accumulator[ChainResult]):
    """Sizes of linear `chains`, from end to end."""

    def __init__(self, run: Run, chains: list[IntArray]) -> None:
        self.frames = run.even_frames
        self._n_chains = len(chains)
        lengths = sorted({len(chain) for chain in chains})
        # Chains of one length make one array.
        self._groups = [np.stack([c for c in chains if len(c) == length]) for length in lengths]
        n_blocks = min(BLOCKS, len(self.frames))
        self._block_of = np.arange(len(self.frames)) * n_blocks // len(self.frames)
        self._sums, self._counts = np.zeros((2, n_blocks, lengths[-1] - 1))
        self._end_to_end, self._gyration = np.zeros((2, len(self.frames)))
        self._row = 0

    def add(self, frame: int, snapshot: Snapshot) -> None:
        row, block = self._row, self._block_of[self._row]
        for group in self._groups:
            whole = whole_chains(snapshot, group)
            for n in range(1, group.shape[1]):
                squared = ((whole[:, n:] - whole[:, :-n]) ** 2).sum(axis=2)
                self._sums[block, n - 1] += squared.sum()
                self._counts[block, n - 1] += squared.size
            self._end_to_end[row] += ((whole[:, -1] - whole[:, 0]) ** 2).sum()
            centred = whole - whole.mean(axis=1, keepdims=True)
            self._gyration[row] += (centred**2).sum(axis=2).mean(axis=1).sum()
        self._row += 1

    def conclude(self) -> ChainResult:
        n_frames = len(self.frames)
        end_to_end, gyration = self._end_to_end / self._n_chains, self._gyration / self._n_chains
        inefficiency = max(map(statistical_inefficiency, (end_to_end, gyration)))
        value = self._sums.sum(axis=0) / self._counts.sum(axis=0)
        sums, counts = (
            merge_blocks(each, inefficiency, n_frames) for each in (self._sums, self._counts)
        )
        low, high = None, None
        if len(sums) >= FEWEST_BLOCKS:
            others = (sums.sum(axis=0) - sums) / (counts.sum(axis=0) - counts)
            shared = shared_by_neighbours(inefficiency, n_frames / len(sums))
            low, high = jackknife(value, others, shared=shared)
        bonds = np.arange(1, len(value) + 1, dtype=np.float64)
        labels = ('bonds $n$ between two beads', r'$\langle R^2(n) \rangle$ [$\sigma^2$]')
        curve = Curve(bonds, value, low, high, *labels, 'log', 'log')
        return ChainResult(
            n_chains=self._n_chains,
            squared_distance=curve,
            squared_end_to_end=mean_with_interval(end_to_end),
            squared_radius_of_gyration=mean_with_interval(gyration),
            n_frames=n_frames,
        )
