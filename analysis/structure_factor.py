"""The static structure factor S(q) of all particles, and where its main peak is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.frame_selection import spread_out
from analysis.trajectory import FloatArray, IntArray, Trajectory

MOST_FRAMES = 4
VECTORS_PER_SHELL = 24
SHELLS = 60
# In units of 2 pi over the mean distance of neighbouring particles.
LOWEST, HIGHEST = 0.6, 1.9
LEAST_HEIGHT = 1.2
PARTICLES_AT_ONCE = 4096


@dataclass(frozen=True)
class StructureFactor:
    """The static structure factor near its main peak.

    Attributes:
        q: Mean wave number of each shell, shape (n,).
        s: Structure factor, shape (n,).
        peak: Wave number of the main peak; None where there is none.
        verdict: Empty, or why there is no peak.
    """

    q: FloatArray
    s: FloatArray
    peak: float | None
    verdict: str


def structure_factor(trajectory: Trajectory, frames: IntArray) -> StructureFactor:
    """S(q) = |sum_j exp(i q.r_j)|^2 / N at wave vectors that fit the box.

    Args:
        trajectory: Where the frames come from.
        frames: Frames to choose from; at most 4 of them are read.
    """
    from scipy.ndimage import gaussian_filter1d

    chosen = spread_out(frames, MOST_FRAMES)
    sums_q, sums_s, counts = np.zeros(SHELLS), np.zeros(SHELLS), np.zeros(SHELLS)
    generator = np.random.default_rng(0)
    edges: FloatArray | None = None
    for frame in chosen:
        snapshot = trajectory.read(int(frame))
        n = len(snapshot.positions)
        if edges is None:
            scale = 2 * np.pi / float(np.cbrt(np.prod(snapshot.box) / n))
            edges = np.linspace(LOWEST * scale, HIGHEST * scale, SHELLS + 1)
        vectors = _lattice_vectors(snapshot.box, edges, generator)
        s = _intensity(snapshot.positions, vectors) / n
        length = np.linalg.norm(vectors, axis=1)
        shell = np.clip(np.digitize(length, edges) - 1, 0, SHELLS - 1)
        sums_q += np.bincount(shell, length, SHELLS)
        sums_s += np.bincount(shell, s, SHELLS)
        counts += np.bincount(shell, minlength=SHELLS)
    seen = counts > 0
    q, s = sums_q[seen] / counts[seen], sums_s[seen] / counts[seen]
    if len(q) < 5:
        return StructureFactor(q, s, None, 'S(q): the box is too small for wave vectors')
    smooth = gaussian_filter1d(s, 1.5)
    top = int(np.argmax(smooth))
    if not 0 < top < len(q) - 1 or smooth[top] < LEAST_HEIGHT:
        return StructureFactor(q, s, None, 'S(q) has no main peak')
    return StructureFactor(q, s, float(q[top]), '')


def _lattice_vectors(
    box: FloatArray, edges: FloatArray, generator: np.random.Generator
) -> FloatArray:
    """A bounded number of wave vectors 2 pi n / L in random directions for each shell."""
    n = SHELLS * VECTORS_PER_SHELL
    length = np.repeat((edges[1:] + edges[:-1]) / 2, VECTORS_PER_SHELL)
    directions = generator.normal(size=(n, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    indices = np.unique(np.rint(directions * length[:, None] * box / (2 * np.pi)), axis=0)
    vectors: FloatArray = 2 * np.pi * indices / box
    norm = np.linalg.norm(vectors, axis=1)
    return np.asarray(vectors[(norm >= edges[0]) & (norm <= edges[-1])], dtype=np.float64)


def _intensity(positions: FloatArray, vectors: FloatArray) -> FloatArray:
    """|sum_j exp(i q.r_j)|^2 for each wave vector, shape (Q,)."""
    cosines, sines = np.zeros(len(vectors)), np.zeros(len(vectors))
    for start in range(0, len(positions), PARTICLES_AT_ONCE):
        some = positions[start : start + PARTICLES_AT_ONCE]
        for first in range(0, len(vectors), 256):
            phase = (vectors[first : first + 256] @ some.T).astype(np.float32)
            cosines[first : first + 256] += np.cos(phase).sum(axis=1, dtype=np.float64)
            sines[first : first + 256] += np.sin(phase).sum(axis=1, dtype=np.float64)
    intensity: FloatArray = cosines**2 + sines**2
    return intensity
