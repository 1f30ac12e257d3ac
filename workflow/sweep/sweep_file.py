"""Sweep files: a grid of state points over one model."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
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
from workflow.sweep.observables_table import ALL_OBSERVABLES, ObservablesTable
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


class Replicas(StrictModel):
    """How many independent jobs a state has: `minimum` at first, and never more than `maximum`."""

    minimum: Annotated[int, Field(gt=0)]
    maximum: Annotated[int, Field(gt=0)]

    @model_validator(mode='after')
    def _ordered(self) -> Self:
        if self.minimum > self.maximum:
            raise ValueError(f'minimum {self.minimum} exceeds maximum {self.maximum}')
        return self


class Grid(StrictModel):
    """Values of a state point; a list of values is an axis of the sweep.

    `replicas` are those of its states, where the sweep has others. Where the model has units, the
    relative permittivity may stand for the Bjerrum length: `load_sweep` makes one of the other.
    """

    chains: Axis[Count]
    degree_of_polymerisation: Axis[Count]
    kT: Axis[PositiveFloat] = [1.0]
    pressure: Axis[float] | None = None
    density: Axis[PositiveFloat] | None = None
    bjerrum_length: Axis[NonNegativeFloat] | None = None
    permittivity: Axis[PositiveFloat] | None = added_later(None)
    replicas: Annotated[Replicas | None, BeforeValidator(_as_range)] = added_later(None)

    @model_validator(mode='after')
    def _complete(self) -> Self:
        if (self.pressure is None) == (self.density is None):
            raise ValueError('give either pressure or density')
        if self.bjerrum_length is not None and self.permittivity is not None:
            raise ValueError('give either bjerrum_length or permittivity')
        return self

    def in_reduced_units(self, model: Model) -> Grid:
        """Return it with Bjerrum lengths for permittivities; UserError without units."""
        if self.permittivity is None:
            return self
        if model.units is None:
            raise UserError(
                f"grid.permittivity: model '{model.name}' has no [units], so that it has no "
                "length in nm: give 'bjerrum_length', in sigma."
            )
        lengths = list(map(model.units.bjerrum_length, self.permittivity))
        return self.model_copy(update={'bjerrum_length': lengths, 'permittivity': None})

    @property
    def axes(self) -> dict[str, list[Any]]:
        """The values of each axis that is given."""
        return self.model_dump(exclude={'replicas'}, exclude_none=True)

    def has(self, point: Mapping[str, Any]) -> bool:
        """Check whether a state point is one of its combinations."""
        return all(point[name] in values for name, values in self.axes.items())

    def points(self, model: Model) -> Iterator[dict[str, Any]]:
        """List all combinations, with the model's Bjerrum length where none is given."""
        axes = {'bjerrum_length': [model.bjerrum_length]} | self.axes
        for values in itertools.product(*axes.values()):
            yield dict(zip(axes, values, strict=True))


class Budget(StrictModel):
    """What a sweep may cost at most: steps of its stages, or hours of cores."""

    steps: Annotated[int, Field(gt=0)] | None = None
    core_hours: PositiveFloat | None = None

    @model_validator(mode='after')
    def _one(self) -> Self:
        if (self.steps is None) == (self.core_hours is None):
            raise ValueError('give either steps or core_hours')
        return self


class ActivationTable(StrictModel):
    """Which positive quantity's activation energy is fitted, where kT varies.

    It is told at a kT; None takes that next to the middle of 1/kT.
    """

    quantity: str = 'conductivity'
    at: PositiveFloat | None = None


class DecouplingTable(StrictModel):
    """What exponents are fitted over the states: `quantity` against 1/time, by names of times."""

    quantity: str = 'conductivity'
    against: Annotated[list[str], BeforeValidator(_as_list), Field(min_length=1)] = [
        'p2_1_over_e_time_*-side',
        'rheological_segmental_time',
        'pair_lifetime',
    ]


class ExtremumTable(StrictModel):
    """Of which quantities the report tells where they are highest, and where lowest.

    Attributes:
        maximum: Patterns of names; None takes those of which claims expect a maximum.
        minimum: Likewise.
    """

    maximum: Annotated[list[str], BeforeValidator(_as_list)] | None = None
    minimum: Annotated[list[str], BeforeValidator(_as_list)] | None = None


class ReportTable(StrictModel):
    """What the results of a sweep are shown against; part of no state point.

    Attributes:
        x: Dotted key of the state point; None takes the one monomer that carries charges, or else
            what varies.
        overview: What the first figure shows: names of panels, or OBSERVABLE:CURVE; None takes the
            key results.
        note: What a reader has to know of the sweep, such as how far its size matters.
    """

    x: str | None = None
    label: str | None = None
    overview: Annotated[list[str], Field(min_length=1)] | None = None
    claims: str | None = None
    note: str = ''
    activation: ActivationTable = ActivationTable()
    decoupling: DecouplingTable = DecouplingTable()
    extremum: ExtremumTable = added_later(ExtremumTable())

    @property
    def named_quantities(self) -> dict[str, list[str]]:
        """The patterns of quantities that it names itself, by their key."""
        found = {}
        for table in ('activation', 'decoupling', 'extremum'):
            given = getattr(self, table)
            for key in given.model_fields_set - {'at'}:
                names = getattr(given, key)
                found[f'{table}.{key}'] = [names] if isinstance(names, str) else names
        return found


