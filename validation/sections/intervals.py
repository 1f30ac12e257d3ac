"""How often 95 % intervals hold the truth, and how often equilibrium is called when there is none.

Everything here is synthetic, with a truth that is known: autoregressive and Ornstein-Uhlenbeck
series, two-dimensional rotors, walkers, and replicas. Coverage counts where an interval is offered
without a verdict; the share of series for which it is offered stands beside it. It must lie within
93 and 97 %, or above 93 % where the row says that the interval is conservative, and why; 2.5
counting errors beside that are allowed. Rows that are stated claim nothing: they show how far to
trust.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from scipy.signal import lfilter
from scipy.special import ndtri

from analysis.arrays import FloatArray
from analysis.estimators.decay import decay_times
from analysis.estimators.distribution import distribution
from analysis.estimators.drift import drift_of, shared_drift
from analysis.estimators.equilibration import detect_equilibration
from analysis.estimators.estimate import Estimate
from analysis.estimators.inefficiency import statistical_inefficiency
from analysis.estimators.intervals import (
    ENOUGH_BLOCKS,
    ENOUGH_STRETCHES,
    INEFFICIENCIES_PER_BLOCK,
    mean_with_interval,
    merge_blocks,
    proportion_with_interval,
    shared_by_neighbours,
)
from analysis.io.array_trajectory import ArrayTrajectory
from analysis.observable import FRACTION, NOT_NEGATIVE, Combination, Quantity
from analysis.observables.mean_squared_displacement import MeanSquaredDisplacement
from analysis.sampling.correlation_plan import plan_correlations
from analysis.sampling.run import Run
from validation.claim import Row, judged, stated
from validation.coverage import Coverage, Outcome, holds
from validation.job import NO_ENGINE, Job
from validation.paths import (
    brownian_paths,
    caged_paths,
    chained_paths,
    langevin_paths,
    slow_cages,
)
from validation.sections.estimators import log_spaced_steps
from workflow.results.aggregate import combine

TITLE = 'Intervals'

ROTORS = 30
REPLICAS = (2, 3, 4, 5, 6, 8, 10)
# As many as take some seconds a row: 10^4 make the allowed counting errors 0.5 %.
SETS, SHARES, DISTRIBUTIONS, CURVES = 10_000, 3000, 3000, 600
CLAIMED_DETECTIONS, DETECTIONS = 1000, 300
POOL, FRAMES_OF_A_RUN = 30_000, 40
BLOCKS = 20
# Of fewer intervals no share is told.
FEWEST_OFFERED = 50
# A run of fewer relaxation times has blocks that share much.
FEW_TIMES = 25


def jobs() -> Iterator[Job]:
    """One job for each kind of interval."""
    for name, measure in (
        ('relaxation', relaxation_rows),
        ('diffusion', diffusion_rows),
        ('detection', detection_rows),
        ('detection under noise', two_scale_rows),
        ('shared drift', drift_rows),
        ('means', mean_rows),
        ('proportions', proportion_rows),
        ('distributions', distribution_rows),
        ('summary', summary_rows),
    ):
        yield Job(name, measure, (NO_ENGINE,))


def autoregressive(n: int, memory: float, generator: np.random.Generator) -> FloatArray:
    """A Gaussian series of unit variance and correlation memory^t, shape (n,)."""
    noise = generator.normal(size=n) * math.sqrt(1 - memory**2)
    noise[0] = generator.normal()
    series: FloatArray = lfilter([1], [1, -memory], noise)
    return series


def inefficiency_of(memory: float) -> float:
    """Exact statistical inefficiency of `autoregressive`."""
    return (1 + memory) / (1 - memory)


def mean_rows(engine: str) -> Iterator[Row]:
    """Means of correlated series, by how many independent values they are worth."""
    generator = np.random.default_rng(1)
    for memory, most in ((0.0, 300), (0.5, 300), (0.9, 300), (0.98, 100)):
        for worth in (30, 50, 100, 300):
            if worth > most:
                continue
            n = int(worth * inefficiency_of(memory))
            found = Coverage.of(
                f'mean_with_interval: {n} frames, memory {memory:g}, worth {worth} values',
                (
                    holds(mean_with_interval(autoregressive(n, memory, generator)), 0.0)
                    for _ in range(SETS if n < 1000 else SETS // 2)
                ),
            )
            if worth < ENOUGH_BLOCKS * INEFFICIENCIES_PER_BLOCK:
                yield found.conservative('with few blocks the larger of two errors is taken')
            else:
                yield found.exact()
    for memory, worth in ((0.5, 12), (0.5, 20), (0.98, 12), (0.98, 20)):
        n = int(worth * inefficiency_of(memory))
        outcomes = (
            holds(mean_with_interval(autoregressive(n, memory, generator)), 0.0)
            for _ in range(SHARES)
        )
        yield Coverage.of(
            f'mean_with_interval: {n} frames, memory {memory:g}, worth {worth} values', outcomes
        ).stated('near the threshold, what passes is what came out too high')


def proportion_rows(engine: str) -> Iterator[Row]:
    """How often a correlated series is below a threshold."""
    generator = np.random.default_rng(3)
    for share in (0.02, 0.1, 0.5):
        for memory, worth in ((0.5, 30), (0.9, 50), (0.9, 200)):
            n = int(worth * inefficiency_of(memory))

            def draw(n: int = n, memory: float = memory, share: float = share) -> Estimate:
                latent = autoregressive(n, memory, generator)
                below = np.asarray(latent < ndtri(share))
                return proportion_with_interval(below, statistical_inefficiency(latent))

            found = Coverage.of(
                f'proportion_with_interval: share {share:g}, {n} frames, worth {worth} values',
                (holds(draw(), share) for _ in range(SHARES)),
            )
            if share * n < ENOUGH_STRETCHES:
                yield found.conservative('few events take the correlation of a slower series')
            else:
                yield found.exact()


def distribution_rows(engine: str) -> Iterator[Row]:
    """Jackknife intervals of a distribution whose counts follow a slow variable."""
    generator = np.random.default_rng(4)
    rates, slopes = np.array([20.0, 4.0, 1.0, 0.1, 0.03]), np.array([-0.5, 0, 0.3, 0.5, 0.5])
    truth = rates * np.exp(slopes**2 / 2)
    truth /= truth.sum()
    memory = 0.8
    for worth in (33, 67, 200):
        n = int(worth * inefficiency_of(memory)) // BLOCKS * BLOCKS
        outcomes: list[list[Outcome]] = [[] for _ in rates]
        for _ in range(DISTRIBUTIONS):
            slow = autoregressive(n, memory, generator)
            counts = generator.poisson(rates * np.exp(slopes * slow[:, None]))
            blocks = counts.reshape(BLOCKS, n // BLOCKS, len(rates)).sum(axis=1).astype(np.float64)
            inefficiency = statistical_inefficiency(slow)
            merged = merge_blocks(blocks, inefficiency, n)
            shared = shared_by_neighbours(inefficiency, n / len(merged))
            found = distribution(np.arange(len(rates)), merged, shared)
            if found.low is None or found.high is None:
                for each in outcomes:
                    each.append((False, False))
                continue
            seen = found.values.astype(int).tolist()
            for value, low, high in zip(seen, found.low, found.high, strict=True):
                outcomes[value].append((True, bool(low <= truth[value] <= high)))
        for rate, each in zip(rates, outcomes, strict=True):
            yield Coverage.of(
                f'jackknife of a distribution: a size seen {rate * n:.0f} times in {n} frames, '
                f'worth {worth} values',
                each,
            ).exact()


def summary_rows(engine: str) -> Iterator[Row]:
    """Rows of summary.csv: `workflow.results.aggregate.combine` over the replicas of a state."""
    generator = np.random.default_rng(7)
    within = 'replicas that are alike have the errors of their runs'
    skewed = "Student's t does not see how skewed the replicas are"

    def proportions(what: str, shares: FloatArray, truth: float) -> Iterator[Coverage]:
        pool = [_proportion(share, generator) for share in shares.tolist()]
        for n in REPLICAS:
            sets = (pool[k * n : (k + 1) * n] for k in range(min(SETS, POOL // n)))
            yield combined(f'a proportion: {n} replicas {what}', sets, truth)

    for share in (0.5, 0.02):
        for found in proportions(f'alike, share {share:g}', np.full(POOL, share), share):
            yield found.conservative(within)
    # Beta distributions of the share of a replica, the second with a skewness of -1.9.
    for found in proportions('that differ, mean share 0.5', generator.beta(2, 2, POOL), 0.5):
        yield found.exact()
    for found in proportions(
        'near their limit, mean share 0.9', generator.beta(4.5, 0.5, POOL), 0.9
    ):
        yield found.stated(skewed)
    for shape in (4.0, 1.0):
        for n in REPLICAS:
            fractions = 1 - generator.gamma(shape, 0.04 / shape, (SETS, n))
            sets = ([_fraction(value) for value in row] for row in fractions.tolist())
            skewness = f'skewness {-2 / math.sqrt(shape):g}'
            found = combined(f'a fraction near its limit, {skewness}: {n} replicas', sets, 0.96)
            yield found.exact() if shape > 1 else found.stated(skewed)
    for n in REPLICAS:
        times = np.exp(generator.normal(3, 0.4, (SETS, n)))
        sets = ([_time(value) for value in row] for row in times.tolist())
        yield combined(f'a relaxation time: {n} replicas', sets, math.exp(3)).exact()


def combined(what: str, sets: Iterable[Sequence[Quantity]], truth: float) -> Coverage:
    """Coverage of the intervals of sets of replicas."""
    found = (combine([each])[0] for each in sets)
    return Coverage.of(f'combine, {what}', (holds(each, truth) for each in found))


def _proportion(share: float, generator: np.random.Generator) -> Quantity:
    estimate = proportion_with_interval(generator.uniform(size=FRAMES_OF_A_RUN) < share, 1.0)
    # What a run says of itself is left out: the interval over replicas is asked for.
    estimate = replace(estimate, verdict='')
    return Quantity('a proportion', '1', estimate, Combination.PROPORTION, FRACTION)


def _fraction(value: float) -> Quantity:
    return Quantity('a fraction', '1', Estimate(value), Combination.MEAN, FRACTION)


def _time(value: float) -> Quantity:
    return Quantity('a time', 'tau', Estimate(value), Combination.POSITIVE_TIME, NOT_NEGATIVE)


def relaxation_rows(engine: str) -> Iterator[Row]:
    """1/e times and mean times of rotors, with the log-spaced schedule."""
    generator = np.random.default_rng(5)
    doublings, n_blocks = 7, 32
    steps = log_spaced_steps(n_blocks, doublings)
    plan = plan_correlations(steps)
    for tau in (8.0, 60.0, 120.0, 200.0):
        outcomes: dict[str, list[Outcome]] = {'1/e time': [], 'mean time': []}
        for _ in range(CURVES):
            step = np.sqrt(2 * np.diff(steps, prepend=0) / tau)[:, None]
            angle = np.cumsum(generator.normal(size=(len(steps), ROTORS)) * step, axis=0)
            observed = np.cos(angle[plan.later] - angle[plan.origin]).mean(axis=1)
            sums, counts = np.zeros((2, plan.n_blocks, len(plan.lags)))
            np.add.at(sums, (plan.block, plan.lag_index), observed)
            np.add.at(counts, (plan.block, plan.lag_index), 1)
            decay = decay_times(plan.lags.astype(float), sums, counts, float(plan.duration))
            outcomes['1/e time'].append(holds(decay.one_over_e, tau))
            outcomes['mean time'].append(holds(decay.mean, tau))
        for name, each in outcomes.items():
            relaxation_times = plan.duration / tau
            found = Coverage.of(
                f'{name}: {ROTORS} rotors, run of {relaxation_times:.0f} relaxation times', each
            )
            if relaxation_times < FEW_TIMES:
                yield found.conservative('what neighbouring blocks share is taken at its most')
            else:
                yield found.exact()


def diffusion_rows(engine: str) -> Iterator[Row]:
    """Diffusion coefficients of walkers, with the log-spaced schedule."""
    generator = np.random.default_rng(8)
    steps, longer = log_spaced_steps(24, 5), log_spaced_steps(24, 7)
    slow = 'what dies away is too slow and too weak to be told from the line'
    for name, paths, schedule, independent_part, why in (
        ('Brownian walkers', brownian_paths, steps, 1, ''),
        ('Langevin particles, ballistic up to 10 steps', langevin_paths, steps, 1, ''),
        ('walkers in cages that are forgotten within 5 steps', caged_paths, steps, 1, ''),
        ('beads in chains of 4 that move as one, and rattle', chained_paths, steps, 1 / 4, ''),
        ('walkers, a quarter faster in cages of 150 steps', slow_cages, longer, 1, slow),
    ):
        for n in (20, 240):
            outcomes = []
            for _ in range(CURVES // 2):
                positions = paths(schedule, n, generator)
                run = Run(ArrayTrajectory(positions, 50.0, steps=schedule, time_step=1.0))
                found = MeanSquaredDisplacement().compute(run).by_type['A'].diffusion
                # Taking off the drift takes off its share in the motion of each.
                outcomes.append(holds(found, 1 - 1 / (n * independent_part)))
            coverage = Coverage.of(f'diffusion coefficient: {n} {name}', outcomes)
            yield coverage.stated(why) if why else coverage.exact()


# Standard deviations and part of the run of a transient; whether a mean after it is claimed.
TRANSIENTS = (
    (0, 0.05, True),
    (3, 0.05, True),
    (8, 0.05, True),
    (3, 0.2, False),
    (2, 1.0, False),
    (4, 1.0, False),
    (8, 1.0, False),
)


def detection_rows(engine: str) -> Iterator[Row]:
    """Transients A exp(-t/tau) in noise: what is called equilibrated, and the means from there."""
    generator = np.random.default_rng(6)
    for n, memory in ((100, 0.5), (950, 0.9), (800, 0.6)):
        worth = n / inefficiency_of(memory)
        for amplitude, decay, is_short in TRANSIENTS:
            transient = amplitude * np.exp(-np.arange(n) / (decay * n))
            biases: list[float] = []
            outcomes: list[Outcome] = []
            tries = CLAIMED_DETECTIONS if is_short else DETECTIONS
            for _ in range(tries):
                series = autoregressive(n, memory, generator) + transient
                found = detect_equilibration(series)
                if not found.is_equilibrated:
                    outcomes.append((False, False))
                    continue
                production = series[found.start :]
                biases.append(float(production.mean()) * math.sqrt(worth))
                outcomes.append(holds(mean_with_interval(production), 0.0))
            what = 'no transient'
            if amplitude:
                what = f'transient of {amplitude} standard deviations and {decay:g} of the run'
            what += f', {worth:.0f} independent values'
            yield _detection(what, worth, amplitude, decay, len(biases) / tries, np.array(biases))
            coverage = Coverage.of(
                f'mean_with_interval after detect_equilibration: {what}', outcomes
            )
            if is_short:
                yield coverage.exact()
            elif coverage.offered >= FEWEST_OFFERED:
                yield coverage.stated('the noise hides a transient that fills much of the run')


def drift_rows(engine: str) -> Iterator[Row]:
    """Lines in replicas: how often their mean is called drifting, without one and with one."""
    generator = np.random.default_rng(9)
    for n, memory, fast in ((600, 0.9, 0.0), (2000, 0.98, 0.0), (2000, 0.98, 0.5)):
        slow_error = math.sqrt(12 * (1 - fast) * inefficiency_of(memory) / n)
        for replicas in (2, 4):
            for errors in (0, 3):
                line = errors * slow_error * np.linspace(-0.5, 0.5, n)
                seen = 0
                for _ in range(CLAIMED_DETECTIONS):
                    found = [
                        drift_of(line + _two_scales(n, memory, fast, generator))
                        for _ in range(replicas)
                    ]
                    seen += shared_drift(found)[1]
                share = seen / CLAIMED_DETECTIONS
                what = f'{replicas} replicas of {n} values, memory {memory:g}'
                what += ', half of it under fast noise' if fast else ''
                claim = f'shared_drift: {what}, a drift of {errors} errors of one'
                measured = f'called drifting {100 * share:.1f} %'
                if errors:
                    yield stated(claim, NO_ENGINE, 'constructed series', measured, 'the power')
                else:
                    yield judged(
                        claim,
                        NO_ENGINE,
                        'constructed series',
                        measured,
                        'at most 3 %',
                        holds=share <= 0.03,
                    )


def _two_scales(n: int, memory: float, fast: float, generator: np.random.Generator) -> FloatArray:
    """A share of the variance without memory, and the rest with it, shape (n,)."""
    slow = math.sqrt(1 - fast) * autoregressive(n, memory, generator)
    return np.asarray(slow + math.sqrt(fast) * generator.normal(size=n))


def two_scale_rows(engine: str) -> Iterator[Row]:
    """Slow motion under fast noise, as an energy under a slow thermostat has it."""
    generator = np.random.default_rng(10)
    for n, memory in ((2000, 0.98), (2000, 0.96)):
        outcomes: list[Outcome] = []
        for _ in range(CLAIMED_DETECTIONS):
            series = _two_scales(n, memory, 0.5, generator)
            found = detect_equilibration(series)
            if found.is_equilibrated:
                outcomes.append(holds(mean_with_interval(series[found.start :]), 0.0))
            else:
                outcomes.append((False, False))
        called = sum(offered for offered, _ in outcomes) / len(outcomes)
        what = f'half of the variance fast, half with memory {memory:g}, {n} values'
        yield judged(
            f'detect_equilibration: {what}',
            NO_ENGINE,
            'constructed series',
            f'called equilibrated {100 * called:.0f} %',
            'at least 90 %',
            holds=called >= 0.9,
        )
        yield Coverage.of(
            f'mean_with_interval after detect_equilibration: {what}', outcomes
        ).exact()


def _detection(
    what: str, worth: float, amplitude: float, decay: float, called: float, biases: FloatArray
) -> Row:
    claim, reference = f'detect_equilibration: {what}', 'constructed series'
    bias = float(biases.mean()) if len(biases) else math.nan
    measured = f'called equilibrated {100 * called:.0f} %'
    if len(biases):
        measured += f', then a bias of {bias:.1f} standard errors'
    if decay <= 0.05:
        fewest = 0.97 if amplitude == 0 and worth > 100 else 0.9
        tolerance = f'at least {100 * fewest:.0f} %, bias below 0.5'
        passed = called >= fewest and abs(bias) < 0.5
    elif decay >= 1 and amplitude >= 4 and worth > 100:
        tolerance, passed = 'at most 5 %', called <= 0.05
    elif decay >= 1 and amplitude >= 4:
        tolerance, passed = 'at most 20 %: the drift is hardly above the noise', called <= 0.2
    else:
        return stated(
            claim, NO_ENGINE, reference, measured, 'this is the limit of what can be told'
        )
    return judged(claim, NO_ENGINE, reference, measured, tolerance, holds=passed)
