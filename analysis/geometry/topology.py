"""What a system consists of, and where its particles are in one frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.geometry.box import Box
from user_input import UserError, nearest_name

NO_IMAGES = (
    'displacements need periodic images, and the trajectory holds none. Write them: in HOOMD, '
    "hoomd.write.GSD(..., dynamic=['property', 'particles/image']); in LAMMPS, dump the columns "
    "'ix iy iz' or the unwrapped coordinates 'xu yu zu'; of a DCD, XTC or similar file with "
    'unwrapped coordinates, say so: --unwrapped'
)

# Of the sum of the magnitudes of charges.
ROUNDED = 1e-3


@dataclass(frozen=True)
class Topology:
    """What does not change from frame to frame.

    Attributes:
        typeid: Index into `type_names`, shape (N,).
        charge: Charges in the units of the file, shape (N,).
        mass: Masses in the units of the file, shape (N,).
        bonds: Indices of the bonded particles, shape (M, 2).
        bond_typeid: Index into `bond_type_names`, shape (M,).
        type_numbers: By which the types are known too, as in LAMMPS; none by default.
        is_whole: Whether these are all particles of the system; None where nobody can tell.
    """

    type_names: tuple[str, ...]
    typeid: IntArray
    charge: FloatArray
    mass: FloatArray
    bonds: IntArray
    bond_type_names: tuple[str, ...]
    bond_typeid: IntArray
    type_numbers: tuple[int, ...] = ()
    is_whole: bool | None = None

    @property
    def is_neutral(self) -> bool:
        """Whether charges add up to nothing, but for what files round."""
        total: float = np.abs(self.charge.sum())
        return bool(total <= ROUNDED * np.abs(self.charge).sum())

    def indices_of(self, types: tuple[str, ...]) -> IntArray:
        """Find the particles of the named types, rising; UserError if a type is not there."""
        index = {str(number): k for k, number in enumerate(self.type_numbers)}
        index |= {name: k for k, name in enumerate(self.type_names)}
        for name in types:
            if name not in index:
                raise UserError(
                    f"the trajectory has no particle type '{name}'. "
                    + nearest_name(name, self.type_names)
                )
        wanted = [index[name] for name in types]
        return np.flatnonzero(np.isin(self.typeid, wanted))


@dataclass(frozen=True)
class Snapshot:
    """One frame, in a box centred on the origin.

    Attributes:
        step: Time step at which it was written.
        box: Of least tilts; other boxes may describe the same lattice.
        positions: Wrapped into the box, shape (N, 3).
        images: How many vectors of the box each particle has travelled, shape (N, 3); None
            where the file does not say.
    """

    step: int
    box: Box
    positions: FloatArray
    images: IntArray | None

    @property
    def unwrapped(self) -> FloatArray:
        """Positions as if the box had no walls to re-enter by, (N, 3); UserError without images."""
        if self.images is None:
            raise UserError(NO_IMAGES)
        return self.positions + self.box.whole(self.images)
