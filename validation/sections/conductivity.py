"""How often the intervals of conductivities and Haven ratios hold the truth.

The charges of a run move together as one path, of which little is independent: runs here are worth
of the order of a hundred relaxation times, as those of sweeps are. Of ions all that the observable
gives is asked for, and counts where it comes without a verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from analysis.estimators.estimate import Estimate
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

ROWS, RUNS, N, INTERVAL = 16_385, 200, 40, 0.1
CHARGE = np.tile([1.0, -1.0], N // 2)
FRAMES = log_spaced_steps(64, 8)
FRICTION, CORRELATION = 2.0, 0.5
SEVERAL_CAGES = ((0.3, 0.3), (CAGE_TIME, CAGE_SIZE), (15.0, 0.9))


def jobs() -> Iterator[Job]:
    """One job for each kind of ions."""
    for name in IONS:
        yield Job(name, partial(ionic_rows, name), (NO_ENGINE,))


def _free(n: int, generator: np.random.Generator) -> Motion:
    return langevin_motion(ROWS, n, FRICTION, INTERVAL, generator)


def _bound(generator: np.random.Generator) -> Motion:
    return in_pairs(_free(N, generator), CORRELATION)


def _past_chains(generator: np.random.Generator) -> Motion:
    return past_chains(_free(N // 2, generator), INTERVAL, generator)


def _in_cages(*cages: tuple[float, float]) -> Callable[[np.random.Generator], Motion]:
    return lambda generator: caged_motion(ROWS, N, INTERVAL, generator, cages)


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


def ionic_rows(name: str, engine: str) -> Iterator[Row]:
    """Measure all that the observable gives of ions."""
    ions, generator = IONS[name], np.random.default_rng(32)
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
