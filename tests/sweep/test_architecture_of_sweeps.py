"""The architecture of molecules in sweep files: a key of the state point where it is not linear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from models.architecture import Ring
from workflow.sweep.state_point import StatePoint, as_plain_values, melt_of, read_state_point
from workflow.sweep.sweep_file import load_sweep, state_points

SWEEP = """
name = 'small'
model = 'kremer_grest'
compositions = [{{ M = 1 }}]
{}
[grid]
chains = 4
degree_of_polymerisation = 10
density = 0.85
"""


def points(folder: Path, more: str = '') -> list[StatePoint]:
    path = folder / 'sweep.toml'
    path.write_text(SWEEP.format(more))
    return list(state_points(*load_sweep(path)))


def values(folder: Path, more: str = '') -> list[dict[str, Any]]:
    return [as_plain_values(point) for point in points(folder, more)]


def test_linear_chains_are_the_jobs_that_they_were(tmp_path: Path) -> None:
    assert 'architecture' not in values(tmp_path)[0]
    assert values(tmp_path, "architecture.kind = 'linear'") == values(tmp_path)


def test_rings_are_other_jobs_and_other_melts(tmp_path: Path) -> None:
    more = "architecture.kind = 'ring'"
    (ring, _) = values(tmp_path, more)
    assert ring['architecture'] == {'kind': 'ring'}
    assert read_state_point(ring, 'here').architecture == Ring(kind='ring')
    _, model = load_sweep(tmp_path / 'sweep.toml')
    frame = melt_of(points(tmp_path, more)[0], model)
    assert np.all(np.bincount(frame.bonds.group.ravel()) == 2)


def test_stars_have_arms(tmp_path: Path) -> None:
    (star, _) = values(tmp_path, "architecture = { kind = 'star', arms = 3 }")
    assert star['architecture'] == {'kind': 'star', 'arms': 3}
