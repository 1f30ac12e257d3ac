"""The entries of a model file, each sound by itself.

Reduced units: lengths in sigma, energies in epsilon, masses in m, charges in e. Angles are in
degrees in the file.
"""

from __future__ import annotations

import itertools
import math
from typing import Annotated, Literal, Self

import pydantic
from pydantic import Field, NonNegativeFloat, PositiveFloat

from models.definitions import DefinitionsTable
from models.left_out import Entry
from models.molecules import Backbone, CounterIons, FreeMolecule, Monomer, Salt
from models.units import Units
from user_input import StrictModel, added_later


class Bead(Entry):
    """A bead type: mass in m, charge in e, diameter sigma."""

    mass: PositiveFloat = 1.0
    charge: float = 0.0
    sigma: PositiveFloat = 1.0


# Of each kind of pair interaction: what it needs.
_PAIR_KEYS: dict[str, tuple[str, ...]] = {
    'lj': ('cut',),
    'wca': (),
    'none': (),
    'mie': ('n', 'm', 'cut'),
    'table': ('r', 'energy'),
}
_HINTS = {
    'cut': ', in units of sigma_ij (2.5 is usual)',
    'r': " and 'energy', or a 'file' of both",
}
_FEWEST_ROWS = 4  # of a cubic spline


class PairInteraction(StrictModel):
    """A non-bonded interaction; docs/models.md has the formula of each kind and its keys.

    Cut-offs are in units of sigma_ij, `solvation` is in epsilon. Distances `r` of a table are in
    sigma and ascend to the cut-off.
    """

    kind: Literal['lj', 'wca', 'none', 'mie', 'table']
    epsilon: PositiveFloat = 1.0
    cut: PositiveFloat | None = None
    n: PositiveFloat | None = added_later(None)
    m: PositiveFloat | None = added_later(None)
    r: tuple[NonNegativeFloat, ...] | None = added_later(None)
    energy: tuple[float, ...] | None = added_later(None)
    solvation: PositiveFloat | None = added_later(None)
    solvation_cut: PositiveFloat | None = added_later(None)

    @pydantic.model_validator(mode='after')
    def _keys_belong_to_kind(self) -> Self:
        needed = _PAIR_KEYS[self.kind]
        for key in ('cut', 'n', 'm', 'r', 'energy'):
            given = getattr(self, key) is not None
            if key in needed and not given:
                hint = _HINTS.get(key, '')
                raise ValueError(f"kind '{self.kind}' needs '{key}'{hint}")
            if given and key not in needed:
                others = ' or '.join(
                    f"'{kind}'" for kind, keys in _PAIR_KEYS.items() if key in keys
                )
                raise ValueError(
                    f"kind '{self.kind}' takes no '{key}': remove it or use kind {others}"
                )
        return self

    @pydantic.model_validator(mode='after')
    def _exponents_bind(self) -> Self:
        if self.n is not None and self.m is not None and self.n <= self.m:
            raise ValueError(f'n = {self.n:g} must be above m = {self.m:g}, or nothing repels')
        return self

    @pydantic.model_validator(mode='after')
    def _table_has_a_shape(self) -> Self:
        r, energy = self.r or (), self.energy or ()
        if self.kind != 'table':
            return self
        if len(r) != len(energy) or len(r) < _FEWEST_ROWS:
            raise ValueError(
                f"'r' has {len(r)} numbers and 'energy' {len(energy)}: give as many of each, at "
                f'least {_FEWEST_ROWS}'
            )
        for before, after in itertools.pairwise(r):
            if after <= before:
                raise ValueError(f"'r' must ascend, but {after:g} follows {before:g}")
        if r[0] > 0 and energy[0] <= energy[1]:
            raise ValueError(
                f'the table begins at r = {r[0]:g} with a force that does not repel, and below it '
                'the force stays the same: add rows at smaller r'
            )
        return self

    @pydantic.model_validator(mode='after')
    def _solvation_is_whole(self) -> Self:
        if (self.solvation is None) != (self.solvation_cut is None):
            raise ValueError(
                "'solvation' and 'solvation_cut', in units of sigma_ij, go together: give both"
            )
        if self.solvation is not None and self.kind not in ('lj', 'wca'):
            raise ValueError(f"kind '{self.kind}' takes no 'solvation': use kind 'lj' or 'wca'")
        return self


