"""g(r) of an ideal gas, of very few particles, and of a crystal."""

import numpy as np
import pytest

from analysis.io.array_trajectory import ArrayTrajectory
from analysis.observables.pair_correlation import PAIRS, PairCorrelation
from tests.analysis.builders import run_of


def measure(positions, box, charge=None):
    trajectory = ArrayTrajectory(positions, box, charge=charge)
    return PairCorrelation().compute(run_of(trajectory))


def mean_over_volume(curve):
    return np.average(curve.value, weights=curve.x**2)


def test_ideal_gas_is_1_within_its_errors():
    generator = np.random.default_rng(1)
    positions = generator.uniform(-5, 5, (20, 1000, 3))
    found = measure(positions, 10.0, np.tile([1.0, -1.0], 500))
    assert set(found.curves) == set(PAIRS)
    assert found.n_frames == 20
    for curve in found.curves.values():
        assert mean_over_volume(curve) == pytest.approx(1, abs=0.015)
        filled = curve.x > 1
        inside = (curve.low <= 1) & (curve.high >= 1)
        assert 0.9 <= inside[filled].mean() <= 0.99


def test_few_particles_are_relative_to_the_others():
    """N - 1 of them: relative to N, g would be 2/3 for three ions of a kind, 5/6 for all six."""
    box, n_frames, charge = 6.0, 20, np.array([1.0, 1, 1, -1, -1, -1])
    pairs = {pair: np.triu_indices(6, 1) for pair in PAIRS}
    pairs |= {
        'cation-cation': np.triu_indices(3, 1),
        'anion-anion': tuple(3 + k for k in np.triu_indices(3, 1)),
        'cation-anion': tuple(k.ravel() for k in np.meshgrid([0, 1, 2], [3, 4, 5])),
    }
    generator = np.random.default_rng(2)
    means = {pair: [] for pair in PAIRS}
    for _ in range(10):
        positions = generator.uniform(-3, 3, (n_frames, 6, 3))
        for pair, curve in measure(positions, box, charge).curves.items():
            means[pair].append(mean_over_volume(curve))
            # By hand: the share of the pairs within reach, over that of the volume.
            reach = curve.x[-1] + curve.x[0]
            first, second = pairs[pair]
            apart = positions[:, first] - positions[:, second]
            distance = np.linalg.norm(apart - box * np.rint(apart / box), axis=-1)
            expected = (distance < reach).mean() / (4 / 3 * np.pi * reach**3 / box**3)
            assert means[pair][-1] == pytest.approx(expected, abs=1e-3), pair
    for pair, values in means.items():
        error = np.std(values) / np.sqrt(len(values))
        assert error < 0.06, pair
        assert np.mean(values) == pytest.approx(1, abs=4 * error), pair


def test_one_ion_of_a_kind_has_no_like_pairs():
    generator = np.random.default_rng(3)
    found = measure(generator.uniform(-3, 3, (5, 3, 3)), 6.0, np.array([1.0, -1, -1]))
    assert set(found.curves) == {'all', 'cation-anion', 'anion-anion'}
    assert set(measure(np.zeros((5, 1, 3)), 6.0).curves) == set()


def test_a_polarisable_neutral_liquid_has_no_ions():
    generator = np.random.default_rng(5)
    cores = generator.uniform(-3, 3, (4, 20, 1, 3))
    shells = cores + generator.normal(0, 0.01, cores.shape)
    source = ArrayTrajectory(
        np.concatenate([cores, shells], axis=2).reshape(4, 40, 3),
        6.0,
        charge=np.tile([1.5, -1.5], 20),
        bonds=np.arange(40).reshape(-1, 2),
    )
    source.topology.mass[1::2] = 0.01
    assert set(PairCorrelation().compute(run_of(source)).curves) == {'all'}


def test_rock_salt_peaks_at_its_neighbours():
    generator = np.random.default_rng(4)
    sites = np.stack(np.meshgrid(*[np.arange(8)] * 3, indexing='ij'), axis=-1).reshape(-1, 3)
    positions = sites - 4.0 + generator.normal(0, 0.03, (8, 512, 3))
    found = measure(positions, 8.0, (-1.0) ** sites.sum(axis=1))
    for pair, distance in (
        ('cation-anion', 1.0),
        ('cation-cation', np.sqrt(2)),
        ('anion-anion', np.sqrt(2)),
    ):
        peak = found.peaks[pair]
        assert peak.value == pytest.approx(distance, abs=0.04), pair
        assert peak.low <= distance <= peak.high
        assert peak.high - peak.low < 0.2
    # Between the shells there is nothing.
    curve = found.curves['cation-anion']
    assert curve.value[(curve.x > 1.2) & (curve.x < 1.5)].max() == 0


def test_nothing_within_reach_has_no_peak():
    # Far apart in a long box, whose shortest edge is the reach.
    positions = np.zeros((6, 2, 3))
    positions[:, 1, 0] = 20.0
    (quantity,) = PairCorrelation().quantities(measure(positions, [40.0, 4.0, 4.0]))
    assert quantity.estimate.value is None
    assert 'within reach' in quantity.estimate.verdict
