"""How long a job runs is asked of it by its sweeps, and defines nothing."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.systems import state_point
from workflow.stages.extension import End
from workflow.stages.table import stage_named
from workflow.sweep.limits import Limits, ProtocolTable, join_limits
from workflow.sweep.protocol import Protocol
from workflow.sweep.state_point import as_plain_values


def limits(least: int, most: int, **precision: float) -> Limits:
    return Limits(minimum_steps=least, maximum_steps=most, precision=precision)


def joined(*several: Limits) -> Limits:
    return join_limits({'sample': each} for each in several)['sample']


def test_the_protocol_of_a_simulation_is_the_same_for_all_limits() -> None:
    asked = {'minimum_steps': 20_000, 'maximum_steps': 30_000}
    table = ProtocolTable.model_validate(
        {
            'equilibrate': asked | {'barostat_time': 7.0},
            'sample': asked | {'doublings': 4, 'precision': {'pressure': 0.1}},
        }
    )
    plain = {'equilibrate': {'barostat_time': 7.0}, 'sample': {'doublings': 4}}
    assert table.without_limits == Protocol.model_validate(plain)
    assert table.limits == {
        'equilibrate': limits(20_000, 30_000),
        'sample': limits(20_000, 30_000, pressure=0.1),
    }


def test_a_dense_stage_is_part_of_a_protocol_that_asks_for_it() -> None:
    plain, asks = ProtocolTable(), ProtocolTable.model_validate({'dense_sample': {'steps': 4000}})
    assert 'dense_sample' not in plain.without_limits.model_dump()  # ids stay
    table = asks.without_limits.model_dump()['dense_sample']
    assert table == {'thermostat_time': 10.0, 'interval': 20, 'steps': 4000}
    assert asks.limits == plain.limits
    stage, points = (
        stage_named('dense_sample'),
        [
            state_point('isp', {'DOPA': 1.0}, protocol=each.without_limits.model_dump())
            for each in (plain, asks)
        ],
    )
    assert [stage.most_steps(point, plain.limits) for point in points] == [0, 4000]
    assert [stage.is_in(as_plain_values(point)) for point in points] == [False, True]
    with pytest.raises(ValueError, match='fewer than 40 intervals'):
        ProtocolTable.model_validate({'dense_sample': {'steps': 100}})


@pytest.mark.parametrize(
    ('table', 'told'),
    [
        ({'steps': 4010, 'interval': 20}, 'give 4000 or 4020'),
        ({'steps': 10**15, 'interval': 10**10}, 'give at most 1000000000'),
        ({'steps': 10**8, 'interval': 1}, '100000000 frames.*fewer steps or a longer interval'),
    ],
)
def test_a_dense_stage_that_ends_between_frames_or_never_is_refused(
    table: dict[str, int], told: str
) -> None:
    with pytest.raises(ValidationError, match=told):
        ProtocolTable.model_validate({'dense_sample': table})


def test_a_job_of_two_sweeps_meets_what_both_ask() -> None:
    assert joined(limits(10, 50), limits(20, 40)) == limits(20, 50)
    found = joined(limits(10, 50, a=0.1, b=0.2), limits(20, 40, b=0.1, c=0.3))
    assert found == limits(20, 50, a=0.1, b=0.1, c=0.3)
    # The other asks for all of its steps, whatever the precision.
    assert joined(limits(10, 50, a=0.1), limits(20, 40)) == limits(40, 50, a=0.1)
    assert joined(limits(20, 40), limits(10, 50, a=0.1)) == limits(40, 50, a=0.1)


@pytest.mark.parametrize(
    ('asked', 'is_enough'),
    [
        (limits(10, 100, a=0.1), True),
        (limits(10, 900, a=0.1), True),
        (limits(10, 900, a=0.2), True),
        (limits(100, 900, a=0.1), True),
        (limits(110, 900, a=0.1), False),
        (limits(10, 900, a=0.05), False),
        (limits(10, 900, a=0.1, b=0.5), False),
        (limits(10, 900), False),
        (limits(10, 100, a=0.05), True),  # it may not run for longer
    ],
)
def test_what_was_precise_at_its_end_is_enough_unless_more_is_asked(
    asked: Limits, is_enough: bool
) -> None:
    assert End(100, {'a': 0.1}, is_precise=True).is_enough(asked) is is_enough


def test_what_was_not_precise_at_its_end_is_enough_at_the_limit_alone() -> None:
    end = End(100, {'a': 0.1}, is_precise=False)
    assert end.is_enough(limits(10, 100, a=0.1))
    assert not end.is_enough(limits(10, 101, a=0.1))
    assert not end.is_enough(limits(10, 101, a=0.5))  # only a look tells
