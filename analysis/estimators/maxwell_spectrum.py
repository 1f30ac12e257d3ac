"""Maxwell modes from the power spectrum of the stress: G(t) = sum g exp(-t/tau), g > 0.

G(t) is lost in the noise of its fastest part, bonds above all. At low frequencies the power
spectrum has no more than its own noise, and its values are independent of each other: so moduli and
times are fitted there, by Whittle's likelihood (1953, doi 10.1007/BF02590998). How many modes there
are is not known: fits of 1, 2 and more are averaged by their Akaike weights (Burnham and Anderson
2002, doi 10.1007/b97636), and the spread between them is part of the error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.green_kubo import NORMAL_QUANTILE
from analysis.estimators.viscoelasticity import Band

MOST_MODES = 6
# Of twice the log likelihood. A mode that gains less than that is not kept, nor are more tried.
LEAST_GAIN = 2.0
TIMES_PER_DECADE = 4
POINTS_PER_DECADE = 32
FEWEST_POINTS = 12
# A fit that does so badly by chance once in 1000 runs is none; then lower frequencies are tried.
LEAST_PROBABILITY = 1e-3
# A slow mode of little weight hides in the noise of the lowest frequencies, and G' has the square
# of its time: of one so many times as slow as the slowest, the error of its modulus is allowed for.
HIDDEN = (2.0, 4.0)
# The number of modes is chosen on the same data, which the errors do not know: of spectra of 9 to
# 40 modes (validation/sections/rheology.py) they held the truth in 82 to 98 %.
WIDENED = 1.2
# Standard error, in logarithms, of what the data do not tell at all.
UNKNOWN = 5.0
PASSES = 60

Quantity = Callable[[FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True)
class Modes:
    """One fit.

    Attributes:
        parameters: Natural logarithms of a constant, of K moduli and of K times, (1 + 2 K,).
        covariance: Of the parameters.
        misfit: Minus twice the log likelihood.
        deviance: Twice the log likelihood that the fit falls short of one through every point.
        hidden: Time and modulus of slower modes, as large as the error of the modulus, and how
            that of each changes the parameters.
    """

    parameters: FloatArray
    covariance: FloatArray
    misfit: float
    deviance: float
    hidden: tuple[tuple[float, float, FloatArray], ...]


@dataclass(frozen=True)
class MaxwellSpectrum:
    """Fits of the same data by different numbers of modes.

    Attributes:
        fits: From one mode on.
        highest: The angular frequency up to which they fit.
        fastest: Modes that relax faster than this are left out of what is estimated.
    """

    fits: tuple[Modes, ...]
    highest: float
    fastest: float = 0.0

    def slower_than(self, time: float) -> MaxwellSpectrum:
        """Leave out what relaxes faster."""
        return replace(self, fastest=time)

    def estimate(self, quantity: Quantity) -> Band:
        """Estimate what depends on moduli and times, and its 95 % interval; (Q,) and positive.

        Errors are those of its logarithm. A hidden slow mode widens the end that it would move.
        """
        akaike = np.array([fit.misfit + 2 * len(fit.parameters) for fit in self.fits])
        weight = np.exp(-(akaike - akaike.min()) / 2)
        weight /= weight.sum()
        with np.errstate(divide='ignore', invalid='ignore'):
            logarithms, below, above = (
                np.array(each)
                for each in zip(*(self._of_one(fit, quantity) for fit in self.fits), strict=True)
            )
            value = weight @ logarithms
            between = (logarithms - value) ** 2
            quantile = WIDENED * NORMAL_QUANTILE
            low = value - quantile * np.sqrt(weight @ (below + between))
            high = value + quantile * np.sqrt(weight @ (above + between))
            value, low, high = (np.exp(np.minimum(each, 700.0)) for each in (value, low, high))
        return Band(value, low, high)

    def _of_one(self, fit: Modes, quantity: Quantity) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Find the logarithm by one fit, and its variance downwards and upwards, (Q,) each."""

        def logarithm(parameters: FloatArray, *slower: float) -> FloatArray:
            moduli, times = _moduli_and_times(parameters)
            kept = times >= self.fastest
            time, modulus = (slower[:1], slower[1:2])
            return np.log(quantity(np.append(moduli[kept], modulus), np.append(times[kept], time)))

        parameters, step = fit.parameters, 1e-4
        value = logarithm(parameters)
        slope = np.array(
            [
                logarithm(parameters + step * axis) - logarithm(parameters - step * axis)
                for axis in np.eye(len(parameters))
            ]
        ) / (2 * step)
        variance = np.einsum('iq,ij,jq->q', slope, fit.covariance, slope)
        below, above = np.zeros_like(value), np.zeros_like(value)
        for time, modulus, change in fit.hidden:
            direct = logarithm(parameters, time, modulus) - value
            shift = direct + change @ slope
            above = np.where((direct > 0) & (shift > above), shift, above)
            below = np.where((direct < 0) & (-shift > below), -shift, below)
        return value, variance + below**2, variance + above**2


