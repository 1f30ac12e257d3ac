"""What a benchmark is, and the figures that it yields."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workflow.engines.contract import Engine


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Attributes:
        case: What it was measured on.
        quantity: What it is, with its unit.
        value: The number: a median where there are repetitions.
        low: Smallest of the repetitions.
        high: Largest of the repetitions.
        at_least: Lower limit that it should keep; None for no target.
        at_most: Upper limit that it should keep; None for no target.
    """

    case: str
    quantity: str
    value: float
    low: float | None = None
    high: float | None = None
    at_least: float | None = None
    at_most: float | None = None

    @property
    def meets_target(self) -> bool | None:
        """Whether the value keeps within its limits; None if it has none."""
        if self.at_least is None and self.at_most is None:
            return None
        above = self.at_least is None or self.value >= self.at_least
        below = self.at_most is None or self.value <= self.at_most
        return above and below

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {'meets_target': self.meets_target}


@dataclass(frozen=True)
class Setting:
    """What a benchmark may use.

    Attributes:
        engines: Engines to measure, where an engine matters.
        cache: Folder for what is costly to make; kept from one call to the next.
        scratch: Folder for what is measured; removed afterwards.
    """

    engines: list[Engine]
    cache: Path
    scratch: Path


class Benchmark(ABC):
    """A question with measured answers.

    A benchmark sets the three attributes and says how one size is measured.

    Attributes:
        name: On the command line.
        question: What its figures answer.
        sizes: Approximate numbers of beads that it is asked for.
    """

    name: str
    question: str
    sizes: tuple[int, ...]

    def run(self, setting: Setting) -> Iterator[Figure]:
        """Measure all sizes; figures come as they are known."""
        for size in self.sizes:
            yield from self.measure(size, setting)

    @abstractmethod
    def measure(self, size: int, setting: Setting) -> Iterator[Figure]:
        """Measure one size."""
