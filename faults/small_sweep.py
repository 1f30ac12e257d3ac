"""A sweep that runs for seconds, and what its outputs must hold when it is done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import gsd.hoomd

from workflow.schedule import BlockSchedule
from workflow.thermo_log import read_hdf5

PROJECT = Path(__file__).parent.parent / 'project.py'
STEPS = 2560
SCHEDULE = BlockSchedule(10, 4)

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
coulomb_error = 1e-2
push_off = {{ steps = 100 }}
anneal = {{ kT = 1.5, steps = 100, cooling_steps = 100 }}
equilibrate = {{ minimum_steps = 1000, maximum_steps = 1000 }}
sample = {{ minimum_steps = {STEPS}, maximum_steps = {STEPS}, doublings = 4 }}
"""


def make_job(folder: Path) -> Path:
    """Make the sweep's only job in `folder` and return the job's folder."""
    (folder / 'sweep.toml').write_text(_SWEEP)
    run_project(folder, 'init', 'sweep.toml').check_returncode()
    (job,) = (folder / 'workspace').iterdir()
    return job


def start_run(folder: Path, engine: str) -> subprocess.Popen[bytes]:
    """Start `project.py run` on the job, with a checkpoint at nearly every chunk."""
    return subprocess.Popen(
        [sys.executable, str(PROJECT), 'run', '-o', '^(?!report$).*'],
        cwd=folder,
        env=os.environ | {'ISP_ENGINE': engine, 'ISP_SECONDS_BETWEEN_CHECKPOINTS': '0.05'},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def run_project(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the project in `folder`."""
    return subprocess.run(
        [sys.executable, str(PROJECT), *arguments], cwd=folder, capture_output=True, text=True
    )


def faults_in_outputs(job: Path) -> dict[str, int]:
    """How many frames and rows are lost, doubled, or at a step where none is due."""
    with gsd.hoomd.open(job / 'trajectory.gsd') as trajectory:
        frames = [int(frame.configuration.step) for frame in trajectory]
    rows = read_hdf5(job / 'thermo.h5')['step'].tolist()
    frames_due = {step for step in range(STEPS + 1) if SCHEDULE.is_due(step)}
    rows_due = set(range(10, STEPS + 1, 10))
    found = {'lost': 0, 'doubled': 0, 'wrong': 0}
    for there, due in ((frames, frames_due), (rows, rows_due)):
        found['lost'] += len(due - set(there))
        found['doubled'] += len(there) - len(set(there))
        found['wrong'] += len(set(there) - due) + int(there != sorted(there))
    return found
