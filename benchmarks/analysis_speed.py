"""How fast trajectories are analysed."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.io.open_trajectory import open_trajectory
from analysis.observables import OBSERVABLES
from analysis.sampling.run import Run
from benchmarks.base import Benchmark, Figure, Setting
from benchmarks.synthetic_trajectory import write_trajectory
from benchmarks.timing import Stopwatch

# All sizes take about as long, and give the correlations lags to work on.
_BEADS_TIMES_FRAMES = 1_000_000
_FEWEST_FRAMES = 100


class AnalysisSpeed(Benchmark):
    """Frames per second of each analysis."""

    name = 'analysis_speed'
    question = 'How many frames of a file does the analysis deal with in a second?'
    sizes = (1_000, 20_000)

    def measure(self, size: int, setting: Setting) -> Iterator[Figure]:
        """Measure each analysis, reading included."""
        frames = max(_FEWEST_FRAMES, _BEADS_TIMES_FRAMES // size)
        path = setting.scratch / f'{size}.gsd'
        write_trajectory(path, size, frames)
        for observable in OBSERVABLES:
            if observable.needs_log:
                continue
            stopwatch = Stopwatch()
            observable.compute(Run(open_trajectory(path)))
            case = f'{observable.name}, {size} beads, {frames} frames'
            yield Figure(case, 'frames/s', frames / stopwatch.read().wall)
        path.unlink()
