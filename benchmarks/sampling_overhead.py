"""What a sampling stage with all its outputs costs over the bare engine."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.base import Benchmark, Figure, Setting
from benchmarks.melts import melt_system, relaxed
from benchmarks.native_runs import leave_out_charges, native_run
from benchmarks.timing import (
    Spread,
    Stopwatch,
    Timing,
    interleaved,
    processor_time,
    ratios,
    slowness,
    spread,
)
from workflow.engines.contract import ConstantVolume, Engine, Simulation, State
from workflow.process import StopRequest
from workflow.stages.runner import Plan, run_plan
from workflow.stages.stage_folder import StageFolder
from workflow.stages.system import System
from workflow.sweep.frame_schedule import BlockSchedule
from workflow.sweep.protocol import Protocol

_PROTOCOL = Protocol()
# Long enough that frames and a checkpoint, which come often at first, are not most of the outputs.
_SECONDS = 12.0
_REPETITIONS = 5
_ROUNDS = 41  # of what is looked for in percent
# The steps that all variants must agree on, and how well: they begin as the same floating-point
# numbers, and a difference in the deck shows at once, while chaos takes some hundred steps.
_STEPS_OF_COMPARISON = 20
_SAME = 1e-6


class SamplingOverhead(Benchmark):
    """Speed of a stage over that of the same deck without and with native logging."""

    name = 'sampling_overhead'
    question = 'Which share of the speed of the bare engine does a sampling stage keep?'
    sizes = (1_000, 20_000)

    def measure(self, size: int, setting: Setting) -> Iterator[Figure]:
        """Measure all engines on one melt."""
        # LAMMPS is the faster one on a CPU.
        quickest = max(setting.engines, key=lambda engine: engine.name == 'lammps')
        start = relaxed(size, quickest, setting.cache)
        for engine in setting.engines:
            yield from _Comparison(size, engine, start, setting.scratch).figures()


class _Comparison:
    """One engine, one melt, three ways to run it."""

    def __init__(self, size: int, engine: Engine, start: State, scratch: Path) -> None:
        self._engine, self._start, self._scratch = _WatchedEngine(engine), start, scratch
        self._system: System = melt_system(size, self._engine)
        self._case = f'{engine.name}, {len(start.positions)} beads'

    def figures(self) -> Iterator[Figure]:
        self._check_that_decks_agree()
        steps = self._steps()
        timings = interleaved(
            {
                'stage': lambda: self._stage(steps)[0],
                'bare': lambda: self._native(steps, logs=False)[0],
                'logging': lambda: self._native(steps, logs=True)[0],
            },
            _REPETITIONS,
        )
        wall = {name: [t.wall for t in several] for name, several in timings.items()}
        processor = {name: [t.processor for t in several] for name, several in timings.items()}
        case = f'{self._case}, {steps} steps'
        for name, seconds in wall.items():
            yield _figure(case, f'steps/s {name}', spread([steps / s for s in seconds]))
        for other, limit in (('bare', 0.98), ('logging', 0.98)):
            share = ratios(wall[other], wall['stage'])
            yield _figure(case, f'stage / {other}', share, limit)
            share = ratios(processor[other], processor['stage'])
            yield _figure(case, f'stage / {other}, processor time', share)
            # What others take of the machine only adds: the quickest of each saw least of it.
            best = min(processor[other]) / min(processor['stage'])
            yield Figure(case, f'stage / {other}, quickest', best)

    def _check_that_decks_agree(self) -> None:
        ends = [
            self._stage(_STEPS_OF_COMPARISON)[1],
            self._native(_STEPS_OF_COMPARISON, logs=False)[1],
            self._native(_STEPS_OF_COMPARISON, logs=True)[1],
        ]
        paths = [end.positions + end.images * end.box for end in ends]
        for path in paths[1:]:
            difference = float(np.abs(path - paths[0]).max())
            assert difference < _SAME, f'{self._case}: the decks differ by {difference:g} sigma'

    def _steps(self) -> int:
        """The steps that take the time wanted where nobody else is, in whole shortest intervals."""
        trial = _STEPS_OF_COMPARISON
        seconds = self._native(trial, logs=False)[0].processor
        shortest = _PROTOCOL.sample.shortest_interval
        return shortest * max(2, math.ceil(_SECONDS / seconds * trial / shortest))

    def _stage(self, steps: int) -> tuple[Timing, State]:
        """All outputs; the time from where the engine is set up to where all files are closed.

        Blocks are as long as the run allows, which gives more frames to a step than the longer
        ones of a sweep; and there is a checkpoint in seconds where a sweep writes one in 30 s.
        """
        shortest = _PROTOCOL.sample.shortest_interval
        schedule = BlockSchedule(shortest, int(math.log2(steps / shortest)))
        stage = self._stage_of(steps, schedule)
        folder = StageFolder(self._scratch, stage.name)
        end = run_plan(folder, self._system, stage, self._start, lambda _: True, StopRequest())
        timing = self._engine.stopwatch.read()
        shutil.rmtree(folder.path)
        return timing, end

    def _stage_of(self, steps: int, schedule: BlockSchedule) -> Plan:
        integrator = ConstantVolume(_PROTOCOL.time_step, 1.0, _PROTOCOL.sample.thermostat_time)
        return Plan('sample', integrator, steps, steps, _PROTOCOL.log_period, schedule)

    def _native(self, steps: int, *, logs: bool) -> tuple[Timing, State]:
        stage = self._stage_of(steps, BlockSchedule(1, 1))
        mesh = self._system.mesh(self._start)
        # The name of the stage decides the random numbers.
        simulation = self._system.simulation(self._start, stage.integrator, mesh, stage.name)
        try:
            native = native_run(self._engine.name, simulation)
            if logs:
                native.log(self._scratch / 'native.log', stage.log_period)
            stopwatch = Stopwatch()
            native.run(steps)
            timing = stopwatch.read()
            return timing, simulation.state()
        finally:
            simulation.close()


class ChargeColumns(Benchmark):
    """Time of a step that logs currents and displacements of ions, over one that does not."""

    name = 'charge_columns'
    question = 'What do the columns of charges in the thermo log cost?'
    sizes = (840, 5_000)

    def measure(self, size: int, setting: Setting) -> Iterator[Figure]:
        """Measure all engines on one melt, with and without in turns: they move alike."""
        quickest = max(setting.engines, key=lambda engine: engine.name == 'lammps')
        start = relaxed(size, quickest, setting.cache)
        integrator = ConstantVolume(_PROTOCOL.time_step, 1.0, _PROTOCOL.sample.thermostat_time)
        for engine in setting.engines:
            system = melt_system(size, engine)
            arguments = (start, integrator, system.mesh(start), 'sample', _PROTOCOL.log_period)
            with (
                closing(system.simulation(*arguments)) as without,
                closing(system.simulation(*arguments)) as with_charges,
            ):
                leave_out_charges(engine.name, without)
                for simulation in (without, with_charges):
                    simulation.run(_STEPS_OF_COMPARISON)
                seconds = processor_time(without, _STEPS_OF_COMPARISON) / _STEPS_OF_COMPARISON
                with_charges.run(_STEPS_OF_COMPARISON)
                steps = _PROTOCOL.log_period * max(2, round(0.1 / seconds / _PROTOCOL.log_period))
                times = spread(slowness(without, with_charges, steps, _ROUNDS))
            case = f'{engine.name}, {len(start.positions)} beads, {_ROUNDS} x {steps} steps'
            yield Figure(case, 'with / without', times.median, times.low, times.high, at_most=1.01)


class _WatchedEngine:
    """Passes everything on, and starts a stopwatch when a simulation is ready."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self.name = engine, engine.name
        self.mesh_costs, self.skin = engine.mesh_costs, engine.skin
        self.stopwatch = Stopwatch()

    def describe(self) -> dict[str, Any]:
        return self._engine.describe()

    def simulation(self, *arguments: Any) -> Simulation:
        simulation = self._engine.simulation(*arguments)
        self.stopwatch = Stopwatch()
        return simulation


def _figure(case: str, quantity: str, values: Spread, at_least: float | None = None) -> Figure:
    return Figure(case, quantity, values.median, values.low, values.high, at_least)
