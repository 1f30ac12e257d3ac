"""One number that several states of a sweep give together, and its file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from analysis.estimators.estimate import Estimate
from workflow.results.tables import format_interval, write_csv

_COLUMNS = (
    *('relation', 'quantity', 'against', 'where', 'unit'),
    *('value', 'ci95_low', 'ci95_high', 'n_states', 'law', 'verdict'),
)


@dataclass(frozen=True)
class Relation:
    """One number over states.

    Attributes:
        name: What it is.
        quantity: Of what.
        against: The other quantity, or the sizes, that it compares.
        where: What the states share; empty for all states of the sweep.
        n_states: How many states it is from.
        law: That describes them, where there is a choice.
    """

    name: str
    quantity: str
    against: str
    where: str
    unit: str
    estimate: Estimate
    n_states: int
    law: str = ''

    @property
    def text(self) -> str:
        """The number with its interval and unit."""
        unit = '' if self.unit == '1' or self.estimate.value is None else f' {self.unit}'
        return f'{format_interval(self.estimate)}{unit}'


def write_relations(path: Path, relations: Iterable[Relation]) -> None:
    """Write them as CSV, under a temporary name until it is whole."""
    lines = [
        [
            *(each.name, each.quantity, each.against, each.where or 'all states', each.unit),
            *(each.estimate.value, each.estimate.low, each.estimate.high),
            *(each.n_states, each.law, each.estimate.against),
        ]
        for each in relations
    ]
    write_csv(path, _COLUMNS, lines)
