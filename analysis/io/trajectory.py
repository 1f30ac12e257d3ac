"""One interface to trajectories of any origin: static topology, steps, one frame at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from analysis.arrays import IntArray
from analysis.geometry.topology import Snapshot, Topology


class Trajectory(Protocol):
    """What every reader offers; frames are read when asked for and not kept."""

    path: Path
    topology: Topology
    steps: IntArray
    time_step: float | None

    def __len__(self) -> int:
        """Count the whole frames."""
        ...

    def read(self, index: int) -> Snapshot:
        """Read the frame at `index`."""
        ...
