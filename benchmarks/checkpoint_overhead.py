"""What checkpoints and exactly-once logging cost over the same outputs written without them."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gsd.hoomd
import numpy as np

from benchmarks.base import Benchmark, Figure, Setting
from benchmarks.melts import melt_system, relaxed
from benchmarks.timing import Stopwatch, Timing, interleaved, ratios
from workflow.engines.contract import ConstantVolume, Engine, Simulation, State
from workflow.process import StopRequest
from workflow.stages.runner import Plan, run_plan
from workflow.stages.stage_folder import StageFolder
from workflow.stages.trajectory_writer import frame_with_state
from workflow.sweep.frame_schedule import BlockSchedule
from workflow.sweep.protocol import Protocol

_PROTOCOL = Protocol()
# A stage writes a checkpoint at its end, whatever its length: it must be long to show the default
# cadence and not that one.
_SECONDS = 30.0
_REPETITIONS = 3
_TRIAL_STEPS = 100
_DOUBLINGS = 5
_LEAST = 0.98


class CheckpointOverhead(Benchmark):
    """Speed of a stage over that of a plain loop that writes the same frames and rows."""

    name = 'checkpoint_overhead'
    question = 'Which share of steps/s is left with checkpoints and exactly-once logging?'
    sizes = (1_000, 20_000)

    def measure(self, size: int, setting: Setting) -> Iterator[Figure]:
        """Measure all engines on one melt."""
        quickest = max(setting.engines, key=lambda engine: engine.name == 'lammps')
        start = relaxed(size, quickest, setting.cache)
        for engine in setting.engines:
            yield from _Pairs(size, engine, start, setting.scratch).figures()


@dataclass
class _Pairs:
    """One engine, one melt: a stage and a plain loop in turns, on the same deck."""

    size: int
    engine: Engine
    start: State
    scratch: Path

    def figures(self) -> Iterator[Figure]:
        seconds = self._plain(_TRIAL_STEPS).wall
        block = _schedule().block
        steps = max(1, math.ceil(_SECONDS / seconds * _TRIAL_STEPS / block)) * block
        timings = interleaved(
            {'stage': lambda: self._stage(steps), 'plain': lambda: self._plain(steps)},
            _REPETITIONS,
        )
        case = f'{self.engine.name}, {len(self.start.positions)} beads, {steps} steps'
        for clock in ('wall', 'processor'):
            plain, stage = (
                [getattr(timing, clock) for timing in timings[name]] for name in ('plain', 'stage')
            )
            share = ratios(plain, stage)
            limit = _LEAST if clock == 'wall' else None
            quantity = f'stage / plain, {clock} time'
            yield Figure(case, quantity, share.median, share.low, share.high, limit)

    def _stage(self, steps: int) -> Timing:
        """A stage with checkpoints at the default cadence, from set-up to the last check."""
        folder = StageFolder(self.scratch, 'sample')
        system = melt_system(self.size, self.engine)
        stopwatch = Stopwatch()
        run_plan(folder, system, _stage_of(steps), self.start, lambda _: True, StopRequest())
        timing = stopwatch.read()
        shutil.rmtree(folder.path)
        return timing

    def _plain(self, steps: int) -> Timing:
        """The same frames and rows, and nothing beside."""
        system = melt_system(self.size, self.engine)
        stage = _stage_of(steps)
        stopwatch = Stopwatch()
        simulation = system.simulation(
            self.start, stage.integrator, system.mesh(self.start), stage.name, stage.log_period
        )
        try:
            self._write_plainly(simulation, system.topology, stage, steps)
        finally:
            simulation.close()
        return stopwatch.read()

    def _write_plainly(
        self, simulation: Simulation, topology: gsd.hoomd.Frame, stage: Plan, steps: int
    ) -> None:
        with (
            gsd.hoomd.open(self.scratch / 'plain.gsd', 'w') as trajectory,
            open(self.scratch / 'plain.rows', 'wb') as log,
        ):
            trajectory.append(frame_with_state(topology, simulation.state()))
            while simulation.step < steps:
                end = min(stage.schedule.next_frame(simulation.step), steps)
                simulation.run(end - simulation.step)
                log.write(simulation.take_thermo_rows().tobytes())
                if stage.schedule.is_due(simulation.step):
                    _write_moving(trajectory.file, simulation.state())


def _write_moving(file: Any, state: State) -> None:
    """What of a frame changes, in the quickest way that there is."""
    box = np.concatenate([state.box, np.zeros(3)])
    file.write_chunk('configuration/step', np.array([state.step], dtype=np.uint64))
    file.write_chunk('configuration/box', box.astype(np.float32))
    file.write_chunk('particles/position', state.positions.astype(np.float32))
    file.write_chunk('particles/image', state.images)
    file.end_frame()


def _schedule() -> BlockSchedule:
    return BlockSchedule(_PROTOCOL.sample.shortest_interval, _DOUBLINGS)


def _stage_of(steps: int) -> Plan:
    integrator = ConstantVolume(_PROTOCOL.time_step, 1.0, _PROTOCOL.sample.thermostat_time)
    return Plan('sample', integrator, steps, steps, _PROTOCOL.log_period, _schedule())
