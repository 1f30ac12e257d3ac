"""Chains whose sizes are known exactly."""

import numpy as np
import pytest

from analysis.geometry.chains import bonds_along_chains, linear_chains
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
    chains = linear_chains(bonds_along_chains(trajectory.topology))
    assert [chain.tolist() for chain in chains] == [[1, 3, 5], [4, 0, 2, 6]]
    found = ChainSizes().compute(run_of(trajectory))
    farthest = ((positions[:, 4] - positions[:, 6]) ** 2).sum(axis=1).mean()
    assert found.squared_distance.value[2] == pytest.approx(farthest)
    one = ((positions[:, 4] - positions[:, 6]) ** 2).sum(axis=1)
    other = ((positions[:, 1] - positions[:, 5]) ** 2).sum(axis=1)
    assert found.squared_end_to_end.value == pytest.approx((one + other).mean() / 2)


def test_chains_may_have_bonds_of_several_types_beside_others():
    # Two chains of 6 beads, joined by turns, and a free dimer.
    bonds = [[6 * k + i, 6 * k + i + 1] for k in range(2) for i in range(5)]
    positions = np.random.default_rng(4).uniform(-0.4, 0.4, (10, 14, 3))
    trajectory = ArrayTrajectory(
        positions,
        50.0,
        bonds=[*bonds, [12, 13]],
        bond_type_names=('joint', 'inner', 'w'),
        bond_typeid=np.array([1, 0, 1, 0, 1] * 2 + [2]),
    )
    found = ChainSizes(bond_type=('joint', 'inner')).compute(run_of(trajectory))
    ends = ((positions[:, [5, 11]] - positions[:, [0, 6]]) ** 2).sum(axis=2)
    assert found.n_chains == 2
    assert found.squared_end_to_end.value == pytest.approx(ends.mean())
    assert ChainSizes().notes(found)[0].startswith('2 linear chains of up to 6 beads')


def gyration(positions):
    """R_g^2 of molecules (..., beads, 3) that are whole."""
    centred = positions - positions.mean(axis=-2, keepdims=True)
    return (centred**2).sum(axis=-1).mean(axis=-1)


RING = [[0, 1], [1, 2], [2, 3], [3, 4], [4, 0]]
STAR = [[0, 1], [0, 2], [0, 3], [3, 4]]


@pytest.mark.parametrize('box', [5.0, (5.0, 5.0, 5.0, 0.4, -0.3, 0.2)])
@pytest.mark.parametrize('bonds', [RING, STAR, [*STAR, *RING]])
def test_rings_stars_and_mixtures_have_a_radius_of_gyration_alone(bonds, box):
    # Free particles, and a linear chain of the beads 5 to 7, beside what is no chain.
    bonds = np.array([*bonds, [5, 6], [6, 7]])
    positions = np.random.default_rng(3).uniform(-0.7, 0.7, (12, 9, 3))
    positions[:, :5] += [2.4, 0, 0]  # through the boundary
    trajectory = ArrayTrajectory(positions, box, bonds=bonds, bond_type_names=('b',))
    found = ChainSizes().compute(run_of(trajectory))
    exact = (gyration(positions[:, :5]) + gyration(positions[:, 5:8])).mean() / 2
    assert found.n_chains == 2
    assert found.squared_radius_of_gyration.value == pytest.approx(exact)
    assert [each.name for each in ChainSizes().quantities(found)] == ['squared_radius_of_gyration']
    assert found.squared_end_to_end is None
    assert ChainSizes().curves(found) == {}
    assert 'end-to-end' in ChainSizes().notes(found)[1]


def test_a_bond_that_is_there_twice_counts_once():
    positions = np.random.default_rng(4).uniform(-0.5, 0.5, (9, 4, 3))
    bonds = [[0, 1], [1, 2], [2, 1], [2, 3]]
    found = ChainSizes().compute(run_of(ArrayTrajectory(positions, 5.0, bonds=bonds)))
    assert found.squared_radius_of_gyration.value == pytest.approx(gyration(positions).mean())
    assert found.squared_end_to_end is not None


def test_a_molecule_that_is_bonded_through_the_box_to_itself_is_refused():
    positions = np.tile(np.arange(5)[:, None] * [1.0, 0, 0], (9, 1, 1))
    closed = ArrayTrajectory(positions, 5.0, bonds=RING)
    with pytest.raises(UserError, match='bonded to itself'):
        ChainSizes().compute(run_of(closed))


def test_missing_bonds_are_refused():
    def topology(bonds):
        return ArrayTrajectory(np.zeros((3, 4, 3)), 5.0, bonds=bonds).topology

    with pytest.raises(UserError, match='no bond type'):
        bonds_along_chains(topology([[0, 1]]), 'back')
    with pytest.raises(UserError, match='no bonds'):
        bonds_along_chains(topology([]))
