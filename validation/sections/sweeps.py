"""How often a sweep is decided, wrongly and rightly, and how often its intervals hold the truth.

Everything here is synthetic. A sweep has 3 to 8 states with 2 to 8 replicas each, drawn anew for
each sweep, in half of them the same for all states; its values are normal, lognormal or of a gamma
distribution, and spread alike or not. Without an effect, at most 5 % may be decided, in either
direction; coverage must lie within 93 and 97 %. 2.5 counting errors beside that are allowed: 0.54 %
for 10,000 sweeps. Trends are those of `trend_test`; differences of `contrast` are between two
states drawn by chance, and the maximum of `maximum_test` at one. Rows that are stated claim
nothing: they show how far to trust.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from analysis.arrays import BoolArray, FloatArray, IntArray
from analysis.estimators.estimate import Estimate
from analysis.estimators.intervals import student_quantile
from analysis.estimators.pooling import Replicates, pooled_intervals
from analysis.estimators.sequential import interim_level
from analysis.estimators.trends import contrast, maximum_test, no_dependence, trend_test
from validation.claim import Row, judged, stated
from validation.coverage import COUNTING_ERRORS, Coverage, Outcome, holds
from validation.job import NO_ENGINE, Job

TITLE = 'Decisions of a sweep'

SWEEPS, STATED, BOUNDS, ADAPTIVE, POWERED = 10_000, 3000, 3000, 3000, 1000
MOST_FALSE = 0.05
# Of a gamma distribution of shape 4, and of a lognormal one with this deviation of the logarithm:
# both are skewed by about 1.
SHAPE, DEVIATION = 4.0, 0.314
REFERENCE = 'synthetic sweeps without an effect'
RANKS = 'ranks tell skewed values of equal means apart'

Draw = Callable[[np.random.Generator, int], FloatArray]
Spreads = Callable[[np.random.Generator, int], FloatArray]


def jobs() -> Iterator[Job]:
    """One job for each kind of sweep."""
    for name, measure in (
        ('equal spreads', equal_rows),
        ('skewed values', skewed_rows),
        ('unequal spreads', unequal_rows),
        ('bounds', bound_rows),
        ('errors within runs', within_rows),
        ('adaptive replicas', adaptive_rows),
        ('power', power_rows),
    ):
        yield Job(name, measure, (NO_ENGINE,))


def normal(generator: np.random.Generator, n: int) -> FloatArray:
    """Values of mean 0 and unit variance, shape (n,)."""
    return generator.normal(size=n)


def lognormal(generator: np.random.Generator, n: int) -> FloatArray:
    """As `normal`, skewed by 1."""
    square = math.exp(DEVIATION**2)
    values = np.exp(generator.normal(scale=DEVIATION, size=n)) - math.sqrt(square)
    scaled: FloatArray = values / math.sqrt(square * (square - 1))
    return scaled


def gamma(generator: np.random.Generator, n: int) -> FloatArray:
    """As `normal`, skewed by 1."""
    values: FloatArray = (generator.gamma(SHAPE, size=n) - SHAPE) / math.sqrt(SHAPE)
    return values


def equal(generator: np.random.Generator, k: int) -> FloatArray:
    """Spreads of the states, shape (k,)."""
    return np.ones(k)


def rising(generator: np.random.Generator, k: int) -> FloatArray:
    """Spreads that double along the axis, or fall to half."""
    return np.linspace(1, 2, k)[:: generator.choice([-1, 1])]


def scattered(generator: np.random.Generator, k: int) -> FloatArray:
    """Spreads that differ by chance, by a factor of 1.5."""
    return np.exp(generator.normal(scale=math.log(1.5), size=k))


def one_wide(generator: np.random.Generator, k: int) -> FloatArray:
    """One state, at the end, spreads three times as much as the others."""
    return np.where(np.arange(k) == k - 1, 3.0, 1.0)


def equal_rows(engine: str) -> Iterator[Row]:
    """Normal values with the same spread in all states."""
    yield from tally('normal values, equal spreads', 1, normal, equal)
    yield from tally('normal values, equal spreads, 2 replicas', 2, normal, equal, 2)


def skewed_rows(engine: str) -> Iterator[Row]:
    """Skewed values."""
    for what, seed, draw in (('lognormal', 3, lognormal), ('gamma', 4, gamma)):
        yield from tally(f'{what} values, equal spreads', seed, draw, equal, tried=SWEEPS // 2)


def unequal_rows(engine: str) -> Iterator[Row]:
    """Spreads that differ: claimed to a factor of two, stated beyond."""
    yield from tally('spreads that double along the axis', 5, normal, rising)
    yield from tally('spreads that differ by chance, by 1.5', 6, normal, scattered)
    why = 'what is lost where spreads are unequal'
    for what, seed, spreads, n in (
        ('spreads that double along the axis, 2 replicas', 7, rising, 2),
        ('one state at the end spreads 3 times as much', 8, one_wide, None),
        ('one state at the end spreads 3 times as much, 2 replicas', 9, one_wide, 2),
    ):
        yield from tally(what, seed, normal, spreads, n, STATED, why)
    what, why = 'gamma values, spreads that double along the axis', f'{why}: {RANKS}'
    yield from tally(what, 10, gamma, rising, None, STATED, why)


def tally(
    what: str,
    seed: int,
    draw: Draw,
    spreads: Spreads,
    n: int | None = None,
    tried: int = SWEEPS,
    why: str = '',
) -> Iterator[Row]:
    """Draw sweeps without an effect, decide each, and hold their intervals against the truth.

    They have n replicas, or 2 to 8. Rows are claimed, unless `why` says why they are stated.
    """
    generator = np.random.default_rng(seed)
    decided = {'trends': 0, 'differences': 0, 'maxima': 0}
    of_states: list[Outcome] = []
    of_widest: list[Outcome] = []
    of_slopes: list[Outcome] = []
    of_differences: list[Outcome] = []
    for _ in range(tried):
        widths = spreads(generator, int(generator.integers(3, 9)))
        sizes = draw_sizes(generator, len(widths)) if n is None else np.full(len(widths), n)
        states = [
            state(place, width * draw(generator, int(size)))
            for place, width, size in zip(places(len(widths)), widths, sizes, strict=True)
        ]
        first, second = (int(each) for each in generator.choice(len(states), 2, replace=False))
        trend, difference = trend_test(states), contrast(states, first, second)
        decided['trends'] += trend.direction != 0
        decided['differences'] += difference.direction != 0
        decided['maxima'] += maximum_test(states, first).direction != 0
        intervals = [holds(each, 0.0) for each in pooled_intervals(states)]
        of_states += intervals
        of_widest.append(intervals[int(np.argmax(widths))])
        of_slopes.append(holds(trend.effect, 0.0))
        of_differences.append(holds(difference.effect, 0.0))
    for name, count in decided.items():
        if why:
            yield stated(
                f'false decisions: {name}, {what}', NO_ENGINE, REFERENCE, percent(count, tried), why
            )
        else:
            yield false_decisions(f'{name}, {what}', count, tried)
    outcomes = {'intervals of states': of_states}
    if why:
        outcomes['interval of the state that spreads most'] = of_widest
    outcomes |= {'interval of the slope': of_slopes, 'interval of a difference': of_differences}
    for name, each in outcomes.items():
        coverage = Coverage.of(f'{name}, {what}', each)
        yield coverage.stated(why) if why else coverage.exact()


def bound_rows(engine: str) -> Iterator[Row]:
    """Values above a limit are known to be larger: runs that end before the decay does."""
    generator = np.random.default_rng(11)
    for limit, part in ((1.0, 'a sixth'), (0.0, 'half')):
        decided = np.zeros(3)
        outcomes = []
        for _ in range(BOUNDS):
            k = int(generator.integers(3, 9))
            states = [
                cut(state(place, lognormal(generator, int(size))), limit)
                for place, size in zip(places(k), draw_sizes(generator, k), strict=True)
            ]
            first, second = (int(each) for each in generator.choice(k, 2, replace=False))
            found = (
                trend_test(states), contrast(states, first, second), maximum_test(states, first)
            )  # fmt: skip
            decided += [each.direction != 0 for each in found]
            outcomes += [within_bound(each, 0.0) for each in (found[0].effect, found[1].effect)]
        what = f'lognormal values, {part} of them bounds'
        for name, count in zip(('trends', 'differences', 'maxima'), decided, strict=True):
            yield false_decisions(f'{name}, {what}', int(count), BOUNDS)
        yield Coverage.of(
            f'slopes and differences, or bounds of them, {what}', outcomes
        ).conservative('a bound has one side')


def within_rows(engine: str) -> Iterator[Row]:
    """Errors within the runs: all of the spread, a part of it, or all that there is."""
    for share, why in ((1.0, 'no narrower than both the spread and the runs allow'), (0.7, '')):
        generator = np.random.default_rng(12)
        outcomes = []
        for _ in range(SWEEPS // 2):
            k = int(generator.integers(3, 9))
            sizes = generator.integers(1, 9, k)
            states = [
                replace(each, errors=np.full(each.n, share))
                for each in (
                    state(place, normal(generator, int(size)))
                    for place, size in zip(places(k), sizes, strict=True)
                )
            ]
            outcomes += [holds(each, 0.0) for each in pooled_intervals(states)]
        found = Coverage.of(
            'intervals of states, 1 to 8 replicas, errors within the runs '
            f'{100 * share**2:.0f} % of the variance',
            outcomes,
        )
        yield found.conservative(why) if why else found.exact()
    generator = np.random.default_rng(13)
    alone = [
        replace(pooled_intervals([state(0.0, normal(generator, 1), 1.0)])[0], verdict='')
        for _ in range(SWEEPS)
    ]
    yield Coverage.of(
        'one replica alone, error within the run all there is', (holds(e, 0.0) for e in alone)
    ).exact()


def adaptive_rows(engine: str) -> Iterator[Row]:
    """Replicas are added until the sweep is decided, or the last look is over."""
    for looks, start, by_spread, seed in (
        (4, 2, False, 14),
        (10, 3, False, 15),
        (6, 3, True, 16),
        (6, 2, True, 17),
    ):
        generator = np.random.default_rng(seed)
        decided, slopes = np.zeros(3), []
        for number in range(ADAPTIVE):
            draw = (normal, lognormal, gamma)[number % 3]
            its_decisions, slope = _adapt(generator, draw, looks, start, by_spread=by_spread)
            decided += its_decisions
            slopes.append(holds(slope, 0.0))
        added = (
            'two to the half of the states that spread most' if by_spread else 'one to each state'
        )
        where = f'{looks} looks, {start} replicas at first, then {added}'
        yield false_decisions(f'trends, {where}', int(decided[0]), ADAPTIVE)
        if by_spread and start == 2:
            yield stated(
                f'false decisions: differences of the ends, {where}', NO_ENGINE, REFERENCE,
                percent(int(decided[1]), ADAPTIVE),
                'spreads that came out small by chance are never seen to be larger',
            )  # fmt: skip
        else:
            yield false_decisions(
                f'differences of the ends, {where}', int(decided[1]), ADAPTIVE
            )  # fmt: skip
        yield stated(
            f'false decisions: trends, {where}, 5 % at each look', NO_ENGINE, REFERENCE,
            percent(int(decided[2]), ADAPTIVE), 'what the levels of the looks are for',
        )  # fmt: skip
        yield Coverage.of(f'interval of the slope at the end, {where}', slopes).stated(
            'it is that of a sweep with one look'
        )


def _adapt(
    generator: np.random.Generator, draw: Draw, looks: int, start: int, *, by_spread: bool
) -> tuple[BoolArray, Estimate]:
    """Add replicas until trend and difference are decided.

    Whether these two are, and the trend at 5 % at one of the looks; and the slope at the end.
    """
    k = int(generator.integers(3, 9 if looks < 10 else 6))
    values = [draw(generator, start) for _ in range(k)]
    decided = np.zeros(3, dtype=bool)
    for look in range(1, looks + 1):
        states = [state(p, v) for p, v in zip(places(k), values, strict=True)]
        level = interim_level(look, looks)
        trend, difference = trend_test(states, level), contrast(states, 0, k - 1, level)
        decided |= [trend.direction != 0, difference.direction != 0, trend.p <= MOST_FALSE]
        if decided.all():
            break
        more = np.ones(k, dtype=int)
        if by_spread:
            order = np.argsort([-v.std() for v in values])
            more = np.where(np.isin(np.arange(k), order[: (k + 1) // 2]), 2, 0)
        values = [np.append(v, draw(generator, int(m))) for v, m in zip(values, more, strict=True)]
    return decided, trend.effect


def power_rows(engine: str) -> Iterator[Row]:
    """A change along 5 states, with a spread of 1: decided, by design; and what was foretold."""
    k = 5
    for n in (2, 3, 4, 6, 8):
        for change in (1.5, 3.0, 6.0):
            generator = np.random.default_rng(17)
            line = change * places(k)
            trends, ends, separate = 0, 0, 0
            for _ in range(POWERED):
                states = [state(p, p * change + normal(generator, n)) for p in places(k)]
                trends += trend_test(states).direction == 1
                ends += contrast(states, k - 1, 0).direction == 1
                separate += apart(states[0], states[-1])
            exact = [state(p, m + standard(n)) for p, m in zip(places(k), line, strict=True)]
            foretold = trend_test(exact).power, contrast(exact, k - 1, 0).power
            yield stated(
                f'power: {k} states, {n} replicas, a change by {change:g} spreads', NO_ENGINE,
                'synthetic sweeps that rise evenly',
                f'trend decided {percent(trends, POWERED)}, foretold {100 * foretold[0]:.0f} %; '
                f'ends told apart {percent(ends, POWERED)}, foretold {100 * foretold[1]:.0f} %; '
                f'by intervals of their own that do not overlap {percent(separate, POWERED)}',
                'it follows from the design',
            )  # fmt: skip
    generator = np.random.default_rng(18)
    for n, margin in ((3, 2.0), (6, 2.0), (6, 1.5)):
        inside, outside = 0, 0
        for _ in range(POWERED):
            states = [state(p, normal(generator, n)) for p in places(k)]
            inside += no_dependence(states, margin).direction
            at_margin = [replace(e, values=e.values + margin * (e.place == 1)) for e in states]
            outside += no_dependence(at_margin, margin).direction
        yield false_decisions(
            f'no dependence within {margin:g} spreads, {n} replicas, a change by the margin',
            outside, POWERED,
        )  # fmt: skip
        yield stated(
            f'power: no dependence within {margin:g} spreads, {n} replicas', NO_ENGINE, REFERENCE,
            percent(inside, POWERED), 'it follows from the design',
        )  # fmt: skip


def false_decisions(what: str, count: int, tried: int) -> Row:
    """A row that claims that at most 5 % are decided."""
    most = MOST_FALSE + COUNTING_ERRORS * math.sqrt(MOST_FALSE * (1 - MOST_FALSE) / tried)
    tolerance = f'at most {100 * MOST_FALSE:.0f} %, {COUNTING_ERRORS} counting errors'
    return judged(
        f'false decisions: {what}', NO_ENGINE, REFERENCE, percent(count, tried), tolerance,
        holds=count / tried <= most,
    )  # fmt: skip


def percent(count: int, tried: int) -> str:
    """A share of sweeps, with its counting error."""
    share = count / tried
    return f'{100 * share:.1f} % +- {100 * math.sqrt(share * (1 - share) / tried):.1f} %'


def places(k: int) -> FloatArray:
    """Places of k states."""
    return np.linspace(0, 1, k)


def draw_sizes(generator: np.random.Generator, k: int) -> IntArray:
    """Numbers of replicas, 2 to 8: the same for all states, or not."""
    shape = 1 if generator.uniform() < 0.5 else k
    return np.broadcast_to(generator.integers(2, 9, shape), k)


def state(place: float, values: FloatArray, error: float = math.nan) -> Replicates:
    """A state without bounds."""
    n = len(values)
    return Replicates(float(place), values, np.zeros(n, dtype=np.int64), np.full(n, error))


def cut(whole: Replicates, limit: float) -> Replicates:
    """Make bounds of the values above a limit."""
    is_above = whole.values > limit
    return replace(
        whole, values=np.minimum(whole.values, limit), censored=is_above.astype(np.int64)
    )


def within_bound(estimate: Estimate, truth: float) -> Outcome:
    """As `holds`, of a bound as well."""
    if estimate.verdict or (estimate.low is None and estimate.high is None):
        return False, False
    low = -math.inf if estimate.low is None else estimate.low
    high = math.inf if estimate.high is None else estimate.high
    return True, low <= truth <= high


def standard(n: int) -> FloatArray:
    """n values whose mean is 0 and whose variance is 1."""
    values = np.linspace(-1, 1, n)
    scaled: FloatArray = values / values.std(ddof=1)
    return scaled


def apart(first: Replicates, second: Replicates) -> bool:
    """Whether the intervals of two states, each from its own replicas, do not overlap."""
    half = student_quantile(first.n - 1) * (
        math.sqrt(first.variance / first.n) + math.sqrt(second.variance / second.n)
    )
    return second.mean - first.mean > half
