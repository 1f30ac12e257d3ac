"""Going on with a stage that is done: what is kept of its end, and how it is taken up again.

The last checkpoint of the stage stays with its job. With it, the trajectory and the log are what
they were before the stage was finished, and it resumes as any stage that was stopped. Results stay
until the stage is done again, since they are sound: only of a shorter trajectory.
"""

from __future__ import annotations

import math
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from user_input import UserError
from workflow.jobs import files as job_files
from workflow.jobs import products
from workflow.jobs.atomic_writes import replacing, synchronise
from workflow.stages import thermo_writer, trajectory_writer
from workflow.stages.checkpoint import DamagedCheckpoint, read_checkpoint
from workflow.stages.job_context import holding_all
from workflow.stages.stage_folder import StageFolder
from workflow.stages.table import Stage
from workflow.sweep.limits import Limits


@dataclass(frozen=True)
class End:
    """How a stage ended: after `steps`, with the precision that was asked for by quantity."""

    __pydantic_config__ = job_files.AS_WRITTEN

    steps: int
    precision: dict[str, float]
    is_precise: bool

    def is_enough(self, asked: Limits) -> bool:
        """Return whether what is asked now holds already, as far as can be told without a look."""
        if self.steps >= asked.maximum_steps:
            return True
        wanted = asked.precision.items()
        no_tighter = all(self.precision.get(name, math.inf) <= value for name, value in wanted)
        is_met = self.is_precise and bool(wanted) and no_tighter
        return is_met and self.steps >= asked.minimum_steps


_WRITTEN = TypeAdapter(End)


def keep_end(folder: StageFolder, end: End) -> None:
    """Keep with the job what a restart from here takes, before the stage is done."""
    job_files.write_json(folder.end, asdict(end))
    with replacing(folder.last_checkpoint) as temporary:
        shutil.copyfile(folder.checkpoint, temporary)


def read_end(folder: StageFolder) -> End | None:
    """Read how a stage ended; None if that was not kept, or is damaged: it cannot be extended."""
    try:
        return _WRITTEN.validate_json(folder.end.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def reopen(job_folder: Path, stage: Stage) -> None:
    """Make a stage that is done one that was stopped at its end; a kill leaves one of the two.

    JobIsHeld if another process has the job; UserError if a file is not what the stage left:
    nothing is changed then.
    """
    folder = StageFolder(job_folder, stage.name)
    log, trajectory = map(stage.product, stage.products)
    with holding_all(job_folder):
        try:
            checkpoint = read_checkpoint(folder.last_checkpoint)
        except DamagedCheckpoint as error:
            raise _refusal(folder.last_checkpoint, f'is damaged ({error})') from None
        path = job_folder / trajectory.name
        if found := trajectory_writer.find_corruption(path, checkpoint.frames):
            raise _refusal(path, found)
        # While the trajectory has its final name, this folder is what a run that was killed left.
        shutil.rmtree(folder.path, ignore_errors=True)
        folder.path.mkdir()
        with products.reading(job_folder, log) as path:
            columns = thermo_writer.read_hdf5(path)
            thermo_writer.write_rows(folder.thermo, columns, checkpoint.rows.width)
        if found := thermo_writer.find_corruption(folder.thermo, checkpoint.rows):
            shutil.rmtree(folder.path)
            raise _refusal(path, found)
        shutil.copyfile(folder.last_checkpoint, folder.checkpoint)
        for path in (folder.checkpoint, folder.thermo, folder.path):
            synchronise(path)
        products.move_out(job_folder, trajectory, folder.trajectory)


def _refusal(path: Path, found: str) -> UserError:
    return UserError(f'{path}: {found}, so that its job cannot be extended: it stays as it is.')
