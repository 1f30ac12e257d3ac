"""The shear modulus G(t) of an isotropic fluid, from the fluctuations of its stress.

G(t) = V/kT <s(0) s(t)>, averaged over the five independent components of the traceless stress:
V/(5 kT) of the shear stresses and V/(30 kT) of the normal-stress differences together, which is
the average of Daivis and Evans 1994, doi 10.1063/1.466970. Their means are 0 by symmetry, and are
not taken off: in an arrested network that would hide the part that never relaxes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.intervals import jackknife
from user_input import UserError, count_of

BLOCKS = 8
FEWEST_ROWS = 64
LONGEST_LAG = 1 / 8
LAGS_PER_DECADE = 16
COMPONENTS = ('xx', 'xy', 'xz', 'yy', 'yz', 'zz')
SHEAR = ('xy', 'xz', 'yz')
NORMAL = (('xx', 'yy'), ('xx', 'zz'), ('yy', 'zz'))
# A curve that falls below this part of itself from one row to the next is not resolved there.
RESOLVED = 0.5
# Half intervals of 95 % by which a rise must be above 0 to be one, and no noise: seen in 1 to 3 %
# of curves that only fall.
RISE = 2.5


@dataclass(frozen=True)
class Modulus:
    """G(t) of a run and of all of it but one block.

    Attributes:
        time: Lags from 0 on, shape (L,).
        curves: Of all blocks, then without each of them in turn, shape (1 + B, L).
        low: Lower ends of the 95 % intervals, shape (L,).
        high: Upper ends, shape (L,).
        begins: Index of the lag from which on bonds have stopped oscillating.
        ends: Index of the lag at which the curve is lost in its noise.
        is_lost: Whether it is lost there, or only ends there.
    """

    time: FloatArray
    curves: FloatArray
    low: FloatArray
    high: FloatArray
    begins: int
    ends: int
    is_lost: bool

    @property
    def start(self) -> float:
        """The lag at which it begins."""
        return float(self.time[self.begins])

    @property
    def end(self) -> float:
        """The lag at which it ends."""
        return float(self.time[self.ends])


def relaxation_modulus(
    pressure: Mapping[str, FloatArray], volume: float, kT: float, interval: float
) -> Modulus:
    """Correlate the stress of a run in equilibrium.

    Bonds oscillate faster than rows are written, with many times the modulus of the fluid. The
    curve begins where it no longer halves from one row to the next, and behind its last rise
    beyond the noise. It is lost where its mean over an octave of lags, t to 2 t, is not above 0.

    The six components of pressure or stress are at equal intervals of time, shape (T,) each.
    UserError if there are too few rows, a value is not finite, or a parameter not positive.
    """
    for name, given in (('volume', volume), ('kT', kT), ('interval', interval)):
        if not (np.isfinite(given) and given > 0):
            raise UserError(f'{name} {given}: give a positive number.')
    n = len(pressure['xy'])
    if n < FEWEST_ROWS:
        raise UserError(f'{count_of(n, "row")} of stress; at least {FEWEST_ROWS} are needed.')
    series = [(pressure[name], 1 / 5) for name in SHEAR]
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
    curves = _averaged(sums, counts)
    low, high = jackknife(curves[0], curves[1:])
    begins = _begins(curves)
    ends, is_lost = _ends(time, sums, counts, begins)
    return Modulus(time, curves, low, high, begins, ends, is_lost)


def independent_stresses(pressure: Mapping[str, FloatArray]) -> FloatArray:
    """Make five independent stresses of equal variance, shape (5, T)."""
    xx, yy, zz = (pressure[axis] for axis in ('xx', 'yy', 'zz'))
    shear = [pressure[name] for name in SHEAR]
    return np.array([*shear, (xx - yy) / 2, (xx + yy - 2 * zz) / np.sqrt(12)])


def _averaged(sums: FloatArray, counts: FloatArray) -> FloatArray:
    """Average over all blocks, then without each in turn, shape (1 + B, L)."""
    total, n = sums.sum(axis=0), counts.sum(axis=0)
    return np.concatenate([(total / n)[None], (total - sums) / (n - counts)])


def _begins(curves: FloatArray) -> int:
    value = curves[0]
    begins = 0
    while begins + 2 < len(value) and value[begins + 1] < RESOLVED * value[begins]:
        begins += 1
    rise = np.diff(curves, axis=1)
    low, _ = jackknife(rise[0], rise[1:])
    rises = np.flatnonzero(rise[0] > RISE * (rise[0] - low))
    return max(begins, int(rises[-1]) + 1 if len(rises) else 0)


def _ends(time: FloatArray, sums: FloatArray, counts: FloatArray, begins: int) -> tuple[int, bool]:
    """Find the lag at which the curve is lost, and whether it is."""
    for k in range(begins, len(time)):
        octave = (time >= time[k]) & (time <= 2 * time[k])
        mean = _averaged(sums[:, octave].sum(axis=1), counts[:, octave].sum(axis=1))
        low, _ = jackknife(mean[:1], mean[1:, None])
        if low[0] <= 0:
            return k, True
    return len(time) - 1, False


def _products(values: FloatArray, most: int) -> FloatArray:
    """Sum s(t0) s(t0 + t) over the origins t0 of each block, shape (BLOCKS, most + 1)."""
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
    """Choose first lags of bins that are one lag wide at first and then grow with the lag."""
    decades = np.log10(max(most, 2))
    edges = np.round(np.logspace(0, decades, int(decades * LAGS_PER_DECADE) + 1)).astype(np.int64)
    return np.unique(np.concatenate([[0], edges[edges <= most]]))
