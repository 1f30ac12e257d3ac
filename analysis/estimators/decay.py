"""Relaxation times of decaying curves: their integral, and when they fall through 1/e, or a bound.

The mean time is the integral of C(t)/C(0) over all times t > 0, C(0) = 1: of the whole curve, what
it loses at once in vibrations included. It is taken in three parts.

- Measured: between lags ln(-ln C) is taken as straight in ln t, and before the first lag it goes on
  as between the first two. That is exact for exponentials and stretched exponentials, so it hardly
  matters which lags there are.
- The measured curve counts until it falls through 0.05, where noise takes over, or ends.
- Beyond, exp(-(t/tau)^beta) goes on: the straight line of ln(-ln C) in ln t, fitted from t_min on,
  the 1/e time (or a quarter of the end of the measured curve, if that is earlier). What was lost
  before t_min does not bind it, but a curve that loses half at once gets too long a tail. A third
  parameter, an amplitude, would not be determined: for the curves of a polymer melt it ran to its
  limit, and took the share of the tail with it from 0.4 to 0.6.

The share of the tail in the integral is known. More than a quarter is a verdict; more than a half
leaves a bound, the measured part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from analysis.arrays import FloatArray
from analysis.estimators.estimate import Estimate, joined
from analysis.estimators.intervals import jackknife

THRESHOLD = math.exp(-1)
LOST_IN_NOISE = 0.05
# What is lower, or negative, is taken as this between lags.
LEAST = 1e-3
# The tail is fitted to the last part of the measured curve, by a factor in time of at least this.
SHORTEST_FIT = 4
LARGE_TAIL, LARGEST_TAIL = 0.25, 0.5
LOWEST_BETA, HIGHEST_BETA = 0.1, 2.0
# Points between lags for the integral, and how far it is taken below the first lag.
POINTS, FIRST = 2000, 1e-4
FEWEST_BLOCKS = 4
MOST_SHARED = 0.5


@dataclass(frozen=True)
class Tail:
    """How a curve goes on, exp(-(t/tau)^beta), where it is lost in noise or has ended.

    Attributes:
        tau: Its time.
        beta: Its exponent.
        fitted_from: The fit is to the curve from here on (t_min).
        begins: Where it takes the place of the measured curve.
        share: Of the integral.
    """

    tau: float
    beta: float
    fitted_from: float
    begins: float
    share: float

    def __call__(self, time: FloatArray) -> FloatArray:
        """Evaluate it at `time`, shape as `time`; not a number before the part that is fitted."""
        curve = np.exp(-((time / self.tau) ** self.beta))
        return np.where(time < self.fitted_from, np.nan, curve)


@dataclass(frozen=True)
class Decay:
    """The times of one curve: when it falls through 1/e, and the integral of it.

    There is no tail where the curve does not fall through 1/e between its first lag and its last.
    """

    one_over_e: Estimate
    mean: Estimate
    tail: Tail | None


def integrate_decay(time: FloatArray, curve: FloatArray) -> tuple[float, Tail]:
    """Integrate a curve over all times, with its tail.

    Times (n,) are positive and rise, and the curve (n,) falls through 1/e after the first of them.
    """
    end = _crossing(time, curve, LOST_IN_NOISE)
    if end is not None:
        is_before = time < end
        time = np.append(time[is_before], end)
        curve = np.append(curve[is_before], LOST_IN_NOISE)
    one_over_e = _crossing(time, curve, THRESHOLD)
    assert one_over_e is not None
    x, y = np.log(time), _log_log(curve)
    first_beta = np.clip((y[1] - y[0]) / (x[1] - x[0]), LOWEST_BETA, HIGHEST_BETA)
    before = math.log(FIRST)
    x, y = np.append(x[0] + before, x), np.append(y[0] + first_beta * before, y)
    log_time = np.linspace(x[0], x[-1], POINTS)
    log_log = np.interp(log_time, x, y)
    measured = np.exp(log_time[0]) + np.trapezoid(np.exp(log_time - np.exp(log_log)), log_time)

    fitted_from = min(one_over_e, float(time[-1]) / SHORTEST_FIT)
    is_fitted = log_time >= math.log(fitted_from)
    x, y = log_time[is_fitted], log_log[is_fitted]
    weights = np.exp(y - np.exp(y))  # the same noise of C everywhere
    beta = float(np.clip(np.polyfit(x, y, 1, w=weights)[0], LOWEST_BETA, HIGHEST_BETA))
    log_tau = float(-np.average(y - beta * x, weights=weights**2) / beta)
    from scipy import special

    gone = math.exp(beta * (x[-1] - log_tau))
    rest = math.exp(log_tau) * math.gamma(1 + 1 / beta) * special.gammaincc(1 / beta, gone)
    total = float(measured + rest)
    return total, Tail(math.exp(log_tau), beta, fitted_from, float(time[-1]), float(rest) / total)


def decay_times(time: FloatArray, sums: FloatArray, counts: FloatArray, duration: float) -> Decay:
    """Find the times of a curve averaged in blocks, with jackknife intervals on their logarithms.

    Sums of the correlation over the origins of each block, and the numbers of these, have shape
    (B, L), lags (L,); `duration` is that of the whole run, in the unit of the lags.
    """
    curve = sums.sum(axis=0) / counts.sum(axis=0)
    if len(time) == 0:
        nothing = Estimate(verdict='no lag has enough origins')
        return Decay(nothing, nothing, None)
    if curve[0] <= THRESHOLD:
        bound = Estimate(high=float(time[0]), verdict='decayed before the shortest lag')
        # What is left may last: the integral has no bound.
        return Decay(bound, Estimate(verdict=bound.verdict), None)
    crossing = _crossing(time, curve, THRESHOLD)
    if crossing is None:
        verdict = 'not decayed to 1/e within the longest lag'
        end = float(time[-1])
        # A curve that stays above 1/e has at least this integral.
        at_least = Estimate(low=THRESHOLD * end, verdict=verdict)
        return Decay(Estimate(low=end, verdict=verdict), at_least, None)
    kept = np.flatnonzero(counts.sum(axis=1) > 0)
    with np.errstate(invalid='ignore', divide='ignore'):
        others = (sums.sum(axis=0) - sums[kept]) / (counts.sum(axis=0) - counts[kept])
    block_length = duration / max(1, len(sums))
    # Blocks without an origin at a lag say nothing about the spread of the curve there.
    filled = (counts > 0).sum(axis=0)
    passed = int(np.searchsorted(time, crossing))
    without_one = [(time[np.isfinite(c)], c[np.isfinite(c)]) for c in others]
    crossings = [_crossing(t, c, THRESHOLD) for t, c in without_one]
    one_over_e = _with_interval(
        crossing, crossings, int(filled[passed - 1 : passed + 1].min()), block_length
    )
    total, tail = integrate_decay(time, curve)
    if tail.share > LARGEST_TAIL:
        beyond = f'more than half of it is beyond {tail.begins:.3g}, where the curve ends'
        return Decay(one_over_e, Estimate(low=total * (1 - tail.share), verdict=beyond), tail)
    means = [
        None if found is None else integrate_decay(t, c)[0]
        for found, (t, c) in zip(crossings, without_one, strict=True)
    ]
    n_blocks = int(filled[time <= tail.begins].min())
    mean = _with_interval(total, means, n_blocks, block_length)
    if tail.share > LARGE_TAIL:
        share = f'{100 * tail.share:.0f} % of it is extrapolated'
        mean = replace(mean, verdict=joined(share, mean.verdict))
    return Decay(one_over_e, mean, tail)


def _log_log(curve: FloatArray) -> FloatArray:
    """Transform a curve to ln(-ln C), which rises as it falls."""
    return np.asarray(np.log(-np.log(np.clip(curve, LEAST, 1 - 1e-9))))


def _crossing(time: FloatArray, curve: FloatArray, threshold: float) -> float | None:
    """Find when a curve first falls through a threshold, straight between points as said above."""
    below = np.flatnonzero(curve <= threshold)
    if len(below) == 0 or below[0] == 0:
        return None
    k = int(below[0])
    before, at, after = _log_log(np.array([curve[k - 1], threshold, curve[k]]))
    part = (at - before) / (after - before)
    return float(time[k - 1] * (time[k] / time[k - 1]) ** part)


def _with_interval(
    value: float, without_one: list[float | None], n_blocks: int, block_length: float
) -> Estimate:
    found = np.array([v for v in without_one if v is not None])
    if n_blocks < FEWEST_BLOCKS:
        few = f'too few stretches of the run have origins there ({n_blocks}): no interval'
        return Estimate(value, interval_verdict=few)
    if len(found) < len(without_one):
        return Estimate(value, interval_verdict='does not hold without one of its blocks')
    low, high = jackknife(np.log([value]), np.log(found)[:, None], n_blocks - 1)
    # Neighbouring blocks share what is correlated across their border.
    shared = value / block_length
    verdict = ''
    if shared > MOST_SHARED:
        shared = MOST_SHARED
        verdict = 'longer than half a block: the interval may be too narrow'
    wider = 1 / math.sqrt(1 - shared)
    low, high = (math.log(value) + wider * (end - math.log(value)) for end in (low, high))
    return Estimate(value, math.exp(low[0]), math.exp(min(high[0], 700)), interval_verdict=verdict)
