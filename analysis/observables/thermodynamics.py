"""Density, temperature, pressure and energy."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analysis.arrays import FloatArray
from analysis.estimators.equilibration import detect_equilibration
from analysis.estimators.estimate import Estimate
from analysis.estimators.intervals import mean_with_interval
from analysis.observable import (
    NOT_NEGATIVE,
    UNLIMITED,
    Accumulator,
    Finished,
    Observable,
    Panel,
    Quantity,
)
from analysis.sampling.production import ENERGY
from analysis.sampling.run import Run

# Relative; less is within what the discretisation of time does to a kinetic temperature.
TEMPERATURE_TOLERANCE = 0.01

_DENSITY = Panel('density', r'density [$\sigma^{-3}$]')
_PRESSURE = Panel('pressure', r'pressure [$\epsilon/\sigma^3$]')
_ENERGY = Panel('energy', r'potential energy per bead [$\epsilon$]')
# Name: unit, limits, panel.
_QUANTITIES = {
    'density': ('sigma^-3', NOT_NEGATIVE, _DENSITY),
    'temperature': ('epsilon', NOT_NEGATIVE, None),
    'pressure': ('epsilon/sigma^3', UNLIMITED, _PRESSURE),
    'potential_energy_per_bead': ('epsilon', UNLIMITED, _ENERGY),
}

_FOLLOWS_ENERGY = ('pressure', 'potential_energy_per_bead')


@dataclass(frozen=True)
class ThermodynamicsResult:
    """Averages over the production part of the log.

    The number density of beads is that of the equilibration at constant pressure where there was
    one; the temperature is kinetic, for N beads without momentum of the whole; the pressure is the
    mean of the diagonal of its tensor.
    """

    density: Estimate
    temperature: Estimate
    pressure: Estimate
    potential_energy_per_bead: Estimate


@dataclass(frozen=True)
class Thermodynamics(Observable[ThermodynamicsResult]):
    """Means of the thermo log, with intervals from its blocks."""

    name = 'thermodynamics'
    title = 'Thermodynamics'
    definition = (
        'Means of the thermo log from where the potential energy is stationary (Chodera 2016, doi '
        '10.1021/acs.jctc.5b00784); density from the equilibration at constant pressure. '
        'Temperature is 2 E_kin / (3 N - 3), pressure the mean of the diagonal of the tensor; '
        'reduced units.'
    )
    result = ThermodynamicsResult
    panels = (_DENSITY.name, _PRESSURE.name, _ENERGY.name)
    names = tuple(_QUANTITIES)
    needs_log = True
    never_precise = {
        'density': 'is that of the equilibration: sampling at constant volume does not change it.'
    }

    def begin(self, run: Run) -> Accumulator[ThermodynamicsResult]:
        return Finished(_averages(run))

    def quantities(self, result: ThermodynamicsResult) -> list[Quantity]:
        return [
            Quantity(
                name,
                unit,
                getattr(result, name),
                limits=limits,
                panel=panel,
                is_key=name == 'density',
                follows=(ENERGY,) if name in _FOLLOWS_ENERGY else (),
            )
            for name, (unit, limits, panel) in _QUANTITIES.items()
        ]


def _averages(run: Run) -> ThermodynamicsResult:
    diagonal = ('pressure_xx', 'pressure_yy', 'pressure_zz')
    log = run.log('volume', 'kinetic_energy', 'potential_energy', *diagonal)
    n, production = len(run.topology.typeid), run.production
    series = {
        'temperature': 2 * log['kinetic_energy'] / (3 * n - 3),
        'pressure': np.mean([log[name] for name in diagonal], axis=0),
        'potential_energy_per_bead': log['potential_energy'] / n,
    }
    verdict = production.verdict
    found = {
        name: mean_with_interval(each[production.first_row :]) for name, each in series.items()
    }
    if verdict:
        found = {name: replace(each, verdict=verdict) for name, each in found.items()}
    if run.kT is not None:
        first = 0 if verdict else production.first_row
        found['temperature'] = _of_a_bath(series['temperature'][first:], run.kT)
    volume = log['volume'] if run.equilibration_volume is None else run.equilibration_volume
    return ThermodynamicsResult(density=_density(n, volume), **found)


def _of_a_bath(temperature: FloatArray, kT: float) -> Estimate:
    """Average a temperature that a thermostat keeps, whatever the energy still does.

    It is known, so neither a drift of the energy nor a slow thermostat makes it doubtful: only a
    mean that is off the bath has a verdict.
    """
    found = mean_with_interval(temperature)
    if found.value is None or found.low is None or found.high is None:
        return found
    is_off = abs(found.value - kT) > max(found.high - found.low, TEMPERATURE_TOLERANCE * kT)
    verdict = f'not that of the bath, {kT:g}' if is_off else ''
    return replace(found, verdict=verdict, interval_verdict='')


def _density(n_beads: int, volume: FloatArray) -> Estimate:
    if np.ptp(volume) == 0:  # a given density is what it is
        density = n_beads / float(volume[0])
        return Estimate(density, density, density)
    found = detect_equilibration(volume)
    estimate = mean_with_interval(n_beads / volume[found.start :])
    return estimate if found.is_equilibrated else replace(estimate, verdict=found.verdict)
