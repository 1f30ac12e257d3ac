"""What shapes the trajectory of each stage: part of the state point.

How long a stage runs is no part of it: see `limits`. Lengths are in steps, times in tau, energies
in epsilon, distances in sigma.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from user_input import StrictModel
from workflow.sweep.frame_schedule import BlockSchedule, NoFrames

Steps = Annotated[int, Field(gt=0, le=2**53)]  # to which a float can count
Positive = Annotated[float, Field(gt=0)]

# Of the log of a stage.
FEWEST_ROWS = 40
_FEWEST_DENSE_FRAMES = 40


class PushOff(StrictModel):
    """Soft repulsion that grows in steps until no two beads overlap.

    It begins below kT: uneven density then evens out while chains still pass through one another.
    Begun at 2 kT with 500 steps each, it left <R^2(n)> of Kremer-Grest chains of 20 too large by
    3 % at n = 5 and 9 % at n = 19; begun at 0.5 kT, it leaves them at most 3.4 % too small (2,500
    chains, LAMMPS, errors of 0.4 to 1.5 %; the check is in `validation/sections/melts.py`).
    """

    heights: tuple[Positive, ...] = (0.5, 1.0, 2.0, 4.0, 8.0, 30.0, 100.0)
    steps: Steps = 500
    friction: Positive = 1.0


class Anneal(StrictModel):
    """Time at a higher temperature, and a linear way back in even steps."""

    kT: Positive = 1.5
    steps: Steps = 2000
    cooling_steps: Steps = 2000


class Equilibrate(StrictModel):
    """Run until equilibration is detected, from the log alone."""

    thermostat_time: Positive = 1.0
    barostat_time: Positive = 5.0

    def schedule(self, log_period: int) -> BlockSchedule:
        """Plan no frames: of a million beads they were 1 TB in ten million steps."""
        return NoFrames(FEWEST_ROWS // 2 * log_period, 1)


class Sample(StrictModel):
    """Run at constant volume until the precision is reached.

    Frames are log-spaced: see `BlockSchedule`.
    """

    thermostat_time: Positive = 10.0
    shortest_interval: Steps = 10
    doublings: Annotated[int, Field(ge=1, le=40)] = 10

    def schedule(self, log_period: int) -> BlockSchedule:
        """Plan when frames are written, whatever the log's period."""
        del log_period
        return BlockSchedule(self.shortest_interval, self.doublings)


class DenseSample(StrictModel):
    """Go on at constant volume for a number of steps, with close and evenly spaced frames.

    For what begins and ends between the frames of `Sample`, such as a contact that is broken and
    made again. All of it is measured: it begins where sampling ended.
    """

    thermostat_time: Positive = 10.0
    interval: Steps = 20
    steps: Steps = 20_000

    @model_validator(mode='after')
    def _has_frames(self) -> Self:
        if self.steps < _FEWEST_DENSE_FRAMES * self.interval:
            raise ValueError(
                f'steps {self.steps} hold fewer than {_FEWEST_DENSE_FRAMES} intervals of '
                f'{self.interval} steps'
            )
        return self

    def schedule(self, log_period: int) -> BlockSchedule:
        """Plan a frame after each interval, whatever the log's period."""
        del log_period
        return BlockSchedule(self.interval, 1)


class Protocol(StrictModel):
    """All stages, and what they share."""

    time_step: Annotated[float, Field(gt=0, le=0.02)] = 0.005
    coulomb_error: Annotated[float, Field(gt=1e-7, lt=0.5)] = 1e-3
    log_period: Steps = 10
    push_off: PushOff = PushOff()
    anneal: Anneal = Anneal()
    equilibrate: Equilibrate = Equilibrate()
    sample: Sample = Sample()
    dense_sample: DenseSample | None = None

    @model_serializer(mode='wrap')
    def _without_absent_tables(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A sweep that does not ask for an optional stage has the jobs that it had before there was
        # one: the ids of jobs are made of this.
        return {name: value for name, value in serialise(self).items() if value is not None}
