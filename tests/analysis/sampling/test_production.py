"""Where production begins: after what the energy, and then the ions, take to settle."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.estimators.equilibration import detect_equilibration
from analysis.io.array_trajectory import ArrayTrajectory
from analysis.sampling.production import (
    Production,
    association_equilibration,
    where_energy_settles,
    where_ions_settle,
)
from tests.analysis.builders import log_spaced_steps

ROWS, DECAY = 1000, 50


def energy_log(generator):
    """An energy that falls by 10 deviations within some rows of 10 steps."""
    energy = generator.normal(size=ROWS) + 10 * np.exp(-np.arange(ROWS) / DECAY)
    return {'step': 10 * np.arange(ROWS), 'potential_energy': energy}


@pytest.mark.parametrize('steps', [np.arange(0, 10_000, 50), log_spaced_steps(150, block=64)])
def test_frames_count_from_where_the_energy_settles(steps):
    found = where_energy_settles(energy_log(np.random.default_rng(1)), steps)
    assert not found.verdict
    # The mean of what is left is off by less than a third of its error; the first row is the first
    # of some candidates to be so good.
    left = ROWS - found.first_row
    shift = 10 * DECAY / left * np.exp(-found.first_row / DECAY)
    assert 0.02 < shift * np.sqrt(left) < 0.5
    step = 10 * found.first_row
    assert steps[found.first_frame] >= step > steps[found.first_frame - 1]
    assert found.first_settled_frame == found.first_frame


def test_an_energy_at_rest_counts_from_the_start():
    energy = np.random.default_rng(2).normal(size=ROWS)
    log = {'step': 10 * np.arange(ROWS), 'potential_energy': energy}
    found = where_energy_settles(log, np.arange(0, 10_000, 100))
    assert replace(found, drifts={}) == Production()
    assert abs(found.drifts['potential_energy'].change) < 0.5


def test_an_energy_that_drifts_has_a_verdict_and_all_frames():
    energy = np.linspace(0, 20, ROWS) + np.random.default_rng(3).normal(size=ROWS)
    log = {'step': 10 * np.arange(ROWS), 'potential_energy': energy}
    found = where_energy_settles(log, np.arange(0, 10_000, 100))
    assert 'drifts' in found.verdict
    assert (found.first_frame, found.first_settled_frame) == (0, 0)


SITES = np.stack(np.unravel_index(np.arange(0, 120, 3), (5, 5, 5)), axis=1) * 2.0 - 4


def pairs_that_meet(n_frames, settled, steps=None):
    """Forty pairs of ions, all apart at first, then one in ten, after times of about `settled`."""
    generator = np.random.default_rng(4)
    share = 0.1 + 0.9 * np.exp(-np.arange(n_frames) / settled)
    is_apart = generator.uniform(size=(n_frames, 40)) < share[:, None]
    distance = np.where(is_apart, 0.95, 0.3) + generator.normal(0, 0.02, is_apart.shape)
    cations = np.repeat(SITES[None], n_frames, axis=0)
    anions = cations + distance[..., None] * np.array([1.0, 0, 0])
    positions = np.stack([cations, anions], axis=2).reshape(n_frames, -1, 3)
    return ArrayTrajectory(positions, 10.0, charge=np.tile([1.0, -1.0], 40), steps=steps)


def test_correlations_count_from_where_the_ions_settle():
    given = Production(first_row=7, first_frame=10, first_settled_frame=10)
    found = where_ions_settle(given, pairs_that_meet(300, 10))
    assert 30 <= found.first_settled_frame <= 100
    assert (found.first_row, found.first_frame, found.verdict) == (7, 10, '')
    # Settled before the energy: nothing changes.
    late = Production(first_frame=100, first_settled_frame=100)
    assert replace(where_ions_settle(late, pairs_that_meet(300, 10)), drifts={}) == late


def test_the_settled_frame_is_one_of_all_frames():
    """Only evenly spaced frames are looked at; the index counts those between them too."""
    steps = log_spaced_steps(300, block=8)  # offsets 0, 1, 2 and 4
    found = where_ions_settle(Production(), pairs_that_meet(1200, 40, steps))
    assert 120 <= found.first_settled_frame <= 400
    assert steps[found.first_settled_frame] % 4 == 0


def test_ions_that_never_settle_are_none_or_too_few_change_nothing():
    given = Production(first_frame=3, first_settled_frame=3)
    assert replace(where_ions_settle(given, pairs_that_meet(100, 60)), drifts={}) == given
    assert where_ions_settle(given, ArrayTrajectory(np.zeros((9, 4, 3)), 5.0)) == given
    apart = np.repeat([[[0.0, 0, 0], [4.0, 4, 4]]], 20, axis=0)
    assert where_ions_settle(given, ArrayTrajectory(apart, 9.0, charge=[1, -1])) == given


def test_the_series_that_settles_last_decides():
    generator = np.random.default_rng(5)
    rest = {name: generator.normal(size=500) for name in ('number_average_size', 'ignored')}
    slow = generator.normal(size=500) + 10 * np.exp(-np.arange(500) / 20)
    series = rest | {'weight_average_size': slow, 'coordination_number': rest['ignored']}
    found = association_equilibration(series)
    assert found.is_equilibrated
    assert 50 <= found.start <= 200
    assert detect_equilibration(slow) == found
    assert detect_equilibration(rest['ignored']).start == 0
    drifting = series | {'coordination_number': np.linspace(0, 20, 500) + rest['ignored']}
    assert not association_equilibration(drifting).is_equilibrated


def test_an_energy_too_short_to_tell_leaves_the_verdict_to_each_quantity():
    slow = np.cumsum(np.random.default_rng(6).normal(size=ROWS))
    slow = slow - np.linspace(slow[0], slow[-1], ROWS)  # a bridge: it wanders, and comes back
    log = {'step': 10 * np.arange(ROWS), 'potential_energy': slow}
    assert 'too short' in detect_equilibration(slow).verdict
    assert not where_energy_settles(log, np.arange(0, 10_000, 100)).verdict
