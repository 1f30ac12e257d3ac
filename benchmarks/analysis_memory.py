"""Whether the memory of the analysis grows with the length of the trajectory."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.observables import OBSERVABLES
from benchmarks.base import Benchmark, Figure, Setting
from benchmarks.peak_memory import peak_memory_of
from benchmarks.synthetic_trajectory import write_trajectory

_FRAMES = 200
# With a contact distance given, the cost of g(r), which reads 20 frames at most, hides no growth.
_CALLS: dict[str, tuple[str, ...]] = {
    **{each.name: (each.name,) for each in OBSERVABLES if not each.needs_log},
    'clusters, contacts given': ('clusters', '--contact-distance', '1.6'),
}


class AnalysisMemory(Benchmark):
    """Peak memory with ten times the frames over that with the frames once."""

    name = 'analysis_memory'
    question = 'How much more memory does the analysis take for ten times the frames?'
    sizes = (2_000,)

    def measure(self, size: int, setting: Setting) -> Iterator[Figure]:
        """Measure each analysis on a short and a long trajectory."""
        peaks: dict[str, list[float]] = {name: [] for name in _CALLS}
        for frames in (_FRAMES, 10 * _FRAMES):
            path = setting.scratch / f'{frames}.gsd'
            write_trajectory(path, size, frames)
            for name, (command, *options) in _CALLS.items():
                peaks[name].append(peak_memory_of(command, path, *options))
            path.unlink()
        for name, (short, long) in peaks.items():
            case = f'{name}, {size} beads'
            yield Figure(case, f'MB for {_FRAMES} frames', short)
            yield Figure(case, f'MB for {10 * _FRAMES} frames', long)
            yield Figure(case, 'ratio', long / short, at_most=1.1)
