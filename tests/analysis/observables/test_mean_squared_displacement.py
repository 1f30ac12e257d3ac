"""Displacements that are known exactly."""

import numpy as np
import pytest

from analysis.io.array_trajectory import ArrayTrajectory
from analysis.observables.mean_squared_displacement import MeanSquaredDisplacement
from tests.analysis.builders import log_spaced_steps, run_of
from user_input import UserError

TIME_STEP, BOX = 0.5, 4.0


def analyse(positions, typeid, steps, **options):
    trajectory = ArrayTrajectory(
        positions, BOX, steps=steps, typeid=typeid, type_names=('slow', 'fast'), **options
    )
    return MeanSquaredDisplacement().compute(run_of(trajectory))


def walk(steps, n, generator):
    """Brownian paths with D = 1, shape (F, n, 3)."""
    kicks = generator.normal(size=(len(steps), n, 3))
    return np.cumsum(kicks * np.sqrt(2 * np.diff(steps, prepend=0))[:, None, None], axis=0)


def test_walkers_of_two_types_diffuse_from_the_first_lag_on():
    steps = log_spaced_steps(16, block=32)
    positions = walk(steps, 120, np.random.default_rng(0)) * np.repeat([0.1, 0.3], 60)[:, None]
    result = analyse(positions, np.repeat([0, 1], 60), steps, time_step=TIME_STEP)
    for name, own in (('slow', 0.01), ('fast', 0.09)):
        found = result.by_type[name]
        # Less the drift of the centre of mass, to which all 120 contribute.
        exact = (own * (1 - 2 / 120) + (0.01 + 0.09) / 2 / 120) / TIME_STEP
        assert found.curve.value == pytest.approx(6 * exact * found.curve.x, rel=0.3)
        assert found.exponent.low < 1 < found.exponent.high
        assert found.diffusion.low < exact < found.diffusion.high < 1.2 * exact
        assert found.linear_from <= 12 * TIME_STEP
        assert not found.diffusion.verdict
    assert any('slow: linear from' in note for note in MeanSquaredDisplacement().notes(result))


def test_motion_in_a_cage_counts_from_where_it_is_over():
    steps = log_spaced_steps(48, block=32)
    generator = np.random.default_rng(1)
    rattle = generator.normal(0, 0.3, (len(steps), 200, 3))  # 0.54 in the MSD: 4.5 steps
    positions = walk(steps, 200, generator) * np.sqrt(0.02) + rattle
    found = analyse(positions, np.zeros(200, dtype=int), steps).by_type['slow']
    assert 16 < found.linear_from < 200
    assert found.diffusion.low < 0.02 * (1 - 1 / 200) < found.diffusion.high < 1.5 * 0.02


def test_ballistic_motion_has_no_diffusion_coefficient():
    steps = log_spaced_steps(8, block=32)
    velocity = np.random.default_rng(1).normal(size=(50, 3))
    positions = 0.01 * steps[:, None, None] * velocity
    found = analyse(positions, np.zeros(50, dtype=int), steps).by_type['slow']
    velocity -= velocity.mean(axis=0)  # the system as a whole does not count
    assert found.curve.value == pytest.approx(
        1e-4 * found.curve.x**2 * (velocity**2).sum(axis=1).mean()
    )
    assert found.diffusion.value is None
    assert found.linear_from is None
    assert 't^2.00' in found.diffusion.verdict


def test_confined_motion_has_none_either():
    generator = np.random.default_rng(3)
    positions = generator.normal(0, 0.1, (200, 40, 3))
    found = analyse(positions, np.zeros(40, dtype=int), np.arange(200)).by_type['slow']
    assert found.diffusion.value is None
    assert found.diffusion.verdict


def test_what_stands_still_has_none():
    found = analyse(np.zeros((60, 5, 3)), np.zeros(5, dtype=int), np.arange(60)).by_type['slow']
    assert 'nothing moves' in found.diffusion.verdict


def test_too_little_is_refused():
    with pytest.raises(UserError, match='frames'):
        analyse(np.zeros((3, 2, 3)), np.zeros(2, dtype=int), np.arange(3))
    with pytest.raises(UserError, match='all frames are of step 0'):
        analyse(np.zeros((20, 2, 3)), np.zeros(2, dtype=int), np.zeros(20, dtype=int))
