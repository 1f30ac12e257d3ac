"""Tilted boxes: what is nearest, how wide they are, and that it matters not how they are told."""

from itertools import product

import numpy as np
import pytest

from analysis.geometry.box import Box

TILTED = [
    [6.0, 7.0, 8.0, 0.0, 0.0, 0.0],
    [6.0, 7.0, 8.0, 0.4, -0.3, 0.2],
    [6.0, 7.0, 8.0, -3.1, 2.6, 1.7],
    [5.0, 5.0 * np.sqrt(3) / 2, 9.0, 1 / np.sqrt(3), 0.0, 0.0],
]
CELLS = np.array(list(product(range(-8, 9), repeat=3)))

each_box = pytest.mark.parametrize('box', [Box.of(numbers) for numbers in TILTED])


@each_box
def test_least_width_is_that_between_the_nearest_faces(box):
    a, b, c = box.matrix
    normals = np.array([np.cross(b, c), np.cross(c, a), np.cross(a, b)])
    widths = box.volume / np.linalg.norm(normals, axis=1)
    assert box.volume == pytest.approx(abs(np.linalg.det(box.matrix)))
    assert box.least_width == pytest.approx(widths.min())


@each_box
def test_the_nearest_image_is_the_shortest_of_all(box):
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(200, 3))
    lengths = generator.uniform(0, box.least_width / 2, 200)
    vectors *= (lengths / np.linalg.norm(vectors, axis=1))[:, None]
    moved = vectors + generator.integers(-4, 5, (200, 3)) @ box.matrix
    assert box.nearest_image(moved) == pytest.approx(vectors)
    images = vectors[:, None] + CELLS @ box.matrix
    assert np.linalg.norm(images, axis=2).min(axis=1) == pytest.approx(lengths)


@each_box
def test_wrapping_moves_nothing_and_does_not_depend_on_how_the_box_is_told(box):
    generator = np.random.default_rng(1)
    positions, images = generator.uniform(-30, 30, (50, 3)), generator.integers(-3, 4, (50, 3))
    unwrapped = positions + images @ box.matrix
    least, inside, crossed = box.wrap(positions, images)
    assert inside + crossed @ least.matrix == pytest.approx(unwrapped)
    assert np.all(np.abs(least.fractions(inside)) <= 0.5)
    assert least.least_width >= box.least_width
    other = Box(np.array([[1, 0, 0], [2, 1, 0], [-1, 3, 1]]) @ box.matrix)
    again, same, same_images = other.wrap(unwrapped, np.zeros((50, 3)))
    assert again.matrix == pytest.approx(least.matrix, abs=1e-12)
    assert same == pytest.approx(inside)
    assert np.array_equal(same_images, crossed)


@each_box
def test_waves_that_fit_are_the_same_in_every_image(box):
    targets = np.random.default_rng(2).normal(0, 3, (100, 3))
    vectors = box.nearest_wave_vectors(targets)
    turns = vectors @ box.matrix.T / (2 * np.pi)
    assert turns == pytest.approx(np.rint(turns), abs=1e-9)
    distance = np.linalg.norm(targets[:, None] - vectors, axis=2).min(axis=1)
    assert distance.max() <= np.pi * np.linalg.norm(np.linalg.inv(box.matrix), axis=0).sum()
