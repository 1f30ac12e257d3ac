"""What the outputs of a job must hold: each frame and row once, at its step, as it was written."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import gsd.hoomd
import numpy as np
from numpy.typing import NDArray

from fault_injection.outcome import ANEW, Outcome
from fault_injection.small_sweep import (
    DENSE_SCHEDULE,
    LOG_PERIOD,
    SCHEDULE,
    STEPS,
    Run,
    is_done,
)
from workflow.jobs import files as job_files
from workflow.stages.checkpoint import DamagedCheckpoint, read_checkpoint
from workflow.stages.gsd_layout import restore
from workflow.stages.stage_folder import StageFolder
from workflow.stages.thermo_writer import read_hdf5, read_rows
from workflow.sweep.frame_schedule import BlockSchedule

_LONGEST_BOND = 1.5  # R0 of every FENE bond of the model
_TEMPERATURES = (0.5, 2.0)


@dataclass(frozen=True)
class Content:
    """Frames and rows by step, as bytes; empty where nothing was written."""

    frames: Mapping[int, bytes] = field(default_factory=dict)
    rows: Mapping[int, bytes] = field(default_factory=dict)

    def until(self, step: int) -> Content:
        """What was written up to `step`."""
        frames = {s: each for s, each in self.frames.items() if s <= step}
        return Content(frames, {s: each for s, each in self.rows.items() if s <= step})


def content_so_far(job: Path, scratch: Path) -> Content:
    """What belongs to the newest whole checkpoint of the sampling of a job that does not run."""
    folder = StageFolder(job, 'sample')
    for path in (folder.checkpoint, folder.checkpoint.with_name('checkpoint.previous')):
        try:
            checkpoint = read_checkpoint(path)
        except DamagedCheckpoint:
            continue
        if checkpoint.frames is None or not folder.trajectory.exists():  # it has its final name
            return Content()
        copy = scratch / f'{job.name}.gsd'
        shutil.copyfile(folder.trajectory, copy)
        restore(copy, checkpoint.frames)
        frames = _frames(copy)
        copy.unlink()
        return Content(dict(frames), _rows(read_rows(folder.thermo))).until(checkpoint.state.step)
    return Content()


def count_end(
    outcome: Outcome, kind: str, engine: str, job: Path, run: Run, written: Content
) -> None:
    """Count frames and rows that are lost, doubled or wrong after the last run of a job.

    Args:
        outcome: Takes the counts.
        kind: Of fault.
        engine: Of the job.
        job: Its folder.
        run: The last one.
        written: What was written before the faults, and must still be there as it was.
    """
    outcome.answers[kind, engine, ANEW] += run.began_anew
    if run.code != 0 or not is_done(job):
        outcome.counts[kind, engine, 'not completed'] += 1
        return
    found = _faults(job / job_files.TRAJECTORY, job / job_files.THERMO, SCHEDULE, written)
    dense = job / job_files.DENSE_TRAJECTORY, job / job_files.DENSE_THERMO
    found += _faults(*dense, DENSE_SCHEDULE, Content())
    outcome.counts += Counter({(kind, engine, fault): n for fault, n in found.items()})


def _faults(trajectory: Path, log: Path, schedule: BlockSchedule, written: Content) -> Counter[str]:
    frames, columns = _frames(trajectory), read_hdf5(log)
    rows = _rows(columns)
    frame_steps, row_steps = [step for step, _ in frames], columns['step'].tolist()
    found: Counter[str] = Counter()
    due_frames = [step for step in range(STEPS + 1) if schedule.is_due(step)]
    due_rows = list(range(LOG_PERIOD, STEPS + 1, LOG_PERIOD))
    for there, due in ((frame_steps, due_frames), (row_steps, due_rows)):
        found['lost'] += len(set(due) - set(there))
        found['doubled'] += len(there) - len(set(there))
        found['wrong'] += len(set(there) - set(due)) + int(there != sorted(there))
    by_step = dict(frames)
    found['wrong'] += sum(by_step.get(step) != each for step, each in written.frames.items())
    found['wrong'] += sum(rows.get(step) != each for step, each in written.rows.items())
    found['wrong'] += _unphysical_frames(trajectory)
    found['wrong'] += _unphysical_rows(columns, trajectory)
    return found


def _frames(path: Path) -> list[tuple[int, bytes]]:
    with gsd.hoomd.open(path) as trajectory:
        return [
            (
                int(frame.configuration.step),
                b''.join(
                    np.ascontiguousarray(each).tobytes()
                    for each in (
                        frame.configuration.box,
                        frame.particles.position,
                        frame.particles.image,
                        frame.particles.typeid,
                        frame.particles.charge,
                        frame.bonds.group,
                    )
                ),
            )
            for frame in trajectory
        ]


def _rows(columns: Mapping[str, NDArray[np.float64]]) -> dict[int, bytes]:
    table = np.stack([np.asarray(values, dtype=float) for values in columns.values()], axis=1)
    return {int(row[0]): row.tobytes() for row in table}


def _unphysical_frames(path: Path) -> int:
    """Frames with a bead outside the box, a bond too long, or a value that is no number."""
    wrong = 0
    with gsd.hoomd.open(path) as trajectory:
        for frame in trajectory:
            box, positions = frame.configuration.box[:3], frame.particles.position
            first, second = frame.bonds.group.T
            vectors = positions[first] - positions[second]
            vectors -= box * np.round(vectors / box)
            inside = np.abs(positions) <= box / 2 * (1 + 1e-6)
            bonds = np.linalg.norm(vectors, axis=1)
            wrong += not (inside.all() and (bonds < _LONGEST_BOND).all())
    return wrong


def _unphysical_rows(columns: Mapping[str, NDArray[np.float64]], trajectory: Path) -> int:
    """Rows with another volume than the frames, or a temperature or energy far from all others."""
    with gsd.hoomd.open(trajectory) as file:
        volume = float(np.prod(file[0].configuration.box[:3].astype(float)))
        n_beads = file[0].particles.N
    temperature = 2 * columns['kinetic_energy'] / (3 * n_beads - 3)
    energy = columns['potential_energy'] / n_beads
    right = np.isclose(columns['volume'], volume, rtol=1e-5)
    right &= (temperature > _TEMPERATURES[0]) & (temperature < _TEMPERATURES[1])
    right &= np.abs(energy - np.median(energy)) < 1.0
    for name in columns:
        right &= np.isfinite(columns[name])
    return int(np.sum(~right))
