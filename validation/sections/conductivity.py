"""How often the intervals of conductivities and Haven ratios hold the truth.

The charges of a run move together as one path, of which little is independent: runs here are worth
of the order of a hundred relaxation times, as those of sweeps are. Of ions all that the observable
gives is asked for, and counts where it comes without a verdict.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.signal import lfilter

from analysis.arrays import FloatArray
from analysis.estimators.estimate import Estimate
from analysis.estimators.green_kubo import green_kubo, logarithmic
from analysis.observables.charge_transport import AXES
from analysis.observables.conductivity import Conductivity
from validation.claim import Row
from validation.coverage import Coverage, Outcome, holds
from validation.ionic_runs import (
    CAGE_SIZE,
    CAGE_TIME,
    CAGED_DIFFUSION,
    EDGE,
    KT,
    Motion,
    bonds_of_chains,
    caged_motion,
    in_pairs,
    ionic_run,
    langevin_motion,
    past_chains,
)
from validation.job import NO_ENGINE, Job
from validation.sections.estimators import log_spaced_steps

TITLE = 'Conductivity'

ROWS, RUNS = 16_384, 200
IONIC_ROWS, N, INTERVAL = 16_385, 40, 0.1
CHARGE = np.tile([1.0, -1.0], N // 2)
FRAMES = log_spaced_steps(64, 8)
FRICTION, CORRELATION = 2.0, 0.5
SEVERAL_CAGES = ((0.3, 0.3), (CAGE_TIME, CAGE_SIZE), (15.0, 0.9))
BLIND = (
    'faster cages decide where nobody says when all are over; the observable says it, from the '
    'motion of the ions'
)


def jobs() -> Iterator[Job]:
    """One job for each kind of current, and of ions."""
    for name in CURRENTS:
        yield Job(name, _rows_of(name), (NO_ENGINE,))
    for name in IONS:
        yield Job(name, _ionic_rows_of(name), (NO_ENGINE,))


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
    'cages of 3, 20 and 150 rows': (_caged((3, 10), (20, 4), (150, 1.5)), BLIND),
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


def _free(n: int, generator: np.random.Generator) -> Motion:
    return langevin_motion(IONIC_ROWS, n, FRICTION, INTERVAL, generator)


def _bound(generator: np.random.Generator) -> Motion:
    return in_pairs(_free(N, generator), CORRELATION)


def _past_chains(generator: np.random.Generator) -> Motion:
    return past_chains(_free(N // 2, generator), INTERVAL, generator)


def _in_cages(*cages: tuple[float, float]) -> Callable[[np.random.Generator], Motion]:
    return lambda generator: caged_motion(IONIC_ROWS, N, INTERVAL, generator, cages)


@dataclass(frozen=True)
class Ions:
    """Ions of charge 1 and -1, and what is known of them exactly; nothing where it is not asked.

    Attributes:
        draw: Velocities and positions.
        diffusion: Coefficient of all ions, or, where some are on chains, of the cations.
        haven_ratio: Of the Nernst-Einstein conductivity.
        relaxation_time: Of the current.
        are_on_chains: Whether the anions are, which creep and carry nothing.
    """

    draw: Callable[[np.random.Generator], Motion]
    diffusion: float
    haven_ratio: float = 1.0
    relaxation_time: float | None = None
    are_on_chains: bool = False


IONS = {
    'free ions': Ions(lambda generator: _free(N, generator), KT / FRICTION),
    'ions bound in pairs to a part': Ions(_bound, KT / FRICTION, 1 / (1 - CORRELATION)),
    'free cations past chains that creep': Ions(_past_chains, KT / FRICTION, are_on_chains=True),
    'ions in cages': Ions(
        _in_cages((CAGE_TIME, CAGE_SIZE)), CAGED_DIFFUSION, relaxation_time=CAGE_TIME
    ),
    'ions in cages of several times': Ions(_in_cages(*SEVERAL_CAGES), CAGED_DIFFUSION),
}


def _ionic_rows_of(name: str) -> Callable[[str], Iterator[Row]]:
    """Measure all that the observable gives of ions."""
    ions = IONS[name]

    def measure(engine: str) -> Iterator[Row]:
        generator = np.random.default_rng(32)
        outcomes: dict[str, list[Outcome]] = {}
        for _ in range(RUNS):
            for quantity, estimate, exact in _measured(ions, generator):
                outcomes.setdefault(quantity, []).append(holds(estimate, exact))
        for quantity, each in outcomes.items():
            coverage = Coverage.of(f'{quantity}: {N} {name}', each)
            if quantity == 'current relaxation time':
                yield coverage.conservative('its error is that of all cut-offs together')
            elif ions.are_on_chains and quantity == 'Nernst-Einstein conductivity':
                yield coverage.stated('chains that creep leave it a verdict')
            else:
                yield coverage.exact()

    return measure


def _measured(ions: Ions, generator: np.random.Generator) -> Iterator[tuple[str, Estimate, float]]:
    """Draw a run; quantities with their estimates and what they are exactly."""
    bonds = bonds_of_chains(N) if ions.are_on_chains else ()
    run = ionic_run(*ions.draw(generator), CHARGE, FRAMES, INTERVAL, bonds)
    # The velocities of walkers in cages have no temperature.
    assert run.thermo is not None
    run = replace(run, thermo={k: v for k, v in run.thermo.items() if 'current' not in k})
    found = Conductivity(drift='keep').compute(run)
    moving = N // 2 if ions.are_on_chains else N
    alone = moving * ions.diffusion / EDGE**3 / KT
    sigma = alone / ions.haven_ratio
    yield 'conductivity by Green-Kubo', found.conductivity, sigma
    yield 'conductivity by Einstein', found.einstein, sigma
    yield 'diffusion coefficient of the cations', found.diffusion['cations'], ions.diffusion
    for axis in AXES:
        of_axis = found.diffusion[f'cations_{axis}']
        yield 'diffusion coefficient of the cations along an axis', of_axis, ions.diffusion
    if ions.relaxation_time is not None:
        yield 'current relaxation time', found.relaxation_time, ions.relaxation_time
    yield 'Nernst-Einstein conductivity', found.nernst_einstein, alone
    if not ions.are_on_chains:
        yield 'Haven ratio', found.haven_ratio, ions.haven_ratio
        yield 'apparent transference', found.transference, 0.5
