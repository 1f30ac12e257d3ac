"""Thermodynamic rows: raw records while a stage runs, HDF5 when it is done.

Raw records of fixed length can be cut back to a checkpoint and survive a kill; an HDF5 file that
was open when its writer died may not open again.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from workflow.engines.contract import CURRENT, DISPLACEMENTS, THERMO_COLUMNS
from workflow.jobs.atomic_writes import find_fault

_RECORD = np.dtype('<f8')
_WIDTH = len(THERMO_COLUMNS)
# Of rows before those of charges were added.
FORMER_WIDTH = CURRENT.start
_BLOCK = 1 << 20

_UNITS = {
    'step': '1',
    'volume': 'sigma^3',
    'kinetic_energy': 'epsilon',
    'potential_energy': 'epsilon',
}
_UNITS |= {name: 'epsilon/sigma^3' for name in THERMO_COLUMNS if name.startswith('pressure')}
_UNITS |= dict.fromkeys(THERMO_COLUMNS[CURRENT], 'e sigma/tau')
_UNITS |= dict.fromkeys(THERMO_COLUMNS[DISPLACEMENTS], 'e sigma')


@dataclass(frozen=True)
class RowMark:
    """A raw file as it was when it held so many rows of so many columns, with their CRC-32."""

    rows: int = 0
    checksum: int = 0
    width: int = _WIDTH

    @property
    def length(self) -> int:
        """Bytes of the rows."""
        return self.rows * self.width * _RECORD.itemsize

    @property
    def is_former(self) -> bool:
        """Whether there are rows without charges."""
        return self.rows > 0 and self.width < _WIDTH


class ThermoLog:
    """Appends rows to a raw file, from a mark on.

    Rows of fewer columns are copied, with NaN for what they lack. The file that the mark is of
    stays beside it: until there is another checkpoint, it is the one that counts.
    """

    def __init__(self, path: Path, mark: RowMark) -> None:
        if mark.is_former and not _former(path).exists():
            os.replace(path, _former(path))
        self._file = open(path, 'r+b' if path.exists() else 'x+b')  # noqa: SIM115
        self.mark = RowMark() if mark.is_former else mark
        self._file.truncate(self.mark.length)
        self._file.seek(0, os.SEEK_END)
        if mark.is_former:
            rows = np.full((mark.rows, _WIDTH), np.nan)
            values = np.fromfile(_former(path), _RECORD, mark.rows * mark.width)
            rows[:, : mark.width] = values.reshape(-1, mark.width)
            self.append(rows)

    def append(self, rows: NDArray[np.float64]) -> None:
        """Append ``(n, len(THERMO_COLUMNS))`` rows."""
        content = np.ascontiguousarray(rows, dtype=_RECORD).tobytes()
        self._file.write(content)
        self.mark = RowMark(self.mark.rows + len(rows), zlib.crc32(content, self.mark.checksum))

    def flush(self) -> None:
        """Bring all rows to disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


def find_corruption(path: Path, mark: RowMark) -> str:
    """Find why the rows of `mark` are not in the file as they were written; '' if they are."""
    length = mark.length
    if mark.is_former and _former(path).exists():  # moved there when the rows were copied
        path = _former(path)

    def is_whole() -> bool:
        checksum = 0
        with open(path, 'rb') as file:
            for start in range(0, length, _BLOCK):
                checksum = zlib.crc32(file.read(min(_BLOCK, length - start)), checksum)
        return checksum == mark.checksum

    return find_fault(path, length, is_whole) if length else ''


def _former(path: Path) -> Path:
    return path.with_suffix('.former_rows')


def read_rows(path: Path) -> dict[str, NDArray[np.float64]]:
    """Read the columns of a raw file, by name, ``(n,)``; an incomplete last row is left out."""
    values = np.fromfile(path, dtype=_RECORD)
    table = values[: len(values) // _WIDTH * _WIDTH].reshape(-1, _WIDTH)
    return dict(zip(THERMO_COLUMNS, table.T, strict=True))


def write_rows(path: Path, columns: Mapping[str, NDArray[np.float64]], width: int = _WIDTH) -> None:
    """Write a raw file of the first columns, each ``(n,)``: undoes `read_hdf5` of `write_hdf5`."""
    lacking = np.full(len(columns['step']), np.nan)
    values = [columns.get(name, lacking) for name in THERMO_COLUMNS[:width]]
    np.column_stack(values).astype(_RECORD).tofile(path)


def as_records(rows: NDArray[np.float64]) -> list[dict[str, float | str]]:
    """Name the columns of rows, for JSON: what is no number is spelled out, 'nan' or 'inf'."""
    return [
        {
            name: float(value) if np.isfinite(value) else str(value)
            for name, value in zip(THERMO_COLUMNS, row, strict=True)
        }
        for row in rows
    ]


def write_hdf5(raw: Path, path: Path, time_step: float) -> None:
    """Turn a finished raw file into the HDF5 file `path`, one dataset a column.

    A column without any number, such as a displacement in a box that changes, is left out. It is
    made in memory: where the disk fills up, the HDF5 library ends the process.
    """
    import h5py  # not at the top: `init` writes no log

    with h5py.File(path, 'w', driver='core', backing_store=False) as file:
        file.attrs['time_step'] = time_step
        for name, values in read_rows(raw).items():
            if values.size and np.isnan(values).all():
                continue
            dataset = file.create_dataset(
                name, data=values.astype(np.int64) if name == 'step' else values
            )
            dataset.attrs['unit'] = _UNITS[name]
        file.flush()
        image = file.id.get_file_image()
    path.write_bytes(image)


def read_hdf5(path: Path) -> dict[str, NDArray[np.float64]]:
    """Read the columns that a thermo.h5 has, by name, each ``(n,)``."""
    import h5py

    with h5py.File(path, 'r') as file:
        return {name: np.asarray(file[name]) for name in THERMO_COLUMNS if name in file}
