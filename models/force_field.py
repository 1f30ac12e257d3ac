"""The force field as resolved tables: everything that an engine needs, nothing it must decide."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
from numpy.typing import NDArray

from models.entries import AngleEntry, BondEntry, FeneBondEntry, HarmonicAngleEntry, PairException
from models.model import Model
from models.model_checks import matching_exceptions
from user_input import UserError

WCA_CUT = 2 ** (1 / 6)

FloatArray = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class FeneBond:
    """Bond of energy -k r0^2/2 ln(1 - (r/r0)^2) + U_WCA(r) (Kremer and Grest 1990).

    U_WCA = 4 epsilon [(sigma/r)^12 - (sigma/r)^6] + epsilon below 2^(1/6) sigma, else 0.
    """

    k: float
    r0: float
    epsilon: float
    sigma: float


@dataclasses.dataclass(frozen=True)
class HarmonicBond:
    """Bond of energy k/2 (r - r0)^2."""

    k: float
    r0: float


@dataclasses.dataclass(frozen=True)
class HarmonicAngle:
    """Angle of energy k/2 (theta - theta0)^2, `theta0` in radians."""

    k: float
    theta0: float


@dataclasses.dataclass(frozen=True)
class CosineSquaredAngle:
    """Angle of energy k/2 (cos theta - cos theta0)^2, `theta0` in radians."""

    k: float
    theta0: float


Bond = FeneBond | HarmonicBond
Angle = HarmonicAngle | CosineSquaredAngle


@dataclasses.dataclass(frozen=True, eq=False)
class ForceField:
    """Interactions of T bead types, in reduced units.

    Every pair of types has U(r) = 4 epsilon [(sigma/r)^12 - (sigma/r)^6], cut at `pair_cutoff`
    and shifted to zero there; WCA is the cut at 2^(1/6) sigma. Bonded neighbours (1-2) do not
    feel the pair force, 1-3 and further ones do. The Coulomb energy is
    q1 q2 bjerrum_length / r.

    Attributes:
        masses: Shape (T,).
        charges: Shape (T,), in e.
        sigma: Shape (T,), bead diameters.
        pair_epsilon: Shape (T, T), 0 where there is no interaction.
        pair_sigma: Shape (T, T).
        pair_cutoff: Shape (T, T), a distance; 0 where there is no interaction.
        bjerrum_length: 0 if there are no charges.
    """

    bead_types: tuple[str, ...]
    masses: FloatArray
    charges: FloatArray
    sigma: FloatArray
    pair_epsilon: FloatArray
    pair_sigma: FloatArray
    pair_cutoff: FloatArray
    bonds: dict[str, Bond]
    angles: dict[str, Angle]
    bjerrum_length: float

    def type_pairs(self) -> list[tuple[int, int]]:
        """List the indices of all pairs of bead types, each once."""
        return list(itertools.combinations_with_replacement(range(len(self.bead_types)), 2))

    @property
    def largest_cutoff(self) -> float:
        """The longest range of a pair interaction, Coulomb apart."""
        return float(self.pair_cutoff.max())

    @property
    def is_charged(self) -> bool:
        """Whether there is a Coulomb energy to compute: charges, and a Bjerrum length above 0."""
        return self.bjerrum_length > 0.0


def force_field(model: Model, bjerrum_length: float | None = None) -> ForceField:
    """Resolve the tables of `model`; UserError if the Bjerrum length is negative or not a number.

    `bjerrum_length` replaces the model's own, in sigma at kT = 1; 0 turns Coulomb off.
    """
    if bjerrum_length is None:
        bjerrum_length = model.bjerrum_length
    if not 0.0 <= bjerrum_length < np.inf:
        raise UserError(f'bjerrum_length = {bjerrum_length}: give a length in sigma, 0 or more.')
    charges = np.array([bead.charge for bead in model.beads.values()])
    pair_epsilon, pair_sigma, pair_cutoff = _pair_tables(model)
    return ForceField(
        bead_types=tuple(model.beads),
        masses=np.array([bead.mass for bead in model.beads.values()]),
        charges=charges,
        sigma=np.array([bead.sigma for bead in model.beads.values()]),
        pair_epsilon=pair_epsilon,
        pair_sigma=pair_sigma,
        pair_cutoff=pair_cutoff,
        bonds={name: bond_parameters(entry) for name, entry in model.bonds.items()},
        angles={name: _angle_parameters(entry) for name, entry in model.angles.items()},
        bjerrum_length=float(bjerrum_length) if np.any(charges) else 0.0,
    )


def bond_parameters(entry: BondEntry) -> Bond:
    """Resolve the bond type that a model file gives as `entry`."""
    if isinstance(entry, FeneBondEntry):
        return FeneBond(k=entry.k, r0=entry.r0_max, epsilon=entry.epsilon, sigma=entry.sigma)
    return HarmonicBond(k=entry.k, r0=entry.r0)


def _angle_parameters(entry: AngleEntry) -> Angle:
    theta0 = float(np.radians(entry.theta0))
    if isinstance(entry, HarmonicAngleEntry):
        return HarmonicAngle(k=entry.k, theta0=theta0)
    return CosineSquaredAngle(k=entry.k, theta0=theta0)


def _pair_tables(model: Model) -> tuple[FloatArray, FloatArray, FloatArray]:
    size = len(model.beads)
    epsilon, sigma, cutoff = np.zeros((3, size, size))
    for i, (first, bead) in enumerate(model.beads.items()):
        for j, (second, other) in enumerate(model.beads.items()):
            exceptions = matching_exceptions(model, first, second)
            interaction = exceptions[0] if exceptions else model.default_pair
            sigma[i, j] = 0.5 * (bead.sigma + other.sigma)
            if isinstance(interaction, PairException) and interaction.sigma is not None:
                sigma[i, j] = interaction.sigma
            if interaction.kind != 'none':
                epsilon[i, j] = interaction.epsilon
                cutoff[i, j] = sigma[i, j] * (interaction.cut or WCA_CUT)
    return epsilon, sigma, cutoff
