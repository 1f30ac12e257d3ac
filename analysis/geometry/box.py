"""Periodic boxes, orthorhombic or tilted: wrapping, nearest images, wave vectors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.arrays import FloatArray, IntArray

# In edges. Beyond a half, so that rounding does not decide how a hexagonal box is described.
MOST_TILT = 0.501
# In whatever unit: metres are the longest in use.
LEAST_EDGE = 1e-15


@dataclass(frozen=True)
class Box:
    """A box centred on the origin.

    Attributes:
        matrix: The vectors that span it as rows, shape (3, 3): the first along x, the second in
            the plane of x and y.
    """

    matrix: FloatArray

    @classmethod
    def of(cls, numbers: ArrayLike) -> Box:
        """Make a box of one edge, of three, or of HOOMD's Lx, Ly, Lz, xy, xz, yz."""
        return _box_of(tuple(np.ravel(numbers).tolist()))

    @cached_property
    def lengths(self) -> FloatArray:
        """Lx, Ly, Lz, the edges where nothing is tilted, shape (3,)."""
        return np.diag(self.matrix)

    @property
    def tilts(self) -> FloatArray:
        """HOOMD's tilt factors xy, xz, yz, shape (3,)."""
        return self.matrix[[1, 2, 2], [0, 0, 1]] / self.lengths[[1, 2, 2]]

    @property
    def volume(self) -> float:
        """Its volume."""
        return float(np.prod(self.lengths))

    @cached_property
    def is_sound(self) -> bool:
        """Whether it is finite and its edges are not next to nothing."""
        return bool(np.all(np.isfinite(self.matrix)) and np.all(self.lengths > LEAST_EDGE))

    @cached_property
    def least_width(self) -> float:
        """The least distance of two opposite faces: below half of it an image is the nearest."""
        (lx, ly, lz), (xy, xz, yz) = self.lengths, self.tilts
        widths = lx / np.sqrt(1 + xy**2 + (xy * yz - xz) ** 2), ly / np.sqrt(1 + yz**2), lz
        return float(min(widths))

    @cached_property
    def _is_straight(self) -> bool:
        return not np.tril(self.matrix, -1).any()

    @property
    def for_freud(self) -> Any:
        """As a box of freud."""
        import freud

        return freud.box.Box(*self.lengths, *self.tilts)

    def fractions(self, vectors: NDArray[Any]) -> FloatArray:
        """Express vectors (..., 3) by those that span the box."""
        parts: FloatArray = vectors / self.lengths
        if not self._is_straight:
            (lx, _, _), (bx, ly, _), (cx, cy, _) = self.matrix
            parts[..., 1] -= parts[..., 2] * (cy / ly)
            parts[..., 0] -= parts[..., 1] * (bx / lx) + parts[..., 2] * (cx / lx)
        return parts

    def whole(self, numbers: NDArray[Any]) -> FloatArray:
        """Add up whole numbers (..., 3) of the vectors that span the box."""
        if self._is_straight:  # a product of many small matrices would be slow
            return np.asarray(numbers * self.lengths, dtype=np.float64)
        return np.asarray(numbers @ self.matrix, dtype=np.float64)

    def nearest_image(self, vectors: NDArray[Any]) -> FloatArray:
        """Take whole box vectors off vectors (..., 3): each fraction is within a half of 0.

        It is the shortest where it is shorter than half the least width.
        """
        nearest: FloatArray = vectors - self.whole(np.rint(self.fractions(vectors)))
        return nearest

    def wrap(
        self, positions: NDArray[Any], images: NDArray[Any] | None
    ) -> tuple[Box, FloatArray, IntArray | None]:
        """Wrap into the box of least tilts, and move what was taken off into images, if any.

        Many boxes describe one lattice. That of least tilts is wide, and does not depend on which
        of them a file has.

        Args:
            positions: Shape (N, 3).
            images: How many vectors of this box each particle has travelled, shape (N, 3).

        Returns:
            The box, positions of fractions in [-1/2, 1/2) of it, and images in its vectors.
        """
        box, turns = self._least_tilted
        inside = np.asarray(positions, dtype=np.float64)
        whole = None if images is None else np.asarray(images, dtype=np.int64)
        if whole is not None and turns is not None:
            whole = whole @ turns
        crossed = np.floor(box.fractions(inside) + 0.5)
        if not crossed.any():  # as in most files
            return box, inside, whole
        inside = inside - box.whole(crossed)
        return box, inside, None if whole is None else whole + crossed.astype(np.int64)

    def nearest_wave_vectors(self, targets: FloatArray) -> FloatArray:
        """Find the wave vectors that fit the box next to `targets`, (Q, 3), each only once."""
        return self.wave_vectors(np.unique(self.wave_indices(targets), axis=0))

    def wave_indices(self, vectors: FloatArray) -> FloatArray:
        """Find the whole numbers of the wave vectors that fit the box next to `vectors`, (Q, 3)."""
        return np.asarray(np.rint(vectors @ self.matrix.T / (2 * np.pi)), dtype=np.float64)

    def wave_vectors(self, indices: NDArray[Any]) -> FloatArray:
        """Compute wave vectors from whole numbers, (Q, 3): k.a = 2 pi n for each vector a."""
        k: FloatArray = 2 * np.pi * indices / self.lengths
        xy, xz, yz = self.tilts
        k[:, 1] -= xy * k[:, 0]
        k[:, 2] -= xz * k[:, 0] + yz * k[:, 1]
        return k

    @cached_property
    def _least_tilted(self) -> tuple[Box, IntArray | None]:
        """Describe the lattice with least tilts; and this box's vectors by those, if others."""
        vectors, turns = self.matrix.copy(), np.eye(3, dtype=np.int64)
        for row, other in ((1, 0), (2, 1), (2, 0)):
            tilt = vectors[row, other] / vectors[other, other]
            turns[row, other] = np.ceil(tilt - MOST_TILT)
            vectors[row] -= turns[row, other] * vectors[other]
        if np.array_equal(turns, np.eye(3)):
            return self, None
        return Box(vectors), turns


@lru_cache(maxsize=16)  # most frames have the box of the frame before
def _box_of(numbers: tuple[float, ...]) -> Box:
    lx, ly, lz = np.broadcast_to(numbers[:3], (3,))
    xy, xz, yz = numbers[3:] or (0.0, 0.0, 0.0)
    return Box(np.array([[lx, 0, 0], [xy * ly, ly, 0], [xz * lz, yz * lz, lz]]))
