"""Integrals of autocorrelation functions, by the low end of the spectrum (Green and Kubo).

An integral of the correlation function itself has to be cut where the noise begins, which is a
choice. STACIE fits the spectrum up to all cut-off frequencies and weighs them (Toraman, Fauconnier
and Verstraelen 2025, doi 10.1021/acs.jcim.5c01475).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from analysis.arrays import FloatArray
from analysis.estimators.estimate import Estimate

# Four times that of STACIE: value and error stay within 0.1 %, at a quarter of the cost.
CUT_OFF_SPACING = 2.0
# With up to 1000 of them, as STACIE has it, a fast mode decided: 0.4 of the viscosity of two modes.
MOST_FREQUENCIES = 100
# Of STACIE's standard error.
NORMAL_QUANTILE = 1.96
# A run in which the series relaxes fewer times than this does not know its slowest part.
LEAST_RUN_IN_TIMES = 20


@dataclass(frozen=True)
class GreenKubo:
    """The integral of an autocorrelation function.

    Attributes:
        integral: From lag 0 to infinity; a verdict where the spectrum does not give it.
        correlation_time: Of the slowest exponential in the series.
    """

    integral: Estimate
    correlation_time: Estimate = Estimate()


def green_kubo(series: FloatArray, prefactor: float, interval: float) -> GreenKubo:
    """Integrate prefactor <x(0) x(t)> over t > 0, averaged over the series, shape (S, T).

    The series are independent, with equal integrals, at equal intervals of time, and their means
    are 0 in equilibrium. The spectrum near zero frequency is a Lorentz peak and a constant.
    """
    from stacie import LorentzModel, compute_spectrum, estimate_acint

    spectrum = compute_spectrum(np.array(series), prefactors=prefactor, timestep=interval)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of steps on the way to the best cut-off
        try:
            found = estimate_acint(
                spectrum,
                LorentzModel(),
                neff_max=MOST_FREQUENCIES,
                fcut_spacing=CUT_OFF_SPACING,
            )
        except (ValueError, RuntimeError, np.linalg.LinAlgError) as error:
            return GreenKubo(
                Estimate(verdict=f'no integral: the spectrum cannot be fitted ({error})')
            )
    half = NORMAL_QUANTILE * float(found.acint_std)
    value, duration = float(found.acint), np.shape(series)[1] * interval
    if not (np.isfinite(half) and value > 0):
        return GreenKubo(Estimate(verdict='no integral: the spectrum is lost in its noise'))
    n, time = float(found.neff), float(found.corrtime_exp)
    verdict = ''
    if time > duration / LEAST_RUN_IN_TIMES:
        verdict = (
            f'too short: it relaxes in {time:.3g}, and the run is no {LEAST_RUN_IN_TIMES} times '
            'as long'
        )
    spread = NORMAL_QUANTILE * float(found.corrtime_exp_std)
    return GreenKubo(
        Estimate(value, max(value - half, 0.0), value + half, n, verdict),
        Estimate(time, max(time - spread, 0.0), time + spread, n, verdict),
    )
