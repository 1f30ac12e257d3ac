"""Storage and loss moduli of a measured G(t), and what is read off them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analysis.arrays import FloatArray
from analysis.estimators.estimate import Estimate
from analysis.estimators.green_kubo import LEAST_RUN_IN_TIMES

FREQUENCIES_PER_DECADE = 4
# Between the ends of an interval, as a factor.
WIDEST = 10.0


class Band(NamedTuple):
    """Values with the ends of their 95 % intervals, of equal shape."""

    value: FloatArray
    low: FloatArray
    high: FloatArray


def frequencies(start: float, end: float, highest: float) -> FloatArray:
    """Choose angular frequencies from 1/end to 1/start, or to a fifth of the highest known."""
    high = highest / 5
    if start > 0:
        high = min(high, 1 / start)
    if end * high <= 1:  # also where not even G(0) is above its noise
        return np.zeros(0)
    number = int(np.log10(end * high) * FREQUENCIES_PER_DECADE) + 1
    return np.asarray(1 / end * 10 ** (np.arange(number) / FREQUENCIES_PER_DECADE))


def complex_modulus(
    time: FloatArray, curve: FloatArray, frequency: FloatArray, begins: int = 0
) -> FloatArray:
    """Compute G* = i w int G exp(-i w t) dt, exact for lines between the points, (W,), complex.

    Before the point `begins` the curve counts as it is there. By parts G* is
    G(0) + int G'(t) exp(-i w t) dt, so a curve that ends above 0 counts as a step there; the last
    point is set to 0 instead.
    """
    curve = curve.copy()
    curve[-1] = 0.0
    curve[:begins] = curve[begins]
    slope = np.diff(curve) / np.diff(time)
    phase = np.exp(-1j * frequency[:, None] * time)
    found: FloatArray = curve[0] + ((phase[:, :-1] - phase[:, 1:]) @ slope) / (1j * frequency)
    return found


def crossings(frequency: FloatArray, ratio: FloatArray) -> FloatArray:
    """Find the frequencies at which a ratio passes through 1, the lowest first, shape (C,).

    Straight on logarithmic axes; a ratio that is not positive passes nothing.
    """
    with np.errstate(invalid='ignore', divide='ignore'):
        y = np.log(ratio)
    x = np.log(frequency)
    passed = np.flatnonzero(np.isfinite(y[:-1] * y[1:]) & (np.sign(y[:-1]) != np.sign(y[1:])))
    part = y[passed] / (y[passed] - y[passed + 1])
    return np.asarray(np.exp(x[passed] + part * (x[passed + 1] - x[passed])))


def rouse_modulus(
    time: FloatArray, beads: float, density: float, kT: float, longest: float
) -> FloatArray:
    """Compute G(t) of discrete Rouse chains from their longest stress relaxation time, shape (L,).

    G = density kT / N sum_p exp(-t/tau_p), tau_p ~ 1/sin^2(p pi / 2 N), p = 1 to N - 1, for a
    density of beads in chains of N (Rouse 1953, doi 10.1063/1.1699180).
    """
    n = round(beads)
    p = np.arange(1, n)
    times = longest * (np.sin(np.pi / (2 * n)) / np.sin(p * np.pi / (2 * n))) ** 2
    return np.asarray(density * kT / n * np.exp(-time[:, None] / times).sum(axis=1))


def least_longest_time(time: FloatArray, low: FloatArray, value: float) -> float:
    """Bound the longest relaxation time of a curve from below.

    A sum of falling exponentials that is `value` at time[0] and at least `low` later has a time of
    at least (t - time[0]) / ln(value / low).
    """
    is_known = (low > 0) & (low < value) & (time > time[0])
    if not is_known.any():
        return 0.0
    t, fall = time[is_known] - time[0], np.log(value / low[is_known])
    return float(np.max(t / fall))


def difference(
    storage: Band, loss: Band, lines_storage: Band, lines_loss: Band, beyond: float
) -> tuple[float | None, str]:
    """Compare two routes to G*: the largest part that they differ by, and a verdict.

    Lines end where the curve is lost: what may still be there, at most `beyond`, is no difference.
    """
    if len(storage.value) == 0:
        return None, ''
    modulus, lines = (
        a.value + 1j * b.value for a, b in ((storage, loss), (lines_storage, lines_loss))
    )
    largest = float(np.max(np.abs(lines - modulus) / np.abs(modulus)))
    for one, other in ((storage, lines_storage), (loss, lines_loss)):
        if np.any((one.low > other.high + beyond) | (other.low - beyond > one.high)):
            return largest, 'the two routes to G* differ beyond their errors'
    return largest, ''


def lowest_crossing(frequency: FloatArray, tangent: Band) -> tuple[FloatArray, Estimate]:
    """Find where G' and G'' cross, and the lowest of it, from G''/G' and its interval."""
    found = crossings(frequency, tangent.value)
    if len(frequency) == 0:
        return found, Estimate(verdict='no frequency')
    if len(found) == 0:
        is_solid = bool(tangent.value[0] < 1)
        larger = "G' exceeds G''" if is_solid else "G'' exceeds G'"
        verdict = f'no crossing: {larger} over the whole range measured'
        is_sure = bool(tangent.high[0] < 1)
        return found, Estimate(high=float(frequency[0]) if is_sure else None, verdict=verdict)
    ends = [crossings(frequency, end) for end in (tangent.low, tangent.high)]
    if not all(len(end) for end in ends):
        missing = "G''/G' is above or below 1 in all of the range at an end of its interval"
        return found, Estimate(float(found[0]), interval_verdict=missing)
    low, value, high = sorted([float(found[0]), *(float(end[0]) for end in ends)])
    return found, positive_estimate(Band(*(np.array([each]) for each in (value, low, high))))


def too_short(longest: Estimate, duration: float) -> str:
    """Say that a run is too short to know its slowest part."""
    if longest.value is None or longest.value < duration / LEAST_RUN_IN_TIMES:
        return ''
    return (
        f'too short: it relaxes in {longest.value:.3g}, and the run is no {LEAST_RUN_IN_TIMES} '
        'times as long'
    )


def positive_estimate(found: Band) -> Estimate:
    """Make an estimate of the first of value, low and high ends."""
    value, low, high = (float(each[0]) for each in found)
    if not (np.isfinite([value, low, high]).all() and value > 0 and low > 0):
        return Estimate(verdict='lost in its noise')
    too_wide = f'of no use: the ends of its interval are more than a factor of {WIDEST:g} apart'
    return Estimate(value, low, high, interval_verdict=too_wide if high > WIDEST * low else '')
