"""Reads GSD files of the HOOMD schema, 1 and 2, chunk by chunk."""

from __future__ import annotations

import os
import warnings
from bisect import bisect_left
from dataclasses import replace
from pathlib import Path
from typing import Any

import gsd.fl
import gsd.pygsd
import numpy as np

from analysis.arrays import IntArray
from analysis.geometry.box import Box
from analysis.geometry.topology import Snapshot, Topology
from analysis.io.gsd_file_layer import is_sound
from analysis.io.integrity import (
    TWO_DIMENSIONAL,
    check_topology,
    read_errors_as_damage,
    snapshot_of,
)
from user_input import UserError

MAGIC = (0x65DF65DF65DF65DF).to_bytes(8, 'little')

# Chunks that describe the particles and bonds, and what they are.
STATIC = {
    'particles/N': 'number of particles',
    'particles/types': 'names of the types',
    'particles/typeid': 'types of the particles',
    'particles/charge': 'charges',
    'particles/mass': 'masses',
    'bonds/N': 'number of bonds',
    'bonds/types': 'names of the types of bonds',
    'bonds/typeid': 'types of the bonds',
    'bonds/group': 'bonds',
}

CUT_OFF = (
    '{path}: the file is cut off in the middle, and its index of frames is lost. Copy it again '
    'from where it was written, or run the simulation again from its last checkpoint.'
)


def is_gsd(beginning: bytes) -> bool:
    """Return whether a file that begins with these bytes is a GSD file."""
    return beginning.startswith(MAGIC)


