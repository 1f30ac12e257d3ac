"""Small systems and files with known answers, for the tests of the analysis."""

from __future__ import annotations

from itertools import product

import gsd.hoomd
import h5py
import numpy as np
from scipy.signal import lfilter

from analysis.geometry.box import Box
from analysis.io.array_trajectory import ArrayTrajectory
from analysis.sampling.production import Production
from analysis.sampling.run import Run


def run_of(trajectory, first_frame=0, **given):
    """A run of a trajectory of which all counts from `first_frame` on."""
    production = Production(first_frame=first_frame, first_settled_frame=first_frame)
    return Run(trajectory, production=production, **given)


def log_spaced_steps(n_blocks, base=1, block=64):
    """Steps 0, base * (1, 2, 4, ... block/2) in each of `n_blocks` blocks of base * block."""
    offsets = [0, *(2**k for k in range(int(np.log2(block))))]
    return np.array([base * (b * block + o) for b in range(n_blocks) for o in offsets])


def frame(
    step,
    positions,
    box,
    *,
    types=('A',),
    typeid=None,
    charge=None,
    bonds=(),
    images=None,
    bond_types=('backbone',),
    bond_typeid=None,
    time_step=None,
):
    """One frame of the HOOMD schema with unwrapped positions wrapped into the box.

    The box is an edge, three, or Lx, Ly, Lz, xy, xz, yz.
    """
    box = Box.of(box)
    positions = np.asarray(positions, dtype=float)
    crossed = np.floor(positions @ np.linalg.inv(box.matrix) + 0.5)
    result = gsd.hoomd.Frame()
    result.configuration.step = int(step)
    result.configuration.box = [*box.lengths, *box.tilts]
    result.particles.N = len(positions)
    result.particles.types = list(types)
    result.particles.typeid = np.zeros(len(positions), int) if typeid is None else typeid
    result.particles.position = positions - crossed @ box.matrix
    result.particles.image = crossed.astype(int) if images is None else images
    if charge is not None:
        result.particles.charge = charge
    bonds = np.asarray(bonds, dtype=int).reshape(-1, 2)
    result.bonds.N = len(bonds)
    if len(bonds):
        result.bonds.types = list(bond_types)
        result.bonds.group = bonds
        result.bonds.typeid = np.zeros(len(bonds), int) if bond_typeid is None else bond_typeid
    if time_step is not None:
        result.log['time_step'] = np.array([time_step])
    return result


def write_gsd(path, frames):
    """Write the frames into a GSD file and return its path."""
    with gsd.hoomd.open(str(path), 'w') as file:
        for each in frames:
            file.append(each)
    return path


def ion_frames(n_frames, n_pairs=60, box=12.0, seed=0):
    """Frames of loose ion pairs in chains of bonded anions, that diffuse."""
    generator = np.random.default_rng(seed)
    anions = generator.uniform(-0.5, 0.5, (n_pairs, 1, 3)) @ Box.of(box).matrix
    cations = anions + generator.normal(0, 0.4, (n_pairs, 1, 3))
    positions = np.concatenate([anions, cations], axis=1).reshape(-1, 3)
    charge = np.tile([-1.0, 1.0], n_pairs)
    typeid = np.tile([0, 1], n_pairs)
    bonds = np.arange(0, 2 * n_pairs).reshape(-1, 2)
    for k in range(n_frames):
        pair_move = np.repeat(generator.normal(0, 0.1, (n_pairs, 3)), 2, axis=0)
        positions = positions + pair_move + generator.normal(0, 0.02, positions.shape)
        yield frame(
            10 * k,
            positions,
            box,
            types=('S', 'Li'),
            typeid=typeid,
            charge=charge,
            bonds=bonds,
            time_step=0.005,
        )


