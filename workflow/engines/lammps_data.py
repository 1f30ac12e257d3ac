"""A gsd Frame as a LAMMPS data file (atom style `full`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gsd.hoomd import Frame
from numpy.typing import NDArray

from models.force_field import ForceField


def write_data_file(path: Path, frame: Frame, force_field: ForceField) -> None:
    """Write positions, images, velocities, charges and topology, in full precision.

    Types are numbered as in the force field, whose tables the pair coefficients follow.
    """
    particles = frame.particles
    box = np.asarray(frame.configuration.box[:3], dtype=float)
    bead_types = _numbers(particles.types, particles.typeid, list(force_field.bead_types))
    with open(path, 'w') as file:
        file.write('written by isp-cgmd\n\n')
        counts = (('atoms', particles.N), ('bonds', frame.bonds.N), ('angles', frame.angles.N))
        file.writelines(f'{count} {name}\n' for name, count in counts)
        file.write(f'{len(force_field.bead_types)} atom types\n')
        file.write(f'{len(force_field.bonds)} bond types\n')
        file.write(f'{len(force_field.angles)} angle types\n\n')
        for axis, length in zip('xyz', box, strict=True):
            file.write(f'{-length / 2:.17g} {length / 2:.17g} {axis}lo {axis}hi\n')
        file.write('\nMasses\n\n')
        file.writelines(f'{i} {m:.17g}\n' for i, m in enumerate(force_field.masses, start=1))
        ids = np.arange(1, particles.N + 1)
        file.write('\nAtoms # full\n\n')
        beads = (bead_types, particles.charge, particles.position, particles.image)
        table = np.column_stack([ids, np.ones_like(ids), *beads])
        np.savetxt(file, table, fmt='%d %d %d %.17g %.17g %.17g %.17g %d %d %d')
        if particles.velocity is not None:
            file.write('\nVelocities\n\n')
            np.savetxt(file, np.column_stack([ids, particles.velocity]), fmt='%d' + 3 * ' %.17g')
        for title, group, names in (
            ('Bonds', frame.bonds, list(force_field.bonds)),
            ('Angles', frame.angles, list(force_field.angles)),
        ):
            if group.N:
                file.write(f'\n{title}\n\n')
                types = _numbers(group.types, group.typeid, names)
                columns = [np.arange(1, group.N + 1), types, np.asarray(group.group) + 1]
                np.savetxt(file, np.column_stack(columns), fmt='%d')


def _numbers(
    frame_types: list[str], typeid: NDArray[np.uint32], names: list[str]
) -> NDArray[np.int64]:
    """Renumber types from 1, in the order of `names`: the frame has an order of its own."""
    order = np.array([names.index(name) + 1 for name in frame_types])
    return np.asarray(order[typeid])
