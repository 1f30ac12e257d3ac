"""Several grids of one sweep: many replicas of a small system, few of a large one."""

from __future__ import annotations

from pathlib import Path

import pytest

from user_input import UserError
from workflow.sweep.state_point import as_plain_values
from workflow.sweep.sweep_file import load_sweep, most_points, state_points

SWEEP = """
name = 'grids'
model = 'isp'
replicas = 2
compositions = [{ LSP = 0.5, DOPA = 0.5 }, { DOPA = 1 }]
"""
REST = 'degree_of_polymerisation = 4\ndensity = 0.8\n'
SMALL = f'[[grids]]\nchains = 6\nreplicas = 8\nkT = [1.0, 1.2]\n{REST}'
LARGE = f'[[grids]]\nchains = 48\n{REST}'


def points(folder: Path, grids: str) -> list[dict[str, object]]:
    path = folder / 'sweep.toml'
    path.write_text(SWEEP + grids)
    sweep, model = load_sweep(path)
    found = [as_plain_values(each) for each in state_points(sweep, model)]
    assert most_points(sweep) >= len(found)
    return found


def test_each_grid_has_its_replicas_and_state_points_are_those_of_a_grid_alone(
    tmp_path: Path,
) -> None:
    found = points(tmp_path, SMALL + LARGE)
    small = points(tmp_path, SMALL.replace('[[grids]]', '[grid]'))
    large = points(tmp_path, LARGE.replace('[[grids]]', '[grid]'))
    assert (len(small), len(large)) == (2 * 2 * 8, 2 * 2)
    assert sorted(map(str, found)) == sorted(map(str, small + large))


def test_what_two_grids_have_is_there_once_with_the_replicas_of_that_with_more(
    tmp_path: Path,
) -> None:
    more = SMALL + f'[[grids]]\nchains = [6, 12]\nreplicas = 3\n{REST}'
    found = points(tmp_path, more)
    assert len({str(each) for each in found}) == len(found) == 2 * (2 * 8 + 3)
    again = f'[[grids]]\nchains = 12\nreplicas = 4\n{REST}'
    assert len(points(tmp_path, more + again)) == 2 * (2 * 8 + 4)


@pytest.mark.parametrize(
    ('grids', 'message'),
    [
        ('', r'give either \[grid\] or \[\[grids\]\]'),
        (f'{SMALL}[grid]\nchains = 6\n{REST}', r'give either \[grid\] or \[\[grids\]\]'),
        (SMALL.replace('replicas', 'replica'), r"'grids.0.replica'. Did you mean 'replicas'"),
        (f'{SMALL}{LARGE}bjerrum_length = 8', "give 'bjerrum_length' in each of them, or in none"),
        (
            SMALL.replace('replicas = 8', 'replicas = { minimum = 2, maximum = 8 }'),
            "a maximum needs decide = 'claims'",
        ),
    ],
)
def test_what_is_unclear_is_refused(tmp_path: Path, grids: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        points(tmp_path, grids)
