"""The system and its forces in the language of LAMMPS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import astuple
from pathlib import Path

import numpy as np
from gsd.hoomd import Frame

from models.entries import (
    Angle,
    Bond,
    CosineAngle,
    CosineSquaredAngle,
    FeneBond,
    HarmonicAngle,
    HarmonicBond,
)
from models.force_field import ForceField
from models.pair_potentials import NEAREST_IN_TABLE, Mie, PairPotential, Tabulated
from workflow.electrostatics.mesh import CoulombMesh
from workflow.engines import contract

_STYLES: dict[type[Bond | Angle], str] = {
    FeneBond: 'fene',
    HarmonicBond: 'harmonic',
    HarmonicAngle: 'harmonic',
    CosineSquaredAngle: 'cosine/squared',
    CosineAngle: 'cosine',
}
# Of cubic splines in r^2, which are good to 1e-9 of the forces in a melt.
_TABLE_POINTS = 10_000
_PAIR_STYLES: dict[type[PairPotential], str] = {
    Mie: 'mie/cut 2.5',
    Tabulated: f'table spline {_TABLE_POINTS}',
}


def system_commands(
    data_file: Path, frame: Frame, force_field: ForceField, skin: float
) -> list[str]:
    """Write the commands that read the system and set its bonds and angles."""
    angles = force_field.angles if frame.angles.N else {}
    between_bonded = int(force_field.coulomb_between_bonded)
    return [
        'units lj',
        'atom_style full',
        'atom_modify map array sort 1000 2.0',
        f'neighbor {skin} bin',
        'neigh_modify delay 0 every 1 check yes',
        'comm_modify cutoff 3.5',
        _style('bond', force_field.bonds),
        _style('angle', angles),
        f'read_data {data_file}',
        # `special_bonds lj 0 1 1`, which the FENE style insists on, is the rule for all bonds.
        f'special_bonds lj 0 1 1 coul {between_bonded} 1 1',
        *_coefficients('bond', force_field.bonds),
        *_coefficients('angle', angles),
    ]


def _style(of: str, entries: Mapping[str, Bond | Angle]) -> str:
    kinds = {type(entry) for entry in entries.values()}
    names = [name for kind, name in _STYLES.items() if kind in kinds]
    return f'{of}_style hybrid {" ".join(names)}' if names else f'{of}_style none'


def _coefficients(of: str, entries: Mapping[str, Bond | Angle]) -> Iterator[str]:
    for number, each in enumerate(entries.values(), start=1):
        match each:
            case FeneBond():
                values = f'{each.k} {each.r0_max} {each.epsilon} {each.sigma}'
            case HarmonicBond():
                values = f'{each.k / 2} {each.r0}'
            case CosineAngle():
                values = f'{each.k}'
            case _:
                values = f'{each.k / 2} {np.degrees(each.radians):.17g}'
        yield f'{of}_coeff {number} {_STYLES[type(each)]} {values}'


def force_commands(
    force_field: ForceField,
    integrator: contract.Integrator,
    mesh: CoulombMesh | None,
    tables: Path,
) -> list[str]:
    """Write the commands of all pair forces, and to `tables` what they read."""
    if isinstance(integrator, contract.SoftPushOff):
        return _soft_pair_commands(force_field, integrator)
    charges, uncharged, charged = force_field.charges, 'lj/cut', 'lj/cut/coul/long'
    # Beads without charge take no part in Coulomb forces. Styles that share no pair are some 15 %
    # faster than Coulomb forces laid over all others.
    names = {
        (i, j): charged if mesh is not None and charges[i] * charges[j] != 0 else uncharged
        for i, j in force_field.type_pairs()
    }
    # The cut-off of Lennard-Jones only fills pairs that are not set below, and all of them are.
    reaches = {uncharged: '2.5', charged: f'2.5 {mesh.cutoff:.17g}' if mesh else ''}
    kinds = {type(potential) for potential in force_field.extra_pairs.values()}
    styles = [f'{name} {reach}' for name, reach in reaches.items() if name in names.values()]
    styles += [words for kind, words in _PAIR_STYLES.items() if kind in kinds]
    is_hybrid = len(styles) > 1
    commands = [
        f'pair_style {"hybrid/overlay" if is_hybrid else ""} {" ".join(styles)}',
        'pair_modify shift yes',
    ]
    for (i, j), name in names.items():
        cutoff = force_field.pair_cutoff[i, j]
        epsilon = force_field.pair_epsilon[i, j] if cutoff > 0 else 0.0
        sigma = force_field.pair_sigma[i, j]
        # A pair without interaction still needs a positive cut-off in the syntax.
        values = f'{epsilon:.17g} {sigma:.17g} {cutoff or sigma:.17g}'
        commands.append(f'pair_coeff {i + 1} {j + 1} {name if is_hybrid else ""} {values}')
    commands += _extra_pair_commands(force_field, tables)
    if mesh is not None:
        commands += _mesh_commands(force_field, mesh)
    return commands


def _mesh_commands(force_field: ForceField, mesh: CoulombMesh) -> Iterator[str]:
    # q_i q_j / (dielectric r) is l_B q_i q_j / r.
    yield f'dielectric {1 / force_field.bjerrum_length:.17g}'
    # The style that passes over beads without charge; its accuracy is overridden by what follows.
    yield 'kspace_style pppm/cg 1e-3'
    n = mesh.resolution
    yield (
        f'kspace_modify mesh {n} {n} {n} order {mesh.order} gewald {mesh.splitting:.17g} '
        f'diff {mesh.differentiation}'
    )


def _extra_pair_commands(force_field: ForceField, tables: Path) -> Iterator[str]:
    with open(tables, 'w') as file:
        for (i, j), potential in force_field.extra_pairs.items():
            types = f'{i + 1} {j + 1}'
            if isinstance(potential, Mie):
                values = ' '.join(f'{value:.17g}' for value in astuple(potential))
                yield f'pair_coeff {types} mie/cut {values}'
                continue
            # The very points that LAMMPS takes, so that it interpolates but once.
            first, cutoff = NEAREST_IN_TABLE, potential.cutoff
            r = np.sqrt(np.linspace(first**2, cutoff**2, _TABLE_POINTS))
            energy, slope, _ = potential.derivatives(r)
            file.write(f'\nPAIR_{i}_{j}\nN {_TABLE_POINTS} RSQ {first:.17g} {cutoff:.17g}\n\n')
            columns = [np.arange(1, _TABLE_POINTS + 1), r, energy, -slope]
            np.savetxt(file, np.column_stack(columns), fmt='%d %.17g %.17g %.17g')
            yield f'pair_coeff {types} table {tables} PAIR_{i}_{j}'


def _soft_pair_commands(force_field: ForceField, push_off: contract.SoftPushOff) -> list[str]:
    commands = [f'pair_style gauss {push_off.CUTOFF}', 'pair_modify shift yes']
    for i, j in force_field.type_pairs():
        sigma = force_field.pair_sigma[i, j]
        height = push_off.height if force_field.pair_potentials(i, j) else 0.0
        inverse = 1 / (2 * (push_off.WIDTH * sigma) ** 2)
        commands.append(
            f'pair_coeff {i + 1} {j + 1} {-height:.17g} {inverse:.17g} '
            f'{push_off.CUTOFF * sigma:.17g}'
        )
    return commands
