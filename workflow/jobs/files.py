"""The files of a job, by name: what each operation reads and leaves."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field

from analysis.observables import OBSERVABLES
from user_input import UserError, validate
from workflow.jobs.atomic_writes import renaming, replacing, scratch_beside

if TYPE_CHECKING:  # `project.py status` reads no model and no state point
    from models.model import Model
    from workflow.sweep.limits import Limits
    from workflow.sweep.state_point import StatePoint

LIMITS = 'limits.json'
OBSERVED = 'observables.json'
MODEL = 'model.json'
BUILT = 'init.gsd'
RELAXED = 'relaxed.gsd'
EQUILIBRATED = 'equilibrated.gsd'
EQUILIBRATION_THERMO = 'equilibration_thermo.h5'
TRAJECTORY = 'trajectory.gsd'
THERMO = 'thermo.h5'
DENSE_TRAJECTORY = 'dense_trajectory.gsd'
DENSE_THERMO = 'dense_thermo.h5'
PRODUCTION = 'production.json'
STRUCTURE = 'structure.json'
DEFINITIONS = 'definitions.json'
FAILURE = 'failure.json'
REFUSAL = 'refusal.txt'

# Of records that are read back: what is of another type, or no number, is damage.
AS_WRITTEN = ConfigDict(extra='ignore', strict=True, allow_inf_nan=False)
# A stage names a folder: no text of a file becomes a path by itself.
StageName = Annotated[str, Field(pattern='^[a-z][a-z0-9_]{0,30}$')]


def result_file(observable: str) -> str:
    """Name the file that an observable leaves."""
    return f'{observable}.json'


RESULTS = tuple(result_file(each.name) for each in OBSERVABLES)
_ALL = frozenset(each.name for each in OBSERVABLES)


def results_of(stage: str) -> tuple[str, ...]:
    """Name the files that analyses of a stage leave."""
    window = (PRODUCTION, STRUCTURE) if stage == 'sample' else ()
    return (*window, *(result_file(each.name) for each in OBSERVABLES if each.source == stage))


def write_observed(folders: Iterable[Path], names: Iterable[str] | None) -> None:
    """Keep with each job which observables are computed of it, None for all."""
    if names is None:
        for folder in folders:
            (folder / OBSERVED).unlink(missing_ok=True)
    else:
        _write_alike([folder / OBSERVED for folder in folders], _as_text({'compute': [*names]}))


def observed(folder: str) -> frozenset[str]:
    """Read which observables are computed of a job: all where nothing, or damage, is there."""
    path = f'{folder}/{OBSERVED}'
    try:
        return _read_observed(path, os.stat(path).st_mtime_ns)
    except FileNotFoundError:
        return _ALL


@functools.lru_cache(maxsize=1)
def _read_observed(path: str, _time: int) -> frozenset[str]:
    try:
        return _ALL.intersection(read_json(Path(path))['compute'])
    except (OSError, ValueError, LookupError, TypeError):
        return _ALL


@functools.lru_cache(maxsize=1)
def listed(folder: str) -> frozenset[str]:
    """List what is in the folder of a job, links to nothing left out.

    signac-flow asks some fifty conditions of a job before it comes to the next: they share one
    look, which `listed.cache_clear()` ends.
    """
    with os.scandir(folder) as entries:
        return frozenset(
            each.name for each in entries if not each.is_symlink() or os.path.exists(each.path)
        )


def read_json(path: Path) -> Any:
    """Read a JSON file, whatever it holds; OSError or ValueError if that fails."""
    try:
        return json.loads(path.read_bytes())
    except RecursionError:
        raise ValueError('lists or tables are nested too deep') from None


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write `content`, under a temporary name until it is whole."""
    with replacing(path) as temporary:
        temporary.write_text(_as_text(content))


def _as_text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, allow_nan=False)


def write_models(folders: Iterable[Path], model: Model) -> None:
    """Keep the model with each job, so that the job can be read without the model file."""
    content = model.model_dump(mode='json', by_alias=True, exclude_none=True)
    _write_alike([folder / MODEL for folder in folders], _as_text(content))


def read_model(folder: Path, point: StatePoint) -> Model:
    """Read the job's own copy of its model; UserError if missing, or not its state point's."""
    from models.model import Model

    path = folder / MODEL
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise UserError(
            f'{path}: cannot be read ({error}). Run init with the sweep again.'
        ) from None
    model = validate(Model, content, str(path))
    if model.content_hash() != point.model_hash:
        raise UserError(
            f'{path}: is not the model that this job was made with. Run init with the sweep again.'
        )
    return model


def write_limits(folders: Iterable[Path], limits: Mapping[str, Limits]) -> None:
    """Keep with each job what is asked of it, by stage: it is no part of its state point."""
    content = {name: each.model_dump(mode='json') for name, each in limits.items()}
    _write_alike([folder / LIMITS for folder in folders], _as_text(content))


def _write_alike(paths: Sequence[Path], text: str) -> None:
    """Write a text to thousands of paths, unless it is there: as one file with many names.

    A name that is given another text later leaves the others, since files are never written to.
    """
    if not paths:
        return
    with scratch_beside(paths[0].parent.with_name(paths[0].name)) as whole:
        whole.write_text(text)
        for path in paths:
            try:
                os.link(whole, path)
            except OSError:  # a text is there, or this disk has no links
                if not _holds(path, text):
                    with renaming(path) as temporary:
                        temporary.write_text(text)


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_text(errors='replace') == text
    except OSError:
        return False


def read_limits(folder: Path) -> dict[str, Limits]:
    """Read what is asked of the stages of a job; UserError if that is missing or damaged."""
    from workflow.sweep.limits import Limits

    path = folder / LIMITS
    try:
        content = read_json(path)
        return {str(name): validate(Limits, each, str(path)) for name, each in content.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(
            f'{path}: cannot be read ({error}). Run init with the sweep again.'
        ) from None
