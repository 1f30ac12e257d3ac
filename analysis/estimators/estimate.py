"""What results are made of: a number with an interval or a bound, and a curve."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from analysis.arrays import FloatArray

Scale = Literal['linear', 'log']


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval, or a bound.

    Attributes:
        value: The best value; None where there is a bound, or nothing at all.
        low: Lower end of the interval; of a bound, what the number is larger than; else None.
        high: Upper end of the interval; of a bound, what the number is smaller than; else None.
        n_effective: How many independent values the data are worth; None where not known.
        verdict: Empty where all is well, else why the value is not to be trusted.
        interval_verdict: Why its interval is not, or why there is none, where the value is sound:
            other runs tell how far it may be off.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n_effective: float | None = None
    verdict: str = ''
    interval_verdict: str = ''

    @property
    def against(self) -> str:
        """All that speaks against it; empty where nothing does."""
        return joined(self.verdict, self.interval_verdict)

    @property
    def is_bound(self) -> bool:
        """Whether only one side of the number is known."""
        return self.value is None and (self.low is None) != (self.high is None)

    @property
    def is_converged(self) -> bool:
        """Whether there is an interval and nothing speaks against it."""
        return self.value is not None and self.low is not None and not self.against

    @property
    def negated(self) -> Estimate:
        """The same with the other sign."""
        found = self.mapped(lambda end: -end)
        return replace(found, low=found.high, high=found.low)

    def mapped(self, function: Callable[[float], float]) -> Estimate:
        """Apply a function that rises to the value and both ends."""
        ends = (self.value, self.low, self.high)
        value, low, high = (None if end is None else function(end) for end in ends)
        return replace(self, value=value, low=low, high=high)

    def within(self, lowest: float, highest: float) -> Estimate:
        """Cut the interval to the values that the quantity can have."""
        if self.low is None or self.high is None:
            return self
        return replace(self, low=max(self.low, lowest), high=min(self.high, highest))


@dataclass(frozen=True)
class Curve:
    """A function with 95 % intervals.

    Attributes:
        x: Rising, shape (n,).
        value: Shape (n,); not a number where there is none.
        low: Lower ends of the intervals, shape (n,); None where the data give none.
        high: Upper ends of the intervals, shape (n,); None as `low`.
        x_label: With symbol and unit, for an axis.
        y_label: With symbol and unit, for an axis.
        x_scale: How its x is best drawn, and interpolated.
        y_scale: How its values are best drawn.
        outside: What the curve is beyond its ends: 0 for a distribution, else not known.
        fit: A fitted function at x, shape (n,); None where there is none.
    """

    x: FloatArray
    value: FloatArray
    low: FloatArray | None = None
    high: FloatArray | None = None
    x_label: str = ''
    y_label: str = ''
    x_scale: Scale = 'linear'
    y_scale: Scale = 'linear'
    outside: float | None = None
    fit: FloatArray | None = None


def exponentiated(logarithm: Estimate) -> Estimate:
    """Estimate a quantity from the estimate of its natural logarithm."""
    return logarithm.mapped(lambda end: math.exp(min(end, 700.0)))


def joined(*verdicts: str) -> str:
    """Join verdicts, each once, without those that are empty."""
    return '; '.join(dict.fromkeys(filter(None, verdicts)))


def mean_curve(curves: Sequence[Curve]) -> Curve:
    """Average curves of replicas; `low` and `high` are the range of the replicas.

    They are interpolated, on the scale of their x, to the points of all of them. Points that a
    curve does not reach are left out, unless it says what it is there.
    """
    first = curves[0]
    grid = np.unique(np.concatenate([curve.x for curve in curves]))
    scale = np.log if first.x_scale == 'log' else np.asarray
    table = np.full((len(curves), len(grid)), np.nan)
    with np.errstate(divide='ignore'):
        for row, curve in zip(table, curves, strict=True):
            beyond = np.nan if curve.outside is None else curve.outside
            if len(curve.x):
                row[:] = np.interp(scale(grid), scale(curve.x), curve.value, beyond, beyond)
    kept = np.isfinite(table).all(axis=0)
    table = table[:, kept]
    low, high = table.min(axis=0), table.max(axis=0)
    return replace(first, x=grid[kept], value=table.mean(axis=0), low=low, high=high, fit=None)
