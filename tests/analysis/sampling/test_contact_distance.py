"""g(r) between two groups, and its first minimum."""

import numpy as np
import pytest

from analysis.geometry.ions import find_ions
from analysis.io.array_trajectory import ArrayTrajectory
from analysis.io.open_trajectory import open_trajectory
from analysis.sampling.contact_distance import (
    contact_distances,
    count_pairs,
    find_first_minimum,
    pair_correlation_of,
    pool,
)
from tests.analysis.builders import MELT_BOX, Melt, frame, write_gsd
from user_input import UserError


def counts_of(source):
    ions = find_ions(source.topology, source.read(0))
    (counts,) = count_pairs(source, ions, np.arange(len(source))).values()
    return counts


def test_ideal_gas_has_no_structure(tmp_path):
    generator = np.random.default_rng(7)
    charge = np.repeat([2.0, -1.0], [1000, 2000])
    frames = [frame(k, generator.uniform(-5, 5, (3000, 3)), 10, charge=charge) for k in range(10)]
    trajectory = open_trajectory(write_gsd(tmp_path / 'a.gsd', frames))
    found = pair_correlation_of(counts_of(trajectory))
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


@pytest.mark.parametrize('unit', [0.01, 0.1, 10.0])
def test_the_first_minimum_is_there_in_any_unit_of_length(unit):
    melt = Melt(n_frames=40)
    in_sigma = melt.trajectory()
    in_unit = ArrayTrajectory(
        unit * melt.positions, unit * MELT_BOX, typeid=melt.typeid, type_names=melt.TYPES,
        charge=melt.charge,
    )  # fmt: skip
    assert distance_of(in_unit) == pytest.approx(unit * distance_of(in_sigma))


def test_every_frame_counts():
    positions = np.zeros((2, 2, 3))
    positions[:, 1, 0] = 0.5, 1.5
    found = pair_correlation_of(counts_of(ArrayTrajectory(positions, 10.0, charge=[1, -1])))
    assert found.n_frames == 2
    r, g = found.curve.x, found.curve.value
    pairs = g * 4 * np.pi * r**2 * (r[1] - r[0]) / 10.0**3
    seen = np.flatnonzero(pairs)
    assert r[seen] == pytest.approx([0.5, 1.5], abs=r[1] - r[0])
    assert pairs[seen] == pytest.approx([0.5, 0.5], rel=0.01)  # one in two frames


def dilute(box, n_pairs, n_frames, shares, distances=(0.75, 1.5), seed=11):
    """Pairs on a lattice of `box`, at one of the distances, by their shares; the rest is apart."""
    generator = np.random.default_rng(seed)
    side = int(np.ceil(n_pairs ** (1 / 3)))
    sites = np.stack(np.unravel_index(np.arange(n_pairs), (side,) * 3), axis=1)
    centre = (sites + 0.5) * box / side - box / 2
    centre = centre + generator.normal(0, 0.02 * box / side, (n_frames, n_pairs, 3))
    which = generator.choice(3, p=[*shares, 1 - sum(shares)], size=(n_frames, n_pairs))
    length = np.array([*distances, 0.45 * box / side])[which]
    length = length + generator.normal(0, 0.03, length.shape)
    direction = generator.normal(size=centre.shape)
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    points = np.stack([centre, centre + direction * length[..., None]], axis=2)
    charge = np.tile([1.0, -1.0], n_pairs)
    return ArrayTrajectory(points.reshape(n_frames, -1, 3), box, charge=charge)


def distance_of(source):
    (distance,) = distances_of(source, {}).values()
    return distance


def distances_of(source, given):
    ions = find_ions(source.topology, source.read(0))
    return contact_distances(source, ions, np.arange(len(source)), given)[0]


@pytest.mark.parametrize(
    ('box', 'n_pairs', 'n_frames', 'shares'),
    [
        (20.0, 26, 40, (0.5, 0.5)),
        (60.0, 26, 40, (0.5, 0.5)),
        (180.0, 26, 40, (0.5, 0.5)),
        (2000.0, 26, 40, (0.5, 0.5)),
        (180.0, 26, 40, (0.3, 0.2)),
        (180.0, 100, 100, (0.05, 0.05)),
        (500.0, 1, 400, (0.5, 0.5)),
        (500.0, 1, 400, (1.0, 0.0)),
        (12.0, 1, 12, (1.0, 0.0)),
        (180.0, 26, 40, (1.0, 0.0)),
        (180.0, 26, 40, (0.5, 0.0)),
    ],
)
def test_contacts_of_dilute_pairs(box, n_pairs, n_frames, shares):
    assert 0.85 < distance_of(dilute(box, n_pairs, n_frames, shares)) < 1.4


@pytest.mark.parametrize(
    ('box', 'n_pairs', 'n_frames', 'shares'),
    [(180.0, 100, 100, (0.002, 0.002)), (180.0, 26, 10, (0.02, 0.02)), (500.0, 1, 9, (0.5, 0.5))],
)
def test_contacts_too_rare_are_refused(box, n_pairs, n_frames, shares):
    with pytest.raises(UserError, match='no contact distance'):
        distance_of(dilute(box, n_pairs, n_frames, shares))


def test_distances_that_are_given_are_taken_and_only_the_others_are_found():
    source = dilute(60.0, 26, 9, (0.02, 0.02))
    assert distances_of(source, {'A-A': 0.9}) == {'A-A': 0.9}


@pytest.mark.parametrize('box', [10.0, 100.0])
def test_a_gas_of_ions_has_no_contacts(box):
    generator = np.random.default_rng(12)
    for n in (8, 200):
        points = generator.uniform(-box / 2, box / 2, (60, n, 3))
        source = ArrayTrajectory(points, box, charge=np.tile([1.0, -1.0], n // 2))
        with pytest.raises(UserError, match='no contact distance'):
            distance_of(source)


def test_runs_that_were_counted_to_different_distances_are_pooled():
    runs = [
        counts_of(dilute(box, 26, 40, (0.4, 0.4), seed=seed))
        for seed, box in enumerate((12.0, 60.0, 400.0))
    ]
    assert len({run.edges[-1] for run in runs}) == 3
    assert 0.85 < pair_correlation_of(pool(runs)).first_minimum < 1.4


def test_pairs_that_are_bonded_do_not_count():
    positions = np.random.default_rng(13).uniform(-4, 4, (5, 60, 3))
    one, other = np.arange(30), np.arange(30, 60)
    system = {'positions': positions, 'box': 8.0, 'charge': np.repeat([1.0, -1.0], 30)}
    source = ArrayTrajectory(**system, bonds=np.stack([other, one], axis=1))
    every, some = counts_of(ArrayTrajectory(**system)), counts_of(source)
    apart = [read.box.nearest_image(read.positions[one] - read.positions[other])
             for read in map(source.read, range(5))]  # fmt: skip
    lengths = np.linalg.norm(np.concatenate(apart), axis=1)
    assert every.edges[-1] == some.edges[-1]
    n_within = np.count_nonzero(lengths < some.edges[-1])
    assert every.counts.sum() - some.counts.sum() == pytest.approx(n_within, abs=1)
    assert some.ideal == pytest.approx(every.ideal * 29 / 30)
