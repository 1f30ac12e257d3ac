"""Whether series drift, each over its whole length; and replicas together, which tell more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.arrays import FloatArray
from analysis.estimators.inefficiency import (
    FEWEST_INDEPENDENT,
    statistical_inefficiency,
    varies,
)

# That of three standard errors. In autoregressive series of 10 to 50 independent values, also under
# fast noise, 0 to 2 % of pairs of replicas without a drift pass it.
SIGNIFICANT = 0.0027


@dataclass(frozen=True)
class Drift:
    """A line through a series, from its first to its last value.

    Attributes:
        change: Of the line, in standard deviations of what is left without it.
        error: Standard error of the change, with the inefficiency of what is left.
        n_effective: Independent values of what is left.
    """

    change: float
    error: float
    n_effective: float


def drift_of(series: Sequence[float] | FloatArray) -> Drift:
    """Fit a line to values at equal spacing, shape (T,)."""
    values = np.asarray(series, dtype=np.float64)
    n = len(values)
    if n < FEWEST_INDEPENDENT or not varies(values):
        return Drift(0.0, 0.0, 0.0)
    time = np.linspace(-0.5, 0.5, n)
    change = float(time @ values / (time @ time))
    left = values - values.mean() - change * time
    if not varies(left):
        return Drift(0.0, 0.0, 0.0)
    inefficiency = statistical_inefficiency(left)
    error = math.sqrt(inefficiency / float(time @ time))
    return Drift(change / float(left.std()), error, n / inefficiency)


def shared_drift(replicas: Sequence[Drift]) -> tuple[Drift, bool]:
    """Average the drifts of replicas: the line through their mean, if they are equally long.

    Returns:
        The mean drift, with the independent values of all replicas, and whether it is significant
        (Student's t). It is not asked for, and so is not, of one replica, or of replicas that have
        on average fewer than 10 independent values.
    """
    n = len(replicas)
    change = math.fsum(each.change for each in replicas) / n
    error = math.hypot(*(each.error for each in replicas)) / n
    worth = math.fsum(each.n_effective for each in replicas)
    mean = Drift(change, error, worth)
    if n < 2 or worth < FEWEST_INDEPENDENT * n or error == 0:
        return mean, False
    from scipy import special  # not at the top: importing the project must not load SciPy

    probability = 2 * float(special.stdtr(worth - 2 * n, -abs(change) / error))
    return mean, probability < SIGNIFICANT
