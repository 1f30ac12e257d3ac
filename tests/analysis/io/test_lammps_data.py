"""LAMMPS data files of all atom styles and sections, alone and beside a dump."""

import numpy as np
import pytest

from analysis.io.lammps_data import STYLES, read_lammps_data
from analysis.io.open_trajectory import open_trajectory
from user_input import UserError

MASSES = 'Masses\n\n1 2.0\n2 3.0\n3 4.0'
# A chain of three with an ion in the middle, and its counter-ion.
FULL = (
    '1 1 1 0 2.5 2.0 2.0',
    '2 1 2 -1 3.25 2.0 2.0',
    '3 1 1 0 4.0 2.0 2.0',
    '4 0 3 1 3.0 2.75 2.0',
)
BONDS = 'Bonds\n\n1 1 1 2\n2 1 2 3'
HEADER = '4 atoms\n3 atom types\n2 bonds\n1 bond types\n\n0 12 xlo xhi\n0 12 ylo yhi\n0 12 zlo zhi'


def data_of(folder, rows=FULL, *, style=' # full', header=HEADER, before=MASSES, behind=BONDS):
    path = folder / 'a.data'
    atoms = f'Atoms{style}\n\n' + '\n'.join(rows)
    path.write_text('\n\n'.join(('a title', header, before, atoms, behind)) + '\n')
    return path


def dump_of(folder, columns='id type x y z', rows=('1 1', '2 2', '3 1', '4 3')):
    path = folder / 'a.dump'
    head = 'ITEM: TIMESTEP\n{}\nITEM: NUMBER OF ATOMS\n{}\nITEM: BOX BOUNDS pp pp pp\n0 12\n0 12\n'
    frames = (
        head.format(step, len(rows)) + f'0 12\nITEM: ATOMS {columns}\n'
        + ''.join(f'{row} {k + 1} 1 {1 + k / 2}\n' for k, row in enumerate(rows))
        for step in range(3)
    )  # fmt: skip
    path.write_text(''.join(frames))
    return path


def refuse(*arguments, **given):
    with pytest.raises(UserError) as caught:
        open_trajectory(*arguments, **given)
    return str(caught.value)


def assert_is_full(data):
    assert data.types.names == ('1', '2', '3')
    assert data.types.typeid.tolist() == [0, 1, 0, 2]
    assert data.charge.tolist() == [0, -1, 0, 1]
    assert data.mass.tolist() == [2, 3, 2, 4]
    assert data.bonds.tolist() == [[1, 2], [2, 3]]


@pytest.mark.parametrize(
    'behind',
    [
        BONDS + '\n\nPair Coeffs # lj/cut\n\n1 1.0 1.0\n2 1.0 1.0\n3 1.0 1.0',
        BONDS + '\n\nBondAngle Coeffs\n\n1 1.0 1.0 1.0\n\nBodies\n\n1 1 3\n2\n1.0 1.0 1.0',
        BONDS + '\n\nCMAP\n\n1 1 1 2 3 4 1\n\nmy_fix # of mine\n\n1 0.5\n2 0.5',
        'Velocities\n\n1 0 0 0\n2 0 0 0\n3 0 0 0\n4 0 0 0\n\n' + BONDS,
        'Atom Type Labels\n\n\n' + BONDS + '\n\nEllipsoids\n\n1 1 1 1 1 0 0 0',
    ],
)
def test_no_section_spoils_another(tmp_path, behind):
    assert_is_full(read_lammps_data(data_of(tmp_path, behind=behind)))


@pytest.mark.parametrize('style', [' # Full', '  #full', ' # full/kk', ' # FULL of water', ''])
def test_the_style_in_any_spelling(tmp_path, style):
    assert_is_full(read_lammps_data(data_of(tmp_path, style=style)))


def test_masses_of_types_without_atoms(tmp_path):
    data = read_lammps_data(
        data_of(
            tmp_path,
            before=MASSES + '\n4 1.0 # ghost\n5 1.0',
            header=HEADER.replace('3 atom t', '5 atom t'),
        )
    )
    assert_is_full(data)
    with pytest.raises(UserError, match='no mass of type 3'):
        read_lammps_data(data_of(tmp_path, before='Masses\n\n1 2.0\n2 3.0'))


