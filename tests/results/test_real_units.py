"""Results in real units beside the reduced ones, and what init says of a sweep in them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from analysis.estimators.estimate import Estimate
from models.units import FRICTION, Units
from tests.results.builders import row, thermodynamics, write_definitions_of, write_results_of
from user_input import UserError
from workflow.cli.init import init_sweep
from workflow.results.real_units import real_row
from workflow.results.report_state import results_folder
from workflow.results.sweep_results import write_sweep_results
from workflow.results.tables import format_interval

SWEEP = """
name = 'real'
model = '{model}'
compositions = [{{ {monomer} = 1 }}]
[grid]
chains = 8
degree_of_polymerisation = 10
density = 0.85
{grid}
[observables]
compute = ['thermodynamics']
"""
UNITS = Units(sigma=0.45, mass=80.0, temperature=300.0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, model: str = 'isp', monomer: str = 'LSP', grid: str = '') -> Path:
    path = folder / 'sweep.toml'
    path.write_text(SWEEP.format(model=model, monomer=monomer, grid=grid))
    return path


def report(path: Path) -> Path:
    sweep = init_sweep(path)
    for job in sweep.jobs:
        write_definitions_of(Path(job.path))
        write_results_of(Path(job.path), thermodynamics=thermodynamics())
    write_sweep_results(sweep)
    return results_folder(sweep)


def read(path: Path) -> dict[str, dict[str, str]]:
    with open(path, newline='') as file:
        return {line['quantity']: line for line in csv.DictReader(file)}


def test_a_row_is_converted_with_its_interval_and_verdict() -> None:
    found = real_row(row(10.0, 8.0, 12.0, verdict='it drifts', unit='tau'), UNITS)
    assert found is not None
    assert found.quantity.unit == 'ps'
    assert found.estimate.value == pytest.approx(25.48, abs=0.01)
    assert found.estimate.high == pytest.approx(1.2 * 25.4847, rel=1e-4)
    assert found.estimate.verdict == 'it drifts'
    assert real_row(row(1.0, 0.5, 1.5), UNITS) is None


@pytest.mark.usefixtures('quick_figures')
def test_a_model_with_units_has_them_in_its_report(folder: Path) -> None:
    found = report(write(folder))
    for name in ('report.html', 'report.md'):
        text = (found / name).read_text()
        assert FRICTION in text
        assert '16 sigma = 7.2 nm, relative permittivity 7.74' in text
    reduced, real = (read(found / f'{name}.csv') for name in ('summary', 'summary_real_units'))
    assert {name for name in reduced if reduced[name]['unit'] == '1'}.isdisjoint(real)
    assert list(real['density']) == list(reduced['density'])
    assert real['density']['unit'] == 'nm^-3'
    ratio = float(real['density']['mean']) / float(reduced['density']['mean'])
    assert ratio == pytest.approx(0.45**-3, rel=1e-4)


@pytest.mark.usefixtures('quick_figures')
def test_a_model_without_units_has_none(folder: Path) -> None:
    found = report(write(folder, model='kremer_grest', monomer='M'))
    assert FRICTION not in (found / 'report.html').read_text()
    assert not (found / 'summary_real_units.csv').exists()


def test_init_says_what_the_sweep_is_in_real_units(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(folder, grid='permittivity = [4, 7.5]\nkT = [0.9, 1]')
    path.write_text(path.read_text().replace('density = 0.85', 'pressure = 0.1'))
    jobs = init_sweep(path).jobs
    said = capsys.readouterr().out
    assert '1 tau = 2.548 ps' in said
    assert 'kT 0.9 = 270 K' in said
    assert '30.94 sigma = 13.93 nm, relative permittivity 4' in said
    assert '0.1 epsilon/sigma^3 = 4.545 MPa' in said
    lengths = {job.statepoint()['bjerrum_length'] for job in jobs}
    assert lengths == {UNITS.bjerrum_length(4), UNITS.bjerrum_length(7.5)}


@pytest.mark.parametrize(
    ('model', 'monomer', 'grid', 'message'),
    [
        ('ionene', 'N', 'permittivity = 4', r'sweep.toml: grid.permittivity: .* no \[units\]'),
        ('isp', 'LSP', 'permittivity = 4\nbjerrum_length = 16', 'either bjerrum_length or permit'),
    ],
)
def test_a_permittivity_that_means_nothing_is_refused(
    folder: Path, model: str, monomer: str, grid: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        init_sweep(write(folder, model, monomer, grid))


def test_small_numbers_keep_their_digits() -> None:
    assert format_interval(Estimate(2.41e-6, 2.1e-6, 2.75e-6)) == '2.4e-6 [2.1e-6, 2.8e-6]'
    assert format_interval(Estimate(-3e-5, -5e-5, 1e-5)) == '-3.0e-5 [-5.0e-5, 1.0e-5]'
    assert format_interval(Estimate(1.2e-4)) == '1.2e-4'
    assert format_interval(Estimate(4.56e-4, 7e-8, 0.028)) == '0.00046 [7e-8, 0.028]'
