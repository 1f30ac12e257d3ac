"""Thermodynamic rows: raw records while a stage runs, HDF5 when it is done.

Raw records of fixed length can be cut back to a checkpoint and survive a kill; an HDF5 file that
was open when its writer died may not open again.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import numpy as np
from numpy.typing import NDArray

from workflow.engines.contract import THERMO_COLUMNS

_RECORD = np.dtype('<f8')
_RECORD_LENGTH = _RECORD.itemsize * len(THERMO_COLUMNS)

_UNITS = {
    'step': '1',
    'volume': 'sigma^3',
    'kinetic_energy': 'epsilon',
    'potential_energy': 'epsilon',
} | {name: 'epsilon/sigma^3' for name in THERMO_COLUMNS if name.startswith('pressure')}


class ThermoLog:
    """Appends rows to a raw file, from a given number of rows on."""

    def __init__(self, path: Path, keep: int) -> None:
        """Open `path` and cut it back to its first `keep` rows, which it must hold."""
        self._file = open(path, 'r+b' if path.exists() else 'x+b')  # noqa: SIM115
        self._file.truncate(keep * _RECORD_LENGTH)
        self._file.seek(0, os.SEEK_END)
        self.rows = keep

    def append(self, rows: NDArray[np.float64]) -> None:
        """Append ``(n, len(THERMO_COLUMNS))`` rows."""
        self._file.write(np.ascontiguousarray(rows, dtype=_RECORD).tobytes())
        self.rows += len(rows)

    def flush(self) -> None:
        """Bring all rows to disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()


def whole_rows(path: Path) -> int:
    """How many whole rows a raw file holds; 0 if there is none."""
    return path.stat().st_size // _RECORD_LENGTH if path.exists() else 0


def read_rows(path: Path) -> dict[str, NDArray[np.float64]]:
    """Columns of a raw file, by name, each ``(n,)``; an incomplete last row is left out."""
    values = np.fromfile(path, dtype=_RECORD)
    whole = len(values) // len(THERMO_COLUMNS) * len(THERMO_COLUMNS)
    table = values[:whole].reshape(-1, len(THERMO_COLUMNS))
    return dict(zip(THERMO_COLUMNS, table.T, strict=True))


def as_records(rows: NDArray[np.float64]) -> list[dict[str, float | str]]:
    """Rows by column name, for JSON: what is no number is spelled out, 'nan' or 'inf'."""
    return [
        {
            name: float(value) if np.isfinite(value) else str(value)
            for name, value in zip(THERMO_COLUMNS, row, strict=True)
        }
        for row in rows
    ]


def write_hdf5(raw: Path, path: Path, time_step: float) -> None:
    """Turn a finished raw file into the HDF5 file `path`, one dataset a column."""
    temporary = path.with_name(path.name + '.temporary')
    with h5py.File(temporary, 'w') as file:
        file.attrs['time_step'] = time_step
        for name, values in read_rows(raw).items():
            dataset = file.create_dataset(
                name, data=values.astype(np.int64) if name == 'step' else values
            )
            dataset.attrs['unit'] = _UNITS[name]
    os.replace(temporary, path)


def read_hdf5(path: Path) -> dict[str, NDArray[np.float64]]:
    """Columns of a thermo.h5, by name, each ``(n,)``."""
    with h5py.File(path, 'r') as file:
        return {name: np.asarray(file[name]) for name in THERMO_COLUMNS}
