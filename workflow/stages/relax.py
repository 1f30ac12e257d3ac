"""From overlapping random walks to an annealed melt.

Soft repulsion first, so that chains keep their large-scale shape while beads move apart (Auhl et
al., J. Chem. Phys. 119, 12718 (2003)); then the full force field in short, damped steps; then time
at a higher temperature, and cooling.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from gsd.hoomd import Frame
from numpy.typing import NDArray

from workflow.engines.contract import Simulation, SoftPushOff, State
from workflow.engines.errors import SimulationFailed
from workflow.jobs.progress import ProgressWriter
from workflow.process import Interrupted, StopRequest
from workflow.stages.checkpoint import Checkpoint, read_latest_checkpoint, write_checkpoint
from workflow.stages.mesh_record import box_has_changed, steps_between_looks
from workflow.stages.pace import CheckpointPace, ChunkLength
from workflow.stages.segments import Segment, segments
from workflow.stages.stability import check_finite
from workflow.stages.substeps import Substeps, read_substeps
from workflow.stages.system import System
from workflow.sweep.state_point import StatePoint, derive_seed

_logger = logging.getLogger(__name__)

STAGE = 'relax'


def relax(
    folder: Path,
    system: System,
    point: StatePoint,
    start: Frame,
    stop: StopRequest,
    progress: ProgressWriter,
) -> State:
    """Run all segments from `start`, or from the checkpoint; return the relaxed state, at step 0.

    Raises:
        Interrupted: If a stop was requested; a checkpoint is written before.
        SimulationFailed: If beads stay overlapped, a bond too long, or motion becomes unstable.
    """
    folder.mkdir(exist_ok=True)
    saved = folder / 'checkpoint'
    # Their steps say where in the segments a state belongs; there are no outputs to agree with.
    checkpoint, notes = read_latest_checkpoint(saved, lambda _: '', start.particles.N)
    for note in notes:
        _logger.info('%s: %s', STAGE, note)
    state = state_of(start) if checkpoint is None else checkpoint.state
    if state.step:
        _logger.info('%s: resuming from step %d', STAGE, state.step)
    run = _Run(system, saved, read_substeps(folder), stop, progress, state.step)
    first = 0
    for segment in segments(point):
        end = first + segment.steps
        if segment.redraw_velocities is not None and state.step == first:
            rng = np.random.default_rng(derive_seed(system.state_point, 'velocities', segment.name))
            drawn = thermal_velocities(system.limits.masses, segment.redraw_velocities, rng)
            state = replace(state, velocities=drawn)
        while state.step < end:
            state = run.stretch(segment, state, end)
        first = end
    return replace(state, step=0)


def thermal_velocities(
    masses: NDArray[np.float64], kT: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw Maxwell-Boltzmann velocities ``(N, 3)`` without net momentum."""
    velocities = rng.standard_normal((len(masses), 3)) * np.sqrt(kT / masses)[:, None]
    velocities -= masses @ velocities / masses.sum()
    return np.asarray(velocities)


def state_of(frame: Frame) -> State:
    """Read the state that a frame holds; velocities it lacks are zero."""
    particles = frame.particles
    velocities = particles.velocity
    return State(
        int(frame.configuration.step),
        np.asarray(frame.configuration.box[:3], dtype=float),
        np.asarray(particles.position, dtype=float),
        np.asarray(particles.image, dtype=np.int32),
        np.zeros((particles.N, 3)) if velocities is None else np.asarray(velocities, dtype=float),
    )


@dataclass
class _Run:
    """One process's share of relaxation; `kept` is the step of the last checkpoint."""

    system: System
    saved: Path
    substeps: Substeps
    stop: StopRequest
    progress: ProgressWriter
    kept: int
    pace: CheckpointPace = field(default_factory=CheckpointPace)
    chunk: ChunkLength = field(default_factory=ChunkLength)

    def stretch(self, segment: Segment, state: State, end: int) -> State:
        """Run until `end`, or until mesh or time step are to be chosen again."""
        shortened_by = self.substeps.at(state.step)
        if shortened_by > 1:
            end = min(end, self.substeps.until)
        try:
            simulation = self._set_up(segment, state, shortened_by)
        except SimulationFailed as failure:
            failure.found_at(state.step, self.kept, [])
            raise
        mesh_box, period = state.box, steps_between_looks(segment.integrator)
        try:
            while simulation.step < end:
                if simulation.step % period == 0 and box_has_changed(mesh_box, state.box):
                    break
                to_look = period - simulation.step % period
                steps = min(self.chunk.steps, to_look, end - simulation.step)
                self.chunk.run(simulation, steps)
                self.progress.update(simulation.step)
                state = simulation.state()
                if segment.hottest is None:
                    check_finite(state)
                else:
                    self.system.limits.check(state, segment.hottest)
                stops = self.stop.reason is not None
                # A state in which overlaps are still undone is kept only where it must be.
                paced = segment.hottest is not None and self.pace.is_due
                if stops or paced or simulation.step == end:
                    self._checkpoint(state)
                if stops:
                    raise Interrupted(f'{STAGE} stopped in {segment.name} at step {state.step}')
            return state
        except SimulationFailed as failure:
            failure.found_at(simulation.step, self.kept, [])
            raise
        finally:
            simulation.close()

    def _set_up(self, segment: Segment, state: State, shortened_by: int) -> Simulation:
        soft = isinstance(segment.integrator, SoftPushOff)
        mesh = None if soft else self.system.mesh_under_way(state)
        simulation = self.system.simulation(
            state, segment.integrator, mesh, segment.name, shortened_by=shortened_by
        )
        self.progress.restart(state.step)  # the time of setting up says nothing about speed
        return simulation

    def _checkpoint(self, state: State) -> None:
        started = time.monotonic()
        write_checkpoint(self.saved, Checkpoint(state))
        self.kept = state.step
        self.pace.wrote(time.monotonic() - started)
