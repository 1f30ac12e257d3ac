"""The systems that are measured: relaxed melts, and liquids and crystals of ions alone."""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from gsd.hoomd import Frame
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from models.force_field import ForceField, force_field
from models.melt import build_melt
from models.model import load_model
from models.sequence import IdealSequence, PeriodicSequence
from workflow.electrostatics.mesh import CoulombMesh, ForceErrorRequest, MeshCosts, choose_mesh
from workflow.engines.contract import (
    ConstantEnergy,
    Engine,
    Integrator,
    Langevin,
    Simulation,
    State,
)
from workflow.engines.mpi import select_engine
from workflow.engines.settings import EngineChoice
from workflow.jobs.atomic_writes import renaming
from workflow.jobs.progress import ProgressWriter
from workflow.process import StopRequest
from workflow.stages.relax import relax, state_of, thermal_velocities
from workflow.stages.system import System, bonded_charges, check_box
from workflow.stages.trajectory_writer import frame_with_state, read_frame, write_frame
from workflow.sweep.state_point import StatePoint, as_plain_values

ROOT = Path(__file__).parents[1]
# Time step of all dynamics, unless a claim is about the time step.
TIME_STEP = 0.005
DENSITY = 0.85


@dataclass(frozen=True, eq=False)
class Sample:
    """A state with its interactions.

    Attributes:
        frame: Types, charges, bonds, angles, and where everything is.
        field: Interactions.
    """

    frame: Frame
    field: ForceField

    @property
    def state(self) -> State:
        """Where everything is, in double precision."""
        return state_of(self.frame)

    @property
    def charges(self) -> NDArray[np.float64]:
        """Shape (N,), in e."""
        return np.asarray(self.frame.particles.charge, dtype=float)

    @property
    def masses(self) -> NDArray[np.float64]:
        """Shape (N,)."""
        particles = self.frame.particles
        order = [self.field.bead_types.index(name) for name in particles.types]
        return np.asarray(self.field.masses[np.array(order)[particles.typeid]])

    def with_state(self, state: State) -> Sample:
        """The same system elsewhere."""
        return Sample(frame_with_state(self.frame, state), self.field)

    def at(self, positions: NDArray[np.float64], box: NDArray[np.float64] | None = None) -> Sample:
        """The same system with other positions, and another box if one is given."""
        state = self.state
        box = state.box if box is None else box
        wrapped = positions - box * np.round(positions / box)
        return self.with_state(replace(state, positions=wrapped, box=box))

    def mesh(self, error: float, room: float = 1.0) -> CoulombMesh | None:
        """The mesh for a relative RMS force error; None if nothing is charged.

        Args:
            error: What is requested.
            room: Part of the longest cut-off to use at most, for boxes that shrink.
        """
        if not (self.field.is_charged and self.charges.any()):
            return None
        state = self.state
        largest = room * check_box(state.box, self.field)
        request = ForceErrorRequest.of(
            state.positions,
            self.charges,
            state.box,
            self.field.bjerrum_length,
            error,
            largest,
            bonded_charges(self.frame, self.field),
        )
        return choose_mesh(request, MeshCosts())

    def simulation(
        self,
        engine: Engine,
        integrator: Integrator | None = None,
        mesh: CoulombMesh | None = None,
        seed: int = 1,
        log_period: int = 0,
    ) -> Simulation:
        """Set up in an engine; Newton's equations if no integrator is given."""
        moves = integrator or ConstantEnergy(TIME_STEP)
        return engine.simulation(self.frame, self.field, moves, mesh, seed, log_period)

    def evaluated(
        self, engine: str, mesh: CoulombMesh | None = None
    ) -> tuple[dict[str, float], NDArray[np.float64]]:
        """Energies by term, and forces, shape (N, 3)."""
        simulation = self.simulation(make_engine(engine), mesh=mesh)
        energies, forces = simulation.energies(), simulation.forces()
        simulation.close()
        return energies, forces

    def moved(
        self,
        engine: str,
        integrator: Integrator,
        steps: int,
        mesh: CoulombMesh | None = None,
        seed: int = 1,
    ) -> Sample:
        """The same system after some steps, at step 0."""
        simulation = self.simulation(make_engine(engine), integrator, mesh, seed)
        simulation.run(steps)
        state = simulation.state()
        simulation.close()
        return self.with_state(replace(state, step=0))

    def with_velocities(self, kT: float, seed: int) -> Sample:
        """The same system with thermal velocities and no net momentum."""
        velocities = thermal_velocities(self.masses, kT, np.random.default_rng(seed))
        return self.with_state(replace(self.state, velocities=velocities))


def make_engine(name: str) -> Engine:
    """The engine of this name, on one CPU core."""
    return select_engine(EngineChoice(name, 'cpu', 1))


