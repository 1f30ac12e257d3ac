"""Means of correlated series with honest 95 % intervals, and where a series is in equilibrium."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special

from analysis.plain import plain
from analysis.trajectory import BoolArray, FloatArray, IntArray

CONFIDENCE = 0.95
# Shorter blocks are correlated by more than the correction for it can make good.
INEFFICIENCIES_PER_BLOCK = 5
MOST_BLOCKS, FEWEST_BLOCKS = 20, 4
LEAST_WORTH = INEFFICIENCIES_PER_BLOCK * FEWEST_BLOCKS
# With fewer blocks than these, a series whose inefficiency came out low would get too narrow an
# interval too often (measured: validation/intervals.py).
ENOUGH_BLOCKS = 8
MOST_SHARED = 0.3
ENOUGH_STRETCHES = 20
# An equilibrium that begins in the last third of a series may be no equilibrium at all.
LEAST_PART_LEFT = 1 / 3
FEWEST_INDEPENDENT = 10
START_CANDIDATES = 64
DECAY_CANDIDATES = 24
TRANSIENT_IN_ERRORS = 3.0
SHIFT_IN_ERRORS = 1 / 3
# The best of many noisy numbers of independent values is larger than the first by chance alone, and
# a series that is cut where its inefficiency came out low gets too narrow an interval.
LEAST_GAIN = 1.3
# The correction of an inefficiency for the mean that was taken off holds to this part of it.
MOST_LOST = 0.5


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval.

    Attributes:
        mean: The best value; None where there is none.
        low: Lower end of the interval; None where the data cannot give one.
        high: Upper end of the interval; None where the data cannot give one.
        n_effective: How many independent values the data are worth.
        verdict: Empty where all is well, else why the interval is not to be trusted.
    """

    mean: float | None
    low: float | None
    high: float | None
    n_effective: float
    verdict: str = ''

    @property
    def is_converged(self) -> bool:
        """Whether there is an interval and nothing speaks against it."""
        return self.low is not None and not self.verdict

    def within(self, lowest: float, highest: float) -> Estimate:
        """The same with an interval that leaves out what the quantity cannot be."""
        if self.low is None or self.high is None:
            return self
        return replace(self, low=max(self.low, lowest), high=min(self.high, highest))

    def as_dict(self) -> dict[str, Any]:
        """Content as plain values for JSON."""
        content: dict[str, Any] = plain(self)
        return content


@dataclass(frozen=True)
class Equilibration:
    """Where the equilibrated part of a series begins.

    Attributes:
        start: Index of the first value to use.
        n_effective: Independent values from there on.
        inefficiency: Statistical inefficiency from there on.
        is_equilibrated: Whether enough of the series is left to believe it.
        verdict: Empty, or why it is not believed.
    """

    start: int
    n_effective: float
    inefficiency: float
    is_equilibrated: bool
    verdict: str = ''


def statistical_inefficiency(series: Sequence[float] | FloatArray) -> float:
    """How many successive values are worth one independent value.

    g = 1 + 2 sum_t (1 - t/T) C(t), the sum cut where Geyer's initial positive sequence ends
    (Geyer 1992, doi 10.1214/ss/1177011137), with C(t) from a fast Fourier transform. Deviations
    from the mean of the series itself lower every C(t) by about g/T, and the sum over W lags by
    W g/T of its own value; that is made good, or short series would pass for independent ones.

    Args:
        series: Values at equal spacing, shape (T,).

    Returns:
        At least 1; exactly 1 for a series that does not vary.
    """
    values = np.asarray(series, dtype=np.float64)
    n = len(values)
    deviation = values - values.mean() if n else values
    if n < 3 or not _varies(values):
        return 1.0
    length = 1 << (2 * n - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(deviation, length)) ** 2
    # Division by T and not by T - t tapers the sum as the formula asks.
    tapered = np.fft.irfft(spectrum, length)[:n]
    tapered = tapered / tapered[0]
    pairs = tapered[: n - n % 2].reshape(-1, 2).sum(axis=1)
    not_positive = np.flatnonzero(pairs <= 0)
    last = int(not_positive[0]) if len(not_positive) else len(pairs)
    lost = min((4 * last - 1) / n, MOST_LOST)
    return max(1.0, float(2 * pairs[:last].sum() - 1)) / (1 - lost)


