"""LAMMPS dumps as people have them: compressed, several, cut off, and of other kinds."""

import bz2
import gzip
import lzma
import warnings

import numpy as np
import pytest

from analysis.__main__ import main
from analysis.io.open_trajectory import open_trajectory
from tests.analysis.builders import ion_frames, write_data, write_dump, write_gsd
from user_input import UserError

ROWS = ('1 1 1 1.5 1 1', '2 2 -1 2.5 1 1', '3 1 1 8.5 8 1', '4 2 -1 8.25 8 1')


def frame_text(step, rows=ROWS, *, boundary='pp pp pp', columns='id type q x y z', end=' \n'):
    head = f'ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{len(rows)}\n'
    box = f'ITEM: BOX BOUNDS {boundary}\n0 12\n0 12\n0 12\n'
    return f'{head}{box}ITEM: ATOMS {columns}\n' + ''.join(row + end for row in rows)


def dump_of(folder, *frames, name='a.dump'):
    path = folder / name
    path.write_text(''.join(frames))
    return path


def refuse(*arguments):
    with pytest.raises(UserError) as caught:
        positions(open_trajectory(*arguments))
    return str(caught.value)


def positions(trajectory):
    return np.array([trajectory.read(k).positions for k in range(len(trajectory))])


@pytest.mark.parametrize(
    ('rows', 'columns', 'found'),
    [
        (
            (ROWS[0].replace('1 1 1', '1 2 1'), *ROWS[1:]),
            'id type q x y z',
            "'type' of atom 1 is 2",
        ),
        ((*ROWS[:3], ROWS[3].replace('-1', '-2')), 'id type q x y z', "'q' of atom 4 is -2"),
        ((*ROWS[:3], ROWS[3].replace('4 2', '5 2')), 'id type q x y z', 'their ids change'),
        (ROWS[:3], 'id type q x y z', 'number of particles'),
        (ROWS, 'id type v x y z', "the column 'q' is not there"),
    ],
)
def test_what_changes_is_refused_by_the_frame(tmp_path, rows, columns, found):
    path = dump_of(
        tmp_path, *(frame_text(k) for k in range(4)), frame_text(4, rows, columns=columns)
    )
    message = refuse(path)
    assert 'frame 4' in message
    assert found in message


def test_masses_that_change_are_refused(tmp_path):
    other = (*ROWS[:3], ROWS[3].replace('-1', '-2'))
    columns = 'id type mass x y z'
    assert "'mass' of atom 4" in refuse(
        dump_of(tmp_path, frame_text(0, columns=columns), frame_text(1, other, columns=columns))
    )


@pytest.mark.parametrize('wall', ['ff', 'fm', 'mf', 'sm', 'ms', 'ss', 'fs', 'sf', 'mm', 'p', 'pf'])
@pytest.mark.parametrize('axis', range(3))
def test_walls_in_any_spelling_are_refused(tmp_path, wall, axis):
    words = ['pp', 'pp', 'pp']
    words[axis] = wall
    path = dump_of(tmp_path, frame_text(0, boundary=' '.join(words)))
    assert 'not periodic' in refuse(path)


def test_an_id_that_is_there_twice_is_refused(tmp_path):
    again = (*ROWS, ROWS[1])
    assert 'frame 0: the atom id 2 is there twice' in refuse(
        dump_of(tmp_path, frame_text(0, again))
    )
    later = dump_of(tmp_path, frame_text(0), frame_text(1, (*ROWS[:3], ROWS[2])))
    assert 'frame 1: the atom id 3 is there twice' in refuse(later)


def test_a_last_line_without_its_end(tmp_path):
    whole = positions(open_trajectory(dump_of(tmp_path, frame_text(0), frame_text(1))))
    for end in (' \n', '\n', '\r\n', ' \r\n'):
        text = frame_text(0, end=end) + frame_text(1, end=end)
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            trajectory = open_trajectory(dump_of(tmp_path, text.removesuffix(end.strip(' '))))
        assert np.array_equal(positions(trajectory), whole)
    # Here the last number may be cut off too: LAMMPS ends its lines with a blank.
    for cut in (2, 3, 9):
        with pytest.warns(UserWarning, match='that are whole are used: 1.'):
            assert len(open_trajectory(dump_of(tmp_path, (frame_text(0) * 2)[:-cut]))) == 1


@pytest.mark.parametrize('module', [gzip, bz2, lzma], ids=lambda module: module.__name__)
def test_compressed_files(tmp_path, module):
    frames = list(ion_frames(8))
    dump, gsd_file = write_dump(tmp_path / 'a', frames), write_gsd(tmp_path / 'b', frames)
    data = write_data(tmp_path / 'c', frames[0])
    expected = positions(open_trajectory(dump, data))
    for path in (dump, gsd_file, data):
        path.with_suffix('.packed').write_bytes(module.compress(path.read_bytes()))
        path.rename(path.with_suffix('.plain'))
        path.with_suffix('.packed').rename(path)
    packed = open_trajectory(dump, data)
    assert packed.path == dump
    assert len(packed.topology.bonds) == 60
    assert np.array_equal(positions(packed), expected)
    assert positions(open_trajectory(gsd_file)) == pytest.approx(expected, abs=1e-6)


