"""Cluster statistics of constructed trajectories, and g(r)."""

import json
from dataclasses import replace

import numpy as np
import pytest

from analysis.geometry import contact_graph
from analysis.geometry.box import Box
from analysis.geometry.ions import BondedIons
from analysis.io.array_trajectory import ArrayTrajectory
from analysis.io.open_trajectory import open_trajectory
from analysis.observables.cluster_statistics import Pairs
from analysis.observables.ion_clusters import IonClusters
from analysis.serialise import to_json
from tests.analysis.builders import Melt, frame, run_of, write_gsd


def measure(trajectory, distance, **options):
    return IonClusters(contact_distance=distance, **options).compute(run_of(trajectory))


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
    result = measure(trajectory, 0.6)
    assert result.number_distribution.values.tolist() == [1, 2, 3, 20]
    assert result.number_distribution.probability == pytest.approx([0.2, 0.4, 0.2, 0.2])
    assert result.weight_distribution.probability == pytest.approx(np.array([1, 4, 3, 20]) / 28)
    assert result.estimates['number_average_size'].value == pytest.approx(28 / 5)
    assert result.estimates['weight_average_size'].value == pytest.approx((1 + 8 + 9 + 400) / 28)
    assert result.estimates['free_ion_fraction'].value == pytest.approx(1 / 28)
    assert result.charge_distribution.values.tolist() == [0, 7.5]
    assert result.charge_distribution.probability == pytest.approx([0.6, 0.4])
    assert result.percolation['x'].value == 0.5
    assert result.percolation['y'].value == 0
    assert 0 < result.percolation['y'].high < 0.5
    radius = result.shapes.radius_of_gyration
    shapes = dict(zip(radius.x, radius.value, strict=True))
    assert shapes[2] == pytest.approx(0.25, abs=1e-6)
    assert shapes[3] == pytest.approx(np.sqrt(1 / 6), abs=1e-6)
    json.loads(to_json(result), parse_constant=pytest.fail)
    curves = IonClusters().curves(result)
    assert curves['net charge'].x.tolist() == [0, 7.5]
    assert curves['net charge'].value == pytest.approx([0.6, 0.4])
    assert curves['radius of gyration'].x.tolist() == [2, 3, 20]


@pytest.mark.parametrize(('pairs', 'percolates'), [({}, 0.0), ({'pairs': Pairs.ANY}, 1.0)])
def test_a_wire_whose_like_ends_meet_its_image(pairs, percolates):
    """+-+-+ along x: its ends are in touch through the boundary, and are both cations."""
    wire = np.arange(5)[:, None] * np.array([0.5, 0, 0])
    frames = np.repeat(wire[None], 30, axis=0) + np.linspace(0, 4, 30)[:, None, None]
    source = ArrayTrajectory(frames, [2.5, 6.0, 6.0], charge=np.array([1.0, -1, 1, -1, 1]))
    found = measure(source, 0.6, **pairs)
    assert found.percolation['x'].value == percolates
    assert found.percolation['y'].value == 0
    assert found.series['percolation_dimension'].tolist() == [percolates] * 30
    # One cluster of five either way.
    assert found.number_distribution.values.tolist() == [5]
    assert found.number_distribution.probability.tolist() == [1.0]
    assert found.weight_distribution.values.tolist() == [5]
    assert found.charge_distribution.values.tolist() == [1]
    # Its size is known only where it has ends.
    radius = found.shapes.radius_of_gyration.value.tolist()
    assert radius == ([] if percolates else [pytest.approx(0.5 * np.sqrt(2))])


def test_frames_out_of_order_and_contacts_out_of_reach_are_told(tmp_path):
    frames = [constructed(step, False) for step in 6 * [0]]
    trajectory = open_trajectory(write_gsd(tmp_path / 'a.gsd', frames))
    assert 'do not rise' in measure(trajectory, 0.6).verdict
    frames = [constructed(step, False) for step in range(6)]
    trajectory = open_trajectory(write_gsd(tmp_path / 'b.gsd', frames))
    assert 'within the contact distance of 0.3' in measure(trajectory, 0.3).verdict


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
    found = measure(open_trajectory(write_gsd(tmp_path / 'a.gsd', frames)), 0.5)
    assert found.equilibration.is_equilibrated
    assert found.n_frames < 150
    # Two of twenty pairs are apart at any time in equilibrium.
    expected = found.series['free_ion_fraction'][-found.n_frames :].mean()
    assert found.estimates['free_ion_fraction'].value == pytest.approx(expected)
    assert found.estimates['free_ion_fraction'].value == pytest.approx(0.1, abs=0.03)


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
    found = measure(ArrayTrajectory(np.array(frames), 10.0, charge=charge), 0.5)
    assert found.number_distribution.values.tolist() == [1, 2]
    for each in (
        found.number_distribution.low,
        found.weight_distribution.high,
        found.charge_distribution.low,
        found.shapes.radius_of_gyration.low,
        found.shapes.anisotropy.high,
    ):
        assert (each is not None) is is_offered
    json.loads(to_json(found), parse_constant=pytest.fail)
    for name, curve in IonClusters().curves(found).items():
        assert curve.x_label
        if name in ('share of clusters', 'net charge', 'radius of gyration'):
            assert (curve.low is not None) is is_offered


