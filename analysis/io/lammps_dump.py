"""Reads LAMMPS text dumps (`dump custom`): frame offsets are indexed once, frames parsed alone."""

from __future__ import annotations

import codecs
import io
import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.geometry.box import Box
from analysis.geometry.topology import Snapshot
from analysis.io.integrity import (
    TWO_DIMENSIONAL,
    check_box,
    check_ids,
    check_snapshot,
    check_topology,
    read_errors_as_damage,
)
from analysis.io.lammps_data import LAMMPSData
from analysis.io.lammps_topology import Table, topology_of
from analysis.io.unpacked import Unpacked
from user_input import UserError

FRAME_START = b'ITEM: TIMESTEP'
CHUNK_BYTES = 4 * 1024 * 1024
HEADER_BYTES = 4096
TIME_BYTES = 128

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


def is_lammps_dump(beginning: bytes) -> bool:
    """Return whether a file that begins with these bytes is a LAMMPS text dump."""
    start = beginning.removeprefix(codecs.BOM_UTF8).lstrip()
    return start.startswith((FRAME_START, b'ITEM: UNITS', b'ITEM: TIME'))


@dataclass(frozen=True)
class _Header:
    """The lines of a frame above its atoms.

    Coordinates x of the dump are (x - centre) @ axes in the box; axes (3, 3) turn those of a
    general triclinic box.
    """

    step: int
    n_atoms: int
    box: Box
    centre: FloatArray
    axes: FloatArray
    columns: tuple[str, ...]
    n_lines: int
    n_bytes: int


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
            self._offsets, headers = _index_frames(file)
            self.steps: IntArray = np.array([step for step, _ in headers], dtype=np.int64)
            self.time_step = _time_step([*headers[:1], *headers[-1:]])
            if goes_on_from is not None:
                self._first, self.topology = goes_on_from._first, goes_on_from.topology
                return
            header, table = self._load(0)
            names, _, _ = _coordinates_among(header.columns, self.path)
            self._first = {name: table[name] for name in STATIC if name in table}
            self.topology = topology_of(table, data, self.path)
            check_topology(self.topology)
            # LAMMPS gives a plane some height, and its dumps do not say that it is one.
            is_flat = header.n_atoms > 2 and np.ptp(table[names[2]]) == 0
            if is_flat and np.ptp(self._load(len(self) - 1)[1][names[2]]) == 0:
                raise UserError(TWO_DIMENSIONAL.format(where=self.path))

    def __len__(self) -> int:
        return len(self.steps)

    def read(self, index: int) -> Snapshot:
        """Read the frame at `index`; UserError if the particles change or it is damaged."""
        with read_errors_as_damage(f'{self.path}: frame {index}'):
            snapshot = self._snapshot(index)
            check_snapshot(snapshot, len(self._first['id']))
        return snapshot

    def _snapshot(self, index: int) -> Snapshot:
        header, table = self._load(index)
        self._check_unchanged(table, f'{self.path}: frame {index}')
        box = header.box
        check_box(box, f'{self.path}: frame {index}')
        names, is_scaled, is_unwrapped = _coordinates_among(header.columns, self.path)
        raw = np.stack([table[name] for name in names], axis=1)
        if not np.all(np.isfinite(raw)):
            raise UserError(
                f'{self.path}: frame {index}: the positions are not finite numbers: the run blew '
                'up or the file is damaged. Analyse the frames before it.'
            )
        origin, onto = (0.5, box.matrix) if is_scaled else (header.centre, header.axes)
        centred = (raw - origin) @ onto
        images = None
        if is_unwrapped:
            images = np.zeros(raw.shape, dtype=np.int64)
        elif {'ix', 'iy', 'iz'} <= set(header.columns):
            images = np.stack([table[name].astype(np.int64) for name in ('ix', 'iy', 'iz')], axis=1)
        return Snapshot(header.step, *box.wrap(centred, images))

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

    def _load(self, index: int) -> tuple[_Header, Table]:
        """Read the header of a frame and the columns in use, in the order of the ids."""
        start, end = self._offsets[index], self._offsets[index + 1]
        with open(self._file.content, 'rb') as file:
            file.seek(start)
            text = file.read(end - start)
        where = f'{self.path}: frame {index}'
        header = _read_header(text[:HEADER_BYTES], where)
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
            raise UserError(
                f'{where}: rows of unequal length, or words in place of numbers ({error}): the '
                'file is damaged. Copy it again from where it was written.'
            ) from None
        if len(table) != header.n_atoms:
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


