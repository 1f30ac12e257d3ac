"""Time and memory per bead against size: `python -m benchmarks size_scaling`.

The larger melts are the smallest one 8 and 64 times: all beads have the same neighbours. Each
measurement has a process of its own, or two MPI ranks: `python -m benchmarks.size_scaling ENGINE
COPIES CACHE SCRATCH`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.base import Benchmark, Figure, Setting
from benchmarks.melts import copied_melt, relaxed
from benchmarks.peak_memory import own_peak
from benchmarks.timing import Stopwatch, Timing, spread
from workflow.engines.contract import ConstantVolume, Engine
from workflow.engines.mpi import leading_or_following, select_engine
from workflow.engines.settings import EngineChoice, started_ranks
from workflow.stages.checkpoint import Checkpoint, write_checkpoint
from workflow.sweep.protocol import Protocol

_LARGE_VARIABLE = 'ISP_BENCHMARK_MILLION'
_BEADS = 12_500
_COPIES, _COPIES_OF_LARGE = (1, 8), (1, 8, 64)
# Several rebuilds of the neighbour list, and seconds.
_LEAST_STEPS, _BEAD_STEPS = 30, 2e6
_REPETITIONS = 3
_PROTOCOL = Protocol()


class SizeScaling(Benchmark):
    """A melt, and 8 times that; with ISP_BENCHMARK_MILLION set, 64 times too."""

    name = 'size_scaling'
    question = 'Do time and memory per bead stay the same while melts grow?'
    sizes = (_BEADS,)

    def measure(self, size: int, setting: Setting) -> Iterator[Figure]:
        """Measure all copies on all engines, LAMMPS on two MPI ranks too."""
        quickest = max(setting.engines, key=lambda engine: engine.name == 'lammps')
        relaxed(size, quickest, setting.cache)
        for engine in setting.engines:
            serial = [*self._all_copies(engine, 1, setting)]
            yield from (figure for each in serial for figure in each.figures())
            yield from _growth(engine.name, serial)
            if engine.name != 'lammps':
                continue
            for one, two in zip(serial, self._all_copies(engine, 2, setting), strict=True):
                yield from two.figures()
                gain = spread(
                    [a.wall / b.wall for a, b in zip(one.timings, two.timings, strict=True)]
                )
                yield Figure(
                    two.case, 'speed / one rank', gain.median, gain.low, gain.high, at_least=1.5
                )

    def _all_copies(self, engine: Engine, ranks: int, setting: Setting) -> Iterator[_Measured]:
        for copies in _COPIES_OF_LARGE if os.environ.get(_LARGE_VARIABLE) else _COPIES:
            folders = (str(setting.cache), str(setting.scratch))
            call = [sys.executable, '-m', __name__, engine.name, str(copies), *folders]
            if ranks > 1:
                call = [str(Path(sys.executable).parent / 'mpiexec'), '-n', str(ranks), *call]
            root = Path(__file__).parents[1]
            done = subprocess.run(call, cwd=root, check=True, stdout=subprocess.PIPE, text=True)
            yield _Measured.read(engine.name, ranks, json.loads(done.stdout))


@dataclass(frozen=True)
class _Measured:
    """What one process, or rank 0 of several, found; memory in kB."""

    case: str
    beads: int
    steps: int
    timings: list[Timing]
    start_up: float
    look: float
    checkpoint: float
    memory: int

    @classmethod
    def read(cls, engine: str, ranks: int, found: dict[str, Any]) -> _Measured:
        several = f', {ranks} ranks' if ranks > 1 else ''
        found['timings'] = [Timing(*each) for each in found['timings']]
        return cls(f'{engine}, {found["beads"]} beads{several}', **found)

    def nanoseconds(self) -> list[float]:
        """Processor time of a bead and step."""
        return [each.processor / self.steps / self.beads * 1e9 for each in self.timings]

    def figures(self) -> Iterator[Figure]:
        of_step = spread(self.nanoseconds())
        quantity = 'ns per bead and step, processor'
        yield Figure(self.case, quantity, of_step.median, of_step.low, of_step.high)
        yield Figure(self.case, 'start-up, us per bead', self.start_up / self.beads * 1e6)
        yield Figure(self.case, 'look at the state, ns per bead', self.look / self.beads * 1e9)
        yield Figure(self.case, 'checkpoint, seconds', self.checkpoint)
        yield Figure(self.case, 'peak memory, MB', self.memory / 1e3)


def _growth(engine: str, measured: list[_Measured]) -> Iterator[Figure]:
    """Compare each size with the smallest; memory as what each further bead takes."""
    smallest = measured[0]
    least = spread(smallest.nanoseconds()).median
    for each in measured[1:]:
        case = f'{engine}, {smallest.beads} to {each.beads} beads'
        growth = spread([value / least for value in each.nanoseconds()])
        quantity = 'time per bead and step, growth'
        yield Figure(case, quantity, growth.median, growth.low, growth.high, at_most=1.3)
        more = (each.memory - smallest.memory) / (each.beads - smallest.beads)
        yield Figure(case, 'memory, kB per further bead', more, at_most=5.0)


def _measure(engine: str, copies: int, cache: Path, scratch: Path) -> dict[str, Any]:
    system, start = copied_melt(_BEADS, copies, select_engine(EngineChoice(engine, 'cpu')), cache)
    beads = len(start.positions)
    stopwatch = Stopwatch()
    integrator = ConstantVolume(_PROTOCOL.time_step, 1.0, _PROTOCOL.sample.thermostat_time)
    simulation = system.simulation(
        start, integrator, system.mesh(start), 'sample', _PROTOCOL.log_period
    )
    start_up = stopwatch.read()
    steps = max(_LEAST_STEPS, int(_BEAD_STEPS / beads))
    simulation.run(_LEAST_STEPS)  # beads are sorted in space on the way
    timings = []
    for _ in range(_REPETITIONS):
        stopwatch = Stopwatch()
        simulation.run(steps)
        timings.append(stopwatch.read())
    stopwatch = Stopwatch()
    state = simulation.state()
    system.limits.check(state, 1.0)
    look = stopwatch.read()
    stopwatch = Stopwatch()
    write_checkpoint(scratch / 'checkpoint', Checkpoint(state))
    checkpoint = stopwatch.read()
    simulation.close()
    return {
        'beads': beads,
        'steps': steps,
        'timings': [(each.wall, each.processor) for each in timings],
        'start_up': start_up.processor,
        'look': look.processor,
        'checkpoint': checkpoint.wall,
        'memory': own_peak(),
    }


def _main(engine: str, copies: str, cache: str, scratch: str) -> None:
    arguments = (engine, int(copies), Path(cache), Path(scratch))
    if started_ranks() == 1:
        print(json.dumps(_measure(*arguments)))
        return
    os.environ |= {'ISP_ENGINE': engine, 'ISP_DEVICE': 'cpu'}  # which the others read
    with leading_or_following(lambda *_: None) as leads:
        if leads:
            print(json.dumps(_measure(*arguments)))


if __name__ == '__main__':
    _main(*sys.argv[1:])
