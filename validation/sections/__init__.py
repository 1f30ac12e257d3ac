"""The sections in the order of the page; a section is a module with TITLE and jobs()."""

from __future__ import annotations

import importlib
from typing import Any

SECTIONS = (
    'forces',
    'recorded',
    'electrostatics',
    'estimators',
    'intervals',
    'conductivity',
    'lifetimes',
    'sweeps',
    'relations',
    'ensembles',
    'melts',
    'ionomer',
    'rheology',
    'published_fluids',
    'published_salt',
    'published_salt_in_polymer',
    'start_states',
)


def section(name: str) -> Any:
    """The module of a section."""
    return importlib.import_module(f'validation.sections.{name}')
