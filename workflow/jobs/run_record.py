"""The record of each run of a stage in the job document: there from the run's beginning.

A run that is killed cannot write how it ended; what it left in the trajectory would else have no
engine, host or seed.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

RUNS = 'runs'
RUNNING = 'running'
# Kills by a walltime or a bad node come one at a time; a crash comes at the same place again.
_MOST_WITHOUT_A_WORD = 5

Record = MutableMapping[str, Any]


def begin(document: Record, values: Mapping[str, Any], folder: Path) -> Record:
    """Add a run to a job document.

    Args:
        document: Of the job, whose changes are written as they are made.
        values: What is known at the beginning.
        folder: Of the stage that is under way.

    Returns:
        The run's part of the document.
    """
    document.setdefault(RUNS, [])
    began = {'outcome': RUNNING, 'progress_before': _progress(folder), 'seeds': []}
    document[RUNS].append({**values, **began})
    record: Record = document[RUNS][-1]
    return record


def crashes(document: Mapping[str, Any], stage: str, folder: Path) -> str:
    """What to say where the last runs of a stage all ended without a word at one place; or ''.

    Python cannot catch a segmentation fault or the end of the memory: such a job would be run
    again without end.
    """
    here, fruitless = _progress(folder), 0
    for run in reversed([run for run in document.get(RUNS, []) if run.get('stage') == stage]):
        if run.get('outcome') != RUNNING or run.get('progress_before') != here:
            break
        fruitless += 1
    if fruitless < _MOST_WITHOUT_A_WORD:
        return ''
    return (
        f'{fruitless} runs in a row were killed or crashed, without a word and without a new '
        'checkpoint. Look for the end of the memory, of the walltime, or a crash of the engine in '
        'what these runs printed.'
    )


def _progress(folder: Path) -> int:
    """Changes whenever a stage saves how far it is: the time of its checkpoint in ns, or 0."""
    saved = folder / 'checkpoint'
    return saved.stat().st_mtime_ns if saved.exists() else 0
