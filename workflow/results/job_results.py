"""The results of a job as they are read back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.estimators.drift import Drift
from analysis.estimators.estimate import Curve
from analysis.observable import Observable, Outcome, Quantity
from analysis.observables import OBSERVABLES
from analysis.sampling.production import Production
from analysis.serialise import from_plain
from user_input import UserError
from workflow.jobs import files as job_files
from workflow.jobs import products, provenance
from workflow.stages.table import stage_named

_BY_NAME = {observable.name: observable for observable in OBSERVABLES}


@dataclass(frozen=True)
class JobResult:
    """What one finished job has found, and what made it, by name of the observable.

    An outcome is without a result where the observable does not apply or was refused; there is none
    where the sweep leaves it out, or the job does not have its stage. Drifts are those of the
    watched series, by name.
    """

    state_point: Mapping[str, Any]
    outcomes: Mapping[str, Outcome]
    provenance: Mapping[str, Mapping[str, Any]]
    drifts: Mapping[str, Drift] = field(default_factory=dict)
    job: str = ''

    def outcome(self, observable: str) -> Outcome:
        """Return what came of one observable: nothing where it is left out."""
        return self.outcomes.get(observable, Outcome())

    def quantities(self, observable: str) -> list[Quantity]:
        """List the scalars that one observable has found."""
        result = self.outcome(observable).result
        return [] if result is None else _BY_NAME[observable].quantities(result)

    def curves(self, observable: str) -> dict[str, Curve]:
        """Return the functions that one observable has found, by name."""
        result = self.outcome(observable).result
        return {} if result is None else _BY_NAME[observable].curves(result)

    def notes(self, observable: str) -> list[str]:
        """List what else a reader of the numbers has to know."""
        result = self.outcome(observable).result
        return [] if result is None else _BY_NAME[observable].notes(result)


def read_job_result(
    folder: Path, state_point: Mapping[str, Any], names: Collection[str] = tuple(_BY_NAME)
) -> JobResult | None:
    """Read the named results of a job, None while one is missing; UserError if one is damaged."""
    measured = [name for name in names if stage_named(_BY_NAME[name].source).is_in(state_point)]
    files = (job_files.DEFINITIONS, *map(job_files.result_file, measured))
    if not all((folder / name).exists() for name in files):
        return None
    outcomes, made = {}, {}
    for name in measured:
        path = products.whole(folder, products.result_product(name))
        outcomes[name], made[name] = read_outcome(path, _BY_NAME[name])
    return JobResult(state_point, outcomes, made, _drifts(folder), folder.name)


def read_outcome(path: Path, observable: Observable[Any]) -> tuple[Outcome, dict[str, Any]]:
    """Read what one observable has found, and what made it; UserError if it cannot be read."""
    try:
        content = job_files.read_json(path)
        result = content['result']
        if result is not None:
            result = from_plain(observable.result, result)
        return Outcome(result, str(content['refusal'])), dict(content.get(provenance.KEY) or {})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f'{path}: cannot be read ({error}). Delete it to analyse the job again.'
        ) from None


def _drifts(folder: Path) -> Mapping[str, Drift]:
    """Read the drifts of the watched series; none where an earlier version found the window."""
    path = folder / job_files.PRODUCTION
    try:
        production: Production = from_plain(Production, job_files.read_json(path)['result'])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return production.drifts
