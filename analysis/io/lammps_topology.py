"""Makes the topology of a LAMMPS dump from its first frame, and from the data file of its run."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.arrays import IntArray
from analysis.geometry.topology import Topology
from analysis.io.lammps_data import LAMMPSData
from user_input import UserError

# Dumps round to six digits.
RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = 1e-4, 1e-6
# Columns that name types; several types may be of one element.
NAMES = ('typelabel', 'element')

# Columns by name, shape (N,) each.
Table = Mapping[str, NDArray[Any]]


def topology_of(table: Table, data: LAMMPSData | None, path: Path) -> Topology:
    """Make the topology of the atoms of `table`, which are in the order of their ids.

    Types are those of the data file, else of the column 'type', else of a column that names them.
    A type is called by its label, else by what such a column calls it alone, else by its number.

    Raises:
        UserError: If the data file is not that of the dump `path`, or nothing gives the types.
    """
    ids = table['id']
    names = [table[name] for name in NAMES if name in table]
    charge = table.get('q', np.zeros(len(ids)))
    mass = table.get('mass', np.ones(len(ids)))
    if data is None:
        typeid, type_names, numbers = _own_types(table, names, path)
        nothing = np.zeros(0, dtype=np.int64)
        pairs = nothing.reshape(0, 2)
        # A group has ids with holes, unless it is of the first atoms.
        is_whole = None if ids[-1] == len(ids) else False
        own = (type_names, typeid, charge, mass, pairs, (), nothing)
        return Topology(*own, is_whole=is_whole, type_numbers=numbers)
    rows = _rows_in(data, ids, path)
    typeid, type_names, numbers = data.types.typeid[rows], data.types.names, data.types.numbers
    _check_types(table, data, rows, path)
    if names and type_names == tuple(map(str, numbers)):
        type_names = _called(names[0], typeid, type_names)
    if data.style.lower() == 'hybrid' and not {'q', 'mass'} <= set(table):
        raise UserError(
            f"{data.path}: 'Atoms # hybrid' does not say where charges and masses are. Name the "
            "styles in the order of the run's command: --atom-style 'hybrid full sphere'."
        )
    if data.charge is not None:
        _check('q', table, data.charge[rows], data, path)
        charge = table.get('q', data.charge[rows])
    if data.mass is not None:
        _check('mass', table, data.mass[rows], data, path)
        mass = table.get('mass', data.mass[rows])
    # Bonds to atoms outside the dumped group cannot be followed.
    is_end_there = np.isin(data.bonds, ids)
    is_kept = is_end_there.all(axis=1)
    if n_cut := int(np.sum(is_end_there.any(axis=1) & ~is_kept)):
        warnings.warn(
            f'{path}: {n_cut} bonds lead to atoms that are not in the dump. What is left of the '
            'molecules counts as molecules: sizes of chains are not those of whole chains.',
            stacklevel=2,
        )
    return Topology(
        type_names,
        typeid,
        charge,
        mass,
        bonds=np.searchsorted(ids, data.bonds[is_kept]),
        bond_type_names=data.bond_types.names,
        bond_typeid=data.bond_types.typeid[is_kept],
        is_whole=len(data.ids) == len(ids),
        type_numbers=numbers,
    )


def _own_types(
    table: Table, names: list[NDArray[Any]], path: Path
) -> tuple[IntArray, tuple[str, ...], tuple[int, ...]]:
    """Find the types in the dump: index of each atom, names and numbers of the types."""
    if 'type' not in table and not names:
        raise UserError(
            f"{path}: no column 'type', 'typelabel' or 'element' in the dump. Write it: dump "
            'custom ... id type x y z ix iy iz; or give the data file of the run (--data).'
        )
    own = table['type'] if 'type' in table else names[0]
    known, typeid = np.unique(own, return_inverse=True)
    numbers = tuple(map(int, known)) if known.dtype.kind == 'f' else ()
    type_names = tuple(map(str, numbers or known))
    if numbers and names:
        type_names = _called(names[0], typeid, type_names)
    return typeid, type_names, numbers


def _rows_in(data: LAMMPSData, ids: IntArray, path: Path) -> IntArray:
    rows = np.minimum(np.searchsorted(data.ids, ids), len(data.ids) - 1)
    missing = ids[data.ids[rows] != ids]
    if len(missing):
        raise UserError(
            f'{data.path}: lacks {len(missing)} of the {len(ids)} atom ids of {path}, such as '
            f'{missing[0]}. Give the data file of the same run (write_data writes it).'
        )
    return rows


def _check_types(table: Table, data: LAMMPSData, rows: IntArray, path: Path) -> None:
    """Refuse a dump that has atoms of other types than the data file has, by number or by label."""
    typeid = data.types.typeid[rows]
    has_labels = data.types.names != tuple(map(str, data.types.numbers))
    for column in {'type', *NAMES} & set(table):
        words = table[column]
        if words.dtype.kind == 'f':
            there = np.array(data.types.numbers)[typeid]
        elif has_labels and column != 'element':
            there = np.array(data.types.names)[typeid]
        else:
            # The data file has no such names; yet what is of one type there has one name here.
            _, first, which = np.unique(typeid, return_index=True, return_inverse=True)
            there = words[first][which]
        _check(column, table, there, data, path)


def _check(column: str, table: Table, there: NDArray[Any], data: LAMMPSData, path: Path) -> None:
    """Refuse a dump whose column, if there is one, is not as in the data file, shape (N,)."""
    if column not in table:
        return
    ids, here = table['id'], table[column]
    differ = here != there
    if here.dtype.kind == 'f':
        differ = ~np.isclose(here, there, RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE)
    if differ.any():
        k = int(np.argmax(differ))
        values = [f'{v:g}' if isinstance(v, np.number) else str(v) for v in (here[k], there[k])]
        raise UserError(
            f"{path}: does not belong to {data.path}: '{column}' of atom {ids[k]} is {values[0]} "
            f'in the dump and {values[1]} in the data file; {differ.sum()} of {len(ids)} atoms '
            'differ. Give the data file of the same run (write_data writes it), or leave out what '
            'is wrong, the data file or the column.'
        )


def _called(words: NDArray[Any], typeid: IntArray, type_names: tuple[str, ...]) -> tuple[str, ...]:
    """Call each type by its word, words (N,), where no other type has the same."""
    known, which = np.unique(words, return_inverse=True)
    pairs = np.unique(np.column_stack([typeid, which]), axis=0)
    called = list(type_names)
    for k, j in pairs:
        if (pairs == [k, j]).any(axis=1).sum() == 1:
            called[k] = str(known[j])
    return tuple(called) if len(set(called)) == len(called) else type_names
