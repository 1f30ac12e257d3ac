"""Which frames of a trajectory to look at, from its steps alone."""

from __future__ import annotations

import warnings
from bisect import bisect_left
from itertools import pairwise

import numpy as np

from analysis.arrays import FloatArray, IntArray
from user_input import UserError

# Gaps that are longer hold less than a tenth of the time: the holes of a lost frame or restart.
TYPICAL_SHARE_OF_TIME = 0.9


def frames_from(steps: IntArray | FloatArray, first_frame: int, what: str = 'frame') -> IntArray:
    """Select the frames from `first_frame` on, negative from the end, each step once.

    A restart goes back to a step after the first and writes again what came after it: its copies
    count, since what follows continues them. Steps that are all the same say nothing, and all
    frames count. Rows of a log are selected in the same way, with `what` they are.

    Raises:
        UserError: If there is no such frame, or the steps go back in another way.
    """
    n = len(steps)
    if not -n <= first_frame < n:
        raise UserError(f'first {what} {first_frame}: there are {n} {what}s. Give 0 to {n - 1}.')
    first = first_frame % n
    falls = (np.flatnonzero(np.diff(steps) <= 0) + 1).tolist()
    if not falls or np.all(steps == steps[0]):
        return np.arange(first, n, dtype=np.int64)
    own, begins, kept = steps.tolist(), 0, list(range(falls[0]))
    for begin, end in pairwise([*falls, n]):
        at = bisect_left(kept, own[begin], key=own.__getitem__)
        is_again = not set(own[begin:end]).isdisjoint(own[k] for k in kept[at:])
        # Of a single one before it nothing is lost: a run that follows writes its start again.
        if not (is_again and (at > 0 or len(kept) == 1)):
            begins, at = begin, 0
        kept[at:] = range(begin, end)
    if first < begins:
        raise UserError(
            f'{what} {begins}: the steps go back, from {own[begins - 1]} to {own[begins]}, and no '
            'restart wrote them again: a minimisation or another run lies in front. Use the '
            f'{what}s from there on: --first-{what} {begins}.'
        )
    frames = np.array(kept, dtype=np.int64)
    frames = frames[frames >= first]
    if again := n - first - len(frames):
        warnings.warn(
            f'{what}s that a restart wrote again: {again}. Of each step the last is used.',
            stacklevel=1,
        )
    return frames


def evenly_spaced(steps: IntArray, first_frame: int = 0) -> IntArray:
    """Select frames at even spacing in time; all where the steps, (F,), are all the same.

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
