"""Pair correlation functions g(r): of all particles, and between the kinds of ions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.estimate import Curve, Estimate
from analysis.estimators.intervals import jackknife
from analysis.geometry.contact_graph import pairs_in_frames
from analysis.geometry.ions import Ions, has_ions, parts_of_charges
from analysis.geometry.shells import unite_shells
from analysis.geometry.topology import Snapshot
from analysis.observable import NOT_NEGATIVE, Accumulator, Observable, Panel, Quantity
from analysis.observables.choice_of_ions import ChoiceOfIons
from analysis.sampling.frame_selection import spread_out
from analysis.sampling.run import Run
from user_input import UserError, count_of

MOST_FRAMES = 20
FEWEST_FRAMES = 4
BINS = 200
# In units of the mean distance between neighbouring particles.
REACH = 3.0
# Half the least width, less a margin for rounding and for a box that breathes.
PART_OF_HALF_BOX = 0.95
PAIRS = ('all', 'cation-anion', 'cation-cation', 'anion-anion')


def _quantity_name(pair: str) -> str:
    return f'pair_correlation_peak_{pair}'.replace('-', '_')


@dataclass(frozen=True)
class PairCorrelationResult:
    """Pair correlation functions g(r), and the distance of the highest point of each.

    By pair of groups, those of PAIRS that the system has; averaged over `n_frames`, evenly spread.
    """

    curves: dict[str, Curve]
    peaks: dict[str, Estimate]
    n_frames: int


@dataclass(frozen=True)
class PairCorrelation(ChoiceOfIons, Observable[PairCorrelationResult]):
    """g(r) of all particles and of the ions."""

    name = 'pair_correlation'
    title = 'Pair correlation'
    definition = (
        'g(r) = n(r) / (4 pi r^2 dr rho): pairs of two groups at the distance r, relative to those '
        'of an ideal gas (Hansen and McDonald, Theory of Simple Liquids, 4th ed., ch. 2.5); r in '
        'sigma. Bonded pairs count, but for a cation and an anion bonded to each other.'
    )
    result = PairCorrelationResult
    panels = ('pair correlation peaks',)
    names = tuple(map(_quantity_name, PAIRS))

    def begin(self, run: Run) -> Accumulator[PairCorrelationResult]:
        ions = self.ions_of(run) if self.cations or self.anions or self._has_ions(run) else None
        n = len(run.topology.typeid)
        return _Histograms(n, ions, spread_out(run.even_frames, MOST_FRAMES))

    def _has_ions(self, run: Run) -> bool:
        # Core and shell of a neutral molecule, and partial charges, are no cations and anions.
        topology, _ = unite_shells(run.topology, run.frames.read(0), self.shells)
        return has_ions(topology) and not parts_of_charges(topology)

    def quantities(self, result: PairCorrelationResult) -> list[Quantity]:
        panel = Panel('pair correlation peaks', r'distance of the peak [$\sigma$]')
        return [
            Quantity(name, 'sigma', peak, limits=NOT_NEGATIVE, panel=panel, label=pair)
            for pair, peak in result.peaks.items()
            for name in [_quantity_name(pair)]
        ]

    def curves(self, result: PairCorrelationResult) -> dict[str, Curve]:
        return result.curves

    def notes(self, result: PairCorrelationResult) -> list[str]:
        return [f'{count_of(result.n_frames, "frame")}, evenly spread']


class _Histograms(Accumulator[PairCorrelationResult]):
    """g(r) of each frame and pair of groups."""

    def __init__(self, n: int, ions: Ions | None, frames: IntArray) -> None:
        self.frames = frames
        everything = np.arange(n)
        self._groups = {'all': (everything, everything)}
        self._left_out: dict[str, IntArray] = {}
        if ions is not None:
            if len(ions.unlike_bonded):
                self._left_out['cation-anion'] = ions.indices[ions.unlike_bonded]
            cations, anions = ions.indices[ions.is_cation], ions.indices[~ions.is_cation]
            self._groups |= {
                'cation-anion': (cations, anions),
                'cation-cation': (cations, cations),
                'anion-anion': (anions, anions),
            }
        for name, (one, other) in list(self._groups.items()):
            if one is other and len(one) < 2:
                del self._groups[name]
        self._reach = 0.0
        self._rdfs: dict[str, Any] = {}
        self._rows: dict[str, list[FloatArray]] = {name: [] for name in self._groups}

    def add(self, frame: int, snapshot: Snapshot) -> None:
        import freud

        if not self._reach:
            spacing = float(np.cbrt(snapshot.box.volume / len(snapshot.positions)))
            half = PART_OF_HALF_BOX * snapshot.box.least_width / 2
            self._reach = min(REACH * spacing, half)
            for name, (one, other) in self._groups.items():
                # Of one group, relative to the N - 1 others.
                mode = 'finite_size' if one is other else 'exact'
                self._rdfs[name] = freud.density.RDF(BINS, self._reach, normalization_mode=mode)
        if 2 * self._reach > snapshot.box.least_width:
            raise UserError(
                f'the box shrinks to {snapshot.box.least_width:.4g}, less than twice the '
                f'{self._reach:.4g} to which g(r) is counted. Begin after that: --first-frame.'
            )
        box = snapshot.box.for_freud
        for name, (one, other) in self._groups.items():
            rdf = self._rdfs[name]
            query_points = None if one is other else snapshot.positions[other]
            rdf.compute((box, snapshot.positions[one]), query_points=query_points)
            g = np.asarray(rdf.rdf, dtype=np.float64)
            if name in self._left_out:
                g = self._without(snapshot, rdf, self._left_out[name], len(one) * len(other))
            self._rows[name].append(g)

    def _without(
        self, snapshot: Snapshot, rdf: Any, left_out: IntArray, n_pairs: int
    ) -> FloatArray:
        """Compute g(r) without the pairs of particles that are left out, (M, 2)."""
        lengths = pairs_in_frames(snapshot.positions[None], [snapshot.box], left_out).lengths
        edges = np.linspace(0.0, self._reach, BINS + 1)
        # Single and double precision may disagree about a bin.
        counts = np.maximum(rdf.bin_counts - np.histogram(lengths, edges)[0], 0)
        shells = 4 / 3 * np.pi * np.diff(edges**3) / snapshot.box.volume
        return np.asarray(counts / np.maximum(shells * (n_pairs - len(left_out)), 1e-300))

    def conclude(self) -> PairCorrelationResult:
        width = self._reach / BINS
        distance = (np.arange(BINS) + 0.5) * width
        curves, peaks = {}, {}
        for name, rows in self._rows.items():
            table: FloatArray = np.array(rows)
            g: FloatArray = table.mean(axis=0)
            low, high = None, None
            top = int(np.argmax(g))
            peak = Estimate(float(distance[top]))
            if len(table) >= FEWEST_FRAMES:
                others = (table.sum(axis=0) - table) / (len(table) - 1)
                low, high = jackknife(g, others)
                # A peak is known no better than its bin.
                ends = jackknife(np.zeros(1), distance[others.argmax(axis=1)][:, None])
                half = max(float(ends[1][0] - ends[0][0]) / 2, width / 2)
                about = (float(distance[top] - half), float(distance[top] + half))
                peak = Estimate(peak.value, *about, float(len(table))).within(*NOT_NEGATIVE)
            peaks[name] = peak if g[top] > 0 else Estimate(verdict='no two came within reach')
            labels = (r'distance $r$ [$\sigma$]', '$g(r)$')
            curves[name] = Curve(np.asarray(distance, np.float64), g, low, high, *labels)
        return PairCorrelationResult(curves, peaks, len(self.frames))
