"""The tables in the terminal, the files of a report, and what it says."""

from __future__ import annotations

import io
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from analysis.estimators.estimate import Estimate
from models.model import load_model
from tests.conftest import draw_quickly
from tests.results.builders import (
    job_result,
    neutral_jobs,
    segments_alone,
    state_point,
    sweep,
    table,
)
from workflow.results.claims import read_claims
from workflow.results.described import provenance_table
from workflow.results.report import Background, write_results
from workflow.results.tables import format_interval, key_tables, print_key_tables

ROOT = Path(__file__).parents[2]
HOSTILE = '<script>alert(1)</script>'
FIGURES = (
    *('overview', 'thermodynamics', 'clusters', 'clusters_curves'),
    *('relaxation', 'relaxation_curves'),
)


def text_of(path: Path) -> str:
    html = re.sub(r'<style.*?</style>|<img[^>]*>', '', path.read_text(), flags=re.DOTALL)
    return unescape(re.sub(r'\s+', ' ', re.sub(r'<[^>]+>', ' ', html)))


@pytest.fixture(scope='module')
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('results') / 'demo'
    run = {'engine': 'lammps', 'version': HOSTILE, 'stage': 'equilibrate', 'seconds': 1800.0}
    background = Background(
        n_jobs=7,
        description=HOSTILE,
        claims=read_claims('claims/isp_2025.toml', ROOT / 'sweeps/demo.toml', load_model('isp')),
        runs=[run | {'equilibrated': False, 'seed': 1}, run | {'equilibrated': True, 'seed': 2}],
    )
    results = sweep((0.0, 0.5, 1.0), n=2)
    results[-1].outcomes['stress'] = job_result({}, stress='too few rows').outcomes['stress']
    with pytest.MonkeyPatch.context() as patch:
        draw_quickly(patch)
        assert write_results(folder, table(results), background) == folder / 'report.html'
    return folder


def test_all_products_are_there_and_nothing_temporary(written: Path) -> None:
    names = {path.name for path in written.iterdir()}
    assert names == {
        'summary.csv',
        'relations.csv',
        'values_by_run.csv',
        'figures',
        'report.html',
        'report.md',
    }
    figures = {path.name for path in (written / 'figures').iterdir()}
    assert figures == {f'{stem}.{kind}' for stem in FIGURES for kind in ('csv', 'svg')}


def test_report_needs_no_other_file(written: Path) -> None:
    html = (written / 'report.html').read_text()
    sources = re.findall(r'(?:src|href)\s*=\s*["\']?([^"\'>\s]+)', html)
    assert len([s for s in sources if s.startswith('data:image/svg+xml;base64,')]) == len(FIGURES)
    assert all(s.startswith(('data:', '#')) for s in sources)
    assert not re.search(r'https?:|url\(|@import|<script', html)


def test_report_escapes_what_it_is_given(written: Path) -> None:
    html = (written / 'report.html').read_text()
    assert HOSTILE not in html
    assert html.count('&lt;script&gt;') == 2


def test_report_says_what_is_against_its_numbers(written: Path) -> None:
    text = text_of(written / 'report.html')
    assert 'Slower than the runs can show. 4: p2_1_over_e_time_backbone, p2_time_backbone' in text
    assert 'Too few independent values within a run.' in text
    assert 'About 1.6 times as much for the worst of them' in text
    assert 'In 1 of 2 runs of the equilibration stage no equilibrium' in text
    assert '6 of 7' in text
    assert 'Not measured: too few rows (LSP 1, kT = 1, replica 1)' in text
    page = (written / 'report.md').read_text()
    assert '\n## Not measured\n\n- Stress relaxation: too few rows (LSP 1, kT = 1, r' in page
    # Beside the key results, and in the section of the relaxation times.
    assert text.count('thermostat time 10 tau, time step 0.005 tau') == 2


def test_report_has_a_section_for_each_observable_with_its_definition(written: Path) -> None:
    text = text_of(written / 'report.html')
    for title in ('Thermodynamics', 'Ion clusters', 'Segmental relaxation', 'Stress relaxation'):
        assert text.count(f' {title} ') >= 1
    assert 'An ion cluster is a connected set of ions' in text
    assert 'doi 10.1039/TF9706600080' in text
    assert 'Mean squared displacement' not in text
    assert 'contact distance Li-S 1.12 (given)' in text


def test_report_leads_with_the_claims(written: Path) -> None:
    text = text_of(written / 'report.html')
    answer = 'Of 12 claims 3 agree, 2 undecided, 1 disagrees, 6 not tested; from 6 of 7 runs'
    places = [text.index(each) for each in (answer, 'More ions, larger clusters', 'Key results')]
    assert places == sorted(places)
    assert 'agrees \N{MULTIPLICATION SIGN} < 0.0' in text  # from a bound
    assert 'To decide it: ' in text
    assert 'It cannot be decided because there are too few values beside the bounds.' in text
    assert 'no result is named conductivity along LSP' in text
    assert text.count('Jonckheere-Terpstra over the values of all replicas') == 1
    assert 'percolation_probability_any above 1/2 from LSP 0.5 on' in text


