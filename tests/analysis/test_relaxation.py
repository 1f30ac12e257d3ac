"""Relaxation against diffusion on a sphere and Brownian motion, whose answers are exact."""

import json
from functools import partial

import numpy as np
import pytest
from builders import frame, log_spaced_steps, write_gsd
from scipy import optimize
from scipy.special import dawsn

from analysis.correlation_plan import plan_correlations
from analysis.plots import plot_relaxation, plot_scattering
from analysis.relaxation import segmental_relaxation
from analysis.stretched_exponential import (
    RelaxationTime,
    decay_times,
    fit_stretched_exponential,
)
from analysis.trajectory import open_trajectory
from user_input import UserError

ROTATION, DIFFUSION, TIME_STEP, BOX = 0.02, 0.01, 0.5, 9.0


def rotating_dumbbells(steps, n=400, seed=0):
    """Bonds that diffuse on the sphere, and whose first beads are Brownian walkers."""
    generator = np.random.default_rng(seed)
    bond = generator.normal(size=(n, 3))
    bond /= np.linalg.norm(bond, axis=1, keepdims=True)
    head = generator.uniform(-BOX / 2, BOX / 2, (n, 3))
    wanted = {int(s) for s in steps}
    pairs = np.stack([np.arange(n), np.arange(n) + n], axis=1)
    charge = np.repeat([1.0, 0.0], n)
    for step in range(max(wanted) + 1):
        if step in wanted:
            yield frame(step, np.concatenate([head, head + bond]), BOX, types=('Li', 'B'),
                        typeid=np.repeat([0, 1], n), charge=charge, bonds=pairs,
                        bond_types=('backbone', 'LSP-side'),
                        bond_typeid=np.arange(n) % 2, time_step=TIME_STEP)  # fmt: skip
        # A rotation about an axis across the bond, by an angle of Rayleigh's distribution.
        kick = generator.normal(size=(n, 3)) * np.sqrt(2 * ROTATION * TIME_STEP)
        across = np.cross(kick, bond)
        angle = np.linalg.norm(across, axis=1, keepdims=True)
        bond = np.cos(angle) * bond + np.sin(angle) / angle * across
        head = head + generator.normal(size=(n, 3)) * np.sqrt(2 * DIFFUSION * TIME_STEP)
        head = head + [0.05, 0, 0]  # a drift of the whole system must not show


def mean_cosine(multiple):
    """E[cos(multiple angle)] of the angle of one step, with Dawson's integral."""
    x = multiple * np.sqrt(ROTATION * TIME_STEP)
    return 1 - 2 * x * dawsn(x)


# Exact for steps of any length: one leaves of <P_l> the part E[P_l(cos angle)].
P1_RATE = -np.log(mean_cosine(1)) / TIME_STEP
P2_RATE = -np.log((1 + 3 * mean_cosine(2)) / 4) / TIME_STEP


def test_the_rates_tend_to_those_of_diffusion_on_a_sphere():
    assert pytest.approx(2 * ROTATION, rel=0.005) == P1_RATE
    assert pytest.approx(6 * ROTATION, rel=0.005) == P2_RATE


@pytest.mark.parametrize('steps', [log_spaced_steps(16, block=64), np.arange(0, 1024, 4)])
def test_rotational_diffusion_and_brownian_walkers(tmp_path, steps):
    path = write_gsd(tmp_path / 'a.gsd', rotating_dumbbells(steps, n=1000))
    result = segmental_relaxation(open_trajectory(path))
    assert result.time_unit == 'tau'
    assert set(result.p1) == {'backbone', 'LSP-side'}
    for name in result.p1:
        for curves, rate in ((result.p1, P1_RATE), (result.p2, P2_RATE)):
            curve = curves[name]
            assert curve.value == pytest.approx(np.exp(-rate * curve.time), abs=0.03)
            time = curve.decay.one_over_e
            assert time.value == pytest.approx(1 / rate, rel=0.04)
            assert time.low < time.value < time.high
            assert curve.decay.mean.value == pytest.approx(1 / rate, rel=0.04)
    for name, q in result.wave_numbers.items():
        curve = result.scattering['cations'][name]
        # Taking off the drift takes off 1/N of each walker's own motion, too little to see.
        assert curve.value == pytest.approx(np.exp(-(q**2) * DIFFUSION * curve.time), abs=0.05)
    assert result.wave_numbers['pi/sigma'] == pytest.approx(np.pi)


