"""Whether a state is one that dynamics can have left behind, or motion has become unstable.

An engine may run on in silence with NaN, or with a FENE bond so long that its force is made up.
What is checked here is what is kept: frames, thermo rows and checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from gsd.hoomd import Frame
from numpy.typing import NDArray

from models.entries import FeneBond
from models.force_field import ForceField
from workflow.engines.contract import DISPLACEMENTS, State
from workflow.engines.errors import BlewUp

# LAMMPS caps the force of a FENE bond from 95 % of its limit on; no thermal bond gets there.
_LONGEST_BOND = 0.97
# m v^2 in kT. The Maxwell distribution has 1e-21 beyond it: not once in all steps of a sweep.
_FASTEST_BEAD = 100.0


@dataclass(frozen=True, eq=False)
class Limits:
    """What a stable state of a system, of masses ``(N,)``, keeps to.

    `bonds` are name, bead pairs ``(B, 2)`` and longest length of each type of FENE bond.
    """

    masses: NDArray[np.float64]
    bonds: tuple[tuple[str, NDArray[np.int64], float], ...]

    def check(self, state: State, kT: float = np.inf) -> None:
        """Raise BlewUp for what is no number, a bond near its limit, or a bead too fast for kT."""
        check_finite(state)
        for name, pairs, limit in self.bonds:
            longest = float(_lengths(state, pairs).max())
            if longest > _LONGEST_BOND * limit:
                raise BlewUp(
                    f"a bond '{name}' is {longest:.3f} sigma long, its limit is {limit}", state.step
                )
        fastest = float((self.masses * np.sum(state.velocities**2, axis=1)).max())
        if fastest > _FASTEST_BEAD * kT:
            raise BlewUp(
                f'the fastest bead has m v^2 = {fastest:.3g} epsilon at kT = {kT:.3g}', state.step
            )

    def temperature(self, state: State) -> float:
        """Compute the kinetic kT of `state`, in epsilon, of 3 N - 3 degrees of freedom."""
        twice = float(self.masses @ np.sum(state.velocities**2, axis=1))
        return twice / max(1, 3 * len(self.masses) - 3)


def limits_of(topology: Frame, force_field: ForceField) -> Limits:
    """Make the limits of the system that `topology` and `force_field` describe."""
    bonds, fene = topology.bonds, []
    for number, name in enumerate(bonds.types if bonds.N else ()):
        bond = force_field.bonds[name]
        pairs = np.asarray(bonds.group, dtype=np.int64)[np.asarray(bonds.typeid) == number]
        if isinstance(bond, FeneBond) and len(pairs):
            fene.append((name, pairs, bond.r0_max))
    return Limits(force_field.masses_of(topology.particles), tuple(fene))


def check_finite(state: State) -> None:
    """Check that box, positions and velocities are numbers; BlewUp if one is not."""
    for what in ('box', 'positions', 'velocities'):
        if not np.isfinite(getattr(state, what)).all():
            raise BlewUp(f'{what} are not finite', state.step)


def check_rows(rows: NDArray[np.float64]) -> None:
    """Check that thermo rows, the step first in each, are numbers; BlewUp if one is not.

    Displacements may be none: in a box that changes they are not defined.
    """
    broken = rows[~np.isfinite(rows[:, : DISPLACEMENTS.start]).all(axis=1)]
    if len(broken):
        step = int(broken[0, 0])
        raise BlewUp(f'energy or pressure is not finite at step {step}', step)


def _lengths(state: State, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    vectors = state.positions[pairs[:, 0]] - state.positions[pairs[:, 1]]
    vectors -= state.box * np.round(vectors / state.box)
    return np.asarray(np.linalg.norm(vectors, axis=1))