@pytest.mark.parametrize(
    ('cation', 'anion', 'net'),
    [(3.0, -2.0, 1.0), (0.8, -0.8, 0.0), (0.7, -0.8, -0.1), (1.6e-19, -3.2e-19, -1.6e-19)],
)
def test_net_charges_are_as_in_the_file(cation, anion, net):
    points = np.zeros((10, 6, 3))
    points[:, :, 0] = [0, 0.5, 3, 3.5, -4, -2]
    source = ArrayTrajectory(points, 12.0, charge=np.float32([cation, anion] * 3))
    found = measure(source, 1.0).charge_distribution
    assert found.values == pytest.approx(sorted([net, cation, anion]), rel=1e-5, abs=1e-24)
    assert found.probability[found.values == net] == pytest.approx(0.5)


@pytest.mark.parametrize(
    'charge', [np.float32([2, -1, -1]) * np.float32(2**0.5), [1, -1 / 3, -0.6667]]
)
def test_charges_that_are_rounded_add_up_to_nothing(charge):
    """2 sqrt(l_B) and sqrt(l_B) of HOOMD, or thirds, in clusters of three and of six."""
    points = np.array([0, 0.5, 1, 6, 6.5, 7, 7.5, 8, 8.5])[:, None] * [1, 0, 0]
    source = ArrayTrajectory(np.repeat(points[None], 10, axis=0), 20.0, charge=np.tile(charge, 3))
    found = measure(source, 0.6, pairs=Pairs.ANY)
    assert found.number_distribution.values.tolist() == [3, 6]
    assert found.charge_distribution.values.tolist() == [0]


def test_a_contact_distance_in_doubt_is_a_verdict_on_all():
    melt = Melt(n_frames=160)
    for n_frames, is_in_doubt in ((5, True), (40, False)):
        found = IonClusters().compute(run_of(melt.trajectory(melt.positions[:n_frames])))
        assert ('contact distance of Li-S is in doubt' in found.verdict) == is_in_doubt
        verdicts = {each.name: each.estimate.verdict for each in IonClusters().quantities(found)}
        assert bool(verdicts['contact_distance']) == is_in_doubt
        assert (
            '--contact-distance Li-S=' in verdicts['percolation_probability_any']
        ) == is_in_doubt


def zwitterions(n_frames=40, seed=3):
    """Twelve zwitterions of bonds of 0.95, two by two beside each other, the other way round."""
    generator = np.random.default_rng(seed)
    centre = np.stack(np.unravel_index(np.arange(0, 24, 4), (3, 3, 3)), axis=1) * 4.0 - 4
    square = np.array([[0, 0, 0], [0.95, 0, 0], [0.95, 1.25, 0], [0, 1.25, 0]])
    sites = (centre[:, None] + square).reshape(-1, 3)
    moved = generator.normal(0, 1, (n_frames, len(centre), 1, 3)).cumsum(axis=0) * 0.1
    points = sites.reshape(1, -1, 4, 3) + moved + generator.normal(0, 0.03, (n_frames, 6, 4, 3))
    bonds = np.arange(24).reshape(-1, 2)
    charge = np.tile([1.0, -1.0], 12)
    return ArrayTrajectory(points.reshape(n_frames, -1, 3), 12.0, charge=charge, bonds=bonds)


def test_bonded_ions_are_in_one_cluster_but_no_contacts():
    found = IonClusters().compute(run_of(zwitterions()))
    (distance,) = found.contact_distances.values()
    assert 1.35 < distance < 2.0
    assert found.number_distribution.values.tolist() == [4]
    assert found.estimates['coordination_number'].value == 1
    kept = IonClusters(bonded_ions=BondedIons.KEEP).compute(run_of(zwitterions()))
    assert max(kept.contact_distances.values()) < 1.2
    apart = measure(zwitterions(), 1.1)
    assert apart.number_distribution.values.tolist() == [2]
    assert apart.estimates['coordination_number'].value == 0
    assert apart.estimates['free_ion_fraction'].value == 1
    assert apart.verdict


@pytest.mark.parametrize('pairs', list(Pairs))
def test_frames_together_are_as_frames_alone(monkeypatch, pairs):
    """With bonds, boxes that change, and windings; by all pairs, and by a tree."""
    generator = np.random.default_rng(5)
    charge, bonds = np.tile([1.0, -1.0], 30), np.arange(20).reshape(-1, 2)
    typeid = np.arange(60) % 3
    path = ArrayTrajectory(
        generator.uniform(-3, 3, (30, 60, 3)), [6.0, 7.0, 8.0], charge=charge, bonds=bonds,
        typeid=typeid, type_names='ABC',
    )  # fmt: skip
    boxes = [Box.of([6 + 0.01 * k, 7, 8, 0.1, 0, 0.3]) for k in range(30)]
    read = path.read

    def tilted(index):
        return replace(read(index), box=boxes[index])

    monkeypatch.setattr(path, 'read', tilted)
    together = measure(path, 1.1, pairs=pairs)
    monkeypatch.setattr(contact_graph, 'FEW_PAIRS', 0)
    monkeypatch.setattr(contact_graph, 'PARTICLES_AT_ONCE', 1)
    alone = measure(path, 1.1, pairs=pairs)
    for name, series in alone.series.items():
        assert np.array_equal(series, together.series[name]), name
    for one, other in (
        (alone.number_distribution, together.number_distribution),
        (alone.charge_distribution, together.charge_distribution),
    ):
        assert np.array_equal(one.values, other.values)
        assert np.array_equal(one.probability, other.probability)
    assert together.shapes.radius_of_gyration.value == pytest.approx(
        alone.shapes.radius_of_gyration.value, rel=1e-9
    )
    for name, curve in alone.against_contact_distance.items():
        assert np.array_equal(curve.value, together.against_contact_distance[name].value)
    assert alone.percolation == together.percolation
