"""What one pass for all observables takes, against a pass for each of them."""

from __future__ import annotations

import importlib
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from analysis.io.open_trajectory import open_trajectory
from analysis.io.thermo_log import read_thermo_log
from analysis.observable import analyse
from analysis.observables import OBSERVABLES
from analysis.sampling.run import Run
from benchmarks.base import Benchmark, Figure, Setting
from benchmarks.peak_memory import own_peak
from benchmarks.synthetic_trajectory import write_thermo_log, write_trajectory

_FRAMES, _ROWS = 1_000, 20_000
# Loaded by the first observable that needs them, and so before the clock starts.
_LIBRARIES = ('freud', 'scipy.ndimage', 'scipy.optimize', 'scipy.sparse.csgraph', 'scipy.special')


@dataclass(frozen=True)
class Cost:
    """What an analysis took, in a process of its own.

    Attributes:
        seconds: Of a processor, reading included, imports not.
        peak: Resident memory in MB.
    """

    seconds: float
    peak: float


class OnePass(Benchmark):
    """All observables of one run at once, and one by one."""

    name = 'one_pass'
    question = 'What do all observables take together, of what they take one by one?'
    sizes = (5_000,)

    def measure(self, size: int, setting: Setting) -> Iterator[Figure]:
        """Measure each observable alone, then all in one pass."""
        trajectory, log = setting.scratch / 'trajectory.gsd', setting.scratch / 'thermo.h5'
        write_thermo_log(log, _ROWS, write_trajectory(trajectory, size, _FRAMES))
        names = [observable.name for observable in OBSERVABLES]
        alone = {name: cost_of(trajectory, log, name) for name in names}
        together = cost_of(trajectory, log, *names)
        for case, cost in (*alone.items(), ('all in one pass', together)):
            yield Figure(case, 's of a processor', cost.seconds)
            yield Figure(case, 'MB', cost.peak)
        seconds = sum(cost.seconds for cost in alone.values())
        peak = max(cost.peak for cost in alone.values())
        case = f'one pass, {size} beads, {_FRAMES} frames'
        yield Figure(case, 'of the sum of processor times', together.seconds / seconds)
        yield Figure(case, 'of the largest memory', together.peak / peak)
        trajectory.unlink()


def cost_of(trajectory: Path, log: Path, *names: str) -> Cost:
    """Measure observables of files in a process of their own."""
    call = [sys.executable, '-m', 'benchmarks.one_pass', str(trajectory), str(log), *names]
    root = Path(__file__).parents[1]
    # Threads that wait for work in a loop would count as work.
    one_thread = os.environ | {'OMP_NUM_THREADS': '1'}
    done = subprocess.run(
        call, cwd=root, env=one_thread, check=True, stdout=subprocess.PIPE, text=True
    )
    return Cost(*map(float, done.stdout.split()))


def _analyse(trajectory: Path, log: Path, names: list[str]) -> None:
    chosen = [observable for observable in OBSERVABLES if observable.name in names]
    run = Run(open_trajectory(trajectory), read_thermo_log(log).columns, kT=1.0)
    refusals = {name: each.refusal for name, each in analyse(run, chosen).items() if each.refusal}
    if refusals:
        raise SystemExit(f'not measured: {refusals}')


def _processor_time() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == '__main__':
    for library in _LIBRARIES:
        importlib.import_module(library)
    started = _processor_time()
    _analyse(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
    print(_processor_time() - started, own_peak() / 1e3)
