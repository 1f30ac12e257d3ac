"""What one submission asks of Slurm: the directives of its operations put together."""

from __future__ import annotations

import math
import os
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from user_input import UserError
from workflow.cluster.description import CLUSTER_VARIABLE, NAME, Cluster, find_cluster
from workflow.engines.selection import chosen_engine
from workflow.engines.settings import (
    TUNING_CACHE_VARIABLE,
    VARIABLES,
    choice_from_environment,
)

LOG_FOLDER = 'slurm'
_SIGNAL_IS_EARLY = 60.0

# The job runs as it was submitted, whatever the cluster does with the environment.
_PASSED_ON = (*VARIABLES.values(), TUNING_CACHE_VARIABLE)


@dataclass(frozen=True)
class Request:
    """One job of the scheduler, on one node; `tasks` are the MPI ranks that run at a time.

    `memory` is in GB. Each operation has the first of its GPUs and their number, and the threads of
    each of its ranks.
    """

    partition: str | None
    account: str | None
    tasks: int
    cores_per_task: int
    gpus: int
    memory: int
    minutes: int
    options: tuple[str, ...]
    gpu_slots: tuple[tuple[int, int], ...]
    threads: tuple[int, ...]

    def gpu_option(self, cluster: Cluster) -> str:
        """Write the line that asks `cluster` for the GPUs; empty without GPUs."""
        if not self.gpus:
            return ''
        known = cluster.known(self.partition)
        kind = f'{known.gpu_type}:' if known and known.gpu_type else ''
        option = 'gres=gpu:' if cluster.gpu_request == 'gres' else f'{cluster.gpu_request}='
        return f'--{option}{kind}{self.gpus}'


def request_of(
    operations: Sequence[dict[str, Any]],
    cluster: Cluster,
    *,
    partition: str | None = None,
    account: str | None = None,
    simulations_per_gpu: int | None = None,
    parallel: bool = False,
) -> Request:
    """Put the directives of `operations` together; what is not None goes before the cluster file.

    With `parallel`, the operations run side by side. UserError if no node has as much.
    """
    gpus_each = [int(each['ngpu']) for each in operations]
    sharing = simulations_per_gpu or cluster.simulations_per_gpu
    slots = _gpu_slots(gpus_each, sharing) if parallel else [(0, n) for n in gpus_each]
    gpus = max(first + number for first, number in slots)
    partition = cluster.partition(partition, gpus > 0)
    at_a_time = sum if parallel else max
    ranks = [max(1, int(each.get('nranks') or 1)) for each in operations]
    cores = [int(each['np']) for each in operations]
    threads = [-(-number // of) for number, of in zip(cores, ranks, strict=True)]
    # Those that have a GPU together take so many times longer.
    sharers = min(sharing, gpus_each.count(1)) if parallel else 1
    seconds = [
        each['walltime'].total_seconds() * (sharers if number == 1 else 1)
        for each, number in zip(operations, gpus_each, strict=True)
    ]
    # One after the other takes the sum: beyond the limit, the rest is for the next submission.
    total = max(seconds) if parallel else sum(seconds)
    # Slurm's signal comes before the end, and up to a minute earlier: what comes after is not work.
    total += cluster.stop_before_end + _SIGNAL_IS_EARLY
    known = cluster.known(partition)
    minutes = math.ceil(total / 60)
    if known is not None:
        minutes = min(minutes, int(known.max_hours * 60 + 1e-6))
    request = Request(
        partition,
        account or cluster.account,
        at_a_time(ranks),
        max(threads),
        gpus,
        math.ceil(at_a_time(each['memory'] for each in operations)),
        max(1, minutes),
        (*cluster.options, *(known.options if known else ())),
        tuple(slots),
        tuple(threads),
    )
    if known:
        _check_fits(request, known, f'partition {partition}')
    return request


def _gpu_slots(gpus_each: Sequence[int], sharing: int) -> list[tuple[int, int]]:
    """Give each operation its first GPU and their number; only `sharing` single ones share."""
    slots: list[tuple[int, int]] = []
    used = shared = sharers = 0
    for number in gpus_each:
        if number == 1:
            if sharers % sharing == 0:
                shared = used
                used += 1
            sharers += 1
            slots.append((shared, 1))
        else:
            slots.append((used, number))
            used += number
    return slots


def _check_fits(request: Request, node: Any, where: str) -> None:
    for name, needed, there, advice in (
        ('cores', request.tasks * request.cores_per_task, node.cores, 'smaller bundles'),
        ('GPUs', request.gpus, node.gpus, 'smaller bundles, or --simulations-per-gpu'),
        ('GB of memory', request.memory, node.memory, 'smaller bundles'),
    ):
        if needed > there:
            raise UserError(
                f'one submission needs {needed} {name}, but a node of {where} has {there:g}: '
                f'take {advice}, or another partition.'
            )


def environment_of(path: Path | None) -> dict[str, str]:
    """Collect what the job's environment must hold, so that it runs as it was submitted."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    if path is not None:
        passed[CLUSTER_VARIABLE] = str(path)
    return passed


def why_no_engine() -> str:
    """Say why simulations cannot run in this Python, which submit scripts start; empty if they can.

    Where the cluster file loads modules or has a prologue, an engine may come with those.
    """
    cluster, _ = find_cluster()
    if cluster.modules or cluster.prologue:
        return ''
    try:
        chosen_engine(choice_from_environment())
    except UserError as error:
        return (
            f'jobs would run in this Python, {sys.executable}, where {error} Submit with the '
            'Python of an environment that has it.'
        )
    return ''


def quoted_command(command: str) -> str:
    """Quote the paths that a command of signac-flow begins with."""
    program, separator, rest = command.partition(' run -o ')
    script = program.removeprefix(sys.executable).strip()
    return f'{shlex.quote(sys.executable)} {shlex.quote(script)}{separator}{rest}'


def check_name(text: str, what: str) -> None:
    """Refuse with a UserError what cannot be one word of an #SBATCH line, split at spaces."""
    if not re.fullmatch(NAME, text):
        raise UserError(
            f'{what} {text!r} is no name: take letters, digits and _ . : @ + -, without spaces.'
        )


def check_line(text: str, what: str) -> None:
    """Refuse with a UserError what would end a line of a script, or its quotes."""
    if not text.isprintable() or '"' in text or '\\' in text:
        raise UserError(f'{what} {text!r} cannot be in a submit script.')
