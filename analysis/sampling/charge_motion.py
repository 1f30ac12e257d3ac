"""How charge moved from row to row of a thermo log."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.arrays import FloatArray
from analysis.sampling.run import Run

FEWEST_ROWS = 64
AXES = ('x', 'y', 'z')
ALIASED = (
    'the log has the current of its rows alone, not the displacement of the charges: motion faster '
    'than its rows counts as slow'
)


@dataclass(frozen=True)
class ChargeMotion:
    """The charges of a run, from the first to the last of the frames that are correlated.

    Attributes:
        volume: Mean, in sigma^3.
        interval: Between rows, in tau.
        moved: Displacement of all charges together, in e sigma, shape (3, R); None where the log
            does not say.
        current: Sum of q v at each row, in e sigma/tau, shape (3, R); None where it does not say.
        missing: Why there is neither; empty where there is one.
        remarks: What a reader has to know of the rows.
    """

    volume: float
    interval: float
    moved: FloatArray | None = None
    current: FloatArray | None = None
    missing: str = ''
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, run: Run) -> ChargeMotion:
        """Take it from the log of a run; UserError if there is no log."""
        log, frames = run.log('step', 'volume'), run.frames.steps[run.correlated_frames]
        assert run.thermo is not None  # `log` has checked that
        rows = np.flatnonzero((log['step'] >= frames[0]) & (log['step'] <= frames[-1]))
        kinds = ('cation_displacement', 'anion_displacement', 'current')
        table = {
            kind: np.stack([run.thermo[f'{kind}_{axis}'][rows] for axis in AXES])
            for kind in kinds
            if all(f'{kind}_{axis}' in run.thermo for axis in AXES)
        }
        volume = float(np.mean(log['volume'][rows] if len(rows) else log['volume']))
        unit = run.time_step or 1.0
        if not table:
            missing = 'the log does not say how the charges move, as those of older versions'
            return cls(volume, unit, missing=missing)
        unknown = np.flatnonzero(~np.isfinite(np.concatenate(list(table.values()))).all(axis=0))
        first = int(unknown[-1]) + 1 if len(unknown) else 0
        remarks = (f'the first {first} rows of the log do not say how the charges move',)
        rows, steps = rows[first:], log['step'][rows[first:]]
        intervals = np.unique(np.diff(steps))
        if len(rows) < FEWEST_ROWS or len(intervals) != 1:
            missing = f'{len(rows)} rows of the log, at even intervals {FEWEST_ROWS} are needed'
            return cls(volume, unit, missing=f'too short: {missing}')
        table = {kind: columns[:, first:] for kind, columns in table.items()}
        moved = None
        if 'cation_displacement' in table and 'anion_displacement' in table:
            moved = table['cation_displacement'] - table['anion_displacement']
        return cls(
            volume,
            unit * float(intervals[0]),
            moved,
            table.get('current'),
            '',
            (*(remarks if first else ()), *(() if moved is not None else (ALIASED,))),
        )

    @property
    def mean_currents(self) -> FloatArray | None:
        """Means over the intervals between rows, or else what it was at the rows, (3, R)."""
        if self.moved is None:
            return self.current
        return np.asarray(np.diff(self.moved) / self.interval)
