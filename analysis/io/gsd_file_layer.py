"""The outer layout of a GSD file, and whether it can be what it says.

https://gsd.readthedocs.io/en/stable/file-layer.html, file version 2.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HEADER = np.dtype(
    [
        ('magic', '<u8'),
        ('index_location', '<u8'),
        ('index_entries', '<u8'),
        ('names_location', '<u8'),
        ('names_entries', '<u8'),
        ('rest', 'V216'),
    ]
)
ENTRY = np.dtype(
    [
        ('frame', '<u8'),
        ('rows', '<u8'),
        ('location', '<i8'),
        ('columns', '<u4'),
        ('name', '<u2'),
        ('type', 'u1'),
        ('flags', 'u1'),
    ]
)
NAME_LENGTH = 64
# Bytes of a value of each type, by its number; 0 for numbers that are no type.
TYPE_SIZES = np.array([0, 1, 2, 4, 8, 1, 2, 4, 8, 4, 8, 1])


def is_sound(path: Path) -> bool:
    """Return whether everything that header and index point at lies within the file.

    The GSD library believes both: a size that is not there is memory asked for, or a crash.
    """
    size = path.stat().st_size
    if size < HEADER.itemsize:
        return False
    header = np.fromfile(path, HEADER, 1)[0]
    if not points_within(header, size):
        return False
    entries = int(header['index_entries'])
    index = np.fromfile(path, ENTRY, entries, offset=int(header['index_location']))
    return data_lies_within(index[index['location'] != 0], size)


def points_within(header: np.void, size: int) -> bool:
    """Return whether index and names of one HEADER lie within a file of `size` bytes."""
    return all(
        int(at) >= HEADER.itemsize and int(at) + int(entries) * length <= size
        for at, entries, length in (
            (header['index_location'], header['index_entries'], ENTRY.itemsize),
            (header['names_location'], header['names_entries'], NAME_LENGTH),
        )
    )


def data_lies_within(used: NDArray[np.void], size: int) -> bool:
    """Return whether the data of ``(n,)`` entries in use lies within a file of `size` bytes."""
    known = used['type'] < len(TYPE_SIZES)
    if not np.all(known & (used['rows'] <= size) & (used['columns'] <= size)):
        return False
    # As floats: a product of large numbers must not wrap round to a small one.
    lengths = used['rows'] * used['columns'].astype(float) * TYPE_SIZES[used['type']]
    ends = used['location'].astype(float) + lengths
    return bool(np.all((used['location'] > 0) & (lengths >= 0) & (ends <= size)))