@pytest.mark.usefixtures('quick_figures')
def test_a_report_of_neutral_chains_is_about_them_alone(tmp_path: Path) -> None:
    found = table(neutral_jobs(0.8, 1.0, 1.2), 'kremer_grest')
    write_results(tmp_path, found, Background(n_jobs=6))
    html = (tmp_path / 'report.html').read_text()
    text = text_of(tmp_path / 'report.html')
    assert 'LSP' not in html
    assert 'lsp' not in (tmp_path / 'summary.csv').read_text()
    assert 'claim' not in text
    assert 'Onset' not in text
    assert 'Ion clusters' not in text
    density, only = key_tables(found)
    assert density.header == ('kT', 'density', 'n')
    assert only.title == 'Segmental relaxation [tau]'
    assert only.header[:2] == ('kT', 'P2 backbone')
    assert [line[0] for line in only.lines] == ['0.8', '1', '1.2']


def test_results_written_again_are_the_same_and_leave_nothing_of_before(tmp_path: Path) -> None:
    figures = tmp_path / 'figures'
    figures.mkdir()
    (figures / 'stale.png').touch()
    one = table([job_result(state_point(0.0), relaxation=segments_alone({'backbone': 2.0}))])
    write_results(tmp_path, one, Background(n_jobs=1))
    before = {path.name: path.read_bytes() for path in tmp_path.rglob('*.*') if path.is_file()}
    stems = {path.stem for path in figures.iterdir()}
    assert stems == {'overview', 'relaxation', 'relaxation_curves'}
    assert 'No run is recorded.' in (tmp_path / 'report.html').read_text()
    write_results(tmp_path, one, Background(n_jobs=1))
    assert before == {
        path.name: path.read_bytes() for path in tmp_path.rglob('*.*') if path.is_file()
    }


def test_provenance_joins_runs_that_differ_in_their_own_numbers_alone() -> None:
    run = {'engine': 'lammps', 'packages': {'numpy': '2.4'}, 'seed': 1, 'seconds': 3600.0}
    own = {'seed': 2, 'coulomb': {'achieved_error': 1e-3}, 'meshes': [], 'meshes_chosen': 0}
    found = provenance_table([run, run | own, run | {'engine': 'hoomd'}])
    assert found[0] == {
        'engine': 'lammps',
        'packages': 'numpy 2.4',
        'runs of a stage': '2',
        'hours': '2',
    }
    assert found[1]['engine'] == 'hoomd'


@pytest.mark.usefixtures('quick_figures')
def test_results_made_by_different_code_are_told_apart(tmp_path: Path) -> None:
    made = {'operation': 'clusters', 'code': {'version': '0.9', 'commit': 'f' * 40}}
    result = job_result(state_point(0.0), relaxation=segments_alone({'backbone': 2.0}))
    result = type(result)(result.state_point, result.outcomes, {'clusters': made, 'relaxation': {}})
    write_results(tmp_path, table([result]), Background(n_jobs=1))
    html = (tmp_path / 'report.html').read_text()
    assert '0.9, commit ffffffffffff' in html
    assert '<td>not recorded</td>' in html


@pytest.mark.parametrize(
    ('interval', 'text'),
    [
        ((0.4321, 0.3766, 0.4876), '0.43 [0.38, 0.49]'),
        ((12.34, 10.1, 15.2), '12 [10, 15]'),
        ((1.0, 0.9, 1.0), '1.00 [0.90, 1.00]'),
        ((2.5, None, None), '2.5'),
        ((None, 120.0, None), '> 120'),
        ((None, None, 0.05), '< 0.05'),
        ((None, None, None), '-'),
        ((100.0, 1e-5, 1e9), '100 [1e-5, 1e9]'),
        ((0.00213, 0.000123, 0.3194), '0.0021 [0.00012, 0.32]'),
        ((0.31, 0.0, 0.9), '0.31 [0.00, 0.90]'),
        ((0.0004, -0.2, 0.2), '0.0004 [-0.2, 0.2]'),
        ((5e-5, 1e-9, 9e-4), '0.50e-4 [1e-9, 9.00e-4]'),
    ],
)
def test_intervals_are_compact(interval: Any, text: str) -> None:
    assert format_interval(Estimate(*interval)) == text


def test_plain_tables_are_readable_and_mark_what_is_not_converged() -> None:
    stream = io.StringIO()
    print_key_tables(table(sweep()), stream)
    text = stream.getvalue()
    assert '\x1b' not in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 120
    slowest = next(line for line in text.splitlines() if '> ' in line and line.startswith('|'))
    assert re.search(r'\|\s+0 \|\s+> \d+ \* \|', slowest)
    assert '* not converged' in text
    assert re.search(r'\| +LSP \| +largest cluster \| +free ions \|', text)