def test_missing_images_stop_scattering_only(tmp_path):
    frames = list(rotating_dumbbells(log_spaced_steps(8)))
    for each in frames[1:]:
        each.particles.image = frames[0].particles.image
    result = segmental_relaxation(open_trajectory(write_gsd(tmp_path / 'a.gsd', frames)))
    assert result.scattering == {}
    assert any('particles/image' in verdict for verdict in result.verdicts)
    assert 'backbone' in result.p1


def test_images_that_follow_only_some_particles_stop_scattering(tmp_path):
    frames = list(rotating_dumbbells(log_spaced_steps(8)))
    for k, each in enumerate(frames):
        images = np.array(frames[0].particles.image)
        images[[0, 400]] += k
        each.particles.image = images
    result = segmental_relaxation(open_trajectory(write_gsd(tmp_path / 'a.gsd', frames)))
    assert result.scattering == {}


def test_images_that_start_wrong_and_follow_are_fine(tmp_path):
    frames = list(rotating_dumbbells(log_spaced_steps(8)))
    start = np.array(frames[0].particles.image)
    for each in frames:
        each.particles.image = each.particles.image - start
    result = segmental_relaxation(open_trajectory(write_gsd(tmp_path / 'a.gsd', frames)))
    assert 'all' in result.scattering


def test_frozen_system_gives_a_bound(tmp_path):
    still = next(iter(rotating_dumbbells([0])))
    frames = []
    for step in range(30):
        each = frame(step, still.particles.position, BOX, bonds=still.bonds.group)
        each.particles.image = still.particles.image
        frames.append(each)
    result = segmental_relaxation(open_trajectory(write_gsd(tmp_path / 'a.gsd', frames)))
    decay = result.p2['backbone'].decay
    assert decay.mean.value is None
    assert decay.one_over_e.longer_than == result.p2['backbone'].time[-1]
    assert result.time_unit == 'steps'
    assert any('--time-step' in verdict for verdict in result.verdicts)


def test_no_bonds_and_no_rising_steps(tmp_path):
    points = np.zeros((4, 3))
    bare = write_gsd(tmp_path / 'a.gsd', [frame(k, points, 5) for k in range(20)])
    with pytest.raises(UserError, match='no bonds'):
        segmental_relaxation(open_trajectory(bare))
    same = write_gsd(
        tmp_path / 'b.gsd', [frame(7, points + k / 99, 5, bonds=[[0, 1]]) for k in range(20)]
    )
    with pytest.raises(UserError, match='not later'):
        segmental_relaxation(open_trajectory(same))


def test_plan_is_exact_and_bounded():
    short, long = (plan_correlations(log_spaced_steps(n, 100, 256)) for n in (100, 1000))
    for plan, n in ((short, 100), (long, 1000)):
        steps = log_spaced_steps(n, 100, 256)
        lag = plan.lags[plan.lag_index]
        assert np.array_equal(steps[plan.later] - steps[plan.origin], lag)
        assert np.all(np.diff(plan.later) >= 0)
        assert plan.lags[0] == 100
        assert plan.lags[-1] > steps[-1] / 5
    assert long.most_live_origins() < 2 * short.most_live_origins()
    assert len(long.origin) < 2 * len(short.origin)


def test_stretched_exponential_from_noise():
    generator = np.random.default_rng(6)
    time = np.logspace(-2, 3, 45)
    amplitude, tau, beta = 0.85, 3.0, 0.6
    truth = amplitude * np.exp(-((time / tau) ** beta))
    mean = fit_stretched_exponential(time, truth).mean_time
    assert mean == pytest.approx(3.0 / 0.6 * 0.9027453, rel=1e-3)
    inside = 0
    for _ in range(40):
        blocks = truth + generator.normal(0, 0.02, (8, len(time)))
        decay = decay_times(time, blocks, np.ones(blocks.shape), 1e4)
        inside += decay.mean.low < mean < decay.mean.high
        assert decay.mean.value == pytest.approx(mean, rel=0.15)
    assert 34 <= inside <= 40


def test_bounds_instead_of_numbers():
    time = np.logspace(0, 2, 20)
    counts = np.ones((8, 20))
    slow = decay_times(time, counts * np.exp(-time / 1e4), counts, 300.0)
    assert slow.mean.value is None
    assert slow.mean.longer_than == pytest.approx(100)
    fast = decay_times(time, counts * np.exp(-time * 5), counts, 300.0)
    assert fast.one_over_e.value is None
    assert fast.one_over_e.shorter_than == 1


def in_blocks(curve):
    """Eight equal blocks of a curve at 20 lags from 1 to 100, with one origin each."""
    return np.tile(curve, (8, 1)), np.ones((8, 20))


