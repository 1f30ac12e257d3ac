"""How often intervals hold a known truth, as a claim."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from analysis.estimators.estimate import Estimate
from validation.claim import Row, judged, stated
from validation.job import NO_ENGINE

LOWEST, HIGHEST = 0.93, 0.97
# Counting errors of a coverage that are allowed beside the target.
COUNTING_ERRORS = 2.5
_REFERENCE = '95 % of known truths'

Outcome = tuple[bool, bool]


@dataclass(frozen=True)
class Coverage:
    """How often intervals held the truth.

    Attributes:
        claim: What was asked, and of what.
        tried: Number of data sets.
        offered: How many of them gave an interval without a verdict.
        inside: How many of these intervals held the truth.
    """

    claim: str
    tried: int
    offered: int
    inside: int

    @classmethod
    def of(cls, claim: str, outcomes: Iterable[Outcome]) -> Coverage:
        """Count outcomes of `holds`."""
        table = np.array(list(outcomes))
        return cls(claim, len(table), int(table[:, 0].sum()), int(table[:, 1].sum()))

    def exact(self) -> Row:
        """A row that claims 93 to 97 %."""
        return self._judged(
            f'{100 * LOWEST:.0f} to {100 * HIGHEST:.0f} %, {COUNTING_ERRORS} counting errors',
            LOWEST - self._margin <= self._share <= HIGHEST + self._margin,
        )

    def conservative(self, why: str) -> Row:
        """A row that claims no more than that the interval is not too narrow."""
        return self._judged(
            f'at least {100 * LOWEST:.0f} %, {COUNTING_ERRORS} counting errors; '
            f'conservative: {why}',
            self._share >= LOWEST - self._margin,
        )

    def stated(self, why: str) -> Row:
        """A row that claims nothing."""
        return stated(self.claim, NO_ENGINE, _REFERENCE, self._measured, why)

    @property
    def _share(self) -> float:
        return self.inside / self.offered if self.offered else math.nan

    @property
    def _error(self) -> float:
        return math.sqrt(0.95 * 0.05 / max(self.offered, 1))

    @property
    def _margin(self) -> float:
        return COUNTING_ERRORS * self._error

    @property
    def _measured(self) -> str:
        offered = f'offered for {100 * self.offered / self.tried:.0f} %'
        if not self.offered:
            return offered
        return f'{100 * self._share:.1f} % +- {100 * self._error:.1f} %, {offered}'

    def _judged(self, tolerance: str, holds: bool) -> Row:
        return judged(self.claim, NO_ENGINE, _REFERENCE, self._measured, tolerance, holds=holds)


def holds(estimate: Estimate, truth: float) -> Outcome:
    """Whether an interval is offered without a verdict, and holds the truth."""
    if estimate.low is None or estimate.high is None or estimate.against:
        return False, False
    return True, estimate.low <= truth <= estimate.high
