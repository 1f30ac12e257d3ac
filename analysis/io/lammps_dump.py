"""Reads LAMMPS text dumps (`dump custom`): frame offsets are indexed once, frames parsed alone."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.geometry.box import Box
from analysis.geometry.topology import Snapshot, Topology
from analysis.io.integrity import (
    TWO_DIMENSIONAL,
    check_box,
    check_snapshot,
    check_topology,
    read_errors_as_damage,
)
from analysis.io.lammps_data import LAMMPSData, read_lammps_data
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

NUMBERS = {'id', 'ix', 'iy', 'iz', 'q', 'mass'}.union(*(names for names, _, _ in COORDINATES))


def is_lammps_dump(beginning: bytes) -> bool:
    """Return whether a file that begins with these bytes is a LAMMPS text dump."""
    return beginning.startswith((FRAME_START, b'ITEM: UNITS', b'ITEM: TIME'))


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
    charges, masses, bonds and type labels.

    Raises:
        UserError: If the dump is damaged, lacks ids, types or coordinates, is not periodic, or
            does not belong to the data file.
    """

    def __init__(self, path: Path, data_file: Path | None) -> None:
        self.path = path
        with read_errors_as_damage(path):
            self._load_first(data_file)

    def _load_first(self, data_file: Path | None) -> None:
        self._offsets, headers = _index_frames(self.path)
        self.steps: IntArray = np.array([step for step, _ in headers], dtype=np.int64)
        first, table = self._load(0)
        names, _, _ = _coordinates_among(first.columns, self.path)
        self._n_atoms = first.n_atoms
        self._ids = table['id'].astype(np.int64)
        data = None if data_file is None else read_lammps_data(data_file)
        self.topology = self._make_topology(table, data, data_file)
        check_topology(self.topology)
        self.time_step = _time_step([*headers[:1], *headers[-1:]])
        # LAMMPS gives a plane some height, and its dumps do not say that it is one.
        is_flat = self._n_atoms > 2 and np.ptp(table[names[2]]) == 0
        if is_flat and np.ptp(self._load(len(self) - 1)[1][names[2]]) == 0:
            raise UserError(TWO_DIMENSIONAL.format(where=self.path))

    def __len__(self) -> int:
        return len(self.steps)

    def read(self, index: int) -> Snapshot:
        """Read the frame at `index`; UserError if the particles change or it is damaged."""
        with read_errors_as_damage(f'{self.path}: frame {index}'):
            snapshot = self._snapshot(index)
            check_snapshot(snapshot, self._n_atoms)
        return snapshot

    def _snapshot(self, index: int) -> Snapshot:
        header, table = self._load(index)
        if header.n_atoms != self._n_atoms or not np.array_equal(table['id'], self._ids):
            raise UserError(
                f'{self.path}: frame {index}: the number of particles or their ids change. '
                'Particles are followed from frame to frame, so dump a group that stays the same.'
            )
        box = header.box
        check_box(box, f'{self.path}: frame {index}')
        names, is_scaled, is_unwrapped = _coordinates_among(header.columns, self.path)
        raw = np.stack([table[name].astype(np.float64) for name in names], axis=1)
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

    def _load(self, index: int) -> tuple[_Header, dict[str, np.ndarray]]:
        """Read the header of a frame and its columns, in the order of the ids."""
        start, end = self._offsets[index], self._offsets[index + 1]
        with open(self.path, 'rb') as file:
            file.seek(start)
            text = file.read(end - start)
        where = f'{self.path}: frame {index}'
        header = _read_header(text[:HEADER_BYTES], where)
        for column in ('id', 'type'):
            if column not in header.columns:
                raise UserError(
                    f"{where}: no column '{column}' in the dump. Write it: dump custom ... "
                    'id type x y z ix iy iz'
                )
        # 'ITEM: TIME' of the next frame may follow the atoms.
        words = text[header.n_bytes :].partition(b'ITEM:')[0].split()
        if len(words) != header.n_atoms * len(header.columns):
            raise UserError(
                f'{where}: rows of unequal length: the file is damaged. Copy it again from where '
                'it was written.'
            )
        return header, self._columns(words, header, where)

    def _columns(self, words: list[bytes], header: _Header, where: str) -> dict[str, np.ndarray]:
        tokens = np.array(words).reshape(header.n_atoms, len(header.columns))
        order = np.argsort(tokens[:, header.columns.index('id')].astype(np.int64))
        table: dict[str, np.ndarray] = {}
        for k, name in enumerate(header.columns):
            try:
                table[name] = tokens[order, k].astype(np.float64 if name in NUMBERS else str)
            except ValueError:
                raise UserError(
                    f"{where}: column '{name}' holds something that is no number: the file is "
                    'damaged. Copy it again from where it was written.'
                ) from None
        return table

    def _make_topology(
        self, table: dict[str, np.ndarray], data: LAMMPSData | None, data_file: Path | None
    ) -> Topology:
        names, typeid = np.unique(table['type'], return_inverse=True)
        ones = np.ones(self._n_atoms)
        charge = np.asarray(table.get('q', 0 * ones), dtype=np.float64)
        mass = np.asarray(table.get('mass', ones), dtype=np.float64)
        if data is None:
            nothing = np.zeros(0, dtype=np.int64)
            return Topology(
                tuple(map(str, names)), typeid, charge, mass, nothing.reshape(0, 2), (), nothing
            )
        rows = np.minimum(np.searchsorted(data.ids, self._ids), len(data.ids) - 1)
        if not np.array_equal(data.ids[rows], self._ids):
            raise UserError(
                f'{data_file}: lacks some of the atom ids of {self.path}. Give the data file of '
                'the same run.'
            )
        # Bonds to atoms outside the dumped group cannot be followed.
        is_kept = np.isin(data.bonds, self._ids).all(axis=1)
        return Topology(
            type_names=data.type_names,
            typeid=data.typeid[rows],
            charge=charge if 'q' in table or data.charge is None else data.charge[rows],
            mass=mass if 'mass' in table or data.mass is None else data.mass[rows],
            bonds=np.searchsorted(self._ids, data.bonds[is_kept]),
            bond_type_names=data.bond_type_names,
            bond_typeid=data.bond_typeid[is_kept],
        )


def _coordinates_among(columns: tuple[str, ...], path: Path) -> tuple[tuple[str, ...], bool, bool]:
    for names, is_scaled, is_unwrapped in COORDINATES:
        if set(names) <= set(columns):
            return names, is_scaled, is_unwrapped
    raise UserError(f'{path}: no coordinates. Dump the columns x y z or xu yu zu.')


def _index_frames(path: Path) -> tuple[list[int], list[tuple[int, float | None]]]:
    """Find the byte offsets of the whole frames (and of their end), and their steps and times."""
    starts, lines = _scan(path)
    headers: list[tuple[int, float | None]] = []
    offsets: list[int] = []
    with open(path, 'rb') as file:
        for i, start in enumerate(starts[:-1]):
            is_last = i == len(starts) - 2
            file.seek(start)
            try:
                header = _read_header(file.read(HEADER_BYTES), f'{path}: frame {i}')
                is_whole = lines[i] >= header.n_lines + header.n_atoms
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
            if words & {b'ff', b'ss', b'mm', b'fs', b'sf'}:
                raise UserError(f'{where}: the box is not periodic in all three directions.')
    if not mark or not rows:
        raise ValueError
    columns = tuple(word.decode() for word in names.split())
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
