"""Reads DCD, XTC, TRR, PDB and other formats through MDAnalysis, where that is installed."""

from __future__ import annotations

import subprocess
import sys
import warnings
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.geometry.box import Box
from analysis.geometry.topology import Snapshot, Topology
from analysis.io.integrity import (
    TWO_DIMENSIONAL,
    check_topology,
    is_plane,
    read_errors_as_damage,
    snapshot_of,
)
from analysis.io.lammps_data import LAMMPSData
from analysis.io.lammps_topology import topology_of
from user_input import UserError

SUFFIXES = {'.dcd', '.gro', '.h5md', '.nc', '.ncdf', '.pdb', '.trr', '.xtc', '.xyz'}
# Of files with names, charges, masses or bonds.
TOPOLOGIES = SUFFIXES | {
    '.cif', '.crd', '.itp', '.mol2', '.parm7', '.pqr', '.prmtop', '.psf', '.top', '.tpr',
}  # fmt: skip
# Particles leave it a little before they are wrapped.
MOST_OF_A_BOX = 1.2
# One pass over all frames by a process of its own: the XTC and TRR readers crash on damaged files.
_STEPS_AND_TIMES = """
import sys, warnings
warnings.simplefilter('ignore')
import numpy
from MDAnalysis.coordinates.core import reader
frames, nan = reader(sys.argv[1], convert_units=False), float('nan')
found = []
# By their number: a loop over frames ends at the first that cannot be read.
for k in range(len(frames)):
    try:
        data = frames[k].data
    except Exception:
        if 0 < k == len(frames) - 1:
            break
        raise
    found.append((data.get('step', nan), data.get('time', nan)))
# Not by numpy.save: a pipe has no position in it.
sys.stdout.buffer.write(numpy.array(found, dtype=float).tobytes())
"""


