"""A Maxwell fluid: Ornstein-Uhlenbeck stress has G(t), G' and G'' in closed form."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter

from analysis.estimators.maxwell_spectrum import (
    MaxwellSpectrum,
    Modes,
    complex_modulus_of,
    maxwell_spectrum,
)
from analysis.estimators.stress_modulus import independent_stresses, relaxation_modulus
from analysis.estimators.viscoelasticity import (
    complex_modulus,
    positive_estimate,
    rouse_modulus,
)
from analysis.io.array_trajectory import ArrayTrajectory
from analysis.observables.stress_relaxation import (
    StressRelaxation,
    linear_viscoelasticity,
    reptate_text,
    stress_relaxation,
)
from analysis.sampling.production import Production
from analysis.sampling.run import Run
from analysis.serialise import to_json
from user_input import UserError

G0, TAU, INTERVAL, VOLUME, KT = 3.0, 2.0, 0.1, 50.0, 1.5


def maxwell_fluid(n, seed=0, modulus=G0, tau=TAU):
    """Pressure of a Maxwell fluid at even intervals, with isotropic fluctuations on top."""
    generator = np.random.default_rng(seed)
    memory = np.exp(-INTERVAL / tau)

    def series(variance):
        noise = generator.normal(size=n) * np.sqrt(variance * (1 - memory**2))
        noise[0] = generator.normal() * np.sqrt(variance)
        return lfilter([1], [1, -memory], noise)

    shear = modulus * KT / VOLUME  # of each off-diagonal component
    pressure = {name: series(shear) for name in ('xy', 'xz', 'yz')}
    # A random symmetric tensor is isotropic with diagonals of twice the variance, less the trace.
    diagonal = np.array([series(2 * shear) for _ in range(3)])
    diagonal += generator.normal(0, 0.5, n) + 0.3
    return pressure | dict(zip(('xx', 'yy', 'zz'), diagonal, strict=True))


def exact(frequency):
    x = frequency * TAU
    return G0 * x**2 / (1 + x**2), G0 * x / (1 + x**2), 1 / (frequency * np.sqrt(1 + x**2)) * x


def test_transform_of_an_exact_curve():
    time = np.concatenate([[0], np.geomspace(0.002, 60, 400)])
    frequency = np.geomspace(0.02, 20, 9)
    found = complex_modulus(time, G0 * np.exp(-time / TAU), frequency)
    storage, loss, _ = exact(frequency)
    assert found.real == pytest.approx(storage, rel=5e-3, abs=1e-3)
    assert found.imag == pytest.approx(loss, rel=5e-3)


def test_maxwell_fluid():
    found = linear_viscoelasticity(maxwell_fluid(200_000), VOLUME, KT, INTERVAL)
    assert not found.verdict
    early = found.modulus.x < 2 * TAU
    truth = G0 * np.exp(-found.modulus.x / TAU)
    assert found.modulus.value[early] == pytest.approx(truth[early], abs=0.05 * G0)
    assert found.cut > 2 * TAU
    storage, loss, segmental = exact(found.storage.x)
    assert found.storage.x[0] < 1 / (2 * TAU)
    assert found.storage.x[-1] > 2
    assert found.storage.value == pytest.approx(storage, abs=0.07 * G0)
    assert found.loss.value == pytest.approx(loss, abs=0.07 * G0)
    assert found.segmental_time.value == pytest.approx(segmental, rel=0.3)
    json.loads(to_json(found), parse_constant=pytest.fail)


def test_intervals_cover_the_modulus():
    inside = []
    for seed in range(40):
        found = relaxation_modulus(maxwell_fluid(8000, seed), VOLUME, KT, INTERVAL)
        truth = G0 * np.exp(-found.time / TAU)
        inside.append((found.low <= truth) & (truth <= found.high))
    early = found.time < 3 * TAU
    assert 0.85 <= np.mean([each[early] for each in inside]) <= 0.99


def test_intervals_of_modes_cover_the_moduli():
    """Coverage over more draws: validation/sections/rheology.py."""
    inside, frequency = [], np.array([0.1, 1.0])
    truth = exact(frequency)

    def moduli(g, times):
        found = complex_modulus_of(g, times, frequency)
        return np.concatenate([found.real, found.imag])

    for seed in range(40):
        stresses = independent_stresses(maxwell_fluid(4000, seed))
        _, low, high = maxwell_spectrum(stresses, VOLUME / KT, INTERVAL).estimate(moduli)
        inside.append((low < np.concatenate(truth[:2])) & (np.concatenate(truth[:2]) < high))
    assert np.all(np.mean(inside, axis=0) >= 0.85)


def test_a_run_that_is_too_short_for_its_time_has_verdicts():
    found = stress_relaxation(maxwell_fluid(1000, 3, tau=10.0), VOLUME, KT, INTERVAL)
    for estimate in (found.viscosity, found.longest_time, found.rheological_time):
        assert estimate.verdict
    assert 'too short' in found.longest_time.verdict


def test_an_interval_of_more_than_a_decade_is_of_no_use():
    wide = MaxwellSpectrum((one_mode(error=2.0),), 10.0).estimate(mean_time)
    narrow = MaxwellSpectrum((one_mode(error=0.1),), 10.0).estimate(mean_time)
    assert 'of no use' in positive_estimate(wide).interval_verdict
    assert positive_estimate(narrow).is_converged


def mean_time(moduli, times):
    return np.array([moduli @ times**2 / (moduli @ times)])


def one_mode(error):
    """Of modulus 1 and time 2, whose logarithms have an error."""
    parameters = np.array([-9.0, 0.0, np.log(2.0)])
    return Modes(parameters, np.eye(3) * error**2, 0.0, 0.0, ())


def test_every_component_counts_with_its_weight():
    """One component alone: G(0) is V/kT times its weight times its mean square."""
    n, wave = 4096, np.sqrt(2) * np.sin(np.arange(4096) * 2 * np.pi / 64)
    zero = {name: np.zeros(n) for name in ('xx', 'xy', 'xz', 'yy', 'yz', 'zz')}
    for name, weight in (('xy', 1 / 5), ('xz', 1 / 5), ('xx', 2 / 30), ('zz', 2 / 30)):
        found = linear_viscoelasticity(zero | {name: wave}, VOLUME, KT, INTERVAL)
        assert found.modulus.value[0] == pytest.approx(weight * VOLUME / KT, rel=1e-6)


def test_a_wave_of_shear_has_its_period_in_the_modulus():
    wave = np.sqrt(2) * np.sin(np.arange(65_536) * 2 * np.pi / 64)
    zero = {name: np.zeros(len(wave)) for name in ('xx', 'xy', 'xz', 'yy', 'yz', 'zz')}
    found = linear_viscoelasticity(zero | {'xy': wave}, VOLUME, KT, INTERVAL)
    early = found.modulus.x <= 32 * INTERVAL
    assert early.sum() > 15
    exact = VOLUME / KT / 5 * np.cos(found.modulus.x * 2 * np.pi / (64 * INTERVAL))
    # A lag that is off by one misses by 2 pi / 64 of the amplitude.
    assert found.modulus.value[early] == pytest.approx(exact[early], abs=0.02 * VOLUME / KT / 5)


def test_hydrostatic_pressure_does_not_count():
    pressure = maxwell_fluid(2000)
    shifted = pressure | {name: pressure[name] + np.arange(2000) for name in ('xx', 'yy', 'zz')}
    one, other = (linear_viscoelasticity(p, VOLUME, KT, INTERVAL) for p in (pressure, shifted))
    assert other.modulus.value == pytest.approx(one.modulus.value, abs=1e-6)


def test_noise_and_slowness_have_verdicts():
    generator = np.random.default_rng(4)
    names = ('xx', 'xy', 'xz', 'yy', 'yz', 'zz')
    noise = {name: generator.normal(size=2000) for name in names}
    assert 'lost in its noise' in linear_viscoelasticity(noise, VOLUME, KT, INTERVAL).verdict
    # One block has all of the stress: not even its mean square is above the noise.
    spike = {name: values * (np.arange(2000) == 7) for name, values in noise.items()}
    lost = linear_viscoelasticity(spike, VOLUME, KT, INTERVAL)
    assert lost.cut < 4 * INTERVAL
    assert 'lost in its noise' in lost.verdict
    slow = {name: np.cumsum(generator.normal(size=2000)) for name in names}
    assert linear_viscoelasticity(slow, VOLUME, KT, INTERVAL).verdict


def test_bad_input_is_refused():
    pressure = maxwell_fluid(100)
    with pytest.raises(UserError, match='kT'):
        linear_viscoelasticity(pressure, VOLUME, -1.0, INTERVAL)
    with pytest.raises(UserError, match='not finite'):
        linear_viscoelasticity(pressure | {'xy': np.full(100, np.nan)}, VOLUME, KT, INTERVAL)
    with pytest.raises(UserError, match='rows'):
        linear_viscoelasticity(maxwell_fluid(20), VOLUME, KT, INTERVAL)


def log_of(pressure):
    """As columns of a thermo log."""
    n = len(pressure['xy'])
    columns = {f'pressure_{name}': series for name, series in pressure.items()}
    return columns | {'step': np.arange(n) * 10, 'volume': np.full(n, VOLUME)}


def run_of_log(log, **given):
    return Run(thermo=log, kT=KT, given_time_step=INTERVAL / 10, **given)


def viscosity_of(run):
    quantity, *_ = StressRelaxation().quantities(StressRelaxation().compute(run))
    assert quantity.name == 'shear_viscosity'
    return quantity.estimate


@pytest.mark.parametrize(
    ('modes', 'rows'),
    [(((G0, TAU),), 2000), (((3.0, 0.5), (0.3, 10.0)), 20_000)],
    ids=['one mode', 'two modes'],
)
def test_viscosity_is_within_its_errors(modes, rows):
    """Coverage over more draws: validation/sections/intervals.py."""
    truth = sum(modulus * tau for modulus, tau in modes)
    found = []
    for seed in range(4):
        draws = [maxwell_fluid(rows, 2 * seed + k, *mode) for k, mode in enumerate(modes)]
        fluid = {name: sum(draw[name] for draw in draws) for name in draws[0]}
        found.append(viscosity_of(run_of_log(log_of(fluid))))
    values = np.array([estimate.value for estimate in found])
    errors = np.array([(estimate.high - estimate.value) / 1.96 for estimate in found])
    assert values.mean() == pytest.approx(truth, rel=0.12)
    in_errors = (values - truth) / errors
    assert 0.4 < np.sqrt(np.mean(in_errors**2)) < 1.8


def test_viscosity_needs_the_temperature_and_the_time_step():
    log = log_of(maxwell_fluid(500))
    with pytest.raises(UserError, match='--kT'):
        StressRelaxation().compute(Run(thermo=log, given_time_step=0.01))
    with pytest.raises(UserError, match='--time-step'):
        StressRelaxation().compute(Run(thermo=log, kT=KT))
    with pytest.raises(UserError, match='--thermo'):
        StressRelaxation().compute(Run(kT=KT, given_time_step=0.01))
    del log['pressure_yz']
    with pytest.raises(UserError, match="no column 'pressure_yz'"):
        StressRelaxation().compute(run_of_log(log))
    with pytest.raises(UserError, match='equal intervals'):
        StressRelaxation().compute(run_of_log(log_of(maxwell_fluid(500)) | {'step': LATE}))


def test_a_stress_that_is_constant_is_refused():
    log = log_of(maxwell_fluid(500))
    with pytest.raises(UserError, match="'pressure_yz' of the log is 0.1 in every row"):
        StressRelaxation().compute(run_of_log(log | {'pressure_yz': np.full(500, 0.1)}))


LATE = np.arange(500) * 10 + (np.arange(500) > 300)


def test_only_production_counts_and_its_verdict_is_carried():
    quiet = maxwell_fluid(8000)
    start = {name: np.where(np.arange(8000) < 500, 100.0, s) for name, s in quiet.items()}
    expected = viscosity_of(run_of_log(log_of({name: s[500:] for name, s in quiet.items()})))
    found = viscosity_of(run_of_log(log_of(start), production=Production(first_row=500)))
    assert found == expected
    assert not found.verdict
    # Where the energy never settles, no row is a better start than the first.
    drifting = Production(first_row=500, verdict='not equilibrated: it still drifts')
    found = StressRelaxation().compute(run_of_log(log_of(quiet), production=drifting))
    whole = viscosity_of(run_of_log(log_of(quiet)))
    assert found.viscosity.value == whole.value
    assert found.verdict == found.viscosity.verdict == drifting.verdict
    assert not found.viscosity.is_converged


FRICTION, BOND, BEADS, DENSITY = 2.0, 1.1, 12, 0.85


def rouse_time(p):
    """Stress relaxation time of mode p: half that of its amplitude."""
    return FRICTION * BOND**2 / (24 * KT * np.sin(p * np.pi / (2 * BEADS)) ** 2)


def test_rouse_chains_have_the_viscosity_of_the_closed_form():
    time = np.concatenate([[0], np.geomspace(1e-3, 40 * rouse_time(1), 4000)])
    found = np.trapezoid(rouse_modulus(time, BEADS, DENSITY, KT, rouse_time(1)), time)
    exact = DENSITY * FRICTION * BOND**2 * (BEADS**2 - 1) / (36 * BEADS)
    assert found == pytest.approx(exact, rel=1e-3)


def test_stress_of_rouse_chains():
    """Exact Ornstein-Uhlenbeck updates of the normal modes; stress 3 kT/b^2 sum k_p X_p X_p."""
    generator = np.random.default_rng(3)
    chains, rows, dt = 6, 40_000, 0.1
    volume = chains * BEADS / DENSITY
    pressure = dict.fromkeys(('xx', 'xy', 'xz', 'yy', 'yz', 'zz'), 0.0)
    for p in range(1, BEADS):
        memory = np.exp(-dt / (2 * rouse_time(p)))
        noise = generator.normal(size=(rows, chains, 3)) * np.sqrt(1 - memory**2)
        noise[0] = generator.normal(size=(chains, 3))
        mode = lfilter([1], [1, -memory], noise, axis=0)  # of unit variance
        for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)):
            name = 'xyz'[i] + 'xyz'[j]
            pressure[name] = pressure[name] - KT / volume * (mode[..., i] * mode[..., j]).sum(1)
    found = stress_relaxation(pressure, volume, KT, dt)
    exact = DENSITY * FRICTION * BOND**2 * (BEADS**2 - 1) / (36 * BEADS)
    assert found.viscosity.value == pytest.approx(exact, rel=0.12)
    early = found.modulus.x < rouse_time(1)
    truth = rouse_modulus(found.modulus.x, BEADS, DENSITY, KT, rouse_time(1))
    assert found.modulus.value[early] == pytest.approx(truth[early], abs=0.1 * truth[0])


def test_a_crossing_is_found_and_what_is_larger_is_said():
    found = linear_viscoelasticity(maxwell_fluid(40_000), VOLUME, KT, INTERVAL)
    assert found.crossings == pytest.approx([1 / TAU], rel=0.15)
    assert found.crossing.low < 1 / TAU < found.crossing.high
    assert found.loss_tangent.low > 1
    assert found.rheological_time.value == pytest.approx(TAU, rel=0.15)
    assert found.longest_time.value == pytest.approx(TAU, rel=0.25)
    (text,) = [each for each in StressRelaxation().notes(found) if 'crossings' in each]
    assert text.index("G'' exceeds G' from") < text.index("G' exceeds G'' from")


def test_fast_bonds_are_cut_and_change_no_time():
    slow, generator = maxwell_fluid(40_000), np.random.default_rng(5)
    wave = generator.normal(size=40_000) * np.sqrt(50 * KT / VOLUME)
    found = linear_viscoelasticity(slow | {'xy': slow['xy'] + wave}, VOLUME, KT, INTERVAL)
    assert found.begins >= INTERVAL
    assert found.rheological_time.value == pytest.approx(TAU, rel=0.25)


def test_an_arrested_network_has_bounds():
    frozen = {name: series + 0.5 for name, series in maxwell_fluid(4000).items()}
    frozen['xx'] = frozen['xx'] + 1.0
    found = linear_viscoelasticity(frozen, VOLUME, KT, INTERVAL)
    assert 'not relaxed' in found.verdict
    assert found.longest_time.is_bound
    assert found.longest_time.low > 10 * TAU
    assert found.rheological_time.is_bound


def test_a_strained_box_has_a_verdict():
    strained = ArrayTrajectory(np.zeros((2, 1, 3)), [9.0, 9.0, 10.0])
    run = replace(run_of_log(log_of(maxwell_fluid(500))), trajectory=strained)
    found = StressRelaxation().compute(run)
    assert 'not cubic' in found.verdict
    assert all(
        'not cubic' in each.estimate.verdict for each in StressRelaxation().quantities(found)
    )


@pytest.mark.parametrize(
    ('relative', 'told'),
    [
        (1 + 0.01 * np.random.default_rng(1).normal(size=500), ''),
        (1 + 0.03 * np.random.default_rng(1).normal(size=500), 'the volume fluctuates by '),
        (np.linspace(1, 1.03, 500), 'the volume drifts by 1.5 %'),
    ],
    ids=['small fluctuations', 'large ones', 'drift'],
)
def test_a_volume_that_changes_has_a_verdict(relative, told):
    log = log_of(maxwell_fluid(500))
    found = StressRelaxation().compute(run_of_log(log | {'volume': VOLUME * relative}))
    verdicts = [each.estimate.verdict for each in StressRelaxation().quantities(found)]
    assert all(('the volume' in each) == bool(told) and told in each for each in verdicts)


def test_export_for_reptate(tmp_path):
    file = tmp_path / 'melt.gt'
    found = replace(StressRelaxation(), reptate=file).compute(
        run_of_log(log_of(maxwell_fluid(4000)))
    )
    parameters, _, names, *rows = file.read_text().splitlines()
    assert parameters == 'gamma=1;kT=1.5;'
    assert names.split() == ['t', 'Gt']
    table = np.array([row.split() for row in rows], dtype=float)
    assert table[0] == pytest.approx([INTERVAL, found.modulus.value[1]])
    assert table[-1, 0] == pytest.approx(found.cut)
    assert file.read_text() == reptate_text(found, KT)
