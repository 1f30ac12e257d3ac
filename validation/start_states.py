"""Does a melt forget how its ions began?

The same state point from two starts: ions anywhere, and ions drawn together beforehand by three
times the Bjerrum length. Both runs are analysed as those of a sweep are, with equilibration
detected. They end with the same clusters, or one of them is called not equilibrated; a long run
that is called equilibrated and disagrees would be a wrong result without a word. The reach of the
memory is measured too: since when the two starts agree, for each composition of `sweeps/isp.toml`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np
from numpy.typing import NDArray

from analysis.array_trajectory import ArrayTrajectory
from analysis.clusters import IonClusters, ion_clusters
from analysis.statistics import Estimate
from validation.claim import Row, judged
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
STEPS = 60_000
AGGREGATION_STEPS = 10_000
PERIOD = 100
# Touching unlike ions are 0.75 sigma apart; well below the second shell.
CONTACT = 1.2
QUANTITIES = ('coordination_number', 'free_ion_fraction', 'number_average_size')
# Of the half widths of two 95 % intervals; three standard errors of the difference, since about
# twenty differences are looked at.
HALF_WIDTHS = 3 / 1.96


def jobs() -> Iterator[Job]:
    """One job for each composition; what is asked does not depend on the engine."""
    for fraction in CHAINS:
        yield Job(f'LSP {fraction}', partial(two_starts, fraction), ('lammps',))


def two_starts(fraction: Fraction, engine: str) -> Iterator[Row]:
    """Cluster results of both starts, and since when they agree."""
    random = melt(
        'isp', {'LSP': float(fraction), 'DOPA': float(1 - fraction)}, CHAINS[fraction], 20
    )
    together = aggregated(random, engine)
    trajectories = [
        sampled(start, engine, seed) for seed, start in enumerate((random, together), start=41)
    ]
    results = [ion_clusters(each, contact_distance=CONTACT) for each in trajectories]
    for quantity in QUANTITIES:
        pair = [result.estimates[quantity] for result in results]
        settled = all(result.equilibration.is_equilibrated for result in results)
        measured = ' and '.join(map(said, pair))
        if not settled:
            measured += '; called not equilibrated'
        yield judged(
            f'{quantity.replace("_", " ")} from random and from aggregated ions, LSP {fraction}, '
            f'{STEPS * TIME_STEP:g} tau; {memory(results, quantity)}',
            engine,
            'one another',
            measured,
            '3 standard errors of the difference, or a run called not equilibrated',
            holds=not settled or agree(*pair),
        )


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


def sampled(sample: Sample, engine: str, seed: int) -> ArrayTrajectory:
    """A run with a frame at every PERIOD steps."""
    simulation = sample.simulation(
        make_engine(engine), Langevin(TIME_STEP, 1.0, 0.2), sample.mesh(COULOMB_ERROR), seed
    )
    frames = []
    for _ in range(STEPS // PERIOD):
        simulation.run(PERIOD)
        state = simulation.state()
        frames.append(state.positions + state.images * state.box)
    simulation.close()
    steps = PERIOD * np.arange(1, len(frames) + 1)
    return ArrayTrajectory(
        np.array(frames), sample.state.box, steps=steps, charge=sample.charges, time_step=TIME_STEP
    )


def memory(results: list[IonClusters], quantity: str) -> str:
    """Since when the two series agree, looked at in stretches that double in length."""
    pair = [result.series[quantity] for result in results]
    starts = [len(pair[0]) // 2**n for n in range(5, 0, -1)]
    for start in starts:
        if same_mean(*(series[start : 2 * start] for series in pair)):
            return f'they agree from {start * PERIOD * TIME_STEP:.0f} tau on'
    return 'they agree nowhere'


def same_mean(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    """Whether two means are within 3 standard errors of 5 blocks of their difference."""
    blocks = [[part.mean() for part in np.array_split(each, 5)] for each in (first, second)]
    errors = [np.std(means, ddof=1) / np.sqrt(5) for means in blocks]
    difference = float(np.mean(blocks[0]) - np.mean(blocks[1]))
    return abs(difference) <= 3 * float(np.hypot(*errors))


def agree(first: Estimate, second: Estimate) -> bool:
    """Whether two estimates differ by less than their intervals allow."""
    width = float(np.hypot(half_width(first), half_width(second)))
    return abs((first.mean or 0.0) - (second.mean or 0.0)) <= HALF_WIDTHS * width


def half_width(estimate: Estimate) -> float:
    """Half the interval; without end if there is none."""
    if estimate.low is None or estimate.high is None:
        return float('inf')
    return (estimate.high - estimate.low) / 2


def said(estimate: Estimate) -> str:
    """Mean and half width."""
    return f'{estimate.mean:.3f} +- {half_width(estimate):.3f}'
