"""What must not change the answer: the origin, wrapping, labels, the order of molecules."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis.geometry.box import Box
from analysis.io.array_trajectory import ArrayTrajectory
from analysis.observables.chain_sizes import ChainSizes
from analysis.observables.ion_clusters import IonClusters
from analysis.observables.mean_squared_displacement import MeanSquaredDisplacement
from analysis.observables.segmental_relaxation import SegmentalRelaxation
from tests.analysis.builders import log_spaced_steps, run_of

STEPS = log_spaced_steps(4, block=16)
BOX = np.array([6.0, 7.0, 8.0])
MOLECULES, BEADS = 8, 4

seeds = st.integers(0, 10**6)
shifts = st.lists(st.floats(-40, 40), min_size=3, max_size=3)
boxes_away = st.integers(-3, 3)


def molecules(seed):
    """Chains of three with an ion at the end that diffuse, shape (F, MOLECULES, BEADS, 3)."""
    generator = np.random.default_rng(seed)
    start = generator.uniform(-3, 3, (MOLECULES, 1, 3))
    start = start + np.cumsum(generator.normal(0, 0.4, (MOLECULES, BEADS, 3)), axis=1)
    kicks = generator.normal(0, 0.1, (len(STEPS), MOLECULES, BEADS, 3))
    return start + np.cumsum(kicks, axis=0)


def trajectory(positions, order=None, box=BOX):
    """As a trajectory, with the beads of all molecules relabelled by `order`."""
    molecules = positions.shape[1]
    n = molecules * BEADS
    order = np.arange(n) if order is None else order
    new_label = np.argsort(order)
    first = (np.arange(molecules)[:, None] * BEADS + np.arange(BEADS - 1)).ravel()
    typeid = np.where(np.arange(n) % BEADS == 0, 1 + np.arange(n) // BEADS % 2, 0)
    charge = np.array([0.0, 1.0, -1.0])[typeid]
    return ArrayTrajectory(
        positions.reshape(len(STEPS), n, 3)[:, order],
        box,
        steps=STEPS,
        typeid=typeid[order],
        type_names=('B', 'Li', 'S'),
        charge=charge[order],
        bonds=new_label[np.stack([first, first + 1], axis=1)],
        time_step=0.01,
    )


def answers(source):
    run = run_of(source)
    relaxation = SegmentalRelaxation().compute(run)
    clusters = IonClusters(contact_distance=1.5).compute(run)
    sizes = ChainSizes().compute(run)
    displacements = MeanSquaredDisplacement().compute(run).by_type
    found = {f'msd {k}': v.curve.value for k, v in displacements.items()}
    found |= {f'F_s {k}': v['pi/sigma'].curve.value for k, v in relaxation.scattering.items()}
    found |= clusters.series
    found |= {
        'p1': relaxation.p1['backbone'].curve.value,
        'p2': relaxation.p2['backbone'].curve.value,
        'sizes': clusters.number_distribution.probability,
        'internal distances': sizes.squared_distance.value,
        'gyration': np.array([sizes.squared_radius_of_gyration.value]),
    }
    return found


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert other[name] == pytest.approx(value, abs=2e-4), name


def is_sharp(positions, box=BOX):
    """No ions so close to the contact distance that rounding decides, and no bond so long."""
    box = Box.of(box)
    ions = positions[:, :, 0]
    delta = ions[:, :, None] - ions[:, None]
    distance = np.linalg.norm(box.nearest_image(delta), axis=-1)
    longest = np.linalg.norm(np.diff(positions, axis=2), axis=-1).max()
    return np.all(np.abs(distance - 1.5) > 1e-5) and longest < box.least_width / 2


@settings(max_examples=15, deadline=None)
@given(seeds, shifts)
def test_translation_and_wrapping(seed, shift):
    positions = molecules(seed)
    assume(is_sharp(positions))
    assert_same(answers(trajectory(positions)), answers(trajectory(positions + shift)))


@settings(max_examples=15, deadline=None)
@given(seeds, st.lists(boxes_away, min_size=MOLECULES, max_size=MOLECULES))
def test_molecules_in_other_images(seed, away):
    positions = molecules(seed)
    assume(is_sharp(positions))
    moved = positions + np.array(away)[None, :, None, None] * BOX
    assert_same(answers(trajectory(positions)), answers(trajectory(moved)))


@settings(max_examples=15, deadline=None)
@given(seeds, st.randoms(use_true_random=False))
def test_labels_of_beads_and_order_of_molecules(seed, random):
    positions = molecules(seed)
    order = list(range(MOLECULES * BEADS))
    random.shuffle(order)
    assume(is_sharp(positions))
    assert_same(answers(trajectory(positions)), answers(trajectory(positions, np.array(order))))


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_a_tilted_cell_is_as_two_of_them_in_a_straight_box(seed):
    """Of a centred lattice: cells at 0 and at the second vector fill a box twice as long."""
    positions, (lx, ly, lz) = molecules(seed), BOX
    tilted = [lx, ly, lz, lx / ly / 2, 0, 0]
    assume(is_sharp(positions, tilted))
    one = answers(trajectory(positions, box=tilted))
    both = np.concatenate([positions, positions + [lx / 2, ly, 0]], axis=1)
    two = answers(trajectory(both, box=[lx, 2 * ly, lz]))
    # Of one cluster that winds there may be one or two, and each is a smaller part.
    for name in ('number_average_size', 'weight_average_size', 'largest_cluster_fraction', 'sizes'):
        del one[name], two[name]
    assert_same(one, two)
