"""S(q) of an ideal gas and of a crystal."""

import numpy as np
import pytest

from analysis.io.array_trajectory import ArrayTrajectory
from analysis.observables.structure_factor import StructureFactor
from analysis.sampling.main_peak import main_peak
from tests.analysis.builders import run_of


def crystal(n_frames, size, spacing=1.0):
    """A simple cubic crystal of thermal particles."""
    generator = np.random.default_rng(2)
    edges = (np.arange(size) - size / 2) * spacing
    lattice = np.stack(np.meshgrid(edges, edges, edges), axis=-1).reshape(-1, 3)
    noise = generator.normal(0, 0.05 * spacing, (n_frames, size**3, 3))
    return ArrayTrajectory(lattice + noise, size * spacing)


def test_ideal_gas():
    positions = np.random.default_rng(1).uniform(-5, 5, (4, 800, 3))
    found = StructureFactor().compute(run_of(ArrayTrajectory(positions, 10.0)))
    assert found.curve.value.mean() == pytest.approx(1, abs=0.05)
    assert found.peak.value is None
    assert 'no main peak' in found.peak.verdict


def test_ideal_gas_is_1_within_its_errors():
    positions = np.random.default_rng(3).uniform(-5, 5, (20, 300, 3))
    found = StructureFactor().compute(run_of(ArrayTrajectory(positions, 10.0)))
    curve = found.curve
    assert found.n_frames == 20
    assert curve.value.mean() == pytest.approx(1, abs=0.03)
    assert 0.85 <= np.mean((curve.low <= 1) & (curve.high >= 1)) <= 1
    # Each of some twenty vectors in twenty frames gives 1 with a deviation of 1.
    assert np.median(curve.high - curve.low) == pytest.approx(4 / np.sqrt(400), rel=0.2)


@pytest.mark.parametrize('spacing', [1.0, 1.7])
def test_simple_cubic_crystal_peaks_at_its_first_reflection(spacing):
    trajectory = crystal(4, 8, spacing)
    found = StructureFactor().compute(run_of(trajectory))
    assert found.peak.value == pytest.approx(2 * np.pi / spacing, rel=0.03)
    peak, reason = main_peak(trajectory, np.arange(4))
    assert peak == found.peak.value
    assert reason == ''
    top = found.curve.x[np.argmax(found.curve.value)]
    assert top == pytest.approx(2 * np.pi / spacing, rel=0.03)


def test_a_box_of_one_particle_has_no_wave_vectors():
    found = StructureFactor().compute(run_of(ArrayTrajectory(np.zeros((5, 1, 3)), 4.0)))
    assert found.peak.value is None
    assert 'too small' in found.peak.verdict