class PairException(PairInteraction):
    """A pair that departs from the default interaction.

    Attributes:
        beads: Two bead types; '*' for one of them means every bead type. A named pair goes
            before one with '*'.
        sigma: Replaces the arithmetic mean of the two diameters.
    """

    beads: tuple[str, str]
    sigma: PositiveFloat | None = None


class FeneBond(StrictModel):
    """Bond of energy -k r0_max^2/2 ln(1 - (r/r0_max)^2) + U_WCA(r) (Kremer and Grest 1990).

    U_WCA = 4 epsilon [(sigma/r)^12 - (sigma/r)^6] + epsilon below 2^(1/6) sigma, else 0.
    """

    kind: Literal['fene'] = 'fene'
    k: PositiveFloat
    r0_max: PositiveFloat
    epsilon: PositiveFloat = 1.0
    sigma: PositiveFloat = 1.0

    @pydantic.model_validator(mode='after')
    def _limit_beyond_contact(self) -> Self:
        contact = 2 ** (1 / 6) * self.sigma
        if self.r0_max <= contact:
            raise ValueError(
                f'r0_max = {self.r0_max:g} does not reach beyond the WCA contact at '
                f'2^(1/6) sigma = {contact:.4g}: make r0_max larger (1.5 sigma is usual)'
            )
        return self


class HarmonicBond(StrictModel):
    """Bond of energy k/2 (r - r0)^2."""

    kind: Literal['harmonic'] = 'harmonic'
    k: PositiveFloat
    r0: PositiveFloat


class _BentAngle(StrictModel):
    kind: str
    k: PositiveFloat
    theta0: Annotated[float, Field(ge=0.0, le=180.0)]

    @property
    def radians(self) -> float:
        """`theta0` in radians."""
        return math.radians(self.theta0)


class HarmonicAngle(_BentAngle):
    """Angle of energy k/2 (theta - theta0)^2, `theta0` in degrees, k per rad^2."""

    kind: Literal['harmonic'] = 'harmonic'


class CosineSquaredAngle(_BentAngle):
    """Angle of energy k/2 (cos theta - cos theta0)^2, `theta0` in degrees."""

    kind: Literal['cosine_squared'] = 'cosine_squared'


class CosineAngle(StrictModel):
    """Angle of energy k (1 + cos theta): 0 where the chain goes straight on (theta = pi)."""

    kind: Literal['cosine'] = 'cosine'
    k: PositiveFloat


Bond = Annotated[FeneBond | HarmonicBond, Field(discriminator='kind')]
Angle = Annotated[HarmonicAngle | CosineSquaredAngle | CosineAngle, Field(discriminator='kind')]


class ModelEntries(Entry):
    """All entries of a model file; docs/models.md says what each means.

    The Coulomb energy is q1 q2 bjerrum_length / r in units of epsilon, whatever kT is; of a
    `permittivity` in a file with units `load_model` makes a Bjerrum length. `definitions` are no
    part of what is simulated.
    """

    name: str
    description: str
    units: Units | None = None
    beads: dict[str, Bead] = Field(min_length=1)
    default_pair: PairInteraction
    pairs: tuple[PairException, ...] = ()
    bonds: dict[str, Bond] = Field(min_length=1)
    angles: dict[str, Angle] = Field(default_factory=dict)
    monomers: dict[str, Monomer] = Field(min_length=1)
    backbone: Backbone
    counter_ions: dict[str, CounterIons] = Field(default_factory=dict)
    salts: dict[str, Salt] = added_later({})
    molecules: dict[str, FreeMolecule] = added_later({})
    bjerrum_length: NonNegativeFloat = 0.0
    permittivity: PositiveFloat | None = added_later(None)
    coulomb_between_bonded: bool | None = added_later(None)
    density: PositiveFloat
    definitions: DefinitionsTable = DefinitionsTable()

    @pydantic.model_validator(mode='after')
    def _permittivity_has_units(self) -> Self:
        if self.permittivity is not None and 'bjerrum_length' in self.model_fields_set:
            raise ValueError("give either 'permittivity' or 'bjerrum_length'")
        if self.permittivity is not None and self.units is None:
            raise ValueError("'permittivity' needs [units]; without them give 'bjerrum_length'")
        return self

    @property
    def bonds_along_backbones(self) -> tuple[str, ...]:
        """Types of the bonds along the backbones of molecules, each once."""
        within = (name for monomer in self.monomers.values() for name in monomer.path_bonds)
        return tuple(dict.fromkeys([self.backbone.bond, *within]))
