"""How long things last that are followed from frame to frame: survival, medians, mean lifetimes.

A window sees few whole lives. What it sees is used in two ways.

- Survival since the beginning, from those that begin within the window, and those that the window
  cuts off as censored (Kaplan and Meier 1958, doi 10.1080/01621459.1958.10501452), with Greenwood's
  variance on ln(-ln S). Of what was there at the start nobody knows the age: with it, long lives
  would count too often.
- The mean lifetime, as the time that all things are there over the number of their ends: in
  equilibrium, number there = rate of beginnings times mean lifetime (Little 1961,
  doi 10.1287/opre.9.3.383). It needs no whole life, so windows shorter than the mean will do.

Ends are correlated: of one owner (a slow environment), and of all at one time (a collective event).
The variance of the logarithm of the mean is clustered both ways (Cameron, Gelbach and Miller 2011,
doi 10.1198/jbes.2010.07136), with the single lives as what both have in common and Student's t for
the number of blocks, and at least that of independent lives. Its ratio to that, the design effect,
widens Greenwood's variance too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.arrays import BoolArray, FloatArray, IntArray
from analysis.estimators.estimate import Estimate
from analysis.estimators.intervals import student_quantile

# The normal quantile of 95 %.
QUANTILE = 1.959964
BLOCKS = 20
# Fewer ends than these give a bound.
FEWEST_ENDS = 10
# At a time that fewer reach, the survival is not told.
FEWEST_AT_RISK = 10


@dataclass(frozen=True)
class Survival:
    """The share that lasts longer than a time, with its 95 % interval.

    Attributes:
        time: Rising from 0, shape (n,).
        value: Never rises, shape (n,).
        low: Shape (n,).
        high: Shape (n,).
    """

    time: FloatArray
    value: FloatArray
    low: FloatArray
    high: FloatArray


def kaplan_meier(ended: IntArray, censored: IntArray, design_effect: float = 1.0) -> Survival:
    """Estimate the survival from numbers of lives by their length in frames, shape (n,) each.

    Lives that are cut off at a length are still there at it. The survival is told up to the
    longest time that FEWEST_AT_RISK lives reach.
    """
    at_risk = np.cumsum((ended + censored)[::-1])[::-1]
    kept = int(np.sum(at_risk >= FEWEST_AT_RISK))
    at_risk, ends = at_risk[:kept].astype(np.float64), ended[:kept].astype(np.float64)
    value = np.cumprod(1 - ends / at_risk)
    with np.errstate(divide='ignore', invalid='ignore'):
        variance = design_effect * np.cumsum(ends / (at_risk * (at_risk - ends)))
        spread = QUANTILE * np.sqrt(variance) / np.abs(np.log(value))
        low, high = value ** np.exp(spread), value ** np.exp(-spread)
    # Where none, or all, have ended there is no variance: the exact bound of a share of 0.
    least = 0.05 ** (1 / at_risk)
    low = np.where(value == 1, least, np.where(value == 0, 0.0, low))
    high = np.where(value == 1, 1.0, np.where(value == 0, 1 - least, high))
    return Survival(np.arange(kept, dtype=np.float64), value, low, high)


def median_of(survival: Survival) -> Estimate:
    """Find when half are gone, straight between frames; its ends are where those of S are a half.

    Brookmeyer and Crowley 1982, doi 10.2307/2530286. A bound where half are not gone in time.
    """
    if len(survival.time) == 0:
        return Estimate(verdict=f'fewer than {FEWEST_AT_RISK} began within the window')
    low, value, high = (
        _time_of_half(survival.time, each) for each in (survival.low, survival.value, survival.high)
    )
    if value is None:
        at_least = float(survival.time[-1]) if low is None else low
        return Estimate(low=at_least, verdict='half are not gone within the window')
    if low is None or high is None:
        return Estimate(value, interval_verdict='its interval does not end within the window')
    return Estimate(value, low, high)


def _time_of_half(time: FloatArray, curve: FloatArray) -> float | None:
    below = np.flatnonzero(curve <= 0.5)
    if len(below) == 0:
        return None
    after = int(below[0])
    part = (curve[after - 1] - 0.5) / (curve[after - 1] - curve[after])
    return float(time[after - 1] + part * (time[after] - time[after - 1]))


class Lives:
    """Adds up lives frame by frame; memory is that of what is alive, and some per frame and owner.

    Args:
        n_frames: Of the window, first and last included.
        n_owners: Of each thing one of so many owners is known; 0 for things without.
    """

    def __init__(self, n_frames: int, n_owners: int = 0) -> None:
        self._frame, self._last = -1, n_frames - 1
        self._ended, self._censored = np.zeros((2, n_frames), dtype=np.int64)
        self._of_owners, self._of_blocks = np.zeros((2, n_owners)), np.zeros((2, BLOCKS))
        self._time_squared, self._time_ended = 0.0, 0.0
        # Of what is alive: first frame, whether it began then, and owner.
        self._first = np.zeros(0, dtype=np.int64)
        self._began = np.zeros(0, dtype=bool)
        self._owner = np.zeros(0, dtype=np.int64)

    def follow(
        self, came_from: IntArray, owner: IntArray | None = None, began: BoolArray | None = None
    ) -> None:
        """Take in the next frame.

        Args:
            came_from: Place of each thing among those of the frame before, -1 if it is new, (n,);
                in the first frame without meaning.
            owner: Shape (n,).
            began: Whether a new thing begins now, rather than was not noticed before; (n,).
        """
        self._frame += 1
        is_new = (came_from < 0) | (self._frame == 0)
        has_ended = np.ones(len(self._first), dtype=bool)
        has_ended[came_from[~is_new]] = False
        if self._frame:
            self._add(has_ended)
        if began is None:
            began = np.ones(len(came_from), dtype=bool)
        first = np.full(len(came_from), self._frame)
        first[~is_new] = self._first[came_from[~is_new]]
        began = began & bool(self._frame)  # nobody knows since when the first are there
        began[~is_new] = self._began[came_from[~is_new]]
        self._first, self._began = first, began
        self._owner = np.zeros(len(first), dtype=np.int64) if owner is None else owner

    def _add(self, has_ended: BoolArray) -> None:
        block = (self._frame - 1) * BLOCKS // max(1, self._last)
        self._of_blocks[:, block] += len(has_ended), has_ended.sum()
        if n := self._of_owners.shape[1]:
            self._of_owners[0] += np.bincount(self._owner, minlength=n)
            self._of_owners[1] += np.bincount(self._owner[has_ended], minlength=n)
        length = self._frame - self._first[has_ended]
        np.add.at(self._ended, length[self._began[has_ended]], 1)
        self._time_squared += float((length.astype(np.float64) ** 2).sum())
        self._time_ended += float(length.sum())

    @property
    def time(self) -> float:
        """Frames that all things were there, in all."""
        return float(self._of_blocks[0].sum())

    @property
    def ends(self) -> int:
        """Number of ends seen."""
        return int(self._of_blocks[1].sum())

    @property
    def began(self) -> int:
        """Number of things that began within the window."""
        return int(self._ended.sum() + self._began.sum())

    def survival(self) -> Survival:
        """Estimate the survival, in frames, of what began within the window."""
        censored = self._censored.copy()
        np.add.at(censored, self._frame - self._first[self._began], 1)
        variance, independent = self._variances()
        return kaplan_meier(self._ended, censored, variance / independent)

    def mean(self) -> Estimate:
        """Estimate the mean lifetime in frames; of few ends a bound, as of a Poisson process."""
        if self.time == 0:
            return Estimate(verdict='there was none')
        if self.ends < FEWEST_ENDS:
            from scipy import special

            most = float(special.gammaincinv(self.ends + 1, 0.95))
            return Estimate(low=self.time / most, verdict=f'ends were seen: only {self.ends}')
        variance, independent = self._variances()
        value, factor = self.time / self.ends, math.exp(QUANTILE * math.sqrt(variance))
        worth = self.ends * independent / variance
        return Estimate(value, value / factor, value * factor, worth)

    def _variances(self) -> tuple[float, float]:
        """Compute the variance of the logarithm of the mean; and of independent lives.

        What a life, an owner or a block adds to ln(time / ends) is t/time - e/ends.
        """
        time, ends = self.time, self.ends
        if ends == 0:
            return 1.0, 1.0
        alive = float(((self._frame - self._first).astype(np.float64) ** 2).sum())
        of_lives = (self._time_squared + alive) / time**2
        of_lives += 1 / ends - 2 * self._time_ended / (time * ends)
        totals = np.array([[time], [ends]])
        of_blocks = _variance_of(self._of_blocks / totals)
        clustered = of_blocks
        if self._of_owners.shape[1] > 1:
            clustered += _variance_of(self._of_owners / totals) - of_lives
        few_blocks = (student_quantile(BLOCKS - 1) / QUANTILE) ** 2
        return max(of_lives, few_blocks * clustered), of_lives


def _variance_of(shares: FloatArray) -> float:
    """Sum the squares of what clusters add, from their shares of time and of ends, (2, n)."""
    n = shares.shape[1]
    return float(((shares[0] - shares[1]) ** 2).sum() * n / (n - 1))
