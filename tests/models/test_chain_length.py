"""Moments of the distributions of chain lengths."""

from __future__ import annotations

import numpy as np
import pytest

from models.chain_length import Monodisperse, SchulzZimm, draw_chain_lengths


def test_monodisperse() -> None:
    lengths = draw_chain_lengths(Monodisperse(), 7, 20, np.random.default_rng(1))
    np.testing.assert_array_equal(lengths, np.full(7, 20))


@pytest.mark.parametrize('dispersity', [1.05, 1.5, 2.0, 3.0])
def test_schulz_zimm_moments(dispersity: float) -> None:
    chains, mean = 40_000, 100
    spec = SchulzZimm(kind='schulz_zimm', dispersity=dispersity)
    lengths = draw_chain_lengths(spec, chains, mean, np.random.default_rng(3))
    assert lengths.sum() == chains * mean
    assert lengths.min() >= 1
    assert np.mean(lengths**2) / mean**2 == pytest.approx(dispersity, rel=0.03)
    # third moment of the gamma distribution, which other distributions of that width lack
    third = dispersity * (2 * dispersity - 1)
    assert np.mean(lengths.astype(float) ** 3) / mean**3 == pytest.approx(third, rel=0.1)


@pytest.mark.parametrize(
    ('chains', 'mean', 'dispersity'), [(1, 5, 2.0), (10, 1, 2.0), (50, 3, 4.0), (1, 2, 500.0)]
)
def test_mean_is_exact_for_few_and_short_chains(chains: int, mean: int, dispersity: float) -> None:
    spec = SchulzZimm(kind='schulz_zimm', dispersity=dispersity)
    for seed in range(20):
        lengths = draw_chain_lengths(spec, chains, mean, np.random.default_rng(seed))
        assert lengths.sum() == chains * mean
        assert lengths.min() >= 1
