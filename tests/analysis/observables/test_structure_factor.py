"""S(q) of an ideal gas and of a crystal."""

import numpy as np
import pytest

from analysis.io.array_trajectory import ArrayTrajectory
from analysis.observables.structure_factor import StructureFactor
from tests.analysis.builders import run_of


def test_ideal_gas():
    positions = np.random.default_rng(1).uniform(-5, 5, (4, 800, 3))
    found = StructureFactor().compute(run_of(ArrayTrajectory(positions, 10.0)))
    assert found.curve.value.mean() == pytest.approx(1, abs=0.05)
    assert found.peak.value is None
    assert 'no main peak' in found.peak.verdict


def test_simple_cubic_crystal_peaks_at_its_first_reflection():
    generator = np.random.default_rng(2)
    edges = np.arange(8) - 4.0
    lattice = np.stack(np.meshgrid(edges, edges, edges), axis=-1).reshape(-1, 3)
    positions = lattice + generator.normal(0, 0.05, (4, 512, 3))
    found = StructureFactor().compute(run_of(ArrayTrajectory(positions, 8.0)))
    assert found.peak.value == pytest.approx(2 * np.pi, rel=0.03)
