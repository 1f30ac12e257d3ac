"""A claim, what it is held against, and what came out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from analysis.estimators.estimate import Estimate


class Verdict(StrEnum):
    """What became of a claim."""

    PASS = 'pass'
    FAIL = 'fail'
    NOT_RUN = 'not run'
    # Measured, and nothing is claimed of it: neither a pass nor a failure.
    STATED = 'stated'


@dataclass(frozen=True)
class Row:
    """One claim, measured.

    Attributes:
        claim: What is said to hold, and for what system.
        engine: Engine that it was measured on.
        reference: What it is held against, with the source.
        measured: The number, with its uncertainty where it has one.
        tolerance: How far it may be off, and why so far.
        verdict: What became of it.
        reason: Why it failed or was not run; empty if it passed.
    """

    claim: str
    engine: str
    reference: str
    measured: str
    tolerance: str
    verdict: Verdict
    reason: str = ''


def judged(
    claim: str, engine: str, reference: str, measured: str, tolerance: str, *, holds: bool
) -> Row:
    """A row with a verdict; a comparison with NaN never holds."""
    verdict = Verdict.PASS if holds else Verdict.FAIL
    return Row(claim, engine, reference, measured, tolerance, verdict)


def stated(claim: str, engine: str, reference: str, measured: str, why: str) -> Row:
    """What was measured where nothing is claimed; `why` stands in place of a tolerance."""
    return Row(claim, engine, reference, measured, f'none: {why}', Verdict.STATED)


def not_run(claim: str, engine: str, reason: str) -> Row:
    """A claim that was not measured."""
    return Row(claim, engine, '', '', '', Verdict.NOT_RUN, reason)


def worst(errors: Iterable[float]) -> float:
    """The largest error; NaN if one of them is, which `max` forgets unless it comes first.

    Raises:
        ValueError: If there are none.
    """
    given = [float(error) for error in errors]
    return math.nan if any(map(math.isnan, given)) else max(given)


def half_width(estimate: Estimate) -> float:
    """Half the interval; without end if there is none."""
    if estimate.low is None or estimate.high is None:
        return float('inf')
    return (estimate.high - estimate.low) / 2
