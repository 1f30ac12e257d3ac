"""Sweep files: a grid of state points over one model."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    model_validator,
)

from models.architecture import Architecture, Linear
from models.chain_length import ChainLengths, Monodisperse
from models.definitions import DefinitionsTable
from models.model import Model, load_model
from models.sequence import IdealSequence, SequenceStatistics, check_composition
from user_input import (
    Ratio,
    StrictModel,
    UserError,
    added_later,
    error_context,
    nearest_name,
    read_toml,
    validate,
)
from workflow.sweep.limits import ProtocolTable
from workflow.sweep.state_point import StatePoint
from workflow.sweep.sweep_name import SweepName


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _as_range(value: Any) -> Any:
    """Read a number of replicas that is the least and the most."""
    return {'minimum': value, 'maximum': value} if isinstance(value, int) else value


def _as_decide(value: Any) -> Any:
    if isinstance(value, str) and value != 'claims':
        raise ValueError("give 'claims', or a table of quantities and half-widths")
    return value


Value = TypeVar('Value')
Count = Annotated[int, Field(gt=0, le=1_000_000_000)]
Axis = Annotated[list[Value], BeforeValidator(_as_list), Field(min_length=1)]
MoleFraction = Annotated[Ratio, Field(ge=0, le=1)]


class Grid(StrictModel):
    """Values of a state point; a list of values is an axis of the sweep.

    `chains` may be given by `[[sizes]]` in its place.
    """

    chains: Axis[Count] | None = None
    degree_of_polymerisation: Axis[Count]
    kT: Axis[PositiveFloat] = [1.0]
    pressure: Axis[float] | None = None
    density: Axis[PositiveFloat] | None = None
    bjerrum_length: Axis[NonNegativeFloat] | None = None

    @model_validator(mode='after')
    def _complete(self) -> Self:
        if (self.pressure is None) == (self.density is None):
            raise ValueError('give either pressure or density')
        return self

    def points(self, model: Model, chains: Sequence[int]) -> Iterator[dict[str, Any]]:
        """List all combinations, with the model's Bjerrum length where none is given."""
        axes = {'chains': chains} | self.model_dump(exclude={'chains'}, exclude_none=True)
        axes.setdefault('bjerrum_length', [model.bjerrum_length])
        for values in itertools.product(*axes.values()):
            yield dict(zip(axes, values, strict=True))


class Replicas(StrictModel):
    """How many independent jobs a state has: `minimum` at first, and never more than `maximum`."""

    minimum: Annotated[int, Field(gt=0)]
    maximum: Annotated[int, Field(gt=0)]

    @model_validator(mode='after')
    def _ordered(self) -> Self:
        if self.minimum > self.maximum:
            raise ValueError(f'minimum {self.minimum} exceeds maximum {self.maximum}')
        return self


class Size(StrictModel):
    """A size of the system: its chains, and its replicas where the sweep has others."""

    chains: Count
    replicas: Annotated[Replicas | None, BeforeValidator(_as_range)] = None


class Budget(StrictModel):
    """What a sweep may cost at most: steps of its stages, or hours of cores."""

    steps: Annotated[int, Field(gt=0)] | None = None
    core_hours: PositiveFloat | None = None

    @model_validator(mode='after')
    def _one(self) -> Self:
        if (self.steps is None) == (self.core_hours is None):
            raise ValueError('give either steps or core_hours')
        return self


class ReportTable(StrictModel):
    """What the results of a sweep are shown against; part of no state point.

    Attributes:
        x: Dotted key of the state point; None takes the one monomer that carries charges, or else
            what varies.
        label: Of the axis in figures; None follows from `x`.
        overview: What the first figure shows: names of panels, or OBSERVABLE:CURVE; None takes the
            key results.
        claims: File of claims that the results are held against.
        note: What a reader has to know of the sweep, such as how far its size matters.
    """

    x: str | None = None
    label: str | None = None
    overview: Annotated[list[str], Field(min_length=1)] | None = None
    claims: str | None = None
    note: str = ''


