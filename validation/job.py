"""A job: some claims that are measured together, in a process of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from validation.claim import Row

# Stands where others name their engine: the analysis alone is asked.
NO_ENGINE = '-'


@dataclass(frozen=True)
class Job:
    """Claims that one process measures on one engine.

    Attributes:
        name: Tells it from the other jobs of its section.
        measure: Takes the name of an engine and yields the rows.
        engines: Engines that it is for.
    """

    name: str
    measure: Callable[[str], Iterable[Row]]
    engines: tuple[str, ...] = ('lammps', 'hoomd')
