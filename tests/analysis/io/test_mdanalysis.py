"""Files that MDAnalysis wrote hold what it was given, and all observables run on them."""

import io
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from analysis.__main__ import main
from analysis.io import mdanalysis_trajectory
from analysis.io.open_trajectory import open_trajectory
from analysis.observable import analyse
from analysis.observables import OBSERVABLES
from analysis.serialise import to_json
from tests.analysis.builders import MELT_BOX, Melt, run_of, write_data
from user_input import UserError

MDAnalysis = pytest.importorskip('MDAnalysis')
pytestmark = pytest.mark.filterwarnings('ignore')

MELT = Melt(n_frames=24)


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch):
    """Read here: each process of its own takes the time of an import. `undo` it for one."""

    def run(call, **_):
        output = io.TextIOWrapper(io.BytesIO())
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            patch.setattr(sys, 'argv', ['-c', call[-1]])
            patch.setattr(sys, 'stdout', output)
            exec(call[2], {})
        return SimpleNamespace(returncode=0, stdout=output.buffer.getvalue())

    monkeypatch.setattr(mdanalysis_trajectory.subprocess, 'run', run)


TYPES = np.array(MELT.TYPES)[MELT.typeid]


def write(
    path, positions=MELT.positions, box=MELT_BOX, steps=None, time_step=0.5, times=None, **given
):
    """Write positions as the suffix of the path says; MDAnalysis takes Angstrom and ps."""
    n = positions.shape[1]
    universe = MDAnalysis.Universe.empty(n, trajectory=True)
    universe.add_TopologyAttr('names', TYPES[:n])
    with MDAnalysis.Writer(str(path), n, multiframe=len(positions) > 1, **given) as file:
        for k, each in enumerate(positions):
            frame = universe.trajectory.ts
            frame.frame = k
            frame.data['step'] = k if steps is None else steps[k]
            frame.time = frame.data['step'] * time_step if times is None else times[k]
            frame.positions = each
            frame.dimensions = None if box is None else [*box, 90, 90, 90][:6]
            file.write(universe.atoms)
    return path


def write_psf(path, charge=MELT.charge, bonds=MELT.bonds):
    """Write types, charges, masses (2 for all) and bonds."""
    lines = ['PSF', '', '       1 !NTITLE', ' REMARKS made', '', f'{len(charge):8d} !NATOM']
    lines += [
        f'{k + 1:8d} SEG  1    MOL  X{k % 4}   {TYPES[k]:4} {q:10.6f} {2.0:13.4f} {0:11d}'
        for k, q in enumerate(charge)
    ]
    numbers = [f'{k + 1:8d}' for k in np.ravel(bonds)]
    rows = [''.join(numbers[k : k + 8]) for k in range(0, len(numbers), 8)]
    path.write_text('\n'.join([*lines, '', f'{len(bonds):8d} !NBOND: bonds', *rows, '']) + '\n')
    return path


def refuse(capsys, *arguments):
    assert main([str(a) for a in arguments]) == 2
    return capsys.readouterr().err


def test_every_observable_as_on_arrays(tmp_path, monkeypatch):
    monkeypatch.undo()
    data = write_data(tmp_path / 'a.data', next(MELT.frames()))
    ours = open_trajectory(write(tmp_path / 'a.dcd'), data, is_unwrapped=True)
    every = [each for each in OBSERVABLES if each.needs_trajectory and not each.needs_log]
    expected = analyse(run_of(MELT.trajectory()), every)
    found = analyse(run_of(ours, given_time_step=MELT.TIME_STEP), every)
    assert {name for name, outcome in expected.items() if outcome.result} >= {
        'clusters', 'msd', 'chains', 'relaxation', 'pair_correlation',
    }  # fmt: skip
    for name, outcome in expected.items():
        assert to_json(found[name].result) == to_json(outcome.result), name


