"""g(r) between two groups, and its first minimum."""

import numpy as np
import pytest

from analysis.geometry.ions import find_ions
from analysis.io.array_trajectory import ArrayTrajectory
from analysis.io.open_trajectory import open_trajectory
from analysis.sampling.contact_distance import (
    PairCounts,
    contact_distances,
    count_pairs,
    doubt,
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
    seen = generator.poisson(g * expected).astype(float)
    found = pair_correlation_of(PairCounts(np.linspace(0, 4, 401), seen, expected, 1))
    assert found.first_minimum == pytest.approx(1.28, abs=0.08)
    assert not found.verdict


@pytest.mark.parametrize('n_frames', [140, 144, 147, 151, 155, 160])
def test_the_minimum_is_before_the_second_peak(n_frames):
    """Pairs are 0.7 apart, or 1.6 and some with a spread of 0.1: g(r) is low and flat between."""
    melt = Melt(n_frames=160)
    assert 0.85 < distance_of(melt.trajectory(melt.positions[:n_frames])) < 1.5


def counts_by_block(generator, n_ions, n_blocks=10):
    """Counts to the end of each block, of a g(r) with minima at 1.2 and 2.4; peaks to 1.7, 3.1."""
    edges = np.linspace(0, 4, 401)
    r, shells = (edges[1:] + edges[:-1]) / 2, 4 / 3 * np.pi * np.diff(edges**3)
    g = 1 + sum(
        height * np.exp(-(((r - centre) / width) ** 2))
        for height, centre, width in (
            (6, 0.75, 0.12), (-0.5, 1.2, 0.2), (0.35, 1.7, 0.2), (-0.35, 2.4, 0.3), (0.15, 3.1, 0.3)
        )
    )  # fmt: skip
    ideal = np.tile(n_ions * shells, (n_blocks, 1))
    seen = generator.poisson(ideal * g * (r > 0.5)).astype(float)
    sums = zip(seen.cumsum(axis=0), ideal.cumsum(axis=0), strict=True)
    return [PairCounts(edges, *each, k + 1) for k, each in enumerate(sums)]


def answers_of(n_ions, n_draws=60):
    """Whether the first minimum is found, and whether there is a doubt, of each draw with one."""
    for seed in range(n_draws):
        so_far = counts_by_block(np.random.default_rng(seed), n_ions)
        found = pair_correlation_of(so_far[-1]).first_minimum
        if found is not None:
            yield 0.85 < found < 1.65, bool(doubt(so_far, found))


def test_the_minimum_of_another_shell_is_in_doubt():
    answers = answers_of(0.6, n_draws=100)
    wrong = [is_in_doubt for is_right, is_in_doubt in answers if not is_right]
    assert len(wrong) >= 5
    assert all(wrong)


def test_enough_pairs_leave_no_doubt():
    answers = list(answers_of(20))
    assert len(answers) == 60
    assert all(is_right for is_right, _ in answers)
    assert sum(is_in_doubt for _, is_in_doubt in answers) <= 3


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
