"""Frames at even spacing, out of frames at any."""

import numpy as np

from analysis.sampling.frame_selection import evenly_spaced
from tests.analysis.builders import log_spaced_steps


def test_frames_are_evenly_spaced():
    steps = log_spaced_steps(10, 5, 64)
    assert set(np.diff(steps[evenly_spaced(steps)])) == {160}
    lost = np.delete(np.arange(0, 1000, 10), [40, 41])
    assert len(evenly_spaced(lost)) == len(lost)
    assert evenly_spaced(np.zeros(5, dtype=int)).tolist() == [0, 1, 2, 3, 4]
