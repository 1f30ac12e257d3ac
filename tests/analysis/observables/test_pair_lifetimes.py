"""Lifetimes of pairs that are made and broken at known rates."""

import math

import numpy as np
import pytest

from analysis.io.array_trajectory import ArrayTrajectory
from analysis.observable import analyse
from analysis.observables.pair_lifetimes import PairLifetimes
from tests.analysis.builders import run_of
from tests.analysis.estimators.test_survival import telegraph
from tests.analysis.observables.test_ion_association import SITES, jumps, run_at

LIFETIMES = PairLifetimes(contact_distance=1.0, broken_beyond=1.5)
OWN = np.arange(len(SITES))
INSIDE, BETWEEN, APART = 0.8, 1.3, 1.8


def values(result):
    return {each.name: each.estimate for each in LIFETIMES.quantities(result)}


def test_pairs_that_part_and_meet():
    """Each cation has one anion: pairs, cages and clusters last as long; none hops."""
    mean, generator = 40, np.random.default_rng(1)
    there = telegraph(1500, len(SITES), 1 / mean, 1 / 30, generator)
    anion = np.tile(OWN, (1500, 1))
    found = LIFETIMES.compute(run_at(anion, len(SITES), np.where(there, INSIDE, APART)))
    estimates = values(found)
    for kind in ('pair', 'cage', 'cluster'):
        lifetime, median = estimates[f'{kind}_lifetime'], estimates[f'{kind}_lifetime_median']
        assert lifetime.low < 0.5 * mean < lifetime.high
        assert lifetime.value == pytest.approx(0.5 * mean, rel=0.1)
        assert median.low < 0.5 * mean * math.log(2) < median.high
        curve = found.lifetimes[kind].survival
        assert np.all(np.diff(curve.value) <= 0)
        assert curve.value == pytest.approx(np.exp(-curve.x / (0.5 * mean)), abs=0.06)
    assert estimates['hop_rate'].value is None
    assert estimates['hop_rate'].high < 1e-3
    assert found.percolating == 0


def test_between_the_radii_a_pair_is_what_it_was():
    """Whatever it does there: made only inside, broken only beyond."""
    mean, generator = 40, np.random.default_rng(2)
    there = telegraph(500, len(SITES), 1 / mean, 1 / 30, generator)
    anion = np.tile(OWN, (500, 1))
    distance = np.where(there, INSIDE, APART)
    is_between = generator.random(there.shape) < 0.5
    # The frame in which it is made or broken is sharp.
    is_between[1:] &= there[1:] == there[:-1]
    found = LIFETIMES.compute(run_at(anion, len(SITES), distance))
    wavering = np.where(is_between, BETWEEN, distance)
    again = LIFETIMES.compute(run_at(anion, len(SITES), wavering))
    # Of those between both at the start nothing is known until they move.
    for kind in ('pair', 'cage', 'cluster'):
        assert again.lifetimes[kind].mean == found.lifetimes[kind].mean
        assert again.lifetimes[kind].n_began == found.lifetimes[kind].n_began
    one_radius = PairLifetimes(contact_distance=1.0, broken_beyond=1.0)
    flickering = one_radius.compute(run_at(anion, len(SITES), wavering))
    assert flickering.lifetimes['pair'].mean.value < 0.1 * found.lifetimes['pair'].mean.value


def test_hops_between_anions():
    rate, generator = 0.02, np.random.default_rng(3)
    found = LIFETIMES.compute(run_at(jumps(1500, 60, 8, rate, generator), 8, INSIDE))
    # One of eight jumps is back to the same anion.
    exact = -math.expm1(-rate) * 7 / 8 / 0.5
    hops = values(found)['hop_rate']
    assert hops.value == pytest.approx(exact, rel=0.1)
    assert hops.low < exact < hops.high
    assert found.lifetimes['pair'].mean.value == pytest.approx(1 / exact, rel=0.1)


