"""Survival, medians and mean lifetimes of a telegraph process with known rates, cut off."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.estimators.survival import FEWEST_AT_RISK, Lives, kaplan_meier, median_of
from analysis.geometry.ion_pairs import places_of


def telegraph(n_frames, n, ends, begins, generator):
    """Whether each of n things is there, with these probabilities per frame, shape (F, n)."""
    there = np.empty((n_frames, n), dtype=bool)
    there[0] = generator.random(n) < begins / (begins + ends)
    for now, before in zip(there[1:], there[:-1], strict=True):
        chance = generator.random(n)
        now[:] = np.where(before, chance >= ends, chance < begins)
    return there


def followed(there):
    """The lives of what is there, each owned by itself."""
    lives, before = Lives(*there.shape), np.zeros(0, dtype=int)
    for each in there:
        now = np.flatnonzero(each)
        place, was_there = places_of(now, before)
        lives.follow(np.where(was_there, place, -1), now)
        before = now
    return lives


def test_lives_by_hand():
    """One is there from the start, one begins and ends twice, one is cut off."""
    there = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, 1], [0, 1, 1], [0, 0, 1]], dtype=bool)
    lives = followed(there)
    assert (lives.ends, lives.began, lives.time) == (3, 3, 2 + 1 + 2 + 2)


def test_kaplan_meier_by_hand():
    """Of 20, 4 end at 1, 6 are cut off at 1, 5 of the rest end at 2."""
    found = kaplan_meier(np.array([0, 4, 5, 0]), np.array([0, 6, 0, 5]))
    assert found.time.tolist() == [0, 1, 2]  # 5 at risk at 3 are too few
    assert found.value == pytest.approx([1, 0.8, 0.8 * 0.5])
    greenwood = 4 / (20 * 16) + 5 / (10 * 5)
    half = 1.96 * math.sqrt(greenwood) / abs(math.log(0.4))
    ends = [0.4 ** math.exp(half), 0.4 ** math.exp(-half)]
    assert [found.low[2], found.high[2]] == pytest.approx(ends, rel=1e-4)
    assert found.low[0] == pytest.approx(0.05 ** (1 / 20))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40))
def test_survival_never_rises_and_is_within_its_interval(counts):
    found = kaplan_meier(*np.array(counts).T)
    assert np.all(np.diff(found.value) <= 0)
    for each in (found.low, found.value, found.high):
        assert np.all((each >= 0) & (each <= 1))
    assert np.all((found.low <= found.value) & (found.value <= found.high))


@pytest.mark.parametrize(('mean', 'n_frames'), [(20, 800), (300, 200)])
def test_telegraph_cut_off(mean, n_frames):
    """Means longer than the window too: whole lives alone would give less than half of it."""
    lives = followed(telegraph(n_frames, 400, 1 / mean, 1 / 50, np.random.default_rng(1)))
    found, survival = lives.mean(), lives.survival()
    assert found.value == pytest.approx(mean, rel=0.1)
    assert found.low < mean < found.high
    n = len(survival.time) // 2
    exact = (1 - 1 / mean) ** survival.time[:n]
    assert survival.value[:n] == pytest.approx(exact, abs=0.03)
    median = median_of(survival)
    if mean > n_frames:
        assert (median.value, median.high) == (None, None)
        assert 0 < median.low <= math.log(2) * mean
        assert 'half are not gone' in median.verdict
    else:
        assert median.low < math.log(2) * mean < median.high


def test_what_was_there_at_the_start_does_not_count_as_begun():
    """Half never end: with those of the start, few would seem to end at all."""
    generator = np.random.default_rng(2)
    there = telegraph(400, 200, 0.1, 0.1, generator)
    there = np.concatenate([there, np.ones((400, 200), dtype=bool)], axis=1)
    median = median_of(followed(there).survival())
    assert median.value == pytest.approx(math.log(2) / 0.1, rel=0.1)


def test_collective_ends_have_a_wider_interval():
    generator = np.random.default_rng(3)
    alone = followed(telegraph(600, 200, 0.02, 0.05, generator)).mean()
    there = np.ones((600, 200), dtype=bool)
    there[np.flatnonzero(generator.random(600) < 0.02)] = False  # all at once
    together = followed(there).mean()
    assert together.high / together.low > 2 * alone.high / alone.low
    assert together.n_effective < 40 < alone.n_effective


def test_no_ends_give_a_bound():
    found = followed(np.ones((100, 30), dtype=bool))
    mean, median = found.mean(), median_of(found.survival())
    assert mean.is_bound
    assert mean.low == pytest.approx(99 * 30 / -math.log(0.05))
    assert 'ends were seen: only 0' in mean.verdict
    assert median.value is None
    assert f'fewer than {FEWEST_AT_RISK}' in median.verdict


def test_nothing_is_said_so():
    assert followed(np.zeros((10, 3), dtype=bool)).mean().verdict == 'there was none'