def write_dump(path, frames, *, columns='id type x y z ix iy iz', seed=0, axes=None):
    """Write frames as a LAMMPS dump with rows in random order and a box with a corner at 0.

    `axes`, of determinant 1, turn a box to a general triclinic one.
    """
    generator = np.random.default_rng(seed)
    with open(path, 'w') as file:
        for each in frames:
            vectors = Box.of(each.configuration.box).matrix
            p, image = each.particles.position.astype(float), each.particles.image
            scaled = p @ np.linalg.inv(vectors) + 0.5
            turned = vectors if axes is None else vectors @ axes
            n = each.particles.N
            values = {'id': np.arange(1, n + 1), 'type': each.particles.typeid + 1}
            for a, axis in enumerate('xyz'):
                values[axis] = (scaled @ turned)[:, a]
                values[axis + 's'] = scaled[:, a]
                values[axis + 'u'] = ((scaled + image) @ turned)[:, a]
                values['i' + axis] = image[:, a]
            file.write(f'ITEM: TIMESTEP\n{each.configuration.step}\nITEM: NUMBER OF ATOMS\n{n}\n')
            file.writelines(_bounds(turned))
            file.write(f'ITEM: ATOMS {columns}\n')
            for row in generator.permutation(n):
                file.write(' '.join(repr(values[c][row].item()) for c in columns.split()) + '\n')
    return path


def _bounds(vectors):
    """The lines of a box with a corner at 0, as `dump custom` of LAMMPS writes them."""
    rows = [[0.0, length] for length in np.diag(vectors)]
    words, tilts = '', (vectors[1, 0], vectors[2, 0], vectors[2, 1])
    if np.any(np.triu(vectors, 1)):
        words, rows = 'abc origin ', [[*vector, 0.0] for vector in vectors]
    elif any(tilts):
        corners = np.array(list(product((0, 1), repeat=3))) @ vectors
        words = 'xy xz yz '
        rows = [[corners[:, a].min(), corners[:, a].max(), tilt] for a, tilt in enumerate(tilts)]
    yield f'ITEM: BOX BOUNDS {words}pp pp pp\n'
    yield from (' '.join(repr(float(number)) for number in row) + '\n' for row in rows)


def write_data(path, each):
    """Write a LAMMPS data file with type labels for a frame."""
    particles, bonds = each.particles, each.bonds
    lines = ['title', '', f'{particles.N} atoms', f'{bonds.N} bonds', '', 'Atom Type Labels', '']
    lines += [f'{k + 1} {name}' for k, name in enumerate(particles.types)]
    lines += ['', 'Bond Type Labels', '', *(f'{k + 1} {b}' for k, b in enumerate(bonds.types))]
    lines += ['', 'Masses', '', *(f'{name} 1.0' for name in particles.types)]
    lines += ['', 'Atoms # full', '']
    lines += [
        f'{k + 1} 1 {particles.types[particles.typeid[k]]} {particles.charge[k]} 0 0 0'
        for k in range(particles.N)
    ]
    lines += ['', 'Bonds', '']
    lines += [
        f'{k + 1} {bonds.types[bonds.typeid[k]]} {i + 1} {j + 1}'
        for k, (i, j) in enumerate(bonds.group)
    ]
    path.write_text('\n'.join(lines) + '\n')
    return path


# Powers of two: sums and differences of such numbers are exact in single precision too.
GRID, MELT_BOX = 2.0**-10, np.array([16.0, 16.0, 8.0])


