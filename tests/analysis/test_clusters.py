"""Cluster statistics of constructed trajectories, and g(r)."""

import json

import numpy as np
import pytest
from builders import frame, ion_frames, log_spaced_steps, write_data, write_dump, write_gsd
from scipy.signal import lfilter

from analysis.array_trajectory import ArrayTrajectory
from analysis.clusters import Pairs, _distribution, find_ions, has_ions, ion_clusters
from analysis.frame_selection import evenly_spaced
from analysis.pair_correlation import find_first_minimum, pair_correlation
from analysis.plots import (
    plot_charge_distribution,
    plot_cluster_distribution,
    plot_cluster_shapes,
)
from analysis.statistics import merge_blocks, shared_by_neighbours, statistical_inefficiency
from analysis.trajectory import open_trajectory
from user_input import UserError


def constructed(step, with_wire):
    """A free cation, two pairs, a triple, and in some frames a wire through the box."""
    points = [[0, 0, 0], [3, 0, 0], [3.5, 0, 0], [-3, 0, 0], [-3, 0.5, 0], [0, 3, 0],
              [0.5, 3, 0], [1, 3, 0]]  # fmt: skip
    charge = [1, 1, -1, 1, -1, 1, -1, 1]
    gap = 0.5 if with_wire else 0.45
    points += [[-5 + gap * k, -3, 3] for k in range(20)]
    charge += [(-1) ** k for k in range(20)]
    typeid = (np.array(charge) < 0).astype(int)
    return frame(step, points, 10, types=('Li', 'S'), typeid=typeid,
                 charge=np.array(charge) * 7.5)  # fmt: skip


def test_known_clusters(tmp_path):
    frames = [constructed(k, k % 2 == 0) for k in range(40)]
    trajectory = open_trajectory(write_gsd(tmp_path / 'a.gsd', frames))
    result = ion_clusters(trajectory, contact_distance=0.6)
    assert result.number_distribution.values.tolist() == [1, 2, 3, 20]
    assert result.number_distribution.probability == pytest.approx([0.2, 0.4, 0.2, 0.2])
    assert result.weight_distribution.probability == pytest.approx(np.array([1, 4, 3, 20]) / 28)
    assert result.estimates['number_average_size'].mean == pytest.approx(28 / 5)
    assert result.estimates['weight_average_size'].mean == pytest.approx((1 + 8 + 9 + 400) / 28)
    assert result.estimates['free_ion_fraction'].mean == pytest.approx(1 / 28)
    assert result.charge_distribution.values.tolist() == [0, 1]
    assert result.charge_distribution.probability == pytest.approx([0.6, 0.4])
    assert result.percolation['x'].mean == 0.5
    assert result.percolation['y'].mean == 0
    assert 0 < result.percolation['y'].high < 0.5
    shapes = dict(zip(result.shapes.size, result.shapes.radius_of_gyration, strict=True))
    assert shapes[2] == pytest.approx(0.25, abs=1e-6)
    assert shapes[3] == pytest.approx(np.sqrt(1 / 6), abs=1e-6)
    json.dumps(result.as_dict(), allow_nan=False)
    for plot in (plot_cluster_distribution, plot_charge_distribution, plot_cluster_shapes):
        ax = plot(result)
        assert ax.get_xlabel()
        assert ax.has_data()


@pytest.mark.parametrize(('pairs', 'percolates'), [({}, 0.0), ({'pairs': Pairs.ANY}, 1.0)])
def test_a_wire_whose_like_ends_meet_its_image(pairs, percolates):
    """+-+-+ along x: its ends are in touch through the boundary, and are both cations."""
    wire = np.arange(5)[:, None] * np.array([0.5, 0, 0])
    frames = np.repeat(wire[None], 30, axis=0) + np.linspace(0, 4, 30)[:, None, None]
    source = ArrayTrajectory(frames, [2.5, 6.0, 6.0], charge=np.array([1.0, -1, 1, -1, 1]))
    found = ion_clusters(source, contact_distance=0.6, **pairs)
    assert found.percolation['x'].mean == percolates
    assert found.percolation['y'].mean == 0
    assert found.series['percolation_dimension'].tolist() == [percolates] * 30
    # One cluster of five either way.
    assert found.number_distribution.values.tolist() == [5]
    assert found.number_distribution.probability.tolist() == [1.0]
    assert found.weight_distribution.values.tolist() == [5]
    assert found.charge_distribution.values.tolist() == [1]
    # Its size is known only where it has ends.
    radius = found.shapes.radius_of_gyration.tolist()
    assert radius == ([] if percolates else [pytest.approx(0.5 * np.sqrt(2))])


