"""Having jobs that are done go on, where more is asked of them than they were run for."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from user_input import UserError, count_of
from workflow.jobs import files as job_files
from workflow.jobs.lock import JobIsHeld
from workflow.stages.extension import read_end, reopen
from workflow.stages.stage_folder import StageFolder
from workflow.stages.table import STAGES, Kind
from workflow.sweep.limits import Limits

_logger = logging.getLogger(__name__)

Job = Any

_REVIEWED = [stage for stage in STAGES if stage.kind is Kind.UNTIL_PRECISE]


def extend_jobs(jobs: Iterable[Job], before: Mapping[str, Mapping[str, Limits]]) -> None:
    """Reopen the stages of `jobs` that are done and have run for less than is asked of them now.

    `before` is what was asked of each, by its id. What is done is reported.
    """
    reopened, held, refused = 0, 0, []
    for job in jobs:
        folder = Path(job.path)
        for stage in _REVIEWED:
            if not job.isfile(stage.last_product):
                continue
            limits = job_files.read_limits(folder)[stage.name]
            end = read_end(StageFolder(folder, stage.name))
            if end is None:
                known = before.get(job.id, {}).get(stage.name)
                if known is not None and limits.exceed(known):
                    refused.append(f'job {job.id} was finished before it could be extended')
            elif not end.is_enough(limits):
                try:
                    reopen(folder, stage)
                    reopened += 1
                except JobIsHeld:
                    held += 1
                except UserError as error:
                    refused.append(str(error))
    if reopened:
        _logger.info(
            '%s done before: going on from the last state, unless precise.',
            count_of(reopened, 'job'),
        )
    if held:
        _logger.info(
            '%s being run: run this again when that is done, to go on from there.',
            count_of(held, 'job'),
        )
    if refused:
        _logger.info(
            '%s cannot go on and stay as they are: take more replicas, which narrow intervals '
            'too. The first: %s',
            count_of(len(refused), 'job'),
            refused[0],
        )
