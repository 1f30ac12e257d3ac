"""Rings, stars, and repeat units that join the backbone with two beads."""

from __future__ import annotations

from typing import Any

import gsd.hoomd
import numpy as np
import pytest
import scipy.sparse

from models.architecture import Ring, Star
from models.chain_length import SchulzZimm
from models.melt import MOLECULE_ID, build_melt
from models.model import Model, load_model
from models.sequence import BlockSequence, ExplicitSequence
from user_input import UserError, validate

BOND = 0.97
RING = Ring(kind='ring')


def star(arms: int) -> Star:
    return Star(kind='star', arms=arms)


def melt(model: str | Model, composition: dict[str, float], **changes: Any) -> gsd.hoomd.Frame:
    arguments: dict[str, Any] = {'chains': 5, 'degree_of_polymerisation': 13, 'seed': 2}
    loaded = load_model(model) if isinstance(model, str) else model
    frame = build_melt(loaded, composition=composition, **(arguments | changes))
    frame.validate()
    return frame


def unwrapped(frame: gsd.hoomd.Frame) -> np.ndarray:
    box = np.asarray(frame.configuration.box[:3], dtype=float)
    return np.asarray(frame.particles.position + frame.particles.image * box)


def bond_lengths(frame: gsd.hoomd.Frame) -> np.ndarray:
    ends = unwrapped(frame)[frame.bonds.group]
    return np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)


def neighbours(frame: gsd.hoomd.Frame) -> np.ndarray:
    return np.bincount(frame.bonds.group.ravel(), minlength=frame.particles.N)


def number_of_molecules(frame: gsd.hoomd.Frame) -> int:
    size, (first, second) = frame.particles.N, frame.bonds.group.T
    graph = scipy.sparse.coo_matrix((np.ones(first.size), (first, second)), (size, size))
    number, labels = scipy.sparse.csgraph.connected_components(graph)
    assert len(np.unique(np.stack([labels, frame.log[MOLECULE_ID]]), axis=1).T) == number
    return int(number)


def squared_radius_of_gyration(positions: np.ndarray) -> np.ndarray:
    """Of molecules, shape (molecules, beads, 3)."""
    centred = positions - positions.mean(axis=1, keepdims=True)
    return np.asarray((centred**2).sum(axis=2).mean(axis=1))


@pytest.mark.parametrize('length', [3, 4, 5, 7, 40, 1000])
def test_rings_are_closed(length: int) -> None:
    frame = melt('kremer_grest', {'M': 1.0}, degree_of_polymerisation=length, architecture=RING)
    assert 5 * length == frame.bonds.N
    assert np.all(neighbours(frame) == 2)
    assert bond_lengths(frame) == pytest.approx(BOND, abs=1e-4)
    assert number_of_molecules(frame) == 5
    ring = unwrapped(frame)[:length]
    if length > 3:
        assert np.linalg.norm(ring - np.roll(ring, 2, axis=0), axis=1).min() > 0.6 * BOND


def test_rings_have_angles_at_every_bead() -> None:
    frame = melt('neutral_control', {'N': 1.0}, degree_of_polymerisation=6, architecture=RING)
    centres = frame.angles.group[:, 1]
    assert np.array_equal(np.sort(centres), np.arange(30))
    first = frame.angles.group[frame.angles.group[:, 1] == 0]
    assert first.tolist() == [[5, 0, 1]]


def test_ideal_rings_have_half_the_squared_radius_of_chains() -> None:
    """<R_g^2> of a long ring is half of a chain's (Zimm and Stockmayer 1949)."""
    shape = {'chains': 600, 'degree_of_polymerisation': 120}
    sizes = []
    for kind in ({}, {'architecture': RING}):
        frame = melt('kremer_grest', {'M': 1.0}, **shape, **kind)
        sizes.append(squared_radius_of_gyration(unwrapped(frame).reshape(600, 120, 3)))
    ratio = sizes[1].mean() / sizes[0].mean()
    assert ratio == pytest.approx(0.5, abs=0.035)


