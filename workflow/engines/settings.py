"""Which engine runs, on which device, over how many threads and MPI ranks.

The choice is never part of a state point; it comes from the environment, where the command line
puts it, so that every process of a submission sees the same. Light to import.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from user_input import UserError, nearest_name

ENGINES = ('auto', 'hoomd', 'lammps')
DEVICES = ('auto', 'cpu', 'gpu')

# By option of the command line.
VARIABLES = {
    'engine': 'ISP_ENGINE',
    'device': 'ISP_DEVICE',
    'ranks': 'ISP_RANKS',
    'threads': 'ISP_THREADS',
}
TUNING_CACHE_VARIABLE = 'ISP_TUNING_CACHE'

_RANK_COUNT_VARIABLES = ('OMPI_COMM_WORLD_SIZE', 'PMI_SIZE', 'PMIX_SIZE', 'SLURM_STEP_NUM_TASKS')


@dataclass(frozen=True)
class EngineChoice:
    """What the user asked for: `threads` are those of each of `ranks` MPI ranks."""

    engine: str = 'auto'
    device: str = 'auto'
    threads: int = 1
    ranks: int = 1

    @property
    def cores(self) -> int:
        """Cores of one simulation."""
        return self.ranks * self.threads

    @property
    def gpus(self) -> int:
        """GPUs of one simulation, one for each rank; only `gpu` asks the scheduler for one."""
        return self.ranks if self.device == 'gpu' else 0


def choice_from_environment() -> EngineChoice:
    """Read the choice from the variables ISP_*; UserError if a value is not known."""
    return EngineChoice(
        _known('engine', ENGINES),
        _known('device', DEVICES),
        _number('threads'),
        asked_ranks(),
    )


def asked_ranks() -> int:
    """Read the MPI ranks of each simulation: ISP_RANKS, else 1; UserError if it is no number."""
    return _number('ranks')


def started_ranks() -> int:
    """Read how many ranks the launcher says it started; 1 without a launcher."""
    for variable in _RANK_COUNT_VARIABLES:
        value = os.environ.get(variable, '')
        if re.fullmatch(r'[0-9]{1,9}', value):
            return int(value)
    return 1


def _number(option: str) -> int:
    variable = VARIABLES[option]
    value = os.environ.get(variable, '1')
    if not re.fullmatch(r'[0-9]{1,6}', value) or int(value) < 1:
        raise UserError(f'{variable}={value}: give a whole number from 1 up.')
    return int(value)


def _known(option: str, known: tuple[str, ...]) -> str:
    variable = VARIABLES[option]
    value = os.environ.get(variable, 'auto')
    if value not in known:
        raise UserError(f'{variable}={value}: not known. {nearest_name(value, known)}')
    return value
