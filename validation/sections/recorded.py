"""Engines against stored values of HOOMD-blue, made by `python -m validation.record_hoomd`.

The stored frames are read under the force field of the model files as they are now: a change of
either shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from validation.claim import Row, judged, worst
from validation.job import Job
from validation.record_hoomd import load, names
from validation.sections.forces import pressure_tensor
from validation.sections.reference_forces import relative_rms

TITLE = 'Recorded values of HOOMD-blue'

# Without Coulomb two engines in double precision agree to the single precision of the files.
EXACT = 1e-6
# With it, both do the same sums on the same mesh and so share its error. What is left is the
# splitting, which HOOMD-blue finds by bisection until it is known to 1e-5 / sigma.
WITH_MESH = 1e-5


def jobs() -> Iterator[Job]:
    """One job for each stored frame."""
    for name in names():
        yield Job(name, partial(against_recorded, name))


def against_recorded(name: str, engine: str) -> Iterator[Row]:
    """Energies, forces and pressure tensor of one stored frame."""
    energy, force, pressure, version = differences(name, engine)
    tolerance = tolerance_of(name)
    reason = 'the splitting that HOOMD-blue finds' if tolerance == WITH_MESH else 'the file'
    yield judged(
        f'energies, forces and pressure tensor of a stored frame: {name}',
        engine,
        f'HOOMD-blue {version}, recorded',
        f'energies {energy:.0e}, forces {force:.0e}, pressure {pressure:.0e} (relative)',
        f'{tolerance:g}: {reason}',
        holds=worst([energy, force, pressure]) < tolerance,
    )


def tolerance_of(name: str) -> float:
    """Largest relative difference."""
    return EXACT if load(name).mesh is None else WITH_MESH


def differences(name: str, engine: str) -> tuple[float, float, float, str]:
    """Relative differences of energies, forces and pressures, and the version recorded."""
    stored = load(name)
    energies, forces = stored.sample.evaluated(engine, stored.mesh)
    scale = sum(abs(value) for value in stored.energies.values())
    energy = worst(abs(energies[term] - value) for term, value in stored.energies.items()) / scale
    tensor = pressure_tensor(stored.sample, engine, stored.mesh)
    # Pressures are small differences of large terms: one epsilon/sigma^3 is their scale.
    size = max(float(np.abs(stored.pressure).max()), 1.0)
    pressure = float(np.abs(tensor - stored.pressure).max()) / size
    return energy, relative_rms(forces, stored.forces), pressure, stored.version
