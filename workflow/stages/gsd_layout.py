"""The bytes of a GSD file: what must be kept to cut it back in place, and to verify it.

A GSD file only grows, but for its header, its list of names and its index, which are rewritten in
place or moved to the end. With a copy of these three, kept elsewhere, a file that was cut off in a
write, or spoiled in them, is made what it was at the time of the copy; a checksum over the data
verifies the rest.

The copy is needed: where the disk fills up while the index moves, the GSD library (5.0) continues
as if nothing was, and overwrites the beginning of the index.

Layout: https://gsd.readthedocs.io/en/stable/file-layer.html, file version 2.
"""

from __future__ import annotations

import errno
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.io.gsd_file_layer import ENTRY, HEADER, NAME_LENGTH, TYPE_SIZES

ENTRY_LENGTH = ENTRY.itemsize
_BLOCKS_OF_A_FILE_SYSTEM = 1 << 16


@dataclass(frozen=True)
class FrameMark:
    """A GSD file as it was when it held so many frames and bytes.

    `checksum` is the CRC-32 of all data in the order of writing; `index` has the entries in use.
    """

    frames: int
    length: int
    checksum: int
    header: bytes
    names: bytes
    index: bytes

    @property
    def chunks(self) -> int:
        """Number of entries of the index."""
        return len(self.index) // ENTRY_LENGTH


def take_mark(path: Path, frames: int, chunks: int, checksum: int) -> FrameMark:
    """Copy header, names and index of a file of `frames` frames in `chunks` chunks, all on disk.

    OSError if its index does not hold just these: a write to a full disk, which the library let
    pass.
    """
    with open(path, 'rb') as file:
        raw = file.read(HEADER.itemsize)
        header = np.frombuffer(raw, dtype=HEADER)[0]
        file.seek(int(header['names_location']))
        names = file.read(int(header['names_entries']) * NAME_LENGTH)
        file.seek(int(header['index_location']))
        index = file.read(chunks * ENTRY_LENGTH)
        length = file.seek(0, os.SEEK_END)
    entries = np.frombuffer(index[: len(index) // ENTRY_LENGTH * ENTRY_LENGTH], dtype=ENTRY)
    if len(entries) != chunks or not _counts_to(frames, entries):
        room = os.statvfs(path)
        # The library asked for twice the index, and did not get it.
        full = room.f_bavail * room.f_frsize < 4 * len(index) + _BLOCKS_OF_A_FILE_SYSTEM
        code = errno.ENOSPC if full else errno.EIO
        raise OSError(code, 'the frames did not all come to disk', str(path))
    return FrameMark(frames, length, checksum, raw, names, index)


def _counts_to(frames: int, entries: NDArray[np.void]) -> bool:
    """Check whether the entries are sorted by frame, none missing, the last frame the last."""
    numbers = entries['frame'].astype(np.int64)
    rises = bool(np.all(np.isin(np.diff(numbers), (0, 1)))) and numbers[:1].tolist() == [0]
    return rises and int(numbers[-1]) == frames - 1


def restore(path: Path, mark: FrameMark) -> None:
    """Cut the file back to `mark` in place, and restore its header, names and index."""
    header = np.frombuffer(mark.header, dtype=HEADER)[0]
    unused = int(header['index_entries']) * ENTRY_LENGTH - len(mark.index)
    with open(path, 'r+b') as file:
        file.truncate(mark.length)
        for location, content in (
            (int(header['index_location']), mark.index + bytes(unused)),
            (int(header['names_location']), mark.names),
            (0, mark.header),
        ):
            file.seek(location)
            file.write(content)
        file.flush()
        os.fsync(file.fileno())


def used_index(path: Path) -> bytes:
    """Read the entries of a file's index that are in use; all is on disk."""
    with open(path, 'rb') as file:
        header = np.frombuffer(file.read(HEADER.itemsize), dtype=HEADER)[0]
        file.seek(int(header['index_location']))
        index = file.read(int(header['index_entries']) * ENTRY_LENGTH)
    used = int(np.sum(np.frombuffer(index, dtype=ENTRY)['location'] > 0))
    return index[: used * ENTRY_LENGTH]


def data_checksum(path: Path, index: bytes) -> int:
    """Compute the CRC-32 of the data that `index` points at, in the order of writing."""
    entries = np.frombuffer(index, dtype=ENTRY)
    entries = entries[np.argsort(entries['location'], kind='stable')]
    lengths = entries['rows'].astype(np.int64) * entries['columns'] * TYPE_SIZES[entries['type']]
    checksum = 0
    with open(path, 'rb') as file:
        for location, length in zip(entries['location'].tolist(), lengths.tolist(), strict=True):
            file.seek(location)
            checksum = zlib.crc32(file.read(length), checksum)
    return checksum
