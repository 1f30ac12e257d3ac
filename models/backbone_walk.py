"""Freely rotating walks, open or closed: the backbones of all chains at once, in linear time.

The turns of all chains are one long array of rotations, and their running product gives every
bond vector. A chain begins with a uniformly random rotation, which makes it independent of the
chain before it. The product is taken in two levels (rows side by side, then the rows among
themselves), so one long chain costs as little as many short ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Of Kremer and Grest 1990: bonds of 0.97 sigma, next-nearest neighbours at least 1.02 sigma
# apart, which is a bound on the angle between the two bonds that leave one bead.
BOND_LENGTH = 0.97
NEXT_NEAREST_DISTANCE = 1.02
LARGEST_BOND_COSINE = 1.0 - 0.5 * (NEXT_NEAREST_DISTANCE / BOND_LENGTH) ** 2

# Closed walks turn back further at few of their beads; redrawn are those with beads two bonds apart
# that are closer than 0.7 of a bond.
LARGEST_CLOSED_COSINE = 1.0 - 0.5 * 0.7**2
MOST_REDRAWS = 30
CLOSING_SWEEPS = 60

FloatArray = NDArray[np.float64]


def walk_directions(is_first: NDArray[np.bool_], rng: np.random.Generator) -> FloatArray:
    """Draw unit vectors from each unit towards the next one.

    Successive vectors enclose theta with cos theta uniform on [-0.447, 1], the directions of a
    sphere that keep next-nearest neighbours apart. So <cos theta> = 0.276, and
    C_infinity = (1 + <cos theta>)/(1 - <cos theta>) = 1.76, as in the flexible Kremer-Grest
    melt (1.7 to 1.9).

    `is_first`, shape (units,), says whether a unit begins a chain, as the first one does. Vectors
    have shape (units, 3); that of the last unit of a chain leads nowhere.
    """
    units = is_first.size
    half_turn = 0.5 * np.arccos(rng.uniform(-LARGEST_BOND_COSINE, 1.0, units))
    half_torsion = rng.uniform(0.0, np.pi, units)
    # rotate by the torsion about z, then by the turn about x
    turns = np.stack(
        [
            np.cos(half_torsion) * np.cos(half_turn),
            np.cos(half_torsion) * np.sin(half_turn),
            np.sin(half_torsion) * np.sin(half_turn),
            np.sin(half_torsion) * np.cos(half_turn),
        ],
        axis=-1,
    )
    random_rotations = rng.normal(size=(np.count_nonzero(is_first), 4))
    turns[is_first] = random_rotations / np.linalg.norm(random_rotations, axis=1, keepdims=True)
    w, x, y, z = running_product(turns).T
    directions = np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], -1)
    return np.asarray(directions / np.linalg.norm(directions, axis=1, keepdims=True))


def closed_walk_directions(
    is_first: NDArray[np.bool_], bond_lengths: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Draw unit vectors from each bead towards the next, and from the last back to the first.

    Those of an open walk, from each of which the mean of its walk is taken off until they add up
    to nothing: for Gaussian steps this gives closed walks exactly. `is_first` says where a walk
    begins, `bond_lengths`, shape (beads,), how far the next bead is.
    """
    directions = walk_directions(is_first, rng)
    is_left = np.ones(is_first.size, dtype=bool)
    for _ in range(MOST_REDRAWS):
        starts = np.flatnonzero(is_first[is_left])
        walk = np.cumsum(is_first[is_left]) - 1
        closed, lengths = directions[is_left], bond_lengths[is_left]
        whole = np.add.reduceat(lengths, starts)
        for _ in range(CLOSING_SWEEPS):
            gaps = np.add.reduceat(lengths[:, None] * closed, starts)
            closed = closed - (gaps / whole[:, None])[walk]
            closed /= np.linalg.norm(closed, axis=1, keepdims=True)
        directions[is_left] = closed
        onward = np.roll(closed, -1, axis=0)
        onward[np.append(starts[1:], len(closed)) - 1] = closed[starts]
        turn = np.minimum.reduceat(np.sum(closed * onward, axis=1), starts)
        is_left[is_left] = (turn < -LARGEST_CLOSED_COSINE)[walk]
        if not is_left.any():
            break
        directions[is_left] = walk_directions(is_first[is_left], rng)
    return directions


def walk_positions(
    directions: FloatArray,
    is_first: NDArray[np.bool_],
    starts: FloatArray,
    bond_lengths: FloatArray,
) -> FloatArray:
    """Place all beads, shape (beads, 3), of walks that begin at `starts` (walks, 3).

    `bond_lengths`, shape (beads,), says how far the next bead is.
    """
    steps = np.zeros_like(directions)
    steps[1:] = (bond_lengths[:, None] * directions)[:-1]
    walked = np.cumsum(steps, axis=0)
    chain = np.cumsum(is_first) - 1
    return np.asarray(walked + (starts - walked[is_first])[chain])


def running_product(rotations: FloatArray) -> FloatArray:
    """Compute products q_0 q_1 ... q_i of unit quaternions (w, x, y, z), shape (units, 4)."""
    units = len(rotations)
    columns = int(np.ceil(np.sqrt(units)))
    rows = -(-units // columns)
    padded = np.zeros((rows * columns, 4))
    padded[:, 0] = 1.0
    padded[:units] = rotations
    products = padded.reshape(rows, columns, 4)
    for column in range(1, columns):
        products[:, column] = _multiply(products[:, column - 1], products[:, column])
    if rows > 1:
        before = running_product(products[:, -1]) if rows > 2 else products[:, -1]
        products[1:] = _multiply(before[:-1, None], products[1:])
    return products.reshape(-1, 4)[:units]


def _multiply(p: FloatArray, q: FloatArray) -> FloatArray:
    pw, px, py, pz = np.moveaxis(p, -1, 0)
    qw, qx, qy, qz = np.moveaxis(q, -1, 0)
    return np.stack(
        [
            pw * qw - px * qx - py * qy - pz * qz,
            pw * qx + px * qw + py * qz - pz * qy,
            pw * qy - px * qz + py * qw + pz * qx,
            pw * qz + px * qy - py * qx + pz * qw,
        ],
        axis=-1,
    )
