"""Rows and the page that is made of them."""

from __future__ import annotations

from pathlib import Path

from validation.claim import Row, Verdict, judged, not_run
from validation.page import SectionResult, write_page


def test_a_comparison_with_nan_fails() -> None:
    error = float('nan')
    row = judged('claim', 'lammps', '1', 'nan', '0.1', holds=error < 0.1)
    assert row.verdict is Verdict.FAIL


def test_a_row_survives_json() -> None:
    row = not_run('claim', 'hoomd', 'not installed here')
    assert Row.from_dict(row.as_dict()) == row


def test_the_page_shows_failures_and_what_was_not_run(tmp_path: Path) -> None:
    rows = [
        judged('first', 'lammps', '|a| = 1', '1.0', '0.1', holds=True),
        judged('second', 'lammps', '2', '3.0', '0.1', holds=False),
        not_run('third', 'hoomd', 'not installed here'),
    ]
    result = SectionResult('forces', '2000-01-01', 'command', 1.0, {'lammps': '1'}, rows)
    path = tmp_path / 'page.md'
    write_page(path, {'forces': result})
    text = path.read_text()
    assert '1 pass, 1 fail, 1 not run' in text
    assert '**fail**' in text
    assert '**not run**: not installed here' in text
    assert r'\|a\| = 1' in text
    assert '--only melts` runs it' in text
