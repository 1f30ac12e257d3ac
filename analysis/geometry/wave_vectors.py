"""Wave vectors that fit a periodic box, and the intensity that particles scatter at them."""

from __future__ import annotations

import numpy as np

from analysis.arrays import FloatArray
from analysis.geometry.box import Box

PARTICLES_AT_ONCE = 4096


def random_lattice_vectors(
    box: Box, edges: FloatArray, per_shell: int, generator: np.random.Generator
) -> FloatArray:
    """Choose wave vectors of the box in random directions, shape (Q, 3), within all edges.

    Edges of the shells in wave number have shape (S + 1,); of the vectors that are tried for each
    shell, those that coincide count once.
    """
    n = (len(edges) - 1) * per_shell
    length = np.repeat((edges[1:] + edges[:-1]) / 2, per_shell)
    directions = generator.normal(size=(n, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    vectors = box.nearest_wave_vectors(directions * length[:, None])
    norm = np.linalg.norm(vectors, axis=1)
    return np.asarray(vectors[(norm >= edges[0]) & (norm <= edges[-1])], dtype=np.float64)


def lattice_vectors(
    box: Box, edges: FloatArray, most: int, generator: np.random.Generator
) -> FloatArray:
    """Find the wave vectors of the box in shells, shape (Q, 3), of k and -k one.

    All of them between two edges, (S + 1,), where they are at most `most`, else so many at random.
    """
    reach = np.floor(edges[-1] * np.linalg.norm(box.matrix, axis=1) / (2 * np.pi)).astype(int)
    ranges = [np.arange(-n, n + 1) for n in reach]
    indices = np.stack(np.meshgrid(*ranges, indexing='ij'), axis=-1).reshape(-1, 3)
    # In this order -k is as far from the end as k from the start, and 0 in the middle.
    vectors = box.wave_vectors(indices[len(indices) // 2 + 1 :])
    shell = np.digitize(np.linalg.norm(vectors, axis=1), edges)
    order = generator.permutation(len(shell))
    order = order[np.argsort(shell[order], kind='stable')]
    shell = shell[order]
    place = np.arange(len(shell)) - np.searchsorted(shell, shell)
    chosen = order[(place < most) & (shell > 0) & (shell < len(edges))]
    return np.asarray(vectors[np.sort(chosen)], dtype=np.float64)


def scattered_intensity(positions: FloatArray, vectors: FloatArray) -> FloatArray:
    """Sum |sum_j exp(i q.r_j)|^2 over positions, shape (N, 3), at each of vectors (Q, 3)."""
    cosines, sines = density_modes(positions, vectors)
    intensity: FloatArray = cosines**2 + sines**2
    return intensity


def density_modes(positions: FloatArray, vectors: FloatArray) -> FloatArray:
    """Sum cos(q.r_j) and sin(q.r_j) over positions, shape (N, 3), at vectors (Q, 3): (2, Q)."""
    cosines, sines = modes = np.zeros((2, len(vectors)))
    for start in range(0, len(positions), PARTICLES_AT_ONCE):
        some = positions[start : start + PARTICLES_AT_ONCE]
        for first in range(0, len(vectors), 256):
            phase = (vectors[first : first + 256] @ some.T).astype(np.float32)
            cosines[first : first + 256] += np.cos(phase).sum(axis=1, dtype=np.float64)
            sines[first : first + 256] += np.sin(phase).sum(axis=1, dtype=np.float64)
    return modes
