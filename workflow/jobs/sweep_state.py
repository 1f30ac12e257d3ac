"""What the operations over a whole sweep wait for, read without a library that analyses.

`project.py status` asks for it on a login node.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflow.jobs import files as job_files
from workflow.jobs.failures import failed_among, refused_among
from workflow.jobs.workspace import LOOKS, SweepJobs, sweeps_in

# In the project document, beside the sweep: what its files name, and what its jobs are given.
NAMED, GIVEN = 'named_definitions', 'definitions'


def recorded(sweep: SweepJobs) -> dict[str, Any]:
    """Read what is recorded of a sweep; empty if nothing is."""
    return sweeps_in(sweep.jobs[0]).get(sweep.name, {})


def computed_by(content: Mapping[str, Any]) -> list[str] | None:
    """Read the names of the observables that a sweep, as recorded, computes; None for all."""
    compute = content.get('sweep', {}).get('observables', {}).get('compute', 'all')
    return None if compute == 'all' else compute


def may_be_defined(sweep: SweepJobs) -> bool:
    """Check whether all jobs have sampled that have not failed, nor could not be run.

    A sweep whose definitions are recorded waits for none.
    """
    if 'pooled' in recorded(sweep).get(GIVEN, {}):
        return True
    missing = [job for job in sweep.jobs if not job.isfile(job_files.STRUCTURE)]
    is_waited_for = len(missing) > len(failed_among(missing)) + len(refused_among(missing))
    return len(missing) < len(sweep.jobs) and not is_waited_for


def are_defined(sweep: SweepJobs) -> bool:
    """Check whether all jobs have definitions, and the sweep those that its files name."""
    content = recorded(sweep)
    named = content.get(GIVEN, {}).get('named')
    return (
        named is not None
        and named == content.get(NAMED, named)
        and all(job.isfile(job_files.DEFINITIONS) for job in sweep.jobs)
    )


def look_is_due(content: Mapping[str, Any]) -> bool:
    """Check whether a sweep, as recorded, is to be looked at again once its jobs are done."""
    if not content.get('sweep', {}).get('decide'):
        return False
    looks = content.get(LOOKS, [])
    if not looks:
        return True
    last = looks[-1]
    # Where nothing was added and there is no end, the user has changed what ended it.
    return not last['end'] and (not last['added'] or last['jobs'] < len(content['jobs']))
