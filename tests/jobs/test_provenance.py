"""What a record says of the code: against git itself, in a repository made for it."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from workflow.jobs import provenance

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
