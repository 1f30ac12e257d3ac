"""Chains between ion clusters: bridges, loops and dangling ends."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.estimate import Curve, Estimate, joined
from analysis.estimators.intervals import mean_with_interval
from analysis.geometry.chains import bonds_along_chains, linear_chains
from analysis.geometry.contact_graph import (
    connected_components,
    contacts_in_frames,
    pairs_in_frames,
)
from analysis.geometry.ions import Ions, has_ions
from analysis.geometry.topology import Snapshot, Topology
from analysis.observable import (
    FRACTION,
    NOT_NEGATIVE,
    Accumulator,
    Observable,
    Panel,
    Quantity,
    option,
)
from analysis.observables.chain_sizes import BONDS_OPTION
from analysis.observables.choice_of_ions import ChoiceOfContacts
from analysis.sampling.production import WATCHED
from analysis.sampling.run import Run
from user_input import UserError

NAMES = (
    'bridging_chain_fraction',
    'clusters_per_chain',
    'loop_fraction',
    'bridge_fraction',
    'dangling_end_fraction',
)


@dataclass(frozen=True)
class BridgingResult:
    """What chains with ionic groups join, averaged over frames.

    Attributes:
        estimates: By name of the quantity; the verdict of each says where a cluster percolates.
        joined: Share of the chains that join k clusters against k.
        percolating: Share of the frames that are left out, as a cluster percolates.
        verdict: What speaks against the contact distances.
    """

    n_chains: int
    n_groups: int
    contact_distances: dict[str, float]
    estimates: dict[str, Estimate]
    joined: Curve
    n_frames: int
    percolating: float
    verdict: str


@dataclass(frozen=True)
class Bridging(ChoiceOfContacts, Observable[BridgingResult]):
    """How many ion clusters a chain joins, and how."""

    name = 'bridging'
    title = 'Bridges and loops of chains'
    definition = (
        'A chain joins the clusters of two and more ions, of those within the contact distance, '
        'that its ionic groups are in; a bridging chain joins two or more (Hall, Stevens and '
        'Frischknecht 2011, doi 10.1103/PhysRevLett.106.127801, for such clusters). Segments '
        'between consecutive ionic groups along the backbone: a loop ends in the cluster that it '
        'began in, a bridge in another; the rest end at an ion that is alone. Dangling ends: '
        'share of the backbone bonds beyond the outermost groups in clusters, all bonds of a chain '
        'with none. Clusters have to be finite: one that percolates has no inside.'
    )
    result = BridgingResult
    panels = ('bridging', 'clusters per chain')
    defined_by = 'contact_distances'
    names = NAMES

    bond_type: tuple[str, ...] | None = option(None, **BONDS_OPTION)

    def applies_to(self, topology: Topology) -> bool:
        return has_ions(topology) and len(topology.bonds) > 0

    def begin(self, run: Run) -> Accumulator[BridgingResult]:
        chains = linear_chains(bonds_along_chains(run.topology, self.bond_type))
        if not chains:
            raise UserError(
                'some chains branch or close rings, so that nothing lies along them. Name the '
                'bonds along the backbones: --bond-type.'
            )
        ions = self.ions_of(run)
        distances, found = self.distances_of(run, ions)
        verdict = '; '.join(
            f'the contact distance of {pair} is in doubt: {each.verdict}'
            for pair, each in found.items()
            if each.verdict
        )
        return _Segments(run, ions, chains, distances, verdict)

    def quantities(self, result: BridgingResult) -> list[Quantity]:
        shares, numbers = Panel('bridging', 'share', limits=(-0.04, 1.06)), self.panels[1]
        drawn = [
            (FRACTION, shares, 'chains that bridge', True),
            (NOT_NEGATIVE, Panel(numbers, 'clusters per chain'), '', False),
            (FRACTION, shares, 'loops', False),
            (FRACTION, shares, 'bridges', False),
            (FRACTION, shares, 'dangling ends', False),
        ]
        return [
            Quantity(
                name,
                '1',
                replace(
                    result.estimates[name].within(*limits),
                    verdict=joined(result.verdict, result.estimates[name].verdict),
                ),
                limits=limits,
                panel=panel,
                label=label,
                is_key=is_key,
                follows=WATCHED,
            )
            for name, (limits, panel, label, is_key) in zip(NAMES, drawn, strict=True)
        ]

    def curves(self, result: BridgingResult) -> dict[str, Curve]:
        return {'clusters joined': result.joined} if len(result.joined.x) else {}

    def notes(self, result: BridgingResult) -> list[str]:
        return [
            f'{result.n_chains} chains with {result.n_groups} ionic groups, {result.n_frames} '
            'frames evenly spaced',
            *(f'contact distance {pair} {r:.4g}' for pair, r in result.contact_distances.items()),
        ]


def ionic_groups(topology: Topology, chains: list[IntArray], ions: Ions) -> FloatArray:
    """Find the ions that bonds hold to a chain, as indices of `ions.indices`, with where they are.

    Returns:
        Ion, chain, and place along the chain of the bead that the bonds lead to first, as rows in
        the order of chains and places, shape (M, 3).
    """
    from scipy import sparse  # not at the top: importing the project must not load SciPy

    n, bonds = len(topology.charge), topology.bonds
    one_way = sparse.coo_array((np.ones(len(bonds)), tuple(bonds.T)), shape=(n, n))
    matrix = (one_way + one_way.T).tocsr()
    own = np.full((n, 2), -1, dtype=np.int64)
    for k, chain in enumerate(chains):
        own[chain, 0], own[chain, 1] = k, np.arange(len(chain))
    # Side groups take the place of the bead that they grow from, bond by bond.
    front = np.concatenate(chains)
    while len(front):
        rows = matrix[front].tocoo()
        new = own[rows.col, 0] < 0
        reached = rows.col[new]
        own[reached] = own[front[rows.row[new]]]
        front = np.unique(reached)
    held = np.flatnonzero(own[ions.indices, 0] >= 0)
    of_ion = own[ions.indices[held]]
    order = np.lexsort((held, of_ion[:, 1], of_ion[:, 0]))
    return np.column_stack([held[order], of_ion[order]])


class _Segments(Accumulator[BridgingResult]):
    """Clusters joined by each chain, loops, bridges and dangling ends of each frame."""

    def __init__(
        self,
        run: Run,
        ions: Ions,
        chains: list[IntArray],
        distances: dict[str, float],
        verdict: str,
    ) -> None:
        groups = ionic_groups(run.topology, chains, ions)
        if not len(groups):
            raise UserError('no ion is bonded to a chain.')
        self.frames = run.even_frames[run.even_frames >= run.production.first_settled_frame]
        self._ions, self._distances, self._verdict = ions, distances, verdict
        self._limits = ions.limits(distances)
        self._group, chain, self._place = groups.T
        kept, self._chain = np.unique(chain, return_inverse=True)
        self._bonds = np.array([len(chains[k]) - 1 for k in kept])
        self._is_next = self._chain[1:] == self._chain[:-1]
        self._rows: list[list[float]] = []
        self._joined: list[IntArray] = []

    def add(self, frame: int, snapshot: Snapshot) -> None:
        ions, n_chains = self._ions, len(self._bonds)
        near = snapshot.positions[None, ions.indices], [snapshot.box]
        links = pairs_in_frames(*near, ions.unlike_bonded)
        contacts = contacts_in_frames(*near, ions.is_cation, float(self._limits.max()))
        graph = contacts.within(self._limits, ions.typeid).without(links).joined(links)
        clusters = connected_components(graph)
        if clusters.dimension.any():
            self._rows.append([np.nan] * len(NAMES))
            return
        label = clusters.label[self._group]
        is_in = clusters.size[label] > 1
        of_chain = np.unique(np.stack([self._chain[is_in], label[is_in]]), axis=1)[0]
        joined = np.bincount(of_chain, minlength=n_chains)
        both = is_in[1:] & is_in[:-1] & self._is_next
        same = label[1:] == label[:-1]
        segments = max(int(self._is_next.sum()), 1) if self._is_next.any() else np.nan
        first, last = self._bonds.copy(), np.zeros(n_chains, dtype=np.int64)
        np.minimum.at(first, self._chain[is_in], self._place[is_in])
        np.maximum.at(last, self._chain[is_in], self._place[is_in])
        dangling = np.where(joined > 0, first + self._bonds - last, self._bonds)
        self._joined.append(np.bincount(joined))
        self._rows.append(
            [
                float((joined > 1).mean()),
                float(joined.mean()),
                float((both & same).sum() / segments),
                float((both & ~same).sum() / segments),
                float(dangling.sum() / self._bonds.sum()),
            ]
        )

    def conclude(self) -> BridgingResult:
        table = np.array(self._rows)
        percolating = 1 - len(self._joined) / len(table)
        told = (
            f'a cluster percolates in {100 * percolating:.3g} % of the frames, which are left out: '
            'there chains have no clusters to bridge'
        ) * (percolating > 0)
        estimates = dict(zip(NAMES, map(mean_with_interval, table.T), strict=True))
        if not self._is_next.any():
            alone = Estimate(verdict='no chain has two ionic groups')
            estimates |= {'loop_fraction': alone, 'bridge_fraction': alone}
        if told:
            estimates = {name: replace(each, verdict=told) for name, each in estimates.items()}
        shares = np.zeros(max(map(len, self._joined), default=0))
        for each in self._joined:
            shares[: len(each)] += each / each.sum() / len(self._joined)
        return BridgingResult(
            n_chains=len(self._bonds),
            n_groups=len(self._group),
            contact_distances=self._distances,
            estimates=estimates,
            joined=Curve(
                *(np.arange(len(shares), dtype=np.float64), shares),
                x_label='clusters that a chain joins',
                y_label='share of the chains',
                outside=0.0,
            ),
            n_frames=len(table),
            percolating=percolating,
            verdict=self._verdict,
        )
