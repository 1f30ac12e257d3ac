"""LAMMPS dumps and data files hold what GSD files do."""

import pytest

from analysis.io.open_trajectory import open_trajectory
from analysis.observables.ion_clusters import IonClusters, Pairs
from tests.analysis.builders import ion_frames, run_of, write_data, write_dump, write_gsd


def test_lammps_gives_the_same(tmp_path):
    frames = list(ion_frames(24))
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
