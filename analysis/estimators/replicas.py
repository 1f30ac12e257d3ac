"""Means over independent replicas."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from analysis.arrays import FloatArray
from analysis.estimators.estimate import Estimate, exponentiated
from analysis.estimators.intervals import student_quantile


def combine_replicas(values: Sequence[float] | FloatArray) -> Estimate:
    """Average over independent replicas with Student's t; one replica gives no interval.

    Values that are not finite are left out, and the verdict says so.
    """
    given = np.asarray(values, dtype=np.float64)
    kept = given[np.isfinite(given)]
    lost = f'{len(given) - len(kept)} of {len(given)} replicas without a value'
    verdict = lost if len(kept) < len(given) else ''
    if len(kept) == 0:
        return Estimate(None, None, None, 0.0, 'no values')
    mean = float(kept.mean())
    if len(kept) == 1:
        return Estimate(mean, None, None, 1.0, verdict or 'one replica: no interval')
    spread = float(kept.std(ddof=1)) / math.sqrt(len(kept))
    half = student_quantile(len(kept) - 1) * spread
    return Estimate(mean, mean - half, mean + half, float(len(kept)), verdict)


def combine_replicas_log(values: Sequence[float] | FloatArray) -> Estimate:
    """Take the geometric mean over replicas of a positive quantity; ValueError if it is not."""
    given = np.asarray(values, dtype=np.float64)
    if np.any(given <= 0):
        raise ValueError('a geometric mean needs positive values')
    return exponentiated(combine_replicas(np.log(given)))
