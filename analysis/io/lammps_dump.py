"""Reads LAMMPS text dumps (`dump custom`): frame offsets are indexed once, frames parsed alone."""

from __future__ import annotations

import codecs
import io
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.geometry.box import Box
from analysis.geometry.topology import Snapshot, Topology
from analysis.io.integrity import (
    TWO_DIMENSIONAL,
    check_ids,
    check_topology,
    is_plane,
    read_errors_as_damage,
    snapshot_of,
)
from analysis.io.lammps_data import LAMMPSData
from analysis.io.lammps_dump_index import (
    FRAME_START,
    HEADER_BYTES,
    Header,
    index_frames,
    read_header,
)
from analysis.io.lammps_topology import Table, topology_of
from analysis.io.unpacked import Unpacked
from user_input import UserError

# (columns, whether they are fractions of the box, whether they are unwrapped), best first.
COORDINATES = (
    (('xu', 'yu', 'zu'), False, True),
    (('xsu', 'ysu', 'zsu'), True, True),
    (('x', 'y', 'z'), False, False),
    (('xs', 'ys', 'zs'), True, False),
)

# What particles keep; the rest of what is read.
STATIC = ('id', 'type', 'typelabel', 'element', 'q', 'mass')
USED = {*STATIC, 'ix', 'iy', 'iz'}.union(*(names for names, _, _ in COORDINATES))
LONGEST_NAME = 64
# Of the whole time, which dumps round.
MOST_AWAY = 1e-3


def is_lammps_dump(beginning: bytes) -> bool:
    """Return whether a file that begins with these bytes is a LAMMPS text dump."""
    start = beginning.removeprefix(codecs.BOM_UTF8).lstrip()
    return start.startswith((FRAME_START, b'ITEM: UNITS', b'ITEM: TIME'))


class LAMMPSTrajectory:
    """A trajectory in a LAMMPS dump; see `analysis.io.trajectory.Trajectory`.

    Particles are in the order of their ids, whatever the order of the rows. A data file gives
    charges, masses, bonds and type labels. A dump that goes on from another one has its topology,
    and its frames are checked against the first frame of that one.

    Raises:
        UserError: If the dump is damaged, lacks ids, types or coordinates, is not periodic, or
            does not belong to the data file.
    """

    def __init__(
        self, file: Unpacked, data: LAMMPSData | None, goes_on_from: LAMMPSTrajectory | None = None
    ) -> None:
        self.path, self._file = file.path, file
        with read_errors_as_damage(file.path):
            self._offsets, headers = index_frames(file)
            self.steps: IntArray = np.array([step for step, _ in headers], dtype=np.int64)
            self.time_step = _time_step(headers, file.path)
            if goes_on_from is not None:
                self._first: Table = goes_on_from._first
                self.topology: Topology = goes_on_from.topology
                return
            header, table = self._load(0)
            names, _, _ = _coordinates_among(header.columns, self.path)
            self._first = {name: table[name] for name in STATIC if name in table}
            self.topology = topology_of(table, data, self.path)
            check_topology(self.topology)
            if np.ptp(table[names[2]]) == 0:
                both = (table, self._load(len(self) - 1)[1])
                first, last = (np.stack([t[name] for name in names], axis=1) for t in both)
                if is_plane(first, last, _box_of(header.bounds)[0].lengths):
                    raise UserError(TWO_DIMENSIONAL.format(where=self.path))

    def __len__(self) -> int:
        return len(self.steps)

    def read(self, index: int) -> Snapshot:
        """Read the frame at `index`; UserError if the particles change or it is damaged."""
        where = f'{self.path}: frame {index}'
        with read_errors_as_damage(where):
            return self._snapshot(index, where)

    def _snapshot(self, index: int, where: str) -> Snapshot:
        header, table = self._load(index)
        self._check_unchanged(table, where)
        box, centre, axes = _box_of(header.bounds)
        names, is_scaled, is_unwrapped = _coordinates_among(header.columns, self.path)
        raw = np.stack([table[name] for name in names], axis=1)
        origin, onto = (0.5, box.matrix) if is_scaled else (centre, axes)
        centred = (raw - origin) @ onto
        images = None
        if is_unwrapped:
            images = np.zeros(raw.shape, dtype=np.int64)
        elif {'ix', 'iy', 'iz'} <= set(header.columns):
            images = np.stack([table[name].astype(np.int64) for name in ('ix', 'iy', 'iz')], axis=1)
        return snapshot_of(header.step, box, centred, images, header.n_atoms, where)

    def _check_unchanged(self, table: Table, where: str) -> None:
        """Refuse other atoms, types, charges or masses than in the first frame."""
        for name, before in self._first.items():
            now = table.get(name)
            if now is not None and np.array_equal(now, before):
                continue
            if name == 'id' and now is not None:
                raise UserError(
                    f'{where}: the number of particles or their ids change. Particles are followed '
                    'from frame to frame, so dump a group that stays the same.'
                )
            change = 'is not there'
            if now is not None:
                k = int(np.argmax(now != before))
                change = f'of atom {self._first["id"][k]} is {now[k]}, and was {before[k]}'
            raise UserError(
                f"{where}: the column '{name}' {change}. Types, charges and masses must stay as in "
                'the first frame. Analyse the frames before it, or leave the column out and give a '
                'data file (--data).'
            )

    def _load(self, index: int) -> tuple[Header, Table]:
        """Read the header of a frame and the columns in use, in the order of the ids."""
        start, end = self._offsets[index], self._offsets[index + 1]
        with open(self._file.content, 'rb') as file:
            file.seek(start)
            text = file.read(end - start)
        where = f'{self.path}: frame {index}'
        header = read_header(text[:HEADER_BYTES], where)
        if 'id' not in header.columns:
            raise UserError(
                f"{where}: no column 'id' in the dump. Write it: dump custom ... id type x y z ix "
                'iy iz'
            )
        # 'ITEM: TIME' of the next frame may follow the atoms.
        rows = text[header.n_bytes :].partition(b'ITEM:')[0].decode('utf-8', 'replace')
        try:
            table = np.loadtxt(
                io.StringIO(rows), _row_type(header.columns, rows), comments=None, ndmin=1
            )
        except ValueError as error:
            reason = str(error).partition(';')[0]
            raise UserError(
                f'{where}: rows of unequal length, or words in place of numbers ({reason}): the '
                'file is damaged. Copy it again from where it was written.'
            ) from None
        if len(table) != header.n_atoms or header.n_atoms < 1:
            raise UserError(
                f'{where}: {header.n_atoms} atoms are promised and {len(table)} are there: the '
                'file is damaged. Copy it again from where it was written.'
            )
        order = np.argsort(table['id'])
        check_ids(table['id'][order], where)
        return header, {name: table[name][order] for name in USED if name in header.columns}


