"""Signals at random moments of every stage: SIGKILL, and those that ask a run to stop."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import numpy as np

from fault_injection.outcome import ANEW, Outcome
from fault_injection.outputs import Content, content_so_far, count_end
from fault_injection.small_sweep import (
    LONGEST_RUN,
    STAGES,
    Run,
    finish,
    is_done,
    make_job,
    stage_of,
    start_run,
)
from workflow.process import EXIT_INTERRUPTED
from workflow.stages.stage_folder import StageFolder
from workflow.stages.table import ENGINE_STAGES

# What each is called in the table.
KINDS = {number: number.name for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1)}
# Stages that have a checkpoint whenever they were stopped.
_WITH_CHECKPOINT = tuple(stage.name for stage in ENGINE_STAGES)
# How often each stage of a job is aimed at.
AIMS = (
    *('build', 'build', 'relax', 'relax', 'equilibrate', 'equilibrate'),
    *('sample', 'sample', 'sample', 'sample', 'dense_sample', 'dense_sample'),
    *('analysis', 'analysis'),
)
# Moments at which a kill comes, in s: after the work on a stage was seen to begin, or, where
# nothing shows that, after the start of the process.
_AFTER_BEGIN = {'relax': 0.9, 'equilibrate': 0.5, 'sample': 0.5, 'dense_sample': 0.5}
_AFTER_START = {'build': (0.3, 1.0), 'analysis': (0.3, 2.2)}


def kill_job(
    engine: str,
    seed: int,
    at_most: int,
    numbers: Sequence[signal.Signals],
    aims: Sequence[str] = AIMS,
) -> Outcome:
    """Send the runs of one job signals, in turn, at random moments, then let it end."""
    rng = np.random.default_rng(seed)
    outcome, kind = Outcome(), ''
    folder = Path(tempfile.mkdtemp(prefix='isp-faults-'))
    job = make_job(folder)
    written = Content()
    for aim, number in zip(aims, cycle(numbers), strict=False):
        if STAGES.index(stage_of(job)) > STAGES.index(aim) or is_done(job):
            continue
        if outcome.trials.total() == at_most:
            break
        kind = KINDS[number]
        process = start_run(folder, engine)
        _wait_for(job, aim, process, rng)
        stage, is_signalled = stage_of(job), process.poll() is None
        if is_signalled:
            process.send_signal(number)
            outcome.trials[kind, stage, engine] += 1
        run = finish(process)
        outcome.answers[kind, engine, ANEW] += run.began_anew
        fault = _fault_of_stop(run, job, number, aim in _AFTER_BEGIN)
        if is_signalled and number != signal.SIGKILL and fault:
            outcome.counts[kind, engine, 'unclear'] += 1
            outcome.messages.append(f'{fault}: exit code {run.code}: {run.said[-500:]}')
        written = content_so_far(job, folder) if stage_of(job) == 'sample' else written
    run = finish(start_run(folder, engine))
    count_end(outcome, kind, engine, job, run, written)
    if outcome.counts:
        outcome.messages.append(f'{folder}: {run.said[-500:]}')
    else:
        shutil.rmtree(folder)
    return outcome


def _fault_of_stop(run: Run, job: Path, number: signal.Signals, began: bool) -> str:
    """What a run that was asked to stop did wrong; '' if nothing.

    Before anything `began`, it may be ended by the signal itself.
    """
    if 'Traceback' in run.said:
        return 'a traceback'
    if run.code == 0 and is_done(job):
        return ''
    if run.code != EXIT_INTERRUPTED and (began or run.code != -number):
        return 'not stopped'
    folder = StageFolder(job, stage_of(job))
    if (
        stage_of(job) in _WITH_CHECKPOINT
        and folder.path.exists()
        and not folder.checkpoint.exists()
    ):
        return 'no checkpoint'
    return ''


def _wait_for(
    job: Path, aim: str, process: subprocess.Popen[str], rng: np.random.Generator
) -> None:
    """Wait until a random moment of the stage `aim`, or until the run ends."""
    started, before = time.monotonic(), _last_sign(job)
    earliest, latest = _AFTER_START.get(aim, (0.0, 0.0))
    at_start = stage_of(job)
    while process.poll() is None and time.monotonic() - started < LONGEST_RUN:
        now = stage_of(job)
        if STAGES.index(now) > STAGES.index(aim):
            return
        if now == aim and (aim in _AFTER_START or _last_sign(job) != before):
            break
        if now != aim:
            before = _last_sign(job)
        time.sleep(0.002)
    if aim in _AFTER_BEGIN:
        latest = _AFTER_BEGIN[aim]
    elif at_start != aim:
        earliest, latest = 0.0, latest - earliest  # the process has started long ago
    time.sleep(float(rng.uniform(earliest, latest)))


def _last_sign(job: Path) -> int:
    """Changes when a run begins to work on a stage."""
    lock = job / 'running.lock'
    return lock.stat().st_mtime_ns if lock.exists() else 0