# What LAMMPS's own write_data gives for an atom of type 1, molecule 9, charge 0.25, diameter 2.5
# and density 3.5 at (1, 1, 1), with `atom_style` as named.
WRITTEN = {
    'atomic': '1 1 1 1 1 0 0 0',
    'charge': '1 1 0.25 1 1 1 0 0 0',
    'full': '1 9 1 0.25 1 1 1 0 0 0',
    'bond': '1 9 1 1 1 1 0 0 0',
    'molecular': '1 9 1 1 1 1 0 0 0',
    'sphere': '1 1 2.5 3.5 1 1 1 0 0 0',
    'dipole': '1 1 0.25 1 1 1 1 0 0 0 0 0',
    'ellipsoid': '1 1 0 3.5 1 1 1 0 0 0',
    'tri': '1 9 1 0 3.5 1 1 1 0 0 0',
    'body': '1 1 0 28.63430804053197 1 1 1 0 0 0',
    'peri': '1 1 1 3.5 1 1 1 0 0 0',
    'electron': '1 1 0.25 1 1 1 1 1 0 0 0',
    'dpd': '1 1 0 1 1 1 0 0 0',
    'edpd': '1 1 1 100000 1 1 1 0 0 0',
    'mdpd': '1 1 0 1 1 1 0 0 0',
    'sph': '1 1 0 0 1 1 1 1 0 0 0',
    'spin': '1 1 1 1 1 0 0 0 0 0 0 0',
    'bpm/sphere': '1 9 1 2.5 3.5 1 1 1 0 0 0',
    'dielectric': '1 9 1 0.25 1 1 1 1 0 0 1 0 1 1 0 0 0 0',
    'amoeba': '1 9 1 0.25 1 1 1 0 0 0',
    'smd': '1 1 9 1 28.63430804053197 1.25 0.5 1 1 1 1 1 1 0 0 0',
    'rheo': '1 1 0 1 1 1 1 0 0 0',
    'rheo/thermal': '1 1 0 1 0 1 1 1 0 0 0',
    'template': '1 9 0 0 1 1 1 1 0 0 0',
    'hybrid full sphere': '1 1 1 1 1 9 0.25 2.5 3.5 0 0 0',
    'hybrid sphere dipole': '1 1 1 1 1 2.5 3.5 0.25 1 0 0 0 0 0',
    'hybrid charge bond': '1 1 1 1 1 0.25 9 0 0 0',
    'hybrid bond charge': '1 1 1 1 1 9 0.25 0 0 0',
    'hybrid dipole full': '1 1 1 1 1 0.25 1 0 0 9 0 0 0',
    'hybrid sphere bond ellipsoid': '1 1 1 1 1 2.5 3.5 9 0 0 0 0',
    'hybrid spin charge': '1 1 1 1 1 0 0 0 0 0.25 0 0 0',
    'hybrid template molecule_1 charge': '1 1 1 1 1 9 0 0 0.25 0 0 0',
}
HAVE_CHARGES = {'charge', 'full', 'dipole', 'electron', 'dielectric', 'amoeba'}


@pytest.mark.parametrize('style', WRITTEN)
def test_columns_of_all_styles(tmp_path, style):
    for row in (WRITTEN[style], WRITTEN[style].removesuffix(' 0 0 0')):
        given = {'header': '1 atoms\n1 atom types', 'before': '', 'behind': ''}
        data = read_lammps_data(data_of(tmp_path, [row], style=f' # {style}', **given))
        assert data.types.names == ('1',)
        assert (data.charge is not None) == bool(HAVE_CHARGES & set(style.split()))
        assert data.charge is None or data.charge.tolist() == [0.25]
        assert (data.mass is not None) == ('sphere' in style or style == 'body')
        assert data.mass is None or data.mass == pytest.approx(3.5 * np.pi / 6 * 2.5**3)
        by_option = read_lammps_data(data_of(tmp_path, [row], style='', **given), style)
        assert by_option.charge == data.charge


def test_styles_have_the_columns_that_are_known():
    assert {word for style in WRITTEN for word in style.split()} >= STYLES.keys() - {
        'angle', 'line', 'wavepacket',
    }  # fmt: skip


