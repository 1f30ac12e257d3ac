"""What each operation asks of a machine: cores, GPUs, memory and time, from the state point."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.observables import OBSERVABLES
from user_input import UserError, validate
from workflow.cluster.description import Speed, find_cluster
from workflow.engines.settings import (
    EngineChoice,
    asked_ranks,
    choice_from_environment,
)
from workflow.jobs.files import MODEL, read_json, read_limits
from workflow.jobs.signac_files import state_point_of
from workflow.stages.table import ENGINE_STAGES

if TYPE_CHECKING:
    from models.model import Model

_ENGINE_STAGES = {stage.name: stage for stage in ENGINE_STAGES}
_ANALYSES = {'production', 'definitions', *(observable.name for observable in OBSERVABLES)}

# An estimate that is too short costs another wait in the queue, one too long a little priority.
_SAFETY = 1.5
_SETTING_UP = 300.0
_SHORTEST_HOURS = 0.25
_ANALYSIS_HOURS = 1.0
# Analyses of a job that are run together share one pass over its frames.
_SHARED_HOURS = 1 / 3
# 4,200 charged beads: 0.32 M bead-steps/s on one core, 0.40 M on two.
_SCALING = 0.35
# Python with an engine and its libraries; a GPU's runtime maps more.
_GB_PER_RANK, _GB_PER_GPU = 1.0, 2.0
# 2 to 4 kB a bead were measured, the neighbours of a usual mesh included; each rank has 0.5 kB of
# every bead where the state is taken.
_GB_PER_BEAD, _GB_PER_BEAD_AND_RANK = 1.0e-5, 1.0e-6
_ANALYSIS_GB, _ANALYSIS_GB_PER_BEAD = 2.0, 1.0e-4
# Of a model that cannot be read; the operation itself will report why.
_USUAL_BEADS_PER_MONOMER = 3.0

Job = Any


def directives(
    operation: str, beads: float, steps: int, how: EngineChoice, speed: Speed
) -> dict[str, Any]:
    """Estimate what one operation of one job asks for, by signac-flow's names.

    Returns:
        ``np``, ``ngpu``, ``memory`` in GB, ``walltime`` in hours (`request_of` knows the limit of
        the partition), and ``nranks`` for more than one rank only: signac-flow starts even one rank
        through mpiexec, and in a process of its own, which signals would not reach. For the same
        reason threads are part of ``np``, not ``omp_num_threads``; the submit script exports their
        number.
    """
    if operation not in _ENGINE_STAGES:
        hours = _SHARED_HOURS if operation in _ANALYSES else _ANALYSIS_HOURS
        return {'np': 1, 'ngpu': 0, 'memory': _analysis_memory(beads), 'walltime': hours}
    bead_steps = speed.gpu if how.gpus else speed.cpu_core * how.cores**_SCALING
    hours = (_SAFETY * beads * steps / bead_steps + _SETTING_UP) / 3600
    memory = how.ranks * (_GB_PER_RANK + beads * _GB_PER_BEAD_AND_RANK)
    memory += beads * _GB_PER_BEAD + how.gpus * _GB_PER_GPU
    found = {
        'np': how.cores,
        'ngpu': how.gpus,
        'memory': math.ceil(memory),
        'walltime': max(hours, _SHORTEST_HOURS),
    }
    return found | ({'nranks': how.ranks} if how.ranks > 1 else {})


def directives_of(operation: str) -> dict[str, Any]:
    """Give the directives of an operation to signac-flow: values, or functions of the job."""
    if operation not in _ENGINE_STAGES:
        return directives(operation, 0.0, 0, EngineChoice(), Speed()) | {
            'memory': lambda *jobs: _analysis_memory(_beads(jobs[0]))
        }
    names = ['np', 'ngpu', 'memory', 'walltime', *(['nranks'] if asked_ranks() > 1 else [])]
    return {name: _directive(operation, name) for name in names}


def _analysis_memory(beads: float) -> int:
    return math.ceil(_ANALYSIS_GB + beads * _ANALYSIS_GB_PER_BEAD)


def _directive(operation: str, name: str) -> Callable[..., Any]:
    def directive(*jobs: Job) -> Any:  # signac-flow wraps it for each job: a partial takes longer
        return _directives_of_job(jobs[0])[operation][name]

    return directive


# signac-flow asks for each directive of each operation several times before it comes to the next
# job.
@functools.lru_cache(maxsize=1)
def _directives_of_job(job: Job) -> dict[str, dict[str, Any]]:
    speed, how = find_cluster()[0].speed, choice_from_environment()
    return {
        name: directives(name, _beads(job), steps, how, speed)
        for name, steps in _most_steps(job).items()
    }


def _most_steps(job: Job) -> dict[str, int]:
    from workflow.sweep.state_point import read_state_point

    try:
        point = read_state_point(state_point_of(job), 'state point')
        limits = read_limits(Path(job.path))
    except UserError:  # made by another version; the operation itself will report it
        return dict.fromkeys(_ENGINE_STAGES, 0)
    return {name: stage.most_steps(point, limits) for name, stage in _ENGINE_STAGES.items()}


@functools.lru_cache(maxsize=1)
def _beads(job: Job) -> float:
    from models.free_molecules import beads_in_melt

    point = state_point_of(job)
    units = float(point['chains'] * point['degree_of_polymerisation'])
    monomers = {name: fraction * units for name, fraction in point['composition'].items()}
    model = _model_of(Path(job.path) / MODEL, point['model_hash'])
    if model is None or not monomers.keys() <= model.monomers.keys():
        return units * _USUAL_BEADS_PER_MONOMER
    return beads_in_melt(model, monomers, point['density'] or model.density)


_KNOWN: dict[str, Model] = {}


def _model_of(path: Path, model_hash: str) -> Model | None:
    """Read the model of a job, each once for all jobs that have it; None if it cannot be read."""
    from models.model import Model

    if model_hash not in _KNOWN:
        try:
            _KNOWN[model_hash] = validate(Model, read_json(path), str(path))
        except (OSError, ValueError, UserError):
            return None
    return _KNOWN[model_hash]
