"""Means of correlated series, and of blocks, with honest 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.estimate import Estimate
from analysis.estimators.inefficiency import statistical_inefficiency, too_short, varies
from user_input import count_of

CONFIDENCE = 0.95
# Shorter blocks are correlated by more than the correction for it can make good.
INEFFICIENCIES_PER_BLOCK = 5
MOST_BLOCKS, FEWEST_BLOCKS = 20, 4
# With fewer blocks than these, a series whose inefficiency came out low would get too narrow an
# interval too often (measured: validation/sections/intervals.py).
ENOUGH_BLOCKS = 8
MOST_SHARED = 0.3
ENOUGH_STRETCHES = 20


def mean_with_interval(
    series: Sequence[float] | FloatArray, confidence: float = CONFIDENCE
) -> Estimate:
    """Average a correlated series by blocks, with Student's t for the interval.

    Blocks are at least 5 statistical inefficiencies long, and their means must not be correlated
    with their neighbours; a series too short for four such blocks has the error of all its
    independent values, where that is larger. Fewer than 10 of those have a verdict.
    Values, at equal spacing, shape (T,), that are not finite are left out.
    """
    values = np.asarray(series, dtype=np.float64)
    values = values[np.isfinite(values)]
    n = len(values)
    if n == 0:
        return Estimate(None, None, None, 0.0, 'no values')
    mean = float(values.mean())
    if n < 2 * FEWEST_BLOCKS:
        return Estimate(mean, None, None, float(n), '', f'only {count_of(n, "frame")}: no interval')
    if not varies(values):
        return Estimate(mean, None, None, 1.0, '', 'the same in every frame: no interval')
    g = statistical_inefficiency(values)
    blocks = _choose_blocks(values, g)
    shared = shared_by_neighbours(g, n // len(blocks))
    half = student_quantile(len(blocks) - 1, confidence) * math.sqrt(
        blocks.var(ddof=1) / len(blocks) / (1 - shared)
    )
    if len(blocks) < ENOUGH_BLOCKS:
        # This error rests on all the independent values, so it needs no quantile of few blocks.
        error = math.sqrt(values.var(ddof=1) * g / n)
        half = max(half, student_quantile(max(n / g - 1, 1), confidence) * error)
    return Estimate(mean, mean - half, mean + half, n / g, '', too_short(n / g))


def proportion_with_interval(
    happened: Sequence[bool] | np.ndarray, inefficiency: float, confidence: float = CONFIDENCE
) -> Estimate:
    """Estimate how often something holds, with Wilson's interval, which is valid at 0 and 1 too.

    Wilson 1927, doi 10.1080/01621459.1927.10502953, for T / g independent values of shape (T,).
    The inefficiency is that of a series that varies and goes with it: the larger of it and that of
    `happened` counts where the rarer of the two answers comes in fewer than 20 separate stretches,
    which say nothing about correlation.
    """
    values = np.asarray(happened, dtype=np.float64)
    n = len(values)
    if n == 0:
        return Estimate(None, None, None, 0.0, 'no values')
    share = float(values.mean())
    own = statistical_inefficiency(values)
    if _stretches(values) < ENOUGH_STRETCHES:
        own = max(own, inefficiency)
    n_effective = max(1.0, n / own)
    from scipy import special

    z = float(special.ndtri((1 + confidence) / 2))
    weight = 1 + z**2 / n_effective
    centre = (share + z**2 / (2 * n_effective)) / weight
    root = math.sqrt(share * (1 - share) / n_effective + z**2 / (4 * n_effective**2))
    half = z / weight * root
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    verdict = too_short(n_effective)
    return Estimate(share, min(low, share), max(high, share), n_effective, '', verdict)


def shared_by_neighbours(inefficiency: float, block_length: float) -> float:
    """Estimate the part of the variance of a mean that blocks hide, by correlation across borders.

    Exact for an autoregressive series and long blocks, and nothing without correlation; at most
    0.3. Inefficiency and length of a block are in frames.
    """
    return min((inefficiency - 1 / inefficiency) / (2 * block_length), MOST_SHARED)


def jackknife(
    whole: FloatArray,
    without_one: FloatArray,
    degrees_of_freedom: int | IntArray | None = None,
    shared: float = 0.0,
) -> tuple[FloatArray, FloatArray]:
    """Compute the ends of the delete-one jackknife 95 % interval, Student's t, of any statistic.

    Args:
        whole: The statistic from all blocks, shape (...).
        without_one: The statistic with each block left out in turn, shape (n, ...), n > 1.
        degrees_of_freedom: n - 1 by default; fewer where not all blocks count, of any
            shape that broadcasts to (...).
        shared: Part of the variance that the blocks hide, from `shared_by_neighbours`.
    """
    n = len(without_one)
    deviation = without_one - without_one.mean(axis=0)
    spread = np.sqrt((n - 1) / n * (deviation**2).sum(axis=0))
    degrees = n - 1 if degrees_of_freedom is None else degrees_of_freedom
    from scipy import special

    half = special.stdtrit(degrees, (1 + CONFIDENCE) / 2) * spread / math.sqrt(1 - shared)
    return whole - half, whole + half


def merge_blocks(blocks: FloatArray, inefficiency: float, n_frames: int) -> FloatArray:
    """Join neighbouring sums until each is 5 inefficiencies long; one is left if none would be.

    Blocks are sums over stretches of frames of equal length, shape (B, ...), of `n_frames` in all.
    """
    joined = math.ceil(INEFFICIENCIES_PER_BLOCK * inefficiency * len(blocks) / n_frames)
    n = max(1, len(blocks) // max(1, joined))
    edges = np.arange(n) * len(blocks) // n
    merged: FloatArray = np.add.reduceat(blocks, edges, axis=0)
    return merged


def student_quantile(degrees_of_freedom: float, confidence: float = CONFIDENCE) -> float:
    """Compute Student's quantile of the upper end of an interval."""
    from scipy import special  # not at the top: importing the project must not load SciPy

    return float(special.stdtrit(degrees_of_freedom, (1 + confidence) / 2))


def _stretches(values: FloatArray) -> int:
    """Count the separate stretches that the rarer of two values, 0 and 1, comes in."""
    rarer = values == (1.0 if values.mean() <= 0.5 else 0.0)
    return int(rarer[0]) + int(np.sum(rarer[1:] & ~rarer[:-1]))


def _choose_blocks(values: FloatArray, inefficiency: float) -> FloatArray:
    """Average as many blocks as are free of correlation, or the fewest."""
    n = len(values)
    for count in range(min(MOST_BLOCKS, n // 2), FEWEST_BLOCKS - 1, -1):
        length = n // count
        if length < INEFFICIENCIES_PER_BLOCK * inefficiency and length > 1:
            continue
        means = _block_means(values, count)
        deviation = means - means.mean()
        if deviation[1:] @ deviation[:-1] < 2 / math.sqrt(count) * (deviation @ deviation):
            return means
    return _block_means(values, FEWEST_BLOCKS)


def _block_means(values: FloatArray, count: int) -> FloatArray:
    length = len(values) // count
    # The remainder is dropped at the start, the part least in equilibrium.
    means: FloatArray = values[len(values) - count * length :].reshape(count, length).mean(axis=1)
    return means