def test_types_charges_masses_and_bonds_of_a_psf(tmp_path):
    topology = open_trajectory(write(tmp_path / 'a.dcd'), write_psf(tmp_path / 'a.psf')).topology
    assert np.array(topology.type_names)[topology.typeid].tolist() == TYPES.tolist()
    assert topology.charge.tolist() == MELT.charge.tolist()
    assert set(topology.mass) == {2.0}
    assert topology.bonds.tolist() == MELT.bonds.tolist()
    names = np.array(topology.bond_type_names)[topology.bond_typeid]
    assert names[:6].tolist() == ['B-Li', 'B-B', 'B-B', 'B-S', 'B-B', 'B-B']


@pytest.mark.parametrize('suffix', ['xtc', 'trr', 'nc', 'h5md'])
def test_lengths_steps_and_times_are_those_of_the_file(tmp_path, suffix):
    unit = 0.1 if suffix in ('xtc', 'trr') else 1
    steps = 10 * np.arange(24) if suffix == 'nc' else 2 ** np.arange(24) - 1
    given = {'convert_units': False} if suffix == 'h5md' else {}
    path = write(tmp_path / f'a.{suffix}', steps=steps, time_step=0.002, **given)
    with pytest.warns(UserWarning, match='lengths are in .* and times in (ps|the unit)'):
        trajectory = open_trajectory(path, write_psf(tmp_path / 'a.psf'), is_unwrapped=True)
    assert (trajectory.steps * trajectory.time_step).tolist() == pytest.approx(0.002 * steps)
    if suffix != 'nc':
        assert trajectory.steps.tolist() == steps.tolist()
    snapshot = trajectory.read(20)
    assert snapshot.unwrapped == pytest.approx(unit * MELT.positions[20], abs=0.002)
    assert snapshot.box.lengths == pytest.approx(unit * MELT_BOX)


@pytest.mark.parametrize('suffix', ['xtc', 'trr', 'nc'])
def test_times_tell_the_steps_where_numbers_of_frames_are_written_for_steps(tmp_path, suffix):
    steps = np.array([64 * block + k for block in range(4) for k in (0, 1, 2, 4, 8, 16)])
    path = write(tmp_path / f'a.{suffix}', times=100 + 0.25 * steps)
    trajectory = open_trajectory(path, write_psf(tmp_path / 'a.psf'))
    assert trajectory.steps.tolist() == steps.tolist()
    assert trajectory.time_step == pytest.approx(0.25)
    path = write(tmp_path / f'b.{suffix}', times=np.sqrt(np.arange(24)))
    with pytest.raises(UserError, match='no multiples of a time step'):
        open_trajectory(path, write_psf(tmp_path / 'a.psf'))


def test_one_frame_of_several_and_a_plane_are_refused(tmp_path, capsys):
    one = write(tmp_path / 'a.gro', MELT.positions[:1])
    assert len(open_trajectory(one)) == 1
    several = tmp_path / 'b.gro'
    several.write_text(2 * one.read_text())
    assert 'several frames' in refuse(capsys, 'pair_correlation', several)
    flat = write(tmp_path / 'a.xtc', MELT.positions * [1, 1, 0])
    assert 'two-dimensional' in refuse(capsys, 'pair_correlation', flat, '--data', one)


@pytest.mark.parametrize('suffix', ['dcd', 'trr'])
def test_a_tilted_box(tmp_path, suffix):
    lengths, angles = np.array([16.0, 17.0, 9.0]), (80, 70, 65)
    path = write(tmp_path / f'a.{suffix}', box=[*lengths, *angles])
    snapshot = open_trajectory(path, write_psf(tmp_path / 'a.psf'), is_unwrapped=True).read(3)
    unit = 0.1 if suffix == 'trr' else 1
    matrix = snapshot.box.matrix
    cosines = [matrix[k] @ matrix[m] for k, m in ((1, 2), (0, 2), (0, 1))]
    assert np.linalg.norm(matrix, axis=1) == pytest.approx(unit * lengths)
    products = lengths[[1, 0, 0]] * lengths[[2, 2, 1]] * np.cos(np.deg2rad(angles))
    assert cosines == pytest.approx(unit**2 * products, rel=1e-5)
    assert snapshot.unwrapped == pytest.approx(unit * MELT.positions[3], abs=1e-5)
    assert np.abs(snapshot.positions @ np.linalg.inv(matrix)).max() <= 0.5 + 1e-9


