"""What an engine takes and gives. Nothing above this module knows which engine runs.

An engine is handed a gsd Frame, a ForceField, an integrator, and a Coulomb mesh; it returns a
`Simulation`, which advances and hands out its state and its thermodynamic log. It writes no files
that last: the stage runner does, once for all engines.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from user_input import UserError

if TYPE_CHECKING:  # light to import: `project.py status` reads the table of stages
    from gsd.hoomd import Frame

    from models.force_field import ForceField
    from workflow.electrostatics.mesh import CoulombMesh, MeshCosts

# Least skin of the neighbour list in sigma; the same in both engines, so that a box which is large
# enough for one is large enough for the other.
LEAST_SKIN = 0.4

THERMO_COLUMNS = (
    'step',
    'volume',
    'kinetic_energy',
    'potential_energy',
    *(f'pressure_{ij}' for ij in ('xx', 'xy', 'xz', 'yy', 'yz', 'zz')),
    *(f'current_{i}' for i in 'xyz'),
    *(f'cation_displacement_{i}' for i in 'xyz'),
    *(f'anion_displacement_{i}' for i in 'xyz'),
)
CURRENT, DISPLACEMENTS = slice(10, 13), slice(13, 19)

ENERGY_TERMS = ('pair', 'bond', 'angle', 'coulomb')


@dataclass(frozen=True)
class Ramp:
    """A kT in epsilon that changes linearly from step 0 on; no run goes beyond its end."""

    start: float
    end: float
    steps: int


@dataclass(frozen=True)
class SoftPushOff:
    """Langevin dynamics in which a soft Gaussian repulsion replaces the pair forces.

    U(r) = height exp(-r^2 / (2 width^2)), width = WIDTH sigma_ij, cut at CUTOFF sigma_ij. Bonds
    and angles act in full; charges do not.
    """

    WIDTH = 0.4
    CUTOFF = 1.3

    time_step: float
    kT: float
    friction: float
    height: float


@dataclass(frozen=True)
class Langevin:
    """Constant volume; every bead has its own friction and noise."""

    time_step: float
    kT: float | Ramp
    friction: float


@dataclass(frozen=True)
class ConstantVolume:
    """Constant volume with the stochastic velocity rescaling of Bussi et al. (2007)."""

    time_step: float
    kT: float | Ramp
    thermostat_time: float


@dataclass(frozen=True)
class ConstantPressure:
    """Isotropic Martyna-Tobias-Klein barostat with stochastic velocity rescaling."""

    time_step: float
    kT: float | Ramp
    thermostat_time: float
    pressure: float
    barostat_time: float


@dataclass(frozen=True)
class ConstantEnergy:
    """Newton's equations alone: used to measure energy drift."""

    time_step: float


Integrator = SoftPushOff | Langevin | ConstantVolume | ConstantPressure | ConstantEnergy


def highest_temperature(integrator: Integrator) -> float:
    """Find the highest kT of an integrator's bath, in epsilon; 0 without any."""
    kT = getattr(integrator, 'kT', 0.0)
    return max(kT.start, kT.end) if isinstance(kT, Ramp) else float(kT)


def in_shorter_steps(integrator: Integrator, shortened_by: int) -> Integrator:
    """Keep the motion, each step cut into so many shorter ones."""
    changes: dict[str, Any] = {'time_step': integrator.time_step / shortened_by}
    kT = getattr(integrator, 'kT', None)
    if isinstance(kT, Ramp):
        changes['kT'] = replace(kT, steps=kT.steps * shortened_by)
    return replace(integrator, **changes)


@dataclass(frozen=True)
class State:
    """All that moves, in double precision.

    Attributes:
        box: ``(3,)`` edge lengths of the box, which is centred on the origin.
        positions: ``(N, 3)``, inside the box.
        images: ``(N, 3)`` box crossings, so that ``positions + images * box`` is continuous.
        velocities: ``(N, 3)``.
    """

    step: int
    box: NDArray[np.float64]
    positions: NDArray[np.float64]
    images: NDArray[np.int32]
    velocities: NDArray[np.float64]


class Simulation(Protocol):
    """A system that one integrator moves forward. Close it to free the engine."""

    @property
    def step(self) -> int:
        """The present time step."""

    def run(self, steps: int) -> None:
        """Advance by `steps`.

        Raises:
            SimulationFailed: If the engine gives up; `BlewUp` where the motion became unstable: a
                bond too long, particles lost, NaN.
            UserError: If the disk, the memory or the installation is at fault.
        """

    def state(self) -> State:
        """Return the present state; what is not a number in it is for the caller to find."""

    def take_thermo_rows(self) -> NDArray[np.float64]:
        """Return the ``(n, len(THERMO_COLUMNS))`` rows logged since the last call, by step.

        The current is sum q v in e sigma/tau. A displacement is that from the origin, which the
        stage runner makes one from the start: the sum of |q| times the unwrapped position, in
        e sigma, over the beads of positive charge (cation) or of negative charge (anion). In a box
        that changes it has no meaning.
        """

    @property
    def mesh(self) -> CoulombMesh | None:
        """The mesh as the engine has it; None without Coulomb forces."""

    def energies(self) -> dict[str, float]:
        """Compute the potential energy of each of ENERGY_TERMS at this step, in epsilon."""

    def forces(self) -> NDArray[np.float64]:
        """Return the ``(N, 3)`` total forces at the present step."""

    def close(self) -> None:
        """Free the engine; `step` stays. Closing again does nothing."""


def check_orthorhombic(frame: Frame) -> None:
    """Refuse a tilted box with a UserError: one engine would drop the tilt without a word."""
    if np.any(np.asarray(frame.configuration.box)[3:] != 0):
        raise UserError('the box is triclinic: only orthorhombic boxes can be simulated.')


class Engine(Protocol):
    """Makes simulations."""

    name: str

    @property
    def mesh_costs(self) -> MeshCosts:
        """The Coulomb meshes that it takes, and about what each costs."""

    @property
    def skin(self) -> float:
        """Skin of the neighbour list, in sigma, that suits most systems."""

    def describe(self) -> dict[str, Any]:
        """Describe engine, version, device and threads for the job document."""

    def simulation(
        self,
        frame: Frame,
        force_field: ForceField,
        integrator: Integrator,
        mesh: CoulombMesh | None,
        seed: int,
        log_period: int,
        skin: float = LEAST_SKIN,
    ) -> Simulation:
        """Set up `frame`, at its own step, under `force_field` and `integrator`.

        Charges are in e; without any there is no `mesh`. Thermo rows are taken at the multiples of
        `log_period`, 0 for none. The `skin` of the neighbour list, in sigma, changes speed alone.
        """
