"""Averages of logs that are known exactly."""

import numpy as np
import pytest

from analysis.io.array_trajectory import ArrayTrajectory
from analysis.observables.thermodynamics import Thermodynamics
from analysis.sampling.production import Production
from analysis.sampling.run import Run

N, ROWS = 5, 400


def log_of(volume):
    """Of N beads at kT = 1.5 without momentum of the whole, with noise whose mean is 0."""
    generator = np.random.default_rng(0)
    noise = generator.normal(0, 0.1, (3, ROWS))
    noise -= noise.mean(axis=1, keepdims=True)
    return {
        'volume': volume,
        'kinetic_energy': 1.5 * 3 * (N - 1) / 2 + noise[0],
        'potential_energy': -2.0 * N + noise[1],
        'pressure_xx': 1.0 + noise[2],
        'pressure_yy': np.full(ROWS, 2.0),
        'pressure_zz': np.full(ROWS, 6.0),
    }


def measure(volume, **given):
    trajectory = ArrayTrajectory(np.zeros((1, N, 3)), 5.0)
    return Thermodynamics().compute(Run(trajectory, log_of(volume), **given))


def test_means_are_per_bead_and_without_momentum_of_the_whole():
    found = measure(np.full(ROWS, 50.0))
    assert found.temperature.value == pytest.approx(1.5)
    assert found.pressure.value == pytest.approx(3.0)
    assert found.potential_energy_per_bead.value == pytest.approx(-2.0)
    for each in (found.temperature, found.pressure, found.potential_energy_per_bead):
        assert each.is_converged
    # A given density is what it is.
    assert (found.density.low, found.density.value, found.density.high) == (0.1, 0.1, 0.1)


def test_density_is_that_of_the_equilibration_at_constant_pressure():
    volume = 25.0 / np.random.default_rng(1).uniform(0.9, 1.1, 300)
    found = measure(np.full(ROWS, 50.0), equilibration_volume=volume).density
    assert found.value == pytest.approx(np.mean(N / volume))
    assert found.low < 0.2 < found.high


def test_a_temperature_of_a_bath_is_doubted_only_where_it_is_off():
    """A slow thermostat leaves few independent values of it, and a drifting energy does not."""
    log = log_of(np.full(ROWS, 50.0))
    time = np.arange(ROWS)
    log['kinetic_energy'] = 9.0 + np.sin(2 * np.pi * time / (ROWS / 3))
    log['potential_energy'] = log['potential_energy'] + time / 100
    drifts = Production(first_row=300, verdict='not equilibrated: it still drifts')
    trajectory = ArrayTrajectory(np.zeros((1, N, 3)), 5.0)
    found = Thermodynamics().compute(Run(trajectory, log, drifts, kT=1.5))
    assert found.temperature.value == pytest.approx(1.5, rel=0.01)
    assert not found.temperature.against
    assert found.potential_energy_per_bead.verdict == found.pressure.verdict == drifts.verdict
    off = Thermodynamics().compute(Run(trajectory, log_of(np.full(ROWS, 50.0)), drifts, kT=1.6))
    assert 'the bath, 1.6' in off.temperature.verdict
