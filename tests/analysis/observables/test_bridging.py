"""Bridges, loops and dangling ends of chains that are laid out by hand."""

import numpy as np
import pytest

from analysis.io.array_trajectory import ArrayTrajectory
from analysis.observables.bridging import NAMES, Bridging
from tests.analysis.builders import run_of
from user_input import UserError

FRAMES = 10


def measure(beads, charge, bonds, bond_typeid=None, box=40.0, distance=1.1):
    """All frames alike; charges +1, -1 and 0."""
    trajectory = ArrayTrajectory(
        np.repeat(np.array(beads, dtype=float)[None], FRAMES, axis=0),
        box,
        typeid=(np.sign(charge) + 1).astype(int),
        type_names=('S', 'B', 'Li'),
        charge=charge,
        bonds=bonds,
        bond_type_names=('backbone', 'side'),
        bond_typeid=bond_typeid,
    )
    return Bridging(contact_distance=distance).compute(run_of(trajectory))


def values(found):
    return [found.estimates[name].value for name in NAMES]


# One chain of 9 beads along x; anions hang below beads 1, 3, 6 and 7.
BACKBONE = [[1.5 * k, 0, 0] for k in range(9)]
PLACES = [1, 3, 6, 7]
SIDES = [[1.5 * k, -1, 0] for k in PLACES]
BONDS = [[k, k + 1] for k in range(8)] + [[k, 9 + n] for n, k in enumerate(PLACES)]
BOND_TYPES = [0] * 8 + [1] * 4


def chain(cations):
    beads = BACKBONE + SIDES + cations
    charge = np.array([0] * 9 + [-1] * 4 + [1] * len(cations), dtype=float)
    return measure(beads, charge, BONDS, BOND_TYPES)


def test_a_bridge_a_loop_and_two_dangling_ends():
    """Cations join the groups 6 and 7; 3 has one of its own, and 1 is alone."""
    found = chain([[4.5, -2, 0], [9.75, -1.5, 0]])
    # Segments 1-3 to nowhere, 3-6 a bridge, 6-7 a loop; beyond 3 and 7 are 3 + 1 of 8 bonds.
    assert values(found) == pytest.approx([1, 2, 1 / 3, 1 / 3, 4 / 8])
    assert found.n_groups == 4
    assert found.joined.value == pytest.approx([0, 0, 1])


def test_an_ion_alone_is_no_cluster():
    assert values(chain([[0, 15, 0]])) == [0, 0, 0, 0, 1]


def test_a_loop_bridges_nothing():
    """One cluster of all: the groups are joined by a row of cations and free anions."""
    cations = [[9.75, -1.5, 0]]
    found = chain(cations)
    assert values(found) == pytest.approx([0, 1, 1 / 3, 0, 7 / 8])


def test_two_chains_share_a_cluster():
    beads = [[0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 1, 0], [1, 1, 0], [2, 1, 0], [0, 0.5, 0.5],
             [2, 0.5, -0.5]]  # fmt: skip
    charge = np.array([-1, 0, -1, -1, 0, 0, 1, 1.0])
    bonds = [[0, 1], [1, 2], [3, 4], [4, 5]]
    found = measure(beads, charge, bonds, distance=0.8)
    # The first is a bridge as a whole; the second has one end in a cluster.
    assert found.n_chains == 2
    assert values(found) == pytest.approx([1 / 2, 3 / 2, 0, 1, 2 / 4])


def test_a_cluster_that_percolates_is_told():
    wire = [[x - 4.5, 0, 0] for x in range(10)]
    charge = np.tile([1.0, -1.0], 5)
    found = measure(wire, charge, [[1, 3], [5, 7]], box=10.0)
    assert found.percolating == 1
    for quantity in Bridging().quantities(found):
        assert quantity.estimate.value is None
        assert 'percolates in 100 %' in quantity.estimate.verdict


def test_chains_that_branch_and_chains_without_ions_are_refused():
    beads = [[k, 0, 0] for k in range(6)]
    charge = np.array([0, 0, 0, 0, 1.0, -1.0])
    with pytest.raises(UserError, match='branch'):
        measure(beads, charge, [[0, 1], [0, 2], [0, 3]])
    with pytest.raises(UserError, match='no ion is bonded'):
        measure(beads, charge, [[0, 1], [1, 2]])
