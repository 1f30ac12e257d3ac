"""The stages of a simulation, in the order in which data flows: one row each.

Every list of stages follows from this one. A new stage is a row here, a table of its name in
`workflow/sweep/protocol.py`, and an integrator that the engines have. Light to import.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from analysis.observables import OBSERVABLES
from workflow.engines.contract import ConstantVolume, Integrator
from workflow.jobs import files as job_files
from workflow.jobs.failures import is_failed
from workflow.jobs.products import Product
from workflow.jobs.signac_files import state_point_of
from workflow.stages.segments import at_pressure, total_steps

if TYPE_CHECKING:
    from workflow.sweep.limits import Limits
    from workflow.sweep.state_point import StatePoint


class Kind(Enum):
    """What a stage does, which decides the function that runs it (`operations.run_stage`)."""

    BUILD = 'draws the melt'
    RELAX = 'undoes overlaps, in segments of its own'
    UNTIL_EQUILIBRIUM = 'runs until equilibration is detected; leaves its log and a state'
    UNTIL_PRECISE = 'runs until results are precise; leaves its log and its trajectory'
    OF_GIVEN_LENGTH = 'runs for the steps of its table; leaves its log and its trajectory'


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: Of its operation, of its folder, and of its table in the protocol.
        start: The file that it begins from.
        products: Files that it leaves, in the order of its kind; it is done when the last is there.
        integrator: How beads move; None where that is settled by its kind.
        is_optional: Whether only sweeps have it whose protocol has its table.
    """

    name: str
    kind: Kind
    start: str
    products: tuple[str, ...]
    integrator: Callable[[StatePoint], Integrator] | None = None
    is_optional: bool = False

    @property
    def last_product(self) -> str:
        """The file that shows that the stage is done."""
        return self.products[-1]

    @property
    def runs_engine(self) -> bool:
        """Whether it needs an engine, and works in a folder of its own."""
        return self.kind is not Kind.BUILD

    def product(self, name: str) -> Product:
        """Return one of its files, as a product."""
        return Product(name, self.name, self.last_product)

    def table(self, point: StatePoint) -> Any:
        """Look up its table in the protocol, of a stage that moves beads on; None without one."""
        return getattr(point.protocol, self.name)

    def most_steps(self, point: StatePoint, limits: Mapping[str, Limits]) -> int:
        """Count the steps that it takes at most, with the limits of all stages."""
        match self.kind:
            case Kind.BUILD:
                return 0
            case Kind.RELAX:
                return total_steps(point)
            case _ if (table := self.table(point)) is None:
                return 0
            case Kind.OF_GIVEN_LENGTH:
                return int(table.steps)
        return limits[self.name].maximum_steps

    def is_in(self, state_point: Mapping[str, Any]) -> bool:
        """Check whether a job of such a state point has this stage."""
        return not self.is_optional or self.name in state_point['protocol']

    def is_part_of(self, job: Any) -> bool:
        """Check whether a signac job has this stage."""
        return not self.is_optional or self.is_in(state_point_of(job))


def _at_constant_volume(point: StatePoint) -> Integrator:
    protocol = point.protocol
    return ConstantVolume(protocol.time_step, point.kT, protocol.sample.thermostat_time)


def _on_at_constant_volume(point: StatePoint) -> Integrator:
    protocol, table = point.protocol, point.protocol.dense_sample
    assert table is not None
    return ConstantVolume(protocol.time_step, point.kT, table.thermostat_time)


def _towards_equilibrium(point: StatePoint) -> Integrator:
    protocol, table = point.protocol, point.protocol.equilibrate
    if point.pressure is None:
        return ConstantVolume(protocol.time_step, point.kT, table.thermostat_time)
    return at_pressure(point, point.pressure, point.kT)


STAGES = (
    Stage('build', Kind.BUILD, job_files.MODEL, (job_files.BUILT,)),
    Stage('relax', Kind.RELAX, job_files.BUILT, (job_files.RELAXED,)),
    Stage(
        'equilibrate',
        Kind.UNTIL_EQUILIBRIUM,
        job_files.RELAXED,
        (job_files.EQUILIBRATION_THERMO, job_files.EQUILIBRATED),
        _towards_equilibrium,
    ),
    Stage(
        'sample',
        Kind.UNTIL_PRECISE,
        job_files.EQUILIBRATED,
        (job_files.THERMO, job_files.TRAJECTORY),
        _at_constant_volume,
    ),
    Stage(
        'dense_sample',
        Kind.OF_GIVEN_LENGTH,
        job_files.TRAJECTORY,
        (job_files.DENSE_THERMO, job_files.DENSE_TRAJECTORY),
        _on_at_constant_volume,
        is_optional=True,
    ),
)
ENGINE_STAGES = tuple(stage for stage in STAGES if stage.runs_engine)


def stage_named(name: str) -> Stage:
    """Look up the stage of that name."""
    return {stage.name: stage for stage in STAGES}[name]


def stage_product(name: str) -> Product:
    """Look up the file of that name that a stage leaves, as a product."""
    return {each: stage.product(each) for stage in STAGES for each in stage.products}[name]


def have_ended(jobs: Sequence[Any]) -> bool:
    """Check whether all signac jobs are done or have failed, and some are done."""
    done = [is_done(job) for job in jobs]
    pairs = zip(done, jobs, strict=True)
    return any(done) and all(ended or is_failed(job.path) for ended, job in pairs)


def analyses_of(job: Any) -> Iterator[str]:
    """Name the files that all analyses of a signac job leave, of the stages that it has.

    Those that every job has come first: of one that lacks them the state point is not read.
    """
    yield from (job_files.DEFINITIONS, job_files.PRODUCTION, job_files.STRUCTURE)
    yield from map(job_files.result_file, observables_of(job))


def is_done(job: Any) -> bool:
    """Check whether a signac job has every file that its stages and analyses leave."""
    products = (name for stage in STAGES if stage.is_part_of(job) for name in stage.products)
    return all(job.isfile(name) for name in itertools.chain(products, analyses_of(job)))


def observables_of(job: Any) -> list[str]:
    """Name the observables that a signac job has: its sweeps compute them, of a stage it has."""
    asked = job_files.observed(job.path)
    return [
        each.name
        for each in OBSERVABLES
        if each.name in asked and stage_named(each.source).is_part_of(job)
    ]
