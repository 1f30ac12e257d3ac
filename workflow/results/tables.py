"""Results of a sweep as tables: CSV files, and key results for the terminal and the report."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from analysis.estimators.estimate import Estimate
from analysis.observable import Quantity
from analysis.observables import OBSERVABLES
from workflow.jobs.atomic_writes import replacing
from workflow.results.aggregate import Row, SweepTable
from workflow.results.axis import Axis, value_text

# Wide enough that no cell of plain text wraps.
PLAIN_WIDTH = 240
SIGNIFICANT_DIGITS = 6
SMALLEST_FIXED = 1e-2
NOT_CONVERGED = '*'
EMPTY = '-'
_COLUMNS = ('quantity', 'unit', 'mean', 'ci95_low', 'ci95_high', 'n_replicas', 'converged')
_RUN_COLUMNS = ('quantity', 'unit', 'value', 'ci95_low', 'ci95_high', 'n_effective', 'verdict')


@dataclass(frozen=True)
class KeyTable:
    """One table of key results: its title, names of the columns, and cells of each state.

    The title has the unit where all columns share one.
    """

    title: str
    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


def write_summary(path: Path, table: SweepTable, more: Sequence[Row] = ()) -> None:
    """Write the rows as CSV, and more that have no place on some of the axes."""
    leading, others = _place_columns(table)
    lines = []
    for row in (*table.rows, *more):
        quantity, estimate = row.quantity, row.estimate
        found = (quantity.name, quantity.unit, estimate.value, estimate.low, estimate.high)
        first, last = ([row.place.get(name) for name in names] for names in (leading, others))
        lines.append([table.name, *first, *found, row.n_replicas, row.is_converged, *last])
    write_csv(path, ['sweep', *leading, *_COLUMNS, *others], lines)


def write_values_by_run(path: Path, table: SweepTable) -> None:
    """Write what each run gave of each quantity, with its interval within the run, as CSV."""
    leading, others = _place_columns(table)
    lines = []
    for state in table.states:
        first, last = ([state.place[name] for name in names] for names in (leading, others))
        for result in state.results:
            run = (result.state_point['replica'], result.job)
            for name in result.outcomes:
                for quantity in result.quantities(name):
                    found = quantity.estimate
                    values = (found.value, found.low, found.high, found.n_effective, found.against)
                    lines.append([*first, *run, quantity.name, quantity.unit, *values, *last])
    write_csv(path, [*leading, 'replica', 'job', *_RUN_COLUMNS, *others], lines)


def write_csv(path: Path, header: Sequence[str], lines: Iterable[Iterable[Any]]) -> None:
    """Write a table as CSV, under a temporary name until it is whole."""
    with (
        replacing(path) as temporary,
        open(temporary, 'w', newline='', encoding='utf-8') as file,
    ):
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(header)
        writer.writerows([_cell(value) for value in line] for line in lines)


def _place_columns(table: SweepTable) -> tuple[list[str], list[str]]:
    """Divide the axes of a sweep into those that come first in a file, and the others."""
    columns = list(table.states[0].place) if table.states else []
    leading = [name for name in dict.fromkeys((table.axis.column, 'kT')) if name in columns]
    return leading, [name for name in columns if name not in leading]


def key_tables(table: SweepTable) -> list[KeyTable]:
    """Make one table for each observable with key results."""
    key_rows = [row for row in table.rows if row.quantity.is_key]
    return [
        _key_table(observable.title, rows, table.axis)
        for observable in OBSERVABLES
        if (rows := [row for row in key_rows if row.observable == observable.name])
    ]


def column_names(table: SweepTable) -> list[str]:
    """List the names of all axes of a sweep, for the head of a table."""
    place = table.states[0].place if table.states else {}
    return [_column_name(column, table.axis) for column in place]


def format_row(row: Row) -> str:
    """Write the value as `format_interval` does, marked where it is not converged."""
    mark = '' if row.is_converged else f' {NOT_CONVERGED}'
    return format_interval(row.estimate) + mark


def format_interval(estimate: Estimate) -> str:
    """Write '0.43 [0.38, 0.49]', '0.43' without interval, '> 120' or '< 120' for a bound.

    Small ones are written as '4.3e-5 [3.8e-5, 4.9e-5]'.
    """
    value, low, high = estimate.value, estimate.low, estimate.high
    if value is None:
        if low is not None:
            return f'> {low:.3g}'
        return EMPTY if high is None else f'< {high:.3g}'
    largest = max(abs(end) for end in (value, low, high) if end is not None)
    power = math.floor(math.log10(largest)) if 0 < largest < SMALLEST_FIXED else 0
    scale = 10.0**-power
    if low is None or high is None:
        return f'{value * scale:.3g}' + (f'e{power}' if power else '')
    places = _places((high - low) * scale / 2 or 1.0)
    if value:
        # Two digits of the value, however wide the interval.
        places = max(places, min(1 - math.floor(math.log10(abs(value * scale))), 3))
    is_narrow = power or not 0 < abs(value) < SMALLEST_FIXED
    first, *ends = (
        _fixed(each, places, power) if is_narrow else _short(each) for each in (value, low, high)
    )
    return f'{first} [{", ".join(ends)}]'


def print_key_tables(table: SweepTable, stream: TextIO) -> None:
    """Print the key results of a sweep: in colour on a terminal, else as plain text."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    tables = key_tables(table)
    is_terminal = stream.isatty()
    console = Console(file=stream, width=None if is_terminal else PLAIN_WIDTH, highlight=False)
    for each in tables:
        shown = Table(
            title=Text(each.title),
            title_justify='left',
            title_style='bold',
            box=box.SIMPLE_HEAD if is_terminal else box.MARKDOWN,
            padding=(0, 1),
        )
        for name in each.header:
            shown.add_column(Text(name), justify='right', overflow='fold')
        for line in each.lines:
            styles = ['yellow' if cell.endswith(NOT_CONVERGED) else '' for cell in line]
            cells = map(unbroken, line) if is_terminal else line
            shown.add_row(*map(Text, cells, styles))
        console.print(shown)
    for note in footnotes(tables):
        console.print(Text(note))


