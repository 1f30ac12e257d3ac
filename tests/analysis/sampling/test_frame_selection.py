"""Frames in order, each once, and at even spacing out of frames at any."""

import numpy as np
import pytest

from analysis.sampling.frame_selection import evenly_spaced, frames_from
from tests.analysis.builders import log_spaced_steps
from user_input import UserError


def test_frames_are_evenly_spaced():
    steps = log_spaced_steps(10, 5, 64)
    assert set(np.diff(steps[evenly_spaced(steps)])) == {160}
    lost = np.delete(np.arange(0, 1000, 10), [40, 41])
    assert len(evenly_spaced(lost)) == len(lost)
    assert evenly_spaced(np.zeros(5, dtype=int)).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ('steps', 'kept'),
    [
        ([0, 10, 20, 30, 20, 30, 40], [0, 1, 4, 5, 6]),
        # From a checkpoint between frames, more than once, killed early, one frame at a seam.
        ([0, 10, 20, 30, 25, 30, 40], [0, 1, 2, 4, 5, 6]),
        ([0, 10, 20, 30, 20, 30, 10, 20, 30, 40], [0, 6, 7, 8, 9]),
        ([0, 10, 20, 30, 20], [0, 1, 4]),
        ([0, 10, 10, 20], [0, 2, 3]),
        ([0, 0, 10, 20], [1, 2, 3]),
    ],
)
def test_what_a_restart_wrote_again_counts_once(steps, kept):
    with pytest.warns(UserWarning, match='wrote again'):
        assert frames_from(np.array(steps), 0).tolist() == kept
    with pytest.warns(UserWarning, match='wrote again'):
        assert evenly_spaced(np.array(steps)).size > 1


@pytest.mark.parametrize(
    ('steps', 'begins'),
    [
        ([0, 5, 10, 0, 100, 200, 300], 3),  # a minimisation in front
        ([1000, 1100, 1200, 500, 600], 3),  # files in the wrong order
        ([0, 10, 20, 0, 10, 20], 3),  # two replicas
        ([0, 10, 20, 30, 14, 24, 34], 4),
    ],
)
def test_steps_that_go_back_in_another_way_are_refused(steps, begins):
    with pytest.raises(UserError, match=f'frame {begins}: .*--first-frame {begins}'):
        frames_from(np.array(steps), begins - 1)
    rest = frames_from(np.array(steps), begins)
    assert rest.tolist() == list(range(begins, len(steps)))


def test_many_restarts_take_no_time():
    steps = np.repeat(np.arange(100_000), 2)
    with pytest.warns(UserWarning, match='wrote again: 100000'):
        assert len(frames_from(steps, 0)) == 100_000