def test_frames_out_of_order_and_contacts_out_of_reach_are_told(tmp_path):
    frames = [constructed(step, False) for step in (0, 10, 20, 10, 20, 30)]
    trajectory = open_trajectory(write_gsd(tmp_path / 'a.gsd', frames))
    assert 'do not rise' in ion_clusters(trajectory, contact_distance=0.6).verdict
    frames = [constructed(step, False) for step in range(6)]
    trajectory = open_trajectory(write_gsd(tmp_path / 'b.gsd', frames))
    assert (
        'within the contact distance of 0.3'
        in ion_clusters(trajectory, contact_distance=0.3).verdict
    )


def test_ions_by_name_and_by_charge(tmp_path):
    frames = [constructed(0, True)]
    topology = open_trajectory(write_gsd(tmp_path / 'a.gsd', frames)).topology
    assert has_ions(topology)
    assert set(find_ions(topology).charge) == {-1.0, 1.0}
    assert np.array_equal(find_ions(topology, ('Li',), ('S',)).is_cation, topology.charge > 0)
    with pytest.raises(UserError, match="Did you mean 'Li'"):
        find_ions(topology, ('Lii',), ('S',))


def test_frames_are_evenly_spaced():
    steps = log_spaced_steps(10, 5, 64)
    assert set(np.diff(steps[evenly_spaced(steps)])) == {160}
    lost = np.delete(np.arange(0, 1000, 10), [40, 41])
    assert len(evenly_spaced(lost)) == len(lost)
    assert evenly_spaced(np.zeros(5, dtype=int)).tolist() == [0, 1, 2, 3, 4]


def test_lammps_gives_the_same(tmp_path):
    frames = list(ion_frames(24))
    data = write_data(tmp_path / 'a.data', frames[0])
    reference = ion_clusters(open_trajectory(write_gsd(tmp_path / 'a.gsd', frames)),
                             contact_distance=1.2, pairs=Pairs.ANY)  # fmt: skip
    columns = ('id type x y z ix iy iz', 'zu type yu xu id', 'xs ys ys zs id type ix iy iz'
               .replace('ys ys', 'ys'))  # fmt: skip
    for k, names in enumerate(columns):
        dump = write_dump(tmp_path / f'{k}.dump', frames, columns=names)
        trajectory = open_trajectory(dump, data)
        result = ion_clusters(trajectory, contact_distance=1.2, pairs=Pairs.ANY)
        assert trajectory.topology.type_names == ('S', 'Li')
        assert trajectory.topology.bond_type_names == ('backbone',)
        assert trajectory.topology.bonds.tolist() == frames[0].bonds.group.tolist()
        for name, series in reference.series.items():
            assert result.series[name] == pytest.approx(series)
        own, other = open_trajectory(tmp_path / 'a.gsd').read(5), trajectory.read(5)
        assert own.unwrapped == pytest.approx(other.unwrapped, abs=1e-5)


def test_ideal_gas_has_no_structure(tmp_path):
    generator = np.random.default_rng(7)
    frames = [frame(k, generator.uniform(-5, 5, (3000, 3)), 10) for k in range(10)]
    trajectory = open_trajectory(write_gsd(tmp_path / 'a.gsd', frames))
    found = pair_correlation(trajectory, np.arange(1000), np.arange(1000, 3000), np.arange(10))
    assert found.g[100:] == pytest.approx(1, abs=0.1)
    assert found.g[100:].mean() == pytest.approx(1, abs=0.005)
    assert found.first_minimum is None
    assert found.verdict


def test_first_minimum_of_a_noisy_liquid():
    generator = np.random.default_rng(8)
    r = (np.arange(400) + 0.5) * 0.01
    g = (1 + 20 * np.exp(-(((r - 0.8) / 0.1) ** 2)) - 0.9 * np.exp(-(((r - 1.3) / 0.2) ** 2))
         + 0.5 * np.exp(-(((r - 1.9) / 0.2) ** 2))) * (r > 0.5)  # fmt: skip
    expected = 4000 * r**2
    noisy = generator.poisson(g * expected) / expected
    minimum, verdict = find_first_minimum(r, noisy, expected)
    assert minimum == pytest.approx(1.28, abs=0.08)
    assert not verdict


