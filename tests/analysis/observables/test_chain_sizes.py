"""Chains whose sizes are known in closed form."""

import numpy as np
import pytest

from analysis.geometry.chains import find_chains
from analysis.io.array_trajectory import ArrayTrajectory
from analysis.observables.chain_sizes import ChainSizes
from tests.analysis.builders import run_of
from user_input import UserError


def chain_bonds(chains, beads):
    first = np.arange(chains * beads).reshape(chains, beads)
    return np.stack([first[:, :-1].ravel(), first[:, 1:].ravel()], axis=1)


def freely_rotating(generator, shape, cosine):
    """Unit bonds of freely rotating chains, shape (*shape, 3); ideal ones for cosine None."""
    bonds = generator.normal(size=(*shape, 3))
    bonds /= np.linalg.norm(bonds, axis=-1, keepdims=True)
    if cosine is None:
        return bonds
    for k in range(1, shape[-1]):
        along = bonds[..., k - 1, :]
        across = bonds[..., k, :]
        across = across - (across * along).sum(axis=-1, keepdims=True) * along
        across /= np.linalg.norm(across, axis=-1, keepdims=True)
        bonds[..., k, :] = cosine * along + np.sqrt(1 - cosine**2) * across
    return bonds


@pytest.mark.parametrize('cosine', [None, 0.5])
def test_ideal_and_freely_rotating_chains(cosine):
    generator = np.random.default_rng(1)
    chains, beads, frames = 60, 21, 120
    bonds = freely_rotating(generator, (frames, chains, beads - 1), cosine)
    start = generator.uniform(-4, 4, (frames, chains, 1, 3))
    positions = np.concatenate([start, start + np.cumsum(bonds, axis=2)], axis=2)
    trajectory = ArrayTrajectory(
        positions.reshape(frames, -1, 3), 8.0, bonds=chain_bonds(chains, beads)
    )
    found = ChainSizes().compute(run_of(trajectory))
    n = np.arange(1.0, beads)
    c = 0.0 if cosine is None else cosine
    # Flory 1969: n ((1 + c)/(1 - c) - 2 c (1 - c^n) / (n (1 - c)^2)).
    exact = n * (1 + c) / (1 - c) - 2 * c * (1 - c**n) / (1 - c) ** 2
    assert found.n_chains == chains
    assert found.squared_distance.x.tolist() == n.tolist()
    assert found.squared_distance.value == pytest.approx(exact, rel=0.04)
    # Bonds of one length have no spread; beyond, the intervals must hold most of the curve.
    curve = found.squared_distance
    inside = (curve.low <= exact) & (exact <= curve.high)
    assert inside[1:].mean() > 0.7
    gyration = sum((beads - k) * exact[k - 1] for k in range(1, beads)) / beads**2
    for estimate, value in (
        (found.squared_end_to_end, exact[-1]),
        (found.squared_radius_of_gyration, gyration),
    ):
        half = (estimate.high - estimate.low) / 2
        assert abs(estimate.value - value) < 2 * half
        assert half < 0.1 * value
    assert found.n_frames == frames


def test_stiff_rods_are_exact_through_the_boundary():
    rod = np.arange(12)[:, None] * np.array([0.5, 0.3, 0])
    moving = rod + np.linspace(0, 30, 40)[:, None, None]
    found = ChainSizes().compute(run_of(ArrayTrajectory(moving, 5.0, bonds=chain_bonds(1, 12))))
    assert found.squared_distance.value == pytest.approx(0.34 * np.arange(1, 12) ** 2)
    assert found.squared_end_to_end.value == pytest.approx(0.34 * 121)
    assert found.squared_radius_of_gyration.value == pytest.approx(0.34 * (12**2 - 1) / 12)


def test_side_groups_and_lengths_do_not_matter():
    # A chain of 4 and a chain of 3 out of order, each bead with a side bead.
    backbone = [[4, 0], [0, 2], [2, 6], [1, 3], [3, 5]]
    side = [[k, k + 7] for k in range(7)]
    positions = np.random.default_rng(2).uniform(-0.4, 0.4, (10, 14, 3))
    trajectory = ArrayTrajectory(
        positions,
        50.0,
        bonds=side + backbone,
        bond_type_names=('side', 'backbone'),
        bond_typeid=np.array([0] * 7 + [1] * 5),
    )
    chains = find_chains(trajectory.topology)
    assert [chain.tolist() for chain in chains] == [[1, 3, 5], [4, 0, 2, 6]]
    found = ChainSizes().compute(run_of(trajectory))
    farthest = ((positions[:, 4] - positions[:, 6]) ** 2).sum(axis=1).mean()
    assert found.squared_distance.value[2] == pytest.approx(farthest)
    one = ((positions[:, 4] - positions[:, 6]) ** 2).sum(axis=1)
    other = ((positions[:, 1] - positions[:, 5]) ** 2).sum(axis=1)
    assert found.squared_end_to_end.value == pytest.approx((one + other).mean() / 2)


def test_what_is_no_linear_chain_is_refused():
    points = np.zeros((3, 4, 3))

    def topology(bonds):
        return ArrayTrajectory(points, 5.0, bonds=bonds).topology

    with pytest.raises(UserError, match='more than two bonds'):
        find_chains(topology([[0, 1], [0, 2], [0, 3]]))
    with pytest.raises(UserError, match='rings'):
        find_chains(topology([[0, 1], [1, 2], [2, 0]]))
    with pytest.raises(UserError, match='no bond type'):
        find_chains(topology([[0, 1]]), 'back')
    with pytest.raises(UserError, match='no bonds'):
        find_chains(topology([]))