def test_a_compressed_file_that_is_cut_off(tmp_path):
    dump = write_dump(tmp_path / 'a', ion_frames(20))
    content = gzip.compress(dump.read_bytes())
    dump.write_bytes(content[: len(content) // 2])
    with pytest.warns(UserWarning, match='missing'):
        assert 5 < len(open_trajectory(dump)) < 15
    dump.write_bytes(content[:200] + b'damaged' + content[207:])
    assert 'damaged' in refuse(dump)


@pytest.mark.parametrize('kind', ['dump', 'gsd', 'gz'])
def test_several_files_are_one_trajectory(tmp_path, kind, monkeypatch, capsys):
    frames = list(ion_frames(20))
    whole = open_trajectory(write_gsd(tmp_path / 'whole', frames))
    # In the order of steps, which is not that of the names.
    for name, part in (('run.10', frames[:8]), ('run.2', frames[8:9]), ('run.1', frames[9:])):
        path = tmp_path / name
        if kind == 'gsd':
            write_gsd(path, part)
        else:
            write_dump(path, part)
        if kind == 'gz':
            path.write_bytes(gzip.compress(path.read_bytes()))
    monkeypatch.chdir(tmp_path)
    data = None if kind == 'gsd' else write_data(tmp_path / 'c', frames[0])
    for names in ('run.*', ['run.1', 'run.2', tmp_path / 'run.10'], ['run.1?', 'run.?']):
        joined = open_trajectory(names, data)
        assert joined.steps.tolist() == whole.steps.tolist()
        assert joined.topology.bonds.tolist() == whole.topology.bonds.tolist()
        assert positions(joined) == pytest.approx(positions(whole), abs=1e-6)
    given = [] if data is None else ['--data', 'c']
    assert main(['clusters', 'run.*', '--contact-distance', '1', *given, '--pairs', 'any']) == 0
    assert main(['clusters', 'run.1', 'run.10', 'run.2', '--contact-distance', '1', *given]) == 0
    assert '20 of 20 evenly spaced frames' in capsys.readouterr().out


def test_a_file_that_is_part_of_another_is_left_out(tmp_path):
    frames = list(ion_frames(20))
    whole = write_gsd(tmp_path / 'whole', frames)
    part, rest = write_gsd(tmp_path / 'part', frames[3:9]), write_gsd(tmp_path / 'z', frames[15:])
    with pytest.warns(UserWarning, match='left out') as caught:
        joined = open_trajectory([part, whole, rest])
    assert len(caught) == 2
    assert joined.steps.tolist() == list(range(0, 200, 10))
    # A restart writes some frames again: those who look at the steps choose.
    first = write_gsd(tmp_path / 'first', frames[:12])
    assert open_trajectory([rest, write_gsd(part, frames[10:16]), first]).steps.tolist() == [
        *range(0, 120, 10), *range(100, 160, 10), *range(150, 200, 10),
    ]  # fmt: skip


def test_files_of_different_runs_are_not_joined(tmp_path):
    first, *others = (write_gsd(tmp_path / str(n), ion_frames(8, n_pairs=n)) for n in (60, 61))
    assert 'numbers of particles differ from those' in refuse([first, *others])
    swapped = list(ion_frames(8))
    for each in swapped:
        each.particles.charge = -each.particles.charge
    other = write_gsd(tmp_path / 'swapped', swapped)
    assert "particles ('charge') differ from those" in refuse([first, other])
    slower = list(ion_frames(8))
    for each in slower:
        each.log['time_step'] = np.array([0.01])
    assert 'time steps (0.005 and 0.01)' in refuse([first, write_gsd(tmp_path / 'c', slower)])
    one = dump_of(tmp_path, frame_text(0), name='one')
    other = dump_of(tmp_path, frame_text(1, (*ROWS[:3], ROWS[3].replace('-1', '-2'))), name='two')
    assert "two: frame 0: the column 'q' of atom 4" in refuse([one, other])
    assert 'no such file' in refuse([one, tmp_path / 'none.*'])
    # Another replica, which goes on where the first has frames, or ends.
    for frames in (list(ion_frames(16, seed=1))[5:], list(ion_frames(16, seed=1))[8:]):
        replica = write_gsd(tmp_path / 'replica', frames)
        assert 'replica: its first frame does not follow' in refuse([first, replica])
    rest = write_gsd(tmp_path / 'rest', list(ion_frames(30))[20:])
    assert len(open_trajectory([first, rest])) == 18  # with a gap between


@pytest.mark.parametrize(
    ('content', 'found'),
    [
        (b'ITEM: TIMESTEP\n0\nITEM: NUMBER OF ENTRIES\n1\n', 'dump local'),
        (b'ITEM: TIMESTEP\n0\nITEM: BOX BOUNDS pp pp pp\n0 1\nITEM: DIMENSION\n', 'dump grid'),
        ((-10).to_bytes(8, 'little', signed=True) + b'DUMPCUSTOM\1\0\0\0', 'binary2txt'),
        (b'LammpS RestartT\0\1\0\0\0', 'restart file'),
        (b'Number of particles = 4\nA = 1 Angstrom\n', 'dump cfg'),
        (b'2\n Atoms. Timestep: 0\n1 0 0 0\n2 1 1 1\n', 'dump xyz'),
        (b'---\ncreator: LAMMPS\ntimestep: 0\n', 'dump yaml'),
        (b'LAMMPS (2 Aug 2023)\nunits lj\n', 'log file'),
        (b'a title \xe9\n\n4 atoms\n3 atom types\n', 'data file'),
        (b'\x28\xb5\x2f\xfd\0\0', 'zstd'),
        (b'PK\3\4', 'zip'),
    ],
)  # fmt: skip
def test_other_files_are_told_as_what_they_are(tmp_path, content, found):
    path = tmp_path / 'a.lammpstrj'
    path.write_bytes(content)
    message = refuse(path)
    assert found in message
    assert message.endswith('.') or 'FILE' in message


def test_data_file_and_dump_in_each_others_place(tmp_path):
    frames = list(ion_frames(2))
    dump, data = write_dump(tmp_path / 'a', frames), write_data(tmp_path / 'b', frames[0])
    assert 'is no trajectory' in refuse(data, dump)
    assert "no section 'Atoms'" in refuse(dump, dump)
    assert 'folder' in refuse(dump, tmp_path)


def test_names_in_place_of_types_are_read(tmp_path):
    rows = [row.replace(' 1 1 ', ' Na 1 ', 1).replace(' 2 -1', ' S -1') for row in ROWS]
    rows[0] = '1 Na 1 1.5 1 1'
    for column in ('type', 'typelabel', 'element'):
        path = dump_of(tmp_path, frame_text(0, rows, columns=f'id {column} q x y z'))
        assert open_trajectory(path).topology.type_names == ('Na', 'S')
    path = dump_of(tmp_path, frame_text(0, columns='id mol q x y z'))
    assert "no column 'type', 'typelabel' or 'element'" in refuse(path)


def test_a_byte_order_mark_and_columns_that_are_no_numbers(tmp_path):
    rows = [f'{row} some"thing #1' for row in ROWS]
    path = dump_of(tmp_path, '\ufeff', frame_text(0, rows, columns='id type q x y z c_a c_b'))
    assert positions(open_trajectory(path)).shape == (1, 4, 3)


def atoms_alone(path, kept, name):
    """Copy the atoms `kept`, by id, of a dump into another."""
    lines = []
    for line in path.read_text().splitlines():
        is_atom = len(line.split()) == 8 and line[0].isdigit()
        if not is_atom or int(line.split()[0]) in kept:
            lines.append(str(len(kept)) if line == '120' else line)
    copy = path.with_name(name)
    copy.write_text('\n'.join(lines) + '\n')
    return copy


def test_files_of_several_processors_are_no_run_and_its_copy(tmp_path):
    whole = write_dump(tmp_path / 'a.dump', ion_frames(4))
    parts = [atoms_alone(whole, range(k, k + 60), f'p.{k}.dump') for k in (1, 61)]
    with pytest.raises(UserError, match='number of particles or their ids'):
        open_trajectory(parts)


def test_bonds_that_lead_out_of_a_dumped_group_are_told(tmp_path):
    frames = list(ion_frames(2))
    whole, data = write_dump(tmp_path / 'a.dump', frames), write_data(tmp_path / 'd', frames[0])
    with pytest.warns(UserWarning, match='dump: 1 bonds lead to atoms that are not in the dump'):
        open_trajectory(atoms_alone(whole, range(1, 52), 'b.dump'), data)
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # of whole molecules
        open_trajectory(atoms_alone(whole, range(1, 51), 'c.dump'), data)


def test_a_step_of_changing_duration_gives_no_times(tmp_path):
    path = write_dump(tmp_path / 'a.dump', ion_frames(6))
    frames = path.read_text().split('ITEM: TIMESTEP')[1:]
    for times, expected in (([0, 1, 2, 3, 4, 5], 0.1), ([0, 1, 2, 3, 3.1, 3.2], None)):
        both = zip(times, frames, strict=True)
        path.write_text(''.join(f'ITEM: TIME\n{t}\nITEM: TIMESTEP{f}' for t, f in both))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            assert open_trajectory(path).time_step == (expected and pytest.approx(expected))
        assert any('duration of a step' in str(each.message) for each in caught) is (
            expected is None
        )
