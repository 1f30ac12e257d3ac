"""All results of a sweep: tables as CSV, figures, and a report as HTML and as Markdown."""

from __future__ import annotations

import base64
import itertools
import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from analysis.estimators.trends import LEVEL
from analysis.observable import TimeCorrelation
from analysis.observables import OBSERVABLES
from models.units import FRICTION, Units
from user_input import count_of
from workflow.jobs.atomic_writes import replacing
from workflow.jobs.provenance import KEY, analysis_table, code_text, code_version
from workflow.results import described
from workflow.results.aggregate import SweepTable
from workflow.results.axis import place_text, value_text
from workflow.results.causes import causes_of
from workflow.results.claims import Claims
from workflow.results.figures import OVERVIEW, SweepFigure, write_figures
from workflow.results.real_units import in_real_units, real_row, real_statement
from workflow.results.relation import write_relations
from workflow.results.relation_figures import write_relation_figures
from workflow.results.relations import Relations
from workflow.results.series import all_series
from workflow.results.stated_definitions import onset_statements
from workflow.results.tables import (
    column_names,
    footnotes,
    format_row,
    key_tables,
    unbroken,
    write_summary,
    write_values_by_run,
)
from workflow.results.verdicts import Finding, judge, keep_decided, onsets
from workflow.sweep.sweep_file import ReportTable

SUMMARY = 'summary.csv'
SUMMARY_REAL = 'summary_real_units.csv'
RELATIONS = 'relations.csv'
VALUES_BY_RUN = 'values_by_run.csv'
REPORT = 'report.html'
PAGE = 'report.md'
FIGURES = 'figures'


@dataclass(frozen=True)
class Background:
    """What a report says beside the numbers.

    Attributes:
        failed: Job, composition and why of each of the `n_jobs` that failed.
        description: Of the model.
        protocol: That the sweep asks for, as plain values; without any none is shown.
        claims: That the results are held against; None for none.
        report: What the sweep file says of its report.
        level: Rate of false decisions at this look at the sweep.
        decided: Verdicts of earlier looks.
        looks: What each of them found, in words.
        definitions: Contact distances and wave number, as names and values.
        runs: One record of each run of a stage: engine, version, device and so on.
        units: Of the model; None where it has none.
    """

    n_jobs: int
    failed: Sequence[Mapping[str, str]] = ()
    description: str = ''
    protocol: Mapping[str, Any] = field(default_factory=dict)
    claims: Claims | None = None
    report: ReportTable = field(default_factory=ReportTable)
    level: float = LEVEL
    decided: Mapping[str, str] = field(default_factory=dict)
    looks: Sequence[str] = ()
    definitions: Sequence[tuple[str, str]] = ()
    runs: Sequence[Mapping[str, Any]] = ()
    units: Units | None = None


def write_results(folder: Path, table: SweepTable, background: Background) -> Path:
    """Write tables, figures/, report.html and report.md, each when it is whole; return the first.

    Raises:
        UserError: If the overview names something that a complete sweep does not have.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = folder / f'{FIGURES}.temporary'
    shutil.rmtree(drawn, ignore_errors=True)
    drawn.mkdir()
    results = [result for state in table.states for result in state.results]
    is_complete = len(results) >= background.n_jobs and not any(
        outcome.refusal for result in results for outcome in result.outcomes.values()
    )
    relations = Relations.of(table, background.report, background.claims)
    figures = write_figures(drawn, all_series(table), background.report.overview, is_complete)
    figures += write_relation_figures(drawn, relations)
    context = _context(table, background, relations, figures, drawn)
    # Figures of an earlier state of the sweep go with their folder.
    shutil.rmtree(folder / FIGURES, ignore_errors=True)
    os.replace(drawn, folder / FIGURES)
    write_summary(folder / SUMMARY, table, relations.rows)
    if background.units is None:  # of a sweep whose model had some before
        (folder / SUMMARY_REAL).unlink(missing_ok=True)
    else:
        write_summary(folder / SUMMARY_REAL, in_real_units(table, background.units))
    write_relations(folder / RELATIONS, relations.all)
    write_values_by_run(folder / VALUES_BY_RUN, table)
    for name in (PAGE, REPORT):
        with replacing(folder / name) as temporary:
            temporary.write_text(_rendered(name, context), encoding='utf-8')
    return folder / REPORT


def _rendered(name: str, context: Mapping[str, Any]) -> str:
    """Render a template of this folder; neither document needs the other."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(['html']),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters['unbroken'] = unbroken
    environment.filters['cell'] = lambda text: str(text).replace('|', r'\|').replace('\n', ' ')
    return environment.get_template(name).render(context)