def complex_modulus_of(moduli: FloatArray, times: FloatArray, frequency: FloatArray) -> FloatArray:
    """Compute G* = sum g i w tau/(1 + i w tau), shape (W,), complex."""
    phase = 1j * frequency[:, None] * times
    found: FloatArray = (phase / (1 + phase)) @ moduli
    return found


def maxwell_spectrum(series: FloatArray, prefactor: float, interval: float) -> MaxwellSpectrum:
    """Fit prefactor <s(0) s(t)> of independent series of the same spectrum, shape (S, T).

    The spectra of the modes are those of sampled series. What is forgotten within one row is a
    constant beside them, and is left out. Where modes do not fit, as where bonds oscillate, the
    upper half of the frequencies is left out, and again, until they do.
    """
    from scipy import special

    points = _Points.of(series, prefactor, interval)
    while True:
        fits = points.fits()
        best = min(fits, key=lambda fit: fit.misfit + 2 * len(fit.parameters))
        degrees = len(points.mean) - len(best.parameters)
        rest = points.below(points.angle[-1] / 2)
        is_good = float(special.chdtrc(degrees, best.deviance)) > LEAST_PROBABILITY
        if is_good or len(rest.mean) < FEWEST_POINTS:
            return MaxwellSpectrum(fits, float(points.angle[-1]) / interval)
        points = rest


