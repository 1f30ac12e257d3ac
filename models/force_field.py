"""The force field as resolved tables: everything that an engine needs, nothing it must decide."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.entries import Angle, Bond, PairException, PairInteraction
from models.model import Model
from models.model_checks import matching_exceptions
from models.pair_potentials import Mie, PairPotential, Tabulated, ion_solvation

WCA_CUT = 2 ** (1 / 6)

FloatArray = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class ForceField:
    """Interactions of T bead types, in reduced units.

    Every pair of types has U(r) = 4 epsilon [(sigma/r)^12 - (sigma/r)^6], cut at `pair_cutoff`
    and shifted to zero there, plus what `extra_pairs` has for it; WCA is the cut at
    2^(1/6) sigma. Bonded neighbours (1-2) do not feel the pair force, 1-3 and further ones do.
    The Coulomb energy is q1 q2 bjerrum_length / r.

    Masses, charges (in e) and bead diameters are of shape (T,), what is of pairs (T, T): epsilon
    and cut-off are 0 where there is no interaction. `extra_pairs` has by indices (i, j) of two
    types, i <= j, what acts beside Lennard-Jones. Without charges the Bjerrum length is 0.
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
    extra_pairs: dict[tuple[int, int], PairPotential] = dataclasses.field(default_factory=dict)
    coulomb_between_bonded: bool = False

    def type_pairs(self) -> list[tuple[int, int]]:
        """List the indices of all pairs of bead types, each once."""
        return list(itertools.combinations_with_replacement(range(len(self.bead_types)), 2))

    def pair_potentials(self, i: int, j: int) -> list[PairPotential]:
        """List what acts between types i <= j, Coulomb apart."""
        found: list[PairPotential] = []
        if self.pair_cutoff[i, j] > 0:
            table = (self.pair_epsilon, self.pair_sigma, self.pair_cutoff)
            epsilon, sigma, cutoff = (float(values[i, j]) for values in table)
            found.append(Mie(epsilon, sigma, 12.0, 6.0, cutoff))
        return found + [each for pair, each in self.extra_pairs.items() if pair == (i, j)]

    def masses_of(self, particles: Any) -> FloatArray:
        """Find the masses ``(N,)`` of particles of a frame, which orders types as it likes."""
        table = dict(zip(self.bead_types, self.masses, strict=True))
        return np.asarray(np.array([table[name] for name in particles.types])[particles.typeid])

    @property
    def largest_cutoff(self) -> float:
        """The longest range of a pair interaction, Coulomb apart."""
        extra = [potential.cutoff for potential in self.extra_pairs.values()]
        return max([float(self.pair_cutoff.max()), *extra])

    @property
    def is_charged(self) -> bool:
        """Whether there is a Coulomb energy to compute: charges, and a Bjerrum length above 0."""
        return self.bjerrum_length > 0.0


def force_field(model: Model, bjerrum_length: float | None = None) -> ForceField:
    """Resolve the tables of `model`.

    `bjerrum_length` replaces the model's own, in sigma at kT = 1; 0 turns Coulomb off.
    """
    if bjerrum_length is None:
        bjerrum_length = model.bjerrum_length
    charges = np.array([bead.charge for bead in model.beads.values()])
    size = len(model.beads)
    epsilon, sigma, cutoff = np.zeros((3, size, size))
    extra = {}
    for (i, first), (j, second) in itertools.product(enumerate(model.beads), repeat=2):
        interaction, sigma[i, j] = _interaction(model, first, second)
        if interaction.kind in ('lj', 'wca'):
            epsilon[i, j] = interaction.epsilon
            cutoff[i, j] = sigma[i, j] * (interaction.cut or WCA_CUT)
        potential = _extra_potential(interaction, sigma[i, j])
        if potential is not None and i <= j:
            extra[i, j] = potential
    return ForceField(
        bead_types=tuple(model.beads),
        masses=np.array([bead.mass for bead in model.beads.values()]),
        charges=charges,
        sigma=np.array([bead.sigma for bead in model.beads.values()]),
        pair_epsilon=epsilon,
        pair_sigma=sigma,
        pair_cutoff=cutoff,
        bonds=model.bonds,
        angles=model.angles,
        bjerrum_length=float(bjerrum_length) if np.any(charges) else 0.0,
        extra_pairs=extra,
        coulomb_between_bonded=bool(model.coulomb_between_bonded),
    )


def _interaction(model: Model, first: str, second: str) -> tuple[PairInteraction, float]:
    """Find the interaction of two bead types, and its sigma."""
    exceptions = matching_exceptions(model, first, second)
    interaction = exceptions[0] if exceptions else model.default_pair
    if isinstance(interaction, PairException) and interaction.sigma is not None:
        return interaction, interaction.sigma
    return interaction, 0.5 * (model.beads[first].sigma + model.beads[second].sigma)


def _extra_potential(pair: PairInteraction, sigma: float) -> PairPotential | None:
    """Make what acts beside Lennard-Jones; None if nothing does."""
    if pair.n is not None and pair.m is not None and pair.cut is not None:
        return Mie(pair.epsilon, sigma, pair.n, pair.m, pair.cut * sigma)
    if pair.r is not None:
        return Tabulated(np.array(pair.r), pair.epsilon * np.array(pair.energy))
    if pair.solvation is not None and pair.solvation_cut is not None:
        return ion_solvation(pair.solvation, sigma, pair.solvation_cut * sigma)
    return None
