"""How often 95 % intervals hold the truth, and how often equilibrium is called when there is none.

Everything here is synthetic, with a truth that is known: autoregressive and Ornstein-Uhlenbeck
series, two-dimensional rotors, and replicas. Coverage counts where an interval is offered without a
verdict; the share of series for which it is offered stands beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from scipy.signal import lfilter
from scipy.stats import norm

from analysis.clusters import _distribution
from analysis.correlation_plan import plan_correlations
from analysis.statistics import (
    Estimate,
    combine_replicas,
    combine_replicas_log,
    detect_equilibration,
    mean_with_interval,
    merge_blocks,
    proportion_with_interval,
    shared_by_neighbours,
    statistical_inefficiency,
)
from analysis.stretched_exponential import RelaxationTime, decay_times
from analysis.trajectory import FloatArray
from validation.claim import Row, judged
from validation.job import NO_ENGINE, Job

TITLE = 'Intervals'

LOWEST, HIGHEST = 0.93, 0.97
# Counting errors of a coverage that are allowed beside the target.
COUNTING_ERRORS = 2.5
SERIES, REPLICA_SETS, CURVES, DETECTIONS = 1000, 4000, 300, 300
ROTORS = 30


def jobs() -> Iterator[Job]:
    """One job for each kind of interval, the longest first."""
    for name, measure in (
        ('relaxation', relaxation_rows),
        ('detection', detection_rows),
        ('means', mean_rows),
        ('proportions', proportion_rows),
        ('distributions', distribution_rows),
        ('replicas', replica_rows),
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


def mean_rows(engine: str) -> list[Row]:
    """Means of correlated series, by how many independent values they are worth."""
    generator = np.random.default_rng(1)
    found = []
    for memory in (0.0, 0.5, 0.9, 0.98):
        for worth in (30, 50, 100, 300):
            n = int(worth * inefficiency_of(memory))
            # Without correlation, few values make few blocks and a wide interval.
            highest = 1.0 if memory == 0 and worth == 30 else HIGHEST
            found.append(
                _coverage(
                    f'mean_with_interval: {n} frames, memory {memory:g}, worth {worth} values',
                    (
                        _holds(mean_with_interval(autoregressive(n, memory, generator)), 0.0)
                        for _ in range(SERIES)
                    ),
                    highest=highest,
                )
            )
    return found


def replica_rows(engine: str) -> list[Row]:
    """Means over the numbers of replicas that sweeps use."""
    generator = np.random.default_rng(2)

    def normal(n: int) -> Estimate:
        return combine_replicas(generator.normal(size=n))

    def lognormal(n: int) -> Estimate:
        return combine_replicas_log(np.exp(0.5 * generator.normal(size=n)))

    def noisy(n: int) -> Estimate:
        within = 0.5 * np.exp(0.3 * generator.normal(size=n)) * generator.normal(size=n)
        return combine_replicas(generator.normal(size=n) + within)

    kinds: tuple[tuple[str, Callable[[int], Estimate], float], ...] = (
        ('combine_replicas, normal', normal, 0.0),
        ('combine_replicas_log, lognormal', lognormal, 1.0),
        ('combine_replicas, normal with noise within the runs', noisy, 0.0),
    )
    return [
        _coverage(f'{name}: {n} replicas', (_holds(draw(n), truth) for _ in range(REPLICA_SETS)))
        for name, draw, truth in kinds
        for n in (2, 3, 4, 10)
    ]


def proportion_rows(engine: str) -> list[Row]:
    """How often a correlated series is below a threshold."""
    generator = np.random.default_rng(3)
    found = []
    for share in (0.02, 0.1, 0.5):
        for memory, worth in ((0.5, 30), (0.9, 50), (0.9, 200)):
            n = int(worth * inefficiency_of(memory))

            def draw(n: int = n, memory: float = memory, share: float = share) -> Estimate:
                latent = autoregressive(n, memory, generator)
                below = np.asarray(latent < norm.ppf(share))
                return proportion_with_interval(below, statistical_inefficiency(latent))

            # With few events the correlation is that of the slower companion series: wide.
            rare = share * worth < 15 or share < 0.05
            found.append(
                _coverage(
                    f'proportion_with_interval: share {share:g}, {n} frames, worth {worth} values',
                    (_holds(draw(), share) for _ in range(SERIES)),
                    highest=1.0 if rare else 0.98,
                )
            )
    return found


def distribution_rows(engine: str) -> list[Row]:
    """Jackknife intervals of a distribution whose counts follow a slow variable."""
    generator = np.random.default_rng(4)
    rates, slopes = np.array([20.0, 4.0, 1.0, 0.1, 0.03]), np.array([-0.5, 0, 0.3, 0.5, 0.5])
    truth = rates * np.exp(slopes**2 / 2)
    truth /= truth.sum()
    inside: list[list[tuple[bool, bool]]] = [[] for _ in rates]
    n, memory = 600, 0.8
    for _ in range(SERIES):
        slow = autoregressive(n, memory, generator)
        counts = generator.poisson(rates * np.exp(slopes * slow[:, None]))
        blocks = counts.reshape(20, n // 20, len(rates)).sum(axis=1).astype(np.float64)
        merged = merge_blocks(blocks, statistical_inefficiency(slow), n)
        shared = shared_by_neighbours(statistical_inefficiency(slow), n / len(merged))
        found = _distribution(np.arange(len(rates)), merged, shared)
        assert found.low is not None
        assert found.high is not None
        for value, low, high in zip(found.values, found.low, found.high, strict=True):
            inside[value].append((True, bool(low <= truth[value] <= high)))
    return [
        _coverage(
            f'jackknife of a distribution: a size seen {rate * n:.0f} times in {n} frames', each
        )
        for rate, each in zip(rates, inside, strict=True)
    ]


def relaxation_rows(engine: str) -> list[Row]:
    """1/e times and mean times of stretched exponentials, with the log-spaced schedule."""
    generator = np.random.default_rng(5)
    doublings, n_blocks = 7, 32
    offsets = np.concatenate([[0], 2 ** np.arange(doublings)])
    steps = (np.arange(n_blocks)[:, None] * 2**doublings + offsets).ravel()
    plan = plan_correlations(steps)
    found = []
    for tau in (8.0, 60.0, 120.0, 200.0):
        crossings, means = [], []
        for _ in range(CURVES):
            step = np.sqrt(2 * np.diff(steps, prepend=0) / tau)[:, None]
            angle = np.cumsum(generator.normal(size=(len(steps), ROTORS)) * step, axis=0)
            observed = np.cos(angle[plan.later] - angle[plan.origin]).mean(axis=1)
            sums, counts = np.zeros((2, plan.n_blocks, len(plan.lags)))
            np.add.at(sums, (plan.block, plan.lag_index), observed)
            np.add.at(counts, (plan.block, plan.lag_index), 1)
            decay = decay_times(plan.lags.astype(float), sums, counts, float(plan.duration))
            crossings.append(_holds(decay.one_over_e, tau))
            means.append(_holds(decay.mean, tau))
        run = f'{ROTORS} rotors, run of {plan.duration / tau:.0f} relaxation times'
        # The correction for correlated blocks is a bound: runs of few times get more.
        highest = 0.99
        found.append(_coverage(f'1/e time: {run}', crossings, highest=highest))
        found.append(_coverage(f'mean time of the fit: {run}', means, highest=highest))
    return found


def detection_rows(engine: str) -> list[Row]:
    """Error rates of the detection of equilibrium, on transients A exp(-t/tau) in noise."""
    generator = np.random.default_rng(6)
    found = []
    for n, memory in ((100, 0.5), (400, 0.5), (4000, 0.9)):
        worth = n / inefficiency_of(memory)
        for amplitude, decay in (
            (0, 0.05),
            (3, 0.05),
            (8, 0.05),
            (3, 0.2),
            (2, 1.0),
            (4, 1.0),
            (8, 1.0),
        ):
            called, biases = 0, []
            for _ in range(DETECTIONS):
                transient = amplitude * np.exp(-np.arange(n) / (decay * n))
                series = autoregressive(n, memory, generator) + transient
                result = detect_equilibration(series)
                if result.is_equilibrated:
                    called += 1
                    biases.append(float(series[result.start :].mean()) * math.sqrt(worth))
            found.append(_detection(worth, amplitude, decay, called / DETECTIONS, np.array(biases)))
    return found


def _detection(
    worth: float, amplitude: float, decay: float, called: float, biases: FloatArray
) -> Row:
    claim = f'detect_equilibration: no transient, {worth:.0f} independent values'
    if amplitude:
        claim = (
            f'detect_equilibration: transient of {amplitude} standard deviations and '
            f'{decay:g} of the run, {worth:.0f} independent values'
        )
    bias = float(biases.mean()) if len(biases) else math.nan
    measured = f'called equilibrated {100 * called:.0f} %'
    if len(biases):
        measured += f', then a bias of {bias:.1f} standard errors'
    if decay <= 0.05:
        tolerance, passed = 'at least 90 %, bias below 0.5', called >= 0.9 and abs(bias) < 0.5
    elif decay >= 1 and amplitude >= 4 and worth > 100:
        tolerance, passed = 'at most 5 %', called <= 0.05
    elif decay >= 1 and amplitude >= 4:
        tolerance, passed = 'at most 20 %: the drift is hardly above the noise', called <= 0.2
    else:
        tolerance, passed = 'none: this is the limit of what can be told', True
    return _row(claim, 'constructed series', measured, tolerance, passed)


def _holds(estimate: Estimate | RelaxationTime, truth: float) -> tuple[bool, bool]:
    """Whether an interval is offered without a verdict, and holds the truth."""
    if estimate.low is None or estimate.high is None or estimate.verdict:
        return False, False
    return True, estimate.low <= truth <= estimate.high


def _coverage(claim: str, outcomes: Iterable[tuple[bool, bool]], highest: float = HIGHEST) -> Row:
    table = np.array(list(outcomes))
    offered = int(table[:, 0].sum())
    share = table[:, 1].sum() / max(offered, 1)
    error = math.sqrt(0.95 * 0.05 / max(offered, 1))
    margin = COUNTING_ERRORS * error
    part = 100 * offered / len(table)
    passed = offered > 0 and LOWEST - margin <= share <= highest + margin
    return _row(
        claim,
        '95 % of known truths',
        f'{100 * share:.1f} % +- {100 * error:.1f} %, offered for {part:.0f} %',
        f'{100 * LOWEST:.0f} to {100 * highest:.0f} %, {COUNTING_ERRORS} counting errors',
        passed,
    )


def _row(claim: str, reference: str, measured: str, tolerance: str, passed: bool) -> Row:
    return judged(claim, NO_ENGINE, reference, measured, tolerance, holds=passed)
