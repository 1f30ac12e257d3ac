"""Relaxation of bonds that turn and beads that move straight on, whose answers are exact."""

import json

import numpy as np
import pytest

from analysis.io.array_trajectory import ArrayTrajectory
from analysis.io.open_trajectory import open_trajectory
from analysis.observables.segmental_relaxation import SegmentalRelaxation
from analysis.plotting import new_figure
from analysis.serialise import to_json
from tests.analysis.builders import frame, log_spaced_steps, run_of, write_dump, write_gsd
from user_input import UserError

RATE, TIME_STEP, BOX, DRIFT = 0.02, 0.5, 9.0, np.array([0.05, 0, 0])


def straight_on(n, seed=0):
    """Starts and velocities of beads, in box lengths and in sigma per step, shape (n, 3) each."""
    generator = np.random.default_rng(seed)
    return generator.uniform(-BOX / 2, BOX / 2, (n, 3)), generator.normal(0, 0.01, (n, 3)) + DRIFT


def rotating_dumbbells(steps, n=400):
    """Bonds that turn at one rate, each in a plane of its own, while all beads move straight on."""
    planes = np.random.default_rng(1).normal(size=(n // 2, 3, 2))
    one, other = np.moveaxis(np.linalg.qr(planes)[0], 2, 0)
    # Opposite bonds leave the centre of mass alone.
    one, other = np.concatenate([one, -one]), np.concatenate([other, -other])
    start, velocity = straight_on(n)
    pairs = np.stack([np.arange(n), np.arange(n) + n], axis=1)
    charge = np.repeat([1.0, -1.0], n)
    for step in steps:
        angle = RATE * TIME_STEP * step
        head = start + velocity * step
        bond = np.cos(angle) * one + np.sin(angle) * other
        yield frame(step, np.concatenate([head, head + bond]), BOX, types=('Li', 'B'),
                    typeid=np.repeat([0, 1], n), charge=charge, bonds=pairs,
                    bond_types=('backbone', 'LSP-side'),
                    bond_typeid=np.arange(n) % 2, time_step=TIME_STEP)  # fmt: skip


def measure(path):
    return SegmentalRelaxation().compute(run_of(open_trajectory(path)))


@pytest.mark.parametrize('steps', [log_spaced_steps(16, block=64), np.arange(0, 1024, 4)])
def test_turning_bonds_and_straight_paths_are_exact(tmp_path, steps):
    result = measure(write_gsd(tmp_path / 'a.gsd', rotating_dumbbells(steps)))
    assert result.time_unit == 'tau'
    assert set(result.p1) == set(result.p2) == {'backbone', 'LSP-side'}
    # Angles whose cosine, or second Legendre polynomial of it, is 1/e.
    ends = {'p1': np.arccos(np.exp(-1)), 'p2': np.arccos(np.sqrt((1 + 2 * np.exp(-1)) / 3))}
    for name in result.p1:
        for polynomial, found in (('p1', result.p1[name]), ('p2', result.p2[name])):
            cosine = np.cos(RATE * found.curve.x)
            exact = cosine if polynomial == 'p1' else (3 * cosine**2 - 1) / 2
            assert found.curve.value == pytest.approx(exact, abs=1e-4)
            # Between lags the curve is taken as straight.
            assert found.decay.one_over_e.value == pytest.approx(ends[polynomial] / RATE, rel=0.03)
            # All origins see the same, in several blocks.
            assert found.curve.low == pytest.approx(exact, abs=1e-4)
    _, velocity = straight_on(400)
    velocity = (velocity - velocity.mean(axis=0)) / TIME_STEP
    for name, q in result.wave_numbers.items():
        curve = result.scattering['cations'][name].curve
        exact = np.cos(q * velocity.ravel() * curve.x[:, None]).mean(axis=1)
        assert curve.value == pytest.approx(exact, abs=1e-4)
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


def test_without_bonds_groups_of_particles_relax():
    steps, generator = np.arange(200), np.random.default_rng(2)
    speed = np.array([0.05, 0.1, 0.2])
    kicks = generator.normal(size=(200, 300, 3)) * np.repeat(speed, 100)[:, None]
    given = {'typeid': np.repeat([0, 1, 2], 100), 'type_names': ('P', 'Li', 'S')}
    charge = np.repeat([0.0, 1.0, -1.0], 100)
    charged = run_of(ArrayTrajectory(np.cumsum(kicks, axis=0), 9.0, charge=charge, **given))
    found = SegmentalRelaxation(wave_number=3.0).compute(charged)
    assert found.p1 == found.p2 == {}
    assert any('no P1 and P2' in note for note in SegmentalRelaxation().notes(found))
    assert list(found.scattering) == ['all', 'cations', 'anions', 'P']
    for group, own in zip(('P', 'cations', 'anions'), speed, strict=True):
        curve = found.scattering[group]['peak'].curve
        exact = np.exp(-0.5 * (3.0 * own) ** 2 * curve.x)
        assert curve.value == pytest.approx(exact, abs=0.05), group
    bare = run_of(ArrayTrajectory(np.cumsum(kicks, axis=0), 9.0, steps=steps, **given))
    assert list(SegmentalRelaxation().compute(bare).scattering) == ['all', 'P', 'Li', 'S']
    named = SegmentalRelaxation(wave_number=3.0, cations=('Li',), anions=('S', 'P')).compute(bare)
    assert list(named.scattering) == ['all', 'cations', 'anions', 'P', 'S']
    curves = [each.scattering['cations']['peak'].curve.value for each in (named, found)]
    assert np.array_equal(*curves)
    known = SegmentalRelaxation().quantity_names(given['type_names'], ())
    assert {each.name for each in SegmentalRelaxation().quantities(named)} <= set(known)
    with pytest.raises(UserError, match="'Na'"):
        SegmentalRelaxation(cations=('Na',)).compute(bare)


def test_shells_without_bonds_are_named_as_for_clusters():
    """Cations and anions that jump, and the Drude particle of each beside it."""
    steps = np.cumsum(np.random.default_rng(3).normal(size=(200, 40, 3)), axis=0)
    cores = steps * np.repeat([0.05, 0.2], 20)[:, None] + 4.0 * np.arange(40)[:, None]
    run = run_of(
        ArrayTrajectory(
            np.concatenate([cores, cores + 0.01], axis=1),
            160.0,
            typeid=np.repeat([0, 1, 2, 3], 20),
            type_names=('Cat', 'An', 'DCat', 'DAn'),
            charge=np.repeat([1.98, 0.4, -0.98, -1.4], 20),
        )
    )
    with pytest.raises(UserError, match='--shells DCat DAn'):
        SegmentalRelaxation(wave_number=3.0).compute(run)
    found = SegmentalRelaxation(wave_number=3.0, shells=('DCat', 'DAn')).compute(run).scattering
    for group, speed in (('cations', 0.05), ('anions', 0.2)):
        curve = found[group]['peak'].curve
        assert curve.value == pytest.approx(np.exp(-0.5 * (3 * speed) ** 2 * curve.x), abs=0.1)


def test_no_bonds_without_images_and_no_steps(tmp_path):
    points = np.random.default_rng(0).uniform(-2, 2, (20, 4, 3))
    frames = [frame(k, each, 5) for k, each in enumerate(points)]
    with pytest.raises(UserError, match='no bonds.*periodic images'):
        measure(write_dump(tmp_path / 'a.dump', frames, columns='id type x y z'))
    points = points[0]
    same = write_gsd(
        tmp_path / 'b.gsd', [frame(7, points + k / 99, 5, bonds=[[0, 1]]) for k in range(20)]
    )
    with pytest.raises(UserError, match='all frames are of step 7'):
        measure(same)


def test_relaxation_figures_and_json(tmp_path):
    path = write_gsd(tmp_path / 'a.gsd', rotating_dumbbells(log_spaced_steps(8), n=50))
    result = measure(path)
    json.loads(to_json(result), parse_constant=pytest.fail)
    ax = new_figure(4, 3).add_subplot()
    SegmentalRelaxation().plot(result, ax)
    assert '[' in ax.get_xlabel()
    assert 'F_s(q, t)$' in ax.get_ylabel()


def test_a_bond_of_no_length_has_no_direction(tmp_path):
    frames = list(rotating_dumbbells(range(40), n=4))
    frames[7].particles.position[5] = frames[7].particles.position[1]
    with pytest.raises(UserError, match='step 7: particles 1 and 5'):
        measure(write_gsd(tmp_path / 'a.gsd', frames))
