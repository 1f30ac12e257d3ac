"""The forces of HOOMD-blue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import hoomd
import hoomd.md
import numpy as np
from gsd.hoomd import Frame

from models.entries import (
    CosineAngle,
    CosineSquaredAngle,
    FeneBond,
    HarmonicAngle,
    HarmonicBond,
)
from models.force_field import ForceField
from models.pair_potentials import NEAREST_IN_TABLE, Mie, Tabulated
from workflow.electrostatics.mesh import CoulombMesh
from workflow.engines import contract

# HOOMD-blue interpolates tables linearly. So fine, forces are off by less than 1e-6 of their RMS.
_TABLE_SPACING = 2e-5  # in sigma
_ANGLE_TABLE_WIDTH = 20_001
# On a CPU, a box of fewer cells an edge than this is searched faster in halves of cells.
_FEW_CELLS = 5


def make_forces(
    force_field: ForceField,
    frame: Frame,
    integrator: contract.Integrator,
    mesh: CoulombMesh | None,
    skin: float,
    on_cpu: bool,
) -> dict[str, list[hoomd.md.force.Force]]:
    """Make the forces of each of `contract.ENERGY_TERMS` that the system has."""
    nlist, bonded = hoomd.md.nlist, ('bond',)
    cell = nlist.Cell(buffer=skin, exclusions=bonded)
    reach = force_field.largest_cutoff + skin
    if on_cpu and min(frame.configuration.box[:3]) < _FEW_CELLS * reach:
        cell = nlist.Stencil(cell_width=reach / 2, buffer=skin, exclusions=bonded)
    terms: dict[str, list[hoomd.md.force.Force]] = {}
    if isinstance(integrator, contract.SoftPushOff):
        terms['pair'] = [_soft_pair(force_field, cell, integrator)]
    else:
        terms['pair'] = [_lennard_jones(force_field, cell)]
        terms['pair'] += _extra_pairs(force_field, cell)
        if mesh is not None:
            # Few beads are ions: a list of their own is short, and a tree finds them fast.
            # What a list excludes has no Coulomb energy either.
            kind = nlist.Tree if on_cpu else nlist.Cell
            exclusions = () if force_field.coulomb_between_bonded else bonded
            terms['coulomb'] = list(
                hoomd.md.long_range.pppm.make_pppm_coulomb_forces(
                    kind(buffer=skin, exclusions=exclusions),
                    resolution=(mesh.resolution,) * 3,
                    order=mesh.order,
                    r_cut=mesh.cutoff,
                )
            )
    if frame.bonds.N:
        terms['bond'] = _bonds(force_field)
    if frame.angles.N:
        terms['angle'] = _angles(force_field)
    return terms


@contextmanager
def mesh_of_ions(force_field: ForceField) -> Iterator[None]:
    """Have the Coulomb mesh that is attached herein loop over ions alone.

    It is made for `hoomd.filter.All()`, in every version, and offers no other. A version that
    asks in another way would loop over all beads: slower, and right.
    """
    every = hoomd.filter.All
    charged = np.flatnonzero(force_field.charges)
    hoomd.filter.All = lambda: hoomd.filter.Type([force_field.bead_types[i] for i in charged])
    try:
        yield
    finally:
        hoomd.filter.All = every


def leave_out_neutral_pairs(real_space: hoomd.md.pair.Ewald, force_field: ForceField) -> None:
    """Take neutral beads out of the list of attached Coulomb forces: attaching resets cut-offs."""
    names = force_field.bead_types
    for i, j in force_field.type_pairs():
        if force_field.charges[i] * force_field.charges[j] == 0:
            real_space.r_cut[names[i], names[j]] = 0


def _lennard_jones(force_field: ForceField, cell: hoomd.md.nlist.NeighborList) -> hoomd.md.pair.LJ:
    pair = hoomd.md.pair.LJ(cell, mode='shift')
    names = force_field.bead_types
    for i, j in force_field.type_pairs():
        pair.params[names[i], names[j]] = {
            'epsilon': force_field.pair_epsilon[i, j],
            'sigma': force_field.pair_sigma[i, j],
        }
        pair.r_cut[names[i], names[j]] = force_field.pair_cutoff[i, j]
    return pair


def _extra_pairs(
    force_field: ForceField, cell: hoomd.md.nlist.NeighborList
) -> list[hoomd.md.force.Force]:
    """Make one force for each kind that is in use; it does nothing to pairs of the other."""
    mie, table = hoomd.md.pair.Mie(cell, mode='shift'), hoomd.md.pair.Table(cell)
    names = force_field.bead_types
    for i, j in force_field.type_pairs():
        key, potential = (names[i], names[j]), force_field.extra_pairs.get((i, j))
        mie.params[key], mie.r_cut[key] = {'epsilon': 0, 'sigma': 1, 'n': 12, 'm': 6}, 0
        table.params[key], table.r_cut[key] = {'r_min': 0, 'U': [0], 'F': [0]}, 0
        if isinstance(potential, Mie):
            values = asdict(potential)
            mie.r_cut[key] = values.pop('cutoff')
            mie.params[key] = values
        elif isinstance(potential, Tabulated):
            first, cutoff = NEAREST_IN_TABLE, potential.cutoff
            r = np.linspace(first, cutoff, int(cutoff / _TABLE_SPACING), endpoint=False)
            energy, slope, _ = potential.derivatives(r)
            table.params[key] = {'r_min': first, 'U': energy, 'F': -slope}
            table.r_cut[key] = cutoff
    return _in_use({Mie: mie, Tabulated: table}, force_field.extra_pairs)


def _soft_pair(
    force_field: ForceField,
    cell: hoomd.md.nlist.NeighborList,
    push_off: contract.SoftPushOff,
) -> hoomd.md.pair.Gaussian:
    pair = hoomd.md.pair.Gaussian(cell, mode='shift')
    names = force_field.bead_types
    for i, j in force_field.type_pairs():
        sigma, key = force_field.pair_sigma[i, j], (names[i], names[j])
        pair.params[key] = {'epsilon': push_off.height, 'sigma': push_off.WIDTH * sigma}
        pair.r_cut[key] = push_off.CUTOFF * sigma if force_field.pair_potentials(i, j) else 0
    return pair


def _bonds(force_field: ForceField) -> list[hoomd.md.force.Force]:
    """Make one force for each kind of bond; it does nothing to bonds of the other kind."""
    fene, harmonic = hoomd.md.bond.FENEWCA(), hoomd.md.bond.Harmonic()
    for name, bond in force_field.bonds.items():
        fene.params[name] = {'k': 0, 'r0': 1e6, 'epsilon': 0, 'sigma': 1, 'delta': 0}
        harmonic.params[name] = {'k': 0, 'r0': 1}
        if isinstance(bond, FeneBond):
            wca = {'epsilon': bond.epsilon, 'sigma': bond.sigma, 'delta': 0}
            fene.params[name] = {'k': bond.k, 'r0': bond.r0_max} | wca
        else:
            harmonic.params[name] = {'k': bond.k, 'r0': bond.r0}
    return _in_use({FeneBond: fene, HarmonicBond: harmonic}, force_field.bonds)


def _angles(force_field: ForceField) -> list[hoomd.md.force.Force]:
    kinds = {
        HarmonicAngle: hoomd.md.angle.Harmonic(),
        CosineSquaredAngle: hoomd.md.angle.CosineSquared(),
        CosineAngle: hoomd.md.angle.Table(_ANGLE_TABLE_WIDTH),
    }
    theta = np.linspace(0, np.pi, _ANGLE_TABLE_WIDTH)
    for name, angle in force_field.angles.items():
        for kind, force in kinds.items():
            k = angle.k if isinstance(angle, kind) else 0
            if kind is CosineAngle:
                force.params[name] = {'U': k * (1 + np.cos(theta)), 'tau': k * np.sin(theta)}
            else:
                force.params[name] = {'k': k, 't0': getattr(angle, 'radians', np.pi)}
    return _in_use(kinds, force_field.angles)


def _in_use(forces: dict[Any, Any], entries: dict[Any, Any]) -> list[hoomd.md.force.Force]:
    kinds = {type(entry) for entry in entries.values()}
    return [force for kind, force in forces.items() if kind in kinds]
