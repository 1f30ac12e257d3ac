"""Minima and maxima of noisy curves, by smoothing whose width follows from the data."""

from __future__ import annotations

import numpy as np

from analysis.arrays import FloatArray

_POINTS_PER_BIN = 10


def lowest_point(
    x: FloatArray,
    y: FloatArray,
    weights: FloatArray,
    tolerance: float = 0.0,
    furthest: float = np.inf,
) -> float:
    """Find where a noisy curve is lowest: the middle of where it is within `tolerance` of that.

    It is looked for up to `furthest`.

    The curve is a cubic smoothing spline, smoothed as generalised cross-validation asks for (Craven
    and Wahba 1979, doi 10.1007/BF01404567). Rising x, values, and inverse variances up to a factor
    have shape (n,), n >= 5.
    """
    from scipy.interpolate import make_smoothing_spline

    # SciPy looks for the smoothing within limits that suit such numbers, whatever the unit of x.
    middle, half = (x[0] + x[-1]) / 2, (x[-1] - x[0]) / 2
    fine = np.linspace(-1, 1, _POINTS_PER_BIN * len(x))
    curve = make_smoothing_spline((x - middle) / half, y, w=weights / weights.mean())(fine)
    lowest = int(np.argmin(curve[middle + half * fine <= furthest]))
    above = np.flatnonzero(curve > curve[lowest] + tolerance)
    before, after = above[above < lowest], above[above > lowest]
    first = before[-1] + 1 if len(before) else 0
    last = after[0] - 1 if len(after) else len(fine) - 1
    return float(middle + half * (fine[first] + fine[last]) / 2)
