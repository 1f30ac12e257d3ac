"""How a quantity depends on temperature: VTF and Arrhenius fits, and the activation energy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.arrays import FloatArray
from analysis.estimators.estimate import Estimate
from analysis.estimators.intervals import student_quantile
from user_input import count_of

ENOUGH_TEMPERATURES = 6
ARRHENIUS, VTF, NEITHER = 'Arrhenius', 'VTF', 'neither'
# T0 is looked for up to this part of the lowest temperature: nearer to it nothing moves.
HIGHEST_T0 = 0.95
_GRID = 2001


@dataclass(frozen=True)
class Activation:
    """Fits of ln x against T.

    Attributes:
        law: 'VTF', ln x = a - B/(T - T0), or 'Arrhenius', T0 = 0, by the lower AICc; 'neither'
            where it bends the other way; empty where there are too few temperatures to tell.
        energy: E_a = -d ln x/d(1/T) = B T^2/(T - T0)^2 at the temperature asked for, of a curve
            that may bend, whichever law is preferred.
        constant: E_a of the straight line.
        strength: B, and `t0`, T0; without a value where they are not to be told.
        line: ln x = line[0] - line[1]/(T - line[2]), of the law.
    """

    law: str
    energy: Estimate
    constant: Estimate
    strength: Estimate
    t0: Estimate
    line: tuple[float, float, float]

    def __call__(self, temperature: FloatArray) -> FloatArray:
        """Compute ln x of the law at these temperatures."""
        a, strength, t0 = self.line
        found: FloatArray = a - strength / (temperature - t0)
        return found


def fit_activation(temperature: FloatArray, logarithm: FloatArray, at: float) -> Activation:
    """Fit ln x, shape (n,), at temperatures, shape (n,), those of replicas beside each other.

    All curves a - B/(T - T0) are written as a + s (T - T_m)/(1 + q (T - T_m)), with T_m in the
    middle: straight in a and s for each q, smooth through T0 = 0 and through a curve that bends the
    other way. Intervals are profile likelihoods, with Student's t for the scatter about the curve,
    which must be alike at all temperatures (on the logarithm). That of E_a does not take the law as
    known: after a choice by AICc it would, at the ends of the temperatures, hold the truth in as
    little as a fifth of all data.

    Fewer than 6 temperatures give the energy of a straight line, with a verdict. B and T0 are
    refused where Arrhenius is preferred, or the interval of T0 reaches 0 or 95 % of the lowest
    temperature.

    Raises:
        ValueError: If there are fewer than two temperatures, or `at` is outside of them.
    """
    distinct = np.unique(temperature)
    if len(distinct) < 2:
        raise ValueError('one temperature has no activation energy')
    if not distinct[0] <= at <= distinct[-1]:
        raise ValueError(f'{at:g} is outside of the temperatures')
    straight = _Curves(temperature, logarithm, np.zeros(1), 2)
    constant = straight.energy(at)
    line = (straight.offset[0], straight.strength[0], 0.0)
    if len(distinct) < ENOUGH_TEMPERATURES:
        few = (
            f'{count_of(len(distinct), "temperature")}, {ENOUGH_TEMPERATURES} are needed for a '
            'fit: the slope of a straight line, as if it were constant'
        )
        few_energy = Estimate(constant.value, constant.low, constant.high, None, few)
        none = Estimate(verdict=few)
        return Activation('', few_energy, few_energy, none, none, line)
    curves = _Curves(temperature, logarithm, _all_t0(distinct), 3)
    energy, best = curves.energy(at), curves.best
    t0, strength = curves.law()
    if curves.aicc < straight.aicc:
        line = (curves.offset[best], curves.strength[best], curves.t0[best])
        law = VTF if 0 < curves.t0[best] < distinct[0] else NEITHER
        return Activation(law, energy, constant, strength, t0, line)
    none = Estimate(verdict='no bend is seen: Arrhenius describes it as well (AICc)')
    return Activation(ARRHENIUS, energy, constant, none, none, line)


def middle_temperature(temperatures: FloatArray) -> float:
    """Choose the temperature next to the middle of 1/T, where E_a is known best."""
    ends = 1 / temperatures.min() + 1 / temperatures.max()
    return float(temperatures[np.argmin(np.abs(1 / temperatures - ends / 2))])


def _all_t0(distinct: FloatArray) -> FloatArray:
    """List T0 of all curves: even in q, which is 1/(T_m - T0), to as sharp a bend either way."""
    middle = float(np.mean(distinct))
    sharpest = 1 / (middle - HIGHEST_T0 * distinct[0])
    other = -min(sharpest, 1 / (distinct[-1] / HIGHEST_T0 - middle))
    q = np.linspace(other, sharpest, _GRID)
    q[np.abs(q) < 1e-9] = 1e-9  # a straight line in T: T0 at minus infinity
    found: FloatArray = middle - 1 / q
    return found


class _Curves:
    """Least squares of a - B/(T - T0) for each of many T0, with `free` parameters in all."""

    def __init__(
        self, temperature: FloatArray, logarithm: FloatArray, t0: FloatArray, free: int
    ) -> None:
        self.t0, self._lowest = t0, float(temperature.min())
        self._middle = float(np.mean(np.unique(temperature)))
        n = len(temperature)
        shift, scale = temperature - self._middle, self._middle - t0[:, None]
        basis = shift * scale / (shift + scale)
        means = basis.mean(axis=1)
        basis -= means[:, None]
        self._weight = (basis**2).sum(axis=1)
        self.slope = basis @ (logarithm - logarithm.mean()) / self._weight
        residual = logarithm - logarithm.mean() - self.slope[:, None] * basis
        self._squares = (residual**2).sum(axis=1)
        self.best = int(np.argmin(self._squares))
        self.strength = self.slope * scale[:, 0] ** 2
        self.offset = logarithm.mean() + self.slope * (scale[:, 0] - means)
        least = max(float(self._squares[self.best]), 1e-300)
        freedom = n - free
        self._has_error = freedom > 0
        quantile = student_quantile(freedom) if freedom > 0 else 0.0
        self._limit = least * (1 + quantile**2 / max(freedom, 1))
        known = free + 1  # the scatter is one of them
        small = 2 * known * (known + 1) / (n - known - 1) if n > known + 1 else np.inf
        self.aicc = n * np.log(least / n) + 2 * known + small

    def energy(self, at: float) -> Estimate:
        """Estimate E_a: of each curve it is a multiple of the slope, which has its own interval."""
        factor = at**2 * ((self._middle - self.t0) / (at - self.t0)) ** 2
        value = float(factor[self.best] * self.slope[self.best])
        if not self._has_error:
            return Estimate(value, verdict='no interval: as many parameters as values')
        inside = self._squares <= self._limit
        half = np.sqrt((self._limit - self._squares[inside]) / self._weight[inside])
        low = np.min(factor[inside] * (self.slope[inside] - half))
        high = np.max(factor[inside] * (self.slope[inside] + half))
        return Estimate(value, float(low), float(high))

    def law(self) -> tuple[Estimate, Estimate]:
        """Estimate T0 and B, or refuse both where the interval of T0 reaches a bound."""
        inside = np.flatnonzero(self._squares <= self._limit)
        low, high = self.t0[inside[0]], self.t0[inside[-1]]
        if not 0 < low < self._lowest or inside[-1] == len(self.t0) - 1:
            verdict = f'the interval of T0 reaches 0 or {HIGHEST_T0:g} of the lowest temperature'
            return Estimate(verdict=verdict), Estimate(verdict=verdict)
        t0 = Estimate(float(self.t0[self.best]), float(low), float(high))
        scale = (self._middle - self.t0[inside]) ** 2
        half = np.sqrt((self._limit - self._squares[inside]) / self._weight[inside])
        ends = scale * (self.slope[inside] - half), scale * (self.slope[inside] + half)
        value = float(self.strength[self.best])
        return t0, Estimate(value, float(np.min(ends[0])), float(np.max(ends[1])))
