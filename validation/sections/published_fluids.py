"""The Lennard-Jones fluid near its triple point, cut at 2.5 sigma.

Density 0.8442, kT 0.722, shear viscosity: 3.24 +- 0.04 (Ferrario, Ciccotti, Holian and Ryckaert,
Phys. Rev. A 44, 6936 (1991), 2048 atoms, from its abstract); 3.277 +- 0.098 (Meier, Laesecke and
Kabelac, J. Chem. Phys. 121, 3671 (2004)), 3.268 +- 0.055 (Viscardy, Servantie and Gaspard, J. Chem.
Phys. 126, 184512 (2007)) and 3.257 +- 0.030 (Toraman et al. 2025), 1372 atoms, from the table in
the documentation of STACIE. It does not depend on the size (Yeh and Hummer, J. Phys. Chem. B 108,
15873 (2004)).

Density 0.84643, kT 0.72458, cut and shifted as here: self-diffusion 0.034787 and viscosity 3.3274,
with relative deviations of 0.68 and 1.68 %, from the data of Lautenschlaeger and Hasse (2019,
supplement with PII S0378-3812(18)30441-2), as kept with the thesis of G. Chaparro
(github.com/gustavochm/Chaparro-PhD-Thesis). How many atoms, and whether the size was corrected for,
could not be read. In boxes without end, by Yeh and Hummer, others come to the same: at density 0.85
and kT 0.7, 0.0323 from Meier et al. (2004, without an error) and 0.0324 from Chaparro and Mueller
(2023), beside 0.03235 of this one nearby. So D is compared as D + 2.837297 kT/(6 pi eta L), and
D eta/(kT n^(1/3)), which Zwanzig's theory bounds by about 0.13 from below (Khrapak, Mol. Phys. 118,
e1643045 (2020), from its abstract in an index), stands beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from analysis.io.array_trajectory import ArrayTrajectory
from analysis.observables.charge_transport import CUBIC_LATTICE
from analysis.observables.mean_squared_displacement import MeanSquaredDisplacement
from analysis.observables.stress_relaxation import shear_viscosity
from analysis.sampling.run import Run
from models.force_field import ForceField
from validation.claim import Row
from validation.job import Job
from validation.published import compared, over_replicas
from validation.systems import Sample, ions_at, make_engine
from workflow.engines.contract import THERMO_COLUMNS, ConstantVolume, Langevin

TITLE = 'Published fluids'

CUTOFF, CELLS = 2.5, 5  # 500 atoms
HOT_STEPS, COOL_STEPS, STEPS = 4_000, 16_000, 400_000
TIME_STEP, LOG_PERIOD, FRAME_PERIOD = 0.004, 10, 500
PARTS = 16


@dataclass(frozen=True)
class Published:
    """What is known of a state: values, their standard errors, and whose they are."""

    density: float
    kT: float
    viscosity: tuple[float, float]
    source: str
    diffusion: tuple[float, float] | None = None


STATES = (
    Published(
        0.8442,
        0.722,
        (3.257, 0.030),
        'Toraman et al. 2025; 3.24 +- 0.04: Ferrario et al. 1991; 3.268 +- 0.055: Viscardy et al. '
        '2007',
    ),
    Published(
        0.84643,
        0.72458,
        (3.3274, 0.0168 * 3.3274),
        'Lautenschlaeger and Hasse 2019',
        (0.034787, 0.0068 * 0.034787),
    ),
)


def jobs() -> Iterator[Job]:
    """One job for each state."""
    for state in STATES:
        yield Job(f'Lennard-Jones fluid at kT {state.kT}', partial(triple_point, state))


def crystal(density: float, kT: float) -> Sample:
    """A face-centred cubic crystal of atoms without charge."""
    corners = np.stack(np.meshgrid(*[np.arange(CELLS)] * 3), -1).reshape(-1, 3)
    basis = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    edge = CELLS * (4 / density) ** (1 / 3)
    positions = (corners[:, None] + basis + 0.25).reshape(-1, 3) * edge / CELLS - edge / 2
    one, square = np.ones(1), np.ones((1, 1))
    field = ForceField(
        ('A',), one, 0 * one, one, square, square, CUTOFF * square, {}, {}, bjerrum_length=0.0
    )
    sample = ions_at(positions, np.ones(len(positions), dtype=bool), edge, field)
    return sample.with_velocities(kT, 1)


def triple_point(published: Published, engine: str) -> Iterator[Row]:
    """Viscosity and self-diffusion of 500 atoms."""
    density, kT = published.density, published.kT
    sample = crystal(density, kT)
    for hot, steps in ((1.5, HOT_STEPS), (kT, COOL_STEPS)):
        sample = sample.moved(engine, Langevin(TIME_STEP, hot, 1.0), steps, seed=7)
    moves = ConstantVolume(TIME_STEP, kT, 5.0)
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
    # A fit of the spectrum of such a fluid is no more precise for a longer run: parts are averaged.
    parts = [
        dict(zip(pressure, each, strict=True))
        for each in np.split(np.array(list(pressure.values())), PARTS, axis=1)
    ]
    viscosity = over_replicas(
        [shear_viscosity(part, edge**3, kT, LOG_PERIOD * TIME_STEP) for part in parts]
    )
    name = f'Lennard-Jones fluid, density {density}, kT {kT}, {4 * CELLS**3} atoms'
    yield compared(
        f'{name}: shear viscosity', engine, viscosity, published.viscosity, published.source
    )
    if published.diffusion is None:
        return
    at = np.arange(1, len(paths) + 1) * FRAME_PERIOD
    trajectory = ArrayTrajectory(np.array(paths), edge, steps=at, time_step=TIME_STEP)
    (found,) = MeanSquaredDisplacement().compute(Run(trajectory)).by_type.values()
    eta = viscosity.value or math.nan
    slowed_by = CUBIC_LATTICE * kT / (6 * math.pi * eta * edge)
    endless = found.diffusion.mapped(lambda end: end + slowed_by)
    number = (endless.value or math.nan) * eta / (kT * density ** (1 / 3))
    yield compared(
        f'{name}: self-diffusion coefficient in a box without end (in this one '
        f'{found.diffusion.value or math.nan:.4f}; D eta/(kT n^(1/3)) is {number:.3f})',
        engine,
        endless,
        published.diffusion,
        published.source,
    )
