"""Whether a time step follows the fastest motion of a melt: asked before anything is made."""

from __future__ import annotations

import math

from gsd.hoomd import Frame

from models.force_field import ForceField
from models.oscillation import fastest_motion
from user_input import UserError
from workflow.sweep.state_point import StatePoint

# Measured with velocity Verlet on Kremer-Grest melts at constant volume, kT from 0.3 to 12, and on
# isp at kT 1 and 1.5, over 60 tau each: melts break at 5.9 to 7.3 steps per period, and hold at 8
# and more. Below 8 is therefore refused.
_STEPS_PER_PERIOD = 8


def check_time_step(point: StatePoint, frame: Frame, field: ForceField) -> None:
    """Check that the time step of `point` can follow the melt at its hottest; UserError if not."""
    protocol = point.protocol
    hottest = max(point.kT, protocol.anneal.kT)
    motion = fastest_motion(frame, field, hottest)
    largest = motion.period / _STEPS_PER_PERIOD
    if protocol.time_step <= largest:
        return
    raise UserError(
        f"'protocol.time_step' = {protocol.time_step:g} would blow up: {motion.of} of model "
        f"'{point.model}' oscillates in {motion.period:.3g} tau at kT = {hottest:g}, and "
        f'{_STEPS_PER_PERIOD} steps to an oscillation are needed. Take a time step of '
        f'{_rounded_down(largest):g} or less, or make that interaction softer in the model.'
    )


def _rounded_down(value: float) -> float:
    """Round down to two digits."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return math.floor(value / unit) * unit