def melt(
    model: str,
    composition: dict[str, float],
    chains: int,
    length: int,
    *,
    density: float = DENSITY,
    spacing: int | None = None,
    folder: Path | None = None,
    seed: int = 1,
    engine: str = 'lammps',
    **protocol: Any,
) -> Sample:
    """A relaxed melt; relaxed by LAMMPS unless told otherwise, so that all engines see the same.

    Args:
        model: Name of the model, or path of its file.
        composition: Monomer -> mole fraction.
        chains: Number of chains.
        length: Degree of polymerisation.
        density: Beads per sigma^3.
        spacing: If given, the rarest monomer comes at every such unit exactly.
        folder: Keeps it for later calls; a temporary folder of the user if left out.
        seed: Of the melt and its relaxation.
        engine: Relaxes it.
        protocol: Replaces the (short) segments of relaxation.
    """
    bjerrum = load_model(model).bjerrum_length
    sequence = PeriodicSequence(kind='periodic', spacing=spacing) if spacing else IdealSequence()
    values = {
        'model': model,
        'model_hash': 'validation',
        'composition': composition,
        'chains': chains,
        'degree_of_polymerisation': length,
        'kT': 1.0,
        'density': density,
        'sequence': sequence.model_dump(),
        'bjerrum_length': bjerrum,
        'replica': seed,
        'protocol': {
            'push_off': {'steps': 300},
            'anneal': {'kT': 1.2, 'steps': 500, 'cooling_steps': 500},
            'coulomb_error': 1e-2,
        }
        | protocol,
    }
    point = StatePoint.model_validate(values)
    topology = build_melt(
        load_model(model),
        composition=composition,
        chains=chains,
        degree_of_polymerisation=length,
        density=density,
        sequence=sequence,
        seed=seed,
    )
    field = force_field(load_model(model), bjerrum)
    folder = cache() if folder is None else folder
    key = _key(values, field)
    system = System(topology, field, make_engine(engine), 1e-2, as_plain_values(point))
    state = relaxed_once(system, point, folder / f'melt_{engine}_{key}.gsd')
    return Sample(frame_with_state(topology, state), field)


def relaxed_once(system: System, point: StatePoint, saved: Path) -> State:
    """A melt relaxed as that of a job; made once, and kept in a file."""
    if not saved.exists():
        with tempfile.TemporaryDirectory(prefix='isp-validation-') as scratch:
            folder, stop = Path(scratch), StopRequest()
            progress = ProgressWriter(folder, 'relax', 1)
            state = relax(folder / 'relax', system, point, system.topology, stop, progress)
        with renaming(saved) as temporary:  # another job may make it too
            write_frame(temporary, frame_with_state(system.topology, state))
    return state_of(read_frame(saved))


def side_by_side(sample: Sample, along: tuple[int, int, int]) -> Sample:
    """So many copies of the sample along each axis, with chains whole."""
    state, old, frame = sample.state, sample.frame, Frame()
    box, times = state.box * along, math.prod(along)
    frame.configuration.step = 0
    frame.configuration.box = [*box, 0, 0, 0]
    number = len(state.positions)
    frame.particles.N = number * times
    frame.particles.types = old.particles.types
    for name in ('typeid', 'charge', 'mass'):
        setattr(frame.particles, name, np.tile(getattr(old.particles, name), times))
    for name in ('bonds', 'angles'):
        mine, theirs = getattr(frame, name), getattr(old, name)
        if not theirs.N:
            continue
        mine.N, mine.types = theirs.N * times, theirs.types
        mine.typeid = np.tile(theirs.typeid, times)
        mine.group = np.concatenate([theirs.group + copy * number for copy in range(times)])
    places = np.indices(along).reshape(3, -1).T[:, None]
    whole = state.positions + state.images * state.box
    positions = (whole + places * state.box).reshape(-1, 3)
    images = np.round(positions / box).astype(np.int32)
    frame.particles.position, frame.particles.image = positions - images * box, images
    frame.particles.velocity = np.tile(state.velocities, (times, 1))
    return Sample(frame, sample.field)


def cache() -> Path:
    """Where relaxed melts are kept from one run to the next; safe to delete."""
    folder = Path(tempfile.gettempdir()) / f'isp-cgmd-validation-{os.getuid()}'
    folder.mkdir(exist_ok=True)
    return folder


def _key(*values: Any) -> str:
    """Names a cached file after what it was made from, the code that made it included."""
    return hashlib.sha256(repr((values, _sources())).encode()).hexdigest()[:16]


@functools.cache
def _sources() -> str:
    """Hash of all that takes part in relaxing a melt."""
    files = [ROOT / 'validation' / 'systems.py', ROOT / 'user_input.py']
    for folder in ('models', 'workflow'):
        files += [path for path in (ROOT / folder).rglob('*') if path.suffix in ('.py', '.toml')]
    found = hashlib.sha256()
    for path in sorted(files):
        found.update(str(path.relative_to(ROOT)).encode() + b'\0' + path.read_bytes() + b'\0')
    return found.hexdigest()


