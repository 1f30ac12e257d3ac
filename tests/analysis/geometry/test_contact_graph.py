"""Components, windings and shapes against systems whose answer is known."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis.geometry.box import Box
from analysis.geometry.contact_graph import (
    connected_components,
    contacts_among,
    contacts_between,
    shapes,
)
from user_input import UserError

BOX = np.array([10.0, 10.0, 10.0])


def analyse(unwrapped, distance=1.05, box=BOX):
    positions = np.asarray(unwrapped, dtype=float)
    positions = positions - box * np.floor(positions / box + 0.5)
    return positions, connected_components(contacts_among(positions, Box.of(box), distance))


def line(direction, n):
    return np.arange(n)[:, None] * np.asarray(direction, dtype=float)


@pytest.mark.parametrize(
    ('points', 'winds', 'dimension'),
    [
        (line([1, 0, 0], 9), [0, 0, 0], 0),
        (line([1, 0, 0], 10), [1, 0, 0], 1),
        (line([0, 0, 1], 10), [0, 0, 1], 1),
        (np.concatenate([line([1, 0, 0], 10), line([0, 1, 0], 10)[1:]]), [1, 1, 0], 2),
        (np.concatenate([line(v, 10)[k:] for k, v in enumerate(np.eye(3))][:1]
                        + [line(v, 10)[1:] for v in np.eye(3)[1:]]), [1, 1, 1], 3),
        # Along a face diagonal: one independent winding, with a part along two axes.
        (line([0.625, 0.625, 0], 16), [1, 1, 0], 1),
    ],
)  # fmt: skip
def test_winding(points, winds, dimension):
    _, components = analyse(points)
    assert components.size.tolist() == [len(points)]
    assert components.winds[0].tolist() == [bool(w) for w in winds]
    assert components.dimension.tolist() == [dimension]


def test_a_cluster_longer_than_the_box_need_not_percolate():
    # A slanted rod passes its own image at a distance of 2: no path comes back to where it began.
    _, rod = analyse(line([1, 0.2, 0], 13))
    assert rod.size.tolist() == [13]
    assert rod.winds.tolist() == [[False, False, False]]
    assert rod.dimension.tolist() == [0]


def test_ring_across_the_boundary_does_not_wind():
    angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    ring = 3.0 * np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1) + [5, 5, 5]
    positions, components = analyse(ring)
    assert components.size.tolist() == [20]
    assert components.dimension.tolist() == [0]
    form = shapes(positions[None], [Box.of(BOX)], components)
    assert form.radius_of_gyration == pytest.approx([3.0])
    assert form.anisotropy == pytest.approx([0.25])  # a flat circle


def helix(pitches, box):
    angle = np.arange(0, 2 * np.pi * pitches, 0.3)
    z = angle / (2 * np.pi) * 2.5
    return np.stack([2 * np.cos(angle), 2 * np.sin(angle), z], axis=1) + [box[0] / 2, 0, 0]


def test_helix_percolates_only_when_it_meets_itself():
    _, open_one = analyse(helix(3.6, BOX), 0.9)  # 9 of 10 long
    assert open_one.size.max() == len(helix(3.6, BOX))
    assert open_one.dimension.max() == 0
    _, closed = analyse(helix(4, BOX), 0.9)
    assert closed.winds.tolist() == [[False, False, True]]


def test_helix_closed_by_a_return_path_does_not_percolate():
    # Up along a helix through the boundary, back down the straight axis: closed, no winding.
    up = helix(4, BOX)[:50]
    back = [[5 + 2 - k * 0.5, 0, 0] for k in range(1, 5)]
    top = up[-1]
    back += [[5, 0, z] for z in np.arange(0.5, top[2], 0.5)]
    back += [[*(np.array([5, 0]) + f * (top[:2] - [5, 0])), top[2]] for f in (0, 0.25, 0.5, 0.75)]
    _, components = analyse(np.concatenate([up, back]) + [0, 0, 3], 0.8)
    assert components.size.tolist() == [50 + len(back)]
    assert components.dimension.tolist() == [0]


def test_a_contact_with_the_own_image_closes_the_path():
    # Three ions bridge the box, and the last is in contact with the image of the first.
    points = [[-2.1, 0, 0], [0, 0, 0], [2.1, 0, 0]]
    box = np.array([6.3, 10.0, 10.0])
    _, components = analyse(points, 2.2, box)
    assert components.winds.tolist() == [[True, False, False]]
    _, apart = analyse(points, 2.2, np.array([6.9, 10.0, 10.0]))
    assert apart.dimension.tolist() == [0]


@pytest.mark.parametrize(('n', 'dimension'), [(9, 0), (10, 1)])
def test_a_wire_whose_like_ends_meet_its_image_percolates_only_by_any_pairs(n, dimension):
    # +-+ ... +: an odd wire ends as it begins, so that the pair across the boundary is no contact.
    box = np.array([0.5 * n, 10.0, 10.0])
    wire = line([0.5, 0, 0], n)
    unlike = connected_components(contacts_between(wire, Box.of(box), np.arange(n) % 2 == 0, 0.6))
    assert unlike.size.tolist() == [n]
    assert unlike.dimension.tolist() == [dimension]
    any_pairs = connected_components(contacts_among(wire, Box.of(box), 0.6))
    assert any_pairs.size.tolist() == [n]
    assert any_pairs.winds.tolist() == [[True, False, False]]


def test_box_smaller_than_two_contacts_is_refused():
    with pytest.raises(UserError, match='contact distance'):
        contacts_among(np.zeros((2, 3)), Box.of([10.0, 10.0, 1.9]), 1.0)


def test_unlike_pairs_only():
    points = line([1, 0, 0], 4)
    is_first = np.array([True, True, False, False])
    unlike = connected_components(contacts_between(points, Box.of(BOX), is_first, 1.05))
    assert sorted(unlike.size.tolist()) == [1, 1, 2]


def test_rod_shape_across_the_boundary():
    points = line([1, 0, 0], 5) + [3, 0, 0]
    positions, components = analyse(points)
    form = shapes(positions[None], [Box.of(BOX)], components)
    assert form.radius_of_gyration == pytest.approx([np.sqrt(2)])
    assert form.anisotropy == pytest.approx([1.0])
    assert form.gyration_tensor[0] == pytest.approx(np.diag([2.0, 0, 0]))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.lists(st.floats(-30, 30), min_size=3, max_size=3),
    st.integers(10, 120),
)
def test_invariance(seed, shift, n):
    generator = np.random.default_rng(seed)
    box = np.array([5.0, 6.0, 7.0])
    points = generator.uniform(-3, 3, (n, 3))
    # Distances close to the limit may change sides by rounding.
    positions, before = analyse(points, 1.0, box)
    order = generator.permutation(n)
    moved, after = analyse(points[order] + shift, 1.0 + 1e-9, box)
    summary = [
        sorted(
            zip(c.size.tolist(), map(tuple, c.winds.tolist()), c.dimension.tolist(), strict=True)
        )
        for c in (before, after)
    ]
    delta = points[:, None] - points[None]
    delta -= box * np.rint(delta / box)
    assume(np.all(np.abs(np.linalg.norm(delta, axis=2) - 1) >= 1e-4))
    assert summary[0] == summary[1]
    finite = [c.dimension == 0 for c in (before, after)]
    radii = [
        np.sort(shapes(p[None], [Box.of(box)], c).radius_of_gyration[f])
        for p, c, f in zip((positions, moved), (before, after), finite, strict=True)
    ]
    assert radii[0] == pytest.approx(radii[1], abs=1e-6)
