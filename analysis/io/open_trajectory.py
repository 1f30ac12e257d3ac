"""Opens a trajectory of any known format."""

from __future__ import annotations

from pathlib import Path

from analysis.io.gsd_trajectory import GSDTrajectory, is_gsd
from analysis.io.lammps_dump import LAMMPSTrajectory, is_lammps_dump
from analysis.io.trajectory import Trajectory
from user_input import UserError


def open_trajectory(path: Path | str, data_file: Path | str | None = None) -> Trajectory:
    """Open a GSD file or a LAMMPS text dump, recognised by content and not by name.

    A dump may have a LAMMPS data file with charges, masses, bonds and type labels. UserError if
    there is no such file, it is no trajectory, or it cannot be used.
    """
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
