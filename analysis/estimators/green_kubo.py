"""Integrals of autocorrelation functions, by the low end of the spectrum (Green and Kubo).

An integral of the correlation function itself has to be cut where the noise begins, which is a
choice. STACIE fits the spectrum up to all cut-off frequencies and weighs them (Toraman, Fauconnier
and Verstraelen 2025, doi 10.1021/acs.jcim.5c01475).
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from analysis.arrays import FloatArray
from analysis.estimators.estimate import Estimate

# Of a spectrum near zero: a Lorentz peak on a constant, a dip by a Debye relaxation, or either.
Shape = Literal['peak', 'dip', 'either']

# Four times that of STACIE: value and error stay within 0.1 %, at a quarter of the cost.
CUT_OFF_SPACING = 2.0
# With up to 1000 of them, as STACIE has it, a fast mode decided: 0.4 of the viscosity of two modes.
# A dip has to be seen up to where it ends. A peak that a long run shows the flat top of alone, as
# that of a simple liquid, needs more.
MOST_FREQUENCIES: dict[Shape, tuple[int, ...]] = {
    'peak': (100, 1000),
    'dip': (300,),
    'either': (100,),
}
# Of STACIE's standard error.
NORMAL_QUANTILE = 1.96
# A run in which the series relaxes fewer times than this does not know its slowest part.
LEAST_RUN_IN_TIMES = 20
FREQUENCIES_PER_DECADE = 8
# Of the highest frequency, which has twice as much from those above it.
HIGHEST_FREQUENCY = 1 / 2


@dataclass(frozen=True)
class GreenKubo:
    """The integral of an autocorrelation function.

    Attributes:
        integral: From lag 0 to infinity; a verdict where the spectrum does not give it.
        correlation_time: Of the peak or dip; nothing where it may be either.
    """

    integral: Estimate
    correlation_time: Estimate = Estimate()


def green_kubo(
    series: FloatArray,
    prefactor: float,
    interval: float,
    shape: Shape = 'peak',
    slowest: float = 0.0,
) -> GreenKubo:
    """Integrate prefactor <x(0) x(t)> over t > 0, averaged over the series, shape (S, T).

    The series are independent, with equal integrals, at equal intervals of time, and their means
    are 0 in equilibrium. Where a time is known after which nothing slow is left, `slowest`, periods
    that are shorter are not looked at: one peak or dip of something faster would be fitted instead.
    """
    from stacie import LorentzModel, PadeModel, compute_spectrum, estimate_acint
    from stacie.model import DebyeModel

    if not np.any(series):  # LAPACK would write to the standard output
        return GreenKubo(Estimate(verdict='no integral: the series is 0 throughout'))
    models = {'peak': LorentzModel(), 'dip': DebyeModel(), 'either': PadeModel([0, 2], [2])}
    duration = np.shape(series)[1] * interval
    most_frequencies: tuple[float, ...] = MOST_FREQUENCIES[shape]
    if slowest > 0:
        known = max(duration / slowest, LEAST_RUN_IN_TIMES)
        most_frequencies = tuple(min(most, known) for most in most_frequencies)
    spectrum = compute_spectrum(np.array(series), prefactors=prefactor, timestep=interval)
    found, why = None, ''
    for most in most_frequencies:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of steps on the way to the best cut-off
            try:
                found = estimate_acint(
                    spectrum, models[shape], neff_max=most, fcut_spacing=CUT_OFF_SPACING
                )
                break
            except (ValueError, RuntimeError, np.linalg.LinAlgError) as error:
                why = str(error)
    if found is None:
        return GreenKubo(Estimate(verdict=f'no integral: the spectrum cannot be fitted ({why})'))
    half = NORMAL_QUANTILE * float(found.acint_std)
    value = float(found.acint)
    if not (np.isfinite(half) and value > 0):
        return GreenKubo(Estimate(verdict='no integral: the spectrum is lost in its noise'))
    n = float(found.neff)
    integral = Estimate(value, max(value - half, 0.0), value + half, n)
    if shape == 'either':
        return GreenKubo(integral)
    time = float(found.corrtime_exp)
    verdict = ''
    if time > duration / LEAST_RUN_IN_TIMES:
        verdict = (
            f'too short: it relaxes in {time:.3g}, and the run is no {LEAST_RUN_IN_TIMES} times '
            'as long'
        )
    spread = NORMAL_QUANTILE * float(found.corrtime_exp_std)
    return GreenKubo(
        replace(integral, verdict=verdict),
        Estimate(time, max(time - spread, 0.0), time + spread, n, verdict),
    )


def logarithmic(estimate: Estimate) -> Estimate:
    """Turn the symmetric interval of a positive value into that of its logarithm."""
    value, high = estimate.value, estimate.high
    if value is None or high is None or value <= 0:
        return estimate
    factor = math.exp(min((high - value) / value, 700.0))
    return replace(estimate, low=value / factor, high=value * factor)


def spectrum_of(
    series: FloatArray, prefactor: float, interval: float, are_means: bool
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Average the spectrum over bins of frequency: angular frequency, value and ends, (W,) each.

    At zero frequency it is the integral of `green_kubo`. Means over the intervals lack what is
    fast, by a factor (sin x/x)^2 with x = w interval/2, which is put right.
    """
    from scipy import special

    n_series, n = series.shape
    power = (np.abs(np.fft.rfft(series)) ** 2).sum(axis=0)[1:]
    power *= prefactor * interval / (2 * n)
    frequency = 2 * np.pi * np.arange(1, len(power) + 1) / (n * interval)
    if are_means:
        power /= np.sinc(frequency * interval / (2 * np.pi)) ** 2
    most = max(int(len(power) * HIGHEST_FREQUENCY), 1)
    places = round(np.log10(most) * FREQUENCIES_PER_DECADE) + 1
    edges = np.unique(np.rint(np.geomspace(1, most, places)).astype(np.int64)) - 1
    edges = edges[: max(len(edges) - 1, 1)]  # the last one ends the bin before it
    count = np.diff(edges, append=most)
    x = np.add.reduceat(frequency[:most], edges) / count
    freedom = 2.0 * n_series * count
    value = 2 * np.add.reduceat(power[:most], edges) / freedom
    low, high = (freedom / special.chdtri(freedom, tail) for tail in (0.025, 0.975))
    return x, value, value * low, value * high