def test_rings_of_many_lengths_are_closed_and_too_short_ones_refused() -> None:
    wide = SchulzZimm(kind='schulz_zimm', dispersity=1.2)
    frame = melt('kremer_grest', {'M': 1.0}, chain_lengths=wide, architecture=RING)
    assert np.all(neighbours(frame) == 2)
    assert bond_lengths(frame) == pytest.approx(BOND, abs=1e-4)
    with pytest.raises(UserError, match='a ring needs 3 beads'):
        melt('kremer_grest', {'M': 1.0}, degree_of_polymerisation=2, architecture=RING)


@pytest.mark.parametrize('arms', [3, 4, 6, 12])
def test_stars_have_equal_arms_on_their_first_unit(arms: int) -> None:
    frame = melt('kremer_grest', {'M': 1.0}, architecture=star(arms))
    degree = neighbours(frame).reshape(5, 13)
    assert np.all(degree[:, 0] == arms)
    assert np.all(np.sort(degree[:, 1:])[:, :arms] == 1)
    assert np.all(np.sort(degree[:, 1:])[:, arms:] == 2)
    assert bond_lengths(frame) == pytest.approx(BOND, abs=1e-4)
    assert number_of_molecules(frame) == 5
    # all arms have their ends at the same number of bonds from the core
    graph = scipy.sparse.coo_matrix((np.ones(60), frame.bonds.group.T), (65, 65))
    away = scipy.sparse.csgraph.dijkstra(graph, directed=False, indices=0, unweighted=True)[:13]
    assert np.all(away[degree[0] == 1] == 12 / arms)


def test_few_arms_keep_clear_of_each_other() -> None:
    frame = melt('kremer_grest', {'M': 1.0}, chains=100, architecture=star(4))
    positions = unwrapped(frame).reshape(100, 13, 3)
    beside = positions[:, [1, 4, 7, 10]]
    pairs = np.linalg.norm(beside[:, :, None] - beside[:, None], axis=3)
    assert pairs[:, ~np.eye(4, dtype=bool)].min() > 1.01
    # the second beads of the arms keep clear of the core
    second = np.linalg.norm(positions[:, [2, 5, 8, 11]] - positions[:, :1], axis=2)
    assert second.min() > 1.01


def test_ideal_stars_have_the_radius_of_zimm_and_stockmayer() -> None:
    """R_g^2 of a star over that of a chain as long is (3 f - 2) / f^2 (1949): 5/8 of f = 4."""
    shape = {'chains': 800, 'degree_of_polymerisation': 161}
    sizes = []
    for kind in ({}, {'architecture': star(4)}):
        frame = melt('kremer_grest', {'M': 1.0}, **shape, **kind)
        sizes.append(squared_radius_of_gyration(unwrapped(frame).reshape(800, 161, 3)).mean())
    assert sizes[1] / sizes[0] == pytest.approx(0.625, abs=0.035)


def test_stars_of_other_numbers_of_units_are_refused() -> None:
    with pytest.raises(UserError, match='14 units are no core and 3 equal arms.*13 or 16'):
        melt('kremer_grest', {'M': 1.0}, degree_of_polymerisation=14, architecture=star(3))


def test_sequences_of_stars_run_from_the_core_outward() -> None:
    frame = melt(
        two_kinds(), {'A': 7 / 13, 'B': 6 / 13}, architecture=star(3), sequence=blocks('A', 'B')
    )
    units = frame.particles.typeid.reshape(5, 13)
    assert np.all(units[:, [0, 1, 2, 5, 6, 9, 10]] == 0)
    assert np.all(units[:, [3, 4, 7, 8, 11, 12]] == 1)


def blocks(*monomers: str) -> BlockSequence:
    return BlockSequence(kind='block', blocks=monomers)


def two_kinds() -> Model:
    content = load_model('kremer_grest').model_dump(mode='json')
    content |= {'name': 'two', 'beads': {'A': {}, 'B': {}}}
    content['monomers'] = {'A': {'beads': ['A']}, 'B': {'beads': ['B']}}
    return validate(Model, content, 'two.toml')


