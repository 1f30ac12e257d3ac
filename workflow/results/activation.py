"""Activation energies: fits over the temperatures of a sweep, one for all else that varies."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.arrays import FloatArray
from analysis.estimators.activation import (
    ARRHENIUS,
    ENOUGH_TEMPERATURES,
    Activation,
    fit_activation,
    middle_temperature,
)
from analysis.observable import Panel, Quantity
from workflow.results.aggregate import Row, State, SweepTable, not_converged
from workflow.results.axis import Key, Place, key_of, place_text
from workflow.results.claims import ACTIVATION_ENERGY
from workflow.results.relation import Relation
from workflow.results.series import Series, all_series
from workflow.sweep.sweep_file import ActivationTable

NAME, TITLE = ACTIVATION_ENERGY, 'Activation energy'
DEFINITION = (
    'E_a = -d ln x/d(1/kT) = B kT^2/(kT - T0)^2, in epsilon, at {at} of {quantity}. Fits of ln x '
    'against kT over the replicas: VTF, ln x = a - B/(kT - T0), or Arrhenius, T0 = 0, by the lower '
    'AICc. The interval of E_a is the profile likelihood of a curve that may bend, whatever the '
    'law is. The Coulomb energy does not change with kT: bjerrum_length is that at kT = 1, and '
    'l_B kT is held constant, as at a constant permittivity, so E_a lacks what a permittivity that '
    'falls with temperature would add.'
)
_KT = 'kT'
_PANEL = Panel(TITLE, r'$E_\mathrm{a}$ [$\epsilon$]')


@dataclass(frozen=True)
class Fit:
    """What one group of states that differ in kT alone gives.

    Attributes:
        place: Of the group, without kT.
        rows: Of the quantity, by rising kT.
        fit: Of -ln x where x is a time or a viscosity.
    """

    place: Place
    rows: tuple[Row, ...]
    fit: Activation
    energy: Row


@dataclass(frozen=True)
class Activations:
    """All fits of a sweep.

    Attributes:
        refusals: Why there is none, with where.
    """

    quantity: str
    at: float
    fits: tuple[Fit, ...]
    refusals: Mapping[str, str]

    @property
    def rows(self) -> list[Row]:
        """The activation energies, at places without kT."""
        return [each.energy for each in self.fits]

    @property
    def definition(self) -> str:
        """What is fitted."""
        return DEFINITION.format(at=f'kT = {self.at:g}', quantity=self.quantity)

    def series(self, table: SweepTable) -> list[Series]:
        """Bring them along the axis of the sweep, as states without kT and jobs."""
        on_axis = [each for each in self.fits if table.axis.column in each.place]
        states = tuple(State(each.place, ()) for each in on_axis)
        energies = tuple(each.energy for each in on_axis)
        return all_series(SweepTable(table.name, table.axis, states, energies)) if states else []

    def relations(self, table: SweepTable) -> Iterator[Relation]:
        """List energy, law and its constants."""
        for each in self.fits:
            where, n = place_text(each.place, table.axis), len(each.rows)
            about = (self.quantity, '', where)
            found = each.energy.estimate
            yield Relation(NAME, *about, 'epsilon', found, n, each.fit.law)
            if each.fit.law == ARRHENIUS:
                constant = each.fit.constant
                yield Relation('arrhenius_energy', *about, 'epsilon', constant, n, ARRHENIUS)
            if each.fit.law:
                strength, t0 = each.fit.strength, each.fit.t0
                yield Relation('vtf_strength', *about, 'epsilon', strength, n, each.fit.law)
                yield Relation('vtf_temperature', *about, 'epsilon', t0, n, each.fit.law)


def find_activations(table: SweepTable, asked: ActivationTable) -> Activations | None:
    """Fit a quantity against kT for all else that varies; None where no state has it."""
    groups: dict[Key, list[Row]] = {}
    for row in table.rows:
        if row.quantity.name == asked.quantity:
            groups.setdefault(key_of(row.place, _KT), []).append(row)
    if not groups:
        return None
    known = {float(row.place[_KT]) for rows in groups.values() for row in rows}
    at = middle_temperature(np.array(sorted(known))) if asked.at is None else asked.at
    fits: list[Fit] = []
    refused: dict[str, list[str]] = {}
    for key, rows in groups.items():
        place = dict(key)
        ordered = tuple(sorted(rows, key=lambda row: float(row.place[_KT])))
        found = _fit(place, ordered, at)
        if isinstance(found, Fit):
            fits.append(found)
        else:
            refused.setdefault(found, []).append(place_text(place, table.axis))
    refusals = {why: '; '.join(filter(None, where)) for why, where in refused.items()}
    return Activations(asked.quantity, at, tuple(fits), refusals)


def is_slowness(quantity: Quantity) -> bool:
    """Check whether a quantity is a time, or as a viscosity in proportion to one."""
    return bool({'tau', 'steps'} & set(quantity.unit.partition('/')[0].split()))


def logarithms(row: Row) -> dict[int, float]:
    """Return ln x, or -ln x of a time or viscosity, of the replicas whose value is positive."""
    sign = -1 if is_slowness(row.quantity) else 1
    return {
        replica: sign * math.log(each.estimate.value)
        for replica, each in row.by_replica.items()
        if each.estimate.value is not None and each.estimate.value > 0
    }


def _fit(place: Place, rows: Sequence[Row], at: float) -> Fit | str:
    """Fit the states of one group, or say why not."""
    values = {float(row.place[_KT]): found for row in rows if (found := logarithms(row))}
    if len(values) < 2:
        many = 'one temperature' if values else 'no temperature'
        return f'{many} with a positive value, and a fit needs {ENOUGH_TEMPERATURES}'
    if not min(values) <= at <= max(values):
        return f'kT = {at:g} is outside of the temperatures that have a value'
    fit = fit_activation(*_arrays(values), at)
    reasons = [fit.energy.verdict] if fit.energy.verdict else []
    if missing := len(rows) - len(values):
        reasons.append(f'{missing} of {len(rows)} temperatures have no positive value')
    reasons += not_converged([row.is_converged for row in rows], 'temperatures')
    by_replica = dict(_by_replica(values, at))
    estimate = replace(fit.energy, verdict='; '.join(reasons), n_effective=float(len(by_replica)))
    label, unit = f'at kT = {at:g}', 'epsilon'
    energy = Quantity(NAME, unit, estimate, panel=_PANEL, label=label, is_key=True)
    replicas = {r: replace(energy, estimate=each.energy) for r, each in by_replica.items()}
    return Fit(place, tuple(rows), fit, Row(place, 'activation', energy, replicas))


def _by_replica(
    values: Mapping[float, Mapping[int, float]], at: float
) -> Iterator[tuple[int, Activation]]:
    """Fit each replica alone: over the temperatures it is independent of the others."""
    for replica in sorted({replica for each in values.values() for replica in each}):
        own = {kT: {replica: each[replica]} for kT, each in values.items() if replica in each}
        enough = min(ENOUGH_TEMPERATURES, len(values))
        if len(own) >= enough and min(own) <= at <= max(own):
            yield replica, fit_activation(*_arrays(own), at)


def _arrays(values: Mapping[float, Mapping[int, float]]) -> tuple[FloatArray, FloatArray]:
    pairs = [(kT, value) for kT, each in values.items() for value in each.values()]
    temperature, logarithm = np.array(pairs).T
    return temperature, logarithm
