"""Results in real units, beside the reduced ones, where the model says what a unit is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from models.units import Units

if TYPE_CHECKING:  # `init` states units, and has no results
    from workflow.results.aggregate import Row, SweepTable


def in_real_units(table: SweepTable, units: Units) -> SweepTable:
    """Convert the rows of a sweep; those without a real unit are left out."""
    found = (real_row(row, units) for row in table.rows)
    return replace(table, rows=tuple(row for row in found if row is not None))


def real_row(row: Row, units: Units) -> Row | None:
    """Convert one row, without the values of its replicas; None if it has no real unit."""
    found = units.real(row.quantity.unit)
    if found is None:
        return None
    factor, unit = found
    scaled = row.estimate.mapped(lambda end: end * factor)
    return replace(row, quantity=replace(row.quantity, unit=unit, estimate=scaled), by_replica={})


def real_statement(units: Units, points: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """State what state points, as plain values, are in real units: names and values."""

    def each(key: str) -> list[float]:
        return sorted({float(point[key]) for point in points if point.get(key) is not None})

    def texts(values: Iterable[float], unit: str) -> str:
        factor, real = units.real(unit) or (1.0, unit)
        return ', '.join(f'{value:.4g} {unit} = {value * factor:.4g} {real}' for value in values)

    one = [texts([1.0], unit) for unit in ('sigma', 'epsilon', 'm', 'tau')]
    lengths = [
        f'{texts([length], "sigma")}, relative permittivity {units.permittivity(length):.3g}'
        for length in each('bjerrum_length')
        if length
    ]
    steps = sorted({float(point['protocol']['time_step']) for point in points})
    lines = {
        'Units': ', '.join(one),
        'Temperature': ', '.join(f'kT {kT:g} = {kT * units.kelvin:.4g} K' for kT in each('kT')),
        'Time step': ', '.join(
            f'{step:g} tau = {1e3 * step * units.picoseconds:.3g} fs' for step in steps
        ),
        'Bjerrum length at kT = 1': '; '.join(lengths),
        'Pressure': texts(each('pressure'), 'epsilon/sigma^3'),
    }
    return [(name, text) for name, text in lines.items() if text]
