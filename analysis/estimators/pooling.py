"""Intervals of the states of a sweep, from the spread of replicas that the states share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.estimate import Estimate
from analysis.estimators.intervals import CONFIDENCE, student_quantile

# Where spreads are equal, this part of the sweeps is not pooled.
HOMOGENEITY_LEVEL = 0.05
# Few replicas hide spreads that differ by a factor of three. Of eight states with three replicas,
# one of which spread so, its differences were decided wrongly in 19 % with the pooled spread alone,
# in 12 % with this weight beside its own. Where spreads are equal it costs a tenth of the width.
SHARED_WEIGHT = 4
ONE_REPLICA = 'one replica: error within the run'


@dataclass(frozen=True)
class Replicates:
    """Values of the independent replicas of one state, on the scale on which they are compared.

    Attributes:
        place: On the axis.
        values: Shape (n,), n > 0, in the order in which they were run, finite; logarithms of times.
            A bound stands here with its limit.
        censored: Shape (n,): 0 a value, 1 larger than that, -1 smaller than that.
        errors: Standard errors within the runs, shape (n,); not a number where unknown.
    """

    place: float
    values: FloatArray
    censored: IntArray
    errors: FloatArray

    @property
    def n(self) -> int:
        """How many replicas there are."""
        return len(self.values)

    @property
    def negated(self) -> Replicates:
        """The same with the other sign."""
        return replace(self, values=-self.values, censored=-self.censored)

    @cached_property
    def mean(self) -> float:
        """Of the values, bounds at their limits."""
        return float(np.mean(self.values))

    @cached_property
    def is_censored(self) -> bool:
        """Whether a value is a bound."""
        return bool(np.any(self.censored))

    @cached_property
    def variance(self) -> float:
        """Of one replica, from these; not a number for fewer than two."""
        return float(np.var(self.values, ddof=1)) if self.n > 1 else math.nan

    @cached_property
    def error_within(self) -> float:
        """Standard error of the mean by the errors within the runs; not a number if unknown."""
        return float(np.sqrt(np.sum(self.errors**2))) / self.n


@dataclass(frozen=True)
class Spread:
    """The standard deviation of one replica that all states share, if they do.

    Attributes:
        deviation: Pooled over the states; not a number where it is not pooled.
        degrees_of_freedom: Of it; 0 where it is not pooled.
        homogeneity_p: Of Bartlett's test; None if fewer than two states have a spread.
    """

    deviation: float
    degrees_of_freedom: float
    homogeneity_p: float | None

    @property
    def differs(self) -> bool:
        """Whether the spreads of the states are seen to differ."""
        return self.homogeneity_p is not None and self.homogeneity_p < HOMOGENEITY_LEVEL

    @classmethod
    def of(cls, states: Sequence[Replicates]) -> Self:
        """Pool the variances of the states without bounds, unless Bartlett's test objects.

        Bartlett's, since it is the one that works with two replicas: the medians of Levene's are
        then the means, and all deviations from them the same. It also objects to skewed values,
        which costs width, not truth. Only as many replicas count, the first ones, as all states
        have: where those that spread much are given more, the others would pull the rest down
        (Stein, Ann. Math. Stat. 16, 243, 1945).
        """
        usable = [each for each in states if each.n > 1 and not each.is_censored]
        if not usable:
            return cls(math.nan, 0.0, None)
        degrees = np.array([each.n - 1 for each in usable], dtype=float)
        variances = np.array([each.variance for each in usable])
        p = bartlett(variances, degrees) if len(usable) > 1 and variances.any() else None
        if p is not None and p < HOMOGENEITY_LEVEL:
            return cls(math.nan, 0.0, p)
        first = min(each.n for each in usable)
        pooled = np.mean([np.var(each.values[:first], ddof=1) for each in usable])
        return cls(math.sqrt(pooled), float(len(usable) * (first - 1)), p)

    def of_state(self, state: Replicates) -> tuple[float, float]:
        """Compute the variance of one replica of a state, and its degrees of freedom.

        The shared one counts as that of `SHARED_WEIGHT` more replicas beside its own: in full where
        there are few, little where there are many.
        """
        own = 0 if state.is_censored else state.n - 1
        weighted = SHARED_WEIGHT * self.deviation**2 + (own * state.variance if own else 0.0)
        freedom = SHARED_WEIGHT + own
        return weighted / freedom, min(freedom, self.degrees_of_freedom)


@dataclass(frozen=True)
class WeightedSum:
    """A weighted sum of the means of states.

    Attributes:
        value: With bounds at their limits.
        error: Its standard error; not a number if there is none, as without a pooled spread for a
            state with bounds, whose limits are alike.
        degrees_of_freedom: Of this error, by Welch and Satterthwaite where spreads are not pooled.
        error_within: Standard error by the errors within the runs; 0 where one is unknown.
        side: What bounds leave open: 0 nothing, 1 it may be larger than the value, -1 smaller,
            None either.
        rests_on_one: Whether an error within a run stands for a spread that is not known.
    """

    value: float
    error: float
    degrees_of_freedom: float
    error_within: float
    side: int | None
    rests_on_one: bool

    @classmethod
    def of(cls, states: Sequence[Replicates], weights: FloatArray, spread: Spread) -> Self:
        """Add the means of the states, with these weights."""
        used = [(float(w), each) for w, each in zip(weights, states, strict=True) if w]
        variances, degrees, alone = [], [], False
        for weight, each in used:
            if spread.degrees_of_freedom:
                variance, freedom = spread.of_state(each)
                variances.append(weight**2 * variance / each.n)
                degrees.append(freedom)
            elif each.is_censored:
                variances.append(math.nan)
                degrees.append(1)
            elif each.n > 1:
                variances.append(weight**2 * each.variance / each.n)
                degrees.append(each.n - 1)
            else:
                variances.append((weight * each.error_within) ** 2)
                degrees.append(math.inf)
                alone = True
        variance = sum(variances)
        if spread.degrees_of_freedom:
            # Not their sum: what they have of the pooled variance, they have in common.
            freedom = min(degrees, default=math.inf)
        else:
            shares = sum(v**2 / d for v, d in zip(variances, degrees, strict=True))
            freedom = variance**2 / shares if shares > 0 else math.inf
        within = math.hypot(*(weight * each.error_within for weight, each in used))
        sides = {int(np.sign(w)) * int(c) for w, each in used for c in each.censored if c}
        return cls(
            sum(weight * each.mean for weight, each in used),
            math.sqrt(variance),
            freedom,
            within if math.isfinite(within) else 0.0,
            None if len(sides) > 1 else next(iter(sides), 0),
            alone,
        )

    @property
    def has_error(self) -> bool:
        """Whether there is one, which is not so where all replicas are the same."""
        return self.half_width() > 1e-9 * abs(self.value)

    def half_width(self, confidence: float = CONFIDENCE) -> float:
        """Compute half the interval: from the spread, but no less than the runs' errors allow."""
        from scipy import special

        if not math.isfinite(self.error):
            return math.nan
        quantile = student_quantile(self.degrees_of_freedom, confidence)
        return max(
            quantile * self.error, float(special.ndtri((1 + confidence) / 2)) * self.error_within
        )

    def p(self, offset: float = 0.0) -> float:
        """Compute the two-sided p of the sum being `offset`; 1 where bounds leave it open."""
        from scipy import special

        distance = self.value - offset
        is_open = self.side is None or (self.side != 0 and self.side != np.sign(distance))
        if is_open or not self.has_error:
            return 1.0
        p = 2 * special.ndtr(-abs(distance) / self.error_within) if self.error_within else 0.0
        if self.error:
            p = max(p, 2 * special.stdtr(self.degrees_of_freedom, -abs(distance) / self.error))
        return float(p)

    def estimate(self, n: float, confidence: float = CONFIDENCE) -> Estimate:
        """Give value and interval, or the one end that bounds leave."""
        half = self.half_width(confidence)
        if self.side is None:
            return Estimate(None, None, None, n, 'bounds in both directions')
        if not self.has_error:
            why = 'no interval: all replicas are the same' if half == 0 else 'no interval'
            return Estimate(None if self.side else self.value, None, None, n, why)
        verdict = ONE_REPLICA if self.rests_on_one else ''
        low, high = self.value - half, self.value + half
        if self.side:
            is_low = self.side > 0
            return Estimate(None, low if is_low else None, None if is_low else high, n, verdict)
        return Estimate(self.value, low, high, n, verdict)


