"""Claims of others about a sweep: their files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from models.model import Model
from user_input import StrictModel, UserError, read_toml, validate
from workflow.sweep.observables_table import ALL_OBSERVABLES, ObservablesTable

# Quantities that take several states of a sweep, and that claims may name.
ACTIVATION_ENERGY = 'activation_energy'
RELATIONS = (ACTIVATION_ENERGY,)

ROOT = Path(__file__).parents[2]
# Places are written with two digits: 0.67 is 2/3.
PLACE_TOLERANCE = 0.02


class Expectation(StrictModel):
    """What a claim says of a quantity along the axis: one of these.

    Attributes:
        trend: From the first place to the last.
        maximum_at: The place where it is largest.
        minimum_at: The place where it is smallest.
        greater: Two places: it is greater at the first.
    """

    trend: Literal['falls', 'rises'] | None = None
    maximum_at: float | None = None
    minimum_at: float | None = None
    greater: tuple[float, float] | None = None

    @model_validator(mode='after')
    def _two_places(self) -> Self:
        if self.greater is not None and math.isclose(*self.greater, rel_tol=PLACE_TOLERANCE):
            raise ValueError('greater: needs two different places')
        return self

    @model_validator(mode='after')
    def _one(self) -> Self:
        given = (self.trend, self.maximum_at, self.minimum_at, self.greater)
        if sum(each is not None for each in given) != 1:
            raise ValueError(
                "give 'falls', 'rises', { maximum_at = PLACE }, { minimum_at = PLACE } or "
                '{ greater = [PLACE, PLACE] }'
            )
        return self


class Claim(StrictModel):
    """One claim: what is claimed, and where.

    Attributes:
        quantity: Patterns of the names of quantities, as of file names.
        expect: What is claimed of them; None where it cannot be tested.
        not_tested: Why it cannot.
    """

    text: str
    source: str
    quantity: Annotated[list[str], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)] = []
    expect: Annotated[
        Expectation | None, BeforeValidator(lambda v: {'trend': v} if isinstance(v, str) else v)
    ] = None
    not_tested: str = ''

    @model_validator(mode='after')
    def _tested_or_not(self) -> Self:
        if (self.expect is None) == (not self.not_tested):
            raise ValueError("give either 'expect' or the reason why it is 'not_tested'")
        if self.expect is not None and not self.quantity:
            raise ValueError("'expect' needs a 'quantity'")
        return self


class Claims(StrictModel):
    """A file of claims: whose they are, what else a reader has to know, and each of them."""

    title: str
    note: str = ''
    claim: Annotated[list[Claim], Field(min_length=1)]

    def quantities(self, kind: str) -> list[str]:
        """List the patterns of quantities of which something of a kind is expected."""
        return [
            pattern
            for claim in self.claim
            if claim.expect is not None and getattr(claim.expect, kind) is not None
            for pattern in claim.quantity
        ]


def read_claims(
    name: str,
    sweep_path: Path,
    model: Model,
    observables: ObservablesTable = ALL_OBSERVABLES,
) -> Claims:
    """Read a file of claims, named relative to the sweep file or else to this project's folder.

    Raises:
        UserError: If there is no such file, something in it is wrong, or a pattern fits no
            quantity of the model that is computed.
    """
    places = [sweep_path.parent / name, ROOT / name]
    path = next((each for each in places if each.is_file()), None)
    if path is None:
        raise UserError(
            f"{sweep_path}: report.claims: there is no file '{name}' beside it or in {ROOT}. "
            'Correct the path, or leave the key out.'
        )
    claims = validate(Claims, read_toml(path), str(path))
    for number, claim in enumerate(claims.claim):
        for pattern in claim.quantity if claim.expect else ():
            if pattern not in RELATIONS:
                where, of = f'{path}: claim.{number}.quantity', f" of model '{model.name}'"
                observables.check_quantity(pattern, model.beads, model.bonds, where, of)
    return claims