def test_names_are_types_where_there_are_none_and_masses_are_not_guessed(tmp_path):
    gro = write(tmp_path / 'a.gro', MELT.positions[:1])
    with pytest.warns(UserWarning, match='lengths are in nm.*all masses are 1'):
        trajectory = open_trajectory(gro)
    assert trajectory.topology.type_names == ('B', 'Li', 'S')
    assert set(trajectory.topology.mass) == {1.0}
    assert not trajectory.topology.charge.any()
    # As a topology of another trajectory too, and of one frame there are clusters.
    own = open_trajectory(write(tmp_path / 'a.xtc'), gro)
    assert own.topology.type_names == ('B', 'Li', 'S')
    assert main(['clusters', str(gro), '--contact-distance', '0.11', '--cations', 'Li',
                 '--anions', 'S']) == 0  # fmt: skip


def test_displacements_need_unwrapped_coordinates(tmp_path, capsys):
    psf = write_psf(tmp_path / 'a.psf')
    assert '--unwrapped' in refuse(capsys, 'msd', write(tmp_path / 'a.dcd'), '--topology', psf)
    assert main(['msd', str(tmp_path / 'a.dcd'), '--topology', str(psf), '--unwrapped']) == 0


def test_wrapped_coordinates_are_seen_wherever_the_box_begins(tmp_path, capsys):
    psf, corner = write_psf(tmp_path / 'a.psf'), np.array([-3.0, 2.0, 0.0])
    far = MELT.positions + 12 * np.linspace(0, 1, 24)[:, None, None]
    for begin in (corner, 0, -MELT_BOX / 2):
        path = write(tmp_path / 'a.dcd', (far - begin) % MELT_BOX + begin)
        assert 'wrapped into the box' in refuse(capsys, 'msd', path, '--data', psf, '--unwrapped')
    assert len(open_trajectory(write(tmp_path / 'b.dcd'), psf, is_unwrapped=True)) == 24


def test_what_cannot_be_used_is_refused(tmp_path, capsys, monkeypatch):
    psf, dcd = write_psf(tmp_path / 'a.psf'), write(tmp_path / 'a.dcd')
    assert 'without types' in refuse(capsys, 'chains', dcd)
    few = write_psf(tmp_path / 'few.psf', MELT.charge[:8], MELT.bonds[:6])
    assert 'few.psf' in refuse(capsys, 'chains', dcd, '--data', few)
    no_box = write(tmp_path / 'b.dcd', box=None)
    assert 'no periodic box' in refuse(capsys, 'clusters', no_box, '--data', psf)
    (tmp_path / 'text').write_text('hello')
    assert 'not a LAMMPS data' in refuse(capsys, 'chains', dcd, '--data', tmp_path / 'text')
    xtc = write(tmp_path / 'a.xtc')
    monkeypatch.undo()
    for path, damaged in ((dcd, psf), (dcd, dcd), (xtc, xtc)):
        whole = damaged.read_bytes()
        damaged.write_bytes(whole[: len(whole) // 3] + b'\xff' * 999 + whole[len(whole) // 3 :])
        assert damaged.name in refuse(capsys, 'clusters', path, '--data', psf)
        damaged.write_bytes(whole)
    monkeypatch.setitem(sys.modules, 'MDAnalysis.coordinates.core', None)
    with pytest.raises(UserError, match=r'pip install .*\[formats\]'):
        open_trajectory(dcd, psf)
