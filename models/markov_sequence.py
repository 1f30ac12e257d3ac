"""Sequences with the memory of one unit: Markov chains of monomers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def terminal_transitions(fraction: float, r1: float, r2: float) -> tuple[float, float]:
    """Compute transition probabilities of the terminal model at a copolymer composition.

    Solves the Mayo-Lewis equation F1/F2 = x (r1 x + 1) / (x + r2) for the feed ratio x = f1/f2;
    then p12 = 1/(1 + r1 x) and p21 = x/(x + r2) (Mayo and Lewis, J. Am. Chem. Soc. 66, 1594
    (1944)).

    `fraction` is F1, the mole fraction of monomer 1 in the copolymer, between 0 and 1 exclusive;
    p12 and p21 are the probabilities that a 2 follows a 1, and a 1 a 2.
    """
    ratio = fraction / (1.0 - fraction)
    root = float(np.hypot(1.0 - ratio, 2.0 * np.sqrt(r1 * r2 * ratio)))
    # of the two equal forms of the root, the one without a difference of near-equal numbers
    if ratio < 1.0:
        feed = 2.0 * ratio * r2 / (1.0 - ratio + root)
    else:
        feed = (ratio - 1.0 + root) / (2.0 * r1)
    return 1.0 / (1.0 + r1 * feed), feed / (feed + r2)


def markov_chain(
    fractions: FloatArray, memory: float, is_first: NDArray[np.bool_], rng: np.random.Generator
) -> IntArray:
    """Draw units that repeat (memory > 0), of two monomers alternate (< 0), or are redrawn.

    The redrawn ones come from a distribution g that leaves the composition F stationary:
    g = F where units repeat; F = |memory| (1 - F) + (1 - |memory|) g where they alternate.
    """
    size = is_first.size
    redrawn = fractions
    if memory < 0.0:
        redrawn = (fractions + memory * (fractions[::-1])) / (1.0 + memory)
        redrawn = np.clip(redrawn, 0.0, 1.0)
    is_redrawn = rng.random(size) >= abs(memory)
    drawn = np.searchsorted(np.cumsum(redrawn)[:-1], rng.random(size), side='right')
    drawn[is_first] = np.searchsorted(
        np.cumsum(fractions)[:-1], rng.random(np.count_nonzero(is_first)), side='right'
    )
    here = np.arange(size)
    last_drawn = np.maximum.accumulate(np.where(is_redrawn | is_first, here, 0))
    units = drawn[last_drawn]
    if memory < 0.0:
        units = units ^ ((here - last_drawn) % 2)
    return units.astype(np.int64)
