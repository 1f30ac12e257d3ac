"""Every term of every engine against something independent of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gsd.hoomd import Frame

from models.entries import (
    CosineAngle,
    CosineSquaredAngle,
    FeneBond,
    HarmonicAngle,
    HarmonicBond,
)
from models.force_field import ForceField
from models.pair_potentials import Mie, Tabulated
from tests.conftest import RelaxedMelt
from tests.systems import COULOMB_ERROR, melt, state_point
from validation.sections.forces import MODELS
from validation.sections.reference_forces import ReferenceSum, relative_rms
from validation.systems import Sample
from workflow.electrostatics.ewald import ewald_sum, pair_sum
from workflow.electrostatics.mesh import CoulombMesh, ForceErrorRequest, MeshCosts, choose_mesh
from workflow.engines.contract import (
    THERMO_COLUMNS,
    ConstantEnergy,
    Engine,
    Simulation,
    SoftPushOff,
)
from workflow.stages.coulomb_check import CoulombCheck
from workflow.stages.relax import state_of
from workflow.stages.segments import segments
from workflow.stages.system import System, bonded_charges
from workflow.stages.trajectory_writer import frame_with_state

CASES = {
    'ISP50': state_point('isp', {'LSP': 0.5, 'DOPA': 0.5}),
    'ISP0': state_point('isp', {'DOPA': 1.0}),
    'ISP100': state_point('isp', {'LSP': 1.0}),
    'kremer_grest': state_point('kremer_grest', {'M': 1.0}, chains=20),
    'every_term': state_point(
        str(MODELS / 'every_term.toml'), {'M': 0.5, 'X': 0.5}, chains=10, bjerrum_length=12.0
    ),
    'published_terms': state_point(
        str(MODELS / 'published_terms.toml'),
        {'M': 0.5, 'C': 0.25, 'Z': 0.25},
        chains=16,
        bjerrum_length=6.0,
    ),
}


@pytest.fixture(scope='module', params=CASES)
def relaxed(request: pytest.FixtureRequest, relaxed_melt: RelaxedMelt):
    """Frames of relaxed melts, made with LAMMPS; both engines are then asked about them."""
    from workflow.engines.lammps_engine import LammpsEngine

    system, state = relaxed_melt(CASES[request.param], LammpsEngine(), COULOMB_ERROR)
    return frame_with_state(system.topology, state), system.force_field, system.mesh(state)


def bare_simulation(
    engine: Engine, frame: Frame, field: ForceField, mesh: CoulombMesh | None
) -> Simulation:
    return engine.simulation(frame, field, ConstantEnergy(0.005), mesh, seed=1, log_period=0)


def test_short_range_energies_and_forces_equal_direct_sums(engine: Engine, relaxed) -> None:
    frame, field, _ = relaxed
    expected = ReferenceSum(frame, field)
    simulation = bare_simulation(engine, frame, field, None)
    measured = simulation.energies()
    for term, energy in expected.energies.items():
        assert measured[term] == pytest.approx(energy, rel=1e-6)
    assert relative_rms(simulation.forces(), expected.forces) < 1e-6
    simulation.close()


CHARGED = [('ISP50', False), ('ISP100', False), ('every_term', False)]
BONDED_CHARGES = [('published_terms', True), ('published_terms', False)]


@pytest.mark.parametrize(
    ('relaxed', 'between_bonded'), CHARGED + BONDED_CHARGES, indirect=['relaxed']
)
def test_coulomb_is_within_the_requested_error_of_a_direct_ewald_sum(
    engine: Engine, relaxed, between_bonded: bool
) -> None:
    frame, field, _ = relaxed
    field = replace(field, coulomb_between_bonded=between_bonded)
    mesh = Sample(frame, field).mesh(COULOMB_ERROR)
    state = state_of(frame)
    charges = np.asarray(frame.particles.charge, dtype=float)
    place = (state.positions, charges, state.box, field.bjerrum_length)
    energy, forces = ewald_sum(*place)
    excluded = bonded_charges(frame, field)
    if excluded is not None:
        assert len(excluded) > 20
        of_bonds, between = pair_sum(*place, excluded)
        energy, forces = energy - of_bonds, forces - between
    with_coulomb = bare_simulation(engine, frame, field, mesh)
    without = bare_simulation(engine, frame, field, None)
    measured = with_coulomb.forces() - without.forces()
    ions = charges != 0
    error = np.sqrt(np.mean(np.sum((measured - forces)[ions] ** 2, axis=1)))
    typical = np.sqrt(np.mean(np.sum(forces[ions] ** 2, axis=1)))
    assert error / typical < COULOMB_ERROR
    assert with_coulomb.energies()['coulomb'] == pytest.approx(energy, rel=2 * COULOMB_ERROR)
    with_coulomb.close()
    without.close()


@pytest.mark.parametrize('between_bonded', [True, False])
@pytest.mark.parametrize('relaxed', ['published_terms'], indirect=True)
def test_the_recorded_coulomb_error_is_about_the_charges_that_feel_each_other(
    engine: Engine, relaxed, between_bonded: bool
) -> None:
    frame, field, _ = relaxed
    field = replace(field, coulomb_between_bonded=between_bonded)
    system = System(frame, field, engine, COULOMB_ERROR, {})
    mesh = system.mesh(state_of(frame))
    assert mesh is not None
    error, _ = CoulombCheck(system, state_of(frame)).error_of(mesh)
    assert error == pytest.approx(mesh.estimated_error, rel=0.3)
    assert error < COULOMB_ERROR


@pytest.mark.hoomd
def test_engines_agree_on_twenty_frames(relaxed) -> None:
    hoomd_engine = pytest.importorskip(
        'workflow.engines.hoomd_engine', reason='needs HOOMD-blue, which is not on PyPI'
    )
    from workflow.engines.lammps_engine import LammpsEngine

    frame, field, _ = relaxed
    state = state_of(frame)
    rng = np.random.default_rng(20)
    for _ in range(20):
        positions = state.positions + rng.uniform(-0.02, 0.02, state.positions.shape)
        positions -= state.box * np.round(positions / state.box)
        shaken = replace(state, positions=positions)
        shaken_frame = frame_with_state(frame, shaken)
        pair = [
            bare_simulation(engine, shaken_frame, field, None)
            for engine in (LammpsEngine(), hoomd_engine.HoomdEngine('cpu'))
        ]
        lammps, hoomd = (simulation.energies() for simulation in pair)
        for term in ('pair', 'bond', 'angle'):
            assert hoomd[term] == pytest.approx(lammps[term], rel=1e-6)
        assert relative_rms(pair[1].forces(), pair[0].forces()) < 1e-6
        for simulation in pair:
            simulation.close()


@pytest.mark.parametrize('relaxed', ['every_term'], indirect=True)
def test_from_rest_every_bead_moves_with_its_force_by_its_mass(engine: Engine, relaxed) -> None:
    frame, field, mesh = relaxed
    assert len(set(field.masses.tolist())) == 4
    resting = replace(state_of(frame), step=0, velocities=np.zeros((frame.particles.N, 3)))
    simulation = engine.simulation(
        frame_with_state(frame, resting), field, ConstantEnergy(1e-5), mesh, 1, log_period=1
    )
    forces = simulation.forces()
    simulation.run(1)
    velocities, rows = simulation.state().velocities, simulation.take_thermo_rows()
    simulation.close()
    order = [field.bead_types.index(name) for name in frame.particles.types]
    masses = field.masses[order][frame.particles.typeid][:, None]
    assert relative_rms(velocities / 1e-5, forces / masses) < 1e-3
    kinetic = dict(zip(THERMO_COLUMNS, rows[-1], strict=True))['kinetic_energy']
    assert kinetic == pytest.approx(np.sum(masses * velocities**2) / 2, rel=1e-6)


@pytest.mark.parametrize('relaxed', ['every_term'], indirect=True)
def test_a_model_of_every_term_has_them_all(relaxed) -> None:
    frame, field, mesh = relaxed
    assert mesh is not None
    assert {type(bond) for bond in field.bonds.values()} == {FeneBond, HarmonicBond}
    assert {type(angle) for angle in field.angles.values()} == {HarmonicAngle, CosineSquaredAngle}
    assert set(frame.bonds.typeid) == set(frame.angles.typeid) == {0, 1}
    assert np.any(field.pair_cutoff > 2.5)
    # What does not repel each other overlaps, so that a force between them would show.
    b, p = field.bead_types.index('B'), field.bead_types.index('P')
    assert field.pair_cutoff[b, p] == 0
    positions = np.asarray(frame.particles.position)
    of_type = [np.flatnonzero(frame.particles.typeid == k) for k in (b, p)]
    apart = positions[of_type[0]][:, None] - positions[of_type[1]]
    apart -= frame.configuration.box[:3] * np.round(apart / frame.configuration.box[:3])
    overlaps = np.sum(np.linalg.norm(apart, axis=2) < 0.7)
    assert overlaps > 5


@pytest.mark.parametrize('relaxed', ['published_terms'], indirect=True)
def test_a_model_of_published_terms_has_them_all(relaxed) -> None:
    frame, field, mesh = relaxed
    assert mesh is not None
    assert field.coulomb_between_bonded
    assert {type(angle) for angle in field.angles.values()} == {HarmonicAngle, CosineAngle}
    assert {type(potential) for potential in field.extra_pairs.values()} == {Mie, Tabulated}
    assert set(frame.angles.typeid) == {0, 1}
    # Each matters to the sum, so that a term that is left out would show.
    everything = ReferenceSum(frame, field)
    for pair in field.extra_pairs:
        rest = {other: term for other, term in field.extra_pairs.items() if other != pair}
        without = ReferenceSum(frame, replace(field, extra_pairs=rest))
        assert abs(without.energies['pair'] - everything.energies['pair']) > 1
        assert relative_rms(without.forces, everything.forces) > 1e-3


@pytest.mark.parametrize('relaxed', ['published_terms'], indirect=True)
def test_the_error_of_the_energy_falls_with_the_square_of_the_time_step(
    engine: Engine, relaxed
) -> None:
    """Velocity Verlet conserves the energy to second order where forces are its gradient."""
    frame, field, mesh = relaxed
    errors = []
    for time_step in (0.004, 0.002):
        integrator = ConstantEnergy(time_step)
        simulation = engine.simulation(frame, field, integrator, mesh, 1, log_period=1)
        simulation.run(round(1 / time_step))
        rows = dict(zip(THERMO_COLUMNS, simulation.take_thermo_rows().T, strict=True))
        simulation.close()
        errors.append(np.std(rows['kinetic_energy'] + rows['potential_energy']))
    assert errors[0] < 0.02 * np.std(rows['potential_energy'])
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.2)


def test_tables_from_their_last_row_to_below_the_first(engine: Engine) -> None:
    frame, field = melt(
        state_point('kremer_grest', {'M': 1.0}, chains=2, degree_of_polymerisation=1)
    )
    rows = np.linspace(0.5, 2.0, 20)
    table = Tabulated(rows, 5 * np.exp(-(rows**2)) - 2 * np.exp(-4 * (rows - 1.4) ** 2))
    nothing = np.zeros((1, 1))
    field = replace(field, pair_epsilon=nothing, pair_cutoff=nothing, extra_pairs={(0, 0): table})
    frame.configuration.box = [10, 10, 10, 0, 0, 0]
    frame.particles.image = np.zeros((2, 3), dtype=np.int32)
    for r in (0.2, 0.45, 0.55, 0.777, 1.4, 1.99, 2.01):
        frame.particles.position = np.array([[0, 0, 0], [r, 0, 0]], dtype=np.float32)
        simulation = bare_simulation(engine, frame, field, None)
        energy, slope, _ = table.derivatives(np.array([np.float32(r)], dtype=float))
        inside = r < 2.0
        assert simulation.energies()['pair'] == pytest.approx(inside * energy[0], abs=1e-6)
        assert simulation.forces()[1, 0] == pytest.approx(-inside * slope[0], 1e-5, 1e-6)
        simulation.close()


@pytest.mark.parametrize('extra', [False, True])
def test_soft_push_off_is_a_gaussian(engine: Engine, extra: bool) -> None:
    point = state_point('kremer_grest', {'M': 1.0}, chains=2, degree_of_polymerisation=2)
    frame, field = melt(point)
    if extra:
        pairs = {(0, 0): Mie(1.0, 1.0, 16.0, 7.0, 2.0)}
        field = replace(field, pair_cutoff=np.zeros((1, 1)), extra_pairs=pairs)
    frame.configuration.box = [10, 10, 10, 0, 0, 0]
    frame.particles.image = np.zeros((4, 3), dtype=np.int32)
    frame.particles.position = np.array([[0, 0, 0], [0.97, 0, 0], [0, 0.5, 0], [0.97, 0.5, 0]])
    push_off = SoftPushOff(0.001, 1.0, 1.0, height=10.0)
    simulation = engine.simulation(frame, field, push_off, None, seed=1, log_period=0)

    def repulsion(r: float) -> float:
        inside = r < push_off.CUTOFF
        width = 2 * push_off.WIDTH**2
        return inside * 10 * (np.exp(-(r**2) / width) - np.exp(-(push_off.CUTOFF**2) / width))

    expected = 2 * repulsion(0.5) + 2 * repulsion(np.hypot(0.97, 0.5))
    assert simulation.energies()['pair'] == pytest.approx(expected, rel=1e-6)
    simulation.close()


@pytest.mark.parametrize('requested', [1e-2, 1e-3, 1e-4])
def test_chosen_mesh_is_estimated_within_the_request(requested: float) -> None:
    rng = np.random.default_rng(3)
    box = np.full(3, 12.0)
    charges = np.repeat([1.0, -1.0], 100)
    request = ForceErrorRequest.of(rng.uniform(-6, 6, (200, 3)), charges, box, 16.0, requested, 5.0)
    mesh = choose_mesh(request, MeshCosts())
    assert mesh.estimated_error <= requested
    assert mesh.cutoff <= 5.0


def test_relaxation_has_all_its_parts() -> None:
    names = [segment.name for segment in segments(CASES['ISP50'])]
    assert names[0].startswith('push_off')
    assert names[-1].startswith('cool')
