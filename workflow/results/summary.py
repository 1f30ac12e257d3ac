"""The chief results of a sweep as tables: the same ones for the terminal and the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from workflow.results.aggregate import AxisValue, SummaryRow, read_summary

# Wide enough that no cell of plain text wraps.
PLAIN_WIDTH = 240
NOT_CONVERGED = '*'
EMPTY = '-'

_CLUSTER_COLUMNS = {
    'percolation_probability_any': 'P(percolation)',
    'largest_cluster_fraction': 'largest cluster',
    'free_ion_fraction': 'free ions',
    'ion_coordination_number': 'coordination',
}
_SEGMENT_STEM = 'p2_time_'
_SCATTERING_COLUMNS = {'fs_time_all_peak': 'F_s(q*), all'}

Key = tuple[float, float, tuple[tuple[str, AxisValue], ...]]


@dataclass(frozen=True)
class ChiefTable:
    """One table of results.

    Attributes:
        title: What it shows, with the unit where all columns share one.
        header: Names of the columns.
        lines: Cells of each state, as many as the header has.
    """

    title: str
    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]

    @property
    def has_unconverged(self) -> bool:
        """Whether a cell is marked as not converged."""
        return any(cell.endswith(NOT_CONVERGED) for line in self.lines for cell in line)


def chief_tables(rows: Sequence[SummaryRow]) -> list[ChiefTable]:
    """The tables of ion clusters and of relaxation times; without results, none.

    Args:
        rows: All rows of a summary.
    """
    names = list(dict.fromkeys(row.quantity for row in rows))
    segments = {
        name: f'P2 {name.removeprefix(_SEGMENT_STEM)}'
        for name in names
        if name.startswith(_SEGMENT_STEM)
    }
    units = sorted({row.unit for row in rows if row.quantity in segments})
    times = (
        f'Mean relaxation times [{", ".join(units)}] of bond vectors (P2) and of positions (F_s)'
    )
    tables = [
        _table(
            'Ion clusters (largest cluster, free ions: fraction of all ions)',
            rows,
            _CLUSTER_COLUMNS,
        ),
        _table(times, rows, segments | _SCATTERING_COLUMNS),
    ]
    return [table for table in tables if table is not None]


def format_row(row: SummaryRow) -> str:
    """The value with its 95 % interval, '> 120' for a bound, marked where it is not converged."""
    mark = '' if row.converged else f' {NOT_CONVERGED}'
    return format_interval(row.mean, row.ci95_low, row.ci95_high) + mark


def format_interval(mean: float | None, low: float | None, high: float | None) -> str:
    """'0.43 [0.38, 0.49]', '0.43' without interval, '> 120' or '< 120' without a value."""
    if mean is None:
        if low is not None:
            return f'> {low:.3g}'
        return EMPTY if high is None else f'< {high:.3g}'
    if low is None or high is None:
        return f'{mean:.3g}'
    places = _places((high - low) / 2 or 1.0)
    if mean:
        # Two digits of the value, however wide the interval.
        places = max(places, min(1 - math.floor(math.log10(abs(mean))), 3))
    return f'{_fixed(mean, places)} [{_fixed(low, places)}, {_fixed(high, places)}]'


def axis_text(value: AxisValue) -> str:
    """A value of an axis as a table shows it."""
    return value if isinstance(value, str) else f'{value:.4g}'


def print_summary(path: Path, stream: TextIO) -> None:
    """Print the chief results of a summary file: in colour on a terminal, else as plain text.

    Args:
        path: A summary.csv.
        stream: Where to, such as `sys.stdout`.

    Raises:
        UserError: If the file is not a summary.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    tables = chief_tables(read_summary(path))
    is_terminal = stream.isatty()
    console = Console(file=stream, width=None if is_terminal else PLAIN_WIDTH, highlight=False)
    for chief in tables:
        table = Table(
            title=Text(chief.title),
            title_justify='left',
            title_style='bold',
            box=box.SIMPLE_HEAD if is_terminal else box.MARKDOWN,
            padding=(0, 1),
        )
        for name in chief.header:
            table.add_column(Text(name), justify='right', overflow='fold')
        for line in chief.lines:
            table.add_row(
                *(
                    Text(
                        _unbroken(cell) if is_terminal else cell,
                        style='yellow' if cell.endswith(NOT_CONVERGED) else '',
                    )
                    for cell in line
                )
            )
        console.print(table)
    for note in footnotes(tables):
        console.print(Text(note))


def footnotes(tables: Sequence[ChiefTable]) -> list[str]:
    """What stands below the tables."""
    if not tables:
        return ['No job has finished.']
    notes = [
        '[low, high]: 95 % interval over the n replicas (Student t; of logarithms for times); '
        '> and <: only a bound.'
    ]
    if any(table.has_unconverged for table in tables):
        notes.append(
            f'{NOT_CONVERGED} not converged: the report says why, under "What is not converged".'
        )
    return notes


def _table(title: str, rows: Sequence[SummaryRow], columns: Mapping[str, str]) -> ChiefTable | None:
    by_state: dict[Key, dict[str, SummaryRow]] = {}
    for row in rows:
        key = (row.lsp_fraction, row.kT, tuple(row.axes.items()))
        by_state.setdefault(key, {})[row.quantity] = row
    shown = {
        name: text for name, text in columns.items() if any(name in s for s in by_state.values())
    }
    if not shown:
        return None
    axes = list(dict.fromkeys(name for row in rows for name in row.axes))
    lines = []
    for (lsp_fraction, kT, values), found in by_state.items():
        n_replicas = max(row.n_replicas for row in found.values())
        cells = [f'{lsp_fraction:.3g}', f'{kT:.3g}', *(axis_text(v) for _, v in values)]
        cells += [format_row(found[name]) if name in found else EMPTY for name in shown]
        lines.append((*cells, str(n_replicas)))
    return ChiefTable(title, ('LSP', 'kT', *axes, *shown.values(), 'n'), tuple(lines))


def _unbroken(cell: str) -> str:
    """On a narrow terminal a cell breaks before its interval only."""
    return cell.replace(', ', ',\N{NO-BREAK SPACE}').replace(' *', '\N{NO-BREAK SPACE}*')


def _places(value: float) -> int:
    """Decimal places at which the first digit of `value` stands."""
    return min(6, max(0, -math.floor(math.log10(abs(value)))))


def _fixed(value: float, places: int) -> str:
    return f'{value:.2g}' if abs(value) >= 1e5 else f'{value:.{places}f}'
