"""The fastest oscillation that the interactions of a melt allow: what a time step must follow.

Two beads of reduced mass mu in a well of curvature U'' oscillate with omega = sqrt(U''/mu). The
curvature is the largest at any energy up to kT above the bottom, since a hot pair climbs the steep
side; Coulomb attraction of unlike charges deepens the well and counts.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator

import numpy as np
from gsd.hoomd import Frame

from models.entries import Angle, Bond, CosineAngle, FeneBond, HarmonicAngle
from models.force_field import WCA_CUT, FloatArray, ForceField
from models.pair_potentials import Mie, PairPotential
from user_input import UserError

_POINTS = 20_000
_CLOSEST = 0.1  # of sigma; nothing thermal comes closer


@dataclasses.dataclass(frozen=True)
class Motion:
    """An oscillation `of` an entry of the model file, with its angular frequency in 1/tau."""

    of: str
    omega: float

    @property
    def period(self) -> float:
        """In tau; infinite where nothing oscillates."""
        return 2 * np.pi / self.omega if self.omega > 0 else np.inf


def fastest_motion(frame: Frame, field: ForceField, kT: float) -> Motion:
    """Find the fastest oscillation of any bond, angle or pair of beads that `frame` holds.

    Positions do not matter; energies up to kT, in epsilon, above the bottom count. UserError if two
    unlike charges attract each other and nothing keeps them apart.
    """
    found = [_bond(field, name, types, kT) for name, types in _kinds(frame, 'bonds')]
    found += _angles(frame, field, kT)
    present = [frame.particles.types[number] for number in np.unique(frame.particles.typeid)]
    pairs = itertools.combinations_with_replacement(present, 2)
    found += [_pair(field, types, kT) for types in pairs]
    return max(found, key=lambda motion: motion.omega, default=Motion('nothing', 0.0))


# The states of a sweep share most interactions: each is looked at once.
@functools.cache
def _bond(field: ForceField, name: str, types: tuple[str, ...], kT: float) -> Motion:
    r, energy, curvature = _bond_energy(field.bonds[name])
    coulomb = _coulomb(field, types) if field.coulomb_between_bonded else 0.0
    energy, curvature = energy + coulomb / r, curvature + 2 * coulomb / r**3
    if coulomb < 0 and energy.argmin() == 0:
        raise UserError(
            f"the charges of '{types[0]}' and '{types[1]}' pull bond '{name}' together: make "
            "it stronger, or set 'coulomb_between_bonded' to false."
        )
    square = _largest_near_bottom(energy, curvature, kT) * np.sum(1 / _masses(field, types))
    return _motion(f"bond '{name}' ({'-'.join(types)})", square)


def _angles(frame: Frame, field: ForceField, kT: float) -> Iterator[Motion]:
    """Bend the three beads in a line with the shortest bonds: an upper bound."""
    lengths = [_rest_length(field.bonds[name]) for name, _ in _kinds(frame, 'bonds')]
    for name, types in _kinds(frame, 'angles'):
        first, centre, last = _masses(field, types)
        curvature = _largest_near_bottom(*_angle_energy(field.angles[name]), kT)
        inverse_inertia = (1 / first + 1 / last + 4 / centre) / min(lengths) ** 2
        yield _motion(f"angle '{name}' ({'-'.join(types)})", curvature * inverse_inertia)


@functools.cache
def _pair(field: ForceField, types: tuple[str, str], kT: float) -> Motion:
    coulomb, i, j = _coulomb(field, types), *_indices(field, types)
    r, energy, curvature = pair_energy(field, i, j)
    if coulomb < 0 and not energy[0] + coulomb / r[0] > 0:
        raise UserError(
            f"'{types[0]}' and '{types[1]}' attract each other by their charges and have no "
            "pair interaction that keeps them apart: give them one of kind 'wca' or 'lj'."
        )
    if not field.pair_potentials(i, j):
        return Motion('nothing', 0.0)
    energy, curvature = energy + coulomb / r, curvature + 2 * coulomb / r**3
    square = _largest_near_bottom(energy, curvature, kT) * np.sum(1 / _masses(field, types))
    return _motion(f'pair {"-".join(types)}', square)


def pair_energy(field: ForceField, i: int, j: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Compute r, the energy and its second derivative for two types, Coulomb apart; i <= j."""
    potentials = field.pair_potentials(i, j)
    longest = max((each.cutoff for each in potentials), default=field.pair_sigma[i, j])
    r = np.geomspace(_CLOSEST * field.pair_sigma[i, j], longest, _POINTS)
    return r, *_sum_of(potentials, r)