def test_estimates_begin_where_equilibrium_does(tmp_path):
    """Ions pair up in the first third of the run: the estimates must not count it."""
    generator = np.random.default_rng(9)
    charge = np.tile([1.0, -1.0], 20)
    frames = []
    for k in range(160):
        cations = generator.permutation(125)[:20]
        points = np.stack(np.unravel_index(cations, (5, 5, 5)), axis=1) * 2.0 - 4
        n_apart = int(20 * np.exp(-k / 8)) + generator.integers(0, 5)
        apart = np.arange(20) < n_apart
        anions = points + np.where(apart, 0.9, 0.3)[:, None] * [1, 0, 0]
        both = np.stack([points, anions], axis=1).reshape(-1, 3)
        frames.append(frame(k, both, 10, types=('A',), charge=charge))
    found = ion_clusters(open_trajectory(write_gsd(tmp_path / 'a.gsd', frames)),
                         contact_distance=0.5)  # fmt: skip
    assert found.equilibration.is_equilibrated
    assert found.n_frames < 150
    # Two of twenty pairs are apart at any time in equilibrium.
    expected = found.series['free_ion_fraction'][-found.n_frames :].mean()
    assert found.estimates['free_ion_fraction'].mean == pytest.approx(expected)
    assert found.estimates['free_ion_fraction'].mean == pytest.approx(0.1, abs=0.03)


def test_distributions_are_covered():
    """Counts whose rates follow a slow variable, common sizes and rare ones."""
    generator = np.random.default_rng(10)
    rates, slopes = np.array([20.0, 4.0, 1.0, 0.1]), np.array([-0.5, 0, 0.5, 1])
    truth = rates * np.exp(slopes**2 / 2)
    truth /= truth.sum()
    inside, offered = np.zeros(4), np.zeros(4)
    for _ in range(400):
        noise = generator.normal(size=300) * np.sqrt(1 - 0.5**2)
        noise[0] = generator.normal()
        slow = lfilter([1], [1, -0.5], noise)
        counts = generator.poisson(rates * np.exp(slopes * slow[:, None]))
        blocks = counts.reshape(20, 15, 4).sum(axis=1).astype(float)
        inefficiency = statistical_inefficiency(slow)
        merged = merge_blocks(blocks, inefficiency, 300)
        shared = shared_by_neighbours(inefficiency, 300 / len(merged))
        found = _distribution(np.arange(4), merged, shared)
        inside[found.values] += (found.low <= truth[found.values]) & (
            truth[found.values] <= found.high
        )
        offered[found.values] += 1
    assert np.all(inside / offered >= 0.92)
    assert np.all(inside / offered <= 0.98)


@pytest.mark.parametrize(('period', 'is_offered'), [(8, True), (160, False)])
def test_distributions_of_a_short_run_have_no_interval(period, is_offered):
    """Pairs that part and meet again so slowly that few independent values are left."""
    generator = np.random.default_rng(12)
    charge, frames = np.tile([1.0, -1.0], 20), []
    points = np.stack(np.unravel_index(np.arange(0, 120, 6), (5, 5, 5)), axis=1) * 2.0 - 4
    for k in range(240):
        share = 0.5 + 0.4 * np.cos(2 * np.pi * k / period)
        apart = generator.uniform(size=20) < share
        anions = points + np.where(apart, 0.9, 0.3)[:, None] * [1, 0, 0]
        frames.append(np.stack([points, anions], axis=1).reshape(-1, 3))
    found = ion_clusters(
        ArrayTrajectory(np.array(frames), 10.0, charge=charge), contact_distance=0.5
    )
    assert found.number_distribution.values.tolist() == [1, 2]
    for each in (
        found.number_distribution.low,
        found.weight_distribution.high,
        found.charge_distribution.low,
        found.shapes.radius_low,
        found.shapes.anisotropy_high,
    ):
        assert (each is not None) is is_offered
    json.dumps(found.as_dict(), allow_nan=False)
    for plot in (plot_cluster_distribution, plot_charge_distribution, plot_cluster_shapes):
        assert plot(found).has_data()


def test_error_of_the_g_of_an_ideal_gas():
    """Bins scatter about 1 as the number of pairs in them says."""
    generator = np.random.default_rng(11)
    positions = generator.uniform(-5, 5, (10, 1500, 3))
    found = pair_correlation(
        ArrayTrajectory(positions, 10.0), np.arange(500), np.arange(500, 1500), np.arange(10)
    )
    shells = 4 * np.pi * found.distance**2 * (found.distance[1] - found.distance[0])
    expected = shells * 500 * 1000 / 1000 * 10
    deviation = (found.g - 1) * np.sqrt(expected)
    assert found.n_frames == 10
    assert np.sqrt(np.mean(deviation[100:] ** 2)) == pytest.approx(1, abs=0.15)
