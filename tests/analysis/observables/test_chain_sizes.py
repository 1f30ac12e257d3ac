"""Chains whose sizes are known exactly."""

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


def test_stiff_rods_are_exact_through_the_boundary():
    rod = np.arange(12)[:, None] * np.array([0.5, 0.3, 0])
    moving = rod + np.linspace(0, 30, 40)[:, None, None]
    found = ChainSizes().compute(run_of(ArrayTrajectory(moving, 5.0, bonds=chain_bonds(1, 12))))
    assert (found.n_chains, found.n_frames) == (1, 40)
    assert found.squared_distance.x.tolist() == list(range(1, 12))
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
