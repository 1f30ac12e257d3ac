"""The results over all jobs of a sweep, and whether they are those of today."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from user_input import UserError, count_of, error_context
from workflow.jobs import files as job_files
from workflow.jobs import provenance
from workflow.jobs.failures import composition_text, read_failure
from workflow.jobs.lock import hold
from workflow.jobs.signac_files import STATE_POINT, read_job_document, state_point_of
from workflow.jobs.sweep_state import recorded
from workflow.jobs.workspace import SWEEPS, Job, SweepJobs, sweeps_in
from workflow.results.report_state import (
    CLAIMS,
    JOB_LIST,
    made_of,
    observables_shown,
    results_folder,
    shown_as,
    stamps_of,
)
from workflow.sweep.state_point import as_plain_values, read_state_point
from workflow.sweep.sweep_file import ReportTable, Sweep, load_sweep, state_points

if TYPE_CHECKING:
    from models.model import Model
    from workflow.results.aggregate import SweepTable
    from workflow.results.axis import Axis
    from workflow.results.claims import Claims

_LOCK = '.decide.lock'  # in the folder of the project
_PROVENANCE = 'provenance.json'
_COLOURS_OF_PAGE = 64


def write_sweep_results(sweep: SweepJobs) -> SweepTable:
    """Write summary.csv, figures and report.html over the jobs of a sweep that are done.

    Raises:
        JobIsHeld: If another process writes them.
        UserError: If none is done, or the sweep's report table is wrong.
    """
    folder = results_folder(sweep)
    folder.mkdir(parents=True, exist_ok=True)
    with hold(folder, f'the report of sweep {sweep.name} is being written'):
        return _write_results(sweep, folder)


def _write_results(sweep: SweepJobs, folder: Path) -> SweepTable:
    from workflow.results.definitions import definitions_of
    from workflow.results.looks import level_of, looks_of
    from workflow.results.report import Background, write_results
    from workflow.results.stated_definitions import definitions_statement

    # Before they are read: a result that comes while figures are drawn is not in this report.
    stamps = stamps_of(sweep)
    table = read_sweep_table(sweep)
    content = recorded(sweep)
    records = [read_job_document(job) for job in sweep.jobs]
    wanted, looks = Sweep.model_validate(content['sweep']), looks_of(content)
    background = Background(
        n_jobs=len(sweep.jobs),
        failed=_failures(sweep.jobs),
        description=(content.get('model') or {}).get('description', ''),
        protocol=content['sweep']['protocol'],
        claims=_claims(content),
        report=_report_table(content),
        level=level_of(wanted, looks),
        decided=looks[-1].decided if looks else {},
        looks=list(map(str, looks)),
        definitions=definitions_statement(definitions_of(sweep.jobs)),
        units=_model_of(sweep).units,
        runs=[run for record in records for run in record.get('runs', [])],
    )
    write_results(folder, table, background)
    pairs = zip(sweep.jobs, records, strict=True)
    made = provenance.of_sweep([(job.id, state_point_of(job), record) for job, record in pairs])
    job_files.write_json(folder / _PROVENANCE, made)
    job_files.write_json(folder / JOB_LIST, {'jobs': stamps, 'report': made_of(content)})
    return table


def write_page(sweep: SweepJobs, path: Path) -> None:
    """Copy the report of a sweep as a Markdown page, with its images beside it.

    Raises:
        UserError: If no file can be written there.
    """
    from PIL import Image

    from workflow.results.report import FIGURES, PAGE

    folder = results_folder(sweep)
    if path.suffix != '.md' or not path.parent.is_dir():
        raise UserError(f'{path}: give the name of a .md file in a folder that is there.')
    text = (folder / PAGE).read_text(encoding='utf-8')
    for link in sorted(set(re.findall(rf'\({FIGURES}/([^)]+)\)', text))):
        image = f'{path.stem}_{link}'
        with Image.open(folder / FIGURES / link) as drawn:  # few colours: a repository keeps it
            drawn.convert('RGB').quantize(_COLOURS_OF_PAGE).save(
                path.with_name(image), optimize=True
            )
        text = text.replace(f'({FIGURES}/{link})', f'({image})')
    path.write_text(text, encoding='utf-8')


def look_at(sweep: SweepJobs) -> str:
    """Look at a sweep whose jobs are done, and add the runs or the length that decide it.

    Returns:
        What was found and done.

    Raises:
        JobIsHeld: If another process looks at a sweep of this project.
        UserError: If no job is done, or a result cannot be read.
    """
    with hold(Path(sweep.jobs[0].project.path), f'sweep {sweep.name} is looked at', lock=_LOCK):
        return _look_at(sweep)


def _look_at(sweep: SweepJobs) -> str:
    from workflow.jobs.asked import record_limits
    from workflow.results.looks import lengthen, level_of, looks_of, take_look
    from workflow.results.relations import Relations
    from workflow.results.verdicts import judge, keep_decided
    from workflow.stages.extend_jobs import extend_jobs

    content, table = recorded(sweep), read_sweep_table(sweep)
    wanted, claims = Sweep.model_validate(content['sweep']), _claims(content)
    looks, findings = looks_of(content), []
    if claims is not None:
        relations = Relations.of(table, wanted.report)
        found = judge(claims, relations.series, table.axis, level_of(wanted, looks))
        findings = keep_decided(found, looks[-1].decided if looks else {})
    if longer := lengthen(sweep, wanted, table, findings):
        project = sweep.jobs[0].project
        extend_jobs(sweep.jobs, record_limits(project, {job.id for job in sweep.jobs}))
        return f'{count_of(longer, "job")} with bounds alone: sampled twice as long.'
    return str(take_look(sweep, wanted, table, findings))


def _claims(content: Mapping[str, Any]) -> Claims | None:
    from workflow.results.claims import Claims

    found = content.get(CLAIMS)
    return None if found is None else Claims.model_validate(found)


def read_sweep_table(sweep: SweepJobs) -> SweepTable:
    """Read the results of the jobs that are done; UserError if none is, or one is unreadable."""
    from workflow.results.aggregate import tabulate
    from workflow.results.job_results import read_job_result

    shown = observables_shown(sweep)
    found = (
        read_job_result(Path(job.path), state_point_of(job), shown[job.id]) for job in sweep.jobs
    )
    results = [result for result in found if result is not None]
    if not results:
        raise UserError(f'sweep {sweep.name}: no job is done yet, so there is nothing to report.')
    precision = recorded(sweep)['sweep']['protocol']['sample']['precision']
    return tabulate(sweep.name, axis_of(sweep), results, precision)


def axis_of(sweep: SweepJobs) -> Axis:
    """Find the axis of a sweep as recorded; UserError if the model of its jobs cannot be read."""
    from workflow.results.axis import find_axis

    points = [state_point_of(job) for job in sweep.jobs]
    return find_axis(_report_table(recorded(sweep)), _model_of(sweep), points)


def _model_of(sweep: SweepJobs) -> Model:
    first = sweep.jobs[0]
    point = read_state_point(state_point_of(first), f'{first.id}/{STATE_POINT}')
    return job_files.read_model(Path(first.path), point)


def places_on_axis(jobs: Sequence[Job]) -> dict[str, str]:
    """Say by id where jobs are on the axis of their sweep; nothing where it has none."""
    found: dict[str, str] = {}
    for name, content in sweeps_in(jobs[0]).items() if jobs else ():
        ids = set(content['jobs'])
        members = [job for job in jobs if job.id in ids]
        if members:
            with suppress(UserError):  # of a model that cannot be read, reported elsewhere
                axis = axis_of(SweepJobs(name, members))
                points = {job.id: job.cached_statepoint for job in members} if axis.key else {}
                found |= {each: axis.text(axis.value(point)) for each, point in points.items()}
    return found


def record_report(path: Path, sweep: SweepJobs) -> None:
    """Record how a sweep file wants its results shown; UserError if its report table is wrong."""
    wanted, model = load_sweep(path)
    shown = checked_report(path, wanted, model)
    if shown_as(recorded(sweep)) != shown:
        document = sweep.jobs[0].project.document[SWEEPS][sweep.name]
        document['sweep']['report'] = shown['report']
        document[CLAIMS] = shown[CLAIMS]


def checked_report(path: Path, sweep: Sweep, model: Model) -> dict[str, Any]:
    """Check a report table, and read its claims, for the project document; UserError if wrong."""
    from workflow.results.axis import check_axis
    from workflow.results.claims import RELATIONS, read_claims

    report = sweep.report
    with error_context(path):
        check_axis(report, model, as_plain_values(next(state_points(sweep, model))))
        observables = sweep.observables.of_stages(sweep.protocol.model_dump())
        for name in report.overview or ():
            observables.check_panel(name, 'report.overview')
        for key, patterns in report.named_quantities.items():
            for pattern in patterns:
                if key.startswith('extremum') and pattern in RELATIONS:
                    continue
                of_types = (model.beads, model.bonds)
                observables.check_quantity(pattern, *of_types, f'report.{key}')
    claims = None
    if report.claims is not None:
        claims = read_claims(report.claims, path, model, observables).model_dump(mode='json')
    return {'report': report.model_dump(mode='json'), CLAIMS: claims}


def _report_table(content: Mapping[str, Any]) -> ReportTable:
    return ReportTable.model_validate(shown_as(content)['report'])


def _failures(jobs: Sequence[Job]) -> list[dict[str, str]]:
    """List the jobs that failed, as the report shows them."""
    return [
        {'job': job.id, 'composition': composition_text(job), 'why': str(failure)}
        for job in jobs
        if (failure := read_failure(Path(job.path))) is not None
    ]