def _sum_of(potentials: list[PairPotential], r: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Add up the energies and second derivatives of potentials at distances `r`, (n,)."""
    energy, curvature = np.zeros((2, r.size))
    for potential in potentials:
        inside = r <= potential.cutoff
        more, _, bend = potential.derivatives(r[inside])
        energy[inside] += more
        curvature[inside] += bend
    return energy, curvature


def _kinds(frame: Frame, group: str) -> list[tuple[str, tuple[str, ...]]]:
    """List (type name, types of its beads) of the bonds or angles of a frame, once each."""
    members = getattr(frame, group)
    if not members.N:
        return []
    beads = np.asarray(frame.particles.typeid)[np.asarray(members.group)]
    rows = set(map(tuple, np.column_stack([members.typeid, beads]).tolist()))
    types = frame.particles.types
    kinds = {(members.types[row[0]], tuple(types[number] for number in row[1:])) for row in rows}
    return sorted(kinds)


def _indices(field: ForceField, types: tuple[str, ...]) -> list[int]:
    return sorted(field.bead_types.index(name) for name in types)


def _masses(field: ForceField, types: tuple[str, ...]) -> FloatArray:
    return np.array([field.masses[field.bead_types.index(name)] for name in types])


def _coulomb(field: ForceField, types: tuple[str, ...]) -> float:
    """Multiply the charges of two types, and the Bjerrum length."""
    return float(np.prod(field.charges[_indices(field, types)])) * field.bjerrum_length


def _motion(of: str, square: float) -> Motion:
    return Motion(of, float(np.sqrt(max(0.0, square))))


def _largest_near_bottom(energy: FloatArray, curvature: FloatArray, kT: float) -> float:
    return float(curvature[energy <= energy.min() + kT].max())


def _bond_energy(bond: Bond) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Compute the lengths that a bond may have, its energy and the second derivative of it."""
    if not isinstance(bond, FeneBond):
        r = bond.r0 + np.linspace(-0.5, 0.5, _POINTS) * bond.r0
        return r, bond.k / 2 * (r - bond.r0) ** 2, np.full(_POINTS, bond.k)
    r = np.geomspace(_CLOSEST * bond.sigma, bond.r0_max * (1 - 1e-6), _POINTS)
    part = (r / bond.r0_max) ** 2
    wca = Mie(bond.epsilon, bond.sigma, 12.0, 6.0, WCA_CUT * bond.sigma)
    energy, curvature = _sum_of([wca], r)
    energy -= bond.k / 2 * bond.r0_max**2 * np.log(1 - part)
    return r, energy, curvature + bond.k * (1 + part) / (1 - part) ** 2


@functools.cache
def _rest_length(bond: Bond) -> float:
    if not isinstance(bond, FeneBond):
        return bond.r0
    r, energy, _ = _bond_energy(bond)
    return float(r[energy.argmin()])


def _angle_energy(angle: Angle) -> tuple[FloatArray, FloatArray]:
    """Compute energy and its second derivative by the angle, from 0 to pi."""
    theta = np.linspace(0, np.pi, _POINTS)
    if isinstance(angle, HarmonicAngle):
        return angle.k / 2 * (theta - angle.radians) ** 2, np.full(_POINTS, angle.k)
    cosine = np.cos(theta)
    if isinstance(angle, CosineAngle):
        return angle.k * (1 + cosine), -angle.k * cosine
    away = cosine - np.cos(angle.radians)
    return angle.k / 2 * away**2, angle.k * (np.sin(theta) ** 2 - away * cosine)
