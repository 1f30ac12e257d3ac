"""Sizes with replicas of their own: many of a small one, few of a large one."""

from __future__ import annotations

from pathlib import Path

import pytest

from user_input import UserError
from workflow.sweep.state_point import as_plain_values
from workflow.sweep.sweep_file import load_sweep, number_of_points, state_points

SWEEP = """
name = 'sizes'
model = 'isp'
replicas = {replicas}
compositions = [{{ LSP = 0.5, DOPA = 0.5 }}, {{ DOPA = 1 }}]
{sizes}
[grid]
degree_of_polymerisation = 4
density = 0.8
kT = [1.0, 1.2]
{chains}
"""
MANY_AND_FEW = '[[sizes]]\nchains = 6\nreplicas = 8\n[[sizes]]\nchains = 48'


def points(
    folder: Path, *, replicas: int = 2, sizes: str = '', chains: str = ''
) -> list[dict[str, object]]:
    path = folder / 'sweep.toml'
    path.write_text(SWEEP.format(replicas=replicas, sizes=sizes, chains=chains))
    sweep, model = load_sweep(path)
    found = [as_plain_values(each) for each in state_points(sweep, model)]
    assert number_of_points(sweep) == len(found)
    return found


def test_each_size_has_its_replicas_and_state_points_are_those_of_the_grid(tmp_path: Path) -> None:
    found = points(tmp_path, sizes=MANY_AND_FEW)
    small = points(tmp_path, replicas=8, chains='chains = 6')
    large = points(tmp_path, replicas=2, chains='chains = 48')
    assert len(found) == 2 * 2 * (8 + 2)
    assert all(point in found for point in small + large)
    assert len(small) + len(large) == len(found)


@pytest.mark.parametrize(
    ('sizes', 'chains', 'message'),
    [
        (MANY_AND_FEW, 'chains = 6', r"give either 'chains' in \[grid\] or \[\[sizes\]\]"),
        ('', '', r"give either 'chains' in \[grid\] or \[\[sizes\]\]"),
        ('sizes = [{ chains = 6 }, { chains = 6, replicas = 3 }]', '', 'is there twice'),
        ('[[sizes]]\nchains = 6\nreplica = 8', '', "'sizes.0.replica'. Did you mean 'replicas'"),
        (
            '[[sizes]]\nchains = 6\nreplicas = { minimum = 2, maximum = 8 }',
            '',
            "a maximum needs decide = 'claims'",
        ),
    ],
)
def test_what_is_unclear_is_refused(tmp_path: Path, sizes: str, chains: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        points(tmp_path, sizes=sizes, chains=chains)
