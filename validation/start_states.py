"""Does a melt forget how its ions began?

The same state point from two starts: ions anywhere, and ions drawn together beforehand by three
times the Bjerrum length. If both end with the same clusters the run is long enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from validation.claim import Row, judged
from validation.job import Job
from validation.systems import TIME_STEP, Sample, make_engine, melt
from workflow.engines.contract import Langevin

TITLE = 'Independence of the start'

COULOMB_ERROR = 1e-2
FRACTIONS = (0.25, 0.5)
STEPS = 60_000
AGGREGATION_STEPS = 10_000
PERIOD = 100
# Touching unlike ions are 0.75 sigma apart; well below the second shell.
CONTACT = 1.2
QUANTITIES = ('contacts per cation', 'free cations', 'number-average cluster size')


def jobs() -> Iterator[Job]:
    """All jobs of this section; what is asked does not depend on the engine."""
    for fraction in FRACTIONS:
        yield Job(f'LSP {fraction}', partial(two_starts, fraction), ('lammps',))


def two_starts(fraction: float, engine: str) -> Iterator[Row]:
    """Cluster quantities of both starts in the last half of the run; and since when they agree."""
    random = melt('isp', {'LSP': fraction, 'DOPA': 1 - fraction}, 12, 10)
    together = aggregated(random, engine)
    series = [cluster_series(start, engine, seed) for seed, start in enumerate((random, together))]
    windows = {f'1/{2**n}': (STEPS // PERIOD) // 2**n for n in range(1, 6)}
    for column, quantity in enumerate(QUANTITIES):
        pair = [values[:, column] for values in series]
        half = len(pair[0]) // 2
        (first, error), (second, other) = (mean_and_error(values[half:]) for values in pair)
        # The earliest window from which on the two starts agree.
        since = next(
            (
                name
                for name, start in reversed(windows.items())
                if agree(pair[0][start : 2 * start], pair[1][start : 2 * start])
            ),
            None,
        )
        needed = f'first agree after {since} of it' if since else 'agree nowhere'
        yield judged(
            f'{quantity} from random and from aggregated ions, LSP {fraction}, '
            f'last half of {STEPS * TIME_STEP:g} tau',
            engine,
            'one another',
            f'{first:.3f} +- {error:.3f} and {second:.3f} +- {other:.3f}; {needed}',
            '3 standard errors of the difference: six differences are looked at',
            holds=agree(pair[0][half:], pair[1][half:]),
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


def cluster_series(sample: Sample, engine: str, seed: int) -> NDArray[np.float64]:
    """QUANTITIES at every PERIOD steps, ``(frames, 3)``."""
    charges = sample.charges
    cations, anions = np.flatnonzero(charges > 0), np.flatnonzero(charges < 0)
    simulation = sample.simulation(
        make_engine(engine),
        Langevin(TIME_STEP, 1.0, 0.2),
        sample.mesh(COULOMB_ERROR),
        seed=41 + seed,
    )
    rows = []
    for _ in range(STEPS // PERIOD):
        simulation.run(PERIOD)
        state = simulation.state()
        wrapped = np.mod(state.positions, state.box)
        trees = (cKDTree(wrapped[ions], boxsize=state.box) for ions in (cations, anions))
        contacts = sparse.csr_matrix(next(trees).sparse_distance_matrix(next(trees), CONTACT)) > 0
        graph = sparse.bmat([[None, contacts], [contacts.T, None]])
        clusters = connected_components(graph, directed=False)[0]
        per_cation = np.asarray(contacts.sum(axis=1)).ravel()
        size = (len(cations) + len(anions)) / clusters
        rows.append((per_cation.mean(), np.mean(per_cation == 0), size))
    simulation.close()
    return np.array(rows)


def mean_and_error(series: NDArray[np.float64]) -> tuple[float, float]:
    """Mean, and its standard error from 5 blocks."""
    means = [part.mean() for part in np.array_split(series, 5)]
    return float(np.mean(means)), float(np.std(means, ddof=1) / np.sqrt(5))


def agree(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    """Whether two means are within 3 standard errors of their difference."""
    (one, error), (two, other) = mean_and_error(first), mean_and_error(second)
    return abs(one - two) <= 3 * float(np.hypot(error, other))
