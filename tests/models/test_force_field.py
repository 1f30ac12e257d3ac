"""Resolved tables, against values typed by hand from the design."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from models.entries import CosineSquaredAngle, FeneBond, HarmonicAngle, HarmonicBond
from models.force_field import ForceField, force_field
from models.model import Model, load_model
from user_input import validate

ISP_EPSILON = {
    ('P', 'P'): 0.7,
    ('A', 'A'): 2.0,
    ('A', 'C'): 2.0,
    ('C', 'C'): 2.0,
    ('C', 'S'): 1.5,
}


@pytest.fixture
def isp() -> ForceField:
    return force_field(load_model('isp'))


def test_isp_pairs(isp: ForceField) -> None:
    pairs = itertools.product(enumerate(isp.bead_types), repeat=2)
    for (i, first), (j, second) in pairs:
        key = (first, second) if (first, second) in ISP_EPSILON else (second, first)
        assert isp.pair_epsilon[i, j] == ISP_EPSILON.get(key, 1.0)
        lithium = (first, second).count('Li')
        assert isp.pair_sigma[i, j] == [1.0, 0.75, 0.5][lithium]
        cut = [2.5, 0.75 * 1.122462048, 0.5 * 1.122462048][lithium]
        assert isp.pair_cutoff[i, j] == pytest.approx(cut, rel=1e-9)
    assert isp.largest_cutoff == 2.5


def test_isp_beads_and_bonds(isp: ForceField) -> None:
    assert set(isp.bead_types) == {'B', 'P', 'S', 'Li', 'A', 'C'}
    charges = dict(zip(isp.bead_types, isp.charges, strict=True))
    assert charges == {'B': 0, 'P': 0, 'S': -1, 'Li': 1, 'A': 0, 'C': 0}
    fene = FeneBond(k=30.0, r0_max=1.5)
    assert isp.bonds == {'backbone': fene, 'LSP-side': fene, 'DOPA-side': fene}
    assert isp.bjerrum_length == 16.0
    assert isp.is_charged


def test_bjerrum_length_is_replaced() -> None:
    model = load_model('isp')
    assert force_field(model, bjerrum_length=31.0).bjerrum_length == 31.0
    assert not force_field(model, bjerrum_length=0.0).is_charged


def test_neutral_models_have_no_coulomb() -> None:
    kremer_grest = force_field(load_model('kremer_grest'), bjerrum_length=5.0)
    assert not kremer_grest.is_charged
    assert kremer_grest.bjerrum_length == 0.0
    assert kremer_grest.pair_cutoff == pytest.approx(np.array([[2 ** (1 / 6)]]))
    control = force_field(load_model('neutral_control'))
    assert control.pair_cutoff[0, 0] == 2.5
    assert control.angles == {'backbone': CosineSquaredAngle(k=1.5, theta0=180)}
    assert control.angles['backbone'].radians == pytest.approx(np.pi)


def test_exceptions_and_other_potentials() -> None:
    content = {
        'name': 'test',
        'description': 'a test',
        'beads': {'X': {'sigma': 1.0}, 'Y': {'sigma': 2.0}, 'Z': {}},
        'default_pair': {'kind': 'lj', 'epsilon': 0.5, 'cut': 2.0},
        'pairs': [
            {'beads': ['Y', '*'], 'kind': 'none'},
            {'beads': ['Z', 'Y'], 'kind': 'wca', 'epsilon': 3.0, 'sigma': 0.9},
        ],
        'bonds': {'spring': {'kind': 'harmonic', 'k': 100, 'r0': 0.8}},
        'angles': {'bend': {'kind': 'harmonic', 'k': 5, 'theta0': 90}},
        'monomers': {'M': {'beads': ['X']}},
        'backbone': {'bond': 'spring', 'angle': 'bend'},
        'density': 0.5,
    }
    table = force_field(validate(Model, content, 'm.toml'))
    # X-X is the default, Y-anything none, and Y-Z by its own name goes before Y-anything
    np.testing.assert_array_equal(table.pair_epsilon, [[0.5, 0, 0.5], [0, 0, 3], [0.5, 3, 0.5]])
    np.testing.assert_allclose(table.pair_sigma, [[1, 1.5, 1], [1.5, 2, 0.9], [1, 0.9, 1]])
    wca = 0.9 * 2 ** (1 / 6)
    np.testing.assert_allclose(table.pair_cutoff, [[2, 0, 2], [0, 0, wca], [2, wca, 2]])
    assert table.bonds == {'spring': HarmonicBond(k=100.0, r0=0.8)}
    assert table.angles == {'bend': HarmonicAngle(k=5.0, theta0=90)}
