"""The static structure factor S(q) of all particles, and where its main peak is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.estimate import Curve, Estimate
from analysis.estimators.intervals import jackknife
from analysis.geometry.topology import Snapshot
from analysis.observable import NOT_NEGATIVE, Accumulator, Observable, Panel, Quantity
from analysis.sampling.frame_selection import spread_out
from analysis.sampling.main_peak import ShellsOfFrames, ShellSums, peak_of
from analysis.sampling.run import Run
from user_input import count_of

MOST_FRAMES = 20
FEWEST_FRAMES = 4


@dataclass(frozen=True)
class StructureFactorResult:
    """The static structure factor near its main peak, averaged over `n_frames`.

    Attributes:
        curve: S(q) of all particles against the mean wave number of each shell.
        peak: Wave number of the main peak; its verdict says why there is none.
    """

    curve: Curve
    peak: Estimate
    n_frames: int


@dataclass(frozen=True)
class StructureFactor(Observable[StructureFactorResult]):
    """S(q) at wave vectors that fit the box, about its main peak."""

    name = 'structure_factor'
    title = 'Structure factor'
    definition = (
        'S(q) = <|sum_j exp(i q.r_j)|^2> / N over all particles, at wave vectors that fit '
        'the box, in random directions, averaged in shells (Hansen and McDonald, Theory of Simple '
        'Liquids, 4th ed., ch. 4.1); q in 1/sigma. Main peak q* of the smoothed curve.'
    )
    result = StructureFactorResult
    panels = ('structure factor peak',)
    names = ('structure_factor_peak',)

    def begin(self, run: Run) -> Accumulator[StructureFactorResult]:
        return _Intensities(spread_out(run.even_frames, MOST_FRAMES))

    def quantities(self, result: StructureFactorResult) -> list[Quantity]:
        panel = Panel('structure factor peak', r'$q^*$ [$\sigma^{-1}$]')
        name, peak = self.names[0], result.peak
        return [Quantity(name, 'sigma^-1', peak, limits=NOT_NEGATIVE, panel=panel)]

    def curves(self, result: StructureFactorResult) -> dict[str, Curve]:
        return {'all': result.curve}

    def notes(self, result: StructureFactorResult) -> list[str]:
        return [f'{count_of(result.n_frames, "frame")}, evenly spread']


class _Intensities(Accumulator[StructureFactorResult]):
    """Sums of wave numbers and intensities by frame and shell."""

    def __init__(self, frames: IntArray) -> None:
        self.frames = frames
        self._shells = ShellsOfFrames()
        self._rows: list[FloatArray] = []

    def add(self, frame: int, snapshot: Snapshot) -> None:
        self._rows.append(self._shells.of(snapshot))

    def conclude(self) -> StructureFactorResult:
        table = np.array(self._rows)
        sums = table.sum(axis=0)
        peak, verdict = peak_of(ShellSums(*sums))
        seen = sums[2] > 0
        q, s = sums[:2, seen] / sums[2, seen]
        # Only shells that every frame has wave vectors in let a frame be left out.
        others = (sums - table)[:, :, seen]
        low, high = None, None
        estimate = Estimate(peak, verdict=verdict)
        if len(table) >= FEWEST_FRAMES and (others[:, 2] > 0).all():
            low, high = jackknife(s, others[:, 1] / others[:, 2])
            estimate = _with_interval(peak, verdict, others)
        curve = Curve(q, s, low, high, r'wave number $q$ [$\sigma^{-1}$]', '$S(q)$')
        return StructureFactorResult(curve, estimate, len(table))


def _with_interval(peak: float | None, verdict: str, others: FloatArray) -> Estimate:
    """Add to the peak the spread of those found without each frame in turn."""
    found = [peak_of(ShellSums(*each))[0] for each in others]
    if peak is None or any(each is None for each in found):
        return Estimate(peak, verdict=verdict or 'is not found without one of the frames')
    low, high = jackknife(np.array([peak]), np.array(found, dtype=float)[:, None])
    if low[0] == high[0]:
        return Estimate(peak, interval_verdict='at the same shell in all frames: no interval')
    return Estimate(peak, float(low[0]), float(high[0]), float(len(others)))
