"""What makes a failed job ready to be run again."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from user_input import UserError
from workflow.engines.errors import BlewUp, BoxTooSmall
from workflow.jobs.failures import RETRIES, Failure, clear_failure, read_failure
from workflow.jobs.lock import hold
from workflow.stages.stage_folder import StageFolder
from workflow.stages.substeps import MOST_SHORTENED, Substeps, write_substeps

# A retry runs the steps up to the failure, and these many more, so many times shorter; where that
# did not help, shorter again.
_SHORTER_BY = 5
_STEPS_BEYOND = 1000


def make_ready(folder: Path, record: Any) -> str:
    """Take the mark of a failed job away; one that blew up will begin with shorter steps.

    What is done is added to the retries in `record`, the job document, and returned. UserError if
    the job is not marked as failed, or is being run.
    """
    with hold(folder):
        failure = read_failure(folder)
        if failure is None:
            raise UserError(
                f'job {folder.name} is not marked as failed: there is nothing to retry.'
            )
        short = _short_steps_past(failure)
        begins = failure.goes_on_from
        where = 'its last good state' if begins is None else f'step {begins}'
        done = f'resumes from {where} of {failure.stage}'
        # What failed in other words may be a blow-up too, if it fails at the same place again.
        if failure.kind == BlewUp.kind or (
            failure.after_retries and failure.kind != BoxTooSmall.kind
        ):
            write_substeps(StageFolder(folder, failure.stage).path, short)
            done += f', with steps {short.shortened_by} times shorter until step {short.until}'
        # In the record before the mark goes: a retry that is killed here is only listed twice.
        retry = {'time': time.time(), 'failure': asdict(failure), 'told': done}
        record.setdefault(RETRIES, []).append(retry | {'until': short.until})
        clear_failure(folder)
    return done


def _short_steps_past(failure: Failure) -> Substeps:
    reached = max(failure.step or 0, failure.goes_on_from or 0)
    # Bounded before it is raised to: the mark may say any number.
    factor = min(_SHORTER_BY ** min(1 + failure.after_retries, 9), MOST_SHORTENED)
    return Substeps(reached + _STEPS_BEYOND, factor)
