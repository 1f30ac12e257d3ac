"""How often the intervals of lifetimes hold the truth: telegraph processes that a window cuts off.

Things are there or not, with the same chance per frame to end and to begin; the truth is exact.
Windows are shorter and longer than a life. Ends are independent, or correlated: some owners lose
theirs three times as often as others, or ends come in bursts that befall many at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.survival import Lives, median_of
from analysis.geometry.ion_pairs import places_of
from analysis.io.array_trajectory import ArrayTrajectory
from analysis.observables.ion_association import IonAssociation
from analysis.sampling.run import Run
from validation.claim import Row
from validation.coverage import Coverage, Outcome, holds
from validation.job import NO_ENGINE, Job
from validation.sections.estimators import log_spaced_steps

TITLE = 'Lifetimes'

DRAWS = 600
THINGS = 100
BURSTS = 0.1


def jobs() -> Iterator[Job]:
    """One job for each kind of estimate."""
    for name, measure in (
        ('independent ends', independent_rows),
        ('correlated ends', correlated_rows),
        ('association', association_rows),
    ):
        yield Job(name, measure, (NO_ENGINE,))


def followed(
    ends: FloatArray, begins: float, generator: np.random.Generator, starts: FloatArray
) -> Lives:
    """Lives of a telegraph process: chances to end by frame and thing, (F, n), and to begin."""
    lives, there = Lives(*ends.shape), generator.random(ends.shape[1]) < starts
    before: IntArray = np.zeros(0, dtype=np.int64)
    for chance in ends:
        now = np.flatnonzero(there)
        place, was_there = places_of(now, before)
        lives.follow(np.where(was_there, place, -1), now)
        drawn = generator.random(len(there))
        there, before = np.where(there, drawn >= chance, drawn < begins), now
    return lives


def independent_rows(engine: str) -> Iterator[Row]:
    """Mean lifetimes, medians, and survival: independent lives."""
    generator = np.random.default_rng(1)
    for n_frames, mean, apart in ((400, 20, 20), (400, 100, 50), (400, 1000, 200)):
        outcomes: dict[str, list[Outcome]] = {}
        stays = 1 - 1 / mean
        for _ in range(DRAWS):
            ends = np.full((n_frames, THINGS), 1 / mean)
            lives = followed(ends, 1 / apart, generator, _share(ends[0], 1 / apart))
            outcomes.setdefault('mean', []).append(holds(lives.mean(), mean))
            survival = lives.survival()
            # Straight between frames, as the estimate is.
            frame = int(math.log(0.5) / math.log(stays))
            over, under = stays**frame, stays ** (frame + 1)
            half = frame + (over - 0.5) / (over - under)
            outcomes.setdefault('median', []).append(holds(median_of(survival), half))
            for share in (0.9, 0.6):
                at = round(math.log(share) / math.log(stays))
                is_told = at < len(survival.time)
                is_inside = is_told and bool(survival.low[at] <= stays**at <= survival.high[at])
                outcomes.setdefault(f'survival at {share}', []).append((is_told, is_inside))
        for name, each in outcomes.items():
            found = Coverage.of(
                f'lifetimes: {name}, {THINGS} things of {mean} frames in a window of {n_frames}',
                each,
            )
            # What a window seldom reaches is reached by those that happen to end late.
            if found.offered < 0.9 * DRAWS:
                yield found.stated('a window that seldom reaches it')
            elif name == 'mean':
                yield found.exact()
            else:
                yield found.conservative('the design effect is at least 1')


def _share(ends: FloatArray, begins: float) -> FloatArray:
    """How often things are there, by their chance to end and to begin."""
    return np.asarray(begins / (begins + ends))


def correlated_rows(engine: str) -> Iterator[Row]:
    """Mean lifetimes, and survival, where ends go together."""
    generator = np.random.default_rng(2)
    n_frames, mean, apart, at = 400, 50, 50, 30
    for name in ('some owners lose theirs three times as often', 'ends come in bursts'):
        is_by_owner = name.startswith('some')
        kinds = np.array([0.5, 1.5] if is_by_owner else [1.0]) / mean
        there = _share(kinds, 1 / apart)
        truth = float(there.sum() / (there @ kinds))
        # Those that begin were not there.
        stays = float(np.average((1 - kinds) ** at, weights=1 - there))
        outcomes: dict[str, list[Outcome]] = {'mean': [], f'survival at {stays:.2f}': []}
        for _ in range(DRAWS):
            of_things = kinds[generator.integers(len(kinds), size=THINGS)]
            weight = np.ones(n_frames)
            if not is_by_owner:
                weight = np.where(generator.random(n_frames) < BURSTS, 1 / BURSTS, 0)
            starts = _share(of_things, 1 / apart)
            lives = followed(weight[:, None] * of_things, 1 / apart, generator, starts)
            survival = lives.survival()
            is_inside = bool(survival.low[at] <= stays <= survival.high[at])
            both = (holds(lives.mean(), truth), (True, is_inside))
            for each, outcome in zip(outcomes.values(), both, strict=True):
                each.append(outcome)
        for what, each in outcomes.items():
            found = Coverage.of(
                f'lifetimes: {what}, {THINGS} things in {n_frames} frames, {name}', each
            )
            if what == 'mean':
                yield found.exact()
            else:
                yield found.conservative('the design effect is that of the mean, over all times')


def association_rows(engine: str) -> Iterator[Row]:
    """Association times of cations that jump between few anions, with the log-spaced schedule."""
    generator = np.random.default_rng(3)
    steps, n, n_anions, tau = log_spaced_steps(24, 7), 30, 8, 60.0
    sites = 4.0 * np.stack(np.unravel_index(np.arange(8), (2, 2, 2)), axis=1)
    typeid = np.repeat([0, 1], [n_anions, n])
    outcomes: dict[str, list[Outcome]] = {'1/e time': [], 'mean time': []}
    for _ in range(DRAWS):
        at = np.empty((len(steps), n), dtype=np.int64)
        at[0] = generator.integers(n_anions, size=n)
        for k, gap in enumerate(np.diff(steps)):
            has_jumped = generator.random(n) < -math.expm1(-gap / tau)
            at[k + 1] = np.where(has_jumped, generator.integers(n_anions, size=n), at[k])
        anions = np.tile(sites, (len(steps), 1, 1))
        positions = np.concatenate([anions, sites[at] + [0.8, 0, 0]], axis=1)
        charge = np.array([-1.0, 1.0])[typeid]
        trajectory = ArrayTrajectory(
            positions, 8.0, steps=steps, typeid=typeid, type_names=('S', 'Li'), charge=charge,
            time_step=1.0,
        )  # fmt: skip
        decay = IonAssociation(contact_distance=1.0).compute(Run(trajectory)).pairs.decay
        outcomes['1/e time'].append(holds(decay.one_over_e, tau))
        outcomes['mean time'].append(holds(decay.mean, tau))
    for name, each in outcomes.items():
        yield Coverage.of(
            f'association: {name}, {n} cations jump between {n_anions} anions every {tau:g}, run '
            f'of {int(steps[-1])}',
            each,
        ).exact()