@pytest.mark.parametrize(
    ('rows', 'style'),
    [
        # Molecule 0 is no type: one reading is left.
        (FULL, 'amoeba'),
        ([f'{row} 0 0 -1' for row in FULL], 'amoeba'),
        (['1 1 0.5 1.5 1 1', '2 2 -0.5 2.5 1 1', '3 1 0 3.5 1 1', '4 3 0 4.5 1 1'], 'charge'),
        (['1 4 1 1.5 1 1', '2 4 2 2.5 1 1', '3 4 1 3.5 1 1', '4 5 3 4.5 1 1'], 'angle'),
        (['1 1 1.5 1 1', '2 2 2.5 1 1', '3 1 3.5 1 1', '4 3 4.5 1 1'], 'atomic'),
    ],
)
def test_a_style_that_the_columns_tell(tmp_path, rows, style):
    has_molecules = 'mol' in STYLES[style]
    header = HEADER if has_molecules else HEADER.replace('2 bonds', '0 bonds')
    data = read_lammps_data(
        data_of(tmp_path, rows, style='', header=header, behind=BONDS if has_molecules else '')
    )
    assert data.style == style
    assert data.types.typeid.tolist() == [0, 1, 0, 2]


@pytest.mark.parametrize(
    'rows',
    [
        # Molecules and types, or types and charges? Full, or spheres of these diameters?
        ['1 1 1 1.5 1 1', '2 2 1 2.5 1 1', '3 1 2 3.5 1 1', '4 3 3 4.5 1 1'],
        ['1 1 1 0.5 1.5 1 1', '2 2 1 0.5 2.5 1 1', '3 1 2 0.5 3.5 1 1', '4 3 3 0.5 4.5 1 1'],
        ['1 1 1.5 1', '2 2 2.5 1', '3 1 3.5 1', '4 3 4.5 1'],
    ],
)
def test_a_style_that_the_columns_do_not_tell_is_asked_for(tmp_path, rows):
    header = HEADER.replace('2 bonds', '0 bonds')
    data = data_of(tmp_path, rows, style='', header=header, behind='', before='')
    message = refuse(dump_of(tmp_path), data)
    assert 'is not stated' in message
    assert '--atom-style full' in message


def test_a_wrong_style_is_refused(tmp_path):
    assert "'ful' is not known" in refuse(dump_of(tmp_path), data_of(tmp_path, style=' # ful'))
    assert '7 columns' in refuse(dump_of(tmp_path), data_of(tmp_path, style=' # atomic'))
    assert 'do not fit' in refuse(dump_of(tmp_path), data_of(tmp_path, style=' # sphere'))
    trajectory = open_trajectory(dump_of(tmp_path), data_of(tmp_path, style=' # x'), 'FULL')
    assert trajectory.topology.charge.tolist() == [0, -1, 0, 1]
    assert 'give the data file' in refuse(dump_of(tmp_path), atom_style='full')


def test_hybrid_without_its_styles(tmp_path):
    rows = ['1 1 1 1 1 1 0', '2 2 1 1 1 1 -1', '3 1 1 1 1 1 0', '4 3 1 1 1 2 1']
    data = data_of(tmp_path, rows, style=' # hybrid')
    assert "--atom-style 'hybrid full sphere'" in refuse(dump_of(tmp_path), data)
    named = open_trajectory(dump_of(tmp_path), data, 'hybrid full')
    with_q = dump_of(
        tmp_path, 'id type q mass x y z', ('1 1 0 1', '2 2 -1 1', '3 1 0 1', '4 3 1 1')
    )
    for topology in (named.topology, open_trajectory(with_q, data).topology):
        assert topology.charge.tolist() == [0, -1, 0, 1]
        assert topology.bonds.tolist() == [[0, 1], [1, 2]]


@pytest.mark.parametrize(
    ('columns', 'rows', 'found'),
    [
        ('id type x y z', ('1 3', '2 1', '3 3', '4 2'), "'type' of atom 1 is 3 in the dump and 1"),
        ('id type x y z', ('1 1', '2 2', '3 1', '4 1'), '1 of 4 atoms differ'),
        ('id q x y z', ('1 0', '2 1', '3 0', '4 1'), "'q' of atom 2 is 1 in the dump and -1"),
        ('id mass x y z', ('1 2', '2 3', '3 2', '4 1'), "'mass' of atom 4 is 1 in the dump and 4"),
        ('id typelabel x y z', ('1 B', '2 S', '3 S', '4 Na'), "'typelabel' of atom 3 is S"),
        ('id element x y z', ('1 C', '2 S', '3 S', '4 Na'), "'element' of atom 3 is S"),
        ('id type x y z', ('1 1', '2 2', '7 1', '8 3'), 'lacks 2 of the 4 atom ids'),
    ],
)
def test_a_dump_of_another_run_is_refused(tmp_path, columns, rows, found):
    message = refuse(dump_of(tmp_path, columns, rows), data_of(tmp_path))
    assert found in message
    assert 'a.dump' in message
    assert 'a.data' in message
    assert 'same run' in message


