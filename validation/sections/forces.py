"""Energies, forces and pressures of both engines against plain sums and against calculus.

Short-ranged terms are compared with sums over all pairs in double precision
(`validation/sections/reference_forces.py`), Coulomb with `workflow/electrostatics/ewald.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from user_input import UserError
from validation.claim import Row, judged, worst
from validation.job import Job
from validation.sections.reference_forces import ReferenceSum, central_difference, relative_rms
from validation.systems import Sample, bare_charges, crystal, ions_at, make_engine, melt
from workflow.electrostatics.ewald import ewald_sum, pair_sum
from workflow.electrostatics.mesh import CoulombMesh
from workflow.engines.contract import ConstantEnergy
from workflow.stages.system import bonded_charges

TITLE = 'Forces and energies'

MODELS = Path(__file__).parents[1] / 'data' / 'models'
# A build of HOOMD-blue in mixed precision is good to this; one in double precision to 1e-14.
SINGLE = 1e-6
SINGLE_REASON = '1e-6: HOOMD-blue may be built with pairs in single precision'
# Steps of the differences. Pair forces jump at their cut-off, and each jump that a step crosses
# is an error that shrinks with the step; a mesh in single precision needs the longer one.
SHORT_STEP, LONG_STEP = 1e-6, 1e-3

# Name -> model, composition, chains of 10 units: three sizes of box for each model.
MELTS: dict[str, tuple[str, dict[str, float], tuple[int, int, int]]] = {
    'isp, LSP 0': ('isp', {'DOPA': 1.0}, (10, 18, 30)),
    'isp, LSP 1/2': ('isp', {'LSP': 0.5, 'DOPA': 0.5}, (8, 16, 30)),
    'isp, LSP 1': ('isp', {'LSP': 1.0}, (8, 14, 25)),
    'kremer_grest': ('kremer_grest', {'M': 1.0}, (20, 45, 100)),
    'kremer_grest_bending': ('kremer_grest_bending', {'M': 1.0}, (20, 45, 100)),
    'neutral_control': ('neutral_control', {'N': 1.0}, (24, 50, 100)),
    'pendant': ('pendant', {'N': 0.8, 'I': 0.2}, (10, 20, 40)),
    'ionene': ('ionene', {'N': 0.8, 'I': 0.2}, (10, 20, 40)),
    'salt_doped': ('salt_doped', {'M': 1.0}, (150, 200, 250)),
    'harmonic angles and bonds': (str(MODELS / 'harmonic_angle.toml'), {'M': 1.0}, (20, 35, 60)),
    'cosine-squared angles': (str(MODELS / 'cosine_angle.toml'), {'M': 1.0}, (20, 35, 60)),
    'every term': (str(MODELS / 'every_term.toml'), {'M': 0.5, 'X': 0.5}, (10, 20, 40)),
    'published terms': (
        str(MODELS / 'published_terms.toml'),
        {'M': 0.5, 'C': 0.25, 'Z': 0.25},
        (16, 24, 40),
    ),
}

MADELUNG = {'NaCl': 1.747565, 'CsCl': 1.762675, 'zincblende': 1.638055}


def jobs() -> Iterator[Job]:
    """All jobs of this section."""
    for name in MELTS:
        yield Job(f'sums: {name}', partial(against_sums, name))
    for name in (
        'isp, LSP 1/2',
        'neutral_control',
        'harmonic angles and bonds',
        'every term',
        'published terms',
    ):
        yield Job(f'calculus: {name}', partial(against_calculus, name))
    yield Job('madelung', madelung)
    yield Job('ion pair', ion_pair)
    yield Job('triclinic', triclinic)


def sample_of(name: str, size: int) -> Sample:
    """The relaxed melt, shaken so that no bead is where it was."""
    model, composition, chains = MELTS[name]
    start = melt(model, composition, chains[size], 10)
    state = start.state
    shake = np.random.default_rng(4).uniform(-0.02, 0.02, state.positions.shape)
    # Both engines and the sums must read the same numbers: what single precision can hold.
    return start.at((state.positions + shake).astype(np.float32).astype(float))


def against_sums(name: str, engine: str) -> Iterator[Row]:
    """Energies by term and forces, short-ranged; and Coulomb where there are ions."""
    for size in range(len(MELTS[name][2])):
        sample = sample_of(name, size)
        edge = sample.state.box[0]
        case = f'{name}, {sample.frame.particles.N} beads, edge {edge:.1f}'
        expected = ReferenceSum(sample.frame, sample.field)
        energies, forces = sample.evaluated(engine)
        scale = sum(abs(value) for value in expected.energies.values())
        error = worst(abs(energies[term] - value) for term, value in expected.energies.items())
        off = relative_rms(forces, expected.forces)
        yield judged(
            f'pair, bond and angle energies; forces: {case}',
            engine,
            'sums over all pairs in double precision',
            f'energies {error / scale:.0e}, forces {off:.0e} (relative)',
            SINGLE_REASON,
            holds=error / scale < SINGLE and off < SINGLE,
        )
        mesh = sample.mesh(1e-4)
        if mesh is None:
            continue
        state = sample.state
        place = (state.positions, sample.charges, state.box, sample.field.bjerrum_length)
        energy, coulomb = ewald_sum(*place)
        if (excluded := bonded_charges(sample.frame, sample.field)) is not None:
            of_bonded = pair_sum(*place, excluded)
            energy, coulomb = energy - of_bonded[0], coulomb - of_bonded[1]
        measured, total = sample.evaluated(engine, mesh)
        ions = sample.charges != 0
        off = relative_rms((total - forces)[ions], coulomb[ions])
        relative = abs(measured['coulomb'] - energy) / abs(energy)
        yield judged(
            f'Coulomb energy and forces, 1e-4 requested: {case}',
            engine,
            'direct Ewald sum',
            f'energy {relative:.0e}, forces {off:.1e} (relative)',
            '1e-4: what was requested',
            holds=off < 1e-4 and relative < 1e-4,
        )


def against_calculus(name: str, engine: str) -> Iterator[Row]:
    """Forces against differences of the energy, pressure against its volume derivative."""
    sample = sample_of(name, 0)
    mesh = sample.mesh(1e-4)
    kinds: list[tuple[str, CoulombMesh | None, float, str]] = [
        ('without Coulomb', None, 1e-5, '1e-5: pair forces jump at their cut-off')
    ]
    if mesh is not None:
        reason = '1e-3: the mesh force is not the gradient of the mesh energy; 1e-4 was requested'
        kinds.append(('with Coulomb', mesh, 1e-3, reason))
    for label, used, tolerance, reason in kinds:
        largest = worst(directional_error(sample, engine, used, seed) for seed in range(4))
        yield judged(
            f'force along a random direction of all beads, {label}: {name}',
            engine,
            '-dU/ds by differences of fourth order',
            f'{largest:.0e} (relative, the worst of 4 directions)',
            reason,
            holds=largest < tolerance,
        )
        pressure, derivative, scale = pressure_and_derivative(sample, engine, used)
        error = abs(pressure - derivative) / scale
        yield judged(
            f'pressure without motion, {label}: {name}',
            engine,
            f'-dU/dV by differences: {derivative:.5f}',
            f'{pressure:.5f}: {error:.0e} of the virial',
            reason,
            holds=error < tolerance,
        )


def directional_error(sample: Sample, engine: str, mesh: CoulombMesh | None, seed: int) -> float:
    """Relative difference of F.u and -dU/ds when all beads move along u."""
    rng = np.random.default_rng(seed)
    state = sample.state
    direction = rng.standard_normal(state.positions.shape)
    direction /= np.sqrt(np.mean(np.sum(direction**2, axis=1)))
    _, forces = sample.evaluated(engine, mesh)
    expected = float(np.sum(forces * direction))

    def energy(step: float) -> float:
        energies, _ = sample.at(state.positions + step * direction).evaluated(engine, mesh)
        return sum(energies.values())

    measured = -central_difference(energy, LONG_STEP if mesh else SHORT_STEP)
    # F.u of many beads may vanish by chance: what it would be if all were aligned is the scale.
    scale = float(np.sqrt(np.sum(forces**2)))
    return abs(measured - expected) / scale


def pressure_and_derivative(
    sample: Sample, engine: str, mesh: CoulombMesh | None
) -> tuple[float, float, float]:
    """Pressure that the engine reports at rest, -dU/dV, and the size of the virial terms."""
    state = sample.state

    def energy(step: float) -> float:
        stretch = np.exp(step)
        stretched = sample.at(state.positions * stretch, state.box * stretch)
        return sum(stretched.evaluated(engine, mesh)[0].values())

    volume = float(np.prod(state.box))
    step = (LONG_STEP if mesh else SHORT_STEP) / 10  # distances change by some times this
    derivative = -central_difference(energy, step) / (3 * volume)
    tensor = pressure_tensor(sample, engine, mesh)
    bonds = ReferenceSum(sample.frame, sample.field)
    scale = max(abs(bonds.virial) / (3 * volume), 1.0)
    return float(tensor[[0, 3, 5]].mean()), derivative, scale


def pressure_tensor(sample: Sample, engine: str, mesh: CoulombMesh | None) -> NDArray[np.float64]:
    """xx, xy, xz, yy, yz, zz as the engine logs them, without motion."""
    state = sample.state
    still = sample.with_state(replace(state, step=0, velocities=np.zeros_like(state.velocities)))
    # Rows come with steps: one that moves nothing.
    simulation = still.simulation(make_engine(engine), ConstantEnergy(1e-9), mesh, log_period=1)
    simulation.run(1)
    rows = simulation.take_thermo_rows()
    simulation.close()
    return np.asarray(rows[-1, 4:10])


def madelung(engine: str) -> Iterator[Row]:
    """Lattice energies through the mesh."""
    for name, constant in MADELUNG.items():
        sample, nearest = crystal(name, 4)
        energies, _ = sample.evaluated(engine, sample.mesh(1e-4))
        measured = -energies['coulomb'] * nearest / (int(sample.frame.particles.N) / 2)
        yield judged(
            f'Madelung energy of {name}',
            engine,
            f'-{constant} (Kittel, Introduction to Solid State Physics, ch. 3)',
            f'-{measured:.6f}',
            '1e-4 relative: the force error that was requested',
            holds=abs(measured / constant - 1) < 1e-4,
        )


def ion_pair(engine: str) -> Iterator[Row]:
    """One cation and one anion in a box."""
    field = bare_charges(16.0)
    box = np.full(3, 12.0)
    is_cation = np.array([True, False])
    for distance in (0.75, 1.5, 4.0):
        direction = np.array([0.6, 0.48, 0.64])
        positions = np.array([np.zeros(3), distance * direction]) + 0.05
        sample = ions_at(positions.astype(np.float32).astype(float), is_cation, 12.0, field)
        exact, force = ewald_sum(sample.state.positions, sample.charges, box, 16.0)
        energies, forces = sample.evaluated(engine, sample.mesh(1e-4))
        # The error is a statement about many ions; a pair at one place on the mesh may be
        # some times worse.
        off = relative_rms(forces, force)
        # The self energy of the mesh is what an energy error of a pair is made of.
        relative = abs(energies['coulomb'] - exact) / abs(exact)
        yield judged(
            f'an ion pair {distance} sigma apart in a box of 12 sigma, 1e-4 requested',
            engine,
            f'direct Ewald sum: energy {exact:.5f}, force {np.linalg.norm(force[0]):.5f}',
            f'energy {relative:.0e}, force {off:.0e} (relative)',
            '5e-4: one pair at one place on the mesh, where the estimate is a mean over many',
            holds=off < 5e-4 and relative < 5e-4,
        )


def triclinic(engine: str) -> Iterator[Row]:
    """A tilted box is refused, not simulated as if it were straight."""
    sample = sample_of('kremer_grest', 0)
    box = list(sample.frame.configuration.box)
    sample.frame.configuration.box = [*box[:3], 0.2, 0.0, 0.0]
    outcome = 'it is accepted'
    try:
        sample.simulation(make_engine(engine)).close()
    except UserError as error:
        outcome = str(error)
    yield judged(
        'a triclinic box is refused',
        engine,
        'an error that names the tilt',
        outcome,
        'none',
        holds='triclinic' in outcome,
    )