def _row_type(columns: tuple[str, ...], rows: str) -> np.dtype[Any]:
    """Describe a row to numpy, given the names of its columns and the text of the rows."""
    first_row = rows[:HEADER_BYTES].partition('\n')[0].split()
    types = dict(zip(columns, first_row, strict=False)).get('type', '')
    return _row_type_of(columns, types[:1].isalpha())


@lru_cache
def _row_type_of(columns: tuple[str, ...], are_types_named: bool) -> np.dtype[Any]:
    words = {'typelabel', 'element'} | ({'type'} if are_types_named else set())
    fields = []
    for k, name in enumerate(columns):
        if name not in USED or name in columns[:k]:
            fields.append((f'unused {k}', 'U1'))
        elif name in words:
            fields.append((name, f'U{LONGEST_NAME}'))
        else:
            fields.append((name, 'i8' if name == 'id' else 'f8'))
    return np.dtype(fields)


def _coordinates_among(columns: tuple[str, ...], path: Path) -> tuple[tuple[str, ...], bool, bool]:
    for names, is_scaled, is_unwrapped in COORDINATES:
        if set(names) <= set(columns):
            return names, is_scaled, is_unwrapped
    raise UserError(f'{path}: no coordinates. Dump the columns x y z or xu yu zu.')


def _box_of(rows: list[list[float]]) -> tuple[Box, FloatArray, FloatArray]:
    """Find the box, its centre and its axes from its bounds (LAMMPS, Howto_triclinic).

    Coordinates x of the dump are (x - centre) @ axes in the box; axes (3, 3) turn those of a
    general triclinic box.
    """
    numbers = np.array(rows)
    if numbers.shape[1] == 4:
        vectors, origin = numbers[:, :3], numbers[:, 3]
        axes, triangle = np.linalg.qr(vectors.T)
        signs = np.sign(np.diag(triangle))
        return Box(triangle.T * signs), origin + vectors.sum(axis=0) / 2, axes * signs
    xy, xz, yz = numbers[:, 2] if numbers.shape[1] == 3 else np.zeros(3)
    # The bounds are those of a straight box around a tilted one.
    low = numbers[:, 0] - [min(0, xy, xz, xy + xz), min(0, yz), 0]
    high = numbers[:, 1] - [max(0, xy, xz, xy + xz), max(0, yz), 0]
    vectors = np.diag(high - low) + [[0, 0, 0], [xy, 0, 0], [xz, yz, 0]]
    return Box(vectors), (low + high + [xy + xz, yz, 0]) / 2, np.eye(3)


def _time_step(headers: list[tuple[int, float | None]], path: Path) -> float | None:
    """Find the duration of a step from the steps and times of all frames; None if not there."""
    (step_0, time_0), (step_1, time_1) = headers[0], headers[-1]
    if time_0 is None or time_1 is None or step_1 == step_0:
        return None
    length = (time_1 - time_0) / (step_1 - step_0)
    away = [abs(time - time_0 - length * (step - step_0)) for step, time in headers if time]
    if max(away, default=0) > MOST_AWAY * abs(time_1 - time_0):
        warnings.warn(
            f'{path}: the duration of a step changes during the run, so times are in steps, of '
            'unequal duration. For times, analyse the frames of one duration, in a file of their '
            'own.',
            stacklevel=2,
        )
        return None
    return length