class Melt:
    """Short chains with an ion at one end, in pairs that part and meet, and all diffuse.

    Attributes:
        positions: Unwrapped, on a grid, shape (F, N, 3).
        charge: Shape (N,).
        typeid: Shape (N,).
        bonds: Shape (M, 2).
        bond_typeid: Shape (M,).
    """

    TYPES, BOND_TYPES, TIME_STEP = ('B', 'Li', 'S'), ('backbone', 'side'), 0.5

    def __init__(self, n_frames=160, seed=0):
        generator = np.random.default_rng(seed)
        sites = np.arange(-6.0, 8.0, 4.0)
        centre = np.stack(np.meshgrid(sites, sites, sites[1:3], indexing='ij'), axis=-1)
        centre = centre.reshape(-1, 3)
        n, beads = len(centre), 4
        shape = (n_frames, n, 1, 1)
        # Axes: frame, pair, molecule of the pair, x to z.
        walk = np.cumsum(generator.normal(0, 0.15, (n_frames, n, 1, 3)), axis=0)
        side = np.array([-0.5, 0.5])[:, None] * np.array([1.0, 0, 0])
        is_apart = generator.uniform(size=shape) < 0.3
        ion = centre[:, None] + walk + side * np.where(is_apart, 1.6, 0.7)
        ion = ion + generator.normal(0, 0.04, ion.shape)
        kicks = generator.normal(size=(n_frames + 50, n, 2, beads - 1, 3))
        bond = lfilter([1], [1, -0.9], kicks, axis=0)[50:]
        bond *= 0.9 / np.linalg.norm(bond, axis=-1, keepdims=True)
        start = ion[:, :, :, None]
        molecules = np.concatenate([start, start + np.cumsum(bond, axis=3)], axis=3)
        self.positions = np.round(molecules.reshape(n_frames, -1, 3) / GRID) * GRID
        first = np.arange(2 * n * beads).reshape(-1, beads)
        self.typeid = np.zeros(first.shape, dtype=int)
        self.typeid[:, 0] = 1 + np.arange(2 * n) % 2
        self.typeid = self.typeid.ravel()
        self.charge = np.array([0.0, 1.0, -1.0])[self.typeid]
        self.bonds = np.stack([first[:, :-1], first[:, 1:]], axis=-1).reshape(-1, 2)
        # All but the bond of the ion lie along a chain.
        self.bond_typeid = np.tile([1, 0, 0], 2 * n)

    def trajectory(self, positions=None, order=None):
        """As a trajectory, elsewhere where `positions` are given, relabelled by `order`."""
        positions = self.positions if positions is None else positions
        order = np.arange(len(self.charge)) if order is None else order
        return ArrayTrajectory(
            positions[:, order],
            MELT_BOX,
            typeid=self.typeid[order],
            type_names=self.TYPES,
            charge=self.charge[order],
            bonds=np.argsort(order)[self.bonds],
            bond_type_names=self.BOND_TYPES,
            bond_typeid=self.bond_typeid,
            time_step=self.TIME_STEP,
        )

    def frames(self, box=MELT_BOX):
        """As frames of the HOOMD schema, in this or another box of the same lattice."""
        for step, positions in enumerate(self.positions):
            yield frame(
                step,
                positions,
                box,
                types=self.TYPES,
                typeid=self.typeid,
                charge=self.charge,
                bonds=self.bonds,
                bond_types=self.BOND_TYPES,
                bond_typeid=self.bond_typeid,
                time_step=self.TIME_STEP,
            )


def thermo_log(n_particles, rows=2000, memory=0.9, seed=0):
    """Columns of a thermo log whose series forget by a factor `memory` from row to row."""
    generator = np.random.default_rng(seed)

    def series():
        return lfilter([1], [1, -memory], generator.normal(size=rows))

    columns = {f'pressure_{axes}': series() for axes in ('xx', 'xy', 'xz', 'yy', 'yz', 'zz')}
    return columns | {
        'step': np.arange(rows),
        'volume': np.full(rows, MELT_BOX.prod()),
        'kinetic_energy': 1.5 * (n_particles - 1) + series(),
        'potential_energy': -2.0 * n_particles + series(),
    }


def charge_columns(melt, rows=2000, seed=1):
    """Columns of a thermo log in which ions diffuse: first as in a melt, then independently."""
    steps = np.random.default_rng(seed).normal(size=(2, 3, rows))
    path = melt.positions - melt.positions[0]
    for kind, sign in enumerate((1, -1)):
        moved = np.tensordot(path, np.maximum(sign * melt.charge, 0), (1, 0))
        steps[kind, :, : len(path)] = np.diff(moved, axis=0, prepend=0).T
    kinds = zip(('cation', 'anion'), np.cumsum(steps, axis=2), strict=True)
    columns = {f'current_{axis}': (steps[0] - steps[1])[k] for k, axis in enumerate('xyz')}
    return columns | {
        f'{kind}_displacement_{axis}': each
        for kind, moved in kinds
        for axis, each in zip('xyz', moved, strict=True)
    }


def write_thermo(path, columns, time_step):
    """Write a thermo log and return its path."""
    with h5py.File(path, 'w') as file:
        file.attrs['time_step'] = time_step
        for name, column in columns.items():
            file[name] = column
    return path
