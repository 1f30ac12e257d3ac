"""Where a series is in equilibrium."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.inefficiency import (
    FEWEST_INDEPENDENT,
    statistical_inefficiency,
    too_short,
    varies,
)
from user_input import count_of

# An equilibrium that begins in the last third of a series may be no equilibrium at all.
LEAST_PART_LEFT = 1 / 3
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
        drifts: Whether that is because it drifts, and not because it is short.
    """

    start: int
    n_effective: float
    inefficiency: float
    is_equilibrated: bool
    verdict: str = ''
    drifts: bool = False


def detect_equilibration(series: Sequence[float] | FloatArray) -> Equilibration:
    """Find the start that leaves the most independent values, and no transient that would show.

    An exponential transient is fitted to the whole series; where it is not significant, nothing is
    cut off. Else the start moves on until what is left of the transient shifts the mean by less
    than a third of a standard error, and from there, as Chodera 2016, doi
    10.1021/acs.jctc.5b00784, only where that gains three tenths more independent values. Those are
    counted with an inefficiency no lower than that of the series without its transient: a slow
    motion under fast noise does not show in a short end of a series, which would pass for many
    independent values. A start that leaves less than a third of the series, or fewer than 10
    independent values, is not called equilibrated. A drift over the run that is within its noise
    cannot be seen (measured: validation/sections/intervals.py). Values are at equal spacing,
    shape (T,).
    """
    values = np.asarray(series, dtype=np.float64)
    n = len(values)
    if n < FEWEST_INDEPENDENT:
        return Equilibration(
            0, float(n), 1.0, False, f'only {count_of(n, "frame")}: too few to tell'
        )
    transient = _fit_transient(values)
    if transient is None:
        return _equilibration(n, 0, statistical_inefficiency(values))
    starts = np.unique(np.linspace(0, n - FEWEST_INDEPENDENT, START_CANDIDATES).astype(int))
    latest = n - int(LEAST_PART_LEFT * n)
    starts = starts[(transient.shifts(starts, n) < SHIFT_IN_ERRORS) & (starts <= latest)]
    if len(starts) == 0:  # its last third is the best there is
        return _equilibration(n, latest, transient.inefficiency, drifts=True)
    inefficiencies = np.array(
        [max(transient.inefficiency, statistical_inefficiency(values[each:])) for each in starts]
    )
    worth = (n - starts) / inefficiencies
    best = int(np.argmax(worth))
    if worth[best] < LEAST_GAIN * worth[0]:
        best = 0
    return _equilibration(n, int(starts[best]), float(inefficiencies[best]))


def _equilibration(n: int, start: int, inefficiency: float, drifts: bool = False) -> Equilibration:
    n_effective = (n - start) / inefficiency
    verdict = too_short(n_effective)
    if drifts:
        verdict = f'not equilibrated: it still drifts at frame {start} of {n}'
    return Equilibration(start, n_effective, inefficiency, not verdict, verdict, drifts)


@dataclass(frozen=True)
class _Transient:
    """amplitude exp(-t / decay), t in lengths of the series, in noise.

    Attributes:
        inefficiency: Of what is left without it, as `variance`.
    """

    amplitude: float
    decay: float
    inefficiency: float
    variance: float

    def shifts(self, starts: IntArray, n: int) -> FloatArray:
        """Compute how far it shifts the mean from each start on, in standard errors of that."""
        left = 1 - starts / n
        mean = np.exp(-starts / n / self.decay) - math.exp(-1 / self.decay)
        errors = np.sqrt(self.inefficiency * self.variance / (n * left))
        return np.asarray(abs(self.amplitude) * self.decay / left * mean / errors)


def _fit_transient(values: FloatArray) -> _Transient | None:
    """Fit the transient that explains most of a series; None if noise explains it as well."""
    if not varies(values):
        return None
    n = len(values)
    deviation = values - values.mean()
    time = np.arange(n) / n
    # The longest of these is a straight line to the eye.
    times = np.geomspace(2 / n, 3, DECAY_CANDIDATES)
    shapes = np.exp(-time / times[:, None])
    shapes -= shapes.mean(axis=1, keepdims=True)
    squares = (shapes**2).sum(axis=1)
    amplitudes = shapes @ deviation / squares
    best = int(np.argmax(amplitudes**2 * squares))
    residual = deviation - amplitudes[best] * shapes[best]
    inefficiency, variance = statistical_inefficiency(residual), float(residual.var())
    if amplitudes[best] ** 2 * squares[best] <= TRANSIENT_IN_ERRORS**2 * inefficiency * variance:
        return None
    return _Transient(float(amplitudes[best]), float(times[best]), inefficiency, variance)
