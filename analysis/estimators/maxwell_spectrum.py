"""A Maxwell spectrum from the power spectrum of the stress: G(t) = sum g exp(-t/tau), g >= 0.

G(t) is lost in the noise of its fastest part, bonds above all. At low frequencies the power
spectrum has no more than its own noise, and its values are independent of each other: so the
moduli are fitted there, by Whittle's likelihood (1953, doi 10.1007/BF02590998).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.arrays import FloatArray, IntArray

TIMES_PER_DECADE = 8
POINTS_PER_DECADE = 16
# Ordinates of each series are dealt out to so many hands, one of which is left out in turn.
HANDS = 4
# The longest time is the shortest with which twice the log likelihood is within 1 of its best: one
# standard error. Without that the noise of the lowest frequencies has slow moduli, whose squares of
# times decide G'. It is all the regularisation there is beside g >= 0.
WITHIN = 1.0
PASSES = 4


@dataclass(frozen=True)
class MaxwellSpectrum:
    """Moduli at times on a logarithmic grid.

    Attributes:
        times: Shape (K,).
        moduli: Of all data, then without each part of them in turn, shape (1 + P, K).
    """

    times: FloatArray
    moduli: FloatArray

    def slower_than(self, time: float) -> MaxwellSpectrum:
        """Leave out what relaxes faster."""
        return MaxwellSpectrum(self.times, np.where(self.times < time, 0.0, self.moduli))

    def complex_modulus(self, frequency: FloatArray) -> FloatArray:
        """Compute G* = sum g i w tau/(1 + i w tau), shape (1 + P, W), complex."""
        phase = 1j * frequency[:, None] * self.times
        found: FloatArray = self.moduli @ (phase / (1 + phase)).T
        return found

    def mean_time(self) -> FloatArray:
        """Compute int t G dt / int G dt, the limit of cos(delta)/w at w = 0, shape (1 + P,)."""
        with np.errstate(invalid='ignore'):
            found: FloatArray = (self.moduli @ self.times**2) / (self.moduli @ self.times)
        return found

    def longest_time(self) -> FloatArray:
        """Average the last times in a row with a modulus, by its part in int G dt, (1 + P,)."""
        found = []
        for moduli in self.moduli:
            filled = np.flatnonzero(moduli > 0)
            gaps = np.flatnonzero(np.diff(filled) > 1)
            last = filled[gaps[-1] + 1 :] if len(gaps) else filled
            part = moduli[last] * self.times[last]
            found.append(float(part @ self.times[last] / part.sum()) if len(last) else np.nan)
        return np.array(found)


def maxwell_spectrum(series: FloatArray, prefactor: float, interval: float) -> MaxwellSpectrum:
    """Fit prefactor <s(0) s(t)> of independent series of the same spectrum, shape (S, T).

    The spectra of the moduli are those of sampled series. What is forgotten within one row is a
    constant beside them, and is left out.
    """
    n = series.shape[1]
    power = np.abs(np.fft.rfft(series, axis=1)) ** 2 * (prefactor * interval / (2 * n))
    power = power[:, : (n + 1) // 2]  # the last of an even number has half the weight, as the first
    number = power.shape[1]
    weight = np.ones(number)
    weight[0] = 0.5
    starts = _bins(number)
    binned_weight = np.add.reduceat(weight, starts)
    angle = np.add.reduceat(2 * np.pi / n * np.arange(number) * weight, starts) / binned_weight
    decades = np.log10(2 * n)  # up to the length of the run, as an arrested network needs
    times = interval / 2 * 10 ** np.linspace(0, decades, int(decades * TIMES_PER_DECADE) + 1)
    memory = np.exp(-interval / times)
    basis = (1 - memory**2) / (1 - 2 * memory * np.cos(angle)[:, None] + memory**2)
    basis = interval / 2 * np.concatenate([np.ones((len(angle), 1)), basis], axis=1)
    total = np.add.reduceat(power.sum(axis=0) * weight, starts)
    count = len(series) * binned_weight
    found = [_fit(total / count, count, basis)]
    for each in power:
        for hand in range(HANDS):
            dealt = weight * (np.arange(number) % HANDS == hand)
            rest = count - np.add.reduceat(dealt, starts)
            others = total - np.add.reduceat(each * dealt, starts)
            found.append(_fit(others / rest, rest, basis))
    return MaxwellSpectrum(times, np.array(found)[:, 1:])


def _fit(mean: FloatArray, count: FloatArray, basis: FloatArray) -> FloatArray:
    """Fit amplitudes of which none is negative, the slow ones no more than are needed, (1 + K,)."""
    tried = [_amplitudes(mean, count, basis[:, : k + 2]) for k in range(basis.shape[1] - 1)]
    misfits = []
    for amplitudes in tried:
        model = basis[:, : len(amplitudes)] @ amplitudes
        misfits.append(2 * float(np.sum(count * (np.log(model) + mean / model))))
    enough = int(np.flatnonzero(np.array(misfits) <= min(misfits) + WITHIN)[0])
    found = np.zeros(basis.shape[1])
    found[: enough + 2] = tried[enough]
    return found


def _amplitudes(mean: FloatArray, count: FloatArray, basis: FloatArray) -> FloatArray:
    """Maximise the likelihood: least squares whose weights are those of the model before."""
    from scipy.optimize import nnls

    model = mean
    for _ in range(PASSES):
        weight = np.sqrt(count) / np.maximum(model, 1e-9 * mean.max())
        amplitudes, _ = nnls(basis * weight[:, None], mean * weight)
        model = basis @ amplitudes
    return np.asarray(amplitudes)


def _bins(number: int) -> IntArray:
    """Choose first ordinates of bins that are one wide at first and then grow."""
    decades = np.log10(number)
    edges = np.round(np.logspace(0, decades, int(decades * POINTS_PER_DECADE) + 1)).astype(np.int64)
    return np.unique(np.concatenate([[0], edges[edges < number]]))
