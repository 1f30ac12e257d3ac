"""Where a series is in equilibrium."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.arrays import BoolArray, FloatArray, IntArray
from analysis.estimators.inefficiency import statistical_inefficiency, varies

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


@dataclass(frozen=True)
class Equilibration:
    """Where the equilibrated part of a series begins.

    Attributes:
        start: Index of the first value to use.
        n_effective: Independent values from there on, as `inefficiency`.
        is_equilibrated: Whether enough of the series is left; the verdict says why not.
    """

    start: int
    n_effective: float
    inefficiency: float
    is_equilibrated: bool
    verdict: str = ''


def detect_equilibration(series: Sequence[float] | FloatArray) -> Equilibration:
    """Find the start that leaves the most independent values, and no transient that would show.

    Chodera 2016, doi 10.1021/acs.jctc.5b00784. That start alone believes in transients that fill
    the run: what is left of one looks like correlation. So an exponential transient is fitted to
    the whole series; where it is significant, the start moves on until what is left of it shifts
    the mean by less than a third of a standard error. From there it moves on only where that gains
    three tenths more independent values. A start that leaves less than a third of the
    series, or fewer than 10 independent values, is not called equilibrated. A drift over the run
    that is within its noise cannot be seen (measured: validation/sections/intervals.py). Values
    are at equal spacing, shape (T,).
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


def _is_free_of_transient(values: FloatArray, starts: IntArray) -> BoolArray:
    """Find which starts leave a transient too small to shift the mean, shape as `starts`."""
    n = len(values)
    deviation = values - values.mean()
    time = np.arange(n) / n
    if not varies(values):
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
