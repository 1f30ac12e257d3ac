"""Periodic boundaries of an orthorhombic box: wrapping and nearest images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.arrays import FloatArray, IntArray


def nearest_image(vector: NDArray[Any], box: FloatArray) -> FloatArray:
    """Take whole box lengths off, so that each component lies within half an edge of 0.

    Args:
        vector: Differences of positions, shape (..., 3).
        box: Edge lengths, shape (3,).
    """
    nearest: FloatArray = vector - box * np.rint(vector / box)
    return nearest


def wrap(
    positions: NDArray[Any], images: NDArray[Any] | None, box: FloatArray
) -> tuple[FloatArray, IntArray | None]:
    """Wrap into [-box/2, box/2) and move what was taken off into the images.

    Args:
        positions: Coordinates in a box centred on the origin, shape (N, 3).
        images: Images that belong to `positions`, shape (N, 3), or None.
        box: Edge lengths, shape (3,).
    """
    inside = np.asarray(positions, dtype=np.float64)
    crossed = np.floor(inside / box + 0.5)
    inside = inside - crossed * box
    if images is None:
        return inside, None
    return inside, np.asarray(images, dtype=np.int64) + crossed.astype(np.int64)
