"""Record what HOOMD-blue says of stored frames: `python -m validation.record_hoomd`.

The files let a machine without HOOMD-blue notice when the shared force field, or the other
engine, drifts from what HOOMD-blue computed. They are made anew only when the force field is
meant to change.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gsd.hoomd import Frame
from numpy.typing import NDArray

from models.force_field import force_field
from models.model import load_model
from user_input import UserError, exits_on_user_error
from validation.sections.forces import MELTS, pressure_tensor, sample_of
from validation.systems import Sample, make_engine
from workflow.electrostatics.mesh import CoulombMesh
from workflow.engines.contract import ENERGY_TERMS
from workflow.engines.selection import available_engines

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
    return FOLDER / f'{"".join(c if c.isalnum() else "_" for c in name)}.npz'


def record(name: str) -> Path:
    """Compute and store one frame."""
    sample = sample_of(name, 0)
    mesh = sample.mesh(COULOMB_ERROR)
    energies, forces = sample.evaluated('hoomd', mesh)
    frame = sample.frame
    content: dict[str, Any] = {
        'hoomd_version': np.array(make_engine('hoomd').describe()['version']),
        'box': np.asarray(frame.configuration.box, dtype=float),
        'positions': np.asarray(frame.particles.position, dtype=np.float32),
        'bead_types': np.array(frame.particles.types),
        'typeid': np.asarray(frame.particles.typeid, dtype=np.uint8),
        'charge': np.asarray(sample.charges, dtype=np.int8),
        'bjerrum_length': np.array(sample.field.bjerrum_length),
        'energies': np.array([energies[term] for term in ENERGY_TERMS]),
        'forces': forces.astype(np.float32),
        'pressure': pressure_tensor(sample, 'hoomd', mesh),
        'mesh': np.array([getattr(mesh, key) for key in _MESH] if mesh else []),
    }
    for group in ('bonds', 'angles'):
        topology = getattr(frame, group)
        content[f'{group}_types'] = np.array(topology.types or [], dtype=np.str_)
        none = topology.N == 0
        content[f'{group}_typeid'] = np.array([] if none else topology.typeid, dtype=np.uint8)
        content[f'{group}_group'] = np.array([] if none else topology.group, dtype=np.uint16)
    FOLDER.mkdir(exist_ok=True)
    path = path_of(name)
    np.savez_compressed(path, **content)
    return path


def load(name: str) -> Recorded:
    """Read one frame, and resolve its force field from the model file as it is now."""
    with np.load(path_of(name), allow_pickle=False) as file:
        content = dict(file)
    frame = Frame()
    frame.configuration.step = 0
    frame.configuration.box = content['box']
    particles = frame.particles
    particles.N = len(content['positions'])
    particles.types = content['bead_types'].tolist()
    particles.typeid = content['typeid'].astype(np.uint32)
    particles.charge = content['charge'].astype(float)
    particles.position = content['positions'].astype(float)
    particles.image = np.zeros((particles.N, 3), dtype=np.int32)
    particles.velocity = np.zeros((particles.N, 3))
    for group in ('bonds', 'angles'):
        topology = getattr(frame, group)
        topology.N = len(content[f'{group}_typeid'])
        topology.types = content[f'{group}_types'].tolist()
        topology.typeid = content[f'{group}_typeid'].astype(np.uint32)
        topology.group = content[f'{group}_group'].astype(np.int32)
    field = force_field(load_model(MELTS[name][0]), float(content['bjerrum_length']))
    mesh = None
    if content['mesh'].size:
        resolution, order, cutoff, splitting = content['mesh'].tolist()
        mesh = CoulombMesh(
            int(resolution), int(order), cutoff, splitting, COULOMB_ERROR, COULOMB_ERROR, 1.0
        )
    return Recorded(
        Sample(frame, field),
        mesh,
        str(content['hoomd_version']),
        dict(zip(ENERGY_TERMS, content['energies'].tolist(), strict=True)),
        content['forces'].astype(float),
        content['pressure'],
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
