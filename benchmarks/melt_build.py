"""How long a melt takes to build."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.base import Benchmark, Figure, Setting
from benchmarks.melts import melt_of
from benchmarks.timing import Stopwatch, spread

_REPETITIONS = 3


class MeltBuild(Benchmark):
    """Seconds for melts of all sizes, and the power of the size that they grow with."""

    name = 'melt_build'
    question = 'How long does it take to build a melt, and how does that grow with its size?'
    sizes = (1_000, 10_000, 100_000, 1_000_000)

    def run(self, setting: Setting) -> Iterator[Figure]:
        """Measure all sizes, then compare them."""
        melt_of(1_000)  # what is imported on the first use is not counted
        seconds = []
        for size in self.sizes:
            for figure in self.measure(size, setting):
                seconds.append(figure.value)
                yield figure
        slope = np.polyfit(np.log(self.sizes), np.log(seconds), 1)[0]
        yield Figure('all sizes', 'log-log slope', float(slope))
        largest = np.log(seconds[-1] / seconds[-2]) / np.log(self.sizes[-1] / self.sizes[-2])
        yield Figure('two largest sizes', 'log-log slope', float(largest))

    def measure(self, size: int, setting: Setting) -> Iterator[Figure]:
        """Measure one size."""
        seconds = []
        for _ in range(_REPETITIONS):
            stopwatch = Stopwatch()
            melt_of(size)
            seconds.append(stopwatch.read().wall)
        several = spread(seconds)
        yield Figure(f'{size} beads', 'seconds', several.median, several.low, several.high)
