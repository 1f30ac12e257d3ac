"""How often the intervals of conductivities and Haven ratios hold the truth.

The charges of a run move together as one path, of which little is independent: runs here are worth
of the order of a hundred relaxation times, as those of sweeps are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from scipy.signal import lfilter

from analysis.arrays import FloatArray
from analysis.estimators.green_kubo import green_kubo, logarithmic
from analysis.observables.conductivity import Conductivity
from validation.claim import Row
from validation.coverage import Coverage, Outcome, holds
from validation.ionic_runs import (
    CAGE_TIME,
    CAGED_DIFFUSION,
    EDGE,
    KT,
    caged_motion,
    ionic_run,
    langevin_motion,
)
from validation.job import NO_ENGINE, Job
from validation.sections.estimators import log_spaced_steps

TITLE = 'Conductivity'

Motion = tuple[FloatArray, FloatArray]

ROWS, RUNS = 16_384, 200
IONIC_ROWS, IONS, INTERVAL = 16_385, 40, 0.1
CLOSE = 'slow motion that is hardly more than the noise is taken for diffusion'


def jobs() -> Iterator[Job]:
    """One job for each kind of current, and of ions."""
    for name in CURRENTS:
        yield Job(name, _rows_of(name), (NO_ENGINE,))
    yield Job('free ions', free_rows, (NO_ENGINE,))
    yield Job('ions in cages', caged_rows, (NO_ENGINE,))


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
        outcomes = []
        for _ in range(RUNS):
            found = green_kubo(draw(generator), 1.0, 1.0, 'either').integral
            outcomes.append(holds(logarithmic(found), 1.0))
        coverage = Coverage.of(f'conductivity by Green-Kubo: {name}', outcomes)
        yield coverage.stated(why) if why else coverage.exact()

    return measure


def free_rows(engine: str) -> Iterator[Row]:
    """Free Langevin ions, whose current has a peak at zero frequency."""
    friction = 2.0

    def draw(generator: np.random.Generator) -> Motion:
        return langevin_motion(IONIC_ROWS, IONS, friction, INTERVAL, generator)

    return _ionic_rows('free Langevin ions', draw, KT / friction)


def caged_rows(engine: str) -> Iterator[Row]:
    """Ions in cages, whose current has a dip."""

    def draw(generator: np.random.Generator) -> Motion:
        return caged_motion(IONIC_ROWS, IONS, INTERVAL, generator)

    return _ionic_rows('ions in cages', draw, CAGED_DIFFUSION)


def _ionic_rows(
    name: str, draw: Callable[[np.random.Generator], Motion], diffusion: float
) -> Iterator[Row]:
    """Measure all that the observable gives of independent ions."""
    generator = np.random.default_rng(32)
    frames = log_spaced_steps(64, 8)
    charge = np.tile([1.0, -1.0], IONS // 2)
    sigma = IONS * diffusion / EDGE**3 / KT
    outcomes: dict[str, list[Outcome]] = {}
    for _ in range(RUNS):
        run = ionic_run(*draw(generator), charge, frames[frames < IONIC_ROWS], INTERVAL)
        # The velocities of walkers in cages have no temperature.
        assert run.thermo is not None
        run = replace(run, thermo={k: v for k, v in run.thermo.items() if 'current' not in k})
        found = Conductivity('keep').compute(run)
        for quantity, estimate, exact in (
            ('conductivity by Green-Kubo', found.conductivity, sigma),
            ('conductivity by Einstein', found.einstein, sigma),
            ('Nernst-Einstein conductivity', found.nernst_einstein, sigma),
            ('Haven ratio', found.haven_ratio, 1.0),
            ('apparent transference', found.transference, 0.5),
            *([('current relaxation time', found.relaxation_time, CAGE_TIME)]
              if diffusion == CAGED_DIFFUSION else []),
        ):  # fmt: skip
            outcomes.setdefault(quantity, []).append(holds(estimate, exact))
    for quantity, each in outcomes.items():
        coverage = Coverage.of(f'{quantity}: {IONS} {name}', each)
        if quantity == 'current relaxation time':
            yield coverage.conservative('its error is that of all cut-offs together')
        else:
            yield coverage.exact()
