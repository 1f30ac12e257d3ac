"""What operations ask for, from the state point and from how simulations are to run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from user_input import UserError
from workflow.cluster.description import Cluster, Speed
from workflow.cluster.directives import directives
from workflow.cluster.request import Request, request_of
from workflow.engines.settings import EngineChoice

SPEED = Speed(cpu_core=1e5, gpu=1e6)


def asked(operation: str = 'sample', **changed: Any) -> dict[str, Any]:
    values = {'beads': 4200.0, 'steps': 2_000_000, 'how': EngineChoice()}
    return directives(operation, **(values | changed), speed=SPEED)


def test_time_grows_with_beads_times_steps_up_to_the_limit() -> None:
    hours = asked()['walltime']
    assert hours == pytest.approx(1.5 * 4200 * 2e6 / 1e5 / 3600, rel=0.01)
    assert asked(beads=8400.0)['walltime'] == pytest.approx(2 * hours, rel=0.01)
    assert asked(steps=4_000_000)['walltime'] == pytest.approx(2 * hours, rel=0.01)
    assert asked(steps=10)['walltime'] == 0.25
    assert asked(how=EngineChoice(device='gpu'))['walltime'] == pytest.approx(hours / 10, rel=0.1)


def test_only_simulations_ask_for_gpus_ranks_and_threads() -> None:
    how = EngineChoice(device='gpu', ranks=2, threads=3)
    simulation = asked(how=how)
    assert (simulation['np'], simulation['ngpu'], simulation['nranks']) == (6, 2, 2)
    for operation in ('build', 'thermodynamics', 'clusters', 'relaxation', 'report'):
        found = asked(operation, how=how)
        assert (found['np'], found['ngpu']) == (1, 0)
        assert 'nranks' not in found
    for device in ('auto', 'cpu'):
        assert asked(how=EngineChoice(device=device))['ngpu'] == 0


def test_a_serial_operation_stays_in_one_process() -> None:
    """signac-flow starts another for each of these, and signals would not reach it."""
    assert not {'nranks', 'omp_num_threads', 'fork'} & set(asked(how=EngineChoice(threads=4)))


def test_memory_grows_with_beads_and_ranks() -> None:
    assert asked(beads=1e6)['memory'] > asked()['memory']
    assert asked(how=EngineChoice(ranks=4))['memory'] > asked()['memory']
    # Ranks share the beads: 64 of them do not ask for 64 times the memory of one.
    assert asked(beads=1e6, how=EngineChoice(ranks=64))['memory'] < 64 * (1 + 2)


CLUSTER = Cluster.model_validate(
    {
        'simulations_per_gpu': 2,
        'partitions': {
            'cpu': {'cores': 8, 'memory': 32, 'max_hours': 24},
            'long': {'cores': 8, 'memory': 32, 'max_hours': 240},
            'gpu': {'cores': 16, 'memory': 64, 'gpus': 2, 'gpu_type': 'a100', 'max_hours': 8},
        },
    }
)


def operation(**changed: Any) -> dict[str, Any]:
    values = {'np': 1, 'ngpu': 0, 'memory': 2.0, 'walltime': timedelta(hours=5), 'nranks': 0}
    return values | changed


def request(*operations: dict[str, Any], **wishes: Any) -> Request:
    return request_of(operations, CLUSTER, **wishes)


def test_one_after_the_other_takes_the_sum_of_times_and_the_most_of_the_rest() -> None:
    found = request(operation(np=2), operation(memory=3.0), operation())
    assert (found.tasks, found.cores_per_task, found.memory) == (1, 2, 3)
    assert found.minutes == 15 * 60 + 3
    assert request(*[operation()] * 9).minutes == 24 * 60


def test_side_by_side_takes_the_most_of_times_and_the_sum_of_the_rest() -> None:
    found = request(operation(), operation(np=4, nranks=2), parallel=True)
    assert (found.tasks, found.cores_per_task, found.memory) == (3, 2, 4)
    assert found.minutes == 5 * 60 + 3


def test_the_time_asked_for_has_room_for_the_signal_before_its_end() -> None:
    early = CLUSTER.model_copy(update={'stop_before_end': 1800})
    quarter = operation(walltime=timedelta(minutes=15))
    assert request_of([quarter], early).minutes == 15 + 30 + 1
    assert request_of([operation()] * 9, early).minutes == 24 * 60


def test_the_limit_of_time_is_that_of_the_partition_that_was_chosen() -> None:
    days = operation(walltime=timedelta(hours=100))
    assert request(days).minutes == 24 * 60
    assert request(days, partition='long').minutes == 100 * 60 + 3


def test_simulations_that_share_a_gpu_have_more_time() -> None:
    on_gpu = operation(ngpu=1, walltime=timedelta(hours=1))
    assert request(*[on_gpu] * 3, parallel=True).minutes == 2 * 60 + 3
    assert request(*[on_gpu] * 3, parallel=True, simulations_per_gpu=8).minutes == 3 * 60 + 3
    assert request(*[on_gpu] * 2, parallel=True, simulations_per_gpu=1).minutes == 60 + 3
    assert request(*[on_gpu] * 3).minutes == 3 * 60 + 3
    on_two = operation(ngpu=2, walltime=timedelta(hours=1))
    assert request(on_two, parallel=True).minutes == 60 + 3


def test_simulations_side_by_side_share_gpus() -> None:
    on_gpu = operation(ngpu=1)
    found = request(*[on_gpu] * 3, operation(), parallel=True)
    assert found.partition == 'gpu'
    assert found.gpus == 2
    assert found.gpu_slots == ((0, 1), (0, 1), (1, 1), (2, 0))
    assert request(*[on_gpu] * 3).gpus == 1
    assert request(*[on_gpu] * 8, parallel=True, simulations_per_gpu=8).gpus == 1


@pytest.mark.parametrize(
    ('style', 'line'),
    [
        ('gpus', '--gpus=a100:1'),
        ('gres', '--gres=gpu:a100:1'),
        ('gpus-per-node', '--gpus-per-node=a100:1'),
    ],
)
def test_gpus_are_asked_for_in_the_manner_of_the_cluster(style: str, line: str) -> None:
    cluster = CLUSTER.model_copy(update={'gpu_request': style})
    assert request_of([operation(ngpu=1)], cluster).gpu_option(cluster) == line
    assert request_of([operation()], cluster).gpu_option(cluster) == ''


@pytest.mark.parametrize(
    ('operations', 'said'),
    [
        ([operation(np=9)], '9 cores'),
        ([operation(memory=40)], '40 GB of memory'),
        ([operation(ngpu=1)] * 5, '3 GPUs'),
    ],
)
def test_more_than_a_node_has_is_refused(operations: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(UserError, match=f'needs {said}, but a node of partition'):
        request(*operations, parallel=True)
