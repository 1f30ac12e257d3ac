"""Where a mean squared displacement is linear, and the diffusion coefficient from there on.

Displacements over different lags share parts of the paths, so their means are correlated, the more
the longer the lags. The line 6 D t + c is therefore fitted by generalised least squares, with the
covariance of Brownian paths (Bullerjahn, von Buelow and Hummer 2020, doi 10.1063/5.0008312;
McCluskey, Coles and Morgan 2025, doi 10.1021/acs.jctc.4c01249): squared displacements of two
stretches of a path covary as the square of the time that they share.

How large the error is, the blocks say, not that model: beads of one chain do not move
independently. But displacements longer than a block are shared by several blocks. By how much the
spread of the blocks is too small for that, and how many independent blocks it is worth, follows
from the model, exactly for Brownian paths.

The limit: motion that is hardly subdiffusive for long, such as a quarter faster at short times, is
told from a line too late, and the interval is too narrow (validation/sections/intervals.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from analysis.arrays import BoolArray, FloatArray, IntArray
from analysis.estimators.estimate import Estimate
from analysis.estimators.intervals import student_quantile

FEWEST_LAGS = 4
LAGS_PER_DECADE = 8
# How far the exponent of MSD ~ t^a may lie from 1, and what its interval may be around it.
EXPONENT_TOLERANCE, LARGEST_SPREAD = 0.1, 0.2
# In half widths of its interval: what is found beside the line, a part that dies away.
LARGEST_TRANSIENT = 0.8
# Parts of all times from t_min on are looked for, at every third lag.
EVERY_LAG = 3
# What is just not found at the first lag that passes would make an interval too narrow
# (measured: validation/sections/intervals.py): the line begins some lags later.
LAGS_LATER = 2
# That the same data choose where the line begins adds to the error, by this factor (as measured).
CHOSEN = 1.1
# Where nothing is linear, the exponent is that of the last lags, up to this factor in time.
LAST_LAGS = 8


@dataclass(frozen=True)
class LinearRegime:
    """Where a mean squared displacement (MSD) is linear.

    Attributes:
        exponent: Of MSD ~ t^a from `begins` on; of the last lags where nothing is linear.
        diffusion: A sixth of the slope; a verdict where nothing is linear.
        begins: The first lag of the line; None where nothing is linear.
        influence: What each block adds to the error of `diffusion`, whose square is the sum of
            their squares, shape (B,); None where nothing is linear.
    """

    exponent: Estimate
    diffusion: Estimate
    begins: float | None
    influence: FloatArray | None = None


@dataclass(frozen=True)
class SharedPaths:
    """How far means over the blocks of a run covary on Brownian paths, relative to their squares.

    Attributes:
        of_lags: Covariance of the means of all blocks, shape (L, L).
        of_deviations: What the blocks add to the deviations of these, shape (B, L, B, L).
    """

    of_lags: FloatArray
    of_deviations: FloatArray


def shared_paths(time: FloatArray, counts: FloatArray, duration: float) -> SharedPaths:
    """Compute the covariance for lags (L,) of which the blocks have the numbers of origins (B, L).

    In each block the origins are taken as evenly spread.
    """
    n_blocks, n_lags = counts.shape
    block_length = duration / n_blocks
    origins, members = [], []
    for lag, n_origins in zip(time, counts.T.astype(int), strict=True):
        block = np.repeat(np.arange(n_blocks), n_origins)
        place = np.arange(len(block)) - np.repeat(np.cumsum(n_origins) - n_origins, n_origins)
        length = np.minimum(block_length, duration - lag - block * block_length)
        origins.append(block * block_length + length * (place + 0.5) / n_origins[block])
        members.append((block == np.arange(n_blocks)[:, None]).astype(float))
    sums = np.empty((n_blocks, n_lags, n_blocks, n_lags))
    for k in range(n_lags):
        for m in range(k + 1):
            first, second = origins[k][:, None], origins[m][None, :]
            shared = np.minimum(first + time[k], second + time[m]) - np.maximum(first, second)
            sums[:, k, :, m] = members[k] @ np.maximum(shared, 0) ** 2 @ members[m].T
            sums[:, m, :, k] = sums[:, k, :, m].T
    return _relative(sums, time, counts)


def squared_displacements(
    path: FloatArray, n_blocks: int
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Sum |r(t0 + t) - r(t0)|^2 over the origins t0 in each block, from a path of shape (3, T).

    T is a multiple of the number of blocks, and at least twice as large.

    Returns:
        Lags in rows, some eight a decade up to half of the path, (L,), sums and counts, (B, L).
    """
    n = path.shape[1]
    places = int(math.log10(n / 2) * LAGS_PER_DECADE) + 1
    lags = np.unique(np.rint(np.geomspace(1, n // 2, places)).astype(np.int64))
    edges = np.arange(n_blocks) * n // n_blocks
    counts = np.clip(n - lags - edges[:, None], 0, n // n_blocks).astype(np.float64)
    sums = np.zeros(counts.shape)
    for k, lag in enumerate(lags):
        squared = ((path[:, lag:] - path[:, :-lag]) ** 2).sum(axis=0)
        filled = edges < len(squared)
        sums[filled, k] = np.add.reduceat(squared, edges[filled])
    return lags, sums, counts


def paths_of_rows(time: FloatArray, counts: FloatArray, duration: float) -> SharedPaths:
    """Compute what `shared_paths` does where every row is an origin: sums become integrals.

    Arguments as there; blocks have equal numbers of rows, and each row counts for its interval.
    """
    n_blocks = len(counts)
    begin = np.arange(n_blocks)[:, None] * duration / n_blocks + np.zeros(len(time))
    length = np.clip(duration - time - begin, 0.0, duration / n_blocks)
    k, m = time[:, None, None], time
    short, long = np.minimum(k, m), np.maximum(k, m)

    def integrated(first: FloatArray, second: FloatArray) -> FloatArray:
        """Integrate the shared time squared twice over the distance of origins, (B, L, B, L)."""
        distance = second - first[:, :, None, None] + m
        rising, falling = np.clip(distance, 0, short), np.clip(distance - long, 0, short)
        flat, beyond = np.clip(distance - short, 0, long), np.maximum(distance - short - long, 0)
        return np.asarray(
            (rising**4 + falling**4) / 12
            - short * falling**3 / 3
            + (short * flat) ** 2 / 2
            + short**3 * flat / 3
            + short**2 * (long - short / 3) * beyond
        )

    end = begin + length
    sums = integrated(begin, end) - integrated(begin, begin)
    sums += integrated(end, begin) - integrated(end, end)
    per_length = counts / np.where(length > 0, length, 1.0)
    return _relative(sums * per_length[:, :, None, None] * per_length, time, counts)


def _relative(sums: FloatArray, time: FloatArray, counts: FloatArray) -> SharedPaths:
    """Divide shared squares (B, L, B, L) by those of the means, and make them of deviations."""
    scale = counts.sum(axis=0) * time
    sums = sums / (scale[:, None, None] * scale)
    # What a block adds to a deviation is its sum, less what the mean gives for its origins.
    part = counts / counts.sum(axis=0)
    centred = sums - part[:, :, None, None] * sums.sum(axis=0)
    centred -= centred.sum(axis=2)[:, :, None, :] * part
    return SharedPaths(sums.sum(axis=(0, 2)), centred)


def linear_regime(
    time: FloatArray,
    sums: FloatArray,
    counts: FloatArray,
    paths: SharedPaths,
    tolerance: float = EXPONENT_TOLERANCE,
    earliest: float = 0.0,
) -> LinearRegime:
    """Find from which lag on a mean squared displacement is linear, and fit the line.

    It begins two lags after the first from which on the exponent is 1 within a tolerance, and no
    part exp(-t/s) is found beside the line, for s of this lag and longer; not before `earliest`.
    Lags have shape (L,), sums over the origins of each block, and the numbers of these, (B, L).
    """
    if len(time) < FEWEST_LAGS or np.any(sums.sum(axis=0) <= 0):
        none = Estimate(verdict='not known: the lags are too few, or nothing moves')
        return LinearRegime(none, none, None)
    total = counts.sum(axis=0)
    mean = sums.sum(axis=0) / total
    deviations = (sums - counts * mean) / total
    log_time = np.log(time)
    # Of MSD/t, whose relative errors are more alike.
    line = np.stack([np.full(len(time), 6.0), 1 / time])
    power = np.stack([log_time, np.ones(len(time))])

    def exponent_from(is_used: BoolArray) -> _Coefficient:
        return _coefficient(power, np.log(mean), deviations / mean, paths, is_used)

    for k in range(np.searchsorted(time, earliest), len(time) - FEWEST_LAGS + 1):
        is_used = time >= time[k]
        exponent = exponent_from(is_used)
        if _doubt(exponent, tolerance):
            continue
        scales = time[k : len(time) - FEWEST_LAGS + 1 : EVERY_LAG]
        bent = (np.stack([np.exp(-time / scale) / time, *line]) for scale in scales)
        transients = (
            _coefficient(each, mean / time, deviations / time, paths, is_used) for each in bent
        )
        if all(abs(t.value) < LARGEST_TRANSIENT * t.half for t in transients):
            begins = time[min(k + LAGS_LATER, len(time) - FEWEST_LAGS)]
            is_used = time >= begins
            diffusion = _coefficient(line, mean / time, deviations / time, paths, is_used)
            diffusion = replace(diffusion, half=CHOSEN * diffusion.half)
            found = (exponent_from(is_used).estimate, diffusion.estimate, float(begins))
            return LinearRegime(*found, CHOSEN * diffusion.influence)
    exponent = exponent_from(time >= time[-1] / LAST_LAGS)
    doubt = _doubt(exponent, tolerance) or 'not linear: the slope still changes'
    return LinearRegime(exponent.estimate, Estimate(verdict=doubt), None)


@dataclass(frozen=True)
class _Coefficient:
    """A coefficient, half its interval, the blocks that it is worth, and what each adds, (B,)."""

    value: float
    half: float
    worth: float
    influence: FloatArray

    @property
    def estimate(self) -> Estimate:
        return Estimate(self.value, self.value - self.half, self.value + self.half, self.worth)


def ratio(numerator: LinearRegime, denominator: LinearRegime) -> tuple[float, float, float]:
    """Compute the logarithm of a ratio of slopes, half its interval, and the blocks it is worth.

    Both are of the same blocks of one run, so what they have in common drops out. Both are linear.
    """
    logs, influence, worth = [], [], []
    for each in (numerator, denominator):
        value, n = each.diffusion.value, each.diffusion.n_effective
        assert value is not None
        assert n is not None
        assert each.influence is not None
        logs.append(math.log(value))
        influence.append(each.influence / value)
        worth.append(n)
    error = float(np.linalg.norm(influence[0] - influence[1]))
    half = student_quantile(min(worth)) * error
    return logs[0] - logs[1], half, min(worth)


def _doubt(exponent: _Coefficient, tolerance: float) -> str:
    off, half = abs(exponent.value - 1), exponent.half
    if off <= tolerance and half <= max(tolerance, LARGEST_SPREAD):
        return ''
    if off <= half:
        return f'not known to be linear: exponent {exponent.value:.2f} +- {half:.2f}'
    return f'not linear: MSD ~ t^{exponent.value:.2f} at the longest lags'


def _coefficient(
    basis: FloatArray,
    values: FloatArray,
    deviations: FloatArray,
    paths: SharedPaths,
    is_used: BoolArray,
) -> _Coefficient:
    """Fit values (L,) by a basis (p, L), and estimate the coefficient of its first function."""
    basis, deviations = basis[:, is_used], deviations[:, is_used]
    weighted = np.linalg.solve(paths.of_lags[np.ix_(is_used, is_used)], basis.T).T
    weights = np.linalg.solve(weighted @ basis.T, weighted)[0]
    value = float(weights @ values[is_used])
    influence = deviations @ weights
    expected = paths.of_deviations[:, is_used][..., is_used]
    of_blocks = np.einsum('l,blcm,m->bc', weights, expected, weights)
    variance = weights @ paths.of_lags[np.ix_(is_used, is_used)] @ weights
    trace = np.trace(of_blocks)
    worth = float(trace**2 / (of_blocks**2).sum())
    error = math.sqrt((influence**2).sum() * variance / trace)
    scaled = influence * math.sqrt(variance / trace)
    return _Coefficient(value, student_quantile(worth) * error, worth, scaled)