def footnotes(tables: Sequence[KeyTable]) -> list[str]:
    """List the lines below the tables."""
    if not tables:
        return ['No job has finished, or none has key results.']
    notes = [
        '[low, high]: 95 % interval over the n replicas, by the spread that states share; > and <: '
        'only a bound.'
    ]
    cells = (cell for table in tables for line in table.lines for cell in line)
    if any(cell.endswith(NOT_CONVERGED) for cell in cells):
        notes.append(
            f'{NOT_CONVERGED} not converged: the report says why, under "What is not converged".'
        )
    return notes


def _key_table(title: str, rows: Sequence[Row], axis: Axis) -> KeyTable:
    places = {tuple(row.place.values()): row.place for row in rows}
    by_place: dict[tuple[Any, ...], dict[str, Row]] = {}
    for row in rows:
        by_place.setdefault(tuple(row.place.values()), {})[row.quantity.name] = row
    # In the order of the state that has most.
    fullest = [*max(by_place.values(), key=len).values(), *rows]
    shown = {row.quantity.name: row.quantity for row in fullest}
    units = {quantity.unit for quantity in shown.values()}
    shared = units.pop() if len(units) == 1 else '1'
    columns = [
        name
        for name in rows[0].place
        if name == axis.column or len({place[name] for place in places.values()}) > 1
    ]
    lines = []
    for key, found in by_place.items():
        cells = [value_text(places[key][name]) for name in columns]
        cells += [format_row(found[name]) if name in found else EMPTY for name in shown]
        lines.append((*cells, str(max(row.n_replicas for row in found.values()))))
    header = (
        *(_column_name(column, axis) for column in columns),
        *(_quantity_name(quantity, shared) for quantity in shown.values()),
        'n',
    )
    return KeyTable(title if shared == '1' else f'{title} [{shared}]', header, tuple(lines))


def _column_name(column: str, axis: Axis) -> str:
    return axis.name if column == axis.column else column


def _quantity_name(quantity: Quantity, shared_unit: str) -> str:
    name = quantity.label or quantity.name
    return name if quantity.unit in ('1', shared_unit) else f'{name} [{quantity.unit}]'


def unbroken(cell: str) -> str:
    """Let a cell break, where it is narrow, before its interval only."""
    return cell.replace(', ', ',\N{NO-BREAK SPACE}').replace(' *', '\N{NO-BREAK SPACE}*')


def _places(value: float) -> int:
    """Count the decimal places up to the first digit of `value`."""
    return min(6, max(0, -math.floor(math.log10(abs(value)))))


def _fixed(value: float, places: int, power: int) -> str:
    """Write in units of 10^power; with two digits alone what is large, or would be zero."""
    text = f'{value * 10.0**-power:.{places}f}'
    if abs(value) >= 1e5 or (value and not float(text)):
        return _short(value)
    return f'{text}e{power}' if power else text


def _short(value: float) -> str:
    """Write with two digits, and an exponent without zeros before it."""
    return re.sub(r'e\+?(-?)0*', r'e\1', f'{value:.2g}')


def _cell(value: Any) -> str:
    if value is None:
        return ''
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, float):
        return f'{value:.{SIGNIFICANT_DIGITS}g}'
    return str(value)
