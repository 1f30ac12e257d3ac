"""Periodic boundaries of an orthorhombic box: wrapping and nearest images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.arrays import FloatArray, IntArray


def nearest_image(vector: NDArray[Any], box: FloatArray) -> FloatArray:
    """Take whole box lengths off vectors (..., 3): each component is within half an edge of 0."""
    nearest: FloatArray = vector - box * np.rint(vector / box)
    return nearest


def wrap(
    positions: NDArray[Any], images: NDArray[Any] | None, box: FloatArray
) -> tuple[FloatArray, IntArray | None]:
    """Wrap into [-box/2, box/2) and move what was taken off into the images, if there are any.

    Positions and their images have shape (N, 3); the box is centred on the origin.
    """
    inside = np.asarray(positions, dtype=np.float64)
    crossed = np.floor(inside / box + 0.5)
    inside = inside - crossed * box
    if images is None:
        return inside, None
    return inside, np.asarray(images, dtype=np.int64) + crossed.astype(np.int64)
