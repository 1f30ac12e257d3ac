"""Steps that are cut into shorter ones, to get past a place where the motion became unstable.

One step of the stage is then `shortened_by` steps of the engine, each that much shorter: the same
ensemble, the same time axis, and frames and rows at the same steps as ever.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError

from user_input import UserError
from workflow.engines.contract import Simulation, State
from workflow.jobs import files as job_files

_FILE = 'short_steps.json'
# Beyond this a stage would hardly move: no retry asks for more.
MOST_SHORTENED = 125


@dataclass(frozen=True)
class Substeps:
    """A stretch of a stage up to a step, each step of which is `shortened_by` of the engine."""

    __pydantic_config__ = job_files.AS_WRITTEN

    until: int = 0
    shortened_by: Annotated[int, Field(ge=1, le=MOST_SHORTENED)] = 1

    def at(self, step: int) -> int:
        """Return how many steps of the engine make the step that comes after `step`."""
        return self.shortened_by if step < self.until else 1


_WRITTEN = TypeAdapter(Substeps)
NO_SUBSTEPS = Substeps()


def write_substeps(stage_folder: Path, short: Substeps) -> None:
    """Have the stage in `stage_folder` take short steps when it is next run."""
    stage_folder.mkdir(parents=True, exist_ok=True)
    job_files.write_json(stage_folder / _FILE, asdict(short))


def read_substeps(stage_folder: Path) -> Substeps:
    """Read what was written, without a file no substeps; UserError if it is damaged."""
    path = stage_folder / _FILE
    if not path.exists():
        return NO_SUBSTEPS
    try:
        return _WRITTEN.validate_json(path.read_bytes())
    except ValidationError:
        raise UserError(
            f'{path}: is damaged. Delete it: the stage then takes whole steps from its checkpoint.'
        ) from None


class InSubsteps:
    """A simulation of short steps, as one whose step is that of the stage."""

    def __init__(self, simulation: Simulation, shortened_by: int) -> None:
        self._simulation, self._factor = simulation, shortened_by

    def __getattr__(self, name: str) -> Any:
        return getattr(self._simulation, name)

    @property
    def step(self) -> int:
        """See `Simulation.step`; where the engine failed between two steps, the one before."""
        return self._simulation.step // self._factor

    def run(self, steps: int) -> None:
        """See `Simulation.run`."""
        self._simulation.run(steps * self._factor)

    def state(self) -> State:
        """See `Simulation.state`."""
        return replace(self._simulation.state(), step=self.step)

    def take_thermo_rows(self) -> NDArray[np.float64]:
        """See `Simulation.take_thermo_rows`."""
        rows = self._simulation.take_thermo_rows()
        rows[:, 0] /= self._factor
        return rows
