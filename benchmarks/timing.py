"""Timing on a machine that others use too."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from workflow.engines.contract import Simulation


@dataclass(frozen=True)
class Timing:
    """Seconds that something took.

    Attributes:
        wall: By the clock.
        processor: On processors, which waiting for others adds little to.
    """

    wall: float
    processor: float


class Stopwatch:
    """Measures from its making on."""

    def __init__(self) -> None:
        self._wall, self._processor = time.perf_counter(), time.process_time()

    def read(self) -> Timing:
        """Time since the start."""
        return Timing(time.perf_counter() - self._wall, time.process_time() - self._processor)


def interleaved(
    variants: Mapping[str, Callable[[], Timing]], repetitions: int
) -> dict[str, list[Timing]]:
    """Time the variants in turns, each repetition in another order.

    A machine that slows down then slows all of them, and no variant is always the first.
    """
    timings: dict[str, list[Timing]] = {name: [] for name in variants}
    names = list(variants)
    for repetition in range(repetitions):
        shift = repetition % len(names)
        for name in names[shift:] + names[:shift]:
            timings[name].append(variants[name]())
    return timings


@dataclass(frozen=True)
class Spread:
    """Median and range of repetitions."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Summarise repetitions."""
    return Spread(statistics.median(values), min(values), max(values))


def ratios(numerator: Sequence[float], denominator: Sequence[float]) -> Spread:
    """Spread of the ratios within each repetition, where the machine was the same for both."""
    return spread([a / b for a, b in zip(numerator, denominator, strict=True)])


def processor_time(simulation: Simulation, steps: int) -> float:
    """Seconds on processors that some steps take."""
    stopwatch = Stopwatch()
    simulation.run(steps)
    return stopwatch.read().processor


def slowness(reference: Simulation, other: Simulation, steps: int, rounds: int) -> list[float]:
    """Time of a step over that of a reference, in turns."""
    return [processor_time(other, steps) / processor_time(reference, steps) for _ in range(rounds)]
