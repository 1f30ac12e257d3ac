"""Relaxation against diffusion on a sphere and Brownian motion, whose answers are exact."""

import json

import numpy as np
import pytest
from scipy.special import dawsn

from analysis.io.open_trajectory import open_trajectory
from analysis.observables.segmental_relaxation import SegmentalRelaxation
from analysis.plotting import new_figure
from analysis.serialise import to_json
from tests.analysis.builders import frame, log_spaced_steps, run_of, write_gsd
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


def measure(path):
    return SegmentalRelaxation().compute(run_of(open_trajectory(path)))


def test_the_rates_tend_to_those_of_diffusion_on_a_sphere():
    assert pytest.approx(2 * ROTATION, rel=0.005) == P1_RATE
    assert pytest.approx(6 * ROTATION, rel=0.005) == P2_RATE


@pytest.mark.parametrize('steps', [log_spaced_steps(16, block=64), np.arange(0, 1024, 4)])
def test_rotational_diffusion_and_brownian_walkers(tmp_path, steps):
    path = write_gsd(tmp_path / 'a.gsd', rotating_dumbbells(steps, n=1000))
    result = measure(path)
    assert result.time_unit == 'tau'
    assert set(result.p1) == {'backbone', 'LSP-side'}
    for name in result.p1:
        for curves, rate in ((result.p1, P1_RATE), (result.p2, P2_RATE)):
            curve, decay = curves[name].curve, curves[name].decay
            assert curve.value == pytest.approx(np.exp(-rate * curve.x), abs=0.03)
            time = decay.one_over_e
            assert time.value == pytest.approx(1 / rate, rel=0.04)
            assert time.low < time.value < time.high
            assert decay.mean.value == pytest.approx(1 / rate, rel=0.04)
    for name, q in result.wave_numbers.items():
        curve = result.scattering['cations'][name].curve
        # Taking off the drift takes off 1/N of each walker's own motion, too little to see.
        assert curve.value == pytest.approx(np.exp(-(q**2) * DIFFUSION * curve.x), abs=0.05)
    assert result.wave_numbers['pi/sigma'] == pytest.approx(np.pi)


def test_missing_images_stop_scattering_only(tmp_path):
    frames = list(rotating_dumbbells(log_spaced_steps(8)))
    for each in frames[1:]:
        each.particles.image = frames[0].particles.image
    result = measure(write_gsd(tmp_path / 'a.gsd', frames))
    assert result.scattering == {}
    assert any('particles/image' in verdict for verdict in result.verdicts)
    assert 'backbone' in result.p1


def test_images_that_follow_only_some_particles_stop_scattering(tmp_path):
    frames = list(rotating_dumbbells(log_spaced_steps(8)))
    for k, each in enumerate(frames):
        images = np.array(frames[0].particles.image)
        images[[0, 400]] += k
        each.particles.image = images
    result = measure(write_gsd(tmp_path / 'a.gsd', frames))
    assert result.scattering == {}


def test_images_that_start_wrong_and_follow_are_fine(tmp_path):
    frames = list(rotating_dumbbells(log_spaced_steps(8)))
    start = np.array(frames[0].particles.image)
    for each in frames:
        each.particles.image = each.particles.image - start
    result = measure(write_gsd(tmp_path / 'a.gsd', frames))
    assert 'all' in result.scattering


def test_frozen_system_gives_a_bound(tmp_path):
    still = next(iter(rotating_dumbbells([0])))
    frames = []
    for step in range(30):
        each = frame(step, still.particles.position, BOX, bonds=still.bonds.group)
        each.particles.image = still.particles.image
        frames.append(each)
    result = measure(write_gsd(tmp_path / 'a.gsd', frames))
    decay = result.p2['backbone'].decay
    assert decay.mean.value is None
    assert decay.one_over_e.low == result.p2['backbone'].curve.x[-1]
    assert decay.one_over_e.is_bound
    assert result.time_unit == 'steps'
    assert any('--time-step' in verdict for verdict in result.verdicts)


def test_no_bonds_and_no_rising_steps(tmp_path):
    points = np.zeros((4, 3))
    bare = write_gsd(tmp_path / 'a.gsd', [frame(k, points, 5) for k in range(20)])
    with pytest.raises(UserError, match='no bonds'):
        measure(bare)
    same = write_gsd(
        tmp_path / 'b.gsd', [frame(7, points + k / 99, 5, bonds=[[0, 1]]) for k in range(20)]
    )
    with pytest.raises(UserError, match='not later'):
        measure(same)


def test_relaxation_figures_and_json(tmp_path):
    path = write_gsd(tmp_path / 'a.gsd', rotating_dumbbells(log_spaced_steps(8), n=50))
    result = measure(path)
    json.loads(to_json(result), parse_constant=pytest.fail)
    ax = new_figure(4, 3).add_subplot()
    SegmentalRelaxation().plot(result, ax)
    assert '[' in ax.get_xlabel()
    assert 'F_s(q, t)$' in ax.get_ylabel()
