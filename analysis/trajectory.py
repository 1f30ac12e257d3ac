"""One interface to trajectories of any origin: static topology, steps, one frame at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from user_input import UserError, nearest_name

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Topology:
    """What does not change from frame to frame.

    Attributes:
        type_names: Names of the particle types.
        typeid: Index into `type_names`, shape (N,).
        charge: Charges in the units of the file, shape (N,).
        mass: Masses in the units of the file, shape (N,).
        bonds: Indices of the bonded particles, shape (M, 2).
        bond_type_names: Names of the bond types.
        bond_typeid: Index into `bond_type_names`, shape (M,).
    """

    type_names: tuple[str, ...]
    typeid: IntArray
    charge: FloatArray
    mass: FloatArray
    bonds: IntArray
    bond_type_names: tuple[str, ...]
    bond_typeid: IntArray

    def indices_of(self, types: tuple[str, ...]) -> IntArray:
        """Indices of the particles of the named types, in rising order.

        Raises:
            UserError: If the trajectory has no such type.
        """
        for name in types:
            if name not in self.type_names:
                raise UserError(
                    f"the trajectory has no particle type '{name}'. "
                    + nearest_name(name, self.type_names)
                )
        wanted = [self.type_names.index(name) for name in types]
        return np.flatnonzero(np.isin(self.typeid, wanted))


@dataclass(frozen=True)
class Snapshot:
    """One frame, in a box centred on the origin.

    Attributes:
        step: Time step at which it was written.
        box: Edge lengths, shape (3,).
        positions: Wrapped into [-box/2, box/2), shape (N, 3).
        images: How many box lengths each particle has travelled, shape (N, 3); None where
            the file does not say.
    """

    step: int
    box: FloatArray
    positions: FloatArray
    images: IntArray | None

    @property
    def unwrapped(self) -> FloatArray:
        """Positions as if the box had no walls to re-enter by, shape (N, 3).

        Raises:
            UserError: If the file holds no images.
        """
        if self.images is None:
            raise UserError(NO_IMAGES)
        return self.positions + self.images * self.box


NO_IMAGES = (
    'displacements need periodic images, and the trajectory holds none. Write them: in HOOMD, '
    "hoomd.write.GSD(..., dynamic=['property', 'particles/image']); in LAMMPS, dump the columns "
    "'ix iy iz' or the unwrapped coordinates 'xu yu zu'"
)


class Trajectory(Protocol):
    """What every reader offers; frames are read when asked for and not kept."""

    path: Path
    topology: Topology
    steps: IntArray
    time_step: float | None

    def __len__(self) -> int:
        """Number of whole frames."""
        ...

    def read(self, index: int) -> Snapshot:
        """Read the frame at `index`."""
        ...


def open_trajectory(path: Path | str, data_file: Path | str | None = None) -> Trajectory:
    """Open a GSD file or a LAMMPS text dump, told apart by content and not by name.

    Args:
        path: The trajectory.
        data_file: LAMMPS data file with charges, masses, bonds and type labels of a dump.

    Raises:
        UserError: If there is no such file, it is no trajectory, or it cannot be used.
    """
    from analysis.gsd_trajectory import GSDTrajectory, is_gsd
    from analysis.lammps_trajectory import LAMMPSTrajectory, is_lammps_dump

    path = Path(path)
    data_file = None if data_file is None else Path(data_file)
    for given in (path, data_file):
        if given is not None and not given.exists():
            raise UserError(f'{given}: no such file.')
    if path.is_dir():
        raise UserError(f'{path}: is a folder. Name the trajectory file in it.')
    try:
        with open(path, 'rb') as file:
            beginning = file.read(64)
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error}).') from None
    if is_gsd(beginning):
        if data_file is not None:
            raise UserError(
                f'{path}: a GSD file holds its own topology. Leave the data file {data_file} out.'
            )
        return GSDTrajectory(path)
    if is_lammps_dump(beginning):
        return LAMMPSTrajectory(path, data_file)
    if not beginning:
        raise UserError(f'{path}: the file is empty. Was the run cut off before its first frame?')
    raise UserError(
        f'{path}: not a trajectory that can be read. Give a GSD file or a LAMMPS text dump '
        "('dump custom'); unpack compressed files first."
    )


def wrap(
    positions: NDArray[Any], images: NDArray[Any] | None, box: FloatArray
) -> tuple[FloatArray, IntArray | None]:
    """Wrap into [-box/2, box/2) and move what was taken off into the images.

    Args:
        positions: Coordinates in a box centred on the origin, shape (N, 3).
        images: Images that belong to `positions`, shape (N, 3), or None.
        box: Edge lengths, shape (3,).
    """
    inside = np.asarray(positions, dtype=np.float64)
    crossed = np.floor(inside / box + 0.5)
    inside = inside - crossed * box
    if images is None:
        return inside, None
    return inside, np.asarray(images, dtype=np.int64) + crossed.astype(np.int64)
