"""Ions whose conductivity is known."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter

from analysis.estimators.linear_regime import (
    linear_regime,
    paths_of_rows,
    ratio,
    shared_paths,
    squared_displacements,
)
from analysis.io.array_trajectory import ArrayTrajectory
from analysis.observables.conductivity import Conductivity
from analysis.sampling.charge_motion import ChargeMotion
from analysis.sampling.run import Run
from analysis.serialise import to_json
from tests.analysis.builders import log_spaced_steps
from user_input import UserError
from validation.ionic_runs import (
    CAGE_TIME,
    CAGED_DIFFUSION,
    EDGE,
    KT,
    bonds_of_chains,
    caged_motion,
    in_pairs,
    ionic_run,
    langevin_motion,
    past_chains,
)

N, FRICTION, INTERVAL, ROWS = 40, 2.0, 0.1, 16_385
CHARGE = np.tile([1.0, -1.0], N // 2)
FRAMES = log_spaced_steps(64, block=256)
EXACT = N / EDGE**3 / FRICTION


def free_ions(charge=CHARGE, seed=0):
    """Ions that know of nothing but their bath."""
    motion = langevin_motion(ROWS, N, FRICTION, INTERVAL, np.random.default_rng(seed))
    return ionic_run(*motion, charge, FRAMES, INTERVAL)


@pytest.fixture(scope='module')
def free():
    return free_ions()


@pytest.fixture(scope='module')
def found(free):
    return Conductivity(drift='keep').compute(free)


def caged_ions(rows=16_385, seed=0):
    """Ions that diffuse out of cages."""
    motion = caged_motion(rows, N, INTERVAL, np.random.default_rng(seed))
    return without(ionic_run(*motion, CHARGE, FRAMES[rows > FRAMES], INTERVAL), 'current')


def test_current_relaxation_time_is_that_of_the_cage():
    found = Conductivity().compute(caged_ions())
    assert found.relaxation_time.low < CAGE_TIME
    assert found.relaxation_time.high > CAGE_TIME
    assert found.relaxation_time.high < 6 * found.relaxation_time.low
    exact = N * CAGED_DIFFUSION / EDGE**3 / KT
    assert held_by(found.conductivity, exact)
    assert held_by(found.einstein, exact)


def test_a_run_shorter_than_its_relaxation_has_a_verdict():
    found = Conductivity().compute(caged_ions(385))
    assert 'too short' in found.conductivity.verdict or 'linear' in found.conductivity.verdict


def without(run, *kinds):
    return replace(run, thermo={k: v for k, v in run.thermo.items() if not k.startswith(kinds)})


def held_by(estimate, truth):
    """Whether the interval, twice as wide, holds it."""
    half = (estimate.high - estimate.low) / 2
    return not estimate.verdict and abs(truth - (estimate.low + estimate.high) / 2) < 2 * half


def test_free_ions(found):
    for estimate in (found.conductivity, found.einstein, found.nernst_einstein):
        assert held_by(estimate, EXACT)
    assert held_by(found.haven_ratio, 1)
    assert held_by(found.transference, 0.5)
    for estimate in found.diffusion.values():
        assert held_by(estimate, KT / FRICTION)
    assert found.haven_ratio.high / found.haven_ratio.low < 1.5
    json.loads(to_json(found), parse_constant=pytest.fail)


def test_spectrum_of_free_ions(found):
    """The real part of sigma/(1 + i w/friction)."""
    curve = found.spectrum
    exact = EXACT / (1 + (curve.x / FRICTION) ** 2)
    inside = (curve.low <= exact) & (exact <= curve.high)
    assert curve.x[-1] > 3 * FRICTION
    assert inside.mean() > 0.8
    fast = curve.x > 1
    assert curve.value[fast] == pytest.approx(exact[fast], rel=0.12)


def test_a_current_without_a_dip_has_no_relaxation_time(found):
    assert found.relaxation_time.value is None
    assert 'does not rise' in found.relaxation_time.verdict


def test_the_unit_of_charge_does_not_matter(found):
    """HOOMD has sqrt(l_B) for 1 in its files; the log is in units of 1."""
    run = free_ions()
    topology = replace(run.topology, charge=5.5 * run.topology.charge)
    run.trajectory.topology = topology
    scaled = Conductivity(drift='keep').compute(run)
    assert scaled.conductivity == found.conductivity
    assert scaled.nernst_einstein.value == pytest.approx(found.nernst_einstein.value)
    assert any('unit of charge: 5.5' in each for each in scaled.remarks)


def test_charges_are_those_of_the_log():
    """Ions of 0.8 e, or of 2 e of both signs: no ion has the unit."""
    run = free_ions(0.8 * CHARGE)
    whole = Conductivity(drift='keep').compute(run)
    assert held_by(whole.nernst_einstein, 0.64 * EXACT)
    assert held_by(whole.conductivity, 0.64 * EXACT)
    assert held_by(whole.haven_ratio, 1)
    assert any('unit of charge: 1 in' in each for each in whole.remarks)


def test_a_log_of_another_run_is_refused(free):
    other = free_ions(seed=1)
    with pytest.raises(UserError, match='both of one run'):
        Conductivity().compute(replace(free, thermo=other.thermo))


def test_a_log_of_another_box_is_refused(free):
    thermo = {**free.thermo, 'volume': 2 * free.thermo['volume']}
    with pytest.raises(UserError, match='volume'):
        Conductivity().compute(replace(free, thermo=thermo))


def test_a_volume_that_drifts_has_a_verdict(free, found):
    thermo = {**free.thermo, 'volume': free.thermo['volume'] * np.linspace(1, 1.03, ROWS)}
    drifting = Conductivity(drift='keep').compute(replace(free, thermo=thermo))
    for name in ('conductivity', 'einstein', 'nernst_einstein', 'haven_ratio'):
        assert 'the volume drifts by 1.5 %' in getattr(drifting, name).verdict
        assert not getattr(found, name).verdict


def test_equipartition(free, found):
    """<J J>/(3 V kT) = sum q^2/(m V); another mass, or charge of the currents, is found out."""
    assert not found.conductivity.verdict
    run = replace(free, thermo={
        k: 2 * v if k.startswith('current') else v
        for k, v in free.thermo.items()
    })  # fmt: skip
    assert 'is 4.' in Conductivity().compute(run).conductivity.verdict


def test_ions_that_move_in_pairs_conduct_nothing():
    """Each pair as one: sigma is 0, and Nernst and Einstein do not see it."""
    velocity, positions = langevin_motion(4097, N, FRICTION, INTERVAL, np.random.default_rng(1))
    paired = [np.repeat(each[:, ::2], 2, axis=1) for each in (velocity, positions)]
    generator = np.random.default_rng(2)
    paired[1] = paired[1] + 0.1 * generator.normal(size=paired[1].shape)
    run = ionic_run(*paired, CHARGE, FRAMES[FRAMES < 4097], INTERVAL)
    result = Conductivity().compute(run)
    assert result.einstein.value is None or result.einstein.value < 0.01 * EXACT
    assert held_by(result.nernst_einstein, EXACT * (1 - 1 / N))


def test_haven_ratio_of_ions_that_move_together_to_a_part():
    motion = in_pairs(langevin_motion(ROWS, N, FRICTION, INTERVAL, np.random.default_rng(4)), 0.5)
    run = without(ionic_run(*motion, CHARGE, FRAMES, INTERVAL), 'current')
    result = Conductivity(drift='keep').compute(run)
    assert held_by(result.haven_ratio, 2)
    assert held_by(result.einstein, EXACT / 2)
    assert held_by(result.nernst_einstein, EXACT)


def test_chains_that_creep_do_not_make_free_cations_doubtful():
    """Anions on chains creep, and their sum does not: the cations carry it all."""
    generator = np.random.default_rng(1)
    cations = langevin_motion(ROWS, N // 2, FRICTION, INTERVAL, generator)
    motion = past_chains(cations, INTERVAL, generator)
    run = without(ionic_run(*motion, CHARGE, FRAMES, INTERVAL, bonds_of_chains(N)), 'current')
    result = Conductivity(drift='keep').compute(run)
    for estimate in (result.nernst_einstein, result.haven_ratio):
        assert 'linear' in estimate.verdict
    assert held_by(result.conductivity, EXACT / 2)
    assert held_by(result.einstein, EXACT / 2)


def test_transference_by_masses_alone():
    """Light cations beside a rigid polymer, whose momentum is theirs turned round."""
    masses = np.tile([1.0, 3.0], N // 2)
    _, cations = langevin_motion(2049, N // 2, FRICTION, INTERVAL, np.random.default_rng(3))
    polymer = -cations.sum(axis=1, keepdims=True) / 3 / (N // 2)
    positions = np.stack([cations, np.repeat(polymer, N // 2, axis=1)], axis=2)
    positions = positions.reshape(3, N, -1)
    run = ionic_run(np.diff(positions, axis=2, append=0.0), positions, CHARGE,
                    FRAMES[FRAMES < 2049], INTERVAL)  # fmt: skip
    run.trajectory.topology = replace(run.topology, mass=masses)
    result = Conductivity().compute(run)
    assert any('carry 0.750 of it' in each and '0.750 follows' in each for each in result.remarks)


def test_ions_of_more_charge_have_a_larger_share():
    charge = np.tile([2.0, -1.0, -1.0], 13)
    motion = langevin_motion(ROWS, len(charge), FRICTION, INTERVAL, np.random.default_rng(0))
    run = ionic_run(*motion, charge, FRAMES, INTERVAL)
    assert held_by(Conductivity(drift='keep').compute(run).transference, 4 / 6)


def test_logs_of_older_versions(free, found):
    """What can be had without the columns is had, and what cannot be says why."""
    currents = Conductivity(drift='keep').compute(without(free, 'cation', 'anion'))
    assert held_by(currents.conductivity, EXACT)
    assert any('counts as slow' in each for each in currents.remarks)
    assert held_by(currents.einstein, EXACT)
    none = Conductivity(drift='keep').compute(without(free, 'cation', 'anion', 'current'))
    assert none.conductivity.value is None
    assert 'the log does not say' in none.conductivity.verdict
    assert none.einstein == currents.einstein
    assert len(none.spectrum.x) == 0
    assert none.diffusion == found.diffusion


def test_rows_that_are_far_apart_do_not_make_fast_motion_slow(free):
    """Of currents at rows dt apart, x/2 coth(x/2) with x = dt friction is left of sigma."""
    far = replace(free, thermo={k: v[::10] for k, v in free.thermo.items()})
    x = 10 * INTERVAL * FRICTION
    means, alone = (ChargeMotion.of(run) for run in (far, without(far, 'cation', 'anion')))
    assert held_by(Conductivity(drift='keep').compute(far).conductivity, EXACT)
    slow = slice(1, 80)
    power = [
        (np.abs(np.fft.rfft(each.mean_currents)[:, slow]) ** 2).sum() for each in (means, alone)
    ]
    assert power[1] / power[0] == pytest.approx(x / 2 / np.tanh(x / 2), rel=0.1)


def test_rows_of_an_older_version_in_front(free, found):
    log = dict(free.thermo)
    for name in log:
        if name.startswith(('current', 'cation', 'anion')):
            log[name] = np.where(np.arange(ROWS) < 101, np.nan, log[name])
    result = Conductivity(drift='keep').compute(replace(free, thermo=log))
    assert held_by(result.conductivity, EXACT)
    assert any('the first 101 rows' in each for each in result.remarks)
    assert result.nernst_einstein == found.nernst_einstein


def test_what_log_and_frames_have_in_common(free):
    half = replace(free, thermo={k: v[: ROWS // 2] for k, v in free.thermo.items()})
    result = Conductivity(drift='keep').compute(half)
    assert held_by(result.conductivity, EXACT)
    assert any('50 % of the time of the frames' in each for each in result.remarks)
    assert not any('is not checked' in each for each in result.remarks)
    between = replace(free, thermo={k: v[5::8] for k, v in free.thermo.items()})
    result = Conductivity(drift='keep').compute(between)
    assert any('is not checked' in each for each in result.remarks)


def test_verdicts(free):
    production = replace(free.production, verdict='drifts')
    result = Conductivity().compute(replace(free, production=production))
    assert 'drifts' in result.conductivity.verdict
    few = replace(free, thermo={k: v[::500] for k, v in free.thermo.items()})
    assert 'too short: 33 rows' in Conductivity().compute(few).conductivity.verdict


def test_arrested_charges():
    """Ions in cages never move on."""
    kicks = np.random.default_rng(5).normal(size=(3, N, 4097))
    positions = lfilter([0.1], [1, -0.99], kicks)
    run = ionic_run(np.diff(positions, append=0.0) / INTERVAL, positions, CHARGE,
                    FRAMES[FRAMES < 4097], INTERVAL)  # fmt: skip
    result = Conductivity().compute(without(run, 'current'))
    told = (result.conductivity, result.einstein, result.nernst_einstein, result.haven_ratio)
    assert all('not linear' in estimate.verdict for estimate in told)


def test_frames_alone_give_what_they_hold(free, found):
    """Runs of others have no thermo log."""
    result = Conductivity(drift='keep').compute(replace(free, thermo=None))
    assert held_by(result.einstein, EXACT)
    assert held_by(result.haven_ratio, 1)
    assert result.nernst_einstein == found.nernst_einstein
    for estimate in (result.conductivity, result.relaxation_time):
        assert estimate.value is None
        assert '--thermo' in estimate.verdict


def of_frames(charge, **given):
    """Measure free ions of some charges, in the units of the file, from their frames alone."""
    run = replace(free_ions(charge), thermo=None)
    return Conductivity(drift='keep', **given).compute(run)


def test_without_a_log_the_unit_of_charge_is_that_of_the_file_or_is_named(found):
    """Scaled charges, and salts of divalent ions alone, have no ion of 1 e."""
    one = found.nernst_einstein.value
    for factor in (0.8, 2.0):
        scaled = of_frames(factor * CHARGE)
        assert scaled.nernst_einstein.value == pytest.approx(factor**2 * one)
        assert any(f'Li {factor:g}, S {-factor:g}' in each for each in scaled.remarks)
        named = of_frames(factor * CHARGE, charge_unit=factor)
        assert named.nernst_einstein.value == pytest.approx(one)
        assert named.einstein.value == pytest.approx(scaled.einstein.value / factor**2)
    with pytest.raises(UserError, match='unit of charge 0'):
        of_frames(CHARGE, charge_unit=0.0)


def test_ions_may_be_named(found):
    """GRO and XTC files hold no charges: 1 and -1 are assumed, and said."""
    run = replace(free_ions(0 * CHARGE), thermo=None)
    run.trajectory.topology = replace(
        run.topology, type_names=('S', 'Li'), typeid=np.tile([1, 0], N // 2)
    )
    result = Conductivity(('Li',), ('S',), drift='keep').compute(run)
    assert result.nernst_einstein.value == pytest.approx(found.nernst_einstein.value)
    assert any('1 and -1 are assumed' in each for each in result.remarks)
    assert any('0.500 follows from the masses' in each for each in result.remarks)


def test_a_core_and_its_shell_are_one_ion(found):
    """By themselves charges of 3 and -2 would carry 13 times as much as their sum."""
    run = replace(free_ions(), thermo=None)
    positions = np.array([run.trajectory.read(k).unwrapped for k in range(len(FRAMES))])
    core, shell = np.repeat(positions, 2, axis=1)[:, ::2], positions + 0.01
    charge = np.concatenate([3 * CHARGE, -2 * CHARGE])
    trajectory = ArrayTrajectory(
        np.concatenate([core, shell], axis=1), EDGE, charge=charge, steps=FRAMES,
        bonds=np.arange(2 * N).reshape(2, N).T, typeid=np.repeat([0, 1], N),
        type_names=('ion', 'shell'), time_step=run.time_step,
    )  # fmt: skip
    shelled = Conductivity(shells=('shell',), drift='keep').compute(Run(trajectory, kT=KT))
    assert shelled.nernst_einstein.value == pytest.approx(found.nernst_einstein.value)
    sites = Conductivity(shells=(), drift='keep').compute(Run(trajectory, kT=KT))
    assert any(f'{N} bonds join two ions' in each for each in sites.remarks)


def test_a_net_charge_is_told():
    """What drifts carries it along."""
    result = of_frames(np.where(np.arange(N) < 4, 1.0, CHARGE))
    for estimate in (result.einstein, result.haven_ratio):
        assert 'net charge of 4' in estimate.verdict
    assert not result.nernst_einstein.verdict
    assert not any('follows from the masses' in each for each in result.remarks)


@pytest.mark.parametrize(('missing', 'told'), [('kT', '--kT'), ('time', '--time-step')])
def test_bad_input(free, missing, told):
    run = replace(free, kT=None) if missing == 'kT' else free
    if missing == 'time':
        run = Run(ArrayTrajectory(np.zeros((8, N, 3)), EDGE, charge=CHARGE), free.thermo, kT=KT)
    with pytest.raises(UserError, match=told):
        Conductivity().compute(run)


def test_no_ions(free):
    run = free_ions(np.ones(N))
    assert not Conductivity().applies_to(run.topology)
    with pytest.raises(UserError, match='no ions'):
        Conductivity().compute(run)


def test_paths_of_rows_are_those_of_all_origins():
    n, n_blocks = 400, 8
    path = np.cumsum(np.random.default_rng(6).normal(size=(3, n)), axis=1)
    lags, sums, counts = squared_displacements(path, n_blocks)
    far = lags >= 20
    given = (lags[far].astype(float), counts[:, far], float(n))
    expected, paths = shared_paths(*given), paths_of_rows(*given)
    assert paths.of_lags == pytest.approx(expected.of_lags, rel=0.02)
    largest = np.abs(expected.of_deviations).max()
    assert paths.of_deviations == pytest.approx(expected.of_deviations, abs=0.01 * largest)
    lag = int(lags[5])
    squared = ((path[:, lag:] - path[:, :-lag]) ** 2).sum(axis=0)
    assert sums[:, 5].sum() == pytest.approx(squared.sum())
    assert sums[2, 5] == pytest.approx(squared[100:150].sum())
    assert counts[:, 5].sum() == len(squared)


def test_a_ratio_to_itself_has_no_error():
    path = np.cumsum(np.random.default_rng(7).normal(size=(3, 4000)), axis=1)
    lags, sums, counts = squared_displacements(path, 8)
    time = lags.astype(float)
    paths = paths_of_rows(time, counts, 4000.0)
    regime = linear_regime(time, sums, counts, paths)
    twice = linear_regime(time, 2 * sums, counts, paths)
    logarithm, half, worth = ratio(twice, regime)
    assert logarithm == pytest.approx(np.log(2))
    assert half < 1e-6
    assert worth == regime.diffusion.n_effective


def test_ions_that_are_arrested_write_nothing_else(free, capfd):
    """LAPACK complains of a spectrum of zeros, on the standard output, where the result is."""
    still = {k: 0 * v if k.startswith(('current', 'cation', 'anion')) else v
             for k, v in free.thermo.items()}  # fmt: skip
    positions = np.repeat(free.trajectory.read(0).positions[None], len(FRAMES), axis=0)
    trajectory = ArrayTrajectory(
        positions, EDGE, charge=CHARGE, steps=FRAMES, time_step=free.time_step
    )
    run = replace(free, trajectory=trajectory, thermo=still)
    assert 'the series is 0' in Conductivity().compute(run).conductivity.verdict
    assert capfd.readouterr().out == ''
