"""How charge moved from row to row of a thermo log."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.sampling.frame_selection import spread_out
from analysis.sampling.run import Run
from user_input import UserError, count_of

FEWEST_ROWS = 64
AXES = ('x', 'y', 'z')
# Of a box that relaxes at constant pressure; one in other units differs by more.
LARGEST_DIFFERENCE_OF_VOLUMES = 0.2
# Of the displacement of the charges in log and frames, as a part of it: that of positions in single
# precision is less, that of another run more.
LARGEST_DIFFERENCE_OF_PATHS = 0.1
FEWEST_COMMON_STEPS = 8
# Of the time of the frames, in the log.
LEAST_PART = 0.9
SAMPLED_BOXES = 20
ALIASED = (
    'the log has the current of its rows alone, not the displacement of the charges: motion faster '
    'than its rows counts as slow'
)


@dataclass(frozen=True)
class ChargeMotion:
    """The charges of a run, from the first to the last of the frames that are correlated.

    Attributes:
        volumes: Of its rows, else of some frames, in sigma^3, shape (V,).
        interval: Between rows, in tau.
        step: Of each row, shape (R,).
        moved: Displacement of all charges together, in e sigma, shape (3, R); None where the log
            does not say.
        current: Sum of q v at each row, in e sigma/tau, shape (3, R); None where it does not say.
        missing: Why there is neither; empty where there is one.
        remarks: What a reader has to know of the rows.
    """

    volumes: FloatArray
    interval: float
    step: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    moved: FloatArray | None = None
    current: FloatArray | None = None
    missing: str = ''
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, run: Run) -> ChargeMotion:
        """Take it from the log of a run, if it has one; UserError if that is of another box."""
        if run.thermo is None:
            boxes = spread_out(run.correlated_frames, SAMPLED_BOXES)
            volumes = np.array([run.frames.read(int(k)).box.volume for k in boxes])
            missing = 'no thermo log (--thermo) says how the charges move from step to step'
            return cls(volumes, run.time_step or 1.0, missing=missing)
        log, frames = run.log('step', 'volume'), run.frames.steps[run.correlated_frames]
        rows = np.flatnonzero((log['step'] >= frames[0]) & (log['step'] <= frames[-1]))
        kinds = ('cation_displacement', 'anion_displacement', 'current')
        table = {
            kind: np.stack([run.thermo[f'{kind}_{axis}'][rows] for axis in AXES])
            for kind in kinds
            if all(f'{kind}_{axis}' in run.thermo for axis in AXES)
        }
        volumes = log['volume'][rows] if len(rows) else log['volume']
        volume = float(np.mean(volumes))
        in_frames = run.frames.read(int(run.correlated_frames[0])).box.volume
        if abs(volume / in_frames - 1) > LARGEST_DIFFERENCE_OF_VOLUMES:
            raise UserError(
                f'{run.frames.path}: the box has a volume of {in_frames:.4g}, and {volume:.4g} in '
                'the thermo log: they are not of one run, or in different units.'
            )
        unit = run.time_step or 1.0
        if not table:
            missing = 'the log does not say how the charges move, as those of older versions'
            return cls(volumes, unit, missing=missing)
        unknown = np.flatnonzero(~np.isfinite(np.concatenate(list(table.values()))).all(axis=0))
        first = int(unknown[-1]) + 1 if len(unknown) else 0
        remarks = (f'how the charges move is not in the first {count_of(first, "row")} of the log',)
        rows, steps = rows[first:], log['step'][rows[first:]]
        intervals = np.unique(np.diff(steps))
        if len(rows) < FEWEST_ROWS or len(intervals) != 1:
            found = count_of(len(rows), 'row')
            missing = f'{found} of the log, at even intervals {FEWEST_ROWS} are needed'
            return cls(volumes, unit, missing=f'too short: {missing}')
        part = float((steps[-1] - steps[0]) / (frames[-1] - frames[0]))
        table = {kind: columns[:, first:] for kind, columns in table.items()}
        moved = None
        if 'cation_displacement' in table and 'anion_displacement' in table:
            moved = table['cation_displacement'] - table['anion_displacement']
        return cls(
            volumes,
            unit * float(intervals[0]),
            steps.astype(np.int64),
            moved,
            table.get('current'),
            '',
            (
                *(remarks if first else ()),
                *(() if moved is not None else (ALIASED,)),
                *(
                    (f'the log has {100 * part:.0f} % of the time of the frames',)
                    if part < LEAST_PART
                    else ()
                ),
            ),
        )

    @property
    def volume(self) -> float:
        """Mean, in sigma^3."""
        return float(np.mean(self.volumes))

    @property
    def mean_currents(self) -> FloatArray | None:
        """Means over the intervals between rows, or else what it was at the rows, (3, R)."""
        if self.moved is None:
            return self.current
        return np.asarray(np.diff(self.moved) / self.interval)

    def shares_steps_with(self, steps: Collection[int]) -> bool:
        """Return whether so many frames are at steps of rows that both can be compared."""
        return len(np.intersect1d(self.step, [*steps])) >= FEWEST_COMMON_STEPS

    def unit_of(self, dipoles: Mapping[int, FloatArray]) -> float:
        """Find the unit of dipole moments of frames in that of the log: both tell of one path.

        1 where the log has no displacement at their steps, or nothing moves.

        Args:
            dipoles: Sums of charge times unwrapped position, by step, shape (3,) each.

        Raises:
            UserError: If they do not tell of one path.
        """
        steps = np.array(sorted(dipoles), dtype=np.int64)
        _, rows, frames = np.intersect1d(self.step, steps, return_indices=True)
        if self.moved is None or not self.shares_steps_with(dipoles):
            return 1.0
        in_log = self.moved[:, rows].T
        of_frames = np.array([dipoles[int(steps[k])] for k in frames])
        in_log, of_frames = (each - each.mean(axis=0) for each in (in_log, of_frames))
        squares = float((of_frames**2).sum())
        if squares == 0 or not in_log.any():
            return 1.0
        unit = float((in_log * of_frames).sum()) / squares
        off = np.sqrt(((in_log - unit * of_frames) ** 2).sum() / (in_log**2).sum())
        if unit <= 0 or off > LARGEST_DIFFERENCE_OF_PATHS:
            raise UserError(
                'the charges move otherwise in the thermo log than in the trajectory: give both '
                'of one run, with all of its ions.'
            )
        return unit
