"""How fast trajectories are analysed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from analysis.io.trajectory import open_trajectory
from analysis.observables.ion_clusters import ion_clusters
from analysis.observables.segmental_relaxation import segmental_relaxation
from benchmarks.base import Benchmark, Figure, Setting
from benchmarks.synthetic_trajectory import write_trajectory
from benchmarks.timing import Stopwatch

# All sizes take about as long, and give the correlations lags to work on.
_BEADS_TIMES_FRAMES = 1_000_000
_FEWEST_FRAMES = 100

_ANALYSES: dict[str, Callable[[Any], Any]] = {
    'clusters': ion_clusters,
    'relaxation': segmental_relaxation,
}


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
        for name, analyse in _ANALYSES.items():
            stopwatch = Stopwatch()
            analyse(open_trajectory(path))
            case = f'{name}, {size} beads, {frames} frames'
            yield Figure(case, 'frames/s', frames / stopwatch.read().wall)
        path.unlink()
