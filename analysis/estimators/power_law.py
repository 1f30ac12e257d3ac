"""The exponent of a power law between two quantities that both have errors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from analysis.arrays import FloatArray
from analysis.estimators.estimate import Estimate
from analysis.estimators.intervals import student_quantile
from user_input import count_of

ENOUGH_STATES = 4
# Of the variance of x between the states, how much may be that of its errors.
MOST_NOISE = 1 / 3


def power_law(states: Sequence[FloatArray]) -> Estimate:
    """Estimate the slope of y against x over states, each the replicas' (x, y), shape (2, n).

    Both are logarithms. Errors of x make a least-squares line too flat, so the covariance of the
    replicas, pooled over the states, is taken off the moments (Fuller, Measurement Error Models,
    1987, section 1.2). The interval is that of Student's t over the states: it has the errors of
    both, what the covariance itself is off by, and how the states scatter about one line.
    """
    n = len(states)
    if n < ENOUGH_STATES:
        return Estimate(
            None, None, None, n, f'{count_of(n, "state")}, {ENOUGH_STATES} are needed for a slope'
        )
    means = np.array([each.mean(axis=1) for each in states])
    deviations = means - means.mean(axis=0)
    moments = deviations.T @ deviations / (n - 1)
    sizes = np.array([each.shape[1] for each in states])
    freedom = int((sizes - 1).sum())
    noise = np.zeros((2, 2))
    verdict = ''
    if freedom:
        within = sum((d := each - each.mean(axis=1)[:, None]) @ d.T for each in states)
        noise = within / freedom * np.mean(1 / sizes)
    else:
        verdict = 'one replica of each state: errors of the times make it too flat'
    if not noise[0, 0] < MOST_NOISE * moments[0, 0]:
        return Estimate(None, None, None, n, 'the states hardly differ in the time: no slope')
    signal = moments[0, 0] - noise[0, 0]
    slope = float((moments[0, 1] - noise[0, 1]) / signal)
    line = np.array([-slope, 1.0])
    residual = float(((deviations @ line) ** 2).sum() / (n - 2))
    shared = float(noise[0] @ line)
    variance = moments[0, 0] * residual + shared**2
    if freedom:
        variance += (noise[0, 0] * float(line @ noise @ line) + shared**2) * (n - 1) / freedom
    half = student_quantile(n - 2) * math.sqrt(max(variance, 0.0) / (n - 1)) / float(signal)
    return Estimate(slope, slope - half, slope + half, n, verdict)
