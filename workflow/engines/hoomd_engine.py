"""HOOMD-blue as an engine, from 4.8 on: on a CPU or a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, assert_never

import hoomd
import hoomd.custom
import hoomd.md
import numpy as np
from gsd.hoomd import Frame
from numpy.typing import NDArray

from models.force_field import ForceField
from user_input import UserError
from workflow.electrostatics.mesh import MESH_SIZES, CoulombMesh, MeshCosts
from workflow.engines import contract
from workflow.engines.errors import engine_error
from workflow.engines.hoomd_forces import leave_out_neutral_pairs, make_forces, mesh_of_ions


class HoomdEngine:
    """Runs HOOMD-blue within this process, on 'cpu', 'gpu' or 'auto': a GPU where there is one.

    UserError if a GPU is asked for and HOOMD sees none, or this HOOMD loses trajectories.
    """

    name = 'hoomd'

    def __init__(self, device: str) -> None:
        if hoomd.version.version == '6.1.0':
            raise UserError('HOOMD-blue 6.1.0 can lose trajectories: install 6.1.1 or newer.')
        gpu = hoomd.device.GPU.is_available()
        if device == 'gpu' and not gpu:
            reason = '; '.join(hoomd.device.GPU.get_unavailable_device_reasons())
            raise UserError(
                f'a GPU was asked for, but HOOMD-blue {hoomd.version.version} sees none '
                f'({reason or "built without GPU support"}): use --device cpu.'
            )
        use_gpu = gpu if device == 'auto' else device == 'gpu'
        self._device = hoomd.device.GPU() if use_gpu else hoomd.device.CPU()
        # Level 1 warns of every PPPM error; here the error is chosen, relative to the forces.
        self._device.notice_level = 0
        # The transform of a CPU is slower with 18 points than with 20, and with 27 than with 25.
        sizes = tuple(n for n in MESH_SIZES if n % 9)
        # Of one CPU core, HOOMD-blue 4.8. The ions have a list of their own.
        self.mesh_costs = MeshCosts(sizes, pair=66, neighbour=0, transform=0.73, assignment=4.9)
        self.skin = 0.4

    def describe(self) -> dict[str, Any]:
        """Describe engine, version, device and precision."""
        return {
            'engine': self.name,
            'version': hoomd.version.version,
            'device': 'gpu' if isinstance(self._device, hoomd.device.GPU) else 'cpu',
            'device_name': self._device.device,
            'ranks': self._device.communicator.num_ranks,
            'precision': list(hoomd.version.floating_point_precision),
        }

    def simulation(self, *setup: Any, **more: Any) -> contract.Simulation:
        """See `contract.Engine.simulation`."""
        return _HoomdSimulation(self._device, *setup, **more)


class _HoomdSimulation:
    def __init__(
        self,
        device: hoomd.device.Device,
        frame: Frame,
        force_field: ForceField,
        integrator: contract.Integrator,
        mesh: CoulombMesh | None,
        seed: int,
        log_period: int,
        skin: float = contract.LEAST_SKIN,
    ) -> None:
        contract.check_orthorhombic(frame)
        # HOOMD takes 16 bits of seed.
        self._simulation = hoomd.Simulation(device, seed=seed & 0xFFFF)
        self._simulation.timestep = int(frame.configuration.step)
        with _translate_errors():
            self._simulation.create_state_from_snapshot(_snapshot(device, frame, force_field))
        on_cpu = isinstance(device, hoomd.device.CPU)
        self._terms = make_forces(force_field, frame, integrator, mesh, skin, on_cpu)
        self._simulation.operations.integrator = hoomd.md.Integrator(
            dt=integrator.time_step,
            methods=[_method(integrator, force_field)],
            forces=[force for forces in self._terms.values() for force in forces],
        )
        self._thermo = hoomd.md.compute.ThermodynamicQuantities(hoomd.filter.All())
        self._simulation.operations.computes.append(self._thermo)
        self._log = _ThermoLog(self._thermo, frame)
        if log_period:
            self._simulation.operations.writers.append(
                hoomd.write.CustomWriter(hoomd.trigger.Periodic(log_period), self._log)
            )
        with mesh_of_ions(force_field):
            self.run(0)
        if mesh is not None:
            leave_out_neutral_pairs(self._terms['coulomb'][0], force_field)
        self.mesh = mesh and self._as_it_is(mesh)

    def _as_it_is(self, mesh: CoulombMesh) -> CoulombMesh:
        """Read the mesh back: HOOMD chooses the splitting when the forces are attached."""
        real, reciprocal = self._terms['coulomb']
        name = self._simulation.state.particle_types[0]
        return replace(
            mesh,
            resolution=int(reciprocal.resolution[0]),
            order=int(reciprocal.order),
            cutoff=float(reciprocal.r_cut),
            splitting=float(real.params[name, name]['kappa']),
        )

    @property
    def step(self) -> int:
        return int(self._simulation.timestep) if self._simulation else self._last_step

    def run(self, steps: int) -> None:
        with _translate_errors():
            self._simulation.run(steps)

    def state(self) -> contract.State:
        snapshot = self._simulation.state.get_snapshot()
        particles = snapshot.particles
        return contract.State(
            self.step,
            np.array(snapshot.configuration.box[:3], dtype=float),
            np.array(particles.position, dtype=float),
            np.array(particles.image, dtype=np.int32),
            np.array(particles.velocity, dtype=float),
        )

    def forces(self) -> NDArray[np.float64]:
        return np.asarray(
            sum(np.array(force.forces) for forces in self._terms.values() for force in forces)
        )

    def energies(self) -> dict[str, float]:
        return {
            term: float(sum(force.energy for force in self._terms.get(term, [])))
            for term in contract.ENERGY_TERMS
        }

    def take_thermo_rows(self) -> NDArray[np.float64]:
        return self._log.take()

    def close(self) -> None:
        if self._simulation is None:
            return
        self._last_step = self.step
        self._simulation.operations.writers.clear()
        self._simulation = None


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Raise what HOOMD-blue raises as what it means for the job."""
    try:
        yield
    except RuntimeError as error:
        raise engine_error('HOOMD-blue', error) from None


