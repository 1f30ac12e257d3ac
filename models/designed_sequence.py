"""Sequences that the place along a strand decides: blocks and gradients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def positions_in_strands(lengths: IntArray) -> IntArray:
    """Find the place of each unit in its strand, from 0, shape (units,)."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)


def draw_blocks(blocks: IntArray, fractions: FloatArray, lengths: IntArray) -> IntArray:
    """Divide every strand into blocks, shape (units,).

    The blocks of one monomer share its fraction equally. Each block ends within one unit of its
    share of its strand: where that is not whole, strands differ, so that shares over all strands
    are exact to the last unit.
    """
    of_each = fractions[blocks] / np.bincount(blocks, minlength=fractions.size)[blocks]
    ends = np.cumsum(of_each)
    ends[-1] = 1.0
    shares = np.floor(np.cumsum(lengths)[:, None] * ends + 0.5 + 1e-9).astype(np.int64)
    within = np.diff(shares, axis=0, prepend=0)
    within = np.maximum.accumulate(within, axis=1)
    here = positions_in_strands(lengths)
    block = (here[:, None] >= np.repeat(within, lengths, axis=0)).sum(axis=1)
    return np.asarray(blocks[block])


def draw_gradient(
    fraction: float, difference: float, lengths: IntArray, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Draw where one monomer is, shape (units,): its probability falls along each strand.

    From fraction + difference/2 at the beginning to fraction - difference/2 at the end.
    """
    here = (positions_in_strands(lengths) + 0.5) / np.repeat(lengths, lengths)
    return np.asarray(rng.random(here.size) < fraction + difference * (0.5 - here))
