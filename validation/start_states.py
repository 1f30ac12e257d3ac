"""Does a melt forget how its ions began?

The same state point from two starts: ions anywhere, and ions drawn together beforehand by three
times the Bjerrum length. Both runs are analysed as those of a sweep are, with equilibration
detected, at lengths that double until both are called equilibrated and agree: the length that this
composition of `sweeps/isp.toml` needs. `python -m validation.needed_length` goes on to lengths that
have no room in this page. Runs that are called equilibrated and are apart would be
wrong results without a word, and fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np
from numpy.typing import NDArray

from analysis.array_trajectory import ArrayTrajectory
from analysis.clusters import ion_clusters
from analysis.statistics import Estimate
from validation.claim import Row, half_width, judged
from validation.job import Job
from validation.systems import TIME_STEP, Sample, make_engine, melt
from workflow.engines.contract import Langevin

TITLE = 'Independence of the start'

COULOMB_ERROR = 1e-2
# LSP fraction -> chains of 20 units: enough ions for clusters where they are few.
CHAINS = {
    Fraction(1, 20): 20,
    Fraction(1, 10): 12,
    Fraction(1, 5): 8,
    Fraction(1, 3): 6,
    Fraction(1, 2): 6,
    Fraction(2, 3): 6,
    Fraction(1, 1): 6,
}
# Steps after which both runs are looked at.
LENGTHS = (15_000, 30_000, 60_000, 120_000)
AGGREGATION_STEPS = 10_000
PERIOD = 100
# Touching unlike ions are 0.75 sigma apart; well below the second shell.
CONTACT = 1.2
QUANTITIES = ('coordination_number', 'free_ion_fraction', 'number_average_size')
# Of the half widths of two 95 % intervals; three standard errors of the difference, since some
# eighty differences are looked at.
HALF_WIDTHS = 3 / 1.96


def jobs() -> Iterator[Job]:
    """One job for each composition; what is asked does not depend on the engine."""
    for fraction in CHAINS:
        yield Job(f'LSP {fraction}', partial(two_starts, fraction), ('lammps',))


def two_starts(
    fraction: Fraction, engine: str, lengths: tuple[int, ...] = LENGTHS
) -> Iterator[Row]:
    """Cluster results of both starts, and how long it takes until they agree."""
    composition = {'LSP': float(fraction), 'DOPA': float(1 - fraction)}
    random = melt('isp', composition, CHAINS[fraction], 20)
    runs = [
        Run(start, engine, seed)
        for seed, start in enumerate((random, aggregated(random, engine)), start=41)
    ]
    apart: list[str] = []
    settled = together = False
    for length in lengths:
        results = [ion_clusters(run.until(length), contact_distance=CONTACT) for run in runs]
        settled = all(result.equilibration.is_equilibrated for result in results)
        pairs = {name: [each.estimates[name] for each in results] for name in QUANTITIES}
        together = all(agree(*pair) for pair in pairs.values())
        if settled and not together:
            apart.append(f'{length * TIME_STEP:g} tau')
        if settled and together:
            break
    for run in runs:
        run.close()
    quantities = '; '.join(
        f'{name.replace("_", " ")} {said(one)} and {said(other)}'
        for name, (one, other) in pairs.items()
    )
    longest = f'{length * TIME_STEP:g} tau'
    if settled and together:
        outcome = f'both called equilibrated, and together, after {longest}'
    else:
        outcome = f'called not equilibrated up to {longest}' if not settled else 'apart'
    if apart:
        outcome += f'; called equilibrated and yet apart after {", ".join(apart)}'
    yield judged(
        f'ion clusters from ions anywhere and from aggregated ions, LSP {fraction}, '
        f'{int(np.count_nonzero(random.charges))} ions in {len(random.charges)} beads',
        engine,
        'one another',
        f'{outcome}: {quantities}',
        'never called equilibrated and more than 3 standard errors of the difference apart',
        holds=not apart,
    )


class Run:
    """One start, run on by stretches, with a frame at every PERIOD steps."""

    def __init__(self, start: Sample, engine: str, seed: int) -> None:
        self._start = start
        self._simulation = start.simulation(
            make_engine(engine), Langevin(TIME_STEP, 1.0, 0.2), start.mesh(COULOMB_ERROR), seed
        )
        self._frames: list[NDArray[np.float64]] = []

    def until(self, length: int) -> ArrayTrajectory:
        """All frames up to this many steps."""
        while len(self._frames) < length // PERIOD:
            self._simulation.run(PERIOD)
            state = self._simulation.state()
            self._frames.append(state.positions + state.images * state.box)
        return ArrayTrajectory(
            np.array(self._frames),
            self._start.state.box,
            steps=PERIOD * np.arange(1, len(self._frames) + 1),
            charge=self._start.charges,
            time_step=TIME_STEP,
        )

    def close(self) -> None:
        """Free the engine."""
        self._simulation.close()


def aggregated(sample: Sample, engine: str) -> Sample:
    """The same beads after some time with three times the Bjerrum length."""
    stronger = replace(sample.field, bjerrum_length=3 * sample.field.bjerrum_length)
    strong = Sample(sample.frame, stronger)
    simulation = strong.simulation(
        make_engine(engine), Langevin(TIME_STEP, 1.0, 1.0), strong.mesh(COULOMB_ERROR), seed=31
    )
    simulation.run(AGGREGATION_STEPS)
    state = simulation.state()
    simulation.close()
    return sample.with_state(replace(state, step=0))


def agree(first: Estimate, second: Estimate) -> bool:
    """Whether two estimates differ by less than their intervals allow."""
    width = float(np.hypot(half_width(first), half_width(second)))
    return abs((first.mean or 0.0) - (second.mean or 0.0)) <= HALF_WIDTHS * width


def said(estimate: Estimate) -> str:
    """Mean and half width."""
    return f'{estimate.mean:.3f} +- {half_width(estimate):.3f}'
