"""Files truncated and bits flipped: in a stage that is under way, and in what a stage left."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fault_injection.outcome import Outcome
from fault_injection.outputs import Content, content_so_far, count_end
from fault_injection.small_sweep import (
    LONGEST_RUN,
    finish,
    job_of,
    make_job,
    start_run,
)
from workflow.jobs import files as job_files


@dataclass(frozen=True)
class Target:
    """A file to damage, and the moment of a job at which it is there and still needed.

    Attributes:
        path: Below the job's folder; the newest of those that the pattern matches.
        moment: The pattern of a file that tells when to stop the job.
        latest: It is stopped so many seconds after that at the latest.
    """

    path: str
    moment: str
    latest: float = 0.0


_SAMPLING = 'sample.in_progress'
_TWO_CHECKPOINTS = f'{_SAMPLING}/checkpoint.previous'

# As damaged files are told apart in the table.
TARGETS = {
    'checkpoint': (Target(f'{_SAMPLING}/checkpoint', _TWO_CHECKPOINTS, 0.4),),
    'trajectory': (Target(f'{_SAMPLING}/trajectory.gsd', _TWO_CHECKPOINTS, 0.4),),
    'log': (Target(f'{_SAMPLING}/thermo.rows', _TWO_CHECKPOINTS, 0.4),),
    'relaxation state': (
        Target('relax.in_progress/checkpoint', 'relax.in_progress/checkpoint.previous', 0.4),
    ),
    'product': (
        Target(job_files.BUILT, job_files.BUILT),
        Target(job_files.RELAXED, job_files.RELAXED),
        Target(job_files.EQUILIBRATED, job_files.EQUILIBRATED),
        Target(job_files.EQUILIBRATION_THERMO, job_files.TRAJECTORY),
        Target(job_files.THERMO, job_files.TRAJECTORY),
        Target(job_files.TRAJECTORY, job_files.TRAJECTORY),
        Target(job_files.PRODUCTION, job_files.PRODUCTION),
        Target(job_files.RESULTS[0], job_files.RESULTS[0]),
    ),
}


def stopped_job(target: Target, engine: str, seed: int) -> Path:
    """The folder of a project whose only job was killed where the target is there."""
    rng = np.random.default_rng(seed)
    folder = Path(tempfile.mkdtemp(prefix='isp-faults-'))
    job = make_job(folder)
    process = start_run(folder, engine)
    deadline = time.monotonic() + LONGEST_RUN
    while not list(job.glob(target.moment)) and process.poll() is None:
        if time.monotonic() > deadline:
            break
        time.sleep(0.002)
    time.sleep(float(rng.uniform(0, target.latest)))
    process.kill()
    process.communicate()
    return folder


def damage_job(
    name: str, target: Target, damage: str, engine: str, seed: int, stopped: Path
) -> Outcome:
    """Damage a file of a copy of the stopped project, run it, and do what it asks to do."""
    rng = np.random.default_rng(seed)
    outcome, kind = Outcome(), f'{name} {damage}'
    folder = Path(tempfile.mkdtemp(prefix='isp-faults-'))
    shutil.copytree(stopped, folder, dirs_exist_ok=True)
    job = job_of(folder)
    files = sorted(job.glob(target.path), key=os.path.getmtime)
    if not files:  # the job got past the moment at which it was to be stopped
        shutil.rmtree(folder)
        return outcome
    path = files[-1]
    written = content_so_far(job, folder)
    DAMAGES[damage](path, rng)
    outcome.trials[kind, target.path, engine] += 1
    run = finish(start_run(folder, engine))
    detected = any(word in run.said for word in ('passed over', 'is damaged'))
    asked = re.findall(r'Delete (\S+) and run', run.said)
    if run.is_clearly_refused and path.name in run.said and asked:
        Path(asked[0]).unlink()
        run = finish(start_run(folder, engine))
    elif run.code != 0:
        outcome.counts[kind, engine, 'unclear'] += 1
    outcome.answers[kind, engine, 'detected' if detected else 'harmless'] += 1
    # All up to where the run says that it went on must still be there.
    step = run.resumed_at
    kept = Content() if step is None else written.until(step)
    count_end(outcome, kind, engine, job, run, kept)
    if outcome.counts:
        outcome.messages.append(f'{folder}: {path.name}: {run.said[-500:]}')
    else:
        shutil.rmtree(folder)
    return outcome


def _truncate(path: Path, rng: np.random.Generator) -> None:
    os.truncate(path, int(rng.integers(path.stat().st_size)))


def _flip(path: Path, rng: np.random.Generator) -> None:
    content = bytearray(path.read_bytes())
    content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path, np.random.Generator], None]] = {
    'truncated': _truncate,
    'bit flipped': _flip,
}
