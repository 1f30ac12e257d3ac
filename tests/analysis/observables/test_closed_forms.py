"""Rotors and ideal chains drawn at random, whose correlations and sizes have a closed form."""

import numpy as np
import pytest

from analysis.io.array_trajectory import ArrayTrajectory
from analysis.observables.chain_sizes import ChainSizes
from analysis.observables.segmental_relaxation import SegmentalRelaxation
from tests.analysis.builders import log_spaced_steps, run_of

ROTATION, TIME_STEP = 0.02, 0.5


def turned(bond, kick):
    """Unit vectors turned by what of the rotation vectors stands across them, shape (n, 3)."""
    across = np.cross(kick, bond)
    angle = np.linalg.norm(across, axis=1, keepdims=True)
    return np.cos(angle) * bond + np.sin(angle) / angle * across


def test_bonds_that_diffuse_on_the_sphere():
    """P_l decays as exp(-l (l + 1) D t), less 0.5 % for steps that are not short."""
    generator, n = np.random.default_rng(1), 600
    steps = log_spaced_steps(24)
    bond = generator.normal(size=(n, 3))
    bond /= np.linalg.norm(bond, axis=1, keepdims=True)
    wanted, frames = set(steps.tolist()), []
    for step in range(steps[-1] + 1):
        if step in wanted:
            frames.append(np.concatenate([np.zeros((n, 3)), bond]))
        bond = turned(bond, generator.normal(size=(n, 3)) * np.sqrt(2 * ROTATION * TIME_STEP))
    pairs = np.stack([np.arange(n), np.arange(n) + n], axis=1)
    trajectory = ArrayTrajectory(frames, 9.0, steps=steps, bonds=pairs, time_step=TIME_STEP)
    found = SegmentalRelaxation().compute(run_of(trajectory))
    for degree, curves in ((1, found.p1), (2, found.p2)):
        curve, decay = curves['backbone'].curve, curves['backbone'].decay
        rate = degree * (degree + 1) * ROTATION
        # A lag of half the run has few independent origins.
        assert curve.value == pytest.approx(np.exp(-rate * curve.x), abs=0.04)
        assert decay.one_over_e.value == pytest.approx(1 / rate, rel=0.03)
        assert decay.mean.value == pytest.approx(1 / rate, rel=0.03)


@pytest.mark.parametrize('cosine', [0.0, 0.5])
def test_ideal_and_freely_rotating_chains(cosine):
    """Internal distances by Flory, Statistical Mechanics of Chain Molecules (1969)."""
    generator, chains, beads, frames = np.random.default_rng(2), 100, 41, 60
    bonds = generator.normal(size=(frames, chains, beads - 1, 3))
    bonds /= np.linalg.norm(bonds, axis=-1, keepdims=True)
    for k in range(1, beads - 1) if cosine else ():
        along = bonds[..., k - 1, :]
        across = np.cross(along, bonds[..., k, :])
        across /= np.linalg.norm(across, axis=-1, keepdims=True)
        bonds[..., k, :] = cosine * along + np.sqrt(1 - cosine**2) * across
    start = generator.uniform(-5, 5, (frames, chains, 1, 3))
    positions = np.concatenate([start, start + np.cumsum(bonds, axis=2)], axis=2)
    first = np.arange(chains * beads).reshape(chains, beads)
    pairs = np.stack([first[:, :-1].ravel(), first[:, 1:].ravel()], axis=1)
    trajectory = ArrayTrajectory(positions.reshape(frames, -1, 3), 10.0, bonds=pairs)
    found = ChainSizes().compute(run_of(trajectory))
    n = np.arange(1.0, beads)
    exact = n * (1 + cosine) / (1 - cosine) - 2 * cosine * (1 - cosine**n) / (1 - cosine) ** 2
    assert found.squared_distance.value == pytest.approx(exact, rel=0.03)
    gyration = ((beads - n) * exact).sum() / beads**2
    assert found.squared_radius_of_gyration.value == pytest.approx(gyration, rel=0.03)