def pooled_intervals(states: Sequence[Replicates]) -> list[Estimate]:
    """Estimate each state of a sweep, with the spread of replicas that the states share.

    Student's t with the pooled spread, which counts as four more replicas beside the state's own,
    where Bartlett's test does not object to its being shared; else each state has its own. No
    interval is narrower than the errors within the runs allow, and where a single replica has no
    pooled spread, that error is its interval, with a verdict. A state with bounds has a bound;
    `n_effective` is the number of replicas.
    """
    spread = Spread.of(states)
    return [
        _estimate(each, WeightedSum.of(states, unit, spread))
        for each, unit in zip(states, np.eye(len(states)), strict=True)
    ]


def bartlett(variances: FloatArray, degrees: FloatArray) -> float:
    """Compute the p of equal variances, by Bartlett's test (Proc. R. Soc. A 160, 268, 1937).

    From the variances themselves, shape (k,), and their degrees of freedom.
    """
    from scipy import special

    total, k = degrees.sum(), len(degrees)
    with np.errstate(divide='ignore'):
        logs = np.log(variances)
    statistic = total * np.log(degrees @ variances / total) - degrees @ logs
    correction = 1 + ((1 / degrees).sum() - 1 / total) / (3 * (k - 1))
    return float(special.chdtrc(k - 1, statistic / correction))


def _estimate(state: Replicates, mean: WeightedSum) -> Estimate:
    n = float(state.n)
    if not state.is_censored:
        if state.n == 1 and not math.isfinite(mean.error):
            return Estimate(state.mean, None, None, n, 'one replica: no interval')
        return mean.estimate(n)
    # What holds for all replicas: one with a value is no longer and no shorter than it.
    if np.any(state.censored > 0) and np.any(state.censored < 0):
        return Estimate(None, None, None, n, 'bounds in both directions')
    if np.any(state.censored > 0):
        return Estimate(None, float(state.values.min()), None, n)
    return Estimate(None, None, float(state.values.max()), n)
