"""SIGKILL at random moments of every stage."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from faults.outcome import ANEW, Outcome
from faults.outputs import Content, content_so_far, faults_in_outputs
from faults.small_sweep import (
    LONGEST_RUN,
    STAGES,
    Run,
    finish,
    is_done,
    make_job,
    stage_of,
    start_run,
)

KIND = 'kill'
# How often each stage of a job is aimed at.
_AIMS = [
    *['build', 'build', 'relax', 'relax', 'equilibrate', 'equilibrate'],
    *['sample', 'sample', 'sample', 'sample', 'analysis', 'analysis'],
]
# Moments at which a kill comes, in s: after the work on a stage was seen to begin, or, where
# nothing shows that, after the start of the process.
_AFTER_BEGIN = {'relax': 0.9, 'equilibrate': 0.5, 'sample': 0.5}
_AFTER_START = {'build': (0.3, 1.0), 'analysis': (0.3, 2.2)}


def kill_job(engine: str, seed: int, at_most: int) -> Outcome:
    """Kill the runs of one job at random moments, then let it end."""
    rng = np.random.default_rng(seed)
    outcome = Outcome()
    folder = Path(tempfile.mkdtemp(prefix='isp-faults-'))
    job = make_job(folder)
    written = Content()
    for aim in _AIMS:
        if STAGES.index(stage_of(job)) > STAGES.index(aim) or is_done(job):
            continue
        if outcome.trials.total() == at_most:
            break
        process = start_run(folder, engine)
        _wait_for(job, aim, process, rng)
        stage = stage_of(job)
        if process.poll() is None:
            process.kill()
            outcome.trials[KIND, stage, engine] += 1
        said, _ = process.communicate()
        outcome.answers[KIND, engine, ANEW] += Run(process.returncode, said).began_anew
        written = content_so_far(job, folder) if stage_of(job) == 'sample' else written
    run = finish(start_run(folder, engine))
    outcome.answers[KIND, engine, ANEW] += run.began_anew
    if run.code == 0 and is_done(job):
        for name, number in faults_in_outputs(job, written).items():
            outcome.counts[KIND, engine, name] += number
    else:
        outcome.counts[KIND, engine, 'not completed'] += 1
    if outcome.counts:
        outcome.messages.append(f'{folder}: {run.said[-500:]}')
    else:
        shutil.rmtree(folder)
    return outcome


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
