"""A cluster as its users describe it: one TOML file, no code."""

from __future__ import annotations

import functools
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, model_validator

from user_input import StrictModel, UserError, nearest_name, read_toml, validate

CLUSTER_VARIABLE = 'ISP_CLUSTER'

_FOLDER = 'clusters'
_SHIPPED = Path(__file__).parent.parent.parent / _FOLDER
_SET_ELSEWHERE = {
    'account': 'the key account',
    'array': 'submit -b N -p',
    'chdir': 'the project, which runs in its own folder',
    'cpus-per-task': 'ISP_THREADS',
    'error': 'the project, which writes to slurm/',
    'gpus': 'ISP_DEVICE',
    'gres': 'the key gpu_request',
    'job-name': 'signac-flow, which knows its jobs by it',
    'mem': 'the state point',
    'nodes': 'the project: a job has one node',
    'ntasks': 'ISP_RANKS',
    'output': 'the project, which writes to slurm/',
    'partition': 'the table partitions, or submit --partition',
    'signal': 'the key stop_before_end',
    'time': 'the state point, and max_hours of the partition',
    'wrap': 'the project',
}


def _one_line(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise ValueError('must be one line of printable text')
    return text


def _program(text: str) -> str:
    """Check a program, unquoted in a line of the script: no word may mean more to the shell."""
    if not re.fullmatch(r'[A-Za-z0-9_./][A-Za-z0-9_./:=,+@%-]*( [A-Za-z0-9_./:=,+@%-]+)*', text):
        raise ValueError(
            "must be a program and its options, like 'srun --mpi=pmix', without quotes and without "
            'what the shell reads as more'
        )
    return text


def _option(text: str) -> str:
    """Check an option, unquoted in a line of its own: it may hold nothing that ends a word."""
    found = re.fullmatch(r'--([a-z][a-z-]*)(=[^\s\'"\\#]+)?', text)
    if found is None or not text.isprintable():
        raise ValueError("must look like '--constraint=a100', without spaces or quotes")
    if found[1] in _SET_ELSEWHERE:
        raise ValueError(f'--{found[1]} is set by {_SET_ELSEWHERE[found[1]]}')
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f'is not a regular expression ({error})') from None
    return text


NAME = '[A-Za-z0-9_][A-Za-z0-9_.:@+-]{0,127}'
Name = Annotated[str, Field(pattern=rf'\A{NAME}\z')]
ModuleName = Annotated[str, Field(pattern=r'\A[A-Za-z0-9_][A-Za-z0-9_.+/-]{0,127}\z')]
Option = Annotated[str, AfterValidator(_option)]
Program = Annotated[str, AfterValidator(_program)]
ShellLine = Annotated[str, AfterValidator(_one_line)]
Pattern = Annotated[str, Field(max_length=200), AfterValidator(_pattern)]


class Partition(StrictModel):
    """The nodes of one partition, with the GB of memory that jobs may ask for.

    `gpu_type` is asked for by name where a partition has several, as in ``gpu:a100:1``.
    """

    cores: PositiveInt
    memory: PositiveFloat
    gpus: Annotated[int, Field(ge=0)] = 0
    gpu_type: Name | None = None
    max_hours: PositiveFloat
    options: list[Option] = []


class Speed(StrictModel):
    """What one simulation reaches, in bead-steps per second; time limits are estimated from it."""

    # HOOMD-blue 4.8 with PPPM on one core; LAMMPS is three times as fast.
    cpu_core: PositiveFloat = 1.0e5
    gpu: PositiveFloat = 3.0e6


class Cluster(StrictModel):
    """A cluster file; docs/clusters.md says what each key means, and what follows without it."""

    hostname: Pattern | None = None
    partitions: dict[Name, Partition] = {}
    account: Name | None = None
    gpu_request: Literal['gpus', 'gres', 'gpus-per-node'] = 'gpus'
    simulations_per_gpu: PositiveInt = 1
    request_memory: bool = True
    stop_before_end: Annotated[int, Field(ge=10, le=3600)] = 120
    requeue: bool = False
    mpi_command: Program = 'mpiexec'
    options: list[Option] = []
    modules: list[ModuleName] = []
    prologue: list[ShellLine] = []
    speed: Speed = Speed()

    @model_validator(mode='after')
    def _leaves_time_to_work(self) -> Self:
        for name, partition in self.partitions.items():
            if self.stop_before_end > partition.max_hours * 3600 / 2:
                raise ValueError(
                    f'stop_before_end = {self.stop_before_end} leaves less than half of the '
                    f"{partition.max_hours:g} hours of partition '{name}' to work in"
                )
        return self

    def partition(self, name: str | None, for_gpus: bool) -> str | None:
        """Choose the partition `name`, or without one that of GPUs or CPUs; None for the default.

        UserError if there is no such partition.
        """
        if name is not None:
            if self.partitions and name not in self.partitions:
                nearest = nearest_name(name, self.partitions)
                raise UserError(f'--partition {name}: not in the cluster file. {nearest}')
            return name
        fitting = [key for key, each in self.partitions.items() if (each.gpus > 0) == for_gpus]
        if self.partitions and not fitting:
            if for_gpus:
                raise UserError('GPUs are asked for, but no partition in the cluster file has any.')
            return next(iter(self.partitions))
        return fitting[0] if fitting else None

    def known(self, partition: str | None) -> Partition | None:
        """Look up a partition; None for the default, or one that is not in the file."""
        return self.partitions.get(partition) if partition else None


def read_cluster(path: Path) -> Cluster:
    """Read and check a cluster file; UserError if anything in it is wrong."""
    return validate(Cluster, read_toml(path), str(path))


def find_cluster() -> tuple[Cluster, Path | None]:
    """Find the cluster that ISP_CLUSTER names, or whose login node this is, and its file.

    Files are looked for in the folder `clusters` of the project and of the installation. Without
    one, all is left to Slurm's own defaults.
    UserError if the named file does not exist, or a file that is read is wrong.
    """
    return _find(os.environ.get(CLUSTER_VARIABLE, ''), Path.cwd())


@functools.cache
def _find(named: str, folder: Path) -> tuple[Cluster, Path | None]:
    if named:
        path = _named_file(named, folder)
        return read_cluster(path), path
    for path in _cluster_files(folder):
        cluster = read_cluster(path)
        if cluster.hostname is not None and re.fullmatch(cluster.hostname, socket.getfqdn()):
            return cluster, path
    return Cluster(), None


def _named_file(named: str, folder: Path) -> Path:
    if named.endswith('.toml') or os.sep in named:
        return Path(named).absolute()
    files = {path.stem: path for path in reversed(list(_cluster_files(folder)))}
    if named not in files:
        raise UserError(
            f'{CLUSTER_VARIABLE}={named}: there is no {_FOLDER}/{named}.toml. '
            f'{nearest_name(named, files)}'.rstrip()
        )
    return files[named]


def _cluster_files(folder: Path) -> Iterator[Path]:
    """List those of the project that `folder` is in, then those of the installation."""
    roots = [each for each in (folder, *folder.parents) if (each / '.signac').is_dir()][:1]
    for place in dict.fromkeys([*(root / _FOLDER for root in roots or [folder]), _SHIPPED]):
        yield from sorted(place.glob('*.toml'))
