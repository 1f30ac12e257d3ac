"""The static structure factor S(q) of all particles, and where its main peak is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.estimate import Curve, Estimate
from analysis.estimators.intervals import jackknife
from analysis.geometry.topology import Snapshot
from analysis.geometry.wave_vectors import random_lattice_vectors, scattered_intensity
from analysis.io.trajectory import Trajectory
from analysis.observable import NOT_NEGATIVE, Accumulator, Observable, Panel, Quantity
from analysis.sampling.frame_selection import spread_out
from analysis.sampling.run import Run

VECTORS_PER_SHELL = 24
SHELLS = 60
# In units of 2 pi over the mean distance of neighbouring particles.
LOWEST, HIGHEST = 0.6, 1.9
LEAST_HEIGHT = 1.2
FEWEST_SHELLS = 5
SMOOTHING_SHELLS = 1.5
# The peak is found in a few frames; its height and the curve take more.
FRAMES_FOR_PEAK, MOST_FRAMES = 4, 20
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
        'S(q) = <|sum_j exp(i q.r_j)|^2> / N over all particles, at wave vectors 2 pi n/L in '
        'random directions, averaged in shells (Hansen and McDonald, Theory of Simple Liquids, '
        '4th ed., ch. 4.1); q in 1/sigma. Main peak q* of the smoothed curve.'
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
        return [f'{result.n_frames} frames, evenly spread']


def main_peak(trajectory: Trajectory, frames: IntArray) -> tuple[float | None, str]:
    """Find the wave number of the main peak of S(q), or why there is none, in at most 4 frames."""
    found = _Intensities(spread_out(frames, FRAMES_FOR_PEAK))
    for frame in found.frames:
        found.add(int(frame), trajectory.read(int(frame)))
    return _peak_of(*found.shells())


class _Intensities(Accumulator[StructureFactorResult]):
    """Sums of wave numbers and intensities by frame and shell."""

    def __init__(self, frames: IntArray) -> None:
        self.frames = frames
        self._generator = np.random.default_rng(0)
        self._edges: FloatArray | None = None
        self._rows: list[FloatArray] = []

    def add(self, frame: int, snapshot: Snapshot) -> None:
        n = len(snapshot.positions)
        if self._edges is None:
            scale = 2 * np.pi / float(np.cbrt(np.prod(snapshot.box) / n))
            self._edges = np.linspace(LOWEST * scale, HIGHEST * scale, SHELLS + 1)
        vectors = random_lattice_vectors(
            snapshot.box, self._edges, VECTORS_PER_SHELL, self._generator
        )
        s = scattered_intensity(snapshot.positions, vectors) / n
        length = np.linalg.norm(vectors, axis=1)
        shell = np.clip(np.digitize(length, self._edges) - 1, 0, SHELLS - 1)
        self._rows.append(
            np.stack([np.bincount(shell, w, SHELLS) for w in (length, s, np.ones(len(s)))])
        )

    def shells(self) -> tuple[FloatArray, FloatArray]:
        """Average wave number and S(q) in the shells that have wave vectors, shape (n,) each."""
        sums_q, sums_s, counts = np.sum(self._rows, axis=0)
        seen = counts > 0
        return sums_q[seen] / counts[seen], sums_s[seen] / counts[seen]

    def conclude(self) -> StructureFactorResult:
        q, s = self.shells()
        peak, verdict = _peak_of(q, s)
        table = np.array(self._rows)
        seen = table[:, 2].sum(axis=0) > 0
        # Only shells that every frame has wave vectors in let a frame be left out.
        others = (table.sum(axis=0) - table)[:, :, seen]
        low, high = None, None
        estimate = Estimate(peak, verdict=verdict)
        if len(table) >= FEWEST_FRAMES and (others[:, 2] > 0).all():
            low, high = jackknife(s, others[:, 1] / others[:, 2])
            estimate = _with_interval(peak, verdict, others)
        curve = Curve(q, s, low, high, r'wave number $q$ [$\sigma^{-1}$]', '$S(q)$')
        return StructureFactorResult(curve, estimate, len(table))


def _with_interval(peak: float | None, verdict: str, others: FloatArray) -> Estimate:
    """Add to the peak the spread of those found without each frame in turn."""
    found = [_peak_of(each[0] / each[2], each[1] / each[2])[0] for each in others]
    if peak is None or any(each is None for each in found):
        return Estimate(peak, verdict=verdict or 'is not found without one of the frames')
    low, high = jackknife(np.array([peak]), np.array(found, dtype=float)[:, None])
    if low[0] == high[0]:
        return Estimate(peak, verdict='at the same shell in all frames: no interval')
    return Estimate(peak, float(low[0]), float(high[0]), float(len(others)))


def _peak_of(q: FloatArray, s: FloatArray) -> tuple[float | None, str]:
    from scipy.ndimage import gaussian_filter1d

    if len(q) < FEWEST_SHELLS:
        return None, 'S(q): the box is too small for wave vectors'
    smooth = gaussian_filter1d(s, SMOOTHING_SHELLS)
    top = int(np.argmax(smooth))
    if not 0 < top < len(q) - 1 or smooth[top] < LEAST_HEIGHT:
        return None, 'S(q) has no main peak'
    return float(q[top]), ''