def test_clusters_are_the_same_while_most_of_them_stays():
    """Of six ions round one anion, one leaves and comes back, then four leave for good."""
    anion = np.zeros((200, 6), dtype=int)
    anion[40:60, 0] = 1
    anion[120:, :4] = np.arange(1, 5)
    found = LIFETIMES.compute(run_at(anion, 8, INSIDE)).lifetimes['cluster']
    # That of the first, of the one that left for a time, and no other.
    assert found.n_ended == 2


def test_a_percolating_cluster_lives_for_ever():
    """A row of ions across the box."""
    x = np.arange(12.0) - 5.5
    row = np.stack([x, np.zeros(12), np.zeros(12)], axis=1)
    typeid = np.arange(12) % 2
    run = run_of(
        ArrayTrajectory(
            np.tile(row, (40, 1, 1)),
            12.0,
            typeid=typeid,
            type_names=('S', 'Li'),
            charge=np.array([-1.0, 1.0])[typeid],
        )
    )
    found = PairLifetimes(contact_distance=1.2, broken_beyond=1.5).compute(run)
    assert found.percolating == 1
    estimates = values(found)
    assert 'lives for ever' in estimates['cluster_lifetime'].verdict
    assert estimates['cluster_lifetime'].low is None
    # Nothing broke: bounds, and no numbers.
    for name in ('pair_lifetime', 'cage_lifetime'):
        assert estimates[name].is_bound
        assert estimates[name].low > 0
    assert estimates['hop_rate'].is_bound
    assert estimates['hop_rate'].high > 0


def test_frames_too_far_apart():
    """Pairs that part for 40 frames, then for 2: breaks are missed that last less than a frame."""
    n, anion = 400, np.tile(OWN, (400, 1))
    for apart, is_seen in (40, True), (2, False):
        there = telegraph(n, len(SITES), 1 / 40, 1 / apart, np.random.default_rng(4))
        distance = np.where(there, INSIDE, APART)
        found = LIFETIMES.compute(run_at(anion, len(SITES), distance)).lifetimes
        half = LIFETIMES.compute(run_at(anion[::2], len(SITES), distance[::2])).lifetimes
        for kind in ('pair', 'cage', 'cluster'):
            part = half[kind].mean.value * 2 / found[kind].mean.value - 1
            for each in found[kind].mean, found[kind].median:
                assert ('too far apart' in each.verdict) is not is_seen
                assert is_seen or f'{part:+.0%}' in each.verdict


def test_hops_between_frames():
    """Ions that hop at every other frame are back before half of the frames see it."""
    run = run_at(jumps(200, 60, 8, 1.0, np.random.default_rng(6)), 8, INSIDE)
    assert 'too far apart' in values(LIFETIMES.compute(run))['hop_rate'].verdict


def test_a_window_shorter_than_a_life_gives_the_mean_with_a_verdict():
    mean = 400
    there = telegraph(500, len(SITES), 1 / mean, 1 / 100, np.random.default_rng(5))
    anion = np.tile(OWN, (500, 1))
    found = values(LIFETIMES.compute(run_at(anion, len(SITES), np.where(there, INSIDE, APART))))
    lifetime, median = found['pair_lifetime'], found['pair_lifetime_median']
    assert lifetime.low < 0.5 * mean < lifetime.high
    assert 'longer than half the window' in lifetime.verdict
    assert median.value is None


def test_bad_input():
    run = run_at(np.tile(OWN, (40, 1)), len(SITES), INSIDE)
    for wrong in (PairLifetimes(contact_distance=1.0, broken_beyond=0.5),
                  PairLifetimes(contact_distance=1.0, broken_beyond=math.nan)):  # fmt: skip
        assert 'at least 1' in analyse(run, [wrong])['lifetimes'].refusal
    few = run_at(np.tile(OWN, (5, 1)), len(SITES), INSIDE)
    assert '5 frames' in analyse(few, [LIFETIMES])['lifetimes'].refusal
    wide = PairLifetimes(contact_distance=4.0)
    assert 'half the least width' in analyse(run, [wide])['lifetimes'].refusal
    assert not LIFETIMES.applies_to(run_of(ArrayTrajectory(np.zeros((10, 2, 3)), 5.0)).topology)
