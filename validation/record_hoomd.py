"""Record what HOOMD-blue says of stored frames: `python -m validation.record_hoomd`.

The files let a machine without HOOMD-blue notice when the shared force field, or the other
engine, drifts from what HOOMD-blue computed. They are made anew only when the force field is
meant to change.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.force_field import force_field
from models.model import load_model
from user_input import UserError, exits_on_user_error
from validation.sections.forces import MELTS, pressure_tensor, sample_of
from validation.systems import Sample, make_engine
from workflow.electrostatics.mesh import CoulombMesh
from workflow.engines.contract import ENERGY_TERMS
from workflow.engines.selection import available_engines
from workflow.stages.trajectory_writer import read_frame, write_frame

FOLDER = Path(__file__).parent / 'data' / 'recorded'
# Tight, so that what is compared is the force field and not the mesh.
COULOMB_ERROR = 1e-4
# Settings of the mesh in the order in which they are stored.
_MESH = ('resolution', 'order', 'cutoff', 'splitting')


@dataclass(frozen=True, eq=False)
class Recorded:
    """A stored frame and what HOOMD-blue said of it.

    Attributes:
        sample: The frame under the force field of the model file as it is now.
        mesh: The mesh that was used; None without charges.
        version: Of HOOMD-blue.
        energies: By term.
        forces: ``(N, 3)``.
        pressure: xx, xy, xz, yy, yz, zz, without motion.
    """

    sample: Sample
    mesh: CoulombMesh | None
    version: str
    energies: dict[str, float]
    forces: NDArray[np.float64]
    pressure: NDArray[np.float64]


def names() -> list[str]:
    """What frames are stored: one of each model that the forces are compared on."""
    return list(MELTS)


def path_of(name: str) -> Path:
    """The file of a frame."""
    return FOLDER / f'{"".join(c if c.isalnum() else "_" for c in name)}.gsd'


def record(name: str) -> Path:
    """Compute and store one frame, with what HOOMD-blue says of it as its log."""
    sample = sample_of(name, 0)
    mesh = sample.mesh(COULOMB_ERROR)
    energies, forces = sample.evaluated('hoomd', mesh)
    version = make_engine('hoomd').describe()['version']
    frame = sample.frame
    frame.particles.velocity = frame.particles.image = None
    frame.log = {
        'version': np.frombuffer(version.encode(), dtype=np.uint8),
        'bjerrum_length': np.array([sample.field.bjerrum_length]),
        'energies': np.array([energies[term] for term in ENERGY_TERMS]),
        'forces': forces.astype(np.float32),
        'pressure': pressure_tensor(sample, 'hoomd', mesh),
    }
    if mesh is not None:
        frame.log['mesh'] = np.array([getattr(mesh, key) for key in _MESH])
    FOLDER.mkdir(exist_ok=True)
    path = path_of(name)
    write_frame(path, frame)
    return path


def load(name: str) -> Recorded:
    """Read one frame, and resolve its force field from the model file as it is now."""
    frame = read_frame(path_of(name))
    log = frame.log
    field = force_field(load_model(MELTS[name][0]), float(log['bjerrum_length'][0]))
    mesh = None
    if 'mesh' in log:
        resolution, order, cutoff, splitting = log['mesh'].tolist()
        mesh = CoulombMesh(
            int(resolution), int(order), cutoff, splitting, COULOMB_ERROR, COULOMB_ERROR, 1.0
        )
    return Recorded(
        Sample(frame, field),
        mesh,
        log['version'].tobytes().decode(),
        dict(zip(ENERGY_TERMS, log['energies'].tolist(), strict=True)),
        log['forces'].astype(float),
        log['pressure'],
    )


@exits_on_user_error
def main() -> int:
    """Record all frames."""
    if 'hoomd' not in available_engines():
        raise UserError('HOOMD-blue does not import here, and it is what is recorded.')
    for name in names():
        path = record(name)
        print(f'{path}: {path.stat().st_size / 1000:.0f} kB')
    return 0


if __name__ == '__main__':
    sys.exit(main())