@dataclass(frozen=True)
class _Points:
    """The power spectrum in bins of frequency.

    Attributes:
        angle: Angular frequency times interval, shape (P,).
        mean: Value, shape (P,).
        count: How many independent values each has, shape (P,).
        interval: Time between rows.
        duration: Of the run.
    """

    angle: FloatArray
    mean: FloatArray
    count: FloatArray
    interval: float
    duration: float

    @classmethod
    def of(cls, series: FloatArray, prefactor: float, interval: float) -> _Points:
        n = series.shape[1]
        power = np.abs(np.fft.rfft(series, axis=1)) ** 2 * (prefactor * interval / (2 * n))
        number = (n + 1) // 2  # the last of an even number has half the weight, as the first
        weight = np.ones(number)
        weight[0] = 0.5
        starts = _bins(number)
        each = np.add.reduceat(weight, starts)
        angle = np.add.reduceat(2 * np.pi / n * np.arange(number) * weight, starts) / each
        total = np.add.reduceat(power[:, :number].sum(axis=0) * weight, starts)
        count = len(series) * each
        return cls(angle, total / count, count, interval, n * interval)

    def below(self, angle: float) -> _Points:
        """Leave out what is at or above an angle."""
        kept = self.angle < angle
        return replace(self, angle=self.angle[kept], mean=self.mean[kept], count=self.count[kept])

    def basis(self, times: FloatArray) -> FloatArray:
        """Compute the spectra of sampled modes of modulus 1, shape (P, K)."""
        memory = np.exp(-self.interval / times)
        shape = (1 - memory**2) / (1 - 2 * memory * np.cos(self.angle)[:, None] + memory**2)
        return np.asarray(self.interval / 2 * shape)

    def misfit(self, model: FloatArray) -> float:
        """Compute minus twice the log likelihood."""
        return 2 * float(np.sum(self.count * (np.log(model) + self.mean / model)))

    def fits(self) -> tuple[Modes, ...]:
        """Fit one mode, then one more, from where it gains most, as long as it gains."""
        longest = math.log10(2 * self.duration / self.interval)
        grid = self.interval / 2 * 10 ** np.arange(0, longest, 1 / TIMES_PER_DECADE)
        on_grid, times, found = self.basis(grid), np.zeros(0), list[Modes]()
        model = np.full_like(self.mean, float(self.mean @ self.count / self.count.sum()))
        for _ in range(MOST_MODES):
            others = np.column_stack([np.full_like(model, self.interval / 2), self.basis(times)])
            tried = [self._amplitudes(np.column_stack([others, b]), model) for b in on_grid.T]
            _, amplitudes, k = min(
                (self.misfit(np.column_stack([others, on_grid[:, k]]) @ each), tuple(each), k)
                for k, each in enumerate(tried)
            )
            start = np.log([*amplitudes, *times, grid[k]])
            fit = self._fit(start)
            if found and found[-1].misfit - fit.misfit < LEAST_GAIN:
                break
            found.append(fit)
            _, times = _moduli_and_times(fit.parameters)
            model, _ = self._model(fit.parameters)
        return tuple(found)

    def _amplitudes(self, basis: FloatArray, model: FloatArray) -> FloatArray:
        """Fit positive amplitudes with the weights of a model, then with their own."""
        from scipy.optimize import nnls

        for _ in range(2):
            weight = np.sqrt(self.count) / np.maximum(model, 1e-9 * self.mean.max())
            amplitudes, _ = nnls(basis * weight[:, None], self.mean * weight)
            model = basis @ amplitudes
        return np.asarray(np.maximum(amplitudes, 1e-6 * amplitudes.max()))

    def _model(self, parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Compute the spectrum, (P,), and the slopes of its logarithm, (P, 1 + 2 K)."""
        moduli, times = _moduli_and_times(parameters)
        basis, step = self.basis(times), 1e-4
        longer, shorter = (self.basis(times * math.exp(s)) for s in (step, -step))
        constant = self.interval / 2 * math.exp(parameters[0])
        model = constant + basis @ moduli
        slopes = [
            np.full((len(model), 1), constant),
            basis * moduli,
            (longer - shorter) / (2 * step) * moduli,
        ]
        return model, np.concatenate(slopes, axis=1) / model[:, None]

    def _fit(self, parameters: FloatArray) -> Modes:
        """Maximise the likelihood, by Levenberg and Marquardt with the expected curvature."""
        ends = math.log(self.interval / 2), math.log(self.duration)
        times = slice(len(parameters) // 2 + 1, None)
        loose = np.eye(len(parameters)) / UNKNOWN**2
        damping = 1e-3
        model, slopes = self._model(parameters)
        misfit = self.misfit(model)
        for _ in range(PASSES):
            curvature = slopes.T @ (slopes * self.count[:, None])
            damped = curvature + damping * np.diag(np.diag(curvature)) + loose / 100
            step = np.linalg.solve(damped, slopes.T @ (self.count * (self.mean / model - 1)))
            tried = parameters + np.clip(step, -1, 1)
            tried[times] = np.clip(tried[times], *ends)
            next_model, next_slopes = self._model(tried)
            next_misfit = self.misfit(next_model)
            if next_misfit < misfit:
                gain, misfit = misfit - next_misfit, next_misfit
                parameters, model, slopes = tried, next_model, next_slopes
                damping = max(damping / 5, 1e-9)
                if gain < 1e-5:
                    break
            elif damping > 1e6:
                break
            else:
                damping *= 5
        curvature = slopes.T @ (slopes * self.count[:, None])
        covariance = np.asarray(np.linalg.inv(curvature + loose), dtype=np.float64)
        ratio = self.mean / model
        deviance = 2 * float(np.sum(self.count * (ratio - 1 - np.log(ratio))))
        slowest = float(np.exp(parameters[times].max()))
        hidden = []
        for factor in HIDDEN:
            slope = self.basis(np.array([factor * slowest]))[:, 0] / model
            shared = slopes.T @ (self.count * slope)
            change = covariance @ shared
            information = float(slope @ (self.count * slope) - shared @ change)
            modulus = 1 / math.sqrt(max(information, 1e-300))
            hidden.append((factor * slowest, modulus, -modulus * change))
        return Modes(parameters, covariance, misfit, deviance, tuple(hidden))


def _moduli_and_times(parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
    number = len(parameters) // 2
    return np.exp(parameters[1 : 1 + number]), np.exp(parameters[1 + number :])


def _bins(number: int) -> IntArray:
    """Choose first ordinates of bins that are one wide at first and then grow."""
    decades = np.log10(number)
    edges = np.round(np.logspace(0, decades, int(decades * POINTS_PER_DECADE) + 1)).astype(np.int64)
    return np.unique(np.concatenate([[0], edges[edges < number]]))