LAGS = np.logspace(0, 2, 20)
EXPONENTIAL = np.exp(-LAGS / 10)
NO_FIT = 'no stretched exponential fits: the fit does not converge or beta is at a limit'


def test_a_fit_that_is_stopped_before_it_converges_gives_no_mean_time(monkeypatch):
    sums, counts = in_blocks(EXPONENTIAL)
    assert decay_times(LAGS, sums, counts, 1e4).fit is not None
    # The starting point lies on the solution of this one: noise takes it away from there.
    sums = sums + np.random.default_rng(1).normal(0, 0.02, sums.shape)
    stopped = partial(optimize.least_squares, max_nfev=1)
    monkeypatch.setattr(optimize, 'least_squares', stopped)
    decay = decay_times(LAGS, sums, counts, 1e4)
    assert decay.fit is None
    assert decay.mean == RelaxationTime(verdict=NO_FIT)
    assert decay.one_over_e.value == pytest.approx(10, rel=0.1)


@pytest.mark.parametrize(
    'curve',
    [
        np.where(LAGS < 20, 0.85, 0.02),  # a step: beta runs to its upper limit
        np.where(LAGS < 60, 0.95, 0.02),  # too few points below 0.9
    ],
)
def test_a_curve_without_a_stretched_exponential_has_no_mean_time(curve):
    decay = decay_times(LAGS, *in_blocks(curve), 1e4)
    assert decay.fit is None
    assert decay.mean == RelaxationTime(verdict=NO_FIT)
    assert decay.one_over_e.value is not None


def test_a_fit_that_misses_the_curve_says_by_how_much():
    wave = 0.15 * np.sin(2 * np.log(LAGS)) * np.exp(-LAGS / 60)
    decay = decay_times(LAGS, *in_blocks(EXPONENTIAL + wave), 1e4)
    missed = np.abs(decay.fit(LAGS) - (EXPONENTIAL + wave))[EXPONENTIAL + wave <= 0.9].max()
    assert missed > 0.05
    assert decay.mean.verdict == f'the fit misses the curve by up to {missed:.2f}'
    assert decay.mean.value is not None
    assert not decay.one_over_e.verdict
    assert not decay_times(LAGS, *in_blocks(EXPONENTIAL + wave / 4), 1e4).mean.verdict


def test_times_that_rest_on_one_block_have_no_interval():
    blocks, counts = in_blocks(EXPONENTIAL)
    # All but the first never fall to 1/e.
    blocks[1:] = np.maximum(blocks[1:], 0.42)
    blocks[0] = 8 * EXPONENTIAL - blocks[1:].sum(axis=0)
    time = decay_times(LAGS, blocks, counts, 1e4).one_over_e
    assert time.value == pytest.approx(10, rel=0.01)
    assert (time.low, time.high) == (None, None)
    assert time.verdict == 'does not stand without one of its blocks'


@pytest.mark.parametrize(('duration', 'is_doubted'), [(8 * 21.0, False), (8 * 19.0, True)])
def test_a_time_longer_than_half_a_block_is_doubted(duration, is_doubted):
    generator = np.random.default_rng(2)
    blocks = EXPONENTIAL + generator.normal(0, 0.01, (8, 20))
    decay = decay_times(LAGS, blocks, np.ones((8, 20)), duration)
    for time in (decay.one_over_e, decay.mean):
        assert time.value == pytest.approx(10, rel=0.04)
        assert time.low < time.value < time.high
        assert ('longer than half a block' in time.verdict) is is_doubted


def test_too_few_blocks_give_no_interval():
    time = np.logspace(0, 2, 20)
    counts = np.zeros((8, 20))
    counts[[0, 4]] = 2
    counts[:, 15:] = 1
    decay = decay_times(time, counts * np.exp(-time / 10), counts, 300.0)
    assert decay.one_over_e.value == pytest.approx(10, rel=0.05)
    assert decay.one_over_e.low is None
    assert 'only 2' in decay.one_over_e.verdict
    assert decay.mean.low is None


def test_relaxation_figures_and_json(tmp_path):
    path = write_gsd(tmp_path / 'a.gsd', rotating_dumbbells(log_spaced_steps(8), n=50))
    result = segmental_relaxation(open_trajectory(path))
    json.dumps(result.as_dict(), allow_nan=False)
    bonds, scattering = plot_relaxation(result), plot_scattering(result)
    assert '[' in bonds.get_xlabel()
    assert scattering.get_ylabel() == '$F_s(q, t)$'
    for ax in (bonds, scattering):
        assert max(len(line.get_xdata()) for line in ax.lines) > 10
