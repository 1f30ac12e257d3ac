"""LAMMPS dumps and data files hold what GSD files do."""

import numpy as np
import pytest

from analysis.io.open_trajectory import open_trajectory
from analysis.observables.cluster_statistics import Pairs
from analysis.observables.ion_clusters import IonClusters
from tests.analysis.builders import ion_frames, run_of, write_data, write_dump, write_gsd
from user_input import UserError

TURN = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]


@pytest.mark.parametrize('box', [12.0, [12, 13, 14, 0.3, -0.4, 0.2], [12, 12, 12, 1.2, 0.7, -2.1]])
def test_lammps_gives_the_same(tmp_path, box):
    frames = list(ion_frames(24, box=box))
    data = write_data(tmp_path / 'a.data', frames[0])
    clusters = IonClusters(contact_distance=1.2, pairs=Pairs.ANY)
    reference = clusters.compute(run_of(open_trajectory(write_gsd(tmp_path / 'a.gsd', frames))))
    columns = ('id type x y z ix iy iz', 'zu type yu xu id', 'xs ys ys zs id type ix iy iz'
               .replace('ys ys', 'ys'))  # fmt: skip
    for k, names in enumerate(columns):
        dump = write_dump(tmp_path / f'{k}.dump', frames, columns=names)
        trajectory = open_trajectory(dump, data)
        result = clusters.compute(run_of(trajectory))
        assert trajectory.topology.type_names == ('S', 'Li')
        assert trajectory.topology.bond_type_names == ('backbone',)
        assert trajectory.topology.bonds.tolist() == frames[0].bonds.group.tolist()
        for name, series in reference.series.items():
            assert result.series[name] == pytest.approx(series)
        own, other = open_trajectory(tmp_path / 'a.gsd').read(5), trajectory.read(5)
        assert own.unwrapped == pytest.approx(other.unwrapped, abs=1e-5)
    turned = write_dump(tmp_path / 'turned.dump', frames, axes=TURN * np.linalg.det(TURN))
    other = open_trajectory(turned, data).read(5)
    assert own.box.matrix == pytest.approx(other.box.matrix, abs=1e-5)
    assert own.unwrapped == pytest.approx(other.unwrapped, abs=1e-5)


def test_a_plane_is_refused(tmp_path):
    frames = list(ion_frames(9))
    for each in frames:
        each.particles.position[:, 2] = 0
    path = write_dump(tmp_path / 'a.dump', frames)
    with pytest.raises(UserError, match='two-dimensional'):
        open_trajectory(path)
    frames[0].configuration.box = [12, 12, 0, 0, 0, 0]
    with pytest.raises(UserError, match='two-dimensional'):
        open_trajectory(write_gsd(tmp_path / 'a.gsd', frames)).read(0)
