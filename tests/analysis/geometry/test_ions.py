"""Which particles are ions, with what charge, and which of them are bonded."""

import numpy as np
import pytest

from analysis.geometry.ions import BondedIons, find_ions, has_ions, parts_of_charges
from analysis.io.array_trajectory import ArrayTrajectory
from user_input import UserError


def ions_of(source, *options):
    return find_ions(source.topology, source.read(0), *options)


def test_ions_by_name_and_by_charge():
    typeid = np.arange(28) % 2
    source = ArrayTrajectory(
        np.zeros((1, 28, 3)),
        10.0,
        typeid=typeid,
        type_names=('Li', 'S'),
        charge=7.5 * (1 - 2 * typeid),
    )
    assert has_ions(source.topology)
    found = ions_of(source)
    assert set(found.charge) == {-7.5, 7.5}
    assert found.remarks == ('charges, in the units of the file: Li 7.5, S -7.5',)
    named = ions_of(source, ('Li',), ('S',))
    assert np.array_equal(named.is_cation, source.topology.charge > 0)
    with pytest.raises(UserError, match="Did you mean 'Li'"):
        ions_of(source, ('Lii',), ('S',))


@pytest.mark.parametrize('charge', [[0, 0], [1, 0], [-1, 1]])
def test_charges_that_do_not_go_with_the_names_are_not_used(charge):
    source = ArrayTrajectory(
        np.zeros((1, 4, 3)), 10.0, typeid=[0, 1] * 2, type_names=('Li', 'S'), charge=charge * 2
    )
    found = ions_of(source, ('Li',), ('S',))
    assert found.charge.tolist() == [1, -1, 1, -1]
    assert '1 and -1 are assumed' in found.remarks[0]


@pytest.mark.parametrize(
    ('bonded', 'pairs'),
    [
        (BondedIons.LEAVE_OUT, [[0, 1]]),
        (BondedIons.LEAVE_OUT_1_3, [[0, 1], [2, 3]]),
        (BondedIons.KEEP, []),
    ],
)
def test_bonded_ions(bonded, pairs):
    """Particles 0-1 are bonded ions, 2-4-3 are ions with one bead between, 5-6-7-8 with two."""
    charge = [1, -1, 1, -1, 0, 1, 0, 0, -1]
    bonds = [[1, 0], [2, 4], [3, 4], [5, 6], [6, 7], [7, 8]]
    found = ions_of(
        ArrayTrajectory(np.zeros((1, 9, 3)), 10.0, charge=charge, bonds=bonds),
        *(None, None, None, bonded),
    )
    assert found.bonded.tolist() == pairs
    assert len(found.remarks) == (2 if pairs else 1)


def drude(masses, bonds, charges=(3.39, -4.39, 1.98, -0.98)):
    """Two anions and two cations, each with a shell at 0.01 from it; pairs are 0.75 apart."""
    types = ('An', 'DAn', 'Cat', 'DCat')
    x = np.array([0, 0.01, 0.75, 0.76, 4, 4.01, 4.75, 4.76])
    source = ArrayTrajectory(
        np.stack([x, 0 * x, 0 * x], axis=1)[None],
        12.0,
        typeid=[0, 1, 2, 3] * 2,
        type_names=types,
        charge=np.float32(list(charges) * 2),
        bonds=bonds,
    )
    source.topology.mass[:] = list(masses) * 2
    return source


BONDS = [[0, 1], [2, 3], [5, 4], [7, 6]]


@pytest.mark.parametrize(
    ('masses', 'bonds', 'options'),
    [
        ((1, 1, 1, 1), BONDS, ()),
        ((30, 0.4, 7, 0.4), BONDS, ()),
        ((30, 3, 7, 0), BONDS, ()),
        ((30, 0.4, 7, 0.4), BONDS, (('Cat', 'DCat'), ('An', 'DAn'))),
        ((1, 1, 1, 1), (), (('Cat',), ('An',))),
        ((1, 1, 1, 1), (), (('Cat', 'DCat'), ('An', 'DAn'))),
        ((1, 1, 1, 1), (), (None, None, ('DAn', 'DCat'))),
    ],
)
def test_core_and_shell_are_one_ion(masses, bonds, options):
    found = ions_of(drude(masses, bonds), *options)
    assert found.indices.tolist() == [0, 2, 4, 6]
    assert found.charge == pytest.approx([-1, 1, -1, 1], abs=1e-6)
    assert found.remarks[0] == 'charges, in the units of the file: An -1, Cat 1'
    assert '4 shells' in found.remarks[1]
    assert len(found.bonded) == 0


def test_shells_that_may_be_none_are_asked_for():
    source = drude((1, 1, 1, 1), ())
    with pytest.raises(UserError, match='--shells DAn DCat'):
        ions_of(source)
    assert len(ions_of(source, None, None, ()).indices) == 8
    with pytest.raises(UserError, match='a core each'):
        ions_of(source, None, None, ('DAn', 'An', 'DCat', 'Cat'))


def test_a_polarisable_neutral_atom_is_no_ion():
    source = drude((30, 0.4, 12, 0.4), BONDS, (1.5, -2.5, 1.0, -1.0))
    with pytest.raises(UserError, match='no charges of both signs'):
        ions_of(source)


def test_a_zwitterion_is_two_ions():
    for charge in (1.0, 0.8, 4.2):
        source = ArrayTrajectory(
            np.zeros((1, 4, 3)), 10.0, charge=[charge, -charge] * 2, bonds=[[0, 1], [2, 3]]
        )
        found = ions_of(source)
        assert found.charge.tolist() == [charge, -charge] * 2
        assert found.bonded.tolist() == [[0, 1], [2, 3]]


def molecular_salt(unit=1.0, bonds=True):
    """Two Li and two molecular anions of a P and six F."""
    types = [0, *[1] + [2] * 6] * 2
    charge = unit * np.array([1.0, 1.34, -0.39])[types]
    joined = [[first, first + k] for first in (1, 9) for k in range(1, 7)]
    return ArrayTrajectory(
        np.zeros((1, 16, 3)),
        10.0,
        typeid=types,
        type_names=('Li', 'P', 'F'),
        charge=charge,
        bonds=joined if bonds else (),
    )


@pytest.mark.parametrize(('unit', 'bonds'), [(1.0, True), (7.5, True), (1.0, False)])
def test_parts_of_the_charge_of_a_molecule_are_no_ions(unit, bonds):
    source = molecular_salt(unit, bonds)
    assert ions_of(source).parts.startswith(f'Li {unit:g}, P {1.34 * unit:g}, F ')
    named = ions_of(source, ('Li',), ('P',))
    assert named.indices.tolist() == [0, 1, 8, 9]
    # Without bonds nobody knows what a molecule is.
    assert named.charge == pytest.approx(np.tile([1, -1], 2) * (unit if bonds else 1))
    assert ('are assumed' in named.remarks[0]) == (not bonds)
    assert not named.parts


@pytest.mark.parametrize('charge', [[1, -1], [0.8, -0.8], [8.1, -5.4], [0.94, -1.41], [2.828, -1]])
def test_scaled_charges_of_ions_are_no_parts(charge):
    """Of any unit and valence: of bonded ions too, where they are whole multiples of one."""
    for bonds in ((), [[0, 2], [4, 6]]):
        source = ArrayTrajectory(np.zeros((1, 8, 3)), 10.0, charge=charge * 4, bonds=bonds)
        is_told = charge[0] == 2.828 and len(bonds) > 0
        assert bool(parts_of_charges(source.topology)) == is_told
