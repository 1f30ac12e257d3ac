"""Reads thermo logs: HDF5, one dataset a column, the duration of a step as attribute."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.arrays import FloatArray
from user_input import UserError


@dataclass(frozen=True)
class ThermoLog:
    """The rows of a thermo log, columns of shape (R,) by name, and the duration of a step in tau.

    Columns are 'step', 'volume' in sigma^3, 'kinetic_energy' and 'potential_energy' in epsilon,
    'pressure_xx' and so on in epsilon/sigma^3; 'current_x|y|z', the sum of q v in e sigma/tau; and
    'cation_displacement_x|y|z' and 'anion_displacement_x|y|z' in e sigma, the sums over beads of
    positive and of negative charge of |q| (r(t) - r(start of the stage)) along unwrapped paths, so
    that the dipole moment has changed by the difference of both. A stage in a box that changes has
    no displacements; a log of former versions neither those nor currents, and one that they began
    has NaN in its first rows.
    """

    columns: dict[str, FloatArray]
    time_step: float


def read_thermo_log(path: Path) -> ThermoLog:
    """Read all columns of a thermo.h5; UserError if it cannot be read, or is damaged."""
    import h5py

    try:
        with h5py.File(path, 'r') as file:
            columns = {
                str(name): np.asarray(file[name])
                for name in file
                if isinstance(file[name], h5py.Dataset) and file[name].ndim == 1
            }
            time_step = float(file.attrs['time_step'])
            rows = len(columns['step'])
    except (OSError, KeyError) as error:
        raise UserError(
            f'{path}: no thermo log that can be read ({error}). It is the HDF5 file thermo.h5 of a '
            'job, or one made like it: a dataset for each column (step, volume, pressure_xy, ...) '
            'and the attribute time_step. The log of another program has to be converted.'
        ) from None
    if any(column.shape != (rows,) for column in columns.values()):
        raise UserError(f'{path}: columns of unequal length: the file is damaged.')
    return ThermoLog(columns, time_step)
