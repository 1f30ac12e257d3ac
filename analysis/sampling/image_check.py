"""Whether the periodic images in a trajectory can be trusted for displacements."""

from __future__ import annotations

import numpy as np

from analysis.arrays import BoolArray, IntArray
from analysis.geometry.topology import NO_IMAGES, Snapshot, Topology
from analysis.io.trajectory import Trajectory
from analysis.sampling.frame_selection import spread_out
from analysis.sampling.motion import CONSTANT_IMAGES, IMAGE_PERIOD

CHECKED_PAIRS = 8


def missing_images_reason(trajectory: Trajectory, frames: IntArray) -> str:
    """Find out whether images follow the particles across the boundary.

    Writers may leave images out, or write them once, and every reader then takes them for
    constant. Two signs betray that: a bond that comes to cross the boundary between two frames
    though the images of its ends stay as they were; or, of particles without bonds, coordinates
    that jump by more than half the box from a frame to the next while no image ever changes, which
    `Paths` looks for in all frames.
    Images that start wrong and then follow are fine: only their changes count. Frames are read two
    at a time, 8 times at most. The reason, with what to do, is empty where all is well.
    """
    if len(frames) < 2:
        return ''
    firsts = spread_out(np.arange(len(frames) - 1), CHECKED_PAIRS)
    start = trajectory.read(int(frames[0]))
    if start.images is None:
        return NO_IMAGES
    reference, was_short = _bond_windings(start, trajectory.topology)
    has_jump = has_change = False
    for first in firsts:
        one, two = (trajectory.read(int(frames[k])) for k in (first, first + 1))
        if one.images is None or two.images is None:
            return NO_IMAGES
        for snapshot in (one, two):
            windings, is_short = _bond_windings(snapshot, trajectory.topology)
            # Image flags that ran over are continued elsewhere (`Paths`).
            has_changed = ((windings - reference) % IMAGE_PERIOD != 0).any(axis=1)
            if np.any(has_changed & was_short & is_short):
                return 'the images do not follow the bonds across the boundary: ' + NO_IMAGES
        has_change |= not np.array_equal(one.images, start.images)
        has_change |= not np.array_equal(two.images, start.images)
        has_jump |= bool(np.any(np.abs(one.box.fractions(two.positions - one.positions)) > 0.5))
    if has_jump and not has_change:
        return CONSTANT_IMAGES
    return ''


def _bond_windings(snapshot: Snapshot, topology: Topology) -> tuple[IntArray, BoolArray]:
    """Count box vectors between the unwrapped and the nearest-image bond, shape (M, 3).

    Also whether the bond is short enough for its nearest image to be the right one, shape (M,).
    """
    assert snapshot.images is not None
    first, second = topology.bonds[:, 0], topology.bonds[:, 1]
    part = snapshot.box.fractions(snapshot.positions[second] - snapshot.positions[first])
    crossed = np.rint(part)
    windings = snapshot.images[second] - snapshot.images[first] + crossed.astype(np.int64)
    return windings, np.asarray(np.all(np.abs(part - crossed) < 0.25, axis=1))