class MDAnalysisTrajectory:
    """A trajectory that MDAnalysis can read; see `analysis.io.trajectory.Trajectory`.

    Lengths and times are those of the file, not converted. Particle types are the types of the
    topology, or the names where it has none; bonds are of the type of their two particles, as
    'C-N', or as a LAMMPS data file has them. Nothing is guessed: where the topology has no charges
    they are 0, and masses 1.

    Args:
        path: Its suffix, one of `SUFFIXES`, says the format.
        topology: With types, charges, masses and bonds, one of `TOPOLOGIES` where it is a path;
            None takes those of the trajectory.
        is_unwrapped: Whether coordinates go on beyond the box, so that there are displacements:
            these formats do not say.

    Raises:
        UserError: If MDAnalysis is missing, a file is damaged, the two do not belong together, or
            nothing says the types.
    """

    def __init__(self, path: Path, topology: LAMMPSData | Path | None, is_unwrapped: bool) -> None:
        self.path = path
        self._is_unwrapped = is_unwrapped
        with read_errors_as_damage(path), warnings.catch_warnings():
            self._load(topology)
        if len(self) < len(self._frames):
            warnings.warn(
                f'{path}: the end of the file is missing. The frames that '
                f'are whole are used: {len(self)}.',
                stacklevel=2,
            )
        warnings.warn(self._units(), stacklevel=2)

    def _load(self, source: LAMMPSData | Path | None) -> None:
        try:
            from MDAnalysis.coordinates.core import reader
        except ImportError:
            raise UserError(
                f'{self.path}: MDAnalysis, which reads files of this format, is missing. Install '
                "it: pip install MDAnalysis, or pip install '.[formats]' in the project's folder."
            ) from None
        # Not earlier: to be imported, MDAnalysis asks for its warnings.
        warnings.simplefilter('ignore')
        self.steps, self.time_step = _steps_and_time_step(self.path)
        self._frames = reader(str(self.path), convert_units=False)
        where = source.path if isinstance(source, LAMMPSData) else source or self.path
        with read_errors_as_damage(where):
            if isinstance(source, LAMMPSData):
                # LAMMPS writes the atoms of these formats in the order of their ids.
                self.topology = topology_of({'id': source.ids}, source, self.path)
            else:
                self.topology = _topology(_universe(where), where)
            check_topology(self.topology)
        self._n_particles = len(self.topology.typeid)
        if self._n_particles != self._frames.n_atoms:
            raise UserError(
                f'{where}: {self._n_particles} particles, and {self._frames.n_atoms} in '
                f'{self.path}. Give the topology of the same run.'
            )
        if self.path.suffix.lower() == '.gro' and _has_lines_beyond(
            self.path, self._n_particles + 3
        ):
            raise UserError(
                f'{self.path}: holds several frames, of which MDAnalysis reads the first alone. '
                'Convert it to XTC or TRR: gmx trjconv.'
            )
        first, last = (self._frames[k].positions.copy() for k in (0, len(self) - 1))
        lengths = self._frames[0].triclinic_dimensions
        if lengths is not None and is_plane(first, last, np.diag(lengths)):
            raise UserError(TWO_DIMENSIONAL.format(where=self.path))
        if self._is_unwrapped and self._are_wrapped():
            raise UserError(
                f'{self.path}: the coordinates are wrapped into the box, so that there are no '
                'displacements. Leave --unwrapped out, or write them unwrapped.'
            )
        # Coordinates that are wrapped after all should lie in one box, for `image_check` to see.
        self._is_from_corner = bool(np.min(first) >= 0)

    def _are_wrapped(self) -> bool:
        """Whether all frames lie in one box, wherever its corner is, and particles jump in it."""
        before, has_jumped = None, False
        low, high = np.full(3, np.inf), np.full(3, -np.inf)
        for k in range(len(self)):
            frame = self._frames[k]
            if frame.dimensions is None:
                return False
            box = Box(np.asarray(frame.triclinic_dimensions, dtype=np.float64))
            parts = box.fractions(frame.positions)
            low, high = np.minimum(low, parts.min(axis=0)), np.maximum(high, parts.max(axis=0))
            if np.any(high - low > MOST_OF_A_BOX):
                return False
            has_jumped = has_jumped or bool(
                before is not None and np.any(np.abs(parts - before) > 0.5)
            )
            before = parts
        return has_jumped

    def _units(self) -> str:
        """Say what a reader of the results has to know of units."""
        units = self._frames.units
        times = 'steps (--time-step)' if self.time_step is None else units.get('time')
        masses = '; all masses are 1' if np.all(self.topology.mass == 1) else ''
        return (
            f'{self.path}: where sigma and tau are written, lengths are in '
            f'{units.get("length") or "the unit of the file"} and times in '
            f'{times or "the unit of the file"}, unless a program in reduced units wrote '
            f'it{masses}.'
        )

    def __len__(self) -> int:
        return len(self.steps)

    def read(self, index: int) -> Snapshot:
        """Read the frame at `index`; UserError if it is damaged or has no box."""
        where = f'{self.path}: frame {index}'
        with read_errors_as_damage(where), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            return self._snapshot(index, where)

    def _snapshot(self, index: int, where: str) -> Snapshot:
        frame = self._frames[index]
        if frame.dimensions is None:
            raise UserError(
                f'{where} has no periodic box. Write the box of each frame, as DCD, XTC and TRR '
                'files can hold it.'
            )
        box = Box(np.asarray(frame.triclinic_dimensions, dtype=np.float64))
        corner = -box.matrix.sum(axis=0) / 2 if self._is_from_corner else 0.0
        raw = frame.positions + corner
        images = np.zeros(raw.shape, dtype=np.int64) if self._is_unwrapped else None
        step = int(self.steps[index])
        return snapshot_of(step, box, raw, images, self._n_particles, where)


