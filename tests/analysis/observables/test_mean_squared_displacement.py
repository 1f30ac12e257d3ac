"""Brownian and ballistic walkers, whose mean squared displacements are exact."""

import numpy as np
import pytest

from analysis.io.array_trajectory import ArrayTrajectory
from analysis.observables.mean_squared_displacement import MeanSquaredDisplacement
from tests.analysis.builders import log_spaced_steps, run_of
from user_input import UserError

TIME_STEP, BOX = 0.5, 4.0
DIFFUSION = np.array([0.02, 0.1])


def walkers(steps, n=300, seed=0):
    """Brownian walkers of two kinds in a system that drifts, exact at any spacing."""
    generator = np.random.default_rng(seed)
    typeid = np.arange(n) % 2
    spread = np.sqrt(2 * DIFFUSION[typeid] * TIME_STEP)[:, None]
    elapsed = np.diff(steps, prepend=0)[:, None, None]
    kicks = generator.normal(size=(len(steps), n, 3)) * np.sqrt(elapsed) * spread
    drift = 0.05 * np.asarray(steps)[:, None, None]
    positions = generator.uniform(-2, 2, (1, n, 3)) + np.cumsum(kicks, axis=0) + drift
    return positions, typeid


def analyse(positions, typeid, steps, **options):
    trajectory = ArrayTrajectory(
        positions, BOX, steps=steps, typeid=typeid, type_names=('slow', 'fast'), **options
    )
    return MeanSquaredDisplacement().compute(run_of(trajectory)).by_type


@pytest.mark.parametrize('steps', [log_spaced_steps(24, block=32), np.arange(0, 600, 2)])
def test_brownian_walkers(steps):
    positions, typeid = walkers(steps)
    found = analyse(positions, typeid, steps, time_step=TIME_STEP)
    assert set(found) == {'slow', 'fast'}
    for name, diffusion in zip(('slow', 'fast'), DIFFUSION, strict=True):
        curve = found[name].curve
        assert curve.value == pytest.approx(6 * diffusion * curve.x, rel=0.1)
        assert found[name].exponent.value == pytest.approx(1, abs=0.1)
        estimate = found[name].diffusion
        assert not estimate.verdict
        assert estimate.value == pytest.approx(diffusion, rel=0.12)
        assert abs(estimate.value - diffusion) < 1.5 * (estimate.high - estimate.low) / 2


def test_diffusion_is_covered():
    steps = log_spaced_steps(24, block=32)
    covered = []
    for seed in range(60):
        diffusion = analyse(*walkers(steps, 100, seed), steps, time_step=TIME_STEP)[
            'slow'
        ].diffusion
        # Taking off the drift takes off 1/N of the motion.
        truth = DIFFUSION[0] * (1 - 2 / 100) + DIFFUSION.mean() / 100
        if diffusion.low is not None:
            covered.append(diffusion.low <= truth <= diffusion.high)
    assert len(covered) > 40
    assert 0.85 <= np.mean(covered) <= 1


def test_ballistic_motion_has_no_diffusion_coefficient():
    steps = np.arange(100)
    velocity = np.random.default_rng(1).normal(size=(50, 3))
    velocity -= velocity.mean(axis=0)
    positions = 0.01 * steps[:, None, None] * velocity
    found = analyse(positions, np.zeros(50, dtype=int), steps)
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
