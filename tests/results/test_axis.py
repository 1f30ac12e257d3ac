"""The axis of a sweep: the monomer that brings ions, what a sweep file names, or what varies."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from models.model import Model, load_model
from tests.results.builders import job, neutral_jobs, renamed_model, state_point, table
from user_input import UserError, validate
from workflow.results.axis import check_axis, find_axis, place_text
from workflow.results.series import all_series
from workflow.results.tables import write_summary
from workflow.sweep.sweep_file import ReportTable


def columns(path: Path) -> list[str]:
    with open(path, newline='') as file:
        return next(csv.reader(file))


def test_the_monomer_that_brings_counter_ions_is_the_axis() -> None:
    points = [state_point(x, kT=T) for x in (0.0, 0.5) for T in (0.8, 1.0)]
    axis = find_axis(ReportTable(), load_model('isp'), points)
    assert (axis.key, axis.column) == ('composition.LSP', 'lsp_fraction')
    assert axis.label == 'LSP mole fraction'
    assert [axis.value(point) for point in points] == [0.0, 0.0, 0.5, 0.5]


def test_another_ionomer_has_a_column_of_its_own() -> None:
    axis = find_axis(ReportTable(), renamed_model(), [state_point(0.5, composition={'XYZ': 1.0})])
    assert (axis.key, axis.column) == ('composition.XYZ', 'xyz_fraction')


def test_charges_of_the_backbone_are_the_axis_too() -> None:
    points = [state_point(0.0, composition={'N': 1 - x, 'I': x}) for x in (0.1, 0.2)]
    assert find_axis(ReportTable(), load_model('ionene'), points).key == 'composition.I'


def test_of_several_charged_monomers_what_varies_is_the_axis() -> None:
    content = load_model('ionene').model_dump(mode='json') | {'counter_ions': {}}
    content['monomers'] = {'P': {'beads': ['C']}, 'M': {'beads': ['A']}, 'N': {'beads': ['N']}}
    model = validate(Model, content, 'polyampholyte.toml')
    points = [state_point(0.0, composition={'P': x, 'M': x, 'N': 1 - 2 * x}) for x in (0.1, 0.2)]
    assert find_axis(ReportTable(), model, points).key == 'composition.P'


def test_neutral_chains_are_reported_along_what_varies(tmp_path: Path) -> None:
    found = table(neutral_jobs(1.0, 0.8), 'kremer_grest')
    write_summary(tmp_path / 'summary.csv', found)
    names = columns(tmp_path / 'summary.csv')
    assert names[:3] == ['sweep', 'kT', 'quantity']
    assert names[-1] == 'converged'
    assert [series.places for series in all_series(found)] == [[0.8, 1.0]]


@pytest.mark.parametrize(
    ('changes', 'key'),
    [
        ([{}, {}], ''),
        ([{'chains': 10}, {'chains': 20}], 'chains'),
        ([{'chains': 10, 'kT': 1.0}, {'chains': 20, 'kT': 2.0}], 'kT'),
        ([{'model': 'a'}, {'model': 'b'}], ''),
    ],
)
def test_the_first_number_that_varies_is_the_axis(changes: list[Any], key: str) -> None:
    neutral = {'composition': {'M': 1.0}}
    points = [state_point(0.0, k, **neutral, **change) for k, change in enumerate(changes)]
    assert find_axis(ReportTable(), load_model('kremer_grest'), points).key == key


def test_a_named_axis_is_taken_and_its_column_has_its_name(tmp_path: Path) -> None:
    results = [
        job(0.5, protocol={'time_step': step}, bjerrum_length=length)
        for step in (0.005, 0.01)
        for length in (16.0, 31.0)
    ]
    found = table(results, x='protocol.time_step', label='time step')
    write_summary(tmp_path / 'summary.csv', found)
    names = columns(tmp_path / 'summary.csv')
    assert names[:4] == ['sweep', 'protocol_time_step', 'kT', 'quantity']
    assert names[-1] == 'bjerrum_length'
    many = all_series(found)
    assert [(s.label, s.places) for s in many] == [
        ('bjerrum_length = 16', [0.005, 0.01]),
        ('bjerrum_length = 31', [0.005, 0.01]),
    ]
    assert many[0].axis.label == 'time step'


def test_where_the_axis_does_not_vary_figures_follow_what_does() -> None:
    found = table([job(0.5, bjerrum_length=length) for length in (31.0, 16.0)])
    (series,) = all_series(found)
    assert (found.axis.column, series.axis.column) == ('lsp_fraction', 'bjerrum_length')
    assert series.places == [16.0, 31.0]


def test_a_series_for_each_temperature() -> None:
    found = table([job(x, kT=T) for x in (0.1, 0.5) for T in (0.8, 1.0)])
    many = all_series(found)
    assert [(s.label, s.axis, len(s.states)) for s in many] == [
        ('kT = 0.8', found.axis, 2),
        ('kT = 1', found.axis, 2),
    ]
    points = many[1].along('p2_time_backbone')
    assert [x for x, _ in points] == [0.1, 0.5]
    assert {row.place['kT'] for _, row in points} == {1.0}
    assert place_text(many[1].states[1].place, found.axis) == 'LSP 0.5, kT = 1'


@pytest.mark.parametrize(
    ('key', 'nearest'),
    [
        ('composition.LPS', "Did you mean 'composition.LSP'"),
        ('chain', "Did you mean 'chains'"),
        ('kt', 'kT'),
        ('model', ''),
        ('sequence.kind', ''),
        ('replica', ''),
    ],
)
def test_an_axis_that_is_no_number_of_the_state_point_is_refused(key: str, nearest: str) -> None:
    with pytest.raises(UserError, match=f"report.x.*'{key}'") as error:
        check_axis(ReportTable(x=key), load_model('isp'), state_point(0.0))
    assert nearest in str(error.value)


def test_an_absent_monomer_of_the_model_may_be_the_axis() -> None:
    check_axis(ReportTable(x='composition.LSP'), load_model('isp'), state_point(0.0))
