"""Series of a simulation in the form that the package physical_validation takes."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validation.systems import TIME_STEP, Sample

# physical_validation holds pressures in bar, energies in kJ/mol and lengths in nm.
BAR = 16.6053907


def simulation_data(
    ensemble: str,
    series: dict[str, NDArray[np.float64]],
    sample: Sample,
    kT: float | None,
    pressure: float | None = None,
    lost: int = 3,
) -> Any:
    """The series in the form that physical_validation takes, in reduced units."""
    import physical_validation as pv

    number = int(sample.frame.particles.N)
    units = pv.data.UnitData(
        kb=1.0,
        energy_conversion=1.0,
        length_conversion=1.0,
        volume_conversion=1.0,
        temperature_conversion=1.0,
        pressure_conversion=BAR,
        time_conversion=1.0,
    )
    system = pv.data.SystemData(
        natoms=number,
        nconstraints=0,
        ndof_reduction_tra=lost,
        ndof_reduction_rot=0,
        mass=sample.masses,
    )
    volume = float(series['volume'][0]) if ensemble in ('NVT', 'NVE') else None
    state = pv.data.EnsembleData(
        ensemble, natoms=number, volume=volume, pressure=pressure, temperature=kT
    )
    kinetic, potential = series['kinetic_energy'], series['potential_energy']
    observables = pv.data.ObservableData(
        kinetic_energy=kinetic,
        potential_energy=potential,
        total_energy=kinetic + potential,
        volume=series['volume'],
    )
    return pv.data.SimulationData(
        units=units, ensemble=state, system=system, observables=observables, dt=TIME_STEP
    )


def quietly(function: Any, *arguments: Any, **options: Any) -> Any:
    """Call without what it prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        return function(*arguments, **options)