LABELS = 'Atom Type Labels\n\n1 B\n2 S-\n3 Na\n\nBond Type Labels\n\n1 bb\n\n' + MASSES


def test_types_by_number_and_by_label(tmp_path):
    by_label = [row.replace(' 1 2 -1', ' 1 S- -1') for row in FULL]
    for rows in (FULL, by_label):
        data = data_of(tmp_path, rows, before=LABELS)
        for dump in (
            dump_of(tmp_path),
            dump_of(tmp_path, 'id type x y z', ('1 B', '2 S-', '3 B', '4 Na')),
            dump_of(tmp_path, 'id typelabel x y z', ('1 B', '2 S-', '3 B', '4 Na')),
            dump_of(tmp_path, 'id element x y z', ('1 C', '2 S', '3 C', '4 Na')),
            dump_of(tmp_path, 'id x y z', '1234'),
        ):
            topology = open_trajectory(dump, data).topology
            assert topology.type_names == ('B', 'S-', 'Na')
            assert topology.bond_type_names == ('bb',)
            for name in ('3', 'Na'):
                assert topology.indices_of((name,)).tolist() == [3]
            with pytest.raises(UserError, match="no particle type '4'"):
                topology.indices_of(('4',))


def test_labels_go_before_numbers(tmp_path):
    dump = dump_of(tmp_path, 'id type typelabel x y z', ('1 1 2', '2 2 1', '3 1 2', '4 3 Na'))
    topology = open_trajectory(dump).topology
    assert topology.type_names == ('2', '1', 'Na')
    assert topology.indices_of(('1',)).tolist() == [1]
    assert topology.indices_of(('3',)).tolist() == [3]


def test_names_of_elements_serve_where_there_are_no_labels(tmp_path):
    rows = ('1 C', '2 C', '3 C', '4 Na')
    alone = open_trajectory(dump_of(tmp_path, 'id element x y z', rows)).topology
    assert alone.type_names == ('C', 'Na')
    # Types 1 and 2 are of one element, and keep their numbers.
    with_data = open_trajectory(dump_of(tmp_path, 'id element x y z', rows), data_of(tmp_path))
    assert with_data.topology.type_names == ('1', '2', 'Na')


def test_a_group_has_what_the_data_file_says_of_it(tmp_path):
    topology = open_trajectory(dump_of(tmp_path, rows=('4 3', '2 2', '1 1')),
                               data_of(tmp_path)).topology  # fmt: skip
    assert topology.charge.tolist() == [0, -1, 1]
    assert topology.bonds.tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ('given', 'found'),
    [
        ({'rows': FULL[:3]}, '4 atoms are promised and 3 are there'),
        ({'behind': BONDS[:-8]}, '2 bonds are promised and 1 are there'),
        ({'rows': [*FULL[:3], FULL[0]]}, 'the atom id 1 is there twice'),
        ({'behind': BONDS.replace('2 3', '2 9')}, 'bonds to atoms that are not there'),
        ({'behind': BONDS.replace(' 1 2 3', '  2 3')}, 'bonds without a type'),
        ({'rows': [*FULL[:3], '4 0 5 1 1 1 1']}, 'type 5 of 3'),
        ({'rows': [*FULL[:3], '4 0 x 1 1 1 1']}, 'do not fit'),
        ({'rows': [*FULL[:3], '4 0 3 1']}, '4 and 7 columns'),
    ],
)
def test_a_damaged_data_file_is_refused(tmp_path, given, found):
    assert found in refuse(dump_of(tmp_path), data_of(tmp_path, **given))


def test_comments_in_any_encoding_and_line_ends_of_windows(tmp_path):
    path = data_of(tmp_path, [f'{row} # \xe9' for row in FULL])
    text = path.read_text().replace('a title', 'fichier r\xe9el').replace('\n', '\r\n')
    path.write_bytes(text.encode('latin-1'))
    assert_is_full(read_lammps_data(path))
