"""The table in the terminal, the figures, the report, and what it says of the paper's claims."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from tests.results.builders import job, sweep
from user_input import UserError
from workflow.results.aggregate import SummaryRow, group_states, summarise, write_summary
from workflow.results.figures import all_series
from workflow.results.report import percolation_onset, provenance_table, trend, write_results
from workflow.results.summary import format_interval, print_summary

FIGURES = ('overview', 'cluster_sizes', 'percolation', 'relaxation_times', 'relaxation_curves')
HOSTILE = '<script>alert(1)</script>'


def row(x: float, *interval: float | None, converged: bool = True) -> SummaryRow:
    mean, low, high = interval
    return SummaryRow('s', x, 1.0, 'q', '1', mean, low, high, 3, converged)


@pytest.fixture(scope='module')
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('results') / 'demo'
    info = {'jobs': ['a'] * 7, 'model': {'name': 'isp', 'description': HOSTILE}}
    run = {'engine': 'lammps', 'version': HOSTILE, 'stage': 'equilibrate', 'seconds': 1800.0}
    runs = [run | {'equilibrated': False, 'seed': 1}, run | {'equilibrated': True, 'seed': 2}]
    results = sweep((0.0, 0.5, 1.0), n=2)
    assert write_results(folder, 'demo', info, results, runs) == folder / 'report.html'
    return folder


def test_all_products_stand_and_nothing_temporary(written: Path) -> None:
    names = {path.name for path in written.iterdir()}
    assert names == {'summary.csv', 'figures', 'report.html'}
    figures = {path.name for path in (written / 'figures').iterdir()}
    assert figures == {f'{stem}.{kind}' for stem in FIGURES for kind in ('png', 'svg')}


@pytest.mark.parametrize('stem', FIGURES)
def test_figures_are_whole(written: Path, stem: str) -> None:
    assert (written / 'figures' / f'{stem}.png').read_bytes().startswith(b'\x89PNG')
    root = ElementTree.parse(written / 'figures' / f'{stem}.svg').getroot()
    assert root.tag.endswith('svg')
    assert len(list(root.iter())) > 100


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


def test_report_says_what_stands_against_its_numbers(written: Path) -> None:
    html = (written / 'report.html').read_text()
    assert 'not decayed to 1/e within the longest lag (1 of 2 replicas)' in html
    assert 'too short: 6.2 independent values' in html
    assert 'In 1 of 2 runs of the equilibration stage no equilibrium' in html
    assert '6 of 7' in html
    # Beside the table and under both figures that show times, and the overview.
    assert html.count('thermostat time 10 tau, time step 0.005 tau') == 4


def test_results_written_again_are_the_same_and_leave_nothing_of_before(tmp_path: Path) -> None:
    figures = tmp_path / 'figures'
    figures.mkdir()
    (figures / 'stale.png').touch()
    write_results(tmp_path, 'demo', {}, [job(0.0)], [])
    before = {path.name: path.read_bytes() for path in tmp_path.rglob('*.*') if path.is_file()}
    assert {path.stem for path in figures.iterdir()} == {'relaxation_times', 'relaxation_curves'}
    assert 'No run is recorded.' in (tmp_path / 'report.html').read_text()
    write_results(tmp_path, 'demo', {}, [job(0.0)], [])
    assert before == {
        path.name: path.read_bytes() for path in tmp_path.rglob('*.*') if path.is_file()
    }


def test_no_results_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='no job is done'):
        write_results(tmp_path, 'demo', {}, [], [])


def test_a_series_for_each_temperature() -> None:
    states = group_states([job(x, kT=T) for x in (0.1, 0.5) for T in (0.8, 1.0)])
    many = all_series(states, summarise('s', states))
    assert [(s.label, s.axis, len(s.states)) for s in many] == [
        ('kT = 0.8', 'lsp_fraction', 2),
        ('kT = 1', 'lsp_fraction', 2),
    ]
    points = many[1].points('p2_time_backbone')
    assert [x for x, _ in points] == [0.1, 0.5]
    assert {r.kT for _, r in points} == {1.0}


@pytest.mark.parametrize(
    ('rows', 'verdict'),
    [
        ([row(0, 9, 8, 10), row(0.5, 5, 4, 6), row(1, 2, 1, 3)], 'agrees'),
        ([row(0, 2, 1, 3), row(1, 9, 8, 10)], 'disagrees'),
        ([row(0, 9, 4, 14), row(1, 5, 3, 7)], 'undecided'),
        ([row(0, 9, 8, 10), row(1, 2, 1, 3, converged=False)], 'undecided'),
        ([row(0, 9, None, None), row(1, 2, None, None)], 'undecided'),
        ([row(0, None, 20, None, converged=False), row(1, 9, 8, 10)], 'agrees'),
        ([row(0, None, 9, None, converged=False), row(1, 9, 8, 10)], 'undecided'),
        ([row(0, 9, 8, 10), row(0.3, 2, 1, 3), row(0.6, 6, 5, 7), row(1, 2, 1, 3)], 'disagrees'),
        ([row(0, 9, 8, 10)], 'undecided'),
    ],
)
def test_trend_is_computed_from_the_intervals(rows: list[SummaryRow], verdict: str) -> None:
    assert trend(rows, falls=True)[1] == verdict


def test_overlap_is_said() -> None:
    assert 'intervals overlap' in trend([row(0, 9, 4, 14), row(1, 5, 3, 7)], falls=True)[0]


@pytest.mark.parametrize(
    ('rows', 'onset'),
    [
        ([row(0.1, 0.1, 0, 0.2), row(0.2, 0.5, 0.3, 0.7), row(0.3, 1, 0.9, 1)], (0.1, 0.3)),
        ([row(0.33, 1, 0.9, 1), row(0.5, 1, 0.9, 1)], (None, 0.33)),
        ([row(0.1, 0, 0, 0.2), row(0.2, 0.1, 0, 0.3)], (0.2, None)),
        ([row(0.1, 0.6, 0, 1)], (None, None)),
        ([row(0.1, 1, None, None)], (None, None)),
    ],
)
def test_percolation_onset(rows: list[SummaryRow], onset: Any) -> None:
    assert percolation_onset(rows)[1] == onset


def test_provenance_joins_runs_that_differ_in_their_own_numbers_alone() -> None:
    run = {'engine': 'lammps', 'packages': {'numpy': '2.4'}, 'seed': 1, 'seconds': 3600.0}
    own = {'seed': 2, 'coulomb': {'achieved_error': 1e-3}, 'meshes': [], 'meshes_chosen': 0}
    table = provenance_table([run, run | own, run | {'engine': 'hoomd'}])
    assert table[0] == {
        'engine': 'lammps',
        'packages': 'numpy 2.4',
        'runs of a stage': '2',
        'hours': '2',
    }
    assert table[1]['engine'] == 'hoomd'


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
        ((100.0, 1e-5, 1e9), '100 [0, 1e+09]'),
    ],
)
def test_intervals_are_compact(interval: Any, text: str) -> None:
    assert format_interval(*interval) == text


def test_plain_table_is_readable_and_marks_what_is_not_converged(tmp_path: Path) -> None:
    write_summary(tmp_path / 's.csv', summarise('demo', group_states(sweep())))
    stream = io.StringIO()
    print_summary(tmp_path / 's.csv', stream)
    text = stream.getvalue()
    assert '\x1b' not in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 120
    slowest = next(line for line in text.splitlines() if '> ' in line and line.startswith('|'))
    assert re.search(r'\|\s+0 \|\s+1 \|\s+> \d+ \* \|', slowest)
    assert '* not converged' in text
