"""Running one stage on any engine: outputs, checkpoints, and resuming from them.

While a stage runs, its files are in a folder of their own (`StageFolder`); they take their final
names only when the stage is done, so a product that exists is whole.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from user_input import UserError
from workflow.electrostatics.mesh import CoulombMesh
from workflow.engines.contract import (
    DISPLACEMENTS,
    THERMO_COLUMNS,
    ConstantPressure,
    Integrator,
    Simulation,
    State,
    highest_temperature,
)
from workflow.engines.errors import SimulationFailed
from workflow.jobs.progress import ProgressWriter
from workflow.process import Interrupted, StopRequest
from workflow.stages.checkpoint import Checkpoint, read_latest_checkpoint, write_checkpoint
from workflow.stages.mesh_record import box_has_changed, steps_between_looks
from workflow.stages.pace import CheckpointPace, ChunkLength
from workflow.stages.stability import check_rows
from workflow.stages.stage_folder import StageFolder
from workflow.stages.substeps import read_substeps
from workflow.stages.system import System
from workflow.stages.thermo_writer import ThermoLog, as_records
from workflow.stages.trajectory_writer import TrajectoryLog
from workflow.sweep.frame_schedule import BlockSchedule

_logger = logging.getLogger(__name__)

# Reviews come at lengths that grow by this factor, so that their cost stays a fixed share.
_REVIEW_GROWTH = 1.25
_ROWS_TO_LOOK_BACK = 5


@dataclass(frozen=True)
class Plan:
    """How long a stage of one job runs and what it writes."""

    name: str
    integrator: Integrator
    minimum_steps: int
    maximum_steps: int
    log_period: int
    schedule: BlockSchedule


def run_plan(
    folder: StageFolder,
    system: System,
    plan: Plan,
    start: State,
    review: Callable[[StageFolder], bool],
    stop: StopRequest,
) -> State:
    """Run a stage from `start`, or from its checkpoint, until `review` is content.

    The files in `folder` are complete up to the state that is returned.

    Raises:
        Interrupted: If a stop was requested; a checkpoint is written before.
        SimulationFailed: If the engine gives up, the motion became unstable, the box is too small
            or no mesh reaches the requested error; nothing that is not sound is in the files.
        UserError: If the outputs on disk are not what was written.
    """
    folder.path.mkdir(parents=True, exist_ok=True)
    n_beads = len(start.positions)
    checkpoint, notes = read_latest_checkpoint(folder.checkpoint, folder.fault, n_beads)
    for note in notes:
        _logger.info('%s: %s', plan.name, note)
    if checkpoint is None:
        checkpoint = Checkpoint(start)
    elif checkpoint.state.step:
        _logger.info('%s: resuming from step %d', plan.name, checkpoint.state.step)
    time_step = plan.integrator.time_step
    with (
        TrajectoryLog(
            folder.trajectory, system.topology, time_step, checkpoint.frames
        ) as trajectory,
        ThermoLog(folder.thermo, checkpoint.rows) as thermo,
    ):
        run = _Run(folder, system, plan, (trajectory, thermo), stop, checkpoint, start)
        last = run.until_enough(review)
    # A product is made of this: what the disk spoiled must not reach it.
    if found := folder.fault(run.latest):
        raise UserError(
            f'{folder.path}: {found}: the disk or the memory of this machine fails. '
            'Run it again, on another machine if it can be: it resumes from what is intact.'
        )
    return last


class _Run:
    """One process's share of a stage."""

    def __init__(
        self,
        folder: StageFolder,
        system: System,
        plan: Plan,
        logs: tuple[TrajectoryLog, ThermoLog],
        stop: StopRequest,
        latest: Checkpoint,
        start: State,
    ) -> None:
        self._folder, self._system, self._plan, self._stop = folder, system, plan, stop
        self._trajectory, self._thermo = logs
        self.latest, self._recorded = latest, latest.state.step
        self._progress = ProgressWriter(folder.path.parent, plan.name, plan.maximum_steps)
        self._pace, self._chunk = CheckpointPace(), ChunkLength()
        self._looks = steps_between_looks(plan.integrator)
        self._last_rows = np.empty((0, len(THERMO_COLUMNS)))
        self.substeps = read_substeps(folder.path)
        self._hottest = self._hottest_since(start)
        self._origin = _origin_of_displacements(system, plan.integrator, start)

    def _hottest_since(self, start: State) -> float:
        """Find the kT that a sound state stays near: that of the bath, or of a hotter beginning."""
        temperature, state = self._system.limits.temperature, self.latest.state
        found = [highest_temperature(self._plan.integrator), temperature(start)]
        if self.substeps.at(state.step) > 1:  # what is to be healed may be hot, not get hotter
            found.append(temperature(state))
        return float(max(found))

    def until_enough(self, review: Callable[[StageFolder], bool]) -> State:
        plan, state = self._plan, self.latest.state
        # A run that was killed in its review would else run to the next one; what was done before
        # may be enough for what is asked now.
        is_due = _next_review(plan, state.step - 1) == state.step
        is_due |= state.step >= plan.minimum_steps and self._folder.is_at_former_end
        if is_due and review(self._folder):
            return state
        try:
            simulation = self._set_up(state, self._system.mesh_under_way(state))
        except SimulationFailed as failure:
            failure.found_at(state.step, state.step, [])
            raise
        try:
            if self._trajectory.frames == 0:
                self._trajectory.append(state)
            next_review = _next_review(plan, state.step)
            while simulation.step < plan.maximum_steps:
                self._advance(simulation, next_review)
                state = self._record(simulation)
                if simulation.step >= next_review:
                    self._checkpoint(state)
                    if review(self._folder):
                        return state
                    next_review = _next_review(plan, simulation.step)
                if self._stop.reason is not None:
                    self._checkpoint(state)
                    raise Interrupted(f'{plan.name} stopped at step {state.step}')
                short_steps_end = self.substeps.at(state.step) != self._shortened_by
                is_look = state.step % self._looks == 0
                if short_steps_end or (is_look and box_has_changed(self._mesh_box, state.box)):
                    mesh = self._system.mesh_under_way(state)
                    simulation.close()
                    simulation = self._set_up(state, mesh)
            return state
        except SimulationFailed as failure:
            self._look_back(simulation, failure)
            raise
        finally:
            simulation.close()

    def _set_up(self, state: State, mesh: CoulombMesh | None) -> Simulation:
        plan = self._plan
        self._mesh_box = state.box
        self._shortened_by = self.substeps.at(state.step)
        simulation = self._system.simulation(
            state, plan.integrator, mesh, plan.name, plan.log_period, self._shortened_by
        )
        self._progress.restart(state.step)  # the time of setting up says nothing about speed
        return simulation

    def _advance(self, simulation: Simulation, next_review: int) -> None:
        """Run to the next frame, review, or end; not much longer than a second."""
        step = simulation.step
        goal = min(self._plan.schedule.next_frame(step), next_review, self._plan.maximum_steps)
        if self._shortened_by > 1:
            goal = min(goal, self.substeps.until)
        end = min(goal, step + self._chunk.steps, step + self._looks - step % self._looks)
        # LAMMPS tallies energies at the end of every run: an end that is logged costs no more.
        period = self._plan.log_period
        if period and end // period * period > step:
            end = end // period * period
        self._chunk.run(simulation, end - step)
        self._progress.update(simulation.step)

    def _record(self, simulation: Simulation) -> State:
        rows = self._take_rows(simulation)
        self._check_due(rows[:, 0], simulation.step)
        self._last_rows = np.concatenate([self._last_rows, rows])[-_ROWS_TO_LOOK_BACK:]
        state = simulation.state()
        # Before anything is kept: the files hold nothing that is not sound.
        check_rows(rows)
        self._system.limits.check(state, self._hottest)
        self._thermo.append(rows)
        if self._plan.schedule.is_due(simulation.step):
            self._trajectory.append(state)
        if self._pace.is_due:
            self._checkpoint(state)
        return state

    def _take_rows(self, simulation: Simulation) -> NDArray[np.float64]:
        rows = simulation.take_thermo_rows()
        rows[:, DISPLACEMENTS] -= self._origin
        return rows

    def _check_due(self, steps: NDArray[np.float64], step: int) -> None:
        """Check that the engine, which may keep rows in a file of its own, gave all due."""
        period = self._plan.log_period
        first = (self._recorded // period + 1) * period if period else step + 1
        due = list(range(first, step + 1, period or 1))
        if steps.tolist() != due:
            raise UserError(
                f'{self._plan.name}: {len(due)} log rows are due from step {self._recorded} to '
                f'{step}, and the engine gave {len(steps)}. Is the folder for temporary files, '
                f'{tempfile.gettempdir()}, full? Run it again: it resumes from its checkpoint.'
            )
        self._recorded = step

    def _checkpoint(self, state: State) -> None:
        started = time.monotonic()
        self._trajectory.flush()
        self._thermo.flush()
        self.latest = Checkpoint(state, self._trajectory.mark(), self._thermo.mark)
        write_checkpoint(self._folder.checkpoint, self.latest)
        self._pace.wrote(time.monotonic() - started)

    def _look_back(self, simulation: Simulation, failure: SimulationFailed) -> None:
        """Add to the failure where it happened, and the last rows, the engine's included."""
        rows = self._last_rows
        try:
            rows = np.concatenate([rows, self._take_rows(simulation)])
        except Exception as error:  # an engine that failed may not be able to say
            _logger.info('%s: the last thermo rows are lost (%s)', self._plan.name, error)
        failure.found_at(
            simulation.step, self.latest.state.step, as_records(rows[-_ROWS_TO_LOOK_BACK:])
        )


def _origin_of_displacements(
    system: System, integrator: Integrator, start: State
) -> NDArray[np.float64]:
    """Sum |q| r over cations and over anions where a stage starts, ``(6,)``, in e sigma.

    It is NaN where the box changes: there the path of a bead is not the sum of its steps.
    """
    if isinstance(integrator, ConstantPressure):
        return np.full(6, np.nan)
    unwrapped = start.positions + start.images * start.box
    charges = system.charges
    return np.concatenate([np.maximum(sign * charges, 0) @ unwrapped for sign in (1, -1)])


def _next_review(plan: Plan, step: int) -> int:
    """Find the first review after `step`: at whole blocks, so that these are complete."""
    block, length = plan.schedule.block, plan.minimum_steps
    while length <= step:
        length = max(int(length * _REVIEW_GROWTH), length + block)
    return min(-(-length // block) * block, plan.maximum_steps)
