"""What is analysed: a trajectory, a thermo log, and which part of them is production."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.geometry.topology import Topology
from analysis.io.trajectory import Trajectory
from analysis.sampling.correlation_plan import CorrelationPlan, plan_correlations
from analysis.sampling.definitions import Definitions
from analysis.sampling.frame_selection import evenly_spaced, frames_from
from analysis.sampling.image_check import missing_images_reason
from analysis.sampling.production import Production
from user_input import UserError, count_of, nearest_name

FEWEST_FRAMES = 8


@dataclass(frozen=True)
class Run:
    """A run as observables see it: made from paths, or from a job.

    Attributes:
        trajectory: None where there is only a log.
        thermo: Columns of the thermo log by name, shape (R,) each; None where there is none.
        production: From where on it counts.
        given_time_step: Duration of a step; None takes what the trajectory says.
        kT: Of the bath; None where not known.
        equilibration_volume: Volumes of the equilibration at constant pressure that came before,
            shape (T,); None takes those of the log.
        definitions: What all runs that are compared are measured with; None where there is nothing
            to compare, and the run is measured with its own.
    """

    trajectory: Trajectory | None = None
    thermo: Mapping[str, FloatArray] | None = None
    production: Production = Production()
    given_time_step: float | None = None
    kT: float | None = None
    equilibration_volume: FloatArray | None = None
    definitions: Definitions | None = None

    def __post_init__(self) -> None:
        """Raise a UserError for a time step or a kT that is not positive."""
        given = self.given_time_step
        if given is not None and not (np.isfinite(given) and given > 0):
            raise UserError(f'time step {given}: give a positive duration.')
        if self.kT is not None and not (np.isfinite(self.kT) and self.kT > 0):
            raise UserError(f'kT {self.kT}: give a positive energy.')

    @property
    def frames(self) -> Trajectory:
        """The trajectory; UserError if there is none."""
        if self.trajectory is None:
            raise UserError('a trajectory is needed.')
        return self.trajectory

    def log(self, *columns: str) -> dict[str, FloatArray]:
        """Take columns from the thermo log; UserError if there is no log, or no such column."""
        if self.thermo is None:
            raise UserError('a thermo log is needed (--thermo thermo.h5).')
        for name in columns:
            if name not in self.thermo:
                raise UserError(
                    f"the thermo log has no column '{name}'. " + nearest_name(name, self.thermo)
                )
        return {name: self.thermo[name] for name in columns}

    @property
    def topology(self) -> Topology:
        """That of the trajectory."""
        return self.frames.topology

    @property
    def time_step(self) -> float | None:
        """Duration of a step; None where nobody says."""
        if self.given_time_step is not None:
            return self.given_time_step
        return None if self.trajectory is None else self.trajectory.time_step

    @property
    def time_unit(self) -> str:
        """Unit of correlation times: 'tau' where the time step is known, else 'steps'."""
        return 'steps' if self.time_step is None else 'tau'

    @cached_property
    def even_frames(self) -> IntArray:
        """Frames of the production at even spacing, for averages without time."""
        return evenly_spaced(self.frames.steps, self.production.first_frame)

    @cached_property
    def correlated_frames(self) -> IntArray:
        """Frames whose correlations count; UserError if too few, or without different steps."""
        path, steps = self.frames.path, self.frames.steps
        frames = frames_from(steps, self.production.first_settled_frame)
        if len(frames) < FEWEST_FRAMES:
            raise UserError(
                f'{path}: {count_of(len(frames), "frame")}; at least {FEWEST_FRAMES} are needed.'
            )
        if steps[frames[0]] == steps[frames[-1]]:
            raise UserError(f'{path}: all frames are of step {steps[0]}. Write their steps.')
        return frames

    @cached_property
    def correlation_plan(self) -> CorrelationPlan:
        """Which of `correlated_frames` go together; UserError if no lag occurs often enough."""
        plan = plan_correlations(self.frames.steps[self.correlated_frames])
        if len(plan.lags) == 0:
            raise UserError(
                f'{self.frames.path}: no lag occurs often enough between the frames. Write more '
                'frames at regular steps.'
            )
        return plan

    @cached_property
    def missing_images_reason(self) -> str:
        """Why displacements cannot be had from `correlated_frames`; empty where they can."""
        return missing_images_reason(self.frames, self.correlated_frames)
