"""Rows and the page that is made of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from analysis.serialise import from_json, to_json
from validation import systems
from validation.claim import Row, judged, not_run, stated
from validation.page import SectionResult, commit_here, write_page


@pytest.mark.parametrize(
    'row',
    [
        judged('claim', 'lammps', '1', '1.0', '0.1', holds=True),
        not_run('claim', 'hoomd', 'not installed here'),
        stated('claim', '-', '1', '1.0', 'the limit'),
    ],
)
def test_a_row_survives_json(row: Row) -> None:
    assert from_json(Row, to_json(row)) == row


def test_a_section_of_another_commit_is_marked(tmp_path: Path) -> None:
    row = judged('first', 'lammps', '1', '1.0', '0.1', holds=True)
    here = SectionResult.now('forces', 'command', 30.0, 20.0, [row])
    path = tmp_path / 'page.md'
    write_page(path, {'forces': here})
    text = path.read_text()
    assert f'30 s of one core in a run of 20 s on {here.cores} cores' in text
    assert text.splitlines()[2].startswith(f'Of commit {commit_here() or "not known"}, ')
    assert 'another commit' not in text
    write_page(path, {'forces': replace(here, commit='0123456789ab-dirty')})
    text = path.read_text()
    assert 'commit 0123456789ab-dirty' in text
    assert 'Of another commit' in text


def test_melts_of_other_code_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    key = systems._key(1, 'a')
    assert key == systems._key(1, 'a')
    assert key != systems._key(2, 'a')
    monkeypatch.setattr(systems, '_sources', lambda: 'other code')
    assert key != systems._key(1, 'a')


def test_any_change_of_the_code_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('validation', 'models', 'workflow/engines'):
        (tmp_path / name).mkdir(parents=True)
    files = ['user_input.py', 'validation/systems.py', 'models/a.toml', 'workflow/engines/b.py']
    for name in files:
        (tmp_path / name).write_text('before')
    monkeypatch.setattr(systems, 'ROOT', tmp_path)
    seen = {systems._sources.__wrapped__()}
    for name in files:
        (tmp_path / name).write_text('after')
        seen.add(systems._sources.__wrapped__())
    assert len(seen) == 1 + len(files)


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
