"""From overlapping random walks to an annealed melt.

Soft repulsion first, so that chains keep their large-scale shape while beads move apart (Auhl et
al., J. Chem. Phys. 119, 12718 (2003)); then the full force field in short, damped steps; then time
at a higher temperature, and cooling.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from gsd.hoomd import Frame
from numpy.typing import NDArray

from workflow.checkpoint import Checkpoint, DamagedCheckpoint, read_checkpoint, write_checkpoint
from workflow.engines.contract import (
    ConstantPressure,
    Integrator,
    Langevin,
    Simulation,
    SoftPushOff,
    State,
)
from workflow.engines.failure import SimulationFailed
from workflow.interruption import Interrupted, StopRequest
from workflow.mesh_choices import box_has_changed, most_steps_unseen
from workflow.progress import ProgressWriter
from workflow.seeds import derive_seed
from workflow.short_steps import ShortSteps, read_short_steps
from workflow.soundness import check_finite
from workflow.stage_run import System
from workflow.state_point import StatePoint

STAGE = 'relax'
_COOLING_SEGMENTS = 5
# When the full forces come on, overlaps are gone but contacts are still strained: the first steps
# are short and strongly damped.
_SHORTENED_BY = (50, 10, 2)
_DAMPING = 10.0
_CHUNK = 500


@dataclass(frozen=True)
class Segment:
    """One integrator for a number of steps.

    Attributes:
        name: Tells it from the others, for seeds and files.
        integrator: How the beads move.
        steps: How long.
        redraw_velocities: The temperature from which velocities are drawn anew before; None to
            keep them.
        hottest: The kT that a sound state stays near at its end; None while overlaps are undone.
    """

    name: str
    integrator: Integrator
    steps: int
    redraw_velocities: float | None = None
    hottest: float | None = None


def segments(point: StatePoint) -> list[Segment]:
    """The segments of relaxation, in order."""
    protocol, kT = point.protocol, point.kT
    push_off, anneal, dt = protocol.push_off, protocol.anneal, protocol.time_step
    hot = max(anneal.kT, kT)
    parts = [
        Segment(
            f'push_off_{i}',
            SoftPushOff(dt, kT, push_off.friction, height * kT),
            push_off.steps,
            kT if i == 0 else None,
        )
        for i, height in enumerate(push_off.heights)
    ]
    parts += [
        Segment(f'settle_{i}', Langevin(dt / shorter, kT, _DAMPING), push_off.steps)
        for i, shorter in enumerate(_SHORTENED_BY)
    ]
    parts.append(Segment('hot', _ensemble(point, hot), anneal.steps, hottest=hot))
    cooling = np.linspace(hot, kT, _COOLING_SEGMENTS + 1)[1:]
    steps = max(1, anneal.cooling_steps // _COOLING_SEGMENTS)
    parts += [
        Segment(f'cool_{i}', _ensemble(point, float(temperature)), steps, hottest=hot)
        for i, temperature in enumerate(cooling)
    ]
    return parts


def relax(
    folder: Path,
    system: System,
    point: StatePoint,
    start: Frame,
    stop: StopRequest,
    progress: ProgressWriter,
) -> State:
    """Run all segments from `start`; go on after the last whole one if some were run before.

    Args:
        folder: Holds the states after the last two segments while relaxation is under way.
        system: What is simulated.
        point: State point.
        start: The melt as built.
        stop: Asked between chunks.
        progress: Told of every chunk.

    Returns:
        The relaxed state, at step 0.

    Raises:
        Interrupted: If a stop was requested.
        SimulationFailed: If beads stay overlapped, a bond is overstretched, or motion becomes
            unstable.
    """
    folder.mkdir(exist_ok=True)
    parts, short_steps = segments(point), read_short_steps(folder)
    state, finished = _last_whole(folder, state_of(start), len(parts))
    done = sum(segment.steps for segment in parts[:finished])
    for number, segment in enumerate(parts[finished:], start=finished):
        state = _run_segment(system, segment, short_steps, state, stop, progress, done)
        write_checkpoint(_saved(folder, number), Checkpoint(state))
        # The one before is kept, for the case that this one is damaged.
        _saved(folder, number - 2).unlink(missing_ok=True)
        done += segment.steps
    return replace(state, step=0)


def total_steps(point: StatePoint) -> int:
    """Steps of all segments."""
    return sum(segment.steps for segment in segments(point))


def thermal_velocities(
    masses: NDArray[np.float64], kT: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Maxwell-Boltzmann velocities ``(N, 3)`` without net momentum."""
    velocities = rng.standard_normal((len(masses), 3)) * np.sqrt(kT / masses)[:, None]
    velocities -= masses @ velocities / masses.sum()
    return np.asarray(velocities)


