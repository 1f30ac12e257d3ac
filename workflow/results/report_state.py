"""Whether the report of a sweep is made of what its jobs have now; light, for `status`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow.jobs import files as job_files
from workflow.jobs.sweep_state import computed_by, recorded
from workflow.jobs.workspace import LOOKS, SweepJobs
from workflow.stages.table import observables_of

# In the project document, beside the sweep.
CLAIMS = 'claims'

# In the folder of the results.
JOB_LIST = 'jobs.json'
_DOCUMENTS = ('summary.csv', 'report.html', 'report.md')


def results_folder(sweep: SweepJobs) -> Path:
    """Return the folder of the results of a sweep."""
    return Path(sweep.jobs[0].project.path) / 'results' / sweep.name


def report_is_current(sweep: SweepJobs) -> bool:
    """Return whether the report is there, and made of the results that these jobs have now."""
    folder = results_folder(sweep)
    if not all((folder / name).is_file() for name in _DOCUMENTS):
        return False
    try:
        listed = job_files.read_json(folder / JOB_LIST)
    except (OSError, ValueError):
        return False
    found = stamps_of(sweep)
    is_of_these = listed == {'jobs': found, 'report': made_of(recorded(sweep))}
    return is_of_these and all(all(stamps) for stamps in found.values())


def shown_as(content: Mapping[str, Any]) -> dict[str, Any]:
    """Find how a recorded sweep is shown; one recorded before there was a choice too."""
    report = content.get('sweep', {}).get('report')
    if not report:
        from workflow.sweep.sweep_file import ReportTable

        report = ReportTable().model_dump(mode='json')
    return {'report': report, CLAIMS: content.get(CLAIMS)}


def made_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """Find what else a report is made of: how it is shown, and the looks that were taken."""
    return shown_as(content) | {LOOKS: content.get(LOOKS, [])}


def observables_shown(sweep: SweepJobs) -> dict[str, list[str]]:
    """Name, by job, the observables that a sweep shows: those that it computes."""
    computed = computed_by(recorded(sweep))
    return {
        job.id: [name for name in observables_of(job) if computed is None or name in computed]
        for job in sweep.jobs
    }


def stamps_of(sweep: SweepJobs) -> dict[str, list[list[int] | None]]:
    """Map job -> time and size of each of its results; None for one that is not there."""

    def stamp(path: str) -> list[int] | None:
        try:
            status = os.stat(path)
        except FileNotFoundError:
            return None
        return [status.st_mtime_ns, status.st_size]

    shown = observables_shown(sweep)
    return {
        job.id: [stamp(f'{job.path}/{job_files.result_file(name)}') for name in shown[job.id]]
        for job in sweep.jobs
    }