def _index_frames(whole: Unpacked) -> tuple[list[int], list[tuple[int, float | None]]]:
    """Find the byte offsets of the whole frames (and of their end), and their steps and times."""
    path = whole.path
    starts, lines = _scan(whole.content)
    headers: list[tuple[int, float | None]] = []
    offsets: list[int] = []
    with open(whole.content, 'rb') as file:
        for i, start in enumerate(starts[:-1]):
            is_last = i == len(starts) - 2
            file.seek(start)
            try:
                header = _read_header(file.read(HEADER_BYTES), f'{path}: frame {i}')
                missing = header.n_lines + header.n_atoms - lines[i]
                is_whole = missing <= 0 or (
                    is_last and missing == 1 and _has_whole_end(file, start, header)
                )
            except ValueError:
                is_whole = False
            if is_whole:
                offsets.append(start)
                headers.append((header.step, _time_before(file, start)))
            elif is_last and headers:
                warnings.warn(
                    f'{path}: the end of the file is missing. The first {len(headers)} frames '
                    'are whole and are used.',
                    stacklevel=2,
                )
                return [*offsets, start], headers
            elif is_last:
                raise UserError(f'{path}: no whole frame. Was the run cut off in its first one?')
            else:
                raise UserError(
                    f'{path}: frame {i} is cut off in the middle of the file, at byte {start}. '
                    'Remove it, or copy the file again from where it was written.'
                )
    return [*offsets, starts[-1]], headers


def _has_whole_end(file: IO[bytes], start: int, header: _Header) -> bool:
    """Whether only the line end is missing from the last row: LAMMPS puts a blank before it."""
    file.seek(start + header.n_bytes)
    rows = file.read()
    last = rows.rpartition(b'\n')[2]
    ends_as_others = last[-1:].isspace() or re.search(rb'[ \t]\r?\n', rows) is None
    return len(last.split()) == len(header.columns) and ends_as_others


def _scan(path: Path) -> tuple[list[int], list[int]]:
    """Find where frames start (and the end of the file), and count the lines in each frame."""
    starts: list[int] = []
    lines: list[int] = []
    start = 0
    with open(path, 'rb') as file:
        # In whole lines, so that no mark is split; counted in chunks, since Python lines are slow.
        while chunk := file.read(CHUNK_BYTES) + file.readline():
            before, *frames = chunk.split(FRAME_START)
            if lines:
                lines[-1] += before.count(b'\n')
            place = start + len(before)
            for frame in frames:
                starts.append(place)
                lines.append(frame.count(b'\n'))
                place += len(FRAME_START) + len(frame)
            start += len(chunk)
    return [*starts, start], lines


def _read_header(text: bytes, where: str) -> _Header:
    """Parse the lines above the atoms; ValueError if they are not whole."""
    above, mark, below = text.partition(b'ITEM: ATOMS')
    names = below.partition(b'\n')[0]
    step, n_atoms, rows = 0, 0, []
    lines = iter(above.split(b'\n'))
    for line in lines:
        if line.startswith(b'ITEM: TIMESTEP'):
            step = int(next(lines, b''))
        elif line.startswith(b'ITEM: NUMBER OF ATOMS'):
            n_atoms = int(next(lines, b''))
        elif line.startswith(b'ITEM: BOX BOUNDS'):
            rows = [[float(word) for word in next(lines, b'').split()] for _ in range(3)]
            words = set(line.split())
            if any(len(row) < 2 for row in rows):
                raise ValueError
            # Dumps of before 2011 do not say.
            if words - {b'ITEM:', b'BOX', b'BOUNDS', b'pp', b'xy', b'xz', b'yz', b'abc', b'origin'}:
                raise UserError(
                    f'{where}: the box is not periodic in all three directions. Distances and '
                    'displacements are only right in periodic boxes (boundary p p p).'
                )
    if not mark or not rows:
        raise ValueError
    columns = tuple(names.decode('utf-8', 'replace').split())
    n_lines, n_bytes = above.count(b'\n') + 1, len(above) + len(mark) + len(names) + 1
    return _Header(step, n_atoms, *_box_of(rows), columns, n_lines, n_bytes)


def _box_of(rows: list[list[float]]) -> tuple[Box, FloatArray, FloatArray]:
    """Find the box, its centre and its axes from its bounds (LAMMPS, Howto_triclinic)."""
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


def _time_before(file: IO[bytes], start: int) -> float | None:
    """Read the time of the frame at `start`; LAMMPS writes it above 'ITEM: TIMESTEP'."""
    from_byte = max(0, start - TIME_BYTES)
    file.seek(from_byte)
    found = re.search(rb'ITEM: TIME\s+(\S+)\s*$', file.read(start - from_byte))
    return None if found is None else float(found[1])


def _time_step(ends: list[tuple[int, float | None]]) -> float | None:
    (step_0, time_0), (step_1, time_1) = ends[0], ends[-1]
    if time_0 is None or time_1 is None or step_1 == step_0:
        return None
    return (time_1 - time_0) / (step_1 - step_0)
