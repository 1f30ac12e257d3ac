"""The results over all jobs of a sweep, and whether they are those of today."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from user_input import UserError
from workflow.jobs import files as job_files
from workflow.jobs import provenance
from workflow.jobs.failures import composition_text, read_failure
from workflow.jobs.lock import hold
from workflow.jobs.signac_files import read_job_document, state_point_of
from workflow.jobs.workspace import Job, SweepJobs, sweeps_in

_JOB_LIST = 'jobs.json'
_PROVENANCE = 'provenance.json'


def results_folder(sweep: SweepJobs) -> Path:
    """Where the results of a sweep stand."""
    return Path(sweep.jobs[0].project.path) / 'results' / sweep.name


def write_sweep_results(sweep: SweepJobs) -> Path:
    """Write summary.csv, figures and report.html over the jobs of a sweep that are done.

    Raises:
        JobIsHeld: If another process writes them.
        UserError: If none is done.
    """
    folder = results_folder(sweep)
    folder.mkdir(parents=True, exist_ok=True)
    with hold(folder, f'the report of sweep {sweep.name} is being written'):
        _write_results(sweep, folder)
    return folder


def _write_results(sweep: SweepJobs, folder: Path) -> None:
    from workflow.results.aggregate import read_job_result
    from workflow.results.report import write_results

    # Before they are read: a result that comes while figures are drawn is not in this report.
    stamps = _stamps(sweep.jobs)
    results = []
    for job in sweep.jobs:
        result = read_job_result(Path(job.path), state_point_of(job))
        if result is not None:
            results.append(result)
    if not results:
        raise UserError(f'sweep {sweep.name}: no job is done yet, so there is nothing to report.')
    records = [read_job_document(job) for job in sweep.jobs]
    runs = [run for record in records for run in record.get('runs', [])]
    content = sweeps_in(sweep.jobs[0])[sweep.name] | {'failed': _failures(sweep.jobs)}
    write_results(folder, sweep.name, content, results, runs)
    made = provenance.of_sweep(
        [
            (job.id, state_point_of(job), record)
            for job, record in zip(sweep.jobs, records, strict=True)
        ]
    )
    job_files.write_json(folder / _PROVENANCE, made)
    job_files.write_json(folder / _JOB_LIST, {'jobs': stamps})


def report_is_current(sweep: SweepJobs) -> bool:
    """Whether the report is there, and made of the results that these jobs have now."""
    folder = results_folder(sweep)
    if not all((folder / name).is_file() for name in ('summary.csv', 'report.html')):
        return False
    try:
        listed = job_files.read_json(folder / _JOB_LIST)['jobs']
    except (OSError, ValueError, KeyError, TypeError):
        return False
    found = _stamps(sweep.jobs)
    return bool(listed == found and all(all(stamps) for stamps in found.values()))


def _stamps(jobs: Sequence[Job]) -> dict[str, list[list[int] | None]]:
    """Job -> time and size of each of its results; None for one that is not there."""

    def stamp(path: Path) -> list[int] | None:
        try:
            status = path.stat()
        except FileNotFoundError:
            return None
        return [status.st_mtime_ns, status.st_size]

    return {job.id: [stamp(Path(job.fn(name))) for name in job_files.RESULTS] for job in jobs}


def _failures(jobs: Sequence[Job]) -> list[dict[str, str]]:
    """The jobs that failed, as the report shows them."""
    found = [(job, read_failure(Path(job.path))) for job in jobs]
    return [
        {'job': job.id, 'composition': composition_text(job), 'why': str(failure)}
        for job, failure in found
        if failure is not None
    ]
