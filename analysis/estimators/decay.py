"""Relaxation times of decaying curves: stretched exponential (KWW) and 1/e, or a bound.

A curve C(t) with C(0) = 1 may lose a part in vibrations before the relaxation proper. The fit
A exp(-(t/tau)^beta) therefore has a free amplitude A <= 1 that takes what is left of it, and uses
only points with C <= 0.9. The mean time (tau/beta) Gamma(1/beta) is that of the normalised
stretched exponential, without A: the time of the relaxation, not of the whole curve. The 1/e time
is that of the whole curve, so it is shorter where A is well below 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analysis.arrays import FloatArray
from analysis.estimators.estimate import Estimate
from analysis.estimators.intervals import jackknife

FIT_BELOW = 0.9
FEWEST_POINTS = 5
# A fit that misses its points by more than this does not give their mean time.
LARGEST_MISFIT = 0.05
LOWEST_BETA, HIGHEST_BETA = 0.1, 2.0
FEWEST_BLOCKS = 4
MOST_SHARED = 0.5
THRESHOLD = math.exp(-1)


@dataclass(frozen=True)
class StretchedExponential:
    """The curve amplitude exp(-(t/tau)^beta), of an amplitude of at most 1."""

    amplitude: float
    tau: float
    beta: float

    @property
    def mean_time(self) -> float:
        """Integral of the normalised curve, (tau/beta) Gamma(1/beta)."""
        from scipy import special

        return self.tau / self.beta * float(special.gamma(1 / self.beta))

    def __call__(self, time: FloatArray) -> FloatArray:
        """Evaluate the curve at `time`, shape as `time`."""
        curve: FloatArray = self.amplitude * np.exp(-((time / self.tau) ** self.beta))
        return curve


@dataclass(frozen=True)
class Decay:
    """The times of one curve: when it falls through 1/e, and the mean of a stretched exponential.

    There is no fit where the curve does not support one.
    """

    one_over_e: Estimate
    mean: Estimate
    fit: StretchedExponential | None


def fit_stretched_exponential(time: FloatArray, curve: FloatArray) -> StretchedExponential | None:
    """Fit by least squares to the points with C <= 0.9, equally weighted.

    Times (n,) are positive, rising, and best log-spaced. There is no fit where it does not
    converge, has fewer than 5 points, or ends at a limit of beta (0.1, 2).
    """
    used = np.isfinite(curve) & (curve <= FIT_BELOW)
    time, curve = time[used], curve[used]
    if len(time) < FEWEST_POINTS:
        return None
    crossing = _crossing(time, curve)
    guess = time[len(time) // 2] if crossing is None else crossing

    log_time = np.log(time)

    def power(log_tau: float, beta: float) -> Any:
        return np.exp(np.clip(beta * (log_time - log_tau), -700, 700))

    def residual(parameters: FloatArray) -> Any:
        amplitude, log_tau, beta = parameters
        return amplitude * np.exp(-power(log_tau, beta)) - curve

    def slopes(parameters: FloatArray) -> FloatArray:
        amplitude, log_tau, beta = parameters
        powers = power(log_tau, beta)
        decayed = np.exp(-powers)
        steep = amplitude * decayed * powers
        return np.stack([decayed, beta * steep, (log_tau - log_time) * steep], axis=1)

    from scipy import optimize

    lowest = [0.0, math.log(time[0]) - 10, LOWEST_BETA]
    highest = [1.0, math.log(time[-1]) + 10, HIGHEST_BETA]
    start = [0.95, math.log(guess), 0.7]
    best = optimize.least_squares(residual, start, slopes, bounds=(lowest, highest))
    amplitude, log_tau, beta = (float(value) for value in best.x)
    margin = 1e-3
    if not best.success or not LOWEST_BETA + margin < beta < HIGHEST_BETA - margin:
        return None
    return StretchedExponential(amplitude, math.exp(log_tau), beta)


def decay_times(time: FloatArray, sums: FloatArray, counts: FloatArray, duration: float) -> Decay:
    """Find the times of a curve averaged in blocks, with jackknife intervals on their logarithms.

    Sums of the correlation over the origins of each block, and the numbers of these, have shape
    (B, L), lags (L,); `duration` is that of the whole run, in the unit of the lags.
    """
    curve = sums.sum(axis=0) / counts.sum(axis=0)
    bound = _bound(time, curve)
    if bound is not None:
        return Decay(bound, bound, None)
    kept = np.flatnonzero(counts.sum(axis=1) > 0)
    with np.errstate(invalid='ignore', divide='ignore'):
        others = (sums.sum(axis=0) - sums[kept]) / (counts.sum(axis=0) - counts[kept])
    crossing = _crossing(time, curve)
    assert crossing is not None  # a curve without bound falls through 1/e
    block_length = duration / max(1, len(sums))
    # Blocks without an origin at a lag say nothing about the spread of the curve there.
    filled = (counts > 0).sum(axis=0)
    passed = int(np.flatnonzero(curve <= THRESHOLD)[0])
    crossings = [_crossing(time[np.isfinite(c)], c[np.isfinite(c)]) for c in others]
    one_over_e = _with_interval(
        crossing, crossings, int(filled[passed - 1 : passed + 1].min()), block_length
    )
    fit = fit_stretched_exponential(time, curve)
    if fit is None:
        failed = 'no stretched exponential fits: the fit does not converge or beta is at a limit'
        return Decay(one_over_e, Estimate(verdict=failed), None)
    if fit.mean_time > time[-1]:
        past = 'the tail of the fit reaches past the longest lag'
        return Decay(one_over_e, Estimate(low=float(time[-1]), verdict=past), fit)
    fits = [fit_stretched_exponential(time, c) for c in others]
    means = [None if f is None else f.mean_time for f in fits]
    # The lags about the 1/e time and before it fix the fit.
    n_blocks = int(filled[: passed + 1].min())
    mean = _with_interval(fit.mean_time, means, n_blocks, block_length)
    used = np.isfinite(curve) & (curve <= FIT_BELOW)
    misfit = float(np.abs(fit(time[used]) - curve[used]).max())
    if misfit > LARGEST_MISFIT:
        # The interval is that of the noise: it does not see that the form is wrong.
        misses = f'the fit misses the curve by up to {misfit:.2f}'
        mean = replace(mean, verdict='; '.join(filter(None, (misses, mean.verdict))))
    return Decay(one_over_e, mean, fit)


def _bound(time: FloatArray, curve: FloatArray) -> Estimate | None:
    if len(time) == 0:
        return Estimate(verdict='no lag has enough origins')
    if curve[0] <= THRESHOLD:
        return Estimate(high=float(time[0]), verdict='decayed before the shortest lag')
    if curve.min() > THRESHOLD:
        return Estimate(low=float(time[-1]), verdict='not decayed to 1/e within the longest lag')
    return None


def _crossing(time: FloatArray, curve: FloatArray) -> float | None:
    """Find when the curve first falls through 1/e, between points linear in log time."""
    below = np.flatnonzero(curve <= THRESHOLD)
    if len(below) == 0 or below[0] == 0:
        return None
    k = int(below[0])
    part = (curve[k - 1] - THRESHOLD) / (curve[k - 1] - curve[k])
    return float(time[k - 1] * (time[k] / time[k - 1]) ** part)


def _with_interval(
    value: float, without_one: list[float | None], n_blocks: int, block_length: float
) -> Estimate:
    found = np.array([v for v in without_one if v is not None])
    if n_blocks < FEWEST_BLOCKS:
        return Estimate(
            value, verdict=f'only {n_blocks} stretches of the run have origins there: no interval'
        )
    if len(found) < len(without_one):
        return Estimate(value, verdict='does not hold without one of its blocks')
    low, high = jackknife(np.log([value]), np.log(found)[:, None], n_blocks - 1)
    # Neighbouring blocks share what is correlated across their border, as in `statistics`.
    shared = value / block_length
    verdict = ''
    if shared > MOST_SHARED:
        shared = MOST_SHARED
        verdict = 'longer than half a block: the interval may be too narrow'
    wider = 1 / math.sqrt(1 - shared)
    low, high = (math.log(value) + wider * (end - math.log(value)) for end in (low, high))
    return Estimate(value, math.exp(low[0]), math.exp(min(high[0], 700)), verdict=verdict)
