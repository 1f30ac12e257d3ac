"""Storage and loss moduli of a measured G(t), and what is read off them."""

from __future__ import annotations

import numpy as np

from analysis.arrays import FloatArray

FREQUENCIES_PER_DECADE = 4


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
