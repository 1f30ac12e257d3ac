"""How fast trajectories are analysed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from analysis.io.open_trajectory import open_trajectory
from analysis.observable import Observable, analyse
from analysis.observables import OBSERVABLES
from analysis.sampling.run import Run
from benchmarks.base import Benchmark, Figure, Setting
from benchmarks.synthetic_trajectory import write_trajectory
from benchmarks.timing import Stopwatch

# All sizes take about as long, and give the correlations lags to work on.
_BEADS_TIMES_FRAMES = 1_000_000
_FEWEST_FRAMES = 100

_OF_FRAMES = tuple(each for each in OBSERVABLES if each.needs_trajectory and not each.needs_log)


class AnalysisSpeed(Benchmark):
    """Frames per second of each analysis, and of all in one pass."""

    name = 'analysis_speed'
    question = 'How many frames of a file does the analysis deal with in a second?'
    sizes = (1_000, 20_000)

    def measure(self, size: int, setting: Setting) -> Iterator[Figure]:
        """Measure each analysis, reading included, and all of them together."""
        frames = max(_FEWEST_FRAMES, _BEADS_TIMES_FRAMES // size)
        path = setting.scratch / f'{size}.gsd'
        write_trajectory(path, size, frames)
        alone = 0.0
        for observable in _OF_FRAMES:
            seconds = _seconds(path, [observable])
            alone += seconds
            case = f'{observable.name}, {size} beads, {frames} frames'
            yield Figure(case, 'frames/s', frames / seconds)
        together = _seconds(path, _OF_FRAMES)
        case = f'all, {size} beads, {frames} frames'
        yield Figure(case, 'frames/s', frames / together)
        yield Figure(case, 'one pass / one by one', together / alone, at_most=1.0)
        path.unlink()


def _seconds(path: Path, observables: Sequence[Observable[Any]]) -> float:
    stopwatch = Stopwatch()
    analyse(Run(open_trajectory(path)), observables)
    return stopwatch.read().wall
