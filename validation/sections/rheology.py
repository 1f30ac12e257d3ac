"""How often the intervals of viscosity, G', G'' and times of the flow hold a known truth.

Ornstein-Uhlenbeck stresses: one time, two times, the times of a Rouse chain, and a spectrum of 40
times without a gap, which no fit of a few modes can have right.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np
from scipy.signal import lfilter

from analysis.arrays import FloatArray
from analysis.estimators.estimate import Curve, Estimate
from analysis.estimators.maxwell_spectrum import complex_modulus_of
from analysis.estimators.viscoelasticity import crossings
from analysis.observables.stress_relaxation import linear_viscoelasticity, stress_relaxation
from validation.claim import Row
from validation.coverage import Coverage, Outcome, holds
from validation.job import NO_ENGINE, Job

TITLE = 'Rheology'

VOLUME, KT, INTERVAL, ROWS = 50.0, 1.5, 0.1, 20_000
DRAWS, VISCOSITY_DRAWS = 200, 100  # STACIE takes ten times as long as all the rest
_ROUSE = 10.0 * (math.sin(math.pi / 20) / np.sin(np.arange(1, 10) * math.pi / 20)) ** 2
_EVEN = np.geomspace(0.1, 10, 40)
FLUIDS = {
    'one time': (np.array([3.0]), np.array([2.0])),
    'two times': (np.array([3.0, 0.3]), np.array([0.5, 10.0])),
    'Rouse chain of 10': (np.full(9, 0.3), _ROUSE),
    'power law': (0.5 / np.sqrt(_EVEN), _EVEN),
}


def jobs() -> Iterator[Job]:
    """One job for each fluid."""
    for name in FLUIDS:
        yield Job(name, partial(coverage_rows, name), (NO_ENGINE,))


def fluid(
    moduli: FloatArray, times: FloatArray, generator: np.random.Generator
) -> dict[str, FloatArray]:
    """Pressure with this Maxwell spectrum."""

    def series(factor: float) -> FloatArray:
        total = np.zeros(ROWS)
        for modulus, time in zip(moduli, times, strict=True):
            memory, scale = math.exp(-INTERVAL / time), math.sqrt(factor * modulus * KT / VOLUME)
            noise = generator.normal(size=ROWS) * scale * math.sqrt(1 - memory**2)
            noise[0] = generator.normal() * scale
            total += lfilter([1], [1, -memory], noise)
        return total

    shear = {name: series(1) for name in ('xy', 'xz', 'yz')}
    return shear | {name: series(2) for name in ('xx', 'yy', 'zz')}


def coverage_rows(name: str, engine: str) -> Iterator[Row]:
    """Coverage of what is offered without a verdict."""
    moduli, times = FLUIDS[name]
    generator = np.random.default_rng(2026)
    viscosity, mean_time = moduli @ times, moduli @ times**2 / (moduli @ times)
    dense = np.geomspace(1e-3, 50, 4000)
    exact = complex_modulus_of(moduli, times, dense)
    crossing = crossings(dense, exact.imag / exact.real)[0]
    outcomes: dict[str, list[Outcome]] = {}
    for draw in range(DRAWS):
        pressure = fluid(moduli, times, generator)
        truths = []
        if draw < VISCOSITY_DRAWS:
            found = stress_relaxation(pressure, VOLUME, KT, INTERVAL)
            truths.append(('viscosity (STACIE)', found.viscosity, viscosity))
        else:
            found = linear_viscoelasticity(pressure, VOLUME, KT, INTERVAL)
        truths.append(('rheological segmental time', found.rheological_time, mean_time))
        frequency = found.storage.x
        if len(frequency):  # else lost in its noise by chance: nothing is offered
            exact = complex_modulus_of(moduli, times, frequency)
            tangent = exact.imag / exact.real
            truths.append(('low-frequency loss tangent', found.loss_tangent, tangent[0]))
            for where, k in (('lowest', 0), ('middle', len(frequency) // 2), ('highest', -1)):
                for what, curve, part in (
                    ("G'", found.storage, exact.real),
                    ("G''", found.loss, exact.imag),
                ):
                    estimate = _at(curve, k)
                    truths.append((f'{what} at the {where} frequency', estimate, part[k]))
            truths.append(('crossing frequency', found.crossing, crossing))
        for what, estimate, truth in truths:
            outcomes.setdefault(what, []).append(holds(estimate, float(truth)))
    for what, each in outcomes.items():
        row = Coverage.of(f'stress of {ROWS} rows, {name}: {what}', each)
        yield row.conservative('a slower mode may hide in the noise, and the number is not known')


def _at(curve: Curve, k: int) -> Estimate:
    assert curve.low is not None
    assert curve.high is not None
    return Estimate(float(curve.value[k]), float(curve.low[k]), float(curve.high[k]))
