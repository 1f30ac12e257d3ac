"""The files made from pyproject.toml say what it says."""

from __future__ import annotations

from pathlib import Path

from packaging.utils import canonicalize_name

from tools.conda_environment import environment
from tools.dependencies import stated_requirements

ROOT = Path(__file__).parent.parent


def locked_versions() -> dict[str, str]:
    lines = (ROOT / 'requirements.lock').read_text().splitlines()
    return dict(line.split('==') for line in lines if not line.startswith('#'))


def test_environment_yml_is_current() -> None:
    assert (ROOT / 'environment.yml').read_text() == environment()


def test_conda_route_excludes_the_hoomd_that_loses_trajectories() -> None:
    assert '!=6.1.0' in environment()


def test_lock_fulfils_every_stated_requirement() -> None:
    locked = locked_versions()
    for requirement in stated_requirements():
        version = locked[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), requirement.name


def test_lock_names_no_registry() -> None:
    assert '://' not in (ROOT / 'requirements.lock').read_text()
