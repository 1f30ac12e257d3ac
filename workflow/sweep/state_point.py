"""What defines a job: everything that changes the result, and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from models.architecture import Architecture, Linear
from models.chain_length import ChainLengths, Monodisperse
from models.model import Model
from models.sequence import IdealSequence, SequenceStatistics
from user_input import StrictModel, added_later, validate
from workflow.sweep.protocol import Protocol

if TYPE_CHECKING:
    from gsd.hoomd import Frame


class StatePoint(StrictModel):
    """One simulation.

    Attributes:
        model_hash: Of its content: another content is another job.
        composition: Monomer to mole fraction.
        degree_of_polymerisation: Its number average, in monomers of a molecule.
        kT: Temperature in epsilon.
        pressure: In epsilon/sigma^3, for equilibration at constant pressure; or
        density: In beads/sigma^3, for constant volume throughout. One of the two is None.
        bjerrum_length: In sigma at kT = 1; the Coulomb energy does not change with kT.
        replica: Replicas differ in sequences, positions and velocities.
    """

    model: str
    model_hash: str
    composition: dict[str, float]
    sequence: SequenceStatistics = IdealSequence()
    chain_lengths: ChainLengths = Monodisperse()
    architecture: Architecture = added_later(Linear())
    chains: Annotated[int, Field(gt=0)]
    degree_of_polymerisation: Annotated[int, Field(gt=0)]
    kT: Annotated[float, Field(gt=0)]
    pressure: float | None = None
    density: Annotated[float, Field(gt=0)] | None = None
    bjerrum_length: Annotated[float, Field(ge=0)]
    protocol: Protocol = Protocol()
    replica: Annotated[int, Field(ge=0)]

    @model_validator(mode='after')
    def _one_of_pressure_and_density(self) -> Self:
        if (self.pressure is None) == (self.density is None):
            raise ValueError('give either pressure or density')
        return self


def as_plain_values(state_point: StatePoint) -> dict[str, Any]:
    """Convert a state point to what signac stores."""
    return state_point.model_dump(mode='json')


def read_state_point(values: dict[str, Any], where: str) -> StatePoint:
    """Read the state point that signac stores; UserError if another version made it."""
    return validate(StatePoint, values, where)


def derive_seed(state_point: Mapping[str, Any], *labels: str | int) -> int:
    """Derive a seed in [1, 2^31) from a state point and what it is used for."""
    text = json.dumps([state_point, list(labels)], sort_keys=True)
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], 'big') % (2**31 - 1) + 1


def melt_of(point: StatePoint, model: Model) -> Frame:
    """Build the melt of a state point, the same each time; UserError if it cannot be built."""
    from models.melt import build_melt  # not at the top: importing the project must not load gsd

    return build_melt(
        model,
        composition=point.composition,
        chains=point.chains,
        degree_of_polymerisation=point.degree_of_polymerisation,
        density=point.density,
        sequence=point.sequence,
        chain_lengths=point.chain_lengths,
        architecture=point.architecture,
        seed=derive_seed(as_plain_values(point), 'melt'),
    )
