"""The neutral Kremer-Grest melt against published values.

Sizes and pressure by chain length: K. Kremer and G. S. Grest, J. Chem. Phys. 92, 5057 (1990),
second hand, from the sample kremerGrest.tcl of ESPResSo 3 (github.com/espressomd/espresso,
samples/), which checks itself against them and tells the number of chains and the length of each
run.

Internal distances: J. P. Wittmer et al., Phys. Rev. E 76, 011803 (2007) (arXiv 0704.1620): segments
of n bonds in a melt are swollen as R^2(n) = b_e^2 n (1 - c_e / sqrt(n)), with
c_e = sqrt(24 / pi^3) / (density b_e^3), where n is large and small against the chain. b_e^2 is bond
length times Kuhn length, 0.965 and 1.857, of R. Everaers et al., Macromolecules 53, 1901 (2020),
second hand, from a script in a public repository that writes their fit out:
l_K = l_b + 0.77 (tanh(-0.03 k^2 - 0.41 k + 0.16) + 1), k = 0 without bending stiffness.

All +- are half widths of 95 % intervals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.estimators.estimate import Estimate
from analysis.estimators.intervals import CONFIDENCE, mean_with_interval
from validation.claim import Row, half_width, judged
from validation.job import Job
from validation.systems import DENSITY, TIME_STEP, Sample, make_engine, melt
from workflow.engines.contract import Langevin, State
from workflow.stages.stability import limits_of

TITLE = 'Melts'


SOURCE = 'Kremer and Grest 1990'
# Pressures are published to 0.01, and a density that is off by 0.001 changes them by 0.02.
PRESSURE_TOLERANCE, PRESSURE_REASON = 0.03, '0.03: last digits of pressure and density'
KUHN_LENGTH, BOND_LENGTH = 1.857, 0.965
BOND_TOLERANCE = 0.001

# Steps in a relaxation time of N^2 tau. The end-to-end vector keeps 1/e of itself for 91 tau at
# N = 10 and 331 tau at N = 20, and values of its square count as independent when 0.55 N^2 tau lie
# between (measured with LAMMPS, 100 and 50 chains).
RELAXATION = round(1 / TIME_STEP)
INDEPENDENT_AFTER = 0.55
# Of Gaussian chains: the variance of R_e^2 and R_g^2 in parts of their squared means.
END_TO_END_SCATTER, GYRATION_SCATTER = 2 / 3, 4 / 15


@dataclass(frozen=True)
class Melt:
    """Chains of one length at density 0.85 and kT = 1: what is published, and a run here.

    Attributes:
        end_to_end: Published <R_e^2>, sigma^2.
        gyration: Published <R_g^2>, sigma^2.
        pressure: Published, in epsilon / sigma^3.
        published: Number of chains of the reference, and length of its run, tau.
        chains: Number of chains here.
        left_out: Relaxation times of the whole chain before sampling.
        sampled: Relaxation times of the whole chain that are sampled.
        segments: Numbers of bonds whose R^2(n) is held against that published for long chains.
    """

    end_to_end: float
    gyration: float
    pressure: float
    published: tuple[int, float]
    chains: int
    left_out: float
    sampled: float
    segments: tuple[int, ...] = ()


# By units per chain; numbers of chains near those of the reference. Chains of 50 take longer to
# relax than this section has: of them only what does relax is looked at, pressure, bonds, and
# segments of n bonds, which take n^2 tau.
MELTS = {
    5: Melt(5.2, 0.92, 5.55, (50, 3_000), 50, 2, 30),
    10: Melt(13.1, 2.2, 5.20, (25, 7_200), 25, 2, 22),
    20: Melt(29.7, 5.0, 5.04, (30, 12_000), 20, 1, 12),
    50: Melt(82.7, 13.3, 4.93, (16, 42_000), 16, 0.04, 0.4, segments=(8, 10)),
}
FRAME_PERIOD = 250
# Fresh melts of chains of 20, and the first of them after a long run: the stretch that a push-off
# leaves is gone after 100 tau.
FRESH_LENGTH, FRESH_CHAINS, FRESH_MELTS, LONG_MELTS = 20, 100, 12, 4
LONG_STEPS, LONG_FRAMES = 20_000, 60
# What a push-off does is plainest in parts of a chain: whole chains scatter.
HALF = FRESH_LENGTH // 2
SEGMENT_TOLERANCE = 0.05
# Half width of an interval, in parts of the value, beyond which agreement would mean nothing.
WIDEST = 0.10
SEGMENT_REASON = '5 %: next order of the formula, c_e^2 / n or 2 %, and ends of chains'


def jobs() -> Iterator[Job]:
    """All jobs of this section, the longest last."""
    for length in sorted(MELTS, key=lambda n: MELTS[n].chains * n**3 * MELTS[n].sampled):
        yield Job(f'chains_of_{length}', partial(chains_of, length))
    yield Job('push_off', push_off)


def chains_of(length: int, engine: str) -> Iterator[Row]:
    """Bonds, pressure, and what else has time to relax in a melt of chains of one length."""
    run = MELTS[length]
    sample = melt('kremer_grest', {'M': 1.0}, run.chains, length, engine=engine)
    sampled = Sampled.of(sample, engine, run, length)
    name = f'{run.chains} chains of {length}'
    bonds = mean_with_interval(sampled.bond)
    yield judged(
        f'mean bond length, {name}',
        engine,
        f'{BOND_LENGTH} (Everaers et al. 2020; {SOURCE}: 0.97)',
        f'{bonds.value:.4f} +- {half_width(bonds):.4f}',
        f'{BOND_TOLERANCE}: the last digit that is published, plus the half-width',
        holds=agrees(bonds, BOND_LENGTH, BOND_TOLERANCE),
    )
    pressure = mean_with_interval(sampled.pressure)
    yield judged(
        f'pressure, {name}',
        engine,
        f'{run.pressure} ({SOURCE})',
        f'{pressure.value:.3f} +- {half_width(pressure):.3f}',
        f'{PRESSURE_REASON}; plus the half-width',
        holds=agrees(pressure, run.pressure, PRESSURE_TOLERANCE),
    )
    if run.segments:
        yield segments(sampled, run, name, engine)
        return
    for symbol, of_chains, expected, scatter in (
        ('<R_e^2>', sampled.distances[:, -1], run.end_to_end, END_TO_END_SCATTER),
        ('<R_g^2>', sampled.gyration, run.gyration, GYRATION_SCATTER),
    ):
        size, half = float(of_chains.mean()), float(over_chains(of_chains))
        part = reference_error(length, scatter)
        limit = float(np.hypot(part * expected, half))
        yield judged(
            f'{symbol}, {name}',
            engine,
            f'{expected} ({SOURCE})',
            f'{size:.4g} +- {half:.2g}',
            f'{limit / expected:.1%}: {part:.1%} for chains and length of run of the reference, '
            'and the half-width',
            holds=abs(size - expected) < limit and half < WIDEST * expected,
        )


def agrees(measured: Estimate, expected: float, tolerance: float) -> bool:
    """Whether the interval comes within the tolerance, and is known and narrow enough to say so."""
    half = half_width(measured)
    if measured.value is None or not measured.is_converged or not half < WIDEST * expected:
        return False
    return abs(measured.value - expected) < tolerance + half


def reference_error(length: int, scatter: float) -> float:
    """Half width of the 95 % interval of a published <R^2>, in parts of it.

    Args:
        length: Units per chain.
        scatter: Variance of the R^2 of one chain, in parts of its squared mean.
    """
    chains, duration = MELTS[length].published
    values = chains * duration / (INDEPENDENT_AFTER * length**2)
    return float(1.96 * np.sqrt(scatter / values))


def segments(sampled: Sampled, run: Melt, name: str, engine: str) -> Row:
    """Internal distances against those of long chains."""
    shown, holds = [], True
    for n in run.segments:
        ratios = sampled.distances[:, n - 1] / long_chain_distance(n)
        half = float(over_chains(ratios))
        shown.append(f'n={n}: {ratios.mean():.3f} +- {half:.3f}')
        holds &= half < WIDEST and bool(abs(ratios.mean() - 1) < SEGMENT_TOLERANCE + half)
    expected = ', '.join(f'n={n}: {long_chain_distance(n) / n:.3f}' for n in run.segments)
    return judged(
        f'<R^2(n)> over that published for long chains, {name}',
        engine,
        f'1; <R^2(n)>/n is {expected} (Wittmer et al. 2007, Everaers et al. 2020)',
        ', '.join(shown),
        f'{SEGMENT_REASON}; plus the half-width',
        holds=holds,
    )


def long_chain_distance(n: int) -> float:
    """<R^2> over n bonds of a long chain, sigma^2; sources above."""
    squared = KUHN_LENGTH * BOND_LENGTH
    swelling = np.sqrt(24 / np.pi**3) / (DENSITY * squared**1.5)
    return float(squared * n * (1 - swelling / np.sqrt(n)))


def push_off(engine: str) -> Iterator[Row]:
    """Internal distances right after relaxation against those after a long run."""
    # All segments of relaxation at the default lengths of the protocol.
    defaults: dict[str, Any] = {'push_off': {}, 'anneal': {}}
    fresh, later = [], []
    for seed in range(FRESH_MELTS):
        start = melt(
            'kremer_grest',
            {'M': 1.0},
            FRESH_CHAINS,
            FRESH_LENGTH,
            seed=2 + seed,
            engine=engine,
            **defaults,
        )
        limits_of(start.frame, start.field).check(start.state)
        fresh.append(squared_distances(unwrapped(start.state, FRESH_CHAINS)))
        if seed < LONG_MELTS:
            later.append(distances_later(start, engine))
    each, reference = np.concatenate(fresh), np.concatenate(later)
    ratios = each.mean(axis=0) / reference.mean(axis=0)
    errors = np.hypot(over_chains(each), over_chains(reference)) / reference.mean(axis=0)
    tolerance = 0.03 + errors
    farthest = int(np.argmax(np.abs(ratios - 1) / tolerance))
    shown = [f'n={n}: {ratios[n - 1]:.3f} +- {errors[n - 1]:.3f}' for n in (1, 2, 3, 5, 8, 12, 19)]
    yield judged(
        f'chains after relaxation: <R^2(n)> over that after a long run, chains of {FRESH_LENGTH}',
        engine,
        '1 at all n',
        f'{", ".join(shown)}; farthest n={farthest + 1}: '
        f'{ratios[farthest]:.3f} +- {errors[farthest]:.3f}',
        f'3 %, plus the half-width, at most 5 % up to n = {HALF}: of {len(each)} fresh chains, and '
        f'of {len(reference)} chains over {LONG_STEPS * TIME_STEP:g} to '
        f'{(LONG_STEPS + LONG_FRAMES * FRAME_PERIOD) * TIME_STEP:g} tau',
        holds=bool(np.all(np.abs(ratios - 1) < tolerance) and np.all(errors[:HALF] < 0.05)),
    )


def distances_later(start: Sample, engine: str) -> NDArray[np.float64]:
    """Mean R^2(n) of each chain in a run that begins after LONG_STEPS, shape (chains, N - 1)."""
    simulation = start.simulation(make_engine(engine), Langevin(TIME_STEP, 1.0, 0.5), seed=12)
    simulation.run(LONG_STEPS)
    distances = []
    for _ in range(LONG_FRAMES):
        simulation.run(FRAME_PERIOD)
        distances.append(squared_distances(unwrapped(simulation.state(), FRESH_CHAINS)))
    simulation.close()
    return np.asarray(np.mean(distances, axis=0))


def over_chains(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half widths of the intervals of means over chains, (chains, ...) -> (...).

    Chains of a melt are independent, while values of one chain may follow each other for long.
    """
    number = len(values)
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, number - 1)
    return np.asarray(quantile * values.std(axis=0, ddof=1) / np.sqrt(number))


