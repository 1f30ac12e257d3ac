"""Do the integrators sample the ensembles that they are named after?

Tests of M. R. Shirts, J. Chem. Theory Comput. 9, 909 (2013), and P. T. Merz and M. R. Shirts,
PLoS ONE 13, e0202764 (2018), from their package physical_validation.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validation.claim import Row, judged, worst
from validation.job import Job
from validation.systems import TIME_STEP, Sample, ion_liquid, make_engine, melt
from workflow.engines.contract import (
    THERMO_COLUMNS,
    ConstantEnergy,
    ConstantPressure,
    ConstantVolume,
    Integrator,
    Langevin,
    SoftPushOff,
)
from workflow.relax import thermal_velocities

TITLE = 'Ensembles'

# physical_validation holds pressures in bar, energies in kJ/mol and lengths in nm.
BAR = 16.6053907
LOG_PERIOD = 20
EQUILIBRATION = 5_000
# Kinetic energy and volume forget within about five times of the slower coupling (autocorrelation
# below 0.1, looked at for all runs here). Estimates from the series itself end their sum where an
# oscillation first takes it below zero, miss the slow rest, and make errors too small.
TIMES_APART = 5
# Some sixty values are compared with zero: one in 370 lies beyond 3 standard deviations by
# chance, so nearly all runs of the whole section stay within this.
MOST_DEVIATIONS = 3.5
DEVIATIONS = f'{MOST_DEVIATIONS} standard deviations: many values are compared with 0'
# The relative force error of the Coulomb sum: its noise heats by far less than 1e-5 per tau.
COULOMB_ERROR = 1e-3


@dataclass(frozen=True)
class Case:
    """A system, and how long its runs are.

    Attributes:
        name: In the tables.
        model: Name of the model.
        composition: Monomer -> mole fraction.
        chains: Number of chains of 10 units.
        steps: Length of a run for a kinetic energy distribution.
        volume_steps: Length of a run for a volume distribution.
        pressures: Two, about two standard deviations of the volume distribution apart.
        thermostats: Those whose kinetic energy is looked at.
    """

    name: str
    model: str
    composition: dict[str, float]
    chains: int
    steps: int
    volume_steps: int
    pressures: tuple[float, float]
    thermostats: tuple[str, ...]

    def sample(self) -> Sample:
        """The relaxed melt with thermal velocities and no net momentum."""
        start = melt(self.model, self.composition, self.chains, 10)
        velocities = thermal_velocities(masses(start), 1.0, np.random.default_rng(5))
        return start.with_state(replace(start.state, velocities=velocities))


THERMOSTATS: dict[str, Integrator] = {
    'Langevin, friction 1': Langevin(TIME_STEP, 1.0, 1.0),
    'SoftPushOff': SoftPushOff(TIME_STEP, 1.0, 1.0, 100.0),
    'ConstantVolume, 1 tau': ConstantVolume(TIME_STEP, 1.0, 1.0),
    'ConstantVolume, 10 tau': ConstantVolume(TIME_STEP, 1.0, 10.0),
    'ConstantPressure': ConstantPressure(TIME_STEP, 1.0, 1.0, 1.0, 5.0),
}

NEUTRAL = Case(
    'neutral',
    'kremer_grest',
    {'M': 1.0},
    chains=20,
    steps=200_000,
    volume_steps=600_000,
    pressures=(4.75, 5.25),
    thermostats=tuple(THERMOSTATS),
)
# The soft push-off has no Coulomb forces, and a bath of 10 tau takes longer than there is time
# for here: both are looked at in the neutral melt.
IONIC = Case(
    'ionic',
    'isp',
    {'LSP': 0.5, 'DOPA': 0.5},
    chains=12,
    steps=60_000,
    volume_steps=60_000,
    pressures=(0.5, 0.8),
    thermostats=('Langevin, friction 1', 'ConstantVolume, 1 tau', 'ConstantPressure'),
)


def masses(sample: Sample) -> NDArray[np.float64]:
    """Masses of all beads, shape (N,)."""
    field, particles = sample.field, sample.frame.particles
    order = [field.bead_types.index(name) for name in particles.types]
    return np.asarray(field.masses[np.array(order)[particles.typeid]])


def thermo_series(
    engine: str,
    sample: Sample,
    integrator: Integrator,
    steps: int,
    equilibration: int = EQUILIBRATION,
    log_period: int = LOG_PERIOD,
    seed: int = 3,
    accuracy: float = COULOMB_ERROR,
) -> dict[str, NDArray[np.float64]]:
    """Run, and return each of THERMO_COLUMNS after `equilibration` steps."""
    # The box is free to shrink by a tenth: one mesh serves the whole run.
    room = 0.9 if isinstance(integrator, ConstantPressure) else 1.0
    soft = isinstance(integrator, SoftPushOff)
    mesh = None if soft else sample.mesh(accuracy, room)
    simulation = sample.simulation(make_engine(engine), integrator, mesh, seed, log_period)
    simulation.run(equilibration + steps)
    rows = simulation.take_thermo_rows()
    simulation.close()
    rows = rows[rows[:, 0] > equilibration]
    return dict(zip(THERMO_COLUMNS, rows.T, strict=True))


def jobs() -> Iterator[Job]:
    """All jobs of this section; the cheap ones first, should time run out."""
    for name in ('neutral', 'ions'):
        yield Job(f'order_{name}', partial(order_of_the_error, name))
    yield Job(f'volume_{NEUTRAL.name}', partial(volume_distribution, NEUTRAL))
    for case in (NEUTRAL, IONIC):
        for name in case.thermostats:
            yield Job(f'kinetic_{case.name}_{name}', partial(kinetic_energy, case, name))
        yield Job(f'drift_{case.name}', partial(drift, case))
    yield Job('potential_energy', potential_energy)
    yield Job(f'volume_{IONIC.name}', partial(volume_distribution, IONIC))


def kinetic_energy(case: Case, thermostat: str, engine: str) -> Iterator[Row]:
    """Mean and width of the kinetic energy against those of Maxwell and Boltzmann."""
    import physical_validation as pv

    sample, integrator = case.sample(), THERMOSTATS[thermostat]
    if isinstance(integrator, ConstantPressure):
        integrator = replace(integrator, pressure=case.pressures[0])
    # A weak thermostat takes its time to forget the start, and every value.
    slowness = getattr(integrator, 'thermostat_time', 1.0)
    steps, equilibration = round(case.steps * slowness), round(EQUILIBRATION * slowness)
    series = independent(
        thermo_series(engine, sample, integrator, steps, equilibration), TIMES_APART * slowness
    )
    # Langevin forces do not keep the momentum.
    lost = 0 if isinstance(integrator, Langevin | SoftPushOff) else 3
    data = simulation_data('NVT', series, sample, 1.0, lost=lost)
    mean, width = quietly(
        pv.kinetic_energy.distribution,
        data,
        strict=False,
        verbosity=0,
        bootstrap_seed=1,
        data_is_uncorrelated=True,
    )
    degrees = 3 * int(sample.frame.particles.N) - lost
    temperature = 2 * float(np.mean(series['kinetic_energy'])) / degrees
    yield judged(
        f'kinetic energy distribution, {thermostat}, {case.name}',
        engine,
        'Maxwell-Boltzmann, kT = 1',
        f'mean {mean:.1f}, width {width:.1f} standard deviations off; kT = {temperature:.4f} '
        f'({len(series["step"])} values)',
        DEVIATIONS,
        holds=worst([abs(mean), abs(width)]) < MOST_DEVIATIONS,
    )


def volume_distribution(case: Case, engine: str) -> Iterator[Row]:
    """Ratio of the volume distributions at two pressures."""
    import physical_validation as pv

    sample, pair = case.sample(), []
    for pressure in case.pressures:
        integrator = ConstantPressure(TIME_STEP, 1.0, 1.0, pressure, 1.0)
        series = thermo_series(
            engine, sample, integrator, case.volume_steps, equilibration=10_000, seed=7
        )
        apart = independent(series, TIMES_APART * integrator.barostat_time)
        pair.append(simulation_data('NPT', apart, sample, 1.0, pressure=pressure))
        mean = np.mean(
            [series[f'pressure_{axis}'].mean() for axis in ('xx', 'yy', 'zz')], dtype=float
        )
        blocks = [
            np.mean([part.mean() for part in parts])
            for parts in zip(
                *(np.array_split(series[f'pressure_{a}'], 10) for a in ('xx', 'yy', 'zz')),
                strict=True,
            )
        ]
        error = float(np.std(blocks, ddof=1) / np.sqrt(10))
        yield judged(
            f'mean pressure, ConstantPressure, {case.name}',
            engine,
            f'{pressure} (asked for)',
            f'{mean:.3f} +- {error:.3f}',
            f'{MOST_DEVIATIONS} standard errors of 10 blocks',
            holds=bool(abs(mean - pressure) < MOST_DEVIATIONS * error),
        )
    quantiles = quietly(
        pv.ensemble.check,
        *pair,
        verbosity=0,
        bootstrap_seed=1,
        bootstrap_error=False,
        data_is_uncorrelated=True,
    )
    low, high = case.pressures
    volumes = ' and '.join(f'{np.mean(data.observables.volume):.1f}' for data in pair)
    yield judged(
        f'volume distributions at pressures {low} and {high}, {case.name}',
        engine,
        'ln P2(V)/P1(V) linear in V with slope -(p2 - p1)/kT',
        f'slope {abs(quantiles[0]):.1f} standard deviations off; mean volumes {volumes}',
        DEVIATIONS,
        holds=bool(abs(quantiles[0]) < MOST_DEVIATIONS),
    )


def potential_energy(engine: str) -> Iterator[Row]:
    """Ratio of the potential energy distributions at two temperatures."""
    import physical_validation as pv

    sample, pair = NEUTRAL.sample(), []
    for kT in (1.0, 1.1):
        series = thermo_series(engine, sample, ConstantVolume(TIME_STEP, kT, 1.0), NEUTRAL.steps)
        series = independent(series, TIMES_APART)
        pair.append(simulation_data('NVT', series, sample, kT))
    quantiles = quietly(
        pv.ensemble.check,
        *pair,
        verbosity=0,
        bootstrap_seed=1,
        bootstrap_error=False,
        data_is_uncorrelated=True,
    )
    yield judged(
        'potential energy distributions at kT 1.0 and 1.1, ConstantVolume, neutral',
        engine,
        'ln P2(U)/P1(U) linear in U with slope 1/kT1 - 1/kT2',
        f'slope {abs(quantiles[0]):.1f} standard deviations off',
        DEVIATIONS,
        holds=bool(abs(quantiles[0]) < MOST_DEVIATIONS),
    )


def order_of_the_error(name: str, engine: str) -> Iterator[Row]:
    """Power of the time step with which the energy error grows, in systems with smooth forces.

    The isp model is not among them: its pair forces are cut at 2.5 sigma, where they jump, and
    each jump is an error of the first order. Its own measure is the drift.
    """
    if name == 'neutral':
        sample = settled(NEUTRAL.sample(), engine, COULOMB_ERROR)
        time_steps, accuracy = (0.0025, 0.005, 0.01), COULOMB_ERROR
    else:
        # The cut of the real-space sum is a jump too: small at this error.
        time_steps, accuracy = (0.0015, 0.003, 0.006), 1e-5
        sample = settled(ion_liquid(300, 0.4, 4.0, 1_000), engine, accuracy)
    duration, errors = 20.0, []
    for dt in time_steps:
        series = thermo_series(
            engine, sample, ConstantEnergy(dt), round(duration / dt), 0, 1, accuracy=accuracy
        )
        total = series['kinetic_energy'] + series['potential_energy']
        time = series['step'] * dt
        errors.append(float(np.std(total - np.polyval(np.polyfit(time, total, 1), time))))
    order = float(np.polyfit(np.log(time_steps), np.log(errors), 1)[0])
    yield judged(
        f'order of the energy error, ConstantEnergy, {name}',
        engine,
        '2 (velocity Verlet)',
        f'{order:.2f} over time steps {", ".join(map(str, time_steps))}',
        '0.3: one trajectory, and the next order shows at the longest step',
        holds=abs(order - 2) < 0.3,
    )


def drift(case: Case, engine: str) -> Iterator[Row]:
    """Drift of the energy at the time step that is used."""
    sample = settled(case.sample(), engine, COULOMB_ERROR)
    series = thermo_series(engine, sample, ConstantEnergy(TIME_STEP), 20_000, 0, log_period=10)
    total = series['kinetic_energy'] + series['potential_energy']
    total /= int(sample.frame.particles.N)
    time = series['step'] * TIME_STEP
    slope = float(np.polyfit(time, total, 1)[0])
    # Of the parts: each has a longer lever arm in the whole, by the power 3/2 of their number.
    parts = np.array_split(np.arange(len(time)), 8)
    spread = [float(np.polyfit(time[part], total[part], 1)[0]) for part in parts]
    error = float(np.std(spread, ddof=1) / len(parts) ** 1.5)
    limit = 1e-4
    yield judged(
        f'energy drift, ConstantEnergy, time step {TIME_STEP}, {case.name}',
        engine,
        '0',
        f'{slope:.1e} +- {error:.0e} kT per bead and tau',
        f'{limit:g}: a thermostat of 10 tau then stays within 0.1 % of its temperature',
        holds=abs(slope) < limit,
    )


def independent(
    series: dict[str, NDArray[np.float64]], time_apart: float
) -> dict[str, NDArray[np.float64]]:
    """Rows of a series that are `time_apart`, so far that each is a new draw."""
    stride = round(time_apart / (TIME_STEP * LOG_PERIOD))
    return {name: values[::stride] for name, values in series.items()}


def settled(sample: Sample, engine: str, accuracy: float) -> Sample:
    """The sample after some time at kT = 1."""
    simulation = sample.simulation(
        make_engine(engine), Langevin(TIME_STEP, 1.0, 1.0), sample.mesh(accuracy), seed=2
    )
    simulation.run(4_000)
    state = simulation.state()
    simulation.close()
    return sample.with_state(replace(state, step=0))


def simulation_data(
    ensemble: str,
    series: dict[str, NDArray[np.float64]],
    sample: Sample,
    kT: float,
    pressure: float | None = None,
    lost: int = 3,
) -> Any:
    """The series in the form that physical_validation takes, in reduced units."""
    import physical_validation as pv

    number = int(sample.frame.particles.N)
    units = pv.data.UnitData(
        kb=1.0,
        energy_str='epsilon',
        energy_conversion=1.0,
        length_str='sigma',
        length_conversion=1.0,
        volume_str='sigma^3',
        volume_conversion=1.0,
        temperature_str='epsilon/k',
        temperature_conversion=1.0,
        pressure_str='epsilon/sigma^3',
        pressure_conversion=BAR,
        time_str='tau',
        time_conversion=1.0,
    )
    system = pv.data.SystemData(
        natoms=number,
        nconstraints=0,
        ndof_reduction_tra=lost,
        ndof_reduction_rot=0,
        mass=masses(sample),
    )
    volume = float(series['volume'][0]) if ensemble == 'NVT' else None
    state = pv.data.EnsembleData(
        ensemble, natoms=number, volume=volume, pressure=pressure, temperature=kT
    )
    kinetic, potential = series['kinetic_energy'], series['potential_energy']
    observables = pv.data.ObservableData(
        kinetic_energy=kinetic,
        potential_energy=potential,
        total_energy=kinetic + potential,
        volume=series['volume'],
    )
    return pv.data.SimulationData(
        units=units, ensemble=state, system=system, observables=observables, dt=TIME_STEP
    )


def quietly(function: Any, *arguments: Any, **options: Any) -> Any:
    """Call without what it prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        return function(*arguments, **options)