def detect_equilibration(series: Sequence[float] | FloatArray) -> Equilibration:
    """Find the start that leaves the most independent values, and no transient that would show.

    Chodera 2016, doi 10.1021/acs.jctc.5b00784. That start alone believes in transients that fill
    the run: what is left of one looks like correlation. So an exponential transient is fitted to
    the whole series; where it is significant, the start moves on until what is left of it shifts
    the mean by less than a third of a standard error. From there it moves on only where that gains
    three tenths more independent values. A start that leaves less than a third of the
    series, or fewer than 10 independent values, is not called equilibrated. A drift over the run
    that is within its noise cannot be seen (measured: validation/intervals.py).

    Args:
        series: Values at equal spacing, shape (T,).
    """
    values = np.asarray(series, dtype=np.float64)
    n = len(values)
    if n < FEWEST_INDEPENDENT:
        return Equilibration(0, float(n), 1.0, False, f'only {n} frames: too few to tell')
    starts = np.unique(np.linspace(0, n - FEWEST_INDEPENDENT, START_CANDIDATES).astype(int))
    inefficiencies = np.array([statistical_inefficiency(values[start:]) for start in starts])
    worth = (n - starts) / inefficiencies
    best = int(np.argmax(worth))
    settled = np.flatnonzero(_is_free_of_transient(values, starts))
    if len(settled):
        first = int(settled[0])
        best = first + int(np.argmax(worth[first:]))
        if worth[best] < LEAST_GAIN * worth[first]:
            best = first
    start, g, n_effective = int(starts[best]), float(inefficiencies[best]), float(worth[best])
    verdict = ''
    if n - start < LEAST_PART_LEFT * n or len(settled) == 0:
        verdict = f'not equilibrated: it still drifts at frame {start} of {n}'
    elif n_effective < FEWEST_INDEPENDENT:
        verdict = f'too short: {n_effective:.1f} independent values, {FEWEST_INDEPENDENT} needed'
    return Equilibration(start, n_effective, g, not verdict, verdict)


