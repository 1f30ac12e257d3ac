"""Whether the memory of the analysis grows with the length of the trajectory."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.observables import OBSERVABLES
from benchmarks.base import Benchmark, Figure, Setting
from benchmarks.one_pass import cost_of
from benchmarks.synthetic_trajectory import write_thermo_log, write_trajectory

_FRAMES, _ROWS = 200, 2_000


class AnalysisMemory(Benchmark):
    """Peak memory with ten times the frames over that with the frames once."""

    name = 'analysis_memory'
    question = 'How much more memory does the analysis take for ten times the frames?'
    sizes = (2_000,)

    def measure(self, size: int, setting: Setting) -> Iterator[Figure]:
        """Measure each analysis of frames on a short and a long trajectory."""
        names = [each.name for each in OBSERVABLES if not each.needs_log]
        path, log = setting.scratch / 'trajectory.gsd', setting.scratch / 'thermo.h5'
        peaks: dict[str, list[float]] = {name: [] for name in names}
        for frames in (_FRAMES, 10 * _FRAMES):
            write_thermo_log(log, _ROWS, write_trajectory(path, size, frames))
            for name in names:
                peaks[name].append(cost_of(path, log, name).peak)
            path.unlink()
        for name, (short, long) in peaks.items():
            case = f'{name}, {size} beads'
            yield Figure(case, f'MB for {_FRAMES} frames', short)
            yield Figure(case, f'MB for {10 * _FRAMES} frames', long)
            yield Figure(case, 'ratio', long / short, at_most=1.1)
