"""Joins trajectories of one system, such as those of the restarts of a run."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from analysis.geometry.topology import Snapshot
from analysis.io.trajectory import Trajectory
from user_input import UserError

# In root mean squared displacements between frames of one file.
LARGEST_JUMP = 5
# Dumps round the times of frames.
TIME_STEP_TOLERANCE = 1e-3


class JoinedTrajectory:
    """The frames of several trajectories, in the order of their first steps.

    See `analysis.io.trajectory.Trajectory`. A trajectory all of whose steps are in those before it
    is left out; where the next goes back, as a restart does, steps are there several times.

    Raises:
        UserError: If the systems or the time steps differ, or particles jump from one to the next.
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
            if _jumps(self._parts[-1], part):
                raise UserError(
                    f'{part.path}: its first frame does not follow those of '
                    f'{self._parts[-1].path}: particles jump. Join only files of one run.'
                )
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


def _jumps(before: Trajectory, part: Trajectory) -> bool:
    """Return whether particles get farther to the first frame of a part than motion takes them.

    That is what they do to its second frame, in proportion to the time, which no motion exceeds.
    """
    last = max(int(np.searchsorted(before.steps, part.steps[0], side='right')) - 1, 0)
    if len(part) < 2 or part.steps[1] <= part.steps[0]:
        return False
    frames = before.read(last), part.read(0), part.read(1)
    seam, own = (
        np.square(a.box.nearest_image(b.positions - a.positions)).sum() for a, b in pairwise(frames)
    )
    times = (part.steps[0] - before.steps[last]) / (part.steps[1] - part.steps[0])
    return bool(seam > own * (LARGEST_JUMP * max(1.0, times)) ** 2 > 0)
