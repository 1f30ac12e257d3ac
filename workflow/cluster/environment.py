"""Slurm as signac-flow sees it: chosen by a cluster file, or by Slurm being there."""

from __future__ import annotations

import argparse
import getpass
import logging
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flow.environment import DefaultSlurmEnvironment
from flow.scheduling.base import ClusterJob, JobStatus
from flow.scheduling.slurm import SlurmScheduler

from user_input import UserError
from workflow.cluster.description import find_cluster
from workflow.cluster.request import (
    LOG_FOLDER,
    check_line,
    check_name,
    environment_of,
    quoted_command,
    request_of,
)

_logger = logging.getLogger(__name__)

_SECONDS_FOR_AN_ANSWER = 60
# All others that squeue lists (configuring, requeued, suspended, ...) will run or run on: to
# signac-flow's own reading they are free to be submitted once more.
_STATES = {
    'R': JobStatus.active,
    'CG': JobStatus.inactive,
    'CD': JobStatus.inactive,
    'CA': JobStatus.inactive,
    'TO': JobStatus.inactive,
    'F': JobStatus.error,
    'NF': JobStatus.error,
}


class Queue(SlurmScheduler):
    """Slurm's queue; one that does not answer is reported, and holds no jobs."""

    _silent = ''

    def jobs(self) -> Iterator[ClusterJob]:
        """List the user's jobs that wait or run."""
        type(self)._silent = ''
        command = ['squeue', '-u', getpass.getuser(), '-h', '-o', '%t|%j']
        try:
            answer = subprocess.run(
                command, check=True, capture_output=True, text=True, timeout=_SECONDS_FOR_AN_ANSWER
            ).stdout
        except FileNotFoundError:
            reason = 'squeue is not installed here'
        except subprocess.TimeoutExpired:
            reason = f'no answer in {_SECONDS_FOR_AN_ANSWER} s'
        except subprocess.CalledProcessError as error:
            reason = (error.stderr.strip() or str(error)).splitlines()[-1]
        else:
            for line in answer.splitlines():
                state, _, name = line.strip().partition('|')
                yield ClusterJob(name, _STATES.get(state, JobStatus.queued))
            return
        type(self)._silent = reason
        _logger.warning('note: the queue of Slurm cannot be read (%s).', reason)

    def submit(self, script: str, *, pretend: bool = False, **options: Any) -> bool:
        """Hand a script to sbatch, or print it; UserError if it might submit jobs twice."""
        if not pretend:
            if self._silent:
                raise UserError(
                    f'the queue of Slurm cannot be read ({self._silent}), so that jobs might be '
                    'submitted twice: nothing was submitted. Try again later, or look at the '
                    'script with submit --pretend.'
                )
            if shutil.which('sbatch') is None:
                raise UserError('sbatch is not installed here: submit on a login node.')
        return bool(super().submit(script, pretend=pretend, **options))


class SlurmCluster(DefaultSlurmEnvironment):
    """A Slurm cluster; what is particular to it is in its cluster file."""

    scheduler_type = Queue
    template = 'slurm_cluster.sh'

    @classmethod
    def is_present(cls) -> bool:
        """Check whether a cluster file is chosen or fits this host, or Slurm is installed."""
        return find_cluster()[1] is not None or shutil.which('sbatch') is not None

    @classmethod
    def add_args(cls, parser: argparse.ArgumentParser) -> None:
        """Add what `submit` takes on a cluster."""
        super().add_args(parser)
        parser.add_argument('--partition', help='default: chosen by the need of GPUs')
        parser.add_argument('--account', help='default: that of the cluster file')
        parser.add_argument(
            '--simulations-per-gpu',
            type=int,
            metavar='N',
            help='simulations of a bundle that share one GPU; default: that of the cluster file',
        )

    @classmethod
    def _get_mpi_prefix(cls, operation: Any, parallel: bool) -> str:
        """Start the ranks in place of the shell, which would not pass signals on to them."""
        del parallel
        ranks = operation.directives.get('nranks')
        return f'exec {find_cluster()[0].mpi_command} -n {ranks} ' if ranks else ''

    @classmethod
    def _get_scheduler_values(cls, context: dict[str, Any]) -> dict[str, Any]:
        """Collect what the template writes, beside the operations."""
        cluster, path = find_cluster()
        sharing = context.get('simulations_per_gpu')
        if sharing is not None and sharing < 1:
            raise UserError(f'--simulations-per-gpu {sharing}: give a whole number from 1 up.')
        operations = context['operations']
        for option in ('partition', 'account'):
            if context.get(option):
                check_name(context[option], f'--{option}')
        check_line(context.get('job_output') or '', '--job-output')
        request = request_of(
            [dict(each.directives) for each in operations],
            cluster,
            partition=context.get('partition'),
            account=context.get('account'),
            simulations_per_gpu=sharing,
            parallel=bool(context.get('parallel')),
        )
        folder = Path(context['project'].path)
        check_line(str(folder), 'the folder')
        if not context.get('pretend'):  # Slurm would not make it, and lose all that a job says
            (folder / LOG_FOLDER).mkdir(exist_ok=True)
        return {
            'cluster': cluster,
            'request': request,
            'gpu_option': request.gpu_option(cluster),
            'output': context.get('job_output') or f'{folder}/{LOG_FOLDER}/%j.out',
            'environment': environment_of(path),
            'python_folder': str(Path(sys.executable).parent),
            'commands': [quoted_command(each.cmd) for each in operations],
            'ncpu_tasks': request.tasks * request.cores_per_task,
            'ngpu_tasks': request.gpus,
            'num_nodes': 1,
        }
