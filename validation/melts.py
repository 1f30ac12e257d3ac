"""The neutral Kremer-Grest melt against published values.

Reference: K. Kremer and G. S. Grest, J. Chem. Phys. 92, 5057 (1990), as tabulated in the sample
kremerGrest.tcl of ESPResSo 3 (github.com/espressomd/espresso, samples/), which checks itself
against the same numbers: end-to-end distance, radius of gyration and pressure by chain length.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validation.claim import Row, judged
from validation.job import Job
from validation.systems import TIME_STEP, Sample, make_engine, melt
from workflow.engines.contract import Langevin
from workflow.soundness import limits_of

TITLE = 'Melts'

# Units per chain -> <R_e^2>, <R_g^2>, pressure at density 0.85 and kT = 1.
PUBLISHED = {
    5: (5.2, 0.92, 5.55),
    10: (13.1, 2.2, 5.20),
    20: (29.7, 5.0, 5.04),
    25: (37.8, 6.3, 4.97),
}
BOND_LENGTH = 0.97
SOURCE = 'Kremer and Grest 1990'
# Their melts have 20 to 50 chains: the scatter of R^2 between independent chains is 0.8 of its
# mean, and 30 chains over some ten relaxation times leave 5 %.
SIZE_TOLERANCE, SIZE_REASON = 0.06, '6 %: 20 to 50 chains in the reference'
PRESSURE_TOLERANCE, PRESSURE_REASON = 0.08, '0.08: last digits and box sizes of the reference'
# Chains of each length, and steps: some ten relaxation times of 1.5 N^2 tau.
RUNS = {5: (100, 60_000), 10: (50, 150_000), 20: (40, 300_000)}
FRAME_PERIOD = 250
BLOCKS = 10


def jobs() -> Iterator[Job]:
    """All jobs of this section, the longest first."""
    for length in sorted(RUNS, reverse=True):
        yield Job(f'chains_of_{length}', partial(chains_of, length))
    yield Job('push_off', push_off, ('lammps',))


def chains_of(length: int, engine: str) -> Iterator[Row]:
    """Sizes, bonds and pressure of a melt of chains of one length."""
    chains, steps = RUNS[length]
    sample = melt('kremer_grest', {'M': 1.0}, chains, length)
    shapes, pressure, _ = sampled(sample, engine, chains, steps, start=steps // 5)
    end_to_end, gyration, expected_pressure = PUBLISHED[length]
    melt_name = f'{chains} chains of {length}'
    bonds = blocks(shapes['bond'])
    yield judged(
        f'mean bond length, {melt_name}',
        engine,
        f'{BOND_LENGTH} ({SOURCE})',
        f'{bonds[0]:.4f} +- {bonds[1]:.4f}',
        '0.01: the last digit that is published',
        holds=abs(bonds[0] - BOND_LENGTH) < 0.01,
    )
    for name, key, expected in (
        ('<R_e^2>', 'end_to_end', end_to_end),
        ('<R_g^2>', 'gyration', gyration),
    ):
        mean, error = blocks(shapes[key])
        yield judged(
            f'{name}, {melt_name}',
            engine,
            f'{expected} ({SOURCE})',
            f'{mean:.2f} +- {error:.2f}',
            f'{SIZE_REASON}, and 2 standard errors',
            holds=abs(mean - expected) < SIZE_TOLERANCE * expected + 2 * error,
        )
    mean, error = blocks(pressure)
    yield judged(
        f'pressure, {melt_name}',
        engine,
        f'{expected_pressure} ({SOURCE})',
        f'{mean:.3f} +- {error:.3f}',
        f'{PRESSURE_REASON}, and 2 standard errors',
        holds=abs(mean - expected_pressure) < PRESSURE_TOLERANCE + 2 * error,
    )


def push_off(engine: str) -> Iterator[Row]:
    """Internal distances right after relaxation against those after many relaxation times."""
    length, chains, steps = 20, 100, 120_000
    # As the sweeps relax: all segments at their default length.
    defaults: dict[str, Any] = {'push_off': {}, 'anneal': {}}
    starts = [
        melt('kremer_grest', {'M': 1.0}, chains, length, seed=s, **defaults) for s in (1, 2, 3)
    ]
    # Three melts: the scatter of 300 chains is 5 %, and the check is about 10 %.
    fresh = np.mean([internal_distances(s, chains)[0] for s in starts], axis=0)
    per_chain = np.concatenate([internal_distances(s, chains)[1] for s in starts])
    error = per_chain.std(axis=0, ddof=1) / np.sqrt(len(per_chain))
    _, _, long_run = sampled(starts[0], engine, chains, steps, start=steps // 5)
    limits_of(starts[0].frame, starts[0].field).check(starts[0].state)
    ratios = fresh / long_run
    tolerance = 0.03 + 3 * error / long_run
    worst = int(np.argmax(np.abs(ratios - 1) / tolerance))
    worst_error = error[worst] / long_run[worst]
    shown = ', '.join(f'n={n}: {ratios[n - 1]:.3f}' for n in (1, 2, 3, 5, 8, 12, 19))
    yield judged(
        f'chains after relaxation: <R^2(n)> over that of a long run, {chains} chains of {length}',
        engine,
        '1 at all n',
        f'{shown}; worst n={worst + 1}: {ratios[worst]:.3f} +- {worst_error:.3f}',
        '3 %, and 3 standard errors over 300 chains',
        holds=bool(np.all(np.abs(ratios - 1) < tolerance)),
    )


def sampled(
    sample: Sample, engine: str, chains: int, steps: int, start: int
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float64], NDArray[np.float64]]:
    """Series of chain sizes, series of the pressure, and mean internal distances after `start`."""
    simulation = sample.simulation(
        make_engine(engine), Langevin(TIME_STEP, 1.0, 0.5), None, seed=11, log_period=50
    )
    simulation.run(start)
    simulation.take_thermo_rows()
    series: dict[str, list[float]] = {'bond': [], 'end_to_end': [], 'gyration': []}
    distances = []
    for _ in range((steps - start) // FRAME_PERIOD):
        simulation.run(FRAME_PERIOD)
        state = simulation.state()
        positions = (state.positions + state.images * state.box).reshape(chains, -1, 3)
        series['bond'].append(float(np.linalg.norm(np.diff(positions, axis=1), axis=2).mean()))
        ends = positions[:, -1] - positions[:, 0]
        series['end_to_end'].append(float(np.mean(np.sum(ends**2, axis=1))))
        centred = positions - positions.mean(axis=1, keepdims=True)
        series['gyration'].append(float(np.mean(np.sum(centred**2, axis=2))))
        distances.append(squared_distances(positions).mean(axis=0))
    rows = simulation.take_thermo_rows()
    simulation.close()
    pressure = rows[:, [4, 7, 9]].mean(axis=1)
    return {k: np.array(v) for k, v in series.items()}, pressure, np.mean(distances, axis=0)


def squared_distances(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean squared distance of beads n bonds apart in each chain, ``(chains, N - 1)``."""
    length = positions.shape[1]
    columns = []
    for n in range(1, length):
        apart = positions[:, n:] - positions[:, :-n]
        columns.append(np.mean(np.sum(apart**2, axis=2), axis=1))
    return np.stack(columns, axis=1)


def internal_distances(
    sample: Sample, chains: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of one frame: the mean over chains, and each chain's."""
    state = sample.state
    positions = (state.positions + state.images * state.box).reshape(chains, -1, 3)
    each = squared_distances(positions)
    return each.mean(axis=0), each


def blocks(series: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and standard error from block means."""
    means = [part.mean() for part in np.array_split(series, BLOCKS)]
    return float(np.mean(means)), float(np.std(means, ddof=1) / np.sqrt(BLOCKS))
