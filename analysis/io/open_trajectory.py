"""Opens trajectories of any known format."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from pathlib import Path

from analysis.io.gsd_trajectory import GSDTrajectory, is_gsd
from analysis.io.joined_trajectory import JoinedTrajectory
from analysis.io.lammps_data import read_lammps_data
from analysis.io.lammps_dump import LAMMPSTrajectory, is_lammps_dump
from analysis.io.mdanalysis_trajectory import SUFFIXES, TOPOLOGIES, MDAnalysisTrajectory
from analysis.io.trajectory import Trajectory
from analysis.io.unpacked import Unpacked
from user_input import UserError

BEGINNING_BYTES = 4096
DUMP_CUSTOM = 'Write a text dump: dump custom ... id type x y z ix iy iz.'
# What people bring in place of a trajectory, told by how it begins, and what to do about it.
OTHER_FILES = (
    (rb'ITEM: NUMBER OF ENTRIES', "a 'dump local' of LAMMPS, without positions", DUMP_CUSTOM),
    (rb'ITEM: (DIMENSION|GRID)', "a 'dump grid' of LAMMPS, without particles", DUMP_CUSTOM),
    (rb'\A[\s\S]{0,12}DUMP(ATOM|CUSTOM)', 'a binary dump', 'Turn it to text by binary2txt.'),
    (rb'\ALammpS RestartT', 'a restart file of LAMMPS',
     'Give the dump of the run; a data file is made by: lmp -restart2data FILE'),
    (rb'\ANumber of particles =', "a 'dump cfg' of LAMMPS", DUMP_CUSTOM),
    (rb'\A\s*\d+\s*\n\s*Atoms. Timestep:', "a 'dump xyz' of LAMMPS, without a box", DUMP_CUSTOM),
    (rb'\A---\s*\ncreator: LAMMPS', "a 'dump yaml' of LAMMPS", DUMP_CUSTOM),
    (rb'\ALAMMPS \(', 'a log file of LAMMPS', 'Give the dump of the run.'),
    (rb'(?m)^\s*\d+\s+atoms\s*$', 'a LAMMPS data file, which is no trajectory',
     'Give the dump of the run, and the data file with --data.'),
    (rb'\A\x28\xb5\x2f\xfd', 'compressed with zstd', 'Unpack it first: zstd -d FILE.'),
    (rb'\APK\x03\x04', 'a zip archive', 'Unpack it first: unzip FILE.'),
)  # fmt: skip


def open_trajectory(
    paths: Path | str | Sequence[Path | str],
    data_file: Path | str | None = None,
    atom_style: str | None = None,
    *,
    is_unwrapped: bool = False,
) -> Trajectory:
    """Open a trajectory, or several files of one run.

    GSD files and LAMMPS text dumps are recognised by content, other formats by their suffix.

    Names may hold wildcards, and files may be compressed (gz, bz2, xz): they are unpacked once,
    into the folder of temporary files. Several files are joined in the order of their first steps.
    A dump may have a LAMMPS data file with charges, masses, bonds and type labels, of `atom_style`
    where it does not state it; other formats may have any topology that MDAnalysis reads, and do
    not say whether they are unwrapped. UserError if there is no such file, it is no trajectory, it
    cannot be used, or the files do not belong together.
    """
    names = [paths] if isinstance(paths, (Path, str)) else paths
    files = list(dict.fromkeys(path for name in names for path in _matching(Path(name))))
    data = None if data_file is None else _existing(Path(data_file))
    if data is None and atom_style is not None:
        raise UserError('an atom style is that of a data file: give the data file too (--data).')
    parts: list[Trajectory] = []
    for file in files:
        parts.append(_open(file, data, atom_style, is_unwrapped, parts))
    return parts[0] if len(parts) == 1 else JoinedTrajectory(parts)


def _matching(name: Path) -> list[Path]:
    found = [] if name.exists() else sorted(map(Path, glob.glob(str(name))))
    return found or [_existing(name)]


def _existing(path: Path) -> Path:
    if not path.exists():
        raise UserError(f'{path}: no such file.')
    if path.is_dir():
        raise UserError(f'{path}: is a folder. Name the file in it.')
    return path


def _open(
    path: Path,
    data: Path | None,
    atom_style: str | None,
    is_unwrapped: bool,
    before: Sequence[Trajectory],
) -> Trajectory:
    try:
        file = Unpacked(path)
        with open(file.content, 'rb') as content:
            beginning = content.read(BEGINNING_BYTES)
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error}).') from None
    if is_unwrapped and (is_gsd(beginning) or is_lammps_dump(beginning)):
        raise UserError(f'{path}: says itself what is unwrapped. Leave --unwrapped out.')
    if is_gsd(beginning):
        if data is not None:
            raise UserError(
                f'{path}: a GSD file holds its own topology. Leave the data file {data} out.'
            )
        trajectory = GSDTrajectory(file.content)  # which stays open
        trajectory.path = path
        return trajectory
    if not beginning:
        raise UserError(f'{path}: the file is empty. Was the run cut off before its first frame?')
    if path.suffix.lower() in SUFFIXES:
        if data is None or data.suffix.lower() in TOPOLOGIES:
            return MDAnalysisTrajectory(path, data, is_unwrapped)
        return MDAnalysisTrajectory(path, read_lammps_data(data, atom_style), is_unwrapped)
    for pattern, what, advice in OTHER_FILES:
        if re.search(pattern, beginning):
            raise UserError(f'{path}: {what}. {advice}')
    if is_lammps_dump(beginning):
        first = next((each for each in before if isinstance(each, LAMMPSTrajectory)), None)
        if first is not None or data is None:
            return LAMMPSTrajectory(file, None, first)
        return LAMMPSTrajectory(file, read_lammps_data(data, atom_style))
    raise UserError(
        f"{path}: not a trajectory that can be read. Give a GSD file, a LAMMPS text dump ('dump "
        f"custom'), or a file that ends in {', '.join(sorted(SUFFIXES))}."
    )
