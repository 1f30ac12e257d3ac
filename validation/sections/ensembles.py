"""Do the integrators sample the ensembles that they are named after?

Tests of M. R. Shirts, J. Chem. Theory Comput. 9, 909 (2013), and P. T. Merz and M. R. Shirts,
PLoS ONE 13, e0202764 (2018), from their package physical_validation; for every integrator with the
times and frictions that the sweeps use; the thermostat of 10 tau with which they sample is asked
of the neutral melt alone. All +- are half widths of 95 % intervals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.estimators.intervals import CONFIDENCE, mean_with_interval
from validation.claim import Row, half_width, judged, worst
from validation.job import Job
from validation.physical_validation_data import quietly, simulation_data
from validation.ratio_of_distributions import autocorrelation, slope_of_ratio
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

TITLE = 'Ensembles'

LOG_PERIOD = 20
EQUILIBRATION = 5_000
# Kinetic energy and volume forget most within about five times of the thermostat, which damps the
# barostat too. The autocorrelation from one value to the next is in the tables (0.1 to 0.2 in the
# ionic melt), and errors of slopes are widened by it. Estimates from the series end their sum where
# an oscillation first takes it below zero, miss the slow rest, and make errors too small.
TIMES_APART = 5
# Some sixty values are compared with zero, and one in 2,100 lies beyond this by chance: in 3 % of
# runs of the whole section one value fails without a reason.
MOST_DEVIATIONS = 3.5
DEVIATIONS = f'{MOST_DEVIATIONS} standard deviations: many values are compared with 0'
# The same in half widths of an interval from 20 blocks.
MOST_HALF_WIDTHS = MOST_DEVIATIONS / 2.09
# A slope that is known less well than this proves little.
LARGEST_SLOPE_ERROR = 0.12
# So does a width: a thermostat that holds the energy instead has some 0.7 of it.
LARGEST_WIDTH_ERROR = 0.08
MOST_OFF_ORDER = 0.3
# The relative force error of the Coulomb sum, as in sweeps/demo.toml; and where the energy itself
# is looked at, as in sweeps/isp.toml: the noise of that changes it by about 1e-5 kT per bead and
# tau, a tenth of what the drift may be.
COULOMB_ERROR, SMALL_COULOMB_ERROR = 1e-2, 1e-3


@dataclass(frozen=True)
class Case:
    """A system, and how long its runs are.

    Attributes:
        name: In the tables.
        model: Name of the model.
        composition: Monomer -> mole fraction.
        chains: Number of chains of 10 units.
        steps: Thermostat -> length of a run for a kinetic energy distribution.
        volume_steps: Length of a run for a volume distribution.
        pressures: Two, about two standard deviations of the volume distribution apart.
    """

    name: str
    model: str
    composition: dict[str, float]
    chains: int
    steps: dict[str, int]
    volume_steps: int
    pressures: tuple[float, float]

    def sample(self) -> Sample:
        """The relaxed melt with thermal velocities and no net momentum."""
        return melt(self.model, self.composition, self.chains, 10).with_velocities(1.0, 5)


# Of the barostat, as in the sweeps.
THERMOSTAT_TIME, BAROSTAT_TIME = 1.0, 5.0
WEAK = 'ConstantVolume, 10 tau'
# What the sweeps use, at constant volume: the barostat is looked at with the volume. Relaxation
# settles with a friction of 10 in shorter steps.
THERMOSTATS: dict[str, Integrator] = {
    'Langevin, friction 1': Langevin(TIME_STEP, 1.0, 1.0),
    'Langevin, friction 10': Langevin(TIME_STEP / 2, 1.0, 10.0),
    'SoftPushOff': SoftPushOff(TIME_STEP, 1.0, 1.0, 100.0),
    'ConstantVolume, 1 tau': ConstantVolume(TIME_STEP, 1.0, THERMOSTAT_TIME),
    WEAK: ConstantVolume(TIME_STEP, 1.0, 10.0),
}

NEUTRAL = Case(
    'neutral',
    'kremer_grest',
    {'M': 1.0},
    chains=20,
    steps=dict.fromkeys(THERMOSTATS, 250_000) | {WEAK: 1_000_000},
    volume_steps=300_000,
    pressures=(4.75, 5.25),
)
# As small as the box may be: bead-steps cost ten times more, and chains are not what is looked at.
# The soft push-off has no Coulomb forces, so it would do what it does in the neutral melt; and the
# weak thermostat takes 50 tau to each value, which is too long here.
IONIC = Case(
    'ionic',
    'isp',
    {'LSP': 0.5, 'DOPA': 0.5},
    chains=8,
    steps=dict.fromkeys(('Langevin, friction 1', 'ConstantVolume, 1 tau'), 82_000)
    | {'Langevin, friction 10': 40_000},
    volume_steps=200_000,
    pressures=(0.5, 1.1),
)


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
        for name in case.steps:
            yield Job(f'kinetic_{case.name}_{name}', partial(kinetic_energy, case, name))
        yield Job(f'drift_{case.name}', partial(drift, case))
    yield Job('potential_energy', potential_energy)
    yield Job(f'volume_{IONIC.name}', partial(volume_distribution, IONIC))


def kinetic_energy(case: Case, thermostat: str, engine: str) -> Iterator[Row]:
    """Mean and width of the kinetic energy at constant volume."""
    sample, integrator = case.sample(), THERMOSTATS[thermostat]
    # A weak thermostat takes its time to forget the start, and every value.
    if isinstance(integrator, Langevin | SoftPushOff):
        memory = 1 / integrator.friction
    else:
        memory = getattr(integrator, 'thermostat_time', 1.0)
    equilibration = round(EQUILIBRATION * max(1.0, memory))
    series = thermo_series(engine, sample, integrator, case.steps[thermostat], equilibration)
    apart = independent(series, TIMES_APART * memory, integrator.time_step)
    yield kinetic_energy_row(case, thermostat, integrator, sample, apart, engine)


def kinetic_energy_row(
    case: Case,
    name: str,
    integrator: Integrator,
    sample: Sample,
    series: dict[str, NDArray[np.float64]],
    engine: str,
) -> Row:
    """Kinetic energy of independent values against that of Maxwell and Boltzmann."""
    import physical_validation as pv

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
    temperatures = 2 * series['kinetic_energy'] / degrees
    temperature = float(np.mean(temperatures))
    error = 1.96 * float(np.std(temperatures, ddof=1)) / np.sqrt(len(temperatures))
    width_error = 1 / np.sqrt(2 * (len(temperatures) - 1))
    return judged(
        f'kinetic energy distribution, {name}, {case.name}',
        engine,
        'Maxwell-Boltzmann, kT = 1',
        f'mean {mean:.1f}, width {width:.1f} standard deviations off; kT = {temperature:.4f} '
        f'+- {error:.4f} ({values_in(series["kinetic_energy"])})',
        f'{DEVIATIONS}; standard error of the width, {width_error:.1%}, at most '
        f'{LARGEST_WIDTH_ERROR:.0%}',
        holds=worst([abs(mean), abs(width)]) < MOST_DEVIATIONS
        and width_error <= LARGEST_WIDTH_ERROR,
    )


def volume_distribution(case: Case, engine: str) -> Iterator[Row]:
    """Ratio of the volume distributions at two pressures."""
    sample, pair = case.sample(), []
    for pressure in case.pressures:
        integrator = ConstantPressure(TIME_STEP, 1.0, THERMOSTAT_TIME, pressure, BAROSTAT_TIME)
        series = thermo_series(
            engine, sample, integrator, case.volume_steps, equilibration=10_000, seed=7
        )
        apart = independent(series, TIMES_APART * THERMOSTAT_TIME)
        pair.append(simulation_data('NPT', apart, sample, 1.0, pressure=pressure))
        name = f'ConstantPressure at {pressure}'
        yield kinetic_energy_row(case, name, integrator, sample, apart, engine)
        mean = mean_with_interval(
            np.mean([series[f'pressure_{axis}'] for axis in ('xx', 'yy', 'zz')], axis=0)
        )
        yield judged(
            f'mean pressure, ConstantPressure, {case.name}',
            engine,
            f'{pressure} (asked for)',
            f'{mean.value:.4f} +- {half_width(mean):.4f}',
            f'{MOST_HALF_WIDTHS:.1f} half-widths, which are {MOST_DEVIATIONS} standard errors',
            holds=mean.is_converged
            and mean.value is not None
            and abs(mean.value - pressure) < MOST_HALF_WIDTHS * half_width(mean),
        )
    low, high = case.pressures
    volumes = [data.observables.volume for data in pair]
    means = ' and '.join(f'{each.mean():.1f}' for each in volumes)
    yield ratio_row(
        f'volume distributions at pressures {low} and {high}, {case.name}',
        engine,
        'ln P2(V)/P1(V) linear in V with slope -(p2 - p1)/kT',
        pair,
        volumes,
        low - high,
        f'; mean volumes {means} ({values_in(volumes[0])})',
    )


def ratio_row(
    claim: str,
    engine: str,
    reference: str,
    pair: Sequence[Any],
    series: Sequence[NDArray[np.float64]],
    expected: float,
    more: str = '',
) -> Row:
    """The slope of the logarithm of the ratio of two distributions against what it must be."""
    import physical_validation as pv

    quantiles = quietly(
        pv.ensemble.check,
        *pair,
        verbosity=0,
        bootstrap_seed=1,
        bootstrap_error=False,
        data_is_uncorrelated=True,
    )
    slope, error = slope_of_ratio(series[0], series[1], expected)
    deviation = abs(slope - expected) / error
    return judged(
        claim,
        engine,
        f'{reference} = {expected:.4g}',
        f'slope {slope:.4f} +- {1.96 * error:.4f}, {deviation:.1f} standard deviations off '
        f'(physical_validation: {abs(quantiles[0]):.1f}){more}',
        f'{DEVIATIONS}; standard error at most {LARGEST_SLOPE_ERROR:.0%} of the slope',
        holds=worst([deviation, abs(quantiles[0])]) < MOST_DEVIATIONS
        and error <= LARGEST_SLOPE_ERROR * abs(expected),
    )


def potential_energy(engine: str) -> Iterator[Row]:
    """Ratio of the potential energy distributions at two temperatures."""
    sample, pair = NEUTRAL.sample(), []
    for kT in (1.0, 1.1):
        series = thermo_series(engine, sample, ConstantVolume(TIME_STEP, kT, 1.0), 250_000)
        series = independent(series, TIMES_APART)
        pair.append(simulation_data('NVT', series, sample, kT))
    yield ratio_row(
        'potential energy distributions at kT 1.0 and 1.1, ConstantVolume, neutral',
        engine,
        'ln P2(U)/P1(U) linear in U with slope 1/kT1 - 1/kT2',
        pair,
        [data.observables.potential_energy for data in pair],
        1 - 1 / 1.1,
    )


def order_of_the_error(name: str, engine: str) -> Iterator[Row]:
    """Power of the time step with which the energy error grows, in systems with smooth forces.

    The isp model is not among them: its pair forces are cut at 2.5 sigma, where they jump, and
    each jump is an error of the first order. Its own measure is the drift.
    """
    if name == 'neutral':
        sample = settled(NEUTRAL.sample(), engine, SMALL_COULOMB_ERROR)
        time_steps, accuracy = (0.0025, 0.005, 0.01), SMALL_COULOMB_ERROR
    else:
        # The cut of the real-space sum is a jump too: small at this error.
        time_steps, accuracy = (0.0015, 0.003, 0.006), 1e-5
        sample = settled(ion_liquid(300, 0.4, 4.0, 1_000), engine, accuracy)
    import physical_validation as pv

    duration, errors, runs = 20.0, [], []
    for dt in time_steps:
        series = thermo_series(
            engine, sample, ConstantEnergy(dt), round(duration / dt), 0, 1, accuracy=accuracy
        )
        total = series['kinetic_energy'] + series['potential_energy']
        time = series['step'] * dt
        # The drift has a row of its own.
        residual = total - np.polyval(np.polyfit(time, total, 1), time)
        errors.append(float(np.std(residual)))
        data = simulation_data('NVE', series, sample, None)
        data.observables.constant_of_motion, data.dt = residual, dt
        runs.append(data)
    deviation = float(quietly(pv.integrator.convergence, runs, verbose=False))
    order = float(np.polyfit(np.log(time_steps), np.log(errors), 1)[0])
    yield judged(
        f'order of the energy error, ConstantEnergy, {name}',
        engine,
        '2 (velocity Verlet)',
        f'{order:.2f} over time steps {", ".join(map(str, time_steps))}; ratios of errors at most '
        f'{deviation:.0%} off those of the squared steps (physical_validation)',
        f'{MOST_OFF_ORDER} in the order, {2**MOST_OFF_ORDER - 1:.0%} in the ratios, which is the '
        'same: one trajectory, and the next order shows at the longest step',
        holds=abs(order - 2) < MOST_OFF_ORDER and deviation < 2**MOST_OFF_ORDER - 1,
    )


def drift(case: Case, engine: str) -> Iterator[Row]:
    """Drift of the energy at the time step that is used."""
    sample = settled(case.sample(), engine, SMALL_COULOMB_ERROR)
    series = thermo_series(
        engine,
        sample,
        ConstantEnergy(TIME_STEP),
        20_000,
        0,
        log_period=10,
        accuracy=SMALL_COULOMB_ERROR,
    )
    total = series['kinetic_energy'] + series['potential_energy']
    total /= int(sample.frame.particles.N)
    time = series['step'] * TIME_STEP
    slope = float(np.polyfit(time, total, 1)[0])
    # Of the parts: each has a longer lever arm in the whole, by the power 3/2 of their number.
    parts = np.array_split(np.arange(len(time)), 8)
    spread = [float(np.polyfit(time[part], total[part], 1)[0]) for part in parts]
    quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(parts) - 1))
    error = quantile * float(np.std(spread, ddof=1)) / len(parts) ** 1.5
    limit = 1e-4
    yield judged(
        f'energy drift, ConstantEnergy, time step {TIME_STEP}, {case.name}',
        engine,
        '0',
        f'{slope:.1e} +- {error:.0e} kT per bead and tau',
        f'{limit:g}, less the half-width: a thermostat of 10 tau then stays within 0.1 % of its '
        'temperature',
        holds=abs(slope) + error < limit,
    )


def independent(
    series: dict[str, NDArray[np.float64]], time_apart: float, time_step: float = TIME_STEP
) -> dict[str, NDArray[np.float64]]:
    """Rows of a series that are `time_apart`, so far that each is a new draw."""
    stride = round(time_apart / (time_step * LOG_PERIOD))
    return {name: values[::stride] for name, values in series.items()}


def values_in(series: NDArray[np.float64]) -> str:
    """How many values there are, and whether they are independent."""
    return f'{len(series)} values, autocorrelation {autocorrelation(series):.2f}'


def settled(sample: Sample, engine: str, accuracy: float) -> Sample:
    """The sample after some time at kT = 1."""
    return sample.moved(engine, Langevin(TIME_STEP, 1.0, 1.0), 4_000, sample.mesh(accuracy), 2)
