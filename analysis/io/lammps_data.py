"""Reads from a LAMMPS data file what a dump lacks: bonds, charges, masses, type labels."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.io.integrity import check_ids
from analysis.io.unpacked import Unpacked
from user_input import UserError, shortened

# Fields of a line of 'Atoms' by atom style, named as in LAMMPS's own atom_vec_*.cpp (with what
# `write_data` writes, where its manual differs); LAMMPS may write three image flags behind them.
STYLES = {
    'amoeba': 'id mol type q x y z',
    'angle': 'id mol type x y z',
    'atomic': 'id type x y z',
    'body': 'id type body rmass x y z',
    'bond': 'id mol type x y z',
    'bpm/sphere': 'id mol type radius rmass x y z',
    'charge': 'id type q x y z',
    'dielectric': 'id mol type q x y z mux muy muz area ed em epsilon curvature',
    'dipole': 'id type q x y z mux muy muz',
    'dpd': 'id type theta x y z',
    'edpd': 'id type temperature cv x y z',
    'electron': 'id type q spin eradius x y z',
    'ellipsoid': 'id type ellipsoid rmass x y z',
    'full': 'id mol type q x y z',
    'line': 'id mol type line rmass x y z',
    'mdpd': 'id type rho x y z',
    'molecular': 'id mol type x y z',
    'peri': 'id type volume rmass x y z',
    'rheo': 'id type status rho x y z',
    'rheo/thermal': 'id type status rho energy x y z',
    'smd': 'id type mol volume smdmass kradius cradius x0 y0 z0 x y z',
    'sph': 'id type rho energy cv x y z',
    'sphere': 'id type radius rmass x y z',
    'spin': 'id type x y z spx spy spz sp',
    'template': 'id mol molindex molatom type x y z',
    'tri': 'id mol type tri rmass x y z',
    'wavepacket': 'id type q spin eradius etag csre csim x y z',
}
WHOLE = {'id', 'mol', 'body', 'spin', 'ellipsoid', 'line', 'status', 'molindex', 'molatom', 'tri'}
NOT_NEGATIVE = {'theta', 'temperature', 'cv', 'rho', 'radius', 'rmass', 'volume', 'eradius'}
IMAGES = ['ix', 'iy', 'iz']
# What is read.
USED = ('type', 'q', 'radius', 'rmass', 'body')
# Variants of a style for accelerators, which have its fields.
SUFFIX = re.compile(r'/(kk|omp|gpu|intel|opt)\b.*')
COUNT = re.compile(r'(\d+) (atoms|bonds|atom types)')

Rows = list[list[str]]


@dataclass(frozen=True)
class TypedData:
    """Types of atoms or of bonds, in the order of their numbers.

    Attributes:
        numbers: By which LAMMPS knows them, rising, shape (T,).
        names: Their labels, or numbers where they have none.
        typeid: Index into both of each atom or bond, shape (N,).
    """

    numbers: tuple[int, ...]
    names: tuple[str, ...]
    typeid: IntArray

    def index(self, name: str) -> int:
        """Find a type by label or number; -1 if it is not there."""
        numbers = [str(number) for number in self.numbers]
        for known in (self.names, numbers):
            if name in known:
                return known.index(name)
        return -1


@dataclass(frozen=True)
class LAMMPSData:
    """Static part of a system, in the order of the atom ids.

    Attributes:
        path: Of the file.
        style: The atom style.
        ids: Atom ids, rising, shape (N,).
        types: Of the atoms.
        charge: Shape (N,), None where the atom style has none, or is a hybrid of who knows what.
        mass: Shape (N,), None where the file has no masses, or the style is such a hybrid.
        bonds: Atom ids of the bonded atoms, shape (M, 2).
        bond_types: Of the bonds.
    """

    path: Path
    style: str
    ids: IntArray
    types: TypedData
    charge: FloatArray | None
    mass: FloatArray | None
    bonds: IntArray
    bond_types: TypedData


def read_lammps_data(path: Path, atom_style: str | None = None) -> LAMMPSData:
    """Read a LAMMPS data file; `atom_style` is taken in place of the one that it states.

    Raises:
        UserError: If it is none, is damaged or cut off, or of an atom style that is not known, not
            stated and cannot be told from the columns, or does not fit the lines.
    """
    sections, stated = _split_sections(path)
    atoms = sections.get('Atoms', [])
    if not atoms:
        raise UserError(
            f"{path}: no section 'Atoms': not a LAMMPS data file. Write one with write_data."
        )
    counts = {found[2]: int(found[1]) for row in sections[''] if (found := _count(row))}
    for name in ('atoms', 'bonds'):
        rows = len(sections.get(name.capitalize(), []))
        if counts.get(name, rows) != rows:
            raise UserError(
                f'{path}: {counts[name]} {name} are promised and {rows} are there: the file is '
                'cut off or damaged. Copy it again from where it was written.'
            )
    style = atom_style or stated or _style_of_columns(sections, counts)
    if not _fields_of(style):
        told = f"'{style}' is not known" if style else 'is not stated, and the columns do not tell'
        raise UserError(
            f'{path}: the atom style {told}. Give that of the run by --atom-style, as in '
            "--atom-style full, or write it behind the section name, as in 'Atoms # full'; "
            f'known: {", ".join(STYLES)}, and hybrid with the names of its styles.'
        )
    try:
        return _assemble(path, sections, style, counts)
    except (ValueError, IndexError, OverflowError) as error:
        raise UserError(
            f"{path}: the lines do not fit the atom style '{style}' or are damaged "
            f'({shortened(str(error))}). Give another style by --atom-style, or write the file '
            'again.'
        ) from None


def _split_sections(path: Path) -> tuple[dict[str, Rows], str]:
    """Split into the rows of each section, '' being the header, and what is behind 'Atoms #'."""
    current: Rows = []
    sections: dict[str, Rows] = {'': current}
    style = ''
    try:
        # Comments come in any encoding; what counts is ASCII, or a label in UTF-8.
        source = Unpacked(path)
        with open(source.content, encoding='utf-8', errors='replace') as file:
            next(file, None)  # the first line is a title
            for line in file:
                content, _, comment = line.partition('#')
                words = content.split()
                if _is_title(words):
                    current = sections.setdefault(' '.join(words), [])
                    if words == ['Atoms']:
                        style = comment.strip()
                elif words:
                    current.append(words)
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error}).') from None
    return sections, style


def _is_title(words: list[str]) -> bool:
    """Whether a line names a section: lines of all others hold a number, whatever they are of."""
    return bool(words) and all(word[0].isalpha() for word in words) and words[0] != 'triclinic'


def _count(row: list[str]) -> re.Match[str] | None:
    return COUNT.fullmatch(' '.join(row))


def _fields_of(style: str) -> list[str]:
    """Name the columns of an atom style, whatever its case; none if it is not known."""
    first, *others = [SUFFIX.sub('', word) for word in style.lower().split()] or ['']
    if first != 'hybrid':
        return STYLES.get(first, '').split()
    # As AtomVecHybrid merges them: what all have comes first, then what each adds.
    fields = STYLES['atomic'].split()
    for other in others:
        fields += [name for name in STYLES.get(other, '').split() if name not in fields]
    return fields


def _style_of_columns(sections: dict[str, Rows], counts: dict[str, int]) -> str:
    """Find the one reading of the columns that the file allows; '' if there are more or none."""
    atoms = sections['Atoms']
    columns = [set(column) for column in zip(*atoms, strict=False)]
    labels = {row[-1] for row in sections.get('Atom Type Labels', [])}
    readings: dict[tuple[int, ...], str] = {}
    for style, line in STYLES.items():
        fields = line.split()
        if len(columns) == len(fields) + len(IMAGES):
            fields += IMAGES
        # LAMMPS takes no masses of types where atoms have their own, nor bonds without molecules.
        if (
            len(columns) != len(fields)
            or ('Masses' in sections and 'rmass' in fields)
            or ('Bonds' in sections and 'mol' not in fields)
        ):
            continue
        named = dict(zip(fields, columns, strict=True))
        fits = all(_are_whole(named[name]) for name in WHOLE & set(fields))
        fits &= not any(
            word[0] == '-' for name in NOT_NEGATIVE & set(fields) for word in named[name]
        )
        numbers = named['type'] - labels
        most = counts.get('atom types', np.inf)
        if fits and _are_whole(numbers) and all(0 < int(name) <= most for name in numbers):
            used = [fields.index(name) if name in fields else -1 for name in USED]
            readings.setdefault(tuple(used), style)
    return next(iter(readings.values())) if len(readings) == 1 else ''


def _are_whole(words: Iterable[str]) -> bool:
    return all(re.fullmatch(r'[-+]?\d{1,18}', word) for word in words)


def _assemble(
    path: Path, sections: dict[str, Rows], style: str, counts: dict[str, int]
) -> LAMMPSData:
    atoms, bonds = sections['Atoms'], sections.get('Bonds', [])
    fields, widths = _fields_of(style), {len(row) for row in atoms}
    is_open = style.lower() == 'hybrid'  # of what, it does not say
    if len(widths) > 1 or not (is_open or widths <= {len(fields), len(fields) + len(IMAGES)}):
        raise ValueError(f'{" and ".join(map(str, sorted(widths)))} columns')
    ids = np.array([int(row[0]) for row in atoms], dtype=np.int64)
    order = np.argsort(ids)
    ids = ids[order]
    check_ids(ids, path)
    column = {
        name: [atoms[k][fields.index(name)] for k in order] for name in set(USED) & set(fields)
    }
    types = _typed(column['type'], sections.get('Atom Type Labels', []), counts.get('atom types'))
    if any(len(row) != 4 for row in bonds):
        # As 'write_data types labels' leaves them where bond types have no labels.
        raise ValueError('bonds without a type or an atom')
    pairs = np.array([[int(word) for word in row[2:4]] for row in bonds], np.int64).reshape(-1, 2)
    if not np.isin(pairs, ids).all():
        raise ValueError('bonds to atoms that are not there')
    return LAMMPSData(
        path,
        style,
        ids,
        types,
        charge=np.array(column['q'], dtype=np.float64) if 'q' in column else None,
        mass=None if is_open else _masses(column, types, sections.get('Masses', [])),
        bonds=pairs,
        bond_types=_typed([row[1] for row in bonds], sections.get('Bond Type Labels', []), None),
    )


def _typed(names: list[str], labels: Rows, most: int | None) -> TypedData:
    """Read types that are given by number or by label; ValueError if one is not there."""
    number_of = {row[1]: int(row[0]) for row in labels}
    label_of = {number: label for label, number in number_of.items()}
    numbers = np.array([number_of.get(name) or int(name) for name in names], dtype=np.int64)
    known, typeid = np.unique(np.array([*numbers, *label_of], np.int64), return_inverse=True)
    if len(known) and not (known[0] > 0 and (most is None or known[-1] <= most)):
        raise ValueError(f'type {known[0] if known[0] <= 0 else known[-1]} of {most}')
    return TypedData(
        tuple(map(int, known)),
        tuple(label_of.get(int(number), str(number)) for number in known),
        typeid[: len(numbers)],
    )


def _masses(column: dict[str, list[str]], types: TypedData, rows: Rows) -> FloatArray | None:
    """Find the masses of the atoms, their own ones or those of their types, None if not there."""
    if 'radius' in column:
        diameter, density = (np.array(column[name], np.float64) for name in ('radius', 'rmass'))
        # LAMMPS takes the density as the mass of a point.
        return density * np.where(diameter > 0, np.pi / 6 * diameter**3, 1.0)
    if 'body' in column:
        return np.array(column['rmass'], dtype=np.float64)
    if not rows:
        return None
    # Types without atoms may have masses too.
    of_type = {types.index(row[0]): float(row[1]) for row in rows}
    missing = set(types.typeid.tolist()) - set(of_type)
    if missing:
        raise ValueError(f'no mass of type {types.names[min(missing)]}')
    return np.array([of_type[k] for k in types.typeid.tolist()])
