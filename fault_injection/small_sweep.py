"""A sweep of one job that runs for seconds, and its runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from workflow.jobs import files as job_files
from workflow.stages import table
from workflow.sweep.frame_schedule import BlockSchedule

PROJECT = Path(__file__).parent.parent / 'project.py'
STEPS = 2560
LOG_PERIOD = 10
SCHEDULE = BlockSchedule(LOG_PERIOD, 4)
DENSE_SCHEDULE = BlockSchedule(LOG_PERIOD, 1)
# Longer than any run takes, however busy the machine.
LONGEST_RUN = 300.0

_SWEEP = f"""
name = 'faults'
model = 'isp'
replicas = 1
compositions = [{{ LSP = 0.5, DOPA = 0.5 }}]

[grid]
chains = 8
degree_of_polymerisation = 10
density = 0.85

[protocol]
log_period = {LOG_PERIOD}
coulomb_error = 1e-2
push_off = {{ steps = 100 }}
anneal = {{ kT = 1.5, steps = 100, cooling_steps = 100 }}
equilibrate = {{ minimum_steps = 1000, maximum_steps = 1000 }}
sample = {{ minimum_steps = {STEPS}, maximum_steps = {STEPS}, doublings = 4 }}
dense_sample = {{ interval = 10, steps = {STEPS} }}
"""

ANALYSIS = 'analysis'  # all that comes after the stages
STAGES = (*(stage.name for stage in table.STAGES), ANALYSIS)


@dataclass(frozen=True)
class Run:
    """What became of a run: its exit code and all that it said."""

    code: int
    said: str

    @property
    def is_clearly_refused(self) -> bool:
        """Whether it ended with a message to its user, and not with a traceback."""
        return self.code == 2 and 'error: ' in self.said and 'Traceback' not in self.said

    @property
    def began_anew(self) -> bool:
        """Whether it found nothing to go on from in a stage that was under way."""
        return 'restarting the stage from step 0' in self.said

    @property
    def resumed_at(self) -> int | None:
        """The step from which it went on with sampling; None if it began it."""
        found = re.findall(r'^sample: resuming from step (\d+)', self.said, re.MULTILINE)
        return int(found[-1]) if found else None


@cache
def _initialised() -> tempfile.TemporaryDirectory[str]:
    """A project of the sweep, made once for all that begin with it."""
    made = tempfile.TemporaryDirectory(prefix='isp-faults-')
    (Path(made.name) / 'sweep.toml').write_text(_SWEEP)
    command = [sys.executable, str(PROJECT), 'init', 'sweep.toml']
    subprocess.run(command, cwd=made.name, capture_output=True, check=True)
    return made


def make_job(folder: Path) -> Path:
    """Make the sweep's only job in `folder` and return the job's folder."""
    shutil.copytree(_initialised().name, folder, dirs_exist_ok=True)
    return job_of(folder)


def job_of(folder: Path) -> Path:
    """The folder of the only job of the project in `folder`."""
    (job,) = (folder / 'workspace').iterdir()
    return job


def start_run(folder: Path, engine: str, **environment: str) -> subprocess.Popen[str]:
    """Start `project.py run` on the job, with a checkpoint at nearly every chunk."""
    ours = {'ISP_ENGINE': engine, 'ISP_SECONDS_BETWEEN_CHECKPOINTS': '0.05', 'OMP_NUM_THREADS': '1'}
    return subprocess.Popen(
        [sys.executable, str(PROJECT), 'run', '-o', '^(?!report$).*'],
        cwd=folder,
        env=os.environ | ours | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors='replace',
    )


def finish(process: subprocess.Popen[str]) -> Run:
    """Wait for a run."""
    try:
        said, _ = process.communicate(timeout=LONGEST_RUN)
    except BaseException:
        process.kill()
        process.communicate()
        raise
    return Run(process.returncode, said)


def stage_of(job: Path) -> str:
    """Which of STAGES a job is in."""
    missing = (each.name for each in table.STAGES if not (job / each.last_product).exists())
    return next(missing, ANALYSIS)


def is_done(job: Path) -> bool:
    """Whether every result of a job is there."""
    return all((job / name).exists() for name in job_files.RESULTS)
