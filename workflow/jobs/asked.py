"""What all sweeps of a project ask of each of its jobs: limits of its stages, observables."""

from __future__ import annotations

import os
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path
from typing import Any

from user_input import UserError
from workflow.jobs import files as job_files
from workflow.jobs.sweep_state import computed_by
from workflow.jobs.workspace import LENGTHENED, SWEEPS, Project
from workflow.sweep.limits import Limits, ProtocolTable, join_limits

# The stage that is made longer to decide a sweep.
SAMPLE = 'sample'


def record_limits(project: Project, ids: AbstractSet[str]) -> dict[str, dict[str, Limits]]:
    """Keep with each job what all sweeps that have it ask of it; return what was asked before."""
    before: dict[str, dict[str, Limits]] = {}
    limits: dict[str, dict[str, Limits]] = {}
    observed: dict[str, list[str] | None] = {}
    asked_by: dict[str, list[tuple[str, int]]] = {job_id: [] for job_id in sorted(ids)}
    for name, content in project.document[SWEEPS]().items():
        limits[name] = ProtocolTable.model_validate(content['sweep']['protocol']).limits
        observed[name] = computed_by(content)
        for job_id in ids & set(content['jobs']):
            asked_by[job_id].append((name, content.get(LENGTHENED, {}).get(job_id, 1)))
    there = set(os.listdir(project.workspace))
    alike: dict[tuple[tuple[str, int], ...], list[Path]] = {}
    for job_id, several in asked_by.items():
        if several and job_id in there:
            folder = Path(project.workspace, job_id)
            with suppress(UserError):  # there is none yet, or it is damaged: it is written anew
                before[job_id] = job_files.read_limits(folder)
            alike.setdefault(tuple(several), []).append(folder)
    for factors, folders in alike.items():
        joined = join_limits(_lengthened(limits[name], factor) for name, factor in factors)
        job_files.write_limits(folders, joined)
        several_observed = [observed[name] for name, _ in factors]
        all_of_them = sorted({name for each in several_observed for name in each or ()})
        job_files.write_observed(folders, None if None in several_observed else all_of_them)
    return before


def _lengthened(limits: dict[str, Limits], factor: int) -> dict[str, Limits]:
    sample = limits[SAMPLE]
    longer: dict[str, Any] = {
        name: factor * getattr(sample, name) for name in ('minimum_steps', 'maximum_steps')
    }
    return limits | {SAMPLE: sample.model_copy(update=longer)}