def wide_units(**changes: Any) -> Model:
    """U is a ring of six in the backbone, with a side bead; V three beads in a row."""
    fene = {'kind': 'fene', 'k': 30.0, 'r0_max': 1.5}
    around = [[i, (i + 1) % 6, 'inner'] for i in range(6)]
    content = {
        'name': 'wide',
        'description': 'for tests',
        'beads': {'X': {}, 'Y': {}},
        'default_pair': {'kind': 'wca'},
        'bonds': {'backbone': fene, 'inner': {'kind': 'harmonic', 'k': 500.0, 'r0': 0.7}},
        'angles': {
            'bend': {'kind': 'harmonic', 'k': 2.0, 'theta0': 120.0},
            'own': {'kind': 'harmonic', 'k': 9.0, 'theta0': 150.0},
        },
        'monomers': {
            'U': {
                'beads': ['X'] * 6 + ['Y'],
                'bonds': [*around, [1, 6, 'backbone']],
                'backbone': [0, 3],
            },
            'V': {
                'beads': ['Y', 'X', 'Y'],
                'bonds': [[0, 1, 'inner'], [1, 2, 'inner']],
                'angles': [[2, 1, 0, 'own']],
                'backbone': [0, 2],
            },
        },
        'backbone': {'bond': 'backbone', 'angle': 'bend'},
        'density': 0.5,
    }
    return validate(Model, content | changes, 'wide.toml')


def test_the_backbone_runs_along_the_shortest_path() -> None:
    model = wide_units()
    path = model.monomers['U'].path
    assert path in ((0, 1, 2, 3), (0, 5, 4, 3))
    assert model.monomers['V'].path == (0, 1, 2)
    assert load_model('isp').monomers['LSP'].path == (0,)


@pytest.mark.parametrize('architecture', [None, RING, star(3)])
def test_units_of_several_backbone_beads(architecture: Ring | Star | None) -> None:
    model = wide_units()
    frame = melt(
        model, {'U': 6 / 13, 'V': 7 / 13}, architecture=architecture, density=0.3,
        sequence=ExplicitSequence(kind='explicit', units=('V', 'U', 'V', 'U', 'V'))
        if isinstance(architecture, Star)
        else ExplicitSequence(kind='explicit', units=('V', 'U')),
    )  # fmt: skip
    joints = 12 if architecture != RING else 13
    rest = {'backbone': BOND, 'inner': 0.7}
    expected = np.array([rest[name] for name in frame.bonds.types])[frame.bonds.typeid]
    np.testing.assert_allclose(bond_lengths(frame), expected, rtol=0.03)
    assert 5 * (joints + 6 * 7 + 7 * 2) == frame.bonds.N
    assert number_of_molecules(frame) == 5
    names = np.array(frame.angles.types)[frame.angles.typeid]
    # all beads of the backbone but ends have an angle, cores too; the middle of V has its own
    in_backbone = 6 * 4 + 7 * 3
    ends = {None: 2, RING: 0, star(3): 4}[architecture]
    assert np.count_nonzero(names == 'own') == 5 * 7
    assert np.count_nonzero(names == 'bend') == 5 * (in_backbone - 7 - ends)
    assert len(set(map(tuple, frame.angles.group.tolist()))) == frame.angles.N


def test_paths_of_unequal_bonds_are_freely_rotating() -> None:
    model = wide_units()
    frame = melt(model, {'V': 1.0}, chains=400, degree_of_polymerisation=20)
    positions = unwrapped(frame).reshape(400, 60, 3)
    steps = np.diff(positions, axis=1)
    steps /= np.linalg.norm(steps, axis=2, keepdims=True)
    cosines = (steps[:, 1:] * steps[:, :-1]).sum(axis=2)
    assert cosines.min() > -0.448
    assert cosines.mean() == pytest.approx(0.2764, abs=0.015)


def test_the_same_seed_gives_the_same_melt() -> None:
    for architecture in (RING, star(3)):
        first, second, other = (
            melt('kremer_grest', {'M': 1.0}, architecture=architecture, seed=seed)
            for seed in (1, 1, 2)
        )
        assert np.array_equal(first.particles.position, second.particles.position)
        assert not np.array_equal(first.particles.position, other.particles.position)
