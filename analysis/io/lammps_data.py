"""Reads from a LAMMPS data file what a dump lacks: bonds, charges, masses, type labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.arrays import FloatArray, IntArray
from user_input import UserError

# Column of the type and of the charge in a line of 'Atoms', per atom style.
ATOM_STYLES: dict[str, tuple[int, int | None]] = {
    'atomic': (1, None),
    'charge': (1, 2),
    'bond': (2, None),
    'angle': (2, None),
    'molecular': (2, None),
    'full': (2, 3),
}
SECTIONS = {
    'Atoms', 'Velocities', 'Masses', 'Bonds', 'Angles', 'Dihedrals', 'Impropers', 'Ellipsoids',
    'Lines', 'Triangles', 'Bodies', 'Atom Type Labels', 'Bond Type Labels', 'Angle Type Labels',
    'Dihedral Type Labels', 'Improper Type Labels', 'Pair Coeffs', 'PairIJ Coeffs', 'Bond Coeffs',
    'Angle Coeffs', 'Dihedral Coeffs', 'Improper Coeffs',
}  # fmt: skip


@dataclass(frozen=True)
class LAMMPSData:
    """Static part of a system, in the order of the atom ids.

    Attributes:
        ids: Atom ids, rising, shape (N,).
        type_names: Labels of the atom types, or their numbers, as `bond_type_names`.
        typeid: Index into `type_names`, shape (N,).
        charge: Shape (N,), None where the atom style has none.
        mass: Shape (N,), None where the file has no masses.
        bonds: Atom ids of the bonded atoms, shape (M, 2).
        bond_typeid: Index into `bond_type_names`, shape (M,).
    """

    ids: IntArray
    type_names: tuple[str, ...]
    typeid: IntArray
    charge: FloatArray | None
    mass: FloatArray | None
    bonds: IntArray
    bond_type_names: tuple[str, ...]
    bond_typeid: IntArray


def read_lammps_data(path: Path) -> LAMMPSData:
    """Read a LAMMPS data file; UserError if it is none, or of no stated or known atom style."""
    try:
        sections, style = _split_sections(path)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'{path}: cannot be read ({error}).') from None
    atoms = sections.get('Atoms', [])
    if not atoms:
        raise UserError(f"{path}: no section 'Atoms': not a LAMMPS data file.")
    if not style and len(atoms[0]) in (7, 10):
        style = 'full'
    if style not in ATOM_STYLES:
        raise UserError(
            f"{path}: atom style '{style or 'not stated'}'. Write it behind the section name, as "
            f"in 'Atoms # full'; known: {', '.join(ATOM_STYLES)}."
        )
    try:
        return _assemble(sections, *ATOM_STYLES[style])
    except (ValueError, IndexError, KeyError) as error:
        raise UserError(
            f"{path}: the lines do not fit the atom style '{style}' or are damaged ({error})."
        ) from None


def _split_sections(path: Path) -> tuple[dict[str, list[list[str]]], str]:
    sections: dict[str, list[list[str]]] = {}
    current: list[list[str]] = []
    style = ''
    with open(path, encoding='utf-8') as file:
        next(file, None)  # the first line is a title
        for line in file:
            content, _, comment = line.partition('#')
            name = content.strip()
            if name in SECTIONS:
                current = sections.setdefault(name, [])
                if name == 'Atoms':
                    style = comment.strip()
            elif name:
                current.append(name.split())
    return sections, style


def _labels(rows: list[list[str]], used: list[str]) -> dict[str, int]:
    """Index each type, named by number or by label, in the order of the numbers."""
    if rows:
        by_label = {row[1]: int(row[0]) - 1 for row in rows}
        return by_label | {row[0]: int(row[0]) - 1 for row in rows}
    highest = max((int(name) for name in used), default=0)
    return {str(k + 1): k for k in range(highest)}


def _names(rows: list[list[str]], index: dict[str, int]) -> tuple[str, ...]:
    named = {int(row[0]) - 1: row[1] for row in rows}
    return tuple(named.get(k, str(k + 1)) for k in range(max(index.values(), default=-1) + 1))


def _assemble(
    sections: dict[str, list[list[str]]], type_column: int, charge_column: int | None
) -> LAMMPSData:
    atoms, bonds = sections['Atoms'], sections.get('Bonds', [])
    atom_labels = sections.get('Atom Type Labels', [])
    bond_labels = sections.get('Bond Type Labels', [])
    types = _labels(atom_labels, [row[type_column] for row in atoms])
    bond_types = _labels(bond_labels, [row[1] for row in bonds])
    ids = np.array([int(row[0]) for row in atoms], dtype=np.int64)
    order = np.argsort(ids)
    typeid = np.array([types[row[type_column]] for row in atoms], dtype=np.int64)[order]
    charge = None
    if charge_column is not None:
        charge = np.array([float(row[charge_column]) for row in atoms])[order]
    mass = None
    if 'Masses' in sections:
        by_type = {types[row[0]]: float(row[1]) for row in sections['Masses']}
        mass = np.array([by_type[int(k)] for k in typeid])
    return LAMMPSData(
        ids=ids[order],
        type_names=_names(atom_labels, types),
        typeid=typeid,
        charge=charge,
        mass=mass,
        bonds=np.array([[int(w) for w in row[2:4]] for row in bonds], np.int64).reshape(-1, 2),
        bond_type_names=_names(bond_labels, bond_types),
        bond_typeid=np.array([bond_types[row[1]] for row in bonds], dtype=np.int64),
    )