def _context(
    table: SweepTable,
    background: Background,
    relations: Relations,
    figures: Sequence[SweepFigure],
    figure_folder: Path,
) -> dict[str, Any]:
    """Collect all that a report says."""
    results = [result for state in table.states for result in state.results]
    points = [result.state_point for result in results]
    many = all_series(table)
    tables = key_tables(table)
    shown = []
    for figure in figures:
        svg = base64.b64encode((figure_folder / f'{figure.stem}.svg').read_bytes()).decode()
        shown.append(asdict(figure) | {'source': f'data:image/svg+xml;base64,{svg}'})
    dynamics = described.dynamics_statement(points)
    findings: list[Finding] = []
    if background.claims:
        found = judge(
            background.claims, relations.series, table.axis, background.level, relations.missing
        )
        findings = keep_decided(found, background.decided)
    units = background.units
    return {
        'sweep': table.name,
        'answer': _answer(findings, table, background.n_jobs),
        'n_jobs': background.n_jobs,
        'level': LEVEL,
        'looks': background.looks,
        'tests': list(dict.fromkeys(each.test for each in findings if each.test)),
        'description': background.description,
        'note': background.report.note.strip(),
        'simulated': described.simulated_systems(points, background.n_jobs),
        'failed': background.failed,
        'stages': described.stages_of(points[0], background.protocol),
        'tables': tables,
        'notes': footnotes(tables),
        'dynamics': dynamics,
        'overview': [each for each in shown if each['observable'] == OVERVIEW],
        'onsets': onsets(many, table.axis),
        'definitions': [
            *background.definitions,
            *itertools.chain.from_iterable(map(onset_statements, many)),
        ],
        'claims': background.claims,
        'findings': findings,
        'sections': [
            section | {'figures': [each for each in shown if each['observable'] == name]}
            for name, section in (relations.sections | _sections(table, dynamics)).items()
        ],
        'unconverged': causes_of(table, background.runs),
        'n_unconverged': sum(not row.is_converged for row in table.rows),
        'n_rows': len(table.rows),
        'equilibration': described.missed_equilibrations(background.runs),
        'friction': FRICTION,
        'real': [] if units is None else real_statement(units, points),
        'real_tables': [] if units is None else key_tables(in_real_units(table, units)),
        'columns': column_names(table),
        'rows': [
            {
                'place': map(value_text, row.place.values()),
                'row': row,
                'text': format_row(row),
                'real': None if units is None else real_row(row, units),
            }
            for row in table.rows
        ],
        'format_row': format_row,
        'provenance': described.provenance_table(background.runs),
        'analyses': analysis_table(
            {KEY: result.provenance.get(name)} for result in results for name in result.outcomes
        ),
        'code': code_text(code_version()),
    }


def _answer(findings: Sequence[Finding], table: SweepTable, n_jobs: int) -> str:
    """Say in one sentence what a sweep has decided."""
    n_runs = sum(len(state.results) for state in table.states)
    made_of = f'{n_runs} of {count_of(n_jobs, "run")} of {count_of(len(table.states), "state")}'
    if not findings:
        return f'{made_of}.'
    counts = Counter(finding.verdict for finding in findings)
    verdicts = [
        f'{n} {verdict if n == 1 else verdict.removesuffix("s")}' for verdict, n in counts.items()
    ]
    return f'Of {len(findings)} claims {", ".join(verdicts)}; from {made_of}.'


def _sections(table: SweepTable, dynamics: str) -> dict[str, dict[str, Any]]:
    """Describe each observable that was measured or refused on some job."""
    sections = {}
    for observable in OBSERVABLES:
        name = observable.name
        refused: dict[str, list[str]] = {}
        notes: dict[tuple[str, ...], list[str]] = {}
        for state in table.states:
            for result in state.results:
                outcome, replica = result.outcome(name), result.state_point['replica']
                where = f'{place_text(state.place, table.axis)}, replica {replica}'
                if outcome.refusal:
                    refused.setdefault(outcome.refusal, []).append(where)
                elif outcome.result is not None:
                    notes.setdefault(tuple(result.notes(name)), []).append(where)
        if refused or notes:
            sections[name] = {
                'title': observable.title,
                'definition': observable.definition,
                'dynamics': dynamics if isinstance(observable, TimeCorrelation) else '',
                'refused': [{'why': why, 'jobs': '; '.join(jobs)} for why, jobs in refused.items()],
                'notes': [
                    {'jobs': '; '.join(jobs), 'lines': each} for each, jobs in notes.items() if each
                ],
            }
    return sections