def bare_charges(bjerrum_length: float) -> ForceField:
    """A cation and an anion with no interaction but Coulomb."""
    nothing = np.zeros((2, 2))
    return ForceField(
        bead_types=('+', '-'),
        masses=np.ones(2),
        charges=np.array([1.0, -1.0]),
        sigma=np.ones(2),
        pair_epsilon=nothing,
        pair_sigma=np.ones((2, 2)),
        pair_cutoff=nothing,
        bonds={},
        angles={},
        bjerrum_length=bjerrum_length,
    )


def ions_at(
    positions: NDArray[np.float64],
    is_cation: NDArray[np.bool_],
    edge: float,
    field: ForceField,
) -> Sample:
    """Ions in a cubic box; the field's first type is the cation."""
    frame = Frame()
    frame.configuration.step = 0
    frame.configuration.box = [edge, edge, edge, 0, 0, 0]
    frame.particles.N = len(positions)
    frame.particles.types = list(field.bead_types)
    frame.particles.typeid = np.where(is_cation, 0, 1).astype(np.uint32)
    frame.particles.charge = field.charges[frame.particles.typeid]
    frame.particles.mass = field.masses[frame.particles.typeid]
    wrapped = positions - edge * np.round(positions / edge)
    frame.particles.position = wrapped
    frame.particles.image = np.zeros((len(positions), 3), dtype=np.int32)
    frame.particles.velocity = np.zeros((len(positions), 3))
    return Sample(frame, field)


def random_ions(number: int, density: float, bjerrum_length: float, seed: int) -> Sample:
    """Ions anywhere, but none within 0.5 sigma of another: the touch of the smallest ions here."""
    rng = np.random.default_rng(seed)
    edge = (number / density) ** (1 / 3)
    positions = rng.uniform(0, edge, (number, 3))
    while True:
        pairs = cKDTree(positions, boxsize=edge).query_pairs(0.5, output_type='ndarray')
        if not len(pairs):
            break
        again = np.unique(pairs[:, 1])
        positions[again] = rng.uniform(0, edge, (len(again), 3))
    is_cation = rng.permutation(np.arange(number) % 2 == 0)
    return ions_at(positions, is_cation, edge, bare_charges(bjerrum_length))


def ion_liquid(
    number: int, density: float, bjerrum_length: float, steps: int, seed: int = 1
) -> Sample:
    """An equilibrating liquid of the ions of the isp model, WCA and Coulomb, kT = 1."""
    start = random_ions(number, density, bjerrum_length, seed)
    table = force_field(load_model('isp'), bjerrum_length)
    types = [table.bead_types.index(name) for name in ('Li', 'S')]
    square = np.ix_(types, types)
    sigma = table.pair_sigma[square]
    field = replace(
        bare_charges(bjerrum_length),
        pair_epsilon=np.ones((2, 2)),
        pair_sigma=sigma,
        pair_cutoff=2 ** (1 / 6) * sigma,
    )
    key = _key(number, density, bjerrum_length, steps, seed, field)
    saved = cache() / f'ions_{key}.gsd'
    topology = Sample(start.frame, field)
    if not saved.exists():
        sample = topology.with_velocities(1.0, seed)
        # Overlaps come apart in short, damped steps.
        for dt, friction, part in ((2e-5, 50.0, 300), (2e-4, 50.0, 300), (TIME_STEP, 1.0, steps)):
            moves = Langevin(dt, 1.0, friction)
            sample = sample.moved('lammps', moves, part, sample.mesh(1e-2), seed)
        with renaming(saved) as temporary:
            write_frame(temporary, sample.frame)
    return topology.with_state(state_of(read_frame(saved)))


def crystal(name: str, cells: int) -> tuple[Sample, float]:
    """A cubic ionic crystal of `cells`^3 unit cells, l_B 1; and its nearest-neighbour distance."""
    face_centred = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    bases = {
        'NaCl': (face_centred, np.array([0.5, 0, 0]), 0.5),
        'CsCl': (np.zeros((1, 3)), np.full(3, 0.5), np.sqrt(3) / 2),
        'zincblende': (face_centred, np.full(3, 0.25), np.sqrt(3) / 4),
    }
    basis, shift, nearest = bases[name]
    unit = 2.0
    corners = np.array(list(itertools.product(range(cells), repeat=3)), dtype=float)
    cations = (corners[:, None] + basis).reshape(-1, 3)
    positions = unit * np.concatenate([cations, cations + shift])
    is_cation = np.arange(len(positions)) < len(cations)
    field = bare_charges(1.0)
    # A small shift, so that no ion sits on a mesh point, where errors would cancel.
    return ions_at(positions + 0.123, is_cation, unit * cells, field), unit * float(nearest)
