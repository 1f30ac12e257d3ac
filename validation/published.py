"""Holding estimates against published values."""

from __future__ import annotations

import numpy as np

from analysis.estimators.estimate import Estimate
from analysis.estimators.intervals import student_quantile
from validation.claim import Row, half_width, judged

# Half the interval of an estimate, as a part of the value: a wider one would agree with anything.
WIDEST = 0.15


def compared(
    claim: str, engine: str, found: Estimate, published: tuple[float, float], source: str
) -> Row:
    """Hold an estimate against a published value with its standard error."""
    value, error = published
    half = half_width(found)
    limit = float(np.hypot(half, 1.96 * error))
    return judged(
        claim,
        engine,
        f'{value:.3g} +- {error:.2g} ({source})',
        f'{found.value:.4g} +- {half:.2g}' if found.is_converged else found.against,
        f'{limit:.2g}: the half-width, and 1.96 of the published error',
        holds=found.is_converged
        and half < WIDEST * value
        and abs((found.value or np.nan) - value) < limit,
    )


def over_replicas(found: list[Estimate]) -> Estimate:
    """Average a quantity over those of the independent replicas that have it, with Student's t."""
    values = [each.value for each in found if each.value is not None]
    if len(values) <= len(found) / 2:
        return Estimate(verdict=f'{len(values)} of {len(found)} replicas have a value')
    half = student_quantile(len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    mean = float(np.mean(values))
    return Estimate(mean, float(mean - half), float(mean + half), len(values))
