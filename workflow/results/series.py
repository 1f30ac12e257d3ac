"""The states of a sweep along one axis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

from analysis.observable import Combination
from workflow.results.aggregate import Row, State, SweepTable
from workflow.results.axis import Axis, Key, drawn_axis, key_of, place_text

Point = tuple[float, Row]  # place on the axis, and what is there


@dataclass(frozen=True)
class Series:
    """States that differ in one axis alone, in its order, and their rows.

    The label is what they share and other series do not; empty where there is one series.
    """

    label: str
    axis: Axis
    states: tuple[State, ...]
    rows: tuple[Row, ...]

    @property
    def where(self) -> str:
        """The label, to be set behind a name."""
        return f' ({self.label})' if self.label else ''

    @property
    def names(self) -> list[str]:
        """Of its quantities, each once."""
        return list(self._by_name)

    @property
    def proportions(self) -> list[str]:
        """Names of the quantities that are shares of the frames."""
        return [
            name
            for name, points in self._by_name.items()
            if points[0][1].quantity.combination is Combination.PROPORTION
        ]

    @property
    def places(self) -> list[float]:
        """Of its states on the axis."""
        return [_on(state, self.axis) for state in self.states]

    def along(self, quantity: str) -> list[Point]:
        """List place on the axis and row, of the states that have the quantity."""
        return self._by_name.get(quantity, [])

    @cached_property
    def _by_name(self) -> dict[str, list[Point]]:
        found: dict[str, list[Point]] = {}
        for row in self.rows:
            found.setdefault(row.quantity.name, []).append((_on(row, self.axis), row))
        return {name: sorted(each, key=lambda point: point[0]) for name, each in found.items()}


def all_series(table: SweepTable) -> list[Series]:
    """Split a sweep along its axis; where that does not vary, along what does."""
    axis = drawn_axis(table.axis, [state.place for state in table.states])
    groups: dict[Key, list[State]] = {}
    for state in table.states:
        groups.setdefault(key_of(state.place, axis.column), []).append(state)
    shared = [dict(key) for key in groups]
    found = []
    for rest, states in groups.items():
        differing = {name: v for name, v in rest if len({each.get(name) for each in shared}) > 1}
        ordered = sorted(states, key=lambda state: _on(state, axis))
        rows = tuple(row for row in table.rows if key_of(row.place, axis.column) == rest)
        found.append(Series(place_text(differing, table.axis), axis, tuple(ordered), rows))
    return found


def fitting(
    many: Iterable[Series], axis: Axis, patterns: Sequence[str]
) -> Iterator[tuple[str, Series]]:
    """List quantities that fit a pattern, with each series along the axis that has them."""
    for series in many:
        if series.axis == axis:
            for name in series.names:
                if any(fnmatchcase(name, pattern) for pattern in patterns):
                    yield name, series


def comparable(points: Iterable[Point]) -> list[Point]:
    """Choose the points that have a value or a bound, and replicas to compare."""
    return [
        point
        for point in points
        if point[1].by_replica
        and (point[1].estimate.value is not None or point[1].estimate.is_bound)
    ]


def _on(of: State | Row, axis: Axis) -> float:
    return float(of.place[axis.column])