@dataclass(frozen=True, eq=False)
class Sampled:
    """A run: two series, and means of each chain over all frames.

    Attributes:
        bond: Mean bond length, every FRAME_PERIOD steps.
        pressure: Every 50 steps.
        distances: Mean R^2(n) of each chain, shape (chains, N - 1).
        gyration: Mean R_g^2 of each chain, shape (chains,).
    """

    bond: NDArray[np.float64]
    pressure: NDArray[np.float64]
    distances: NDArray[np.float64]
    gyration: NDArray[np.float64]

    @classmethod
    def of(cls, sample: Sample, engine: str, run: Melt, length: int) -> Sampled:
        """Run a melt."""
        simulation = sample.simulation(
            make_engine(engine), Langevin(TIME_STEP, 1.0, 0.5), None, seed=11, log_period=50
        )
        simulation.run(round(run.left_out * length**2 * RELAXATION))
        simulation.take_thermo_rows()
        bond = []
        distances, gyration = np.zeros((run.chains, length - 1)), np.zeros(run.chains)
        for _ in range(round(run.sampled * length**2 * RELAXATION / FRAME_PERIOD)):
            simulation.run(FRAME_PERIOD)
            positions = unwrapped(simulation.state(), run.chains)
            bond.append(np.linalg.norm(np.diff(positions, axis=1), axis=2).mean())
            distances += squared_distances(positions)
            gyration += positions.var(axis=1).sum(axis=1)
        rows = simulation.take_thermo_rows()
        simulation.close()
        return cls(
            bond=np.array(bond),
            pressure=rows[:, [4, 7, 9]].mean(axis=1),
            distances=distances / len(bond),
            gyration=gyration / len(bond),
        )


def unwrapped(state: State, chains: int) -> NDArray[np.float64]:
    """Positions across the boundary, shape (chains, N, 3)."""
    return (state.positions + state.images * state.box).reshape(chains, -1, 3)


def squared_distances(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean squared distance of beads n bonds apart in each chain, ``(chains, N - 1)``."""
    length = positions.shape[1]
    columns = []
    for n in range(1, length):
        apart = positions[:, n:] - positions[:, :-n]
        columns.append(np.mean(np.sum(apart**2, axis=2), axis=1))
    return np.stack(columns, axis=1)