def state_of(frame: Frame) -> State:
    """The state that a frame holds; velocities it lacks are zero."""
    particles = frame.particles
    nothing = np.zeros((particles.N, 3))
    return State(
        int(frame.configuration.step),
        np.asarray(frame.configuration.box[:3], dtype=float),
        np.asarray(particles.position, dtype=float),
        np.asarray(nothing if particles.image is None else particles.image, dtype=np.int32),
        np.asarray(nothing if particles.velocity is None else particles.velocity, dtype=float),
    )


def _saved(folder: Path, number: int) -> Path:
    return folder / f'segment_{number:03d}'


def _last_whole(folder: Path, start: State, segments: int) -> tuple[State, int]:
    """The state after the last segment that is whole on disk, and how many were run until it."""
    for number in reversed(range(segments)):
        saved = _saved(folder, number)
        if saved.exists():
            try:
                return read_checkpoint(saved).state, number + 1
            except DamagedCheckpoint as error:
                print(f'{STAGE}: {saved.name} is damaged ({error}) and is passed over')
    return start, 0


def _ensemble(point: StatePoint, kT: float) -> Integrator:
    protocol = point.protocol
    if point.pressure is None:
        return Langevin(protocol.time_step, kT, protocol.push_off.friction)
    return ConstantPressure(
        protocol.time_step,
        kT,
        protocol.equilibrate.thermostat_time,
        point.pressure,
        protocol.equilibrate.barostat_time,
    )


def _run_segment(
    system: System,
    segment: Segment,
    short_steps: ShortSteps,
    state: State,
    stop: StopRequest,
    progress: ProgressWriter,
    done: int,
) -> State:
    if segment.redraw_velocities is not None:
        rng = np.random.default_rng(derive_seed(system.state_point, 'velocities', segment.name))
        velocities = thermal_velocities(system.limits.masses, segment.redraw_velocities, rng)
        state = replace(state, velocities=velocities)
    began, shortened_by = state.step, short_steps.at(state.step)
    try:
        simulation = _set_up(system, segment, state, shortened_by)
    except SimulationFailed as failure:
        failure.found_at(began, began, [])
        raise
    mesh_box, left = state.box, segment.steps
    most = most_steps_unseen(segment.integrator)
    try:
        for steps in _chunks(segment.steps, min(_CHUNK, most or _CHUNK)):
            simulation.run(steps)
            done += steps
            progress.update(done)
            if stop.reason is not None:
                raise Interrupted(f'{STAGE} stopped in {segment.name}')
            left -= steps
            if most is None or not left:
                continue
            state = simulation.state()
            if box_has_changed(mesh_box, state.box):
                check_finite(state)
                simulation.close()
                simulation = _set_up(system, segment, state, shortened_by)
                mesh_box = state.box
        end = simulation.state()
        if segment.hottest is None:
            check_finite(end)
        else:
            system.limits.check(end, segment.hottest)
        return end
    except SimulationFailed as failure:
        failure.found_at(simulation.step, began, [])
        raise
    finally:
        simulation.close()


def _set_up(system: System, segment: Segment, state: State, shortened_by: int) -> Simulation:
    mesh = None if isinstance(segment.integrator, SoftPushOff) else system.mesh(state)
    return system.simulation(
        state, segment.integrator, mesh, segment.name, shortened_by=shortened_by
    )


def _chunks(steps: int, longest: int) -> Iterator[int]:
    for start in range(0, steps, longest):
        yield min(longest, steps - start)
