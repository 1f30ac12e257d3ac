"""Built melts: geometry of the walk, topology, neutrality, reproducibility, cost."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import gsd.hoomd
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from models.backbone_walk import running_product, walk_directions
from models.chain_length import SchulzZimm
from models.melt import MOLECULE_ID, build_melt, wrapped
from models.model import Model, load_model
from models.sequence import TerminalSequence
from user_input import UserError, validate

FloatArray = np.ndarray[Any, np.dtype[np.float64]]

BOND = 0.97
MEAN_COSINE = 0.5 * (1.0 - (1.0 - 0.5 * (1.02 / 0.97) ** 2))


def isp_melt(**changes: Any) -> gsd.hoomd.Frame:
    arguments: dict[str, Any] = {
        'composition': {'LSP': 0.5, 'DOPA': 0.5},
        'chains': 30,
        'degree_of_polymerisation': 20,
        'seed': 7,
    }
    return build_melt(load_model('isp'), **{**arguments, **changes})


def unwrapped(frame: gsd.hoomd.Frame) -> FloatArray:
    box = np.asarray(frame.configuration.box[:3], dtype=np.float64)
    return frame.particles.position + frame.particles.image * box


def bond_lengths(frame: gsd.hoomd.Frame) -> FloatArray:
    ends = unwrapped(frame)[frame.bonds.group]
    return np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)


def bond_graph(frame: gsd.hoomd.Frame) -> scipy.sparse.csr_matrix:
    size = frame.particles.N
    first, second = frame.bonds.group.T
    half = scipy.sparse.coo_matrix((np.ones(first.size), (first, second)), (size, size)).tocsr()
    return half + half.T


def test_particles_and_box() -> None:
    frame = isp_melt(density=0.7)
    frame.validate()
    assert frame.particles.N == 30 * 20 * 3 + 300
    assert frame.particles.types == ['B', 'P', 'S', 'Li', 'A', 'C']
    assert np.bincount(frame.particles.typeid).tolist() == [600, 300, 300, 300, 300, 300]
    assert frame.particles.charge.sum() == 0.0
    assert frame.configuration.step == 0
    box = np.asarray(frame.configuration.box)
    assert frame.particles.N / box[0] ** 3 == pytest.approx(0.7)
    assert box.tolist() == [box[0], box[0], box[0], 0, 0, 0]
    assert np.all(frame.particles.position >= -box[0] / 2)
    assert np.all(frame.particles.position < box[0] / 2)
    assert frame.bonds.types == ['backbone', 'LSP-side', 'DOPA-side']
    assert np.bincount(frame.bonds.typeid).tolist() == [30 * 19, 600, 600]


def test_monomers_are_bonded_as_in_the_model() -> None:
    frame = isp_melt()
    ends = np.array(frame.particles.types)[frame.particles.typeid[frame.bonds.group]]
    bonds = np.array(frame.bonds.types)[frame.bonds.typeid]
    seen = {(bond, *sorted(pair)) for bond, pair in zip(bonds, ends.tolist(), strict=True)}
    assert seen == {
        ('backbone', 'B', 'B'),
        ('LSP-side', 'B', 'P'),
        ('LSP-side', 'P', 'S'),
        ('DOPA-side', 'A', 'B'),
        ('DOPA-side', 'A', 'C'),
    }


def test_bonds_and_next_nearest_neighbours() -> None:
    frame = isp_melt(chains=200)
    assert bond_lengths(frame) == pytest.approx(BOND, abs=1e-4)
    graph = bond_graph(frame)
    first, second = scipy.sparse.triu(graph @ graph, k=1).nonzero()
    positions = unwrapped(frame)
    # B-B-B, B-B-P or A, B-P-S or B-A-C
    assert first.size == 200 * (18 + 2 * 19 + 20)
    assert np.linalg.norm(positions[first] - positions[second], axis=1).min() > 1.02 - 1e-4


def test_side_chains_point_nowhere_in_particular() -> None:
    frame = isp_melt(chains=500)
    positions = unwrapped(frame)
    side = frame.bonds.group[frame.bonds.typeid > 0]
    directions = (positions[side[:, 1]] - positions[side[:, 0]]) / BOND
    assert np.abs(directions.mean(axis=0)).max() < 5 / np.sqrt(3 * len(side))
    second_moment = directions.T @ directions / len(side)
    assert np.abs(second_moment - np.eye(3) / 3).max() < 0.02


def freely_rotating_ratio(bonds: int) -> float:
    """<R^2>/(n b^2) of n bonds (Flory 1969)."""
    c = MEAN_COSINE
    return (1 + c) / (1 - c) - 2 * c * (1 - c**bonds) / (bonds * (1 - c) ** 2)


def test_walk_is_freely_rotating() -> None:
    chains, length = 4000, 40
    frame = build_melt(
        load_model('kremer_grest'),
        composition={'M': 1.0},
        chains=chains,
        degree_of_polymerisation=length,
        seed=5,
    )
    positions = unwrapped(frame).reshape(chains, length, 3)
    steps = np.diff(positions, axis=1) / BOND
    cosines = np.sum(steps[:, 1:] * steps[:, :-1], axis=2)
    assert cosines.mean() == pytest.approx(MEAN_COSINE, abs=5 * 0.42 / np.sqrt(cosines.size))
    # without torsional preference, correlations fall as powers of the mean cosine
    second = np.sum(steps[:, 2:] * steps[:, :-2], axis=2)
    assert second.mean() == pytest.approx(MEAN_COSINE**2, abs=5 * 0.6 / np.sqrt(second.size))
    squared = np.sum((positions[:, -1] - positions[:, 0]) ** 2, axis=1)
    ratio = squared.mean() / ((length - 1) * BOND**2)
    error = squared.std() / squared.mean() / np.sqrt(chains)
    assert ratio == pytest.approx(freely_rotating_ratio(length - 1), rel=4 * error)
    # successive chains start in directions of their own
    starts, ends = steps[1:, 0], steps[:-1, -1]
    assert abs(np.mean(np.sum(starts * ends, axis=1))) < 5 / np.sqrt(3 * chains)


def test_one_long_chain_is_the_same_walk() -> None:
    is_first = np.zeros(200_000, dtype=bool)
    is_first[0] = True
    directions = walk_directions(is_first, np.random.default_rng(2))
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1.0, atol=1e-12)
    cosines = np.sum(directions[1:] * directions[:-1], axis=1)
    assert cosines.min() > -0.4472
    assert cosines.mean() == pytest.approx(MEAN_COSINE, abs=0.006)


@pytest.mark.parametrize('units', [1, 2, 3, 4, 5, 7, 50])
def test_running_product_against_scipy(units: int) -> None:
    rotations = Rotation.random(units, rng=np.random.default_rng(units))
    product, expected = Rotation.identity(), []
    for rotation in rotations:
        product = product * rotation
        expected.append(product.as_matrix())
    quaternions = rotations.as_quat(scalar_first=True)
    running = Rotation.from_quat(running_product(quaternions), scalar_first=True)
    np.testing.assert_allclose(running.as_matrix(), expected, atol=1e-12)


def test_molecules_round_trip_through_gsd(tmp_path: Path) -> None:
    frame = isp_melt(chain_lengths=SchulzZimm(kind='schulz_zimm', dispersity=1.5))
    with gsd.hoomd.open(tmp_path / 'init.gsd', 'w') as file:
        file.append(frame)
    with gsd.hoomd.open(tmp_path / 'init.gsd', 'r') as file:
        read = file[0]
    molecules = read.log[MOLECULE_ID]
    assert molecules.dtype == np.int32
    np.testing.assert_array_equal(molecules, frame.log[MOLECULE_ID])
    number, of_graph = scipy.sparse.csgraph.connected_components(bond_graph(read))
    assert number == 30 + 300 == len(np.unique(molecules))
    assert len(np.unique(np.stack([of_graph, molecules]), axis=1).T) == number
    np.testing.assert_array_equal(molecules[-300:], 30 + np.arange(300))
    np.testing.assert_array_equal(read.particles.image, frame.particles.image)


def test_single_precision_does_not_reach_the_far_face() -> None:
    positions = np.array([[10.0 - 1e-12, -10.0, 31.0]])
    inside, images = wrapped(positions, 20.0)
    np.testing.assert_array_equal(inside, [[-10.0, -10.0, -9.0]])
    np.testing.assert_array_equal(images, [[1, 0, 2]])


def same(first: gsd.hoomd.Frame, second: gsd.hoomd.Frame) -> bool:
    return np.array_equal(first.particles.typeid, second.particles.typeid) and np.array_equal(
        first.particles.position, second.particles.position
    )


def test_seed_decides() -> None:
    first = isp_melt()
    assert same(first, isp_melt())
    assert same(first, isp_melt(composition={'DOPA': 0.5, 'LSP': 0.5}))
    other = isp_melt(seed=8)
    assert not np.array_equal(first.particles.typeid, other.particles.typeid)
    assert not np.array_equal(first.particles.position, other.particles.position)


def test_isp0_has_no_ions_and_isp100_one_per_unit() -> None:
    without = isp_melt(composition={'LSP': 0.0, 'DOPA': 1.0})
    assert same(without, isp_melt(composition={'DOPA': 1}))
    assert without.particles.N == 30 * 20 * 3
    assert not without.particles.charge.any()
    full = isp_melt(composition={'LSP': 1.0})
    assert full.particles.N == 30 * 20 * 4
    assert np.count_nonzero(full.particles.charge > 0) == 600
    assert full.particles.charge.sum() == 0.0
    assert full.particles.types == without.particles.types


def test_angles_follow_the_backbone() -> None:
    frame = build_melt(
        load_model('neutral_control'),
        composition={'N': 1.0},
        chains=3,
        degree_of_polymerisation=4,
        seed=1,
    )
    assert frame.angles.types == ['backbone']
    expected = [[0, 1, 2], [1, 2, 3], [4, 5, 6], [5, 6, 7], [8, 9, 10], [9, 10, 11]]
    np.testing.assert_array_equal(frame.angles.group, expected)


def test_smallest_melt() -> None:
    frame = isp_melt(chains=1, degree_of_polymerisation=1, composition={'LSP': 1.0})
    assert frame.particles.N == 4
    assert frame.bonds.N == 2


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'composition': {'LSPP': 1.0}}, "no monomer 'LSPP'. Did you mean 'LSP'?"),
        ({'composition': {'LSP': 0.5}}, 'add up to 0.5'),
        ({'composition': {'LSP': 0.501, 'DOPA': 0.499}}, 'LSP = 301/600'),
    ],
)
def test_bad_requests(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        isp_melt(**change)
    assert message in str(error.value)


def build_time_per_unit(chains: int, length: int) -> float:
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        isp_melt(
            chains=chains,
            degree_of_polymerisation=length,
            sequence=TerminalSequence(kind='terminal', reactivity_ratios={'LSP': 1.0, 'DOPA': 0.5}),
        )
        times.append(time.perf_counter() - begin)
    return min(times) / (chains * length)


@pytest.mark.parametrize('length', [20, None], ids=['many chains', 'one chain'])
def test_cost_is_linear(length: int | None) -> None:
    small, large = 3_000, 30_000
    costs = [build_time_per_unit(n // (length or n), length or n) for n in (small, large)]
    assert costs[1] < 4 * costs[0]


def graph_model(
    parents: list[int], charged: list[bool], ring: bool, backbone: int, harmonic: bool
) -> Model:
    """A model whose monomer is a random tree, possibly with one ring."""
    size = len(parents) + 1
    edges = [(bead + 1, parent % (bead + 1)) for bead, parent in enumerate(parents)]
    if ring and size > 2 and (size - 1, 0) not in edges:
        edges.append((0, size - 1))
    beads = ['N'] * size
    for bead in range(size):
        around = {b for edge in edges if bead in edge for b in edge}
        if charged[bead] and bead != backbone % size and all(beads[b] == 'N' for b in around):
            beads[bead] = 'Q'
    side = {'kind': 'harmonic', 'k': 100.0, 'r0': 0.8}
    fene = {'kind': 'fene', 'k': 30.0, 'r0_max': 1.5}
    content = {
        'name': 'graph',
        'description': 'a random graph',
        'beads': {'N': {}, 'Q': {'charge': -2.0}, 'I': {'charge': 1.0, 'sigma': 0.5}},
        'default_pair': {'kind': 'wca'},
        'bonds': {'backbone': fene, 'side': side if harmonic else fene},
        'monomers': {
            'plain': {'beads': ['N']},
            'graph': {
                'beads': beads,
                'bonds': [[*edge, 'side'] for edge in edges],
                'backbone': backbone % size,
            },
        },
        'backbone': {'bond': 'backbone'},
        'counter_ions': {'Q': 'I'},
        'bjerrum_length': 5.0,
        'density': 0.85,
    }
    return validate(Model, content, 'graph.toml')


@settings(max_examples=40, deadline=None)
@given(
    parents=st.lists(st.integers(0, 4), max_size=5),
    charged=st.lists(st.booleans(), min_size=6, max_size=6),
    ring=st.booleans(),
    backbone=st.integers(0, 5),
    harmonic=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_any_monomer_graph_gives_a_whole_neutral_melt(
    parents: list[int], charged: list[bool], ring: bool, backbone: int, harmonic: bool, seed: int
) -> None:
    model = graph_model(parents, charged, ring, backbone, harmonic)
    frame = build_melt(
        model,
        composition={'plain': 0.5, 'graph': 0.5},
        chains=4,
        degree_of_polymerisation=5,
        seed=seed,
    )
    frame.validate()
    assert frame.particles.charge.sum() == 0.0
    lengths = {'backbone': BOND, 'side': 0.8 if harmonic else BOND}
    rest = np.array([lengths[name] for name in frame.bonds.types])[frame.bonds.typeid]
    np.testing.assert_allclose(bond_lengths(frame), rest, rtol=0.03)
    number, _ = scipy.sparse.csgraph.connected_components(bond_graph(frame))
    ions = np.count_nonzero(frame.particles.typeid == 2)
    assert ions == 2 * np.count_nonzero(frame.particles.typeid == 1)
    assert number == 4 + ions == frame.log[MOLECULE_ID].max() + 1


def test_impossible_rings_are_refused() -> None:
    content = load_model('kremer_grest').model_dump(mode='json')
    every_pair = [[i, j, 'backbone'] for i in range(5) for j in range(i)]
    content['monomers'] = {'M': {'beads': ['M'] * 5, 'bonds': every_pair}}
    model = validate(Model, content, 'm.toml')
    with pytest.raises(UserError, match=r"'M'.*no arrangement of its 5 beads"):
        build_melt(model, composition={'M': 1.0}, chains=1, degree_of_polymerisation=2, seed=1)
