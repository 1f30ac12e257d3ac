"""How often the intervals of conductivities and Haven ratios hold the truth.

The charges of a run move together as one path, of which little is independent: runs here are worth
of the order of a hundred relaxation times, as those of sweeps are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from scipy.signal import lfilter

from analysis.arrays import FloatArray
from analysis.estimators.green_kubo import green_kubo, logarithmic
from analysis.estimators.linear_regime import linear_regime, paths_of_rows, squared_displacements
from analysis.observables.conductivity import COLLECTIVE_TOLERANCE, Conductivity
from validation.claim import Row
from validation.coverage import Coverage, Outcome, holds
from validation.ionic_runs import EDGE, ionic_run, langevin_motion
from validation.job import NO_ENGINE, Job
from validation.sections.estimators import log_spaced_steps

TITLE = 'Conductivity'

ROWS, RUNS, IONIC_RUNS = 16_384, 200, 200
CLOSE = 'slow motion that is hardly more than the noise is taken for diffusion'


def jobs() -> Iterator[Job]:
    """One job for each kind of current, and one for ions."""
    for name in CURRENTS:
        yield Job(name, _rows_of(name), (NO_ENGINE,))
    yield Job('free ions', ion_rows, (NO_ENGINE,))


def _white(generator: np.random.Generator) -> FloatArray:
    return np.asarray(generator.normal(size=(3, ROWS)) * math.sqrt(2))


def _ornstein_uhlenbeck(memory: float, generator: np.random.Generator) -> FloatArray:
    """Draw stationary series of unit variance, (3, ROWS + 1)."""
    kept = math.exp(-1 / memory)
    noise = generator.normal(size=(3, ROWS + 1)) * math.sqrt(1 - kept**2)
    noise[:, 0] = generator.normal(size=3)
    return np.asarray(lfilter([1], [1, -kept], noise))


def _forgotten(generator: np.random.Generator) -> FloatArray:
    """Draw currents that forget within five rows."""
    kept = math.exp(-1 / 5)
    scale = math.sqrt(2 * (1 - kept) / (1 + kept))
    return scale * _ornstein_uhlenbeck(5, generator)[:, 1:]


def _caged(*cages: tuple[float, float]) -> Callable[[np.random.Generator], FloatArray]:
    """Draw diffusion and cages, each with a memory and the rise of the spectrum above it."""

    def draw(generator: np.random.Generator) -> FloatArray:
        current = _white(generator)
        for memory, rise in cages:
            inside = math.sqrt(rise * memory) * _ornstein_uhlenbeck(memory, generator)
            current = current + np.diff(inside)
        return current

    return draw


# All with a conductivity of 1; why nothing is claimed of some.
CURRENTS: dict[str, tuple[Callable[[np.random.Generator], FloatArray], str]] = {
    'diffusion alone': (_white, ''),
    'Ornstein-Uhlenbeck current of 5 rows': (_forgotten, ''),
    'diffusion out of cages of 20 rows, which rise by 5': (_caged((20, 5)), ''),
    'diffusion out of cages of 150 rows, which rise by 2': (_caged((150, 2)), CLOSE),
    'cages of 3, 20 and 150 rows': (_caged((3, 10), (20, 4), (150, 1.5)), CLOSE),
}


def _rows_of(name: str) -> Callable[[str], Iterator[Row]]:
    draw, why = CURRENTS[name]

    def measure(engine: str) -> Iterator[Row]:
        generator = np.random.default_rng(31)
        green_kubo_outcomes: list[Outcome] = []
        einstein_outcomes: list[Outcome] = []
        paths = None
        for _ in range(RUNS):
            current = draw(generator)
            found = logarithmic(green_kubo(current, 1.0, 1.0, 'either').integral)
            green_kubo_outcomes.append(holds(found, 1.0))
            lags, sums, counts = squared_displacements(np.cumsum(current, axis=1), 8)
            time = np.asarray(lags, dtype=np.float64)
            paths = paths or paths_of_rows(time, counts, float(ROWS))
            regime = linear_regime(time, sums, counts, paths, COLLECTIVE_TOLERANCE)
            einstein_outcomes.append(holds(regime.diffusion, 1.0))
        for route, outcomes in (
            ('Green-Kubo', green_kubo_outcomes),
            ('Einstein', einstein_outcomes),
        ):
            coverage = Coverage.of(f'conductivity by {route}: {name}', outcomes)
            yield coverage.stated(why) if why else coverage.exact()

    return measure


def ion_rows(engine: str) -> Iterator[Row]:
    """Free Langevin ions: all that the observable gives."""
    generator = np.random.default_rng(32)
    n, friction, interval, rows = 40, 2.0, 0.1, 8193
    frames = log_spaced_steps(32, 8)
    charge = np.tile([1.0, -1.0], n // 2)
    truth = n / EDGE**3 / friction
    outcomes: dict[str, list[Outcome]] = {}
    for _ in range(IONIC_RUNS):
        motion = langevin_motion(rows, n, friction, interval, generator)
        result = Conductivity('keep').compute(
            ionic_run(*motion, charge, frames[frames < rows], interval)
        )
        for name, estimate, exact in (
            ('conductivity by Green-Kubo', result.conductivity, truth),
            ('conductivity by Einstein', result.einstein, truth),
            ('Nernst-Einstein conductivity', result.nernst_einstein, truth),
            ('Haven ratio', result.haven_ratio, 1.0),
            ('apparent transference', result.transference, 0.5),
        ):
            outcomes.setdefault(name, []).append(holds(estimate, exact))
    for name, found in outcomes.items():
        yield Coverage.of(f'{name}: {n} free Langevin ions', found).exact()
