"""How long the stages of a job run, and how precise its results are to be.

This is asked of a simulation and does not define it: no part of a state point. A sweep file has it
in the tables of its protocol; each job has it in a file of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

from pydantic import model_validator

from user_input import StrictModel
from workflow.sweep.protocol import (
    FEWEST_ROWS,
    DenseSample,
    Equilibrate,
    Positive,
    Protocol,
    Sample,
    Steps,
)

# Correlations need some origins at every lag, also after a start that is left out.
_FEWEST_BLOCKS = 8
# All of a dense stage is run, and each of its frames is kept and read.
_MOST_DENSE_STEPS, _MOST_DENSE_FRAMES = 10**9, 10**6


class Lengths(StrictModel):
    """The least and the most steps of a stage that runs until a review is content."""

    minimum_steps: Steps
    maximum_steps: Steps

    @model_validator(mode='after')
    def _are_ordered(self) -> Self:
        if self.minimum_steps > self.maximum_steps:
            raise ValueError(
                f'minimum_steps {self.minimum_steps} exceeds maximum_steps {self.maximum_steps}'
            )
        return self


class Limits(Lengths):
    """What is asked of one stage.

    `precision` is the relative half-width of the 95 % interval of a quantity, by its name in the
    results; a stage without any that is reviewed for it runs to its limit.
    """

    precision: dict[str, Positive] = {}

    def exceed(self, other: Limits) -> bool:
        """Return whether a stage may have to run for longer than with `other`."""
        return _joined(self, other) != other


class EquilibrateTable(Equilibrate, Lengths):
    """`[protocol.equilibrate]` of a sweep file."""

    minimum_steps: Steps = 10_000
    maximum_steps: Steps = 200_000


class SampleTable(Sample, Limits):
    """`[protocol.sample]` of a sweep file."""

    minimum_steps: Steps = 100_000
    maximum_steps: Steps = 2_000_000

    @model_validator(mode='after')
    def _holds_some_blocks(self) -> Self:
        block = self.schedule(1).block
        if self.minimum_steps < _FEWEST_BLOCKS * block:
            raise ValueError(
                f'minimum_steps {self.minimum_steps} is shorter than {_FEWEST_BLOCKS} blocks of '
                f'frames, each shortest_interval * 2^doublings = {block} steps'
            )
        return self


class DenseSampleTable(DenseSample):
    """`[protocol.dense_sample]` of a sweep file."""

    @model_validator(mode='after')
    def _is_whole_and_can_be_run(self) -> Self:
        frames, rest = divmod(self.steps, self.interval)
        if rest:
            raise ValueError(
                f'steps {self.steps} are no whole number of intervals of {self.interval} steps: '
                f'give {frames * self.interval} or {(frames + 1) * self.interval}'
            )
        if self.steps > _MOST_DENSE_STEPS:
            raise ValueError(
                f'steps {self.steps} are all run, whatever their precision: give at most '
                f'{_MOST_DENSE_STEPS}, twice the longest lifetime is enough'
            )
        if frames > _MOST_DENSE_FRAMES:
            raise ValueError(
                f'steps {self.steps} with an interval of {self.interval} make {frames} frames, '
                f'each of which is kept: give fewer steps or a longer interval, for at most '
                f'{_MOST_DENSE_FRAMES}'
            )
        return self


class ProtocolTable(Protocol):
    """`[protocol]` of a sweep file: the protocol, and the limits of its stages."""

    equilibrate: EquilibrateTable = EquilibrateTable()
    sample: SampleTable = SampleTable()
    dense_sample: DenseSampleTable | None = None

    @property
    def limits(self) -> dict[str, Limits]:
        """What is asked, by stage."""
        limits = split_limits(self.model_dump(mode='json'))[1]
        return {name: Limits.model_validate(each) for name, each in limits.items()}

    @property
    def without_limits(self) -> Protocol:
        """What defines a simulation."""
        return Protocol.model_validate(split_limits(self.model_dump(mode='json'))[0])

    @model_validator(mode='after')
    def _logs_often_enough(self) -> Self:
        shortest = min(each.minimum_steps for each in self.limits.values())
        if self.log_period > shortest // FEWEST_ROWS:
            raise ValueError(
                f'log_period {self.log_period} is too long for a stage of {shortest} steps: '
                f'at least {FEWEST_ROWS} rows are needed'
            )
        return self


def split_limits(protocol: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split the plain values of a sweep's protocol into what defines a simulation, and limits."""
    shapes, limits = dict(protocol), {}
    for name, table in protocol.items():
        if isinstance(table, Mapping) and 'maximum_steps' in table:
            limits[name] = {k: v for k, v in table.items() if k in Limits.model_fields}
            shapes[name] = {k: v for k, v in table.items() if k not in Limits.model_fields}
    return shapes, limits


def join_limits(several: Iterable[Mapping[str, Limits]]) -> dict[str, Limits]:
    """Ask of each stage what all of `several` ask: the most steps and the best precision."""
    found: dict[str, Limits] = {}
    for stages in several:
        for name, limits in stages.items():
            found[name] = _joined(found[name], limits) if name in found else limits
    return found


def _joined(one: Limits, other: Limits) -> Limits:
    both = (one, other)
    least = [each.minimum_steps for each in both]
    if one.precision or other.precision:  # who asks for none is content with nothing but its limit
        least += [each.maximum_steps for each in both if not each.precision]
    return Limits(
        minimum_steps=max(least),
        maximum_steps=max(each.maximum_steps for each in both),
        precision={
            name: min(each.precision[name] for each in both if name in each.precision)
            for name in one.precision | other.precision
        },
    )
