"""Which particles are ions."""

import numpy as np
import pytest

from analysis.geometry.ions import find_ions, has_ions
from analysis.io.array_trajectory import ArrayTrajectory
from user_input import UserError


def test_ions_by_name_and_by_charge():
    typeid = np.arange(28) % 2
    topology = ArrayTrajectory(
        np.zeros((1, 28, 3)),
        10.0,
        typeid=typeid,
        type_names=('Li', 'S'),
        charge=7.5 * (1 - 2 * typeid),
    ).topology
    assert has_ions(topology)
    assert set(find_ions(topology).charge) == {-1.0, 1.0}
    assert np.array_equal(find_ions(topology, ('Li',), ('S',)).is_cation, topology.charge > 0)
    with pytest.raises(UserError, match="Did you mean 'Li'"):
        find_ions(topology, ('Lii',), ('S',))
