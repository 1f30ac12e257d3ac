"""Two records of a checkout differ where, and only where, what it computed does."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gsd.hoomd
import h5py
import numpy as np
import pytest

from tools.reference import Record, differences, log_parts, trajectory_parts
from user_input import UserError

RECORD: Record = {
    'engine': 'lammps',
    'jobs': {'abc': {'thermo.h5': {'column step': '1', 'column volume': '2'}}},
    'summary': [
        {'sweep': 's', 'lsp_fraction': '0.5', 'quantity': quantity, 'mean': mean, 'unit': '1'}
        for quantity, mean in (('density', '0.85'), ('temperature', '1.0'))
    ],
}


def changed(change: Callable[[Any], object]) -> list[str]:
    after = copy.deepcopy(RECORD)
    change(after)
    return differences(RECORD, after)


@pytest.mark.parametrize(
    ('change', 'told'),
    [
        (lambda r: r['jobs']['abc']['thermo.h5'].update({'column volume': '3'}), 'column volume'),
        (lambda r: r['jobs']['abc']['thermo.h5'].pop('column step'), 'in one of them only'),
        (lambda r: r['jobs'].update(other={}), 'job other came in addition'),
        (lambda r: r['jobs'].clear(), 'job abc is missing'),
        (lambda r: r['summary'][1].update(mean='1.1'), "temperature, sweep s: mean was '1.0'"),
        (lambda r: r['summary'].pop(), 'the row is missing'),
        (lambda r: r['summary'].append(r['summary'][0]), '3 rows, but 2'),
        (lambda r: [row.pop('unit') for row in r['summary']], 'the column unit is missing'),
        (lambda r: [row.pop('quantity') for row in r['summary']], 'column quantity is missing'),
    ],
)
def test_a_difference_is_told(change: Callable[[Any], object], told: str) -> None:
    assert told in '\n'.join(changed(change))


@pytest.mark.parametrize(
    'change',
    [
        lambda r: r['summary'].reverse(),
        lambda r: r['summary'].append(r['summary'][0] | {'quantity': 'new'}),
        lambda r: [row.pop('lsp_fraction') for row in r['summary']],  # the same throughout
        lambda r: [row.update(chains='8') for row in r['summary']],
    ],
)
def test_order_additional_rows_and_axes_of_one_value_are_no_difference(
    change: Callable[[Any], object],
) -> None:
    assert changed(change) == []


def test_engines_are_not_compared_with_each_other() -> None:
    with pytest.raises(UserError, match='hoomd'):
        changed(lambda r: r.update(engine='hoomd'))


@pytest.mark.parametrize('name', ['position', 'image', 'velocity'])
def test_the_last_digit_of_one_bead_in_one_frame_changes_that_part_alone(
    tmp_path: Path, name: str
) -> None:
    frames = []
    for step in range(2):
        frame = gsd.hoomd.Frame()
        frame.configuration.step, frame.configuration.box = step, [9, 9, 9, 0, 0, 0]
        frame.particles.N = 3
        frame.particles.position = np.ones((3, 3), np.float32)
        frame.particles.velocity = np.ones((3, 3), np.float32)
        frame.particles.image = np.ones((3, 3), np.int32)
        frames.append(frame)
    parts = []
    for path in (tmp_path / 'before.gsd', tmp_path / 'after.gsd'):
        with gsd.hoomd.open(path, 'w') as file:
            file.extend(frames)
        parts.append(trajectory_parts(path))
        values = getattr(frames[1].particles, name)
        values[2, 0] = np.nextafter(values[2, 0], 2) if name != 'image' else 2
    assert {key for key in parts[0] if parts[0][key] != parts[1][key]} == {f'frame 1, {name}'}


def test_the_last_digit_of_a_log_changes_its_column(tmp_path: Path) -> None:
    parts = []
    for value in (1.0, np.nextafter(1.0, 2)):
        with h5py.File(tmp_path / f'{value!r}.h5', 'w') as file:
            file['step'], file['inner/volume'] = np.arange(4), np.array([0.5, value])
        parts.append(log_parts(tmp_path / f'{value!r}.h5'))
    assert parts[0].keys() == {'column step', 'column inner/volume'}
    assert {key for key in parts[0] if parts[0][key] != parts[1][key]} == {'column inner/volume'}
