"""Stress relaxation of an isotropic fluid in equilibrium: G(t), G', G'' and tau_s(w).

G(t) = V/kT <s(0) s(t)>, averaged over the five independent components of the traceless stress:
V/(5 kT) of the shear stresses and V/(30 kT) of the normal-stress differences together, which is
the average of Daivis and Evans 1994, doi 10.1063/1.466970.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.plain import plain
from analysis.statistics import jackknife
from analysis.trajectory import FloatArray, IntArray
from user_input import UserError

BLOCKS = 8
FEWEST_ROWS = 64
LONGEST_LAG = 1 / 8
LAGS_PER_DECADE = 16
FREQUENCIES_PER_DECADE = 4
SHEAR = ('xy', 'xz', 'yz')
NORMAL = (('xx', 'yy'), ('xx', 'zz'), ('yy', 'zz'))
# The integral over time is cut where G(t) is first no larger than its error.
SIGNAL = 0.0


@dataclass(frozen=True)
class Modulus:
    """A function of time or frequency with its 95 % interval.

    Attributes:
        value: Shape (n,).
        low: Lower ends, shape (n,).
        high: Upper ends, shape (n,).
    """

    value: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True)
class StressRelaxation:
    """Linear viscoelasticity from the fluctuations of the stress.

    Attributes:
        time: Lags, 0 first, shape (L,).
        modulus: G(t), shape (L,).
        cut: Lag at which G(t) is lost in its noise, and from which it counts as 0.
        frequency: Angular frequencies that the data reach, rising, shape (W,).
        storage: G'(w), shape (W,).
        loss: G''(w), shape (W,).
        segmental_time: tau_s(w) = G'/(|eta*| w^2), with |eta*| = |G*|/w, shape (W,).
        verdict: Empty, or why the results are not to be trusted.
    """

    time: FloatArray
    modulus: Modulus
    cut: float
    frequency: FloatArray
    storage: Modulus
    loss: Modulus
    segmental_time: Modulus
    verdict: str

    def as_dict(self) -> dict[str, Any]:
        """Content as plain values for JSON."""
        content: dict[str, Any] = plain(self)
        return content


def stress_relaxation(
    pressure: Mapping[str, FloatArray], volume: float, kT: float, interval: float
) -> StressRelaxation:
    """Correlate the stress of a run in equilibrium.

    Args:
        pressure: Components 'xx', 'xy', 'xz', 'yy', 'yz' and 'zz' of the pressure or the stress
            at equal intervals, shape (T,) each.
        volume: Of the box, or its mean.
        kT: Of the bath.
        interval: Time between rows.

    Raises:
        UserError: If there are too few rows, a value is not finite, or a parameter not positive.
    """
    for name, given in (('volume', volume), ('kT', kT), ('interval', interval)):
        if not (np.isfinite(given) and given > 0):
            raise UserError(f'{name} {given}: give a positive number.')
    n = len(pressure['xy'])
    if n < FEWEST_ROWS:
        raise UserError(f'{n} rows of stress; at least {FEWEST_ROWS} are needed.')
    series = [(pressure[name] - pressure[name].mean(), 1 / 5) for name in SHEAR]
    series += [(pressure[a] - pressure[b], 1 / 30) for a, b in NORMAL]
    if not all(np.isfinite(values).all() for values, _ in series):
        raise UserError('the stress is not finite in every row: the run blew up or is damaged.')
    most = int(n * LONGEST_LAG)
    sums = sum(
        (weight * volume / kT * _products(np.asarray(values), most) for values, weight in series),
        start=np.zeros((BLOCKS, most + 1)),
    )
    edges = np.arange(BLOCKS + 1) * n // BLOCKS
    counts = np.maximum(
        np.minimum(edges[1:, None], n - np.arange(most + 1)) - edges[:-1, None], 0
    ).astype(np.float64)
    starts = _bins(most)
    time = np.add.reduceat(np.arange(most + 1.0), starts) / np.diff([*starts, most + 1]) * interval
    sums, counts = (np.add.reduceat(each, starts, axis=1) for each in (sums, counts))
    value = sums.sum(axis=0) / counts.sum(axis=0)
    others = (sums.sum(axis=0) - sums) / (counts.sum(axis=0) - counts)
    low, high = jackknife(value, others)
    lost = np.flatnonzero(low <= SIGNAL)
    verdict = ''
    last = int(lost[0]) if len(lost) else len(time) - 1
    if not len(lost):
        verdict = 'not relaxed: G(t) is still above its noise at the longest lag'
    elif last < 4:
        verdict = 'G(t) is lost in its noise within a few rows: log the stress more often'
    kept = slice(0, last + 1)
    frequency = _frequencies(float(time[last]), interval)
    curves = np.concatenate([value[None], others])[:, kept]
    transformed = np.array([_transform(time[kept], curve, frequency) for curve in curves])
    storage, loss = transformed.real, transformed.imag
    segmental = storage / (np.abs(transformed) * frequency)
    return StressRelaxation(
        time=time,
        modulus=Modulus(value, low, high),
        cut=float(time[last]),
        frequency=frequency,
        storage=_with_interval(storage),
        loss=_with_interval(loss),
        segmental_time=_with_interval(segmental),
        verdict=verdict,
    )


def _products(values: FloatArray, most: int) -> FloatArray:
    """Sums of s(t0) s(t0 + t) over the origins t0 of each block, shape (BLOCKS, most + 1)."""
    n = len(values)
    length = 1 << (n + most).bit_length()
    later = np.fft.rfft(values, length)
    edges = np.arange(BLOCKS + 1) * n // BLOCKS
    sums = np.empty((BLOCKS, most + 1))
    for block in range(BLOCKS):
        origins = np.zeros(n)
        origins[edges[block] : edges[block + 1]] = values[edges[block] : edges[block + 1]]
        product = np.conj(np.fft.rfft(origins, length)) * later
        sums[block] = np.fft.irfft(product, length)[: most + 1]
    return sums


def _bins(most: int) -> IntArray:
    """First lags of bins that are one lag wide at first and then grow with the lag."""
    decades = np.log10(max(most, 2))
    edges = np.round(np.logspace(0, decades, int(decades * LAGS_PER_DECADE) + 1)).astype(np.int64)
    return np.unique(np.concatenate([[0], edges[edges <= most]]))


def _frequencies(longest: float, interval: float) -> FloatArray:
    """From the longest time with a signal to a tenth of the sampling rate."""
    low, high = 1 / longest, 2 * np.pi / (10 * interval)
    if high <= low:
        return np.zeros(0)
    number = int(np.log10(high / low) * FREQUENCIES_PER_DECADE) + 1
    return np.asarray(low * 10 ** (np.arange(number) / FREQUENCIES_PER_DECADE))


def _transform(time: FloatArray, curve: FloatArray, frequency: FloatArray) -> Any:
    """G* = i w int G exp(-i w t) dt, exact for straight lines between the points, shape (W,).

    By parts it is G(0) + int G'(t) exp(-i w t) dt, so a curve that ends above 0 counts as a step
    there; the last point is set to 0 instead.
    """
    curve = curve.copy()
    curve[-1] = 0.0
    slope = np.diff(curve) / np.diff(time)
    phase = np.exp(-1j * frequency[:, None] * time)
    return curve[0] + ((phase[:, :-1] - phase[:, 1:]) @ slope) / (1j * frequency)


def _with_interval(values: FloatArray) -> Modulus:
    low, high = jackknife(values[0], values[1:])
    return Modulus(values[0], low, high)