class Sweep(StrictModel):
    """A sweep file.

    Attributes:
        name: Names the results folder.
        model: Name of a shipped model, or path of a model file beside the sweep file.
        compositions: Each a monomer -> mole fraction.
        replicas: Independent jobs per state: a number, or the least and the most.
        sizes: In place of `grid.chains`, where sizes have replicas of their own: many of a small
            one, few of a large one.
        decide: What replicas are added for: 'claims', or quantities with the relative half-width of
            their 95 % interval over replicas; None adds none.
        budget: Nothing is added beyond it.
        definitions: What its results are defined with; part of no state point.
    """

    name: SweepName
    model: str
    compositions: Annotated[list[dict[str, MoleFraction]], Field(min_length=1)]
    replicas: Annotated[Replicas, BeforeValidator(_as_range)] = Replicas(minimum=2, maximum=2)
    decide: Annotated[
        Literal['claims'] | dict[str, PositiveFloat] | None, BeforeValidator(_as_decide)
    ] = None
    budget: Budget | None = None
    sizes: list[Size] = added_later([])
    grid: Grid
    sequence: SequenceStatistics = IdealSequence()
    chain_lengths: ChainLengths = Monodisperse()
    architecture: Architecture = added_later(Linear())
    protocol: ProtocolTable = ProtocolTable()
    report: ReportTable = ReportTable()
    definitions: DefinitionsTable = DefinitionsTable()

    @property
    def chains(self) -> list[int]:
        """All sizes, in the order of the file."""
        return [each.chains for each in self.sizes] or list(self.grid.chains or ())

    def replicas_of(self, chains: int) -> Replicas:
        """Return the replicas that each state of a size has."""
        own = {each.chains: each.replicas for each in self.sizes}
        return own.get(chains) or self.replicas

    @model_validator(mode='after')
    def _sizes_are_given_once(self) -> Self:
        if bool(self.sizes) == (self.grid.chains is not None):
            raise ValueError("give either 'chains' in [grid] or [[sizes]]")
        for chains in self.chains:
            if self.sizes and self.chains.count(chains) > 1:
                raise ValueError(f'sizes: chains = {chains} is there twice: remove one')
        return self

    @model_validator(mode='after')
    def _replicas_are_added_for_something(self) -> Self:
        adds = any(each.maximum > each.minimum for each in map(self.replicas_of, self.chains))
        if adds and self.decide is None:
            raise ValueError("replicas: a maximum needs decide = 'claims', or quantities to decide")
        if self.decide is not None and not adds:
            raise ValueError('decide: needs replicas = { minimum = 3, maximum = 12 } or the like')
        if self.decide == 'claims' and self.report.claims is None:
            raise ValueError("decide: 'claims' needs a file of claims, as `claims` in [report]")
        if self.budget is not None and self.decide is None:
            raise ValueError("budget: is that of adding replicas: it needs 'decide'")
        if self.decide == {}:
            raise ValueError("decide: name at least one quantity, or 'claims'")
        if isinstance(self.decide, dict):
            twice = sorted(self.decide.keys() & self.protocol.sample.precision.keys())
            if twice:
                raise ValueError(
                    f'decide: {twice[0]} is in protocol.sample.precision too, which is that of a '
                    'single run: give one of the two'
                )
        return self


def load_sweep(path: Path) -> tuple[Sweep, Model]:
    """Read and check a sweep file and its model; UserError if anything in either is wrong."""
    sweep = validate(Sweep, read_toml(path), str(path))
    with error_context(path):
        model = load_model(_model_reference(sweep.model, path))
        for composition in sweep.compositions:
            check_composition(composition, model.monomers)
        # a block of no monomer of the composition is left out, so that a slip would not show
        for monomer in getattr(sweep.sequence, 'blocks', ()):
            if monomer not in model.monomers:
                raise UserError(
                    f"sequence: 'blocks' names '{monomer}', and the model has no such monomer. "
                    f'{nearest_name(monomer, model.monomers)}'
                )
    return sweep, model


def number_of_points(sweep: Sweep) -> int:
    """Count the state points of a sweep."""
    axes = sweep.grid.model_dump(exclude={'chains'}, exclude_none=True)
    of_sizes = sum(sweep.replicas_of(chains).minimum for chains in sweep.chains)
    return len(sweep.compositions) * of_sizes * math.prod(map(len, axes.values()))


def state_points(sweep: Sweep, model: Model) -> Iterator[StatePoint]:
    """List the state points of a sweep, in the order of its file."""
    protocol, model_hash = sweep.protocol.without_limits, model.content_hash()
    for composition in sweep.compositions:
        for point in sweep.grid.points(model, sweep.chains):
            first = StatePoint(
                model=model.name,
                model_hash=model_hash,
                composition=_normalised(composition),
                sequence=sweep.sequence,
                chain_lengths=sweep.chain_lengths,
                architecture=sweep.architecture,
                protocol=protocol,
                replica=0,
                **point,
            )
            for replica in range(sweep.replicas_of(first.chains).minimum):
                yield first.model_copy(update={'replica': replica})


def _normalised(composition: dict[str, float]) -> dict[str, float]:
    """Drop absent monomers, and let the rest sum to 1 to the last digit that a float has."""
    total = math.fsum(composition.values())
    return {name: value / total for name, value in sorted(composition.items()) if value > 0}


def _model_reference(model: str, sweep_path: Path) -> str | Path:
    return sweep_path.parent / model if model.endswith('.toml') else model
