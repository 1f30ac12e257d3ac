"""Finds the frames of a LAMMPS text dump, and reads the lines above their atoms."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from analysis.io.unpacked import Unpacked
from user_input import UserError

FRAME_START = b'ITEM: TIMESTEP'
CHUNK_BYTES = 4 * 1024 * 1024
HEADER_BYTES = 4096
TIME_BYTES = 128
# Words of the line above the bounds of a periodic box.
PERIODIC = {b'ITEM:', b'BOX', b'BOUNDS', b'pp', b'xy', b'xz', b'yz', b'abc', b'origin'}


@dataclass(frozen=True)
class Header:
    """The lines of a frame above its atoms; `bounds` are the three rows of the box."""

    step: int
    n_atoms: int
    bounds: list[list[float]]
    columns: tuple[str, ...]
    n_lines: int
    n_bytes: int


def index_frames(whole: Unpacked) -> tuple[list[int], list[tuple[int, float | None]]]:
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
                header = read_header(file.read(HEADER_BYTES), f'{path}: frame {i}')
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
                    f'{path}: the end of the file is missing. The frames '
                    f'that are whole are used: {len(headers)}.',
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


def _has_whole_end(file: IO[bytes], start: int, header: Header) -> bool:
    """Whether the last row lacks but its line end: it has a blank before it if others have."""
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


def read_header(text: bytes, where: str) -> Header:
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
            if any(len(row) < 2 for row in rows):
                raise ValueError
            if set(line.split()) - PERIODIC:
                raise UserError(
                    f'{where}: the box is not periodic in all three directions. Distances and '
                    'displacements are only right in periodic boxes (boundary p p p).'
                )
    if not mark or not rows:
        raise ValueError
    columns = tuple(names.decode('utf-8', 'replace').split())
    n_lines, n_bytes = above.count(b'\n') + 1, len(above) + len(mark) + len(names) + 1
    return Header(step, n_atoms, rows, columns, n_lines, n_bytes)


def _time_before(file: IO[bytes], start: int) -> float | None:
    """Read the time of the frame at `start`; LAMMPS writes it above 'ITEM: TIMESTEP'."""
    from_byte = max(0, start - TIME_BYTES)
    file.seek(from_byte)
    found = re.search(rb'ITEM: TIME\s+(\S+)\s*$', file.read(start - from_byte))
    return None if found is None else float(found[1])