def _steps_and_time_step(path: Path) -> tuple[IntArray, float | None]:
    """Find the steps of all frames, (F,), by default 0, 1, ..., and the duration of a step."""
    call = [sys.executable, '-c', _STEPS_AND_TIMES, str(path)]
    done = subprocess.run(call, capture_output=True, check=False)
    if done.returncode != 0:
        reason = done.stderr.decode(errors='replace').strip().rpartition('\n')[2]
        raise ValueError(reason if done.returncode > 0 else 'MDAnalysis crashed')
    found, time = np.frombuffer(done.stdout).reshape(-1, 2).T
    numbers: IntArray = np.arange(len(found), dtype=np.int64)
    if path.suffix.lower() == '.dcd':
        from MDAnalysis.lib.formats.libdcd import DCDFile

        # Times in a DCD file are in units of the program that wrote it, which it does not name.
        with DCDFile(str(path)) as file:
            return file.header['istart'] + file.header['nsavc'] * numbers, None
    steps = numbers if np.isnan(found).any() else found.astype(np.int64)
    if not _go_together(steps, time):
        # Some programs write the numbers of the frames where steps belong.
        gaps = np.diff(time)
        steps = np.rint((time - time[0]) / np.min(gaps[gaps > 0], initial=np.inf))
        steps = steps.astype(np.int64)
    if not _go_together(steps, time):
        raise UserError(
            f'{path}: the times of the frames are no multiples of a time step, and the steps are '
            'not there or do not go with them. Write the file again, with steps.'
        )
    duration, n_steps = float(time[-1] - time[0]), int(steps[-1] - steps[0])
    if not (duration > 0 and n_steps > 0):
        return steps, None
    # Times are in single precision.
    return steps, float(f'{duration / n_steps:.6g}')


def _go_together(steps: IntArray, time: FloatArray) -> bool:
    """Return whether the times of all frames rise evenly with their steps, (F,) each."""
    first, last = np.argmin(steps), np.argmax(steps)
    step = (time[last] - time[first]) / max(steps[last] - steps[first], 1)
    away = np.abs(time - time[first] - step * (steps - steps[first]))
    return not np.any(away > 0.1 * np.ptp(time) / len(time))  # times may be missing


def _has_lines_beyond(path: Path, number: int) -> bool:
    with open(path, 'rb') as file:
        return any(line.strip() for line in islice(file, number, None))


def _universe(path: Path) -> Any:
    from MDAnalysis import Universe

    try:
        return Universe(str(path), to_guess=())
    except Exception as error:  # of any kind: there are twenty parsers
        raise ValueError(str(error)) from None


def _topology(universe: Any, path: Path) -> Topology:
    """Take what a topology has; UserError if it has no types."""
    atoms = universe.atoms
    n = len(atoms)
    types = getattr(atoms, 'types', getattr(atoms, 'names', None))
    if types is None:
        raise UserError(
            f'{path}: holds positions without types of particles. Give a file that has them, as '
            'PSF, PDB, GRO, TPR, PRMTOP or LAMMPS data: --topology FILE.'
        )
    names, typeid = np.unique(np.asarray(types, dtype=str), return_inverse=True)
    charge = getattr(atoms, 'charges', getattr(atoms, 'formalcharges', np.zeros(n)))
    bonds = universe.bonds.indices if hasattr(universe, 'bonds') else []
    pairs = np.asarray(bonds, dtype=np.int64).reshape(-1, 2)
    of_pairs, bond_typeid = np.unique(np.sort(typeid[pairs], axis=1), axis=0, return_inverse=True)
    return Topology(
        type_names=tuple(map(str, names)),
        typeid=typeid,
        charge=np.asarray(charge, dtype=np.float64),
        mass=np.asarray(getattr(atoms, 'masses', np.ones(n)), dtype=np.float64),
        bonds=pairs,
        bond_type_names=tuple(f'{names[one]}-{names[other]}' for one, other in of_pairs),
        bond_typeid=bond_typeid.ravel(),
    )
