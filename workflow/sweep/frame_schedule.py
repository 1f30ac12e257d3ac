"""When frames are written: log-spaced within blocks, so that decades of time cost little disk."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class BlockSchedule:
    """Frames at ``0, b, 2b, 4b, ..., B/2`` steps into every block of `B` steps.

    A run of any length writes ``log2(B/b) + 1`` frames a block and resolves times from `b` to the
    length of the run. The frames at 0 and B/2 are evenly spaced, for averages without time.

    Attributes:
        shortest: `b`, the shortest interval in steps.
        doublings: ``log2(B/b)``, at least 1.
    """

    shortest: int
    doublings: int

    @property
    def block(self) -> int:
        """Steps in a block."""
        return self.shortest << self.doublings

    @property
    def offsets(self) -> NDArray[np.int64]:
        """``(doublings + 1,)`` steps into a block at which frames are due."""
        return np.concatenate([[0], self.shortest * 2 ** np.arange(self.doublings)])

    def next_frame(self, step: int) -> int:
        """Find the first step after `step` at which a frame is due."""
        start = step - step % self.block
        later = self.offsets[self.offsets > step - start]
        return start + int(later[0]) if later.size else start + self.block

    def is_due(self, step: int) -> bool:
        """Return whether a frame is due at `step`."""
        return step % self.block in self.offsets


class NoFrames(BlockSchedule):
    """Blocks for reviews alone, of a run whose frames nobody reads: it has its first one."""

    def next_frame(self, step: int) -> int:
        """Return a step that no run comes to."""
        return sys.maxsize

    def is_due(self, step: int) -> bool:
        """Return False."""
        return False