class Sweep(StrictModel):
    """A sweep file.

    Attributes:
        model: Name of a shipped model, or path of a model file beside the sweep file.
        replicas: Independent jobs per state: a number, or the least and the most.
        grids: In place of `grid`, several whose states are joined: many replicas of a small system
            and few of a large one, or more temperatures where other values are fewer.
        decide: What replicas are added for, within the budget: 'claims', or quantities with the
            relative half-width of their 95 % interval over replicas; None adds none.
    """

    name: SweepName
    model: str
    compositions: Annotated[list[dict[str, MoleFraction]], Field(min_length=1)]
    replicas: Annotated[Replicas, BeforeValidator(_as_range)] = Replicas(minimum=2, maximum=2)
    decide: Annotated[
        Literal['claims'] | dict[str, PositiveFloat] | None, BeforeValidator(_as_decide)
    ] = None
    budget: Budget | None = None
    grid: Grid | None = None
    grids: list[Grid] = added_later([])
    sequence: SequenceStatistics = IdealSequence()
    chain_lengths: ChainLengths = Monodisperse()
    architecture: Architecture = added_later(Linear())
    protocol: ProtocolTable = ProtocolTable()
    observables: ObservablesTable = ALL_OBSERVABLES
    report: ReportTable = ReportTable()
    definitions: DefinitionsTable = DefinitionsTable()

    @property
    def all_grids(self) -> list[Grid]:
        """Its one grid, or all of them."""
        return [self.grid] if self.grid else self.grids

    @property
    def most_replicas(self) -> Replicas:
        """The replicas of the states that may have most."""
        return max((each.replicas or self.replicas for each in self.all_grids), key=_most)

    def replicas_of(self, point: Mapping[str, Any]) -> Replicas:
        """Return the replicas that a state has, by the grid that wants most."""
        grids = [each for each in self.all_grids if each.has(point)]
        return max((e.replicas or self.replicas for e in grids), key=_most, default=self.replicas)

    @model_validator(mode='after')
    def _grids_are_given_once(self) -> Self:
        if bool(self.grids) == (self.grid is not None):
            raise ValueError('give either [grid] or [[grids]]')
        lengths = [each.bjerrum_length or each.permittivity for each in self.all_grids]
        if len({each is None for each in lengths}) > 1:
            raise ValueError("grids: give 'bjerrum_length' in each of them, or in none")
        return self

    @model_validator(mode='after')
    def _activation_is_within(self) -> Self:
        at = self.report.activation.at
        known = [kT for grid in self.all_grids for kT in grid.kT]
        if at is not None and not min(known) <= at <= max(known):
            raise ValueError(
                f'report.activation.at: {at:g} is outside of kT, {min(known):g} to {max(known):g}'
            )
        return self

    @model_validator(mode='after')
    def _replicas_are_added_for_something(self) -> Self:
        adds = self.most_replicas.maximum > self.most_replicas.minimum
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


def _most(replicas: Replicas) -> tuple[int, int]:
    return replicas.maximum, replicas.minimum


def load_sweep(path: Path) -> tuple[Sweep, Model]:
    """Read and check a sweep file and its model; UserError if anything in either is wrong."""
    sweep = validate(Sweep, read_toml(path), str(path))
    with error_context(path):
        is_file = sweep.model.endswith('.toml')
        model = load_model(path.parent / sweep.model if is_file else sweep.model)
        grids = [each.in_reduced_units(model) for each in sweep.all_grids]
        changed = {'grid': grids[0]} if sweep.grid else {'grids': grids}
        sweep = sweep.model_copy(update=changed)
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


def most_points(sweep: Sweep) -> int:
    """Count the state points of a sweep; those that several grids have count in each."""
    of_grids = (
        math.prod(map(len, grid.axes.values())) * (grid.replicas or sweep.replicas).minimum
        for grid in sweep.all_grids
    )
    return len(sweep.compositions) * sum(of_grids)


def state_points(sweep: Sweep, model: Model) -> Iterator[StatePoint]:
    """List the state points of a sweep, in the order of its file."""
    protocol, model_hash = sweep.protocol.without_limits, model.content_hash()
    for composition in sweep.compositions:
        for point, replicas in _grid_points(sweep, model):
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
            for replica in range(replicas):
                yield first.model_copy(update={'replica': replica})


def _grid_points(sweep: Sweep, model: Model) -> Iterator[tuple[dict[str, Any], int]]:
    """List the combinations of all grids, and their replicas; what several have comes once."""
    for n, grid in enumerate(sweep.all_grids):
        for point in grid.points(model):
            if not any(before.has(point) for before in sweep.all_grids[:n]):
                yield point, sweep.replicas_of(point).minimum


def _normalised(composition: dict[str, float]) -> dict[str, float]:
    """Drop absent monomers, and let the rest sum to 1 to the last digit that a float has."""
    total = math.fsum(composition.values())
    return {name: value / total for name, value in sorted(composition.items()) if value > 0}
