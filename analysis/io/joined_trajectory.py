"""Joins trajectories of one system, such as those of the restarts of a run."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analysis.geometry.topology import Snapshot
from analysis.io.trajectory import Trajectory
from user_input import UserError

# Dumps round the times of frames.
TIME_STEP_TOLERANCE = 1e-3


class JoinedTrajectory:
    """The frames of several trajectories, in the order of their first steps.

    See `analysis.io.trajectory.Trajectory`. A trajectory all of whose steps are in those before it
    is left out; where the next goes back, as a restart does, steps are there several times.

    Raises:
        UserError: If the systems or the time steps differ.
    """

    def __init__(self, parts: Sequence[Trajectory]) -> None:
        first, *others = sorted(parts, key=lambda part: (part.steps[0], -part.steps[-1]))
        self._parts, self.steps = [first], first.steps
        self.topology, self.time_step = first.topology, first.time_step
        for part in others:
            what = _difference(self, part)
            if what:
                raise UserError(
                    f'{part.path}: the {what} differ from those of {first.path}. Join only files '
                    'of one run.'
                )
            if part.steps[-1] <= self.steps[-1] and np.isin(part.steps, self.steps).all():
                part.read(0)  # refuses other particles, as of the other processors of a run
                warnings.warn(f'{part.path}: its steps are in other files: left out.', stacklevel=2)
                continue
            part.topology = first.topology  # one copy is enough
            self.time_step = self.time_step or part.time_step
            self.steps = np.concatenate([self.steps, part.steps])
            self._parts.append(part)
        self.path = Path(f'{first.path} ... {self._parts[-1].path}')
        self._ends = np.cumsum([len(part) for part in self._parts])

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
