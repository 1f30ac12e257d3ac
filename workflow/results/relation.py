"""One number that several states of a sweep give together, and its file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from analysis.estimators.estimate import Estimate
from workflow.results.axis import value_text
from workflow.results.tables import format_interval, write_csv

_COLUMNS = (
    *('relation', 'quantity', 'against', 'where', 'unit'),
    *('value', 'ci95_low', 'ci95_high', 'n_states', 'law', 'places', 'verdict'),
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
        places: On the axis, of which it is one.
    """

    name: str
    quantity: str
    against: str
    where: str
    unit: str
    estimate: Estimate
    n_states: int
    law: str = ''
    places: tuple[float, ...] = ()

    @property
    def text(self) -> str:
        """The number with its interval and unit; places as they are named elsewhere."""
        if self.places:
            ends = (self.estimate.value, min(self.places), max(self.places))
            value, low, high = (value_text(end) for end in ends if end is not None)
            return f'{value} [{low}, {high}]'
        unit = '' if self.unit == '1' or self.estimate.value is None else f' {self.unit}'
        return f'{format_interval(self.estimate)}{unit}'

    @property
    def places_text(self) -> str:
        """The places, as text."""
        return ', '.join(map(value_text, self.places))

    @property
    def words(self) -> str:
        """The law, and the places."""
        return f'{self.law}; may be at {self.places_text}' if self.places else self.law


def write_relations(path: Path, relations: Iterable[Relation]) -> None:
    """Write them as CSV, under a temporary name until it is whole."""
    lines = [
        [
            *(each.name, each.quantity, each.against, each.where or 'all states', each.unit),
            *(each.estimate.value, each.estimate.low, each.estimate.high),
            *(each.n_states, each.law, each.places_text, each.estimate.against),
        ]
        for each in relations
    ]
    write_csv(path, _COLUMNS, lines)
