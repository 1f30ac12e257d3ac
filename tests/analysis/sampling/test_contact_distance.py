"""g(r) between two groups, and its first minimum."""

import numpy as np
import pytest

from analysis.io.array_trajectory import ArrayTrajectory
from analysis.io.open_trajectory import open_trajectory
from analysis.sampling.contact_distance import find_first_minimum, pair_correlation
from tests.analysis.builders import frame, write_gsd


def test_ideal_gas_has_no_structure(tmp_path):
    generator = np.random.default_rng(7)
    frames = [frame(k, generator.uniform(-5, 5, (3000, 3)), 10) for k in range(10)]
    trajectory = open_trajectory(write_gsd(tmp_path / 'a.gsd', frames))
    found = pair_correlation(trajectory, np.arange(1000), np.arange(1000, 3000), np.arange(10))
    assert found.first_minimum is None
    assert found.verdict


def test_first_minimum_of_a_noisy_liquid():
    generator = np.random.default_rng(8)
    r = (np.arange(400) + 0.5) * 0.01
    g = (1 + 20 * np.exp(-(((r - 0.8) / 0.1) ** 2)) - 0.9 * np.exp(-(((r - 1.3) / 0.2) ** 2))
         + 0.5 * np.exp(-(((r - 1.9) / 0.2) ** 2))) * (r > 0.5)  # fmt: skip
    expected = 4000 * r**2
    noisy = generator.poisson(g * expected) / expected
    minimum, verdict = find_first_minimum(r, noisy, expected)
    assert minimum == pytest.approx(1.28, abs=0.08)
    assert not verdict


def test_every_frame_counts():
    positions = np.zeros((2, 2, 3))
    positions[:, 1, 0] = 0.5, 1.5
    found = pair_correlation(
        ArrayTrajectory(positions, 10.0), np.array([0]), np.array([1]), np.arange(2)
    )
    assert found.n_frames == 2
    r, g = found.curve.x, found.curve.value
    pairs = g * 4 * np.pi * r**2 * (r[1] - r[0]) / 10.0**3
    seen = np.flatnonzero(pairs)
    assert r[seen] == pytest.approx([0.5, 1.5], abs=r[1] - r[0])
    assert pairs[seen] == pytest.approx([0.5, 0.5], rel=0.01)  # one in two frames
