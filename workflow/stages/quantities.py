"""The scalar results of a job under the names that tables and sweep files use."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from analysis.cluster_limits import CLUSTER_LIMITS
from user_input import UserError, nearest_name

UNLIMITED = (-math.inf, math.inf)
NOT_NEGATIVE = (0.0, math.inf)
FRACTION = (0.0, 1.0)


class Combination(StrEnum):
    """How the values of independent replicas are combined."""

    MEAN = 'mean'
    POSITIVE_TIME = 'positive time'
    PROPORTION = 'proportion'


@dataclass(frozen=True)
class Quantity:
    """One scalar result of one job.

    Attributes:
        name: As in tables and in `[protocol.sample.precision]`.
        unit: '1' where there is none.
        kind: How replicas combine.
        value: None where there is a bound or nothing at all.
        low: Lower end of the 95 % interval within the run, or None.
        high: Upper end of the 95 % interval within the run, or None.
        longer_than: A time is longer than this; else None.
        shorter_than: A time is shorter than this; else None.
        verdict: Empty, or what speaks against the value.
        limits: Values outside are impossible; so are ends of intervals.
    """

    name: str
    unit: str
    kind: Combination
    value: float | None = None
    low: float | None = None
    high: float | None = None
    longer_than: float | None = None
    shorter_than: float | None = None
    verdict: str = ''
    limits: tuple[float, float] = UNLIMITED


# Name in the results of `analysis.clusters`: name here, unit.
_CLUSTER_MEANS = {
    'number_average_size': ('number_average_cluster_size', 'ions'),
    'weight_average_size': ('weight_average_cluster_size', 'ions'),
    'largest_cluster_fraction': ('largest_cluster_fraction', '1'),
    'free_ion_fraction': ('free_ion_fraction', '1'),
    'coordination_number': ('ion_coordination_number', '1'),
    'percolation_dimension': ('percolation_dimension', '1'),
}
_PERCOLATION_AXES = ('x', 'y', 'z', 'any')
_THERMODYNAMIC = {
    'density': ('sigma^-3', NOT_NEGATIVE),
    'temperature': ('epsilon', NOT_NEGATIVE),
    'pressure': ('epsilon/sigma^3', UNLIMITED),
    'potential_energy_per_bead': ('epsilon', UNLIMITED),
}
_GROUPS = ('all', 'cations', 'anions')
# A slash would need quotes as a key of a TOML file.
_WAVE_NUMBERS = {'peak': 'peak', 'pi/sigma': 'pi_over_sigma'}

CLUSTER_NAMES = (
    *(name for name, _ in _CLUSTER_MEANS.values()),
    *(f'percolation_probability_{axis}' for axis in _PERCOLATION_AXES),
    'contact_distance',
)
THERMODYNAMIC_NAMES = tuple(_THERMODYNAMIC)
SCATTERING_NAMES = tuple(
    f'fs_{stem}_{group}_{q}'
    for stem in ('time', '1_over_e_time')
    for group in _GROUPS
    for q in _WAVE_NUMBERS.values()
)
BOND_TIME_STEMS = ('p1_time_', 'p2_time_', 'p1_1_over_e_time_', 'p2_1_over_e_time_')
_BOND_TIME = re.compile('(' + '|'.join(BOND_TIME_STEMS) + ')(?P<bond>.+)')


def known_names(bond_classes: Iterable[str]) -> tuple[str, ...]:
    """All names that a system with these bond types can have, ions or not.

    Args:
        bond_classes: Names of the bond types of the model.
    """
    bonds = tuple(f'{stem}{bond}' for stem in BOND_TIME_STEMS for bond in bond_classes)
    return CLUSTER_NAMES + bonds + SCATTERING_NAMES + THERMODYNAMIC_NAMES


_NEVER_PRECISE = {
    'density': 'is that of the equilibration: sampling at constant volume does not change it.',
    'contact_distance': 'has no interval within a run, so that no length would be enough.',
}


def check_precision_names(
    precision: Mapping[str, float], bond_classes: Iterable[str] | None = None
) -> None:
    """Check the names of a sweep's `[protocol.sample.precision]`.

    Args:
        precision: Requested relative half-width of the 95 % interval, by name.
        bond_classes: Names of the bond types of the model; without them any is accepted.

    Raises:
        UserError: If no result has one of the names.
    """
    classes = None if bond_classes is None else sorted(set(bond_classes))
    known = known_names(['<bond type>'] if classes is None else classes)
    for name in precision:
        if name in _NEVER_PRECISE:
            raise UserError(f"protocol.sample.precision: '{name}' {_NEVER_PRECISE[name]}")
        bond_time = _BOND_TIME.fullmatch(name)
        if name in known or (classes is None and bond_time is not None):
            continue
        raise UserError(
            f"protocol.sample.precision: no result is named '{name}'. {nearest_name(name, known)}"
        )


def relative_half_width(quantity: Quantity) -> float:
    """Half the 95 % interval within the run, relative to the value; inf where there is none.

    That of a proportion is absolute: its scale is 1, and a rare event has no small relative error.
    """
    return half_width(quantity.kind, quantity.value, quantity.low, quantity.high)


def half_width(
    kind: Combination, value: float | None, low: float | None, high: float | None
) -> float:
    """As `relative_half_width`, of any interval."""
    if value is None or low is None or high is None:
        return math.inf
    half = (high - low) / 2
    if kind is Combination.PROPORTION:
        return half
    return half / abs(value) if value else math.inf


def cluster_quantities(clusters: Mapping[str, Any]) -> list[Quantity]:
    """Scalars of an `IonClusters.as_dict()`; none for a system without ions."""
    if not clusters.get('n_ions'):
        return []
    # What speaks against the whole analysis speaks against each of its numbers.
    overall = str(clusters.get('verdict') or '')
    found = [
        _from_estimate(
            name,
            unit,
            Combination.MEAN,
            clusters['estimates'][key],
            overall,
            CLUSTER_LIMITS[key],
        )
        for key, (name, unit) in _CLUSTER_MEANS.items()
        if key in clusters['estimates']
    ]
    found += [
        _from_estimate(
            f'percolation_probability_{axis}',
            '1',
            Combination.PROPORTION,
            clusters['percolation'][axis],
            overall,
            FRACTION,
        )
        for axis in _PERCOLATION_AXES
        if axis in clusters['percolation']
    ]
    found.append(
        Quantity(
            'contact_distance',
            'sigma',
            Combination.MEAN,
            clusters['contact_distance'],
            limits=NOT_NEGATIVE,
        )
    )
    return found


def relaxation_quantities(relaxation: Mapping[str, Any]) -> list[Quantity]:
    """Times of a `SegmentalRelaxation.as_dict()`: mean and 1/e time of every curve."""
    unit = str(relaxation['time_unit'])
    curves = {('p1', bond): curve for bond, curve in relaxation['p1'].items()} | {
        ('p2', bond): curve for bond, curve in relaxation['p2'].items()
    }
    for group, by_q in relaxation['scattering'].items():
        for q, curve in by_q.items():
            curves['fs', f'{group}_{_WAVE_NUMBERS.get(q, q)}'] = curve
    found = []
    for (observable, rest), curve in curves.items():
        for stem, key in (('time', 'mean'), ('1_over_e_time', 'one_over_e')):
            name = f'{observable}_{stem}_{rest}'
            found.append(_from_time(name, unit, curve['decay'][key]))
    return found


def thermodynamic_quantities(thermodynamics: Mapping[str, Any]) -> list[Quantity]:
    """Scalars of a table of `Estimate.as_dict()` by name."""
    return [
        _from_estimate(name, unit, Combination.MEAN, thermodynamics[name], '', limits)
        for name, (unit, limits) in _THERMODYNAMIC.items()
        if name in thermodynamics
    ]


def _from_estimate(
    name: str,
    unit: str,
    kind: Combination,
    estimate: Mapping[str, Any],
    overall: str,
    limits: tuple[float, float],
) -> Quantity:
    verdict = estimate.get('verdict', '')
    # A mean at a limit is the same in every frame: it has no interval, and nothing is wrong.
    if estimate['mean'] in limits and estimate['low'] is None and estimate['n_effective'] == 1:
        verdict = ''
    return Quantity(
        name,
        unit,
        kind,
        estimate['mean'],
        _within(estimate['low'], limits),
        _within(estimate['high'], limits),
        verdict='; '.join(dict.fromkeys(v for v in (overall, verdict) if v)),
        limits=limits,
    )


def _from_time(name: str, unit: str, time: Mapping[str, Any]) -> Quantity:
    return Quantity(
        name,
        unit,
        Combination.POSITIVE_TIME,
        time['value'],
        time['low'],
        time['high'],
        time['longer_than'],
        time['shorter_than'],
        time['verdict'],
        NOT_NEGATIVE,
    )


def _within(value: float | None, limits: tuple[float, float]) -> float | None:
    return None if value is None else min(max(value, limits[0]), limits[1])
