"""The results of a sweep in a workspace: how they are shown is recorded, and is no state point."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path

import pytest

from analysis.observables import OBSERVABLES
from models.model import load_model
from tests.results.builders import thermodynamics, write_definitions_of, write_results_of
from user_input import UserError
from workflow.cli.init import init_sweep
from workflow.jobs.workspace import SWEEPS, SweepJobs, recorded_sweep
from workflow.results.report_state import report_is_current, results_folder
from workflow.results.sweep_results import (
    places_on_axis,
    read_sweep_table,
    record_report,
    write_page,
    write_sweep_results,
)
from workflow.sweep.state_point import StatePoint
from workflow.sweep.sweep_file import load_sweep, state_points
from workflow.sweep.work import estimated_work

SWEEP = """
name = 'small'
model = 'kremer_grest'
replicas = 1
compositions = [{ M = 1 }]

[grid]
chains = [8, 12]
degree_of_polymerisation = 10
kT = [1.0, 1.2]
density = 0.85
"""
REPORT = "[report]\nx = 'chains'\nlabel = 'chains in the box'\noverview = ['density']\n"
CLAIMS = """
title = 'Theirs'
[[claim]]
text = 'Larger boxes are denser.'
source = 'nowhere'
quantity = 'density'
expect = 'rises'
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'sweep.toml').write_text(SWEEP)
    (tmp_path / 'claims.toml').write_text(CLAIMS)
    return tmp_path / 'sweep.toml'


def finish(sweep: SweepJobs) -> None:
    """Give every job results."""
    nothing = {observable.name: None for observable in OBSERVABLES}
    for job in sweep.jobs:
        write_definitions_of(Path(job.path))
        write_results_of(Path(job.path), **nothing | {'thermodynamics': thermodynamics()})


def test_how_results_are_shown_makes_no_other_jobs(path: Path) -> None:
    plain = [job.id for job in init_sweep(path).jobs]
    path.write_text(SWEEP + REPORT + "claims = 'claims.toml'\n")
    sweep = init_sweep(path)
    assert [job.id for job in sweep.jobs] == plain
    recorded = sweep.jobs[0].project.document()[SWEEPS]['small']
    assert recorded['sweep']['report']['x'] == 'chains'
    assert recorded['claims']['claim'][0]['expect']['trend'] == 'rises'


@pytest.mark.parametrize('name', ['model.json', 'limits.json'])
def test_jobs_share_a_file_until_one_is_damaged(path: Path, name: str) -> None:
    first, *others = [Path(job.fn(name)) for job in init_sweep(path).jobs]
    whole = first.read_text()
    assert first.stat().st_nlink == 1 + len(others) > 1
    for each in others:
        each.unlink()
        each.write_text(whole[:20])
    init_sweep(path)
    assert {each.read_text() for each in (first, *others)} == {whole}


def test_the_report_command_takes_what_the_sweep_file_says_now(path: Path) -> None:
    sweep = init_sweep(path)
    finish(sweep)
    assert set(places_on_axis(sweep.jobs).values()) == {'kT 1', 'kT 1.2'}
    table = write_sweep_results(sweep)
    folder = results_folder(sweep)
    assert report_is_current(sweep)
    assert read_sweep_table(sweep).rows == table.rows
    # Results from elsewhere keep their time, which may be before that of the report.
    os.utime(sweep.jobs[0].fn('thermodynamics.json'), (1, 1))
    assert not report_is_current(sweep)
    path.write_text(SWEEP + REPORT + "claims = 'claims.toml'\n")
    sweep = recorded_sweep(path)
    record_report(path, sweep)
    assert not report_is_current(sweep)
    write_sweep_results(sweep)
    assert report_is_current(sweep)
    with open(folder / 'summary.csv', newline='') as file:
        assert next(csv.reader(file))[:4] == ['sweep', 'chains', 'kT', 'quantity']
    html = (folder / 'report.html').read_text()
    assert 'Theirs' in html
    assert 'Larger boxes are denser.' in html
    assert places_on_axis(sweep.jobs[:1]) == {sweep.jobs[0].id: 'chains 8'}
    page = path.with_name('docs.md')
    write_page(sweep, page)
    text = page.read_text()
    assert '| Larger boxes are denser. (' in text
    images = re.findall(r'!\[.*\]\((.*)\)', text)
    assert images
    assert all(path.with_name(image).stat().st_size > 1000 for image in images)
    with pytest.raises(UserError, match=r'a \.md file in a folder that is there'):
        write_page(sweep, path.parent / 'none/docs.md')


@pytest.mark.usefixtures('quick_figures')
def test_a_sweep_recorded_without_a_report_has_the_default(path: Path) -> None:
    sweep = init_sweep(path)
    finish(sweep)
    document = sweep.jobs[0].project.document
    del document[SWEEPS]['small']['sweep']['report']
    del document[SWEEPS]['small']['claims']
    write_sweep_results(sweep)
    assert report_is_current(sweep)
    record_report(path, recorded_sweep(path))
    assert report_is_current(sweep)


@pytest.mark.parametrize(
    ('report', 'message'),
    [
        ("x = 'chain'", r"sweep.toml: report.x: .*'chain'.*Did you mean 'chains'"),
        ("overview = ['relaxtion:P2']", r"sweep.toml: report.overview.*'relaxation'"),
        ("claims = 'none.toml'", r"report.claims: there is no file 'none.toml'"),
        ("axis = 'chains'", r"unknown key 'report.axis'"),
        ('overview = []', r"'report.overview'"),
    ],
)
def test_a_wrong_report_is_told_before_anything_is_made(
    path: Path, report: str, message: str
) -> None:
    path.write_text(f'{SWEEP}[report]\n{report}\n')
    with pytest.raises(UserError, match=message):
        init_sweep(path)
    assert not (path.parent / 'workspace').exists()


def test_nothing_done_is_an_error(path: Path) -> None:
    with pytest.raises(UserError, match='no job is done'):
        write_sweep_results(init_sweep(path))


def test_more_beads_steps_and_charges_are_more_work() -> None:
    sweep, model = load_sweep(Path(__file__).parents[2] / 'sweeps/demo.toml')
    points = [point for point in state_points(sweep, model) if point.replica == 0]
    limits = sweep.protocol.limits
    work = [estimated_work(point, model, limits) for point in points]
    assert work == sorted(work)
    neutral, first_charged = points[0], points[1]
    assert estimated_work(neutral, model, limits) == 12 * 20 * 3 * (7 * 200 + 2000 + 8000 + 12800)
    longer = neutral.model_copy(update={'chains': 24})
    assert estimated_work(longer, model, limits) == 2 * work[0]
    without_charges = first_charged.model_copy(update={'bjerrum_length': 0.0})
    work_without = estimated_work(without_charges, model, limits)
    assert estimated_work(first_charged, model, limits) > 2 * work_without


def test_work_of_a_plain_melt_needs_no_ions() -> None:
    values = {'model': 'kremer_grest', 'model_hash': '', 'composition': {'M': 1.0}}
    sizes = {'chains': 2, 'degree_of_polymerisation': 3, 'kT': 1.0, 'density': 0.85}
    point = StatePoint.model_validate(values | sizes | {'bjerrum_length': 0.0, 'replica': 0})
    assert estimated_work(point, load_model('kremer_grest'), {}) % (2 * 3) == 0
