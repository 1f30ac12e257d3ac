"""Decisions along a sweep, from the values of all replicas: trends, contrasts, maxima, and none."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.estimate import Estimate
from analysis.estimators.pooling import Replicates, Spread, WeightedSum

LEVEL = 0.05
POWER = 0.8
MOST_REPLICAS = 1000
# Of random orders, where ties or bounds leave no exact distribution.
DRAWS, SEED = 2000, 1
# Beyond as many values the distribution of the trend statistic is taken as normal.
MOST_EXACT = 50
OPEN = 'there are too few values beside the bounds'
NO_ERROR = 'neither replicas nor the runs themselves give an error'


@dataclass(frozen=True)
class Decision:
    """What is decided, and how.

    Attributes:
        direction: 1 rises or greater, -1 falls or less, 0 not decided.
        p: Two-sided, adjusted for the number of comparisons where there are several.
        effect: Slope per unit of the axis, or a difference, with its 95 % interval.
        power: The chance to decide an effect as large as was seen, at this design.
        more_replicas: How many more of each state would decide it at a chance of 80 %, were the
            effect as seen; 0 if it is decided; None if more than 1000, or if there is no effect.
        test: Its name, and why it; empty where nothing can be decided.
        why: What it rests on here; or why nothing can be decided.
        rival: Of a maximum, the state that it is hardest to be told from, or clearest below.
    """

    direction: int
    p: float
    effect: Estimate
    power: float
    more_replicas: int | None
    test: str
    why: str
    rival: int | None = None


def trend_test(states: Sequence[Replicates], level: float = LEVEL) -> Decision:
    """Decide whether values rise or fall along the axis, by the test of Jonckheere and Terpstra.

    Its statistic is the number of pairs of values at two places that rise, less those that fall; a
    pair that bounds leave open counts as neither (Gehan, Biometrika 52, 203, 1965). Its
    distribution without a trend is exact, or from 2000 random orders where there are ties or
    bounds, or normal for more than 50 values. The slope beside it is that of a straight line by
    least squares; where the spreads differ, which shifts ranks as well, it has to be beyond doubt
    too, and the larger p of the two counts.
    """
    places = np.array([each.place for each in states])
    sizes = [each.n for each in states]
    if len(np.unique(places)) < 2:
        return undecided('there are values at one place only')
    p, sign, attained = _rank_test(_pair_scores(states), np.repeat(places, sizes), level)
    spread = Spread.of(states)
    slope = WeightedSum.of(states, _slope_weights(places, np.array(sizes)), spread)
    if not attained:
        return _too_few(p, slope, level, states)
    test = 'Jonckheere-Terpstra over the values of all replicas, since it assumes no shape'
    why = ''
    if spread.differs and slope.has_error and slope.side == 0:
        p = max(p, slope.p())
        why += 'the slope has to agree, since ranks mistake different spreads for trends; '
    direction = sign if p <= level else 0
    if slope.side == 0 and direction * slope.value < 0:
        direction = 0 if spread.differs else direction
        why += 'the straight line has the other sign: the change is not even; '
    why += _how(spread, slope)
    return _decision(direction, p, slope, (level, attained), sizes, test, why)


def contrast(
    states: Sequence[Replicates], first: int, second: int, level: float = LEVEL
) -> Decision:
    """Decide whether values are greater (1) or less (-1) in the first of two states, by Student t.

    With the spread pooled over all states where it is the same, else Welch's. Bounds stand at their
    limits, and count only where the difference is certain to be larger still; where they leave no
    spread, the order of the values decides (Mann and Whitney).
    """
    spread = Spread.of(states)
    found, p, sign = compare(states, first, second, spread)
    if not (sign or found.has_error):
        return undecided(_why(states))
    sizes = [states[first].n, states[second].n]
    about = ('Difference of two means by Student t', _how(spread, found))
    return _decision(sign if p <= level else 0, p, found, (level, level), sizes, *about)


def maximum_test(states: Sequence[Replicates], index: int, level: float = LEVEL) -> Decision:
    """Decide whether values are largest in one state (1), or larger in another one (-1).

    Largest if they are greater than those of each other state, each as by `contrast` at the full
    level: all have to be, so there is nothing to adjust. Another one is larger if one is at the
    level divided by their number (Holm). The effect is the difference to the rival, the state that
    is hardest to be told from, or clearest above.
    """
    others = [i for i in range(len(states)) if i != index]
    if not others:
        return undecided('there is one state only')
    spread = Spread.of(states)
    compared = [(i, *compare(states, index, i, spread)) for i in others]
    if not any(sign or found.has_error for _, found, _, sign in compared):
        return undecided(_why(states))
    # From those clearly below zero to those clearly above.
    rival, found, p, sign = min(compared, key=lambda each: each[3] * (1 - each[2]))
    if sign < 0:
        p = min(1.0, p * len(others))
    direction = sign if p <= level else 0
    test = (
        f'Differences to all {len(others)} others by Student t, of which one that is larger is '
        'adjusted for their number (Holm)'
    )
    share = level / len(others) if sign < 0 else level
    sizes = [states[index].n, states[rival].n]
    return replace(
        _decision(direction, p, found, (share, share), sizes, test, _how(spread, found)),
        rival=rival,
    )


def minimum_test(states: Sequence[Replicates], index: int, level: float = LEVEL) -> Decision:
    """Decide whether values are smallest in one state (1), or smaller in another one (-1).

    As `maximum_test`; the effect is the difference from the rival, below zero in a minimum.
    """
    found = maximum_test([each.negated for each in states], index, level)
    return replace(found, effect=found.effect.negated)


def no_dependence(states: Sequence[Replicates], margin: float, level: float = LEVEL) -> Decision:
    """Decide whether no two states differ by more than a margin (1), by two one-sided tests.

    The 90 % intervals of all differences must lie within the margin (Schuirmann, J. Pharmacokinet.
    Biopharm. 15, 657, 1987); all have to, so there is nothing to adjust. The effect is the
    difference of later and earlier state that comes nearest to the margin, with this 90 % interval.
    Power and further replicas are for values without any dependence.
    """
    if len(states) < 2:
        return undecided('there is one state only')
    if any(each.is_censored for each in states):
        return undecided('bounds do not say how small a change is')
    spread = Spread.of(states)
    order = sorted(range(len(states)), key=lambda i: states[i].place)
    pairs = [
        (_difference(states, later, earlier, spread), [states[later].n, states[earlier].n])
        for earlier, later in itertools.combinations(order, 2)
    ]
    if not all(each.has_error for each, _ in pairs):
        return undecided(NO_ERROR)

    def outside(found: WeightedSum) -> float:
        p = found.p(math.copysign(margin, found.value)) / 2
        return p if abs(found.value) < margin else 1 - p

    found, sizes = max(pairs, key=lambda pair: outside(pair[0]))
    p = outside(found)

    def power(more: int) -> float:
        return max(0.0, 2 * _power(found, sizes, more, 2 * level, margin) - 1)

    return Decision(
        int(p <= level),
        p,
        found.estimate(float(sum(sizes)), 1 - 2 * level),
        power(0),
        0 if p <= level else _more(power),
        f'All differences within {margin:.3g}, by two one-sided tests',
        _how(spread, found),
    )


def compare(
    states: Sequence[Replicates], first: int, second: int, spread: Spread
) -> tuple[WeightedSum, float, int]:
    """Compute a difference, its two-sided p, 1 where nothing can be compared, and its sign."""
    found = _difference(states, first, second, spread)
    if found.has_error:
        return found, found.p(), int(np.sign(found.value))
    pair = [states[second], states[first]]
    if not any(each.is_censored for each in pair):
        return found, 1.0, 0
    places = np.repeat([0.0, 1.0], [each.n for each in pair])
    p, sign, attained = _rank_test(_pair_scores(pair), places, LEVEL)
    return (found, p, sign) if attained else (found, 1.0, 0)


def undecided(why: str) -> Decision:
    """Say why nothing can be decided."""
    return Decision(0, 1.0, Estimate(), 0.0, None, '', f'cannot be decided because {why}')


def _decision(
    direction: int,
    p: float,
    found: WeightedSum,
    levels: tuple[float, float],
    sizes: Sequence[int],
    test: str,
    why: str,
) -> Decision:
    """Add power and further replicas; the levels are the one asked for, and the one attained."""

    def power(more: int) -> float:
        return _power(found, sizes, more, levels[0] if more else levels[1], found.value)

    more = 0 if direction else _more(power)
    return Decision(direction, p, found.estimate(float(sum(sizes))), power(0), more, test, why)


def _too_few(p: float, slope: WeightedSum, level: float, states: Sequence[Replicates]) -> Decision:
    """Say of a trend that no order of the values could decide it, and how many more could."""
    sizes = np.array([each.n for each in states])
    effect = slope.estimate(float(sizes.sum()))
    if any(each.is_censored for each in states):
        return replace(undecided(OPEN), effect=effect)
    more: int | None = 1 + bisect.bisect_left(
        range(1, MOST_REPLICAS), -level, key=lambda more: -_least_p(sizes + more)
    )
    by_power = _more(lambda more: _power(slope, sizes.tolist(), more, level, slope.value))
    if slope.has_error:
        more = None if by_power is None else max(more or 1, by_power)
    why = f'{sizes.sum()} values at {len(sizes)} places are too few for a p of {level:.2g}'
    return replace(undecided(why), p=p, effect=effect, more_replicas=more)


def _least_p(sizes: IntArray) -> float:
    """Compute the two-sided p of Jonckheere and Terpstra where no value is out of order."""
    from scipy import special

    logarithm = special.gammaln(sizes + 1).sum() - special.gammaln(sizes.sum() + 1)
    return float(2 * np.exp(logarithm))


def _more(power: Callable[[int], float]) -> int | None:
    more = bisect.bisect_left(range(1, MOST_REPLICAS + 1), POWER, key=power) + 1
    return more if more <= MOST_REPLICAS else None


def _power(
    found: WeightedSum, sizes: Sequence[int], more: int, level: float, effect: float
) -> float:
    """Compute the chance to find an effect, by the noncentral t, with more replicas a state."""
    from scipy import special

    mean = float(np.mean(sizes))
    freedom = found.degrees_of_freedom + more * len(sizes)
    error = max(found.error, found.error_within) * math.sqrt(mean / (mean + more))
    is_open = found.side is None or (found.side != 0 and found.side != np.sign(found.value))
    if is_open or not error > 0:
        return 0.0
    distance = min(abs(effect) / error, 30.0)
    if not math.isfinite(freedom):
        return float(special.ndtr(distance + special.ndtri(level / 2)))
    critical = -special.stdtrit(freedom, level / 2)
    return float(1 - special.nctdtr(freedom, distance, critical))


def _difference(
    states: Sequence[Replicates], first: int, second: int, spread: Spread
) -> WeightedSum:
    weights = np.zeros(len(states))
    weights[first], weights[second] = 1, -1
    return WeightedSum.of(states, weights, spread)


def _why(states: Sequence[Replicates]) -> str:
    return OPEN if any(each.is_censored for each in states) else NO_ERROR


def _how(spread: Spread, found: WeightedSum) -> str:
    if not found.has_error:
        return 'the order of the values alone, since they leave no spread.'
    if found.rests_on_one:
        return 'errors within the runs alone, since there is one replica and no shared spread.'
    if spread.degrees_of_freedom:
        return f'spread shared by the states ({spread.degrees_of_freedom:.0f} degrees of freedom).'
    return 'spread of the replicas of each state (Welch), since the spreads differ.'


def _slope_weights(places: FloatArray, sizes: FloatArray) -> FloatArray:
    deviations = places - np.average(places, weights=sizes)
    weights: FloatArray = sizes * deviations / (sizes @ deviations**2)
    return weights


def _pair_scores(states: Sequence[Replicates]) -> FloatArray:
    """Score all pairs: 1 if the value of the column is larger, -1 smaller, 0 if it is open."""
    values = np.concatenate([each.values for each in states])
    censored = np.concatenate([each.censored for each in states])
    low = np.where(censored < 0, -np.inf, values)
    high = np.where(censored > 0, np.inf, values)
    above = low[None, :] >= high[:, None]
    scores: FloatArray = above.astype(np.float64) - above.T
    return scores


def _rank_test(scores: FloatArray, places: FloatArray, level: float) -> tuple[float, int, float]:
    """Compute the two-sided p of Jonckheere and Terpstra, the sign, and the level attained.

    That is the largest p that is possible and no larger than the level asked for, 0 if none is.
    """
    _, group = np.unique(places, return_inverse=True)
    rises = np.sign(group[None, :] - group[:, None])
    total = float((scores * rises).sum()) / 2
    statistic, sign, n = abs(total), int(np.sign(total)), len(places)
    if n > MOST_EXACT:
        from scipy import special

        deviation = math.sqrt(_variance(scores, rises))
        p = 2 * special.ndtr(-max(statistic - 1, 0.0) / deviation) if deviation else 1.0
        return float(p), sign, level
    if np.count_nonzero(scores) == n * (n - 1):
        tails = _exact_tails(tuple(sorted(np.bincount(group).tolist())))
        p = min(1.0, 2 * float(tails[round((statistic + len(tails) - 1) / 2)]))
        possible = 2 * tails
    else:
        drawn = np.abs(
            _random_orders(tuple(group.tolist())) @ scores.ravel().astype(np.float32) / 2
        )
        p = (1 + np.count_nonzero(drawn >= statistic - 1e-6)) / (1 + DRAWS)
        ordered = np.sort(drawn)[::-1]
        possible = (1 + np.searchsorted(-ordered, -ordered + 1e-6)) / (1 + DRAWS)
    return float(p), sign, float(max(possible[possible <= level], default=0.0))


def _variance(scores: FloatArray, rises: FloatArray) -> float:
    """Compute the variance over all orders (Daniels, Biometrika 33, 129, 1944)."""
    n = len(scores)

    def parts(table: FloatArray) -> tuple[float, float]:
        squares = float((table**2).sum())
        return float((table.sum(axis=1) ** 2).sum()) - squares, squares

    (one, two), (three, four) = parts(scores), parts(rises)
    return (4 * one * three / (n - 2) + 2 * two * four) / (n * (n - 1)) / 4


@cache
def _exact_tails(sizes: tuple[int, ...]) -> FloatArray:
    """Compute the chance of each number of rising pairs or more, among states of these sizes.

    All orders of the values are as likely; their numbers are the coefficients of a Gaussian
    multinomial (Terpstra, Indag. Math. 14, 327, 1952).
    """
    n = sum(sizes)
    pairs = (n**2 - sum(size**2 for size in sizes)) // 2
    counts = np.zeros(pairs + 1, dtype=object)
    counts[0] = 1
    for power in range(1, n + 1):
        counts[power:] = counts[power:] - counts[: max(0, len(counts) - power)]
    for size in sizes:
        for power in range(1, size + 1):
            for start in range(min(power, pairs + 1)):
                counts[start::power] = np.cumsum(counts[start::power])
    total = int(counts.sum())
    tails = np.cumsum(counts[::-1])[::-1]
    return np.array([int(each) / total for each in tails])


@lru_cache(maxsize=4)
def _random_orders(group: tuple[int, ...]) -> FloatArray:
    """Draw the signs of all pairs of states for random orders of the values, (draws, n * n)."""
    generator = np.random.default_rng(SEED)
    orders = generator.permuted(np.tile(np.array(group, dtype=np.int8), (DRAWS, 1)), axis=1)
    signs = np.sign(orders[:, None, :] - orders[:, :, None])
    table: FloatArray = signs.reshape(DRAWS, -1).astype(np.float32)
    return table