def mean_with_interval(
    series: Sequence[float] | FloatArray, confidence: float = CONFIDENCE
) -> Estimate:
    """Mean of a correlated series from block averages, with Student's t for the interval.

    Blocks are at least 5 statistical inefficiencies long, and their means must not be correlated
    with their neighbours. A series that is worth fewer than 20 independent values has a verdict.
    Values that are not finite are left out.

    Args:
        series: Values at equal spacing, shape (T,).
        confidence: Of the interval.
    """
    values = np.asarray(series, dtype=np.float64)
    values = values[np.isfinite(values)]
    n = len(values)
    if n == 0:
        return Estimate(None, None, None, 0.0, 'no values')
    mean = float(values.mean())
    if n < 2 * FEWEST_BLOCKS:
        return Estimate(mean, None, None, float(n), f'only {n} frames: no interval')
    if not _varies(values):
        return Estimate(mean, None, None, 1.0, 'the same in every frame: no interval')
    g = statistical_inefficiency(values)
    blocks, is_sound = _choose_blocks(values, g)
    shared = shared_by_neighbours(g, n // len(blocks))
    half = _quantile(len(blocks) - 1, confidence) * math.sqrt(
        blocks.var(ddof=1) / len(blocks) / (1 - shared)
    )
    if len(blocks) < ENOUGH_BLOCKS:
        # This error rests on all the independent values, so it needs no quantile of few blocks.
        half = max(
            half, _quantile(max(n / g - 1, 1), confidence) * math.sqrt(values.var(ddof=1) * g / n)
        )
    is_sound &= n >= LEAST_WORTH * g
    verdict = '' if is_sound else f'too short: {n / g:.1f} independent values, {LEAST_WORTH} needed'
    return Estimate(mean, mean - half, mean + half, n / g, verdict)


def proportion_with_interval(
    happened: Sequence[bool] | np.ndarray, inefficiency: float, confidence: float = CONFIDENCE
) -> Estimate:
    """How often something holds, with Wilson's interval, which stands at 0 and at 1 too.

    Wilson 1927, doi 10.1080/01621459.1927.10502953, for T / g independent values.

    Args:
        happened: Whether it holds in each frame, shape (T,).
        inefficiency: Statistical inefficiency of a series that varies and goes with it. The
            larger of it and that of `happened` counts where the rarer of the two answers comes in
            fewer than 20 separate stretches, which tell nothing of correlation.
        confidence: Of the interval.
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
    z = float(special.ndtri((1 + confidence) / 2))
    weight = 1 + z**2 / n_effective
    centre = (share + z**2 / (2 * n_effective)) / weight
    root = math.sqrt(share * (1 - share) / n_effective + z**2 / (4 * n_effective**2))
    half = z / weight * root
    verdict = ''
    if n_effective < FEWEST_INDEPENDENT:
        verdict = f'too short: {n_effective:.1f} independent values'
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return Estimate(share, min(low, share), max(high, share), n_effective, verdict)


def combine_replicas(values: Sequence[float] | FloatArray) -> Estimate:
    """Mean over independent replicas with Student's t; one replica gives no interval.

    Args:
        values: One value per replica; those that are not finite are left out and told.
    """
    given = np.asarray(values, dtype=np.float64)
    kept = given[np.isfinite(given)]
    lost = f'{len(given) - len(kept)} of {len(given)} replicas without a value'
    verdict = lost if len(kept) < len(given) else ''
    if len(kept) == 0:
        return Estimate(None, None, None, 0.0, 'no values')
    mean = float(kept.mean())
    if len(kept) == 1:
        return Estimate(mean, None, None, 1.0, verdict or 'one replica: no interval')
    spread = float(kept.std(ddof=1)) / math.sqrt(len(kept))
    half = _quantile(len(kept) - 1) * spread
    return Estimate(mean, mean - half, mean + half, float(len(kept)), verdict)


def combine_replicas_log(values: Sequence[float] | FloatArray) -> Estimate:
    """Geometric mean over replicas of a positive quantity, such as a relaxation time.

    Raises:
        ValueError: If a value is not positive.
    """
    given = np.asarray(values, dtype=np.float64)
    if np.any(given <= 0):
        raise ValueError('a geometric mean needs positive values')
    return exponentiated(combine_replicas(np.log(given)))


def exponentiated(logarithm: Estimate) -> Estimate:
    """The estimate of a quantity from that of its natural logarithm."""
    ends = (logarithm.mean, logarithm.low, logarithm.high)
    mean, low, high = (None if end is None else math.exp(min(end, 700.0)) for end in ends)
    return Estimate(mean, low, high, logarithm.n_effective, logarithm.verdict)


def shared_by_neighbours(inefficiency: float, block_length: float) -> float:
    """Part of the variance of a mean that blocks hide, as neighbours share what crosses a border.

    Exact for an autoregressive series and long blocks, and nothing without correlation; at most
    0.3.

    Args:
        inefficiency: Statistical inefficiency in frames.
        block_length: In frames.
    """
    return min((inefficiency - 1 / inefficiency) / (2 * block_length), MOST_SHARED)


def jackknife(
    whole: FloatArray,
    without_one: FloatArray,
    degrees_of_freedom: int | IntArray | None = None,
    shared: float = 0.0,
) -> tuple[FloatArray, FloatArray]:
    """Delete-one jackknife interval of any statistic of independent blocks.

    Args:
        whole: The statistic from all blocks, shape (...).
        without_one: The statistic with each block left out in turn, shape (n, ...), n > 1.
        degrees_of_freedom: n - 1 by default; fewer where not all blocks count, of any
            shape that broadcasts to (...).
        shared: Part of the variance that the blocks hide, from `shared_by_neighbours`.

    Returns:
        Lower and upper ends of the 95 % interval, from Student's t.
    """
    n = len(without_one)
    deviation = without_one - without_one.mean(axis=0)
    spread = np.sqrt((n - 1) / n * (deviation**2).sum(axis=0))
    degrees = n - 1 if degrees_of_freedom is None else degrees_of_freedom
    half = special.stdtrit(degrees, (1 + CONFIDENCE) / 2) * spread / math.sqrt(1 - shared)
    return whole - half, whole + half


def merge_blocks(blocks: FloatArray, inefficiency: float, n_frames: int) -> FloatArray:
    """Join neighbouring sums until each is 5 inefficiencies long; one is left if none would be.

    Args:
        blocks: Sums over stretches of frames of equal length, shape (B, ...).
        inefficiency: Statistical inefficiency in frames.
        n_frames: Number of frames in all the blocks.
    """
    joined = math.ceil(INEFFICIENCIES_PER_BLOCK * inefficiency * len(blocks) / n_frames)
    n = max(1, len(blocks) // max(1, joined))
    edges = np.arange(n) * len(blocks) // n
    merged: FloatArray = np.add.reduceat(blocks, edges, axis=0)
    return merged


def _quantile(degrees_of_freedom: float, confidence: float = CONFIDENCE) -> float:
    """Student's quantile of the upper end of an interval."""
    return float(special.stdtrit(degrees_of_freedom, (1 + confidence) / 2))


def _varies(values: FloatArray) -> bool:
    return bool(np.ptp(values) > 1e-12 * max(1.0, float(np.abs(values).max())))


def _is_free_of_transient(values: FloatArray, starts: IntArray) -> BoolArray:
    """Which starts leave a transient too small to shift the mean, shape as `starts`."""
    n = len(values)
    deviation = values - values.mean()
    time = np.arange(n) / n
    if not _varies(values):
        return np.ones(len(starts), dtype=bool)
    # The longest of these is a straight line to the eye.
    times = np.geomspace(2 / n, 3, DECAY_CANDIDATES)
    shapes = np.exp(-time / times[:, None])
    shapes -= shapes.mean(axis=1, keepdims=True)
    squares = (shapes**2).sum(axis=1)
    amplitudes = shapes @ deviation / squares
    best = int(np.argmax(amplitudes**2 * squares))
    amplitude, decay = float(amplitudes[best]), float(times[best])
    residual = deviation - amplitude * shapes[best]
    noise = statistical_inefficiency(residual) * float(residual.var())
    if amplitude**2 * squares[best] <= TRANSIENT_IN_ERRORS**2 * noise:
        return np.ones(len(starts), dtype=bool)
    left = 1 - starts / n
    shift = abs(amplitude) * decay / left * (np.exp(-starts / n / decay) - math.exp(-1 / decay))
    return np.asarray(shift < SHIFT_IN_ERRORS * np.sqrt(noise / (n * left)))


def _stretches(values: FloatArray) -> int:
    """How many separate stretches the rarer of two values, 0 and 1, comes in."""
    rarer = values == (1.0 if values.mean() <= 0.5 else 0.0)
    return int(rarer[0]) + int(np.sum(rarer[1:] & ~rarer[:-1]))


def _choose_blocks(values: FloatArray, inefficiency: float) -> tuple[FloatArray, bool]:
    """Means of as many blocks as are free of correlation, and whether such blocks exist."""
    n = len(values)
    for count in range(min(MOST_BLOCKS, n // 2), FEWEST_BLOCKS - 1, -1):
        length = n // count
        if length < INEFFICIENCIES_PER_BLOCK * inefficiency and length > 1:
            continue
        means = _block_means(values, count)
        deviation = means - means.mean()
        if deviation[1:] @ deviation[:-1] < 2 / math.sqrt(count) * (deviation @ deviation):
            return means, True
    return _block_means(values, FEWEST_BLOCKS), False


def _block_means(values: FloatArray, count: int) -> FloatArray:
    length = len(values) // count
    # The remainder is dropped at the start, the part least in equilibrium.
    means: FloatArray = values[len(values) - count * length :].reshape(count, length).mean(axis=1)
    return means
