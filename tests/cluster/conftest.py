"""A small sweep to submit, and a Slurm to submit it to."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.one_node_slurm import CannotStart, OneNodeSlurm, one_node_slurm
from tests.conftest import ROOT, Done, run_here
from tests.systems import small_sweep

CLUSTER = """
stop_before_end = {stop_before_end}
gpu_request = '{gpu_request}'

[partitions.cpu]
cores = 4
memory = 16
max_hours = {max_hours}

[partitions.gpu]
cores = 4
memory = 16
gpus = {gpus}
max_hours = 1
"""


class Sweep:
    """A project folder with the jobs of a small sweep."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment
        self.is_on_a_cluster = False

    def start(
        self,
        replicas: int = 2,
        steps: int = 2560,
        doublings: int = 4,
        more: str = '',
        **cluster: object,
    ) -> None:
        """Make the jobs and the cluster file."""
        sweep = small_sweep('{ LSP = 0.5, DOPA = 0.5 }', replicas, steps=steps, doublings=doublings)
        (self.folder / 'sweep.toml').write_text(sweep + more)
        self.write_cluster(**cluster)
        self.project('init', 'sweep.toml')

    def write_cluster(self, **changed: object) -> None:
        """Write the cluster file."""
        values = {'stop_before_end': 60, 'gpu_request': 'gpus', 'max_hours': 1, 'gpus': 2}
        (self.folder / 'cluster.toml').write_text(CLUSTER.format(**(values | changed)))

    def project(
        self, *words: str, exit_status: int = 0, **environment: str
    ) -> Done | subprocess.CompletedProcess[str]:
        """Run project.py, in this process where that is the same."""
        environment = self.environment | environment
        if self.is_on_a_cluster or 'ISP_RANKS' in environment:  # which a process reads once
            done: Done | subprocess.CompletedProcess[str] = subprocess.run(
                [sys.executable, str(ROOT / 'project.py'), *words],
                cwd=self.folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
            )
        else:
            done = run_here(self.folder, *words, environment=environment)
        assert done.returncode == exit_status, done.stdout + done.stderr
        return done

    @property
    def jobs(self) -> list[Path]:
        """Their folders."""
        return sorted(self.folder.glob('workspace/*'))


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    """A folder where no scheduler answers, whether one is installed or not."""
    squeue = tmp_path / 'bin/squeue'
    squeue.parent.mkdir()
    squeue.write_text('#!/bin/sh\necho "squeue: no controller" >&2\nexit 1\n')
    squeue.chmod(0o755)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(('SLURM_', 'ISP_'))}
    environment |= {
        'ISP_CLUSTER': str(tmp_path / 'cluster.toml'),
        'ISP_ENGINE': 'lammps',
        'PATH': os.pathsep.join((str(squeue.parent), os.environ['PATH'])),
    }
    return Sweep(tmp_path, environment)


@pytest.fixture(scope='session')
def slurm() -> Iterator[OneNodeSlurm]:
    """A real Slurm; skips where it cannot be."""
    try:
        with one_node_slurm() as running:
            yield running
    except CannotStart as reason:
        pytest.skip(str(reason))


@pytest.fixture
def submitted_sweep(sweep: Sweep, slurm: OneNodeSlurm) -> Iterator[Sweep]:
    """A folder whose jobs go to the real Slurm; none is left there afterwards."""
    sweep.is_on_a_cluster = True
    sweep.environment |= {k: slurm.environment[k] for k in ('PATH', 'SLURM_CONF')}
    yield sweep
    slurm.command('scancel', '--user=root')
    slurm.wait_until_empty()


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line('markers', 'slurm: starts a Slurm of one node, which takes root')
