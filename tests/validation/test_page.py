"""Rows and the page that is made of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from validation.claim import Row, judged, not_run, stated
from validation.page import SectionResult, write_page


@pytest.mark.parametrize(
    'row',
    [
        judged('claim', 'lammps', '1', '1.0', '0.1', holds=True),
        not_run('claim', 'hoomd', 'not installed here'),
        stated('claim', '-', '1', '1.0', 'the limit'),
    ],
)
def test_a_row_survives_json(row: Row) -> None:
    assert Row.from_dict(json.loads(json.dumps(row.as_dict()))) == row


def test_the_page_shows_failures_and_what_was_not_run(tmp_path: Path) -> None:
    rows = [
        judged('first', 'lammps', '|a| = 1', '1.0', '0.1', holds=True),
        judged('second', 'lammps', '2', '3.0', '0.1', holds=False),
        not_run('third', 'hoomd', 'not installed here'),
        stated('fourth', '-', 'known', '83 % covered', 'no claim is made'),
        stated('fifth', '-', 'known', '61 % covered', 'no claim is made'),
    ]
    result = SectionResult('forces', '2000-01-01', 'command', 1.0, {'lammps': '1'}, rows)
    path = tmp_path / 'page.md'
    write_page(path, {'forces': result})
    text = path.read_text()
    assert '1 pass, 1 fail, 1 not run, 2 stated' in text
    assert '**fail**' in text
    assert '**not run**: not installed here' in text
    assert '| 83 % covered | none: no claim is made | stated |' in text
    assert r'\|a\| = 1' in text
    assert '--only melts` runs it' in text
