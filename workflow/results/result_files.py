"""Results of a job as they are read back: nothing is taken for a result that lacks a part of it.

A schema names what readers rely on; whatever else stands there is left alone. Without this, an
empty `clusters.json` would read as a melt without ions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from user_input import UserError
from workflow.jobs import files as job_files
from workflow.jobs import products

Count = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra='ignore', strict=True, allow_inf_nan=False)


class _Estimate(_Part):
    mean: float | None
    low: float | None
    high: float | None
    n_effective: float | None
    verdict: str = ''


class _Distribution(_Part):
    values: list[PositiveInt]
    probability: list[float]

    @model_validator(mode='after')
    def _one_probability_each(self) -> Self:
        if len(self.values) != len(self.probability):
            raise ValueError('values and probability differ in number')
        return self


class _Equilibration(_Part):
    start: Count
    is_equilibrated: bool


class _NoIons(_Part):
    n_ions: Count
    verdict: str = ''


class _Ions(_NoIons):
    contact_distance: float
    steps: list[int]
    equilibration: _Equilibration
    estimates: dict[str, _Estimate]
    percolation: dict[str, _Estimate]
    number_distribution: _Distribution
    weight_distribution: _Distribution

    @model_validator(mode='after')
    def _starts_within(self) -> Self:
        if self.equilibration.is_equilibrated and self.equilibration.start >= len(self.steps):
            raise ValueError('the equilibration ends after the last frame')
        return self


class _Time(_Part):
    value: float | None
    low: float | None
    high: float | None
    longer_than: float | None
    shorter_than: float | None
    verdict: str


class _Decay(_Part):
    mean: _Time
    one_over_e: _Time


class _Curve(_Part):
    time: list[float]
    value: list[float | None]
    decay: _Decay

    @model_validator(mode='after')
    def _one_value_each(self) -> Self:
        if len(self.time) != len(self.value):
            raise ValueError('time and value differ in number')
        return self


class _Relaxation(_Part):
    time_unit: str
    p1: dict[str, _Curve]
    p2: dict[str, _Curve]
    scattering: dict[str, dict[str, _Curve]]


class _Thermodynamics(_Part):
    density: _Estimate
    temperature: _Estimate
    pressure: _Estimate
    potential_energy_per_bead: _Estimate


def read_result(folder: Path, name: str) -> dict[str, Any]:
    """Read one of the results of a job.

    Args:
        folder: The job's folder.
        name: One of `job_files.RESULTS`.

    Raises:
        UserError: If it is missing, is not what was written, or is not such a result.
    """
    path = products.whole(folder, name)
    try:
        content = job_files.read_json(path)
        check_result(name, content)
    except (OSError, ValueError) as error:
        raise UserError(
            f'{path}: cannot be read ({_first_fault(error)}). Delete it to analyse the job again.'
        ) from None
    found: dict[str, Any] = content
    return found


def check_result(name: str, content: Any) -> None:
    """Check that `content` has all that readers rely on.

    Raises:
        ValueError: If it has not.
    """
    if name == job_files.CLUSTERS:
        if _NoIons.model_validate(content).n_ions:
            _Ions.model_validate(content)
        return
    schema = _Relaxation if name == job_files.RELAXATION else _Thermodynamics
    schema.model_validate(content)


def _first_fault(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    fault = error.errors()[0]
    key = '.'.join(map(str, fault['loc']))
    return f"'{key}': {fault['msg']}" if key else fault['msg']
