"""The Lennard-Jones fluid near its triple point, density 0.8442, kT 0.722, cut at 2.5 sigma.

Shear viscosity: 3.24 +- 0.04 (Ferrario, Ciccotti, Holian and Ryckaert, Phys. Rev. A 44, 6936
(1991), 2048 atoms, from its abstract); 3.277 +- 0.098 (Meier, Laesecke and Kabelac, J. Chem. Phys.
121, 3671 (2004)), 3.268 +- 0.055 (Viscardy, Servantie and Gaspard, J. Chem. Phys. 126, 184512
(2007)) and 3.257 +- 0.030 (Toraman et al. 2025), 1372 atoms, from the table in the documentation of
STACIE. It does not depend on the size (Yeh and Hummer, J. Phys. Chem. B 108, 15873 (2004)).

Self-diffusion: about 0.033 is quoted for this state, without an error, and no source of the number
could be read, so that it is stated. The coefficient of the run has that of Yeh and Hummer beside
it, D + 2.837297 kT/(6 pi eta L), for boxes without end, and with that D eta/(kT n^(1/3)), which
Zwanzig's theory bounds by about 0.13 from below (Khrapak, Mol. Phys. 118, e1643045 (2020), from its
abstract in an index).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from gsd.hoomd import Frame

from analysis.io.array_trajectory import ArrayTrajectory
from analysis.observables.mean_squared_displacement import MeanSquaredDisplacement
from analysis.observables.stress_relaxation import shear_viscosity
from analysis.sampling.run import Run
from models.force_field import ForceField
from validation.claim import Row, half_width, judged, stated
from validation.job import Job
from validation.systems import Sample, make_engine
from workflow.engines.contract import THERMO_COLUMNS, ConstantVolume, Langevin
from workflow.stages.relax import thermal_velocities

TITLE = 'Published fluids'

DENSITY, KT, CUTOFF = 0.8442, 0.722, 2.5
CELLS = 5  # 500 atoms
VISCOSITY, VISCOSITY_ERROR, DIFFUSION = 3.257, 0.03, 0.033
HOT_STEPS, COOL_STEPS, STEPS = 4_000, 16_000, 200_000
TIME_STEP, LOG_PERIOD, FRAME_PERIOD = 0.004, 10, 500
CUBIC_BOX = 2.837297


def jobs() -> Iterator[Job]:
    """All jobs of this section."""
    yield Job('Lennard-Jones fluid near its triple point', triple_point)


def crystal() -> Sample:
    """A face-centred cubic crystal of atoms without charge."""
    corners = np.stack(np.meshgrid(*[np.arange(CELLS)] * 3), -1).reshape(-1, 3)
    basis = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    edge = CELLS * (4 / DENSITY) ** (1 / 3)
    positions = (corners[:, None] + basis + 0.25).reshape(-1, 3) * edge / CELLS - edge / 2
    one, square, number = np.ones(1), np.ones((1, 1)), len(positions)
    field = ForceField(
        ('A',), one, 0 * one, one, square, square, CUTOFF * square, {}, {}, bjerrum_length=0.0
    )
    frame = Frame()
    frame.configuration.step = 0
    frame.configuration.box = [edge, edge, edge, 0, 0, 0]
    frame.particles.N = number
    frame.particles.types = ['A']
    frame.particles.typeid = np.zeros(number, dtype=np.uint32)
    frame.particles.charge, frame.particles.mass = np.zeros(number), np.ones(number)
    frame.particles.position = positions
    frame.particles.image = np.zeros((number, 3), dtype=np.int32)
    frame.particles.velocity = thermal_velocities(np.ones(number), KT, np.random.default_rng(1))
    return Sample(frame, field)


def triple_point(engine: str) -> Iterator[Row]:
    """Viscosity and self-diffusion of 500 atoms."""
    sample = crystal()
    for kT, steps in ((1.5, HOT_STEPS), (KT, COOL_STEPS)):
        simulation = sample.simulation(make_engine(engine), Langevin(TIME_STEP, kT, 1.0), seed=7)
        simulation.run(steps)
        sample = sample.with_state(replace(simulation.state(), step=0))
        simulation.close()
    moves = ConstantVolume(TIME_STEP, KT, 5.0)
    simulation = sample.simulation(make_engine(engine), moves, seed=8, log_period=LOG_PERIOD)
    paths, rows = [], []
    for _ in range(STEPS // FRAME_PERIOD):
        simulation.run(FRAME_PERIOD)
        state = simulation.state()
        paths.append(state.positions + state.images * state.box)
        rows.append(simulation.take_thermo_rows())
    simulation.close()
    log = dict(zip(THERMO_COLUMNS, np.concatenate(rows).T, strict=False))
    pressure = {name[-2:]: log[name] for name in log if name.startswith('pressure_')}
    edge = float(sample.state.box[0])
    viscosity = shear_viscosity(pressure, edge**3, KT, LOG_PERIOD * TIME_STEP)
    name = f'Lennard-Jones fluid, density {DENSITY}, kT {KT}, {4 * CELLS**3} atoms'
    error, value = half_width(viscosity), viscosity.value or math.nan
    yield judged(
        f'{name}: shear viscosity',
        engine,
        f'{VISCOSITY} +- {VISCOSITY_ERROR} (Toraman et al. 2025); 3.24 +- 0.04 (Ferrario et al. '
        '1991); 3.268 +- 0.055 (Viscardy et al. 2007)',
        f'{value:.3f} +- {error:.3f} (95 %) {viscosity.against}'.rstrip(),
        'both errors, 95 %, which together are to be below 15 %',
        holds=abs(value - VISCOSITY) < math.hypot(error, 1.96 * VISCOSITY_ERROR)
        and error < 0.15 * value
        and not viscosity.against,
    )
    at = np.arange(1, len(paths) + 1) * FRAME_PERIOD
    trajectory = ArrayTrajectory(np.array(paths), edge, steps=at, time_step=TIME_STEP)
    (found,) = MeanSquaredDisplacement().compute(Run(trajectory)).by_type.values()
    diffusion, spread = found.diffusion.value or math.nan, half_width(found.diffusion)
    endless = diffusion + CUBIC_BOX * KT / (6 * math.pi * value * edge)
    number = endless * value / (KT * DENSITY ** (1 / 3))
    yield stated(
        f'{name}: self-diffusion coefficient',
        engine,
        f'about {DIFFUSION}, without an error or a size; D eta/(kT n^(1/3)) > 0.13',
        f'{diffusion:.4f} +- {spread:.4f} (95 %); in a box without end {endless:.4f}, and then '
        f'D eta/(kT n^(1/3)) is {number:.3f}',
        'no source of the number was read',
    )
