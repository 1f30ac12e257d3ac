"""How often the intervals of viscosity, G' and times of the flow hold a known truth.

Ornstein-Uhlenbeck stresses: one time, two times, and the times of a Rouse chain.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np
from scipy.signal import lfilter

from analysis.arrays import FloatArray
from analysis.estimators.estimate import Estimate
from analysis.observables.stress_relaxation import stress_relaxation
from validation.claim import Row
from validation.coverage import Coverage, holds
from validation.job import NO_ENGINE, Job

TITLE = 'Rheology'

VOLUME, KT, INTERVAL, DRAWS, ROWS = 50.0, 1.5, 0.1, 200, 20_000
_ROUSE = 10.0 * (math.sin(math.pi / 20) / np.sin(np.arange(1, 10) * math.pi / 20)) ** 2
FLUIDS = {
    'one time': (np.array([3.0]), np.array([2.0])),
    'two times': (np.array([3.0, 0.3]), np.array([0.5, 10.0])),
    'Rouse chain of 10': (np.full(9, 0.3), _ROUSE),
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
    """Coverage at the lowest frequency of each run."""
    moduli, times = FLUIDS[name]
    generator = np.random.default_rng(11)
    viscosity = float(moduli @ times)
    outcomes: dict[str, list[tuple[bool, bool]]] = {}
    for _ in range(DRAWS):
        found = stress_relaxation(fluid(moduli, times, generator), VOLUME, KT, INTERVAL)
        if len(found.storage.x) == 0:  # lost in its noise by chance: nothing is offered
            continue
        w = float(found.storage.x[0])
        exact = complex(np.sum(moduli * 1j * w * times / (1 + 1j * w * times)))
        curve = found.storage
        assert curve.low is not None
        assert curve.high is not None
        storage = Estimate(float(curve.value[0]), float(curve.low[0]), float(curve.high[0]))
        plateau = float(moduli @ times**2) / viscosity
        for what, estimate, truth in (
            ('viscosity', found.viscosity, viscosity),
            ("G' at the lowest frequency", storage, exact.real),
            ("G''/G' at the lowest frequency", found.loss_tangent, exact.imag / exact.real),
            ('rheological segmental time', found.rheological_time, plateau),
            ('longest time', found.longest_time, float(times.max())),
        ):
            outcomes.setdefault(what, []).append(holds(estimate, truth))
    for what, each in outcomes.items():
        row = Coverage.of(f'stress of {ROWS} rows, {name}: {what}', each)
        if what == 'viscosity':
            yield row.exact()
        else:
            yield row.stated('a single time falls between two of the grid, and g >= 0 has a bias')