class GSDTrajectory:
    """A trajectory in a GSD file; see `analysis.io.trajectory.Trajectory`.

    A chunk that a frame lacks is taken from frame 0, as the HOOMD schema lays down.

    Raises:
        UserError: If the file is damaged, has no frames, or its box is not usable.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with read_errors_as_damage(path):
            self._load()

    def _load(self) -> None:
        path = self.path
        self._file, n_frames = _open(path)
        if self._file.schema != 'hoomd':
            raise UserError(
                f"{path}: a GSD file of the schema '{self._file.schema}', not of 'hoomd'. "
                'Write it with HOOMD or with gsd.hoomd.'
            )
        if n_frames == 0:
            raise UserError(f'{path}: no frames. Was the run cut off before its first frame?')
        self._n_particles = int(self._chunk(0, 'particles/N', np.array([0]))[0])
        if self._n_particles == 0:
            raise UserError(f'{path}: no particles in the first frame.')
        self.topology = self._read_topology()
        check_topology(self.topology)
        self._static = self._read_static()
        zero = np.zeros(1, dtype=np.int64)
        self.steps: IntArray = np.array(
            [int(self._chunk(i, 'configuration/step', zero)[0]) for i in range(n_frames)],
            dtype=np.int64,
        )
        self.time_step = self._read_time_step()

    def __len__(self) -> int:
        return len(self.steps)

    def read(self, index: int) -> Snapshot:
        """Read the frame at `index`; UserError if it is damaged, or of another kind or number."""
        where = f'{self.path}: frame {index}'
        with read_errors_as_damage(where):
            return self._snapshot(index, where)

    def _snapshot(self, index: int, where: str) -> Snapshot:
        n = self._n_particles
        for name, first in self._static.items():
            # Frames that lack a chunk, as most do, have that of frame 0.
            if self._file.chunk_exists(frame=index, name=name) and not np.array_equal(
                self._chunk(index, name, None), first
            ):
                raise UserError(
                    f'{where}: not the {STATIC[name]} of frame 0. Particles and bonds are followed '
                    'from frame to frame and have to stay: write the frames before and after such '
                    'a change into files of their own.'
                )
        box = Box.of(self._chunk(index, 'configuration/box', np.zeros(6)))
        dimensions = int(self._chunk(index, 'configuration/dimensions', np.array([3]))[0])
        if dimensions == 2:
            raise UserError(TWO_DIMENSIONAL.format(where=where))
        raw = self._chunk(index, 'particles/position', np.zeros((n, 3)))
        images = self._chunk(index, 'particles/image', np.zeros((n, 3), dtype=np.int32))
        return snapshot_of(int(self.steps[index]), box, raw, images, n, where)

    def _chunk(self, frame: int, name: str, default: Any) -> Any:
        for index in (frame, 0):
            if self._file.chunk_exists(frame=index, name=name):
                try:
                    return self._file.read_chunk(frame=index, name=name)
                except (OSError, RuntimeError):
                    raise UserError(
                        f"{self.path}: frame {index}: '{name}' cannot be read: the file is cut "
                        'off in the middle. Copy it again from where it was written.'
                    ) from None
        return default

    def _names(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """Decode a chunk of zero-padded names, shape (number, longest name)."""
        chunk = self._chunk(0, name, None)
        if chunk is None:
            return default
        rows = np.atleast_2d(np.asarray(chunk)).astype(np.uint8)
        return tuple(bytes(row).split(b'\0')[0].decode('utf-8') for row in rows)

    def _read_topology(self) -> Topology:
        n = self._n_particles
        m = int(self._chunk(0, 'bonds/N', np.array([0]))[0])
        zeros = np.zeros(n, dtype=np.int64)
        bonds = self._chunk(0, 'bonds/group', np.zeros((m, 2), dtype=np.int64))
        bond_typeid = self._chunk(0, 'bonds/typeid', np.zeros(m, dtype=np.int64))
        topology = Topology(
            type_names=self._names('particles/types', ('A',)),
            typeid=np.asarray(self._chunk(0, 'particles/typeid', zeros), dtype=np.int64),
            charge=np.asarray(self._chunk(0, 'particles/charge', zeros), dtype=np.float64),
            mass=np.asarray(self._chunk(0, 'particles/mass', zeros + 1), dtype=np.float64),
            bonds=np.asarray(bonds, dtype=np.int64).reshape(m, 2),
            bond_type_names=self._names('bonds/types', ('bond',) if m else ()),
            bond_typeid=np.asarray(bond_typeid, dtype=np.int64),
        )
        # HOOMD writes no bonds where it writes some of the particles only; others may.
        return replace(topology, is_whole=True if m and topology.is_neutral else None)

    def _read_static(self) -> dict[str, Any]:
        """Read what every frame has to have, by chunk, as frame 0 has it."""
        n, m = self._n_particles, len(self.topology.bonds)
        defaults = {
            'particles/N': [n],
            'particles/typeid': np.zeros(n),
            'particles/charge': np.zeros(n),
            'particles/mass': np.ones(n),
            'bonds/N': [m],
            'bonds/typeid': np.zeros(m),
            'bonds/group': np.zeros((m, 2)),
        }
        return {name: self._chunk(0, name, defaults.get(name)) for name in STATIC}

    def _read_time_step(self) -> float | None:
        logged = self._chunk(0, 'log/time_step', None)
        if logged is None:
            return None
        value = float(np.ravel(logged)[0])
        return value if value > 0 else None


def _open(path: Path) -> tuple[Any, int]:
    if not is_sound(path):
        return _salvage(path)
    try:
        file = gsd.fl.open(str(path), 'r')
        return file, int(file.nframes)
    except (RuntimeError, OSError):
        return _salvage(path)


def _salvage(path: Path) -> tuple[Any, int]:
    """Open a file whose tail is missing, with the frames that are still whole."""
    try:
        file: Any = gsd.pygsd.GSDFile(open(path, 'rb'))  # noqa: SIM115 (it closes it)
        promised = int(file.nframes)
    except (RuntimeError, OSError, ValueError, IndexError, MemoryError, OverflowError):
        raise UserError(CUT_OFF.format(path=path)) from None
    # Frames are appended, so the whole ones come first: bisect for the last of them.
    whole = bisect_left(range(promised), True, key=lambda frame: not _is_whole(file, frame))
    if whole == 0:
        raise UserError(CUT_OFF.format(path=path))
    warnings.warn(
        f'{path}: the end of the file is missing ({os.path.getsize(path)} bytes are left). '
        f'The frames that are whole are used: {whole} of {promised}.',
        stacklevel=2,
    )
    return file, whole


def _is_whole(file: Any, frame: int) -> bool:
    try:
        for name in file.find_matching_chunk_names(''):
            if file.chunk_exists(frame=frame, name=name):
                file.read_chunk(frame=frame, name=name)
    except (OSError, RuntimeError, ValueError):
        return False
    return True
