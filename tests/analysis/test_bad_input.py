"""Every mistake of a user is answered with what, where and what to do, and exit code 2."""

import subprocess
import sys
import warnings
from pathlib import Path

import gsd.hoomd
import h5py
import numpy as np
import pytest
from scipy.signal import lfilter

from analysis.__main__ import main
from analysis.io.open_trajectory import open_trajectory
from tests.analysis.builders import (
    frame,
    ion_frames,
    write_data,
    write_dump,
    write_gsd,
    write_thermo,
)
from user_input import UserError

ROOT = Path(__file__).parents[2]


def refuse(capsys, *arguments):
    assert main([str(a) for a in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ''
    assert captured.err.startswith('error: ')
    return captured.err


@pytest.fixture
def good(tmp_path):
    return write_gsd(tmp_path / 'good.gsd', ion_frames(40))


@pytest.mark.slow
def test_command_as_a_process(tmp_path, good):
    command = [sys.executable, '-m', 'analysis']
    bad = subprocess.run([*command, 'clusters', tmp_path / 'none.gsd'], cwd=ROOT,
                         capture_output=True, text=True, check=False)  # fmt: skip
    assert bad.returncode == 2
    assert 'no such file' in bad.stderr
    assert 'Traceback' not in bad.stderr
    fine = subprocess.run([*command, 'clusters', good, '--contact-distance', '1', '--json',
                           '--plot', tmp_path / 'a.png'], cwd=ROOT, capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert fine.returncode == 0, fine.stderr
    assert 'NaN' not in fine.stdout
    assert (tmp_path / 'a.png').stat().st_size > 1000


def test_tables(capsys, good):
    assert main(['clusters', str(good), '--contact-distance', '1', '--pairs', 'any']) == 0
    assert 'percolation_probability_any' in capsys.readouterr().out
    assert main(['relaxation', str(good), '--time-step', '0.01']) == 0
    assert 'p2_time_backbone' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('option', 'choices'),
    [('--pairs', "'unlike', 'any'"), ('--bonded-ions', "'leave-out', 'leave-out-1-3', 'keep'")],
)
def test_choices_are_listed(capsys, good, option, choices):
    with pytest.raises(SystemExit, match='2'):
        main(['clusters', str(good), option, 'x'])
    assert f"argument {option}: invalid choice: 'x' (choose from {choices})" in (
        capsys.readouterr().err.replace('\n', ' ')
    )


def test_displacements_chains_and_stress(capsys, tmp_path, good):
    assert main(['msd', str(good)]) == 0
    assert 'diffusion_coefficient_Li' in capsys.readouterr().out
    assert main(['chains', str(good)]) == 0
    assert 'squared_radius_of_gyration' in capsys.readouterr().out
    thermo = tmp_path / 'thermo.h5'
    generator = np.random.default_rng(0)
    with h5py.File(thermo, 'w') as file:
        file.attrs['time_step'] = 0.005
        file['step'] = np.arange(10, 20010, 10)
        file['volume'] = np.full(2000, 100.0)
        for name in ('xx', 'xy', 'xz', 'yy', 'yz', 'zz'):
            series = lfilter([1], [1, -0.9], generator.normal(size=2000))
            file[f'pressure_{name}'] = series
    assert main(['stress', str(thermo), '--kT', '1']) == 0
    assert 'tau_s' in capsys.readouterr().out
    assert main(['stress', str(thermo), '--kT', '1', '--json']) == 0
    assert 'NaN' not in capsys.readouterr().out
    assert 'kT -1' in refuse(capsys, 'stress', thermo, '--kT', '-1')
    for row in ('-100', '1999'):
        assert 'there are 2000 rows' in refuse(
            capsys, 'stress', thermo, '--kT', '1', f'--first-row={row}'
        )
    assert "no column 'kinetic_energy'" in refuse(
        capsys, 'thermodynamics', good, '--thermo', thermo
    )
    assert '--thermo' in refuse(capsys, 'thermodynamics', good)
    assert '--kT' in refuse(capsys, 'stress', thermo)
    assert 'time step -1' in refuse(capsys, 'msd', good, '--time-step', '-1')
    with h5py.File(thermo, 'a') as file:
        del file['pressure_xx']
        file['pressure_xx'] = np.zeros(7)
    assert 'unequal length' in refuse(capsys, 'stress', thermo, '--kT', '1')
    assert 'has to be converted' in refuse(capsys, 'stress', good, '--kT', '1')
    assert 'no bond type' in refuse(capsys, 'chains', good, '--bond-type', 'spine')


def test_conductivity_of_a_file_alone(capsys, tmp_path, good):
    assert main(['conductivity', str(good), '--kT', '1']) == 0
    printed = capsys.readouterr().out
    assert 'no thermo log (--thermo)' in printed
    assert 'einstein_conductivity' in printed
    assert 'kT 0' in refuse(capsys, 'conductivity', good, '--kT', '0')
    bare = write_dump(tmp_path / 'a.lammpstrj', ion_frames(12))
    named = ('--cations', '2', '--anions', '1')
    assert '--data' in refuse(capsys, 'bridging', bare, *named)
    kT = ('--kT', '1', '--time-step', '0.005')
    assert '--cations' in refuse(capsys, 'conductivity', bare, *kT)
    assert main(['conductivity', str(bare), *kT, *named]) == 0
    assert '1 and -1 are assumed' in capsys.readouterr().out


@pytest.mark.parametrize(
    'command', ['clusters', 'association', 'lifetimes', 'bridging', 'conductivity']
)
def test_atoms_of_molecular_ions_are_no_ions(capsys, tmp_path, command):
    """Li, and anions of an atom of -1.6 and two of 0.3."""
    generator, types = np.random.default_rng(0), np.tile([0, 1, 2, 2], 20)
    bonds = [[4 * k + 1, 4 * k + j] for k in range(20) for j in (2, 3)]
    place = generator.uniform(-6, 6, (80, 3))
    place[types == 2] = np.repeat(place[types == 1], 2, axis=0) + generator.normal(0, 0.2, (40, 3))
    frames = [
        frame(10 * k, place + 0.01 * k, 12.0, types=('Li', 'S', 'O'), typeid=types,
              charge=np.array([1.0, -1.6, 0.3])[types], bonds=bonds, time_step=0.005)
        for k in range(20)
    ]  # fmt: skip
    file = write_gsd(tmp_path / 'salt.gsd', frames)
    given = ('--kT', 1) if command == 'conductivity' else ('--contact-distance', 2)
    told = refuse(capsys, command, file, *given)
    assert 'Li 1, S -1.6, O 0.3' in told
    assert '--anions TYPE' in told
    named = [command, file, *given, '--cations', 'Li', '--anions', 'S']
    assert main([str(each) for each in named]) == 0


def test_wrong_files(capsys, tmp_path, good):
    (tmp_path / 'text').write_text('hello')
    (tmp_path / 'empty').write_text('')
    write_gsd(tmp_path / 'none.gsd', [])
    assert 'not a trajectory' in refuse(capsys, 'clusters', tmp_path / 'text')
    assert 'empty' in refuse(capsys, 'clusters', tmp_path / 'empty')
    assert 'no frames' in refuse(capsys, 'clusters', tmp_path / 'none.gsd')
    assert 'folder' in refuse(capsys, 'clusters', tmp_path)
    assert 'data file' in refuse(capsys, 'clusters', good, '--data', tmp_path / 'text')
    assert 'half the least width' in refuse(capsys, 'clusters', good, '--contact-distance', 7)
    assert 'first frame' in refuse(capsys, 'clusters', good, '--first-frame', 99)
    assert 'end its name' in refuse(capsys, 'clusters', good, '--plot', tmp_path / 'a.txt')
    assert 'cannot be written' in refuse(
        capsys, 'clusters', good, '--contact-distance', 1, '--plot', tmp_path / 'a' / 'b.png'
    )


def test_wrong_systems(capsys, tmp_path):
    points = np.random.default_rng(0).uniform(-2, 2, (6, 3))
    cases = {
        'charges': [frame(k, points, 5) for k in range(9)],
        'number of particles': [
            frame(k, points[: 6 - k % 2], 5, charge=([1, -1] * 3)[: 6 - k % 2]) for k in range(9)
        ],
    }
    for k, (message, frames) in enumerate(cases.items()):
        path = write_gsd(tmp_path / f'{k}.gsd', frames)
        assert message in refuse(capsys, 'clusters', path, '--contact-distance', 1)


def near_by():
    """Positions of 6 particles in 12 frames that hardly move, shape (12, 6, 3)."""
    generator = np.random.default_rng(0)
    return generator.uniform(-1.5, 1.5, (6, 3)) + generator.normal(0, 0.05, (12, 6, 3))


@pytest.mark.parametrize(
    ('words', 'change'),
    [
        ('types of the particles', {'typeid': [1, 0] * 3}),
        ('names of the types', {'types': ('Li', 'S')}),
        ('charges', {'charge': [1, -1, 1, -1, 0, 0]}),
        ('number of bonds', {'bonds': [[0, 1]], 'bond_typeid': [0]}),
        ('number of bonds', {'bonds': ()}),
        ('bonds', {'bonds': [[0, 1], [3, 4]]}),
        ('types of the bonds', {'bond_typeid': [0, 0]}),
        ('names of the types of bonds', {'bond_types': ('side', 'backbone')}),
        ('masses', {}),
    ],
)
def test_what_a_system_consists_of_stays(capsys, tmp_path, words, change):
    points = near_by()
    same = {'types': ('S', 'Li'), 'typeid': [0, 1] * 3, 'charge': [-1, 1] * 3}
    same |= {'bonds': [[0, 1], [2, 3]], 'bond_types': ('backbone', 'side'), 'bond_typeid': [0, 1]}
    frames = [frame(k, each, 5, **same) for k, each in enumerate(points)]
    assert len(open_trajectory(write_gsd(tmp_path / 'same.gsd', frames))) == 12
    frames[9:] = [frame(k, points[k], 5, **same | change) for k in (9, 10, 11)]
    if words == 'masses':
        frames[9].particles.mass = [1, 1, 1, 2, 1, 1]
    path = write_gsd(tmp_path / 'a.gsd', frames)
    for command in (
        'msd',
        'clusters',
        'chains',
        'pair_correlation',
        'structure_factor',
        'relaxation',
    ):
        arguments = ['--contact-distance', 1] if command == 'clusters' else []
        told = refuse(capsys, command, path, *arguments)
        assert f'frame 9: not the {words} of frame 0' in told


def test_steps_that_go_back_are_told_by_all_in_the_same_words(capsys, tmp_path, good):
    points = near_by()
    given = {'charge': [-1, 1] * 3, 'typeid': [0, 1] * 3, 'types': ('S', 'Li'), 'bonds': [[0, 1]]}
    steps = [0, 5, 10, *range(0, 900, 100)]
    frames = [frame(s, p, 5, **given) for s, p in zip(steps, points, strict=True)]
    path = write_gsd(tmp_path / 'a.gsd', frames)
    told = set()
    for command in ('msd', 'clusters', 'chains', 'pair_correlation', 'relaxation'):
        arguments = ['--contact-distance', 1] if command == 'clusters' else []
        told.add(refuse(capsys, command, path, *arguments))
        assert main([command, str(path), *map(str, arguments), '--first-frame', '3']) == 0
        capsys.readouterr()
    assert len(told) == 1
    assert '--first-frame 3' in told.pop()
    columns = {'step': np.array(steps), 'pressure_xx': np.zeros(12)}
    thermo = write_thermo(tmp_path / 'thermo.h5', columns, 0.005)
    assert '--first-row 3' in refuse(capsys, 'stress', thermo, '--kT', 1)


def test_cut_off_gsd(tmp_path, good):
    whole = good.read_bytes()
    short = tmp_path / 'short.gsd'
    outcomes = set()
    for part in (0.02, 0.5, 0.9, 0.99):
        short.write_bytes(whole[: int(len(whole) * part)])
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter('always')
                trajectory = open_trajectory(short)
            assert len(trajectory) <= 40
            assert 'whole' in str(caught[0].message)
            last = trajectory.read(len(trajectory) - 1)
            expected = open_trajectory(good).read(len(trajectory) - 1)
            assert np.array_equal(last.positions, expected.positions)
            outcomes.add('salvaged')
        except UserError as error:
            outcomes.add('refused' if 'cut off in the middle' in str(error) else str(error))
    assert 'refused' in outcomes
    assert outcomes <= {'refused', 'salvaged'}


def test_tail_of_gsd_is_salvaged(tmp_path):
    # Flushed frame by frame, as by a running simulation, the index lies before the last frames.
    with gsd.hoomd.open(str(tmp_path / 'a.gsd'), 'w') as file:
        for each in ion_frames(60):
            file.append(each)
            file.flush()
    whole = (tmp_path / 'a.gsd').read_bytes()
    (tmp_path / 'b.gsd').write_bytes(whole[:-5000])
    with pytest.warns(UserWarning, match='end of the file is missing'):
        trajectory = open_trajectory(tmp_path / 'b.gsd')
    assert 50 < len(trajectory) < 60


def test_cut_off_dump(tmp_path):
    path = write_dump(tmp_path / 'a.dump', ion_frames(10))
    text = path.read_text()
    path.write_text(text[: int(len(text) * 0.95)])
    with pytest.warns(UserWarning, match='whole are used: 9'):
        assert len(open_trajectory(path)) == 9
    lines = text.split('\n')
    path.write_text('\n'.join(lines[:300] + lines[340:]))
    with pytest.raises(UserError, match='cut off in the middle'):
        open_trajectory(path)
    path.write_text(text.replace('pp pp pp', 'pp pp ff'))
    with pytest.raises(UserError, match='not periodic'):
        open_trajectory(path)


def test_dump_without_images_has_bonds_but_no_scattering(tmp_path, capsys):
    frames = list(ion_frames(40))
    path = write_dump(tmp_path / 'a.dump', frames, columns='id type x y z')
    data = write_data(tmp_path / 'a.data', frames[0])
    assert main(['relaxation', str(path), '--data', str(data)]) == 0
    assert 'ix iy iz' in capsys.readouterr().out
    assert 'no bonds' in refuse(capsys, 'relaxation', path)


def test_time_of_a_dump_gives_the_time_step(tmp_path):
    path = write_dump(tmp_path / 'a.dump', ion_frames(10))
    mark = 'ITEM: TIMESTEP'
    first, *rest = path.read_text().split(mark)
    path.write_text(
        'ITEM: UNITS\nlj\n' + first + ''.join(
            f'ITEM: TIME\n{0.05 * k}\n{mark}{part}' for k, part in enumerate(rest)
        )
    )  # fmt: skip
    trajectory = open_trajectory(path)
    assert len(trajectory) == 10
    assert trajectory.time_step == pytest.approx(0.005)
    assert trajectory.read(3).positions.shape == (120, 3)
