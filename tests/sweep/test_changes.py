"""What a user has changed in a sweep file since its jobs were made."""

from __future__ import annotations

from typing import Any

import pytest

from workflow.sweep.changes import Recorded, describe_changes
from workflow.sweep.sweep_file import Sweep

SWEEP: dict[str, Any] = {
    'name': 'small',
    'model': 'isp',
    'replicas': 2,
    'compositions': [{'LSP': 0.5, 'DOPA': 0.5}, {'DOPA': 1}],
    'grid': {'chains': 8, 'degree_of_polymerisation': 10, 'pressure': 0.0},
    'protocol': {'sample': {'precision': {'pressure': 0.1}}},
}
CLAIMS = {'claims': 'claims.toml'}
JOBS = ('a', 'b', 'c', 'd')


def asking(**sample: Any) -> dict[str, Any]:
    return {'protocol': {'sample': {'precision': {'pressure': 0.1}} | sample}}


def changes(change: dict[str, Any], jobs: tuple[str, ...] = JOBS, model: str = '1') -> str:
    before, after = (Sweep.model_validate(each) for each in (SWEEP, SWEEP | change))
    return describe_changes(Recorded(before, JOBS, '1'), Recorded(after, jobs, model))


def test_a_sweep_that_is_the_same_is_not_reported() -> None:
    assert changes({}) == ''
    assert changes({'report': {'label': 'another'}}) == ''


@pytest.mark.parametrize(
    ('change', 'jobs', 'said'),
    [
        ({'replicas': 3}, (*JOBS, 'e', 'f'), '4 jobs kept, 2 new: replicas 2 -> 3'),
        (
            {'replicas': 1},
            ('a', 'c'),
            '2 jobs kept, 2 no longer part of it: replicas 2 -> 1',
        ),
        (
            {'replicas': {'minimum': 2, 'maximum': 5}, 'decide': 'claims', 'report': CLAIMS},
            JOBS,
            '4 jobs kept: replicas 2 -> 2 to 5; decide none -> claims',
        ),
        (
            {'compositions': [{'DOPA': 1}, {'LSP': 1}]},
            ('c', 'd', 'e', 'f'),
            '2 jobs kept, 2 new, 2 no longer part of it: composition LSP 1 added; '
            'composition LSP 0.5, DOPA 0.5 removed',
        ),
        (
            asking(precision={'pressure': 0.05}),
            JOBS,
            '4 jobs kept: protocol.sample.precision.pressure 0.1 -> 0.05 (tighter)',
        ),
        (
            asking(precision={'pressure': 0.1, 'temperature': 0.01}),
            JOBS,
            '4 jobs kept: protocol.sample.precision.temperature none -> 0.01',
        ),
        (
            asking(maximum_steps=4_000_000),
            JOBS,
            '4 jobs kept: protocol.sample.maximum_steps 2000000 -> 4000000 (longer)',
        ),
        (
            asking(thermostat_time=5.0),
            ('e', 'f', 'g', 'h'),
            '0 jobs kept, 4 new, 4 no longer part of it: protocol.sample.thermostat_time 10 -> 5',
        ),
        (
            {'grid': SWEEP['grid'] | {'replicas': 3}},
            (*JOBS, 'e', 'f'),
            '4 jobs kept, 2 new: grid.replicas none -> 3',
        ),
        (
            {'grid': SWEEP['grid'] | {'kT': [1.0, 1.2]}},
            (*JOBS, 'e'),
            '4 jobs kept, 1 new: grid.kT 1 -> 1, 1.2',
        ),
    ],
)
def test_a_change_is_named_with_what_it_does_to_the_jobs(
    change: dict[str, Any], jobs: tuple[str, ...], said: str
) -> None:
    assert changes(change, jobs) == said


def test_a_changed_model_file_is_named() -> None:
    said = changes({}, ('e', 'f', 'g', 'h'), model='2')
    assert said.endswith('4 no longer part of it: the content of the model changed')
