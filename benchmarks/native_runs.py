"""Runs without the project around them: the same system, moved and logged by the engine alone.

The system is set up by the engine module, so that forces, mesh, neighbour list and random numbers
are those of the stage it is compared with; from there on only the engine's own commands are used.
That takes what the engine module keeps to itself: its private names are used here and nowhere
else.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.force_field import ForceField
from workflow.engines.contract import Simulation

_LAMMPS_QUANTITIES = 'step vol ke pe pxx pxy pxz pyy pyz pzz'
_HOOMD_QUANTITIES = ('volume', 'kinetic_energy', 'potential_energy', 'pressure_tensor')


class LammpsRun:
    """Plain commands to LAMMPS."""

    def __init__(self, simulation: Any) -> None:
        self._command = simulation._lammps.command

    def log(self, path: Path, period: int) -> None:
        """`thermo` output into a log file."""
        self._command(f'log {path}')
        self._command(f'thermo_style custom {_LAMMPS_QUANTITIES}')
        self._command('thermo_modify norm no format float %.17g')
        self._command(f'thermo {period}')
        self._command('run 0 post no')

    def run(self, steps: int) -> None:
        """One `run`; the system has been set up before."""
        self._command(f'run {steps} pre no post no')


class HoomdRun:
    """Plain calls to HOOMD-blue."""

    def __init__(self, simulation: Any) -> None:
        self._simulation, self._thermo = simulation._simulation, simulation._thermo

    def log(self, path: Path, period: int) -> None:
        """An `HDF5Log` writer."""
        import hoomd

        logger = hoomd.logging.Logger(categories=['scalar', 'sequence'])
        logger.add(self._thermo, quantities=list(_HOOMD_QUANTITIES))
        trigger = hoomd.trigger.Periodic(period)
        self._simulation.operations.writers.append(
            hoomd.write.HDF5Log(trigger, str(path), logger, mode='w')
        )
        self._simulation.run(0)

    def run(self, steps: int) -> None:
        """One `run`."""
        self._simulation.run(steps)


def native_run(engine_name: str, simulation: Simulation) -> LammpsRun | HoomdRun:
    """The native way to advance a simulation of the engine module."""
    return LammpsRun(simulation) if engine_name == 'lammps' else HoomdRun(simulation)


def leave_out_charges(engine_name: str, simulation: Any) -> None:
    """Have a simulation of the engine module log what it did before currents and displacements."""
    if engine_name == 'lammps':
        simulation._kinds = simulation._kinds[:0]
        for command in ('unfix log', *simulation._log_commands()[2:], 'run 0 post no'):
            simulation._lammps.command(command)
    else:
        simulation._log._ions = simulation._log._ions[:0]


def sum_in_one_style(
    simulation: Any, force_field: ForceField, cutoff: float, kspace: Sequence[str]
) -> None:
    """Have LAMMPS sum Lennard-Jones and Coulomb forces of all beads at once, as most decks do.

    `kspace` is the commands of the mesh; the cut-off is that of the Coulomb forces.
    """
    assert not force_field.extra_pairs
    commands = [f'pair_style lj/cut/coul/long 2.5 {cutoff:.17g}', 'pair_modify shift yes']
    for i, j in force_field.type_pairs():
        sigma, reach = force_field.pair_sigma[i, j], force_field.pair_cutoff[i, j]
        epsilon = force_field.pair_epsilon[i, j] if reach > 0 else 0.0
        commands.append(f'pair_coeff {i + 1} {j + 1} {epsilon} {sigma} {reach or sigma}')
    for command in (*commands, *kspace, 'run 0 post no'):
        simulation._lammps.command(command)
