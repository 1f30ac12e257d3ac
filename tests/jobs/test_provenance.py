"""What a record says of the code: against git itself, in a repository made for it."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.results.builders import job, sweep
from workflow.jobs import provenance
from workflow.results.aggregate import JobResult, group_states, summarise
from workflow.results.report import write_results

ROOT = Path(__file__).parent.parent.parent


def git(folder: Path, *words: str) -> str:
    command = ['git', '-C', str(folder), '-c', 'user.name=a', '-c', 'user.email=a@b.c', *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with code of its own, which takes the place of this one."""
    (tmp_path / 'workflow').mkdir()
    (tmp_path / 'workflow/a.py').write_text('a = 1\n')
    shutil.copy(ROOT / 'pyproject.toml', tmp_path)
    git(tmp_path, 'init', '--quiet')
    git(tmp_path, 'add', '.')
    git(tmp_path, 'commit', '--quiet', '--message', 'one')
    monkeypatch.setattr(provenance, '_ROOT', tmp_path)
    return tmp_path


def code_version() -> dict[str, object]:
    return dict(provenance.code_version.__wrapped__())


def test_a_commit_and_changes_to_the_code_are_told(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stated = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']['version']
    clean = {'version': stated, 'commit': git(checkout, 'rev-parse', 'HEAD'), 'modified': False}
    # As within a hook of another repository.
    monkeypatch.setenv('GIT_DIR', '/nowhere')
    assert code_version() == clean
    (checkout / 'notes.txt').touch()  # no code
    assert code_version() == clean
    (checkout / 'workflow/b.py').touch()
    assert code_version() == clean | {'modified': True}
    (checkout / 'workflow/b.py').unlink()
    (checkout / 'workflow/a.py').write_text('a = 2\n')
    assert code_version() == clean | {'modified': True}


def test_without_a_checkout_the_version_is_told(checkout: Path) -> None:
    shutil.rmtree(checkout / '.git')
    assert code_version().keys() == {'version'}


def test_a_result_with_its_provenance_gives_the_same_numbers() -> None:
    def with_provenance(result: JobResult) -> JobResult:
        made = {provenance.KEY: provenance.of_analysis('a', 'b', 'clusters', {}, [])}
        tables = (result.clusters, result.relaxation, result.thermodynamics)
        return JobResult(result.state_point, *({**table, **made} for table in tables))

    results = sweep((0.0, 0.5), n=2)
    assert summarise('s', group_states(map(with_provenance, results))) == summarise(
        's', group_states(results)
    )


def test_the_report_tells_results_made_by_different_code_apart(tmp_path: Path) -> None:
    made = {'operation': 'clusters', 'code': {'version': '0.9', 'commit': 'f' * 40}}
    old = job(0.5)
    other = JobResult(
        old.state_point,
        {**old.clusters, provenance.KEY: made},
        {**old.relaxation, provenance.KEY: 'damaged'},
        old.thermodynamics,
    )
    html = write_results(tmp_path, 'demo', {}, [other], []).read_text()
    assert '0.9, commit ffffffffffff' in html
    assert '<td>not recorded</td>' in html
