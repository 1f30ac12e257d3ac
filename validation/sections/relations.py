"""How often the intervals of what needs several states of a sweep hold the truth.

Everything here is synthetic: values of replicas with normal errors of the logarithm, about laws
that are known. Coverage counts where an interval is offered without a verdict, and must lie within
93 and 97 %; 2.5 counting errors beside that are allowed. Activation energies are asked for in the
middle and at both ends of the temperatures; rows with T0 = 0 are Arrhenius. Rows that are stated
claim nothing: they show how far to trust.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analysis.arrays import FloatArray
from analysis.estimators.activation import Activation, fit_activation
from analysis.estimators.best_place import place_of_maximum
from analysis.estimators.crossing import crossing
from analysis.estimators.pooling import Replicates
from analysis.estimators.power_law import power_law
from validation.claim import Row, judged
from validation.coverage import Coverage, Outcome, holds
from validation.job import NO_ENGINE, Job

TITLE = 'Relations over the states of a sweep'

SETS = 2000
TEMPERATURES = np.linspace(0.7, 1.2, 6)
# B and T0, of about the same energy in the middle.
LAWS = ((3.0, 0.0), (2.0, 0.2), (1.2, 0.4), (0.5, 0.55))
THRESHOLD = 0.37


def jobs() -> Iterator[Job]:
    """One job for each relation."""
    for name, measure in (
        ('activation', activation_rows),
        ('power law', power_law_rows),
        ('crossing', crossing_rows),
        ('place of the maximum', best_place_rows),
    ):
        yield Job(name, measure, (NO_ENGINE,))


def fits(
    law: tuple[float, float],
    noise: FloatArray,
    replicas: int,
    at: float,
    generator: np.random.Generator,
) -> Iterator[Activation]:
    """Fits to many data sets of one law, with errors by temperature."""
    strength, t0 = law
    temperature = np.repeat(TEMPERATURES, replicas)
    for _ in range(SETS):
        errors = np.repeat(noise, replicas) * generator.normal(size=len(temperature))
        yield fit_activation(temperature, -strength / (temperature - t0) + errors, at)


def activation_rows(engine: str) -> Iterator[Row]:
    """E_a at the middle and the ends, by law, error and replicas; then B and T0."""
    generator = np.random.default_rng(1)
    for strength, t0 in LAWS:
        for replicas, noise in ((1, 0.05), (2, 0.1), (4, 0.03)):
            errors = np.full(len(TEMPERATURES), noise)
            for at in TEMPERATURES[[0, 2, -1]]:
                truth = strength * at**2 / (at - t0) ** 2
                found = fits((strength, t0), errors, replicas, at, generator)
                yield Coverage.of(
                    f'E_a at kT {at:g}: B {strength:g}, T0 {t0:g}, {replicas} replicas of 6 '
                    f'temperatures, error {noise:g}',
                    (holds(each.energy, truth) for each in found),
                ).exact()
    for strength, t0 in LAWS[2:]:
        errors = np.full(len(TEMPERATURES), 0.03)
        tried = list(fits((strength, t0), errors, 4, 0.9, generator))
        what = f'B {strength:g}, T0 {t0:g}, 4 replicas of 6 temperatures, error 0.03'
        yield Coverage.of(f'T0: {what}', (holds(each.t0, t0) for each in tried)).exact()
        yield Coverage.of(f'B: {what}', (holds(each.strength, strength) for each in tried)).exact()
    uneven = np.linspace(0.15, 0.05, len(TEMPERATURES))
    for at in TEMPERATURES[[0, 2, -1]]:
        tried = list(fits((1.2, 0.4), uneven, 3, at, generator))
        truth = 1.2 * at**2 / (at - 0.4) ** 2
        yield Coverage.of(
            f'E_a at kT {at:g}: B 1.2, T0 0.4, errors from 0.15 at the lowest temperature to 0.05',
            (holds(each.energy, truth) for each in tried),
        ).stated('one scatter is assumed for all temperatures')


def power_law_outcomes(
    states: int,
    replicas: int,
    noise: tuple[float, float, float],
    scatter: float,
    generator: np.random.Generator,
) -> Iterator[Outcome]:
    """Whether slopes of 0.8 are held: `noise` is that of x, of y, and their correlation."""
    x_error, y_error, correlation = noise
    shared = correlation * x_error * y_error
    covariance = np.array([[x_error**2, shared], [shared, y_error**2]])
    for _ in range(SETS):
        x = generator.normal(size=states)
        y = 0.8 * x + scatter * generator.normal(size=states)
        data = generator.multivariate_normal([0, 0], covariance, (states, replicas))
        data += np.stack([x, y], axis=1)[:, None]
        yield holds(power_law(list(data.transpose(0, 2, 1))), 0.8)


def power_law_rows(engine: str) -> Iterator[Row]:
    """Slopes, by number of states, errors and scatter about the line."""
    generator = np.random.default_rng(2)
    for states, replicas in ((5, 2), (7, 3), (20, 3)):
        for noise in ((0.1, 0.1, 0.0), (0.1, 0.2, 0.5), (0.3, 0.1, 0.0), (0.5, 0.3, 0.0)):
            for scatter in (0.0, 0.2):
                outcomes = power_law_outcomes(states, replicas, noise, scatter, generator)
                found = Coverage.of(
                    f'power_law: {states} states of {replicas} replicas over a range of 1, error '
                    f'of x {noise[0]:g}, of y {noise[1]:g}, correlated {noise[2]:g}, scatter '
                    f'{scatter:g}',
                    outcomes,
                )
                yield found.exact()


def crossing_outcomes(
    places: FloatArray, replicas: int, errors: tuple[float, float], generator: np.random.Generator
) -> Iterator[Outcome]:
    """Whether crossings of two straight curves are held, with errors of either size."""
    for _ in range(SETS // 4):
        truth = THRESHOLD + 0.1 * (generator.random() - 0.5)
        curves = []
        for slope, error in zip((1.0, 4.0), errors, strict=True):
            values = slope * (places[:, None] - truth)
            values = values + error * generator.normal(size=(len(places), replicas))
            unknown, open_ones = np.full(replicas, np.nan), np.zeros(replicas, dtype=np.int64)
            curves.append(
                [
                    Replicates(float(x), row, open_ones, unknown)
                    for x, row in zip(places, values, strict=True)
                ]
            )
        yield holds(crossing(*curves), truth)


def crossing_rows(engine: str) -> Iterator[Row]:
    """Crossings of two sizes, by places, replicas and errors."""
    generator = np.random.default_rng(3)
    for n in (5, 9):
        for replicas in (2, 4):
            for errors in ((0.1, 0.1), (0.2, 0.05)):
                found = Coverage.of(
                    f'crossing: {n} places from 0 to 1, {replicas} replicas of either size, errors '
                    f'{errors[0]:g} and {errors[1]:g}',
                    crossing_outcomes(np.linspace(0, 1, n), replicas, errors, generator),
                )
                yield found.exact()


def best_place_outcomes(
    means: FloatArray,
    replicas: int,
    errors: FloatArray,
    generator: np.random.Generator,
    sets: int = SETS // 4,
) -> Iterator[tuple[Outcome, int]]:
    """Whether the highest of the means, by place, is among those kept; and how many are."""
    places = range(len(means))
    unknown, values = np.full(replicas, np.nan), np.zeros(replicas, dtype=np.int64)
    for _ in range(sets):
        noise = errors[:, None] * generator.normal(size=(len(means), replicas))
        states = [Replicates(float(k), means[k] + noise[k], values, unknown) for k in places]
        kept = place_of_maximum(states).kept
        yield (True, int(np.argmax(means)) in kept), len(kept)


def best_place_rows(engine: str) -> Iterator[Row]:
    """Places of a maximum of seven, by how high it is, replicas and their errors."""
    generator = np.random.default_rng(4)
    peak = np.array([0.0, 1, 2, 3, 2, 1, 0])
    even, uneven = np.ones(7), np.array([3.0, 1, 1, 1, 1, 1, 3])
    for replicas in (2, 4, 8):
        for what, means in (('no', 0 * peak), ('a low', 0.3 * peak), ('a high', 3 * peak)):
            for how, errors in (('equal', even), ('unequal', uneven)):
                tried = list(best_place_outcomes(means, replicas, errors, generator))
                sizes = np.array([size for _, size in tried])
                name = f'{what} maximum of 7 places, {replicas} replicas, {how} errors'
                yield Coverage.of(
                    f'place_of_maximum: {name}; {sizes.mean():.1f} places kept',
                    (outcome for outcome, _ in tried),
                ).conservative('adjusted by Bonferroni, and places that are lower count as well')
                if what == 'a high' and replicas == 8:
                    share = float(np.mean(sizes == 1))
                    yield judged(
                        f'place_of_maximum: the place alone is left: {name}',
                        NO_ENGINE,
                        'enough replicas',
                        f'{100 * share:.0f} % of sets',
                        'at least 80 %',
                        holds=share >= 0.8,
                    )
