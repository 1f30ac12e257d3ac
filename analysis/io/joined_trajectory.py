"""Joins trajectories of one system, such as those of the restarts of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analysis.arrays import IntArray
from analysis.geometry.topology import Snapshot
from analysis.io.trajectory import Trajectory
from user_input import UserError

# Dumps round the times of frames.
TIME_STEP_TOLERANCE = 1e-3


class JoinedTrajectory:
    """The frames of several trajectories, in the order of their first steps.

    See `analysis.io.trajectory.Trajectory`. Steps that several have are there several times.

    Raises:
        UserError: If the systems or the time steps differ.
    """

    def __init__(self, parts: Sequence[Trajectory]) -> None:
        self._parts = sorted(parts, key=lambda part: int(part.steps[0]))
        first, last = self._parts[0], self._parts[-1]
        self.path = Path(f'{first.path} ... {last.path}')
        self.topology = first.topology
        self.steps: IntArray = np.concatenate([part.steps for part in self._parts])
        self._ends = np.cumsum([len(part) for part in self._parts])
        self.time_step = next((p.time_step for p in self._parts if p.time_step is not None), None)
        for part in self._parts[1:]:
            what = _difference(first, part)
            if what:
                raise UserError(
                    f'{part.path}: the {what} differ from those of {first.path}. Join only files '
                    'of one run.'
                )
            part.topology = first.topology  # one copy is enough

    def __len__(self) -> int:
        return len(self.steps)

    def read(self, index: int) -> Snapshot:
        """Read the frame at `index`; UserError as the part that holds it raises it."""
        k = int(np.searchsorted(self._ends, index, side='right'))
        return self._parts[k].read(index - int(self._ends[k]) + len(self._parts[k]))


def _difference(one: Trajectory, other: Trajectory) -> str:
    """Name what differs between two trajectories; '' if nothing does."""
    if len(one.topology.typeid) != len(other.topology.typeid):
        return 'numbers of particles'
    for field in dataclasses.fields(one.topology):
        if one.topology is not other.topology and not np.array_equal(
            getattr(one.topology, field.name), getattr(other.topology, field.name)
        ):
            return f"particles ('{field.name}')"
    a, b = one.time_step, other.time_step
    if a is not None and b is not None and not np.isclose(a, b, TIME_STEP_TOLERANCE, 0):
        return f'time steps ({a:.6g} and {b:.6g})'
    return ''
