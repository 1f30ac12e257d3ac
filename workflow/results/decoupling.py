"""Exponents between a quantity and the rates of motion, over the states of a sweep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np

from analysis.arrays import FloatArray
from analysis.estimators.power_law import ENOUGH_STATES, power_law
from workflow.results.activation import is_slowness, logarithms
from workflow.results.aggregate import Row, SweepTable, not_converged
from workflow.results.axis import Key, key_of, place_text
from workflow.results.relation import Relation
from workflow.sweep.sweep_file import DecouplingTable

NAME, TITLE = 'decoupling_exponent', 'Decoupling'
DEFINITION = (
    'Slope of ln({quantity}) against ln(1/time) over states: 1 where ions move as that time '
    'allows, less where they move beside it. The errors of both, as the replicas have them, are '
    'allowed for (Fuller, Measurement Error Models, 1987, section 1.2); the interval has the '
    'scatter of the states about one line as well. It describes these states: those of several '
    'compositions and temperatures need not lie on one line.'
)


@dataclass(frozen=True)
class Pair:
    """A quantity and a time in all states that have both.

    Attributes:
        rows: Of the quantity and of the time, a pair for each state.
        relations: First that over all states.
    """

    quantity: str
    time: str
    rows: tuple[tuple[Row, Row], ...]
    relations: tuple[Relation, ...]


def find_decoupling(table: SweepTable, asked: DecouplingTable) -> list[Pair]:
    """Fit exponents over all states, and over those that differ in the axis or in kT alone."""
    by_name: dict[str, dict[Key, Row]] = {}
    for row in table.rows:
        by_name.setdefault(row.quantity.name, {})[key_of(row.place)] = row
    quantities = by_name.get(asked.quantity, {})
    found = []
    for name, times in by_name.items():
        is_time = all(is_slowness(row.quantity) for row in times.values())
        if is_time and any(fnmatchcase(name, pattern) for pattern in asked.against):
            rows = tuple(
                (quantities[key], time) for key, time in times.items() if key in quantities
            )
            rows = tuple(pair for pair in rows if _points(pair).size)
            if rows:
                fitted = tuple(_relations(table, asked.quantity, name, rows))
                found.append(Pair(asked.quantity, name, rows, fitted))
    return found


def _relations(
    table: SweepTable, quantity: str, time: str, rows: Sequence[tuple[Row, Row]]
) -> Iterator[Relation]:
    yield _relation(quantity, time, '', rows)
    for column in dict.fromkeys((table.axis.column, 'kT')):
        groups: dict[Key, list[tuple[Row, Row]]] = {}
        for pair in rows:
            groups.setdefault(key_of(pair[0].place, column), []).append(pair)
        for rest, members in groups.items():
            if ENOUGH_STATES <= len(members) < len(rows):
                where = place_text(dict(rest), table.axis)
                yield _relation(quantity, time, where, members)


def _relation(quantity: str, time: str, where: str, rows: Sequence[tuple[Row, Row]]) -> Relation:
    fitted = power_law(list(map(_points, rows)))
    reasons = [fitted.verdict] if fitted.verdict else []
    reasons += not_converged([all(row.is_converged for row in pair) for pair in rows])
    estimate = replace(fitted, verdict='; '.join(reasons))
    return Relation(NAME, quantity, f'1/{time}', where, '1', estimate, len(rows))


def _points(pair: tuple[Row, Row]) -> FloatArray:
    """Collect (ln 1/time, ln x) of the replicas that have both, shape (2, n)."""
    quantity, time = map(logarithms, pair)
    shared = sorted(quantity.keys() & time.keys())
    return np.array([[each[r] for r in shared] for each in (time, quantity)], dtype=np.float64)