class _ThermoLog(hoomd.custom.Action):
    """Keeps one row of THERMO_COLUMNS each time it is triggered.

    What is summed over ions is summed on the CPU: a GPU copies its particles for it.
    """

    flags = [hoomd.custom.Action.Flags.PRESSURE_TENSOR]

    def __init__(self, thermo: hoomd.md.compute.ThermodynamicQuantities, frame: Frame) -> None:
        super().__init__()
        self._thermo = thermo
        charges = np.asarray(frame.particles.charge, dtype=float)
        self._ions = np.flatnonzero(charges)
        self._charges = charges[self._ions]
        self._shares = np.maximum([self._charges, -self._charges], 0)
        # In a box that changes displacements are not asked for: to read it takes longer than sums.
        self._edges = np.asarray(frame.configuration.box[:3], dtype=float)
        self._rows: list[tuple[float, ...]] = []

    def attach(self, simulation: hoomd.Simulation) -> None:
        super().attach(simulation)
        # Kept, since to make it takes longer than the sums.
        self._local = simulation.state.cpu_local_snapshot

    def detach(self) -> None:
        super().detach()
        self._local = None

    def act(self, timestep: int) -> None:
        thermo = self._thermo
        self._rows.append(
            (
                timestep,
                thermo.volume,
                thermo.kinetic_energy,
                thermo.potential_energy,
                *thermo.pressure_tensor,
                *self._sums_over_charges(),
            )
        )

    def _sums_over_charges(self) -> NDArray[np.float64]:
        """Sum up the current and both displacements, ``(9,)``."""
        if not len(self._ions):
            return np.zeros(9)
        with self._local as snapshot:
            local = snapshot.particles
            # HOOMD keeps beads in an order of its own.
            ions = local.rtag[self._ions]
            velocities = local.velocity[ions]
            unwrapped = local.position[ions] + local.image[ions] * self._edges
        return np.concatenate([self._charges @ velocities, (self._shares @ unwrapped).ravel()])

    def take(self) -> NDArray[np.float64]:
        rows = np.array(self._rows, dtype=float).reshape(-1, len(contract.THERMO_COLUMNS))
        self._rows = []
        return rows


def _snapshot(device: hoomd.device.Device, frame: Frame, force_field: ForceField) -> hoomd.Snapshot:
    snapshot = hoomd.Snapshot(device.communicator)
    snapshot.configuration.box = frame.configuration.box
    source, particles = frame.particles, snapshot.particles
    particles.N, particles.types = source.N, list(source.types)
    particles.typeid[:] = source.typeid
    particles.position[:] = source.position
    particles.mass[:] = force_field.masses_of(source)
    particles.image[:] = source.image
    if source.velocity is not None:
        particles.velocity[:] = source.velocity
    # HOOMD's unit of charge holds 1 / (4 pi epsilon_0): a unit charge is sqrt(l_B).
    particles.charge[:] = np.asarray(source.charge) * np.sqrt(force_field.bjerrum_length)
    for name in ('bonds', 'angles'):
        group = getattr(frame, name)
        if group.N:
            target = getattr(snapshot, name)
            target.N, target.types = group.N, list(group.types)
            target.typeid[:] = group.typeid
            target.group[:] = group.group
    return snapshot


def _method(integrator: contract.Integrator, force_field: ForceField) -> hoomd.md.methods.Method:
    everything, methods = hoomd.filter.All(), hoomd.md.methods
    match integrator:
        case (
            contract.SoftPushOff(kT=kT, friction=friction)
            | contract.Langevin(kT=kT, friction=friction)
        ):
            langevin = methods.Langevin(everything, kT=_temperature(kT))
            for name, mass in zip(force_field.bead_types, force_field.masses, strict=True):
                langevin.gamma[name] = friction * mass
            return langevin
        case contract.ConstantVolume(kT=kT, thermostat_time=tau):
            return methods.ConstantVolume(
                everything, methods.thermostats.Bussi(_temperature(kT), tau)
            )
        case contract.ConstantPressure(
            kT=kT, thermostat_time=tau, pressure=pressure, barostat_time=tau_p
        ):
            return methods.ConstantPressure(
                everything,
                S=pressure,
                tauS=tau_p,
                couple='xyz',
                thermostat=methods.thermostats.Bussi(_temperature(kT), tau),
            )
        case contract.ConstantEnergy():
            return methods.ConstantVolume(everything, thermostat=None)
        case _:
            assert_never(integrator)


def _temperature(kT: float | contract.Ramp) -> float | hoomd.variant.Ramp:
    if isinstance(kT, contract.Ramp):
        return hoomd.variant.Ramp(kT.start, kT.end, t_start=0, t_ramp=kT.steps)
    return kT
