"""Which frames of a trajectory to look at, from its steps alone."""

from __future__ import annotations

import numpy as np

from analysis.arrays import IntArray
from user_input import UserError

# Gaps that are longer hold less than a tenth of the time: the holes of a lost frame or restart.
TYPICAL_SHARE_OF_TIME = 0.9


def frames_from(steps: IntArray, first_frame: int) -> IntArray:
    """Select the frames from `first_frame` on, negative from the end; UserError if none is."""
    n = len(steps)
    if not -n <= first_frame < n:
        raise UserError(
            f'first frame {first_frame}: the trajectory has {n} frames. Give 0 to {n - 1}.'
        )
    return np.arange(first_frame % n, n, dtype=np.int64)


def evenly_spaced(steps: IntArray, first_frame: int = 0) -> IntArray:
    """Select frames at even spacing in time; all where steps, (F,), do not rise.

    Frames at log-spaced offsets within blocks are worth little more than one per block, and would
    weigh the start of each block too much. The spacing is the largest gap between frames, passing
    over those so rare that frames must be missing there.
    """
    frames = frames_from(steps, first_frame)
    gaps = np.diff(steps[frames])
    if len(gaps) == 0 or np.any(gaps <= 0):
        return frames
    rising = np.sort(gaps)
    covered = np.cumsum(rising) / rising.sum()
    spacing = rising[min(int(np.searchsorted(covered, TYPICAL_SHARE_OF_TIME)), len(rising) - 1)]
    kept = [0]
    own = steps[frames]
    while True:
        following = int(np.searchsorted(own, own[kept[-1]] + spacing))
        if following >= len(own):
            return frames[kept]
        kept.append(following)


def spread_out(frames: IntArray, most: int) -> IntArray:
    """Select at most `most` of the frames, evenly spread, the first and the last among them."""
    if len(frames) <= most:
        return frames
    places = np.unique(np.linspace(0, len(frames) - 1, most).round().astype(np.int64))
    return np.asarray(frames[places], dtype=np.int64)
