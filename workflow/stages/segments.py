"""The segments of relaxation: which integrators, and for how long. Light to import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workflow.engines.contract import ConstantPressure, Integrator, Langevin, SoftPushOff

if TYPE_CHECKING:
    from workflow.sweep.state_point import StatePoint

_COOLING_SEGMENTS = 5
# When the full forces come on, overlaps are gone but contacts are still strained: the first steps
# are short and strongly damped.
_SHORTENED_BY = (50, 10, 2)
_DAMPING = 10.0


@dataclass(frozen=True)
class Segment:
    """One integrator for a number of steps; velocities may be drawn before, at a temperature.

    `hottest` is the kT that a sound state stays near; None while overlaps are undone.
    """

    name: str
    integrator: Integrator
    steps: int
    redraw_velocities: float | None = None
    hottest: float | None = None


def segments(point: StatePoint) -> list[Segment]:
    """List the segments of relaxation, in order."""
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


def total_steps(point: StatePoint) -> int:
    """Add up the steps of all segments."""
    return sum(segment.steps for segment in segments(point))


def _ensemble(point: StatePoint, kT: float) -> Integrator:
    protocol = point.protocol
    if point.pressure is None:
        return Langevin(protocol.time_step, kT, protocol.push_off.friction)
    return at_pressure(point, point.pressure, kT)


def at_pressure(point: StatePoint, pressure: float, kT: float) -> ConstantPressure:
    """Make the barostat and thermostat of equilibration, at a pressure and a kT."""
    dt, limits = point.protocol.time_step, point.protocol.equilibrate
    return ConstantPressure(dt, kT, limits.thermostat_time, pressure, limits.barostat_time)
