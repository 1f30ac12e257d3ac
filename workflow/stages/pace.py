"""How often a checkpoint is written, and how many steps the engine is asked for at once.

A checkpoint of a small melt takes milliseconds, one of a million beads on a busy file system takes
seconds. So the time between two is chosen such that writing takes a fixed share of the run, within
limits: not so often that nothing is gained, nor so seldom that a kill costs much.
"""

from __future__ import annotations

import os
import time

from workflow.engines.contract import Simulation

SECONDS_VARIABLE = 'ISP_SECONDS_BETWEEN_CHECKPOINTS'

_SHARE_OF_RUN = 0.01
_LEAST_SECONDS = 10.0
_MOST_SECONDS = 900.0
# The last cost counts this much: a file system that was busy once does not decide for long.
_WEIGHT_OF_LAST = 0.5
# A stage stops within about this time of a request, and reports its progress as often. To take and
# check the state of a million beads may take a good part of it: then chunks are longer.
_SECONDS_OF_CHUNK, _MOST_SECONDS_OF_CHUNK = 1.0, 10.0
_SHARE_OF_LOOKS = 0.02
# Nothing is known of the speed at first: from one step up, so that no chunk takes much longer.
_MOST_GROWTH = 8


def seconds_between(cost: float) -> float:
    """Choose the seconds between two checkpoints of which each takes `cost` seconds."""
    return min(max(cost / _SHARE_OF_RUN, _LEAST_SECONDS), _MOST_SECONDS)


class CheckpointPace:
    """Says when the next checkpoint is due, from what those before took.

    ISP_SECONDS_BETWEEN_CHECKPOINTS fixes the time between two, for tests.
    """

    def __init__(self) -> None:
        self._fixed = os.environ.get(SECONDS_VARIABLE)
        self._cost: float | None = None
        self._last = time.monotonic()

    @property
    def seconds(self) -> float:
        """Between the end of one checkpoint and the beginning of the next."""
        return float(self._fixed) if self._fixed else seconds_between(self._cost or 0.0)

    @property
    def is_due(self) -> bool:
        """Whether that time has passed."""
        return time.monotonic() - self._last > self.seconds

    def wrote(self, seconds: float) -> None:
        """Take note of a checkpoint that has just been written, in `seconds`."""
        before = seconds if self._cost is None else self._cost
        self._cost = _WEIGHT_OF_LAST * seconds + (1 - _WEIGHT_OF_LAST) * before
        self._last = time.monotonic()


class ChunkLength:
    """Steps that take about a second, or up to ten where so much is done between two chunks."""

    def __init__(self) -> None:
        self.steps = 1
        self._ended = time.monotonic()
        self._looks = [0.0]

    def run(self, simulation: Simulation, steps: int) -> None:
        """Run a chunk of `steps` steps, and take note of its time, and of that since the last."""
        started = time.monotonic()
        # Of two, the shorter: a checkpoint or a review comes seldom.
        self._looks = [self._looks[-1], started - self._ended]
        simulation.run(steps)
        self._ended = time.monotonic()
        seconds = max(_SECONDS_OF_CHUNK, min(self._looks) / _SHARE_OF_LOOKS)
        share = min(seconds, _MOST_SECONDS_OF_CHUNK) / max(self._ended - started, 1e-6)
        self.steps = max(1, min(int(share * steps), _MOST_GROWTH * max(steps, self.steps)))
