"""The files of a stage that is under way, and what is kept of its end."""

from __future__ import annotations

import filecmp
from pathlib import Path

from workflow.stages import thermo_writer, trajectory_writer
from workflow.stages.checkpoint import Checkpoint


class StageFolder:
    """Where they are in a job: frames, thermo rows as raw records, and the checkpoint.

    Beside it are the checkpoint from which a stage that is done may be extended, and how it ended.
    """

    def __init__(self, job_folder: Path, stage: str) -> None:
        self.path = job_folder / f'{stage}.in_progress'
        self.trajectory = self.path / 'trajectory.gsd'
        self.thermo = self.path / 'thermo.rows'
        self.checkpoint = self.path / 'checkpoint'
        self.settings = self.path / 'settings.json'
        self.last_checkpoint = job_folder / f'{stage}_end.checkpoint'
        self.end = job_folder / f'{stage}_end.json'

    @property
    def is_at_former_end(self) -> bool:
        """Whether the stage is where it was when it was done before."""
        both = (self.last_checkpoint, self.checkpoint)
        return all(path.exists() for path in both) and filecmp.cmp(*both, shallow=False)

    def fault(self, checkpoint: Checkpoint) -> str:
        """Find what is wrong with the outputs that `checkpoint` counts on; '' if nothing is."""
        found = trajectory_writer.find_corruption(self.trajectory, checkpoint.frames)
        return found or thermo_writer.find_corruption(self.thermo, checkpoint.rows)
