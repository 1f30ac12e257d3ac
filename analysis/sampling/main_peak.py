"""The main peak of S(q) of all particles, from sums in shells of wave vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.geometry.topology import Snapshot
from analysis.geometry.wave_vectors import random_lattice_vectors, scattered_intensity
from analysis.io.trajectory import Trajectory
from analysis.sampling.frame_selection import spread_out

VECTORS_PER_SHELL = 24
SHELLS = 60
# In units of 2 pi over the mean distance of neighbouring particles.
LOWEST, HIGHEST = 0.6, 1.9
LEAST_HEIGHT = 1.2
FEWEST_SHELLS = 5
SMOOTHING_SHELLS = 1.5
FRAMES_OF_A_RUN = 4


@dataclass(frozen=True)
class ShellSums:
    """Sums over wave vectors in shells, of one or more frames.

    Attributes:
        wave_number: Sums of |q|, shape (n,).
        intensity: Sums of S(q), shape (n,).
        number: How many wave vectors each shell has had, shape (n,).
    """

    wave_number: FloatArray
    intensity: FloatArray
    number: FloatArray


class ShellsOfFrames:
    """Sums in shells of the same wave numbers for each frame that it is given."""

    def __init__(self) -> None:
        self._generator = np.random.default_rng(0)
        self._edges: FloatArray | None = None

    def of(self, snapshot: Snapshot) -> FloatArray:
        """Sum wave numbers, S(q), and ones, over the wave vectors of each shell, shape (3, n)."""
        n = len(snapshot.positions)
        if self._edges is None:
            scale = 2 * np.pi / float(np.cbrt(snapshot.box.volume / n))
            self._edges = np.linspace(LOWEST * scale, HIGHEST * scale, SHELLS + 1)
        vectors = random_lattice_vectors(
            snapshot.box, self._edges, VECTORS_PER_SHELL, self._generator
        )
        s = scattered_intensity(snapshot.positions, vectors) / n
        length = np.linalg.norm(vectors, axis=1)
        shell = np.clip(np.digitize(length, self._edges) - 1, 0, SHELLS - 1)
        return np.stack([np.bincount(shell, w, SHELLS) for w in (length, s, np.ones(len(s)))])


def sum_shells(trajectory: Trajectory, frames: IntArray) -> ShellSums:
    """Sum S(q) in shells over frames."""
    shells = ShellsOfFrames()
    rows = [shells.of(trajectory.read(int(frame))) for frame in frames]
    return ShellSums(*np.sum(rows, axis=0))


def pool_shells(runs: Sequence[ShellSums]) -> ShellSums:
    """Add up the sums of runs in common shells.

    S(q) of all particles is of one size in all states, so that each run counts the same.
    """
    table = np.concatenate([[run.wave_number, run.intensity, run.number] for run in runs], axis=1)
    table = table[:, table[2] > 0]
    q = table[0] / table[2]
    edges = np.linspace(q.min(), q.max(), SHELLS + 1)
    shell = np.clip(np.digitize(q, edges) - 1, 0, SHELLS - 1)
    sums = (np.bincount(shell, each, SHELLS).astype(np.float64) for each in table)
    return ShellSums(*sums)


def main_peak(trajectory: Trajectory, frames: IntArray) -> tuple[float | None, str]:
    """Find the wave number of the main peak of S(q), or why there is none, in at most 4 frames."""
    return peak_of(sum_shells(trajectory, spread_out(frames, FRAMES_OF_A_RUN)))


def peak_of(sums: ShellSums) -> tuple[float | None, str]:
    """Find the wave number of the main peak, or why there is none.

    It is the centre of the upper half of the peak, above 1, which many shells have a part in: which
    of them is the highest is a matter of chance.
    """
    from scipy.ndimage import gaussian_filter1d

    seen = sums.number > 0
    q, s = sums.wave_number[seen] / sums.number[seen], sums.intensity[seen] / sums.number[seen]
    if len(q) < FEWEST_SHELLS:
        return None, 'S(q): the box is too small for wave vectors'
    smooth = gaussian_filter1d(s, SMOOTHING_SHELLS)
    top = int(np.argmax(smooth))
    if not 0 < top < len(q) - 1 or smooth[top] < LEAST_HEIGHT:
        return None, 'S(q) has no main peak'
    level = (smooth[top] + 1) / 2
    low = np.flatnonzero(smooth < level)
    first, last = max((*low[low < top], 0)), min((*low[low > top], len(q) - 1))
    part = slice(first, last + 1)
    above = np.maximum(s[part] - level, 0.0)
    return float(above @ q[part] / above.sum()), ''
