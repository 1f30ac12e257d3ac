"""The dependencies that pyproject.toml states."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

PYPROJECT = Path(__file__).parent.parent / 'pyproject.toml'


def project_table() -> dict[str, Any]:
    """Content of pyproject.toml."""
    with open(PYPROJECT, 'rb') as file:
        return tomllib.load(file)


def stated_requirements() -> list[Requirement]:
    """Dependencies of the project and of its development, as stated."""
    project = project_table()['project']
    stated = project['dependencies'] + project['optional-dependencies']['develop']
    return [Requirement(text) for text in stated]
