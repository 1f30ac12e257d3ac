"""Displacements that are known exactly."""

import numpy as np
import pytest

from analysis.io.array_trajectory import ArrayTrajectory
from analysis.observable import BlockSums
from analysis.observables.mean_squared_displacement import (
    MeanSquaredDisplacement,
    _displacement,
)
from tests.analysis.builders import log_spaced_steps, run_of
from user_input import UserError

TIME_STEP, BOX = 0.5, 4.0


def analyse(positions, typeid, steps, **options):
    trajectory = ArrayTrajectory(
        positions, BOX, steps=steps, typeid=typeid, type_names=('slow', 'fast'), **options
    )
    return MeanSquaredDisplacement().compute(run_of(trajectory)).by_type


def test_a_linear_displacement_has_its_slope_as_diffusion_coefficient():
    time, blocks, diffusion = np.geomspace(1, 300, 21), 8, 0.02
    counts = np.full((blocks, len(time)), 5.0)
    noise = np.random.default_rng(0).normal(1, 0.02, counts.shape)
    sums = counts * 6 * diffusion * time * noise / noise.mean(axis=0)
    found = _displacement(BlockSums(time, sums[None], counts, 1000.0), 0, 'tau')
    assert found.curve.value == pytest.approx(6 * diffusion * time)
    assert found.exponent.value == pytest.approx(1)
    assert found.diffusion.value == pytest.approx(diffusion)
    assert found.diffusion.low < diffusion < found.diffusion.high < 1.1 * diffusion
    assert not found.diffusion.verdict


def test_ballistic_motion_has_no_diffusion_coefficient():
    steps = log_spaced_steps(8, block=32)
    velocity = np.random.default_rng(1).normal(size=(50, 3))
    positions = 0.01 * steps[:, None, None] * velocity
    found = analyse(positions, np.zeros(50, dtype=int), steps)
    velocity -= velocity.mean(axis=0)  # the system as a whole does not count
    assert found['slow'].curve.value == pytest.approx(
        1e-4 * found['slow'].curve.x ** 2 * (velocity**2).sum(axis=1).mean()
    )
    assert found['slow'].diffusion.value is None
    assert 't^2.00' in found['slow'].diffusion.verdict


def test_confined_motion_has_none_either():
    generator = np.random.default_rng(3)
    positions = generator.normal(0, 0.1, (200, 40, 3))
    found = analyse(positions, np.zeros(40, dtype=int), np.arange(200))
    assert found['slow'].diffusion.value is None
    assert found['slow'].diffusion.verdict


def test_too_little_is_refused():
    with pytest.raises(UserError, match='frames'):
        analyse(np.zeros((3, 2, 3)), np.zeros(2, dtype=int), np.arange(3))
    with pytest.raises(UserError, match='not later'):
        analyse(np.zeros((20, 2, 3)), np.zeros(2, dtype=int), np.zeros(20, dtype=int))
