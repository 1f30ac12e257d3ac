"""Figures of a sweep, as PDF, PNG, SVG and CSV: panels of quantities, and curves."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.estimators.estimate import Curve, mean_curve
from analysis.observable import Panel
from analysis.observables import OBSERVABLES
from analysis.plotting import (
    COLOURS,
    MARKERS,
    STYLE,
    label_axes,
    label_short_axis,
    new_figure,
    plot_curve,
)
from user_input import UserError, nearest_name
from workflow.process import in_parallel
from workflow.results.aggregate import Row
from workflow.results.axis import value_text
from workflow.results.series import Series
from workflow.results.tables import write_csv

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Viridis without its lightest end, which does not show on white.
DARK_PART_OF_VIRIDIS = 0.88
PNG_DPI = 200
# One panel is as wide as one column of a journal, two as a page.
MOST_COLUMNS = 2
COLUMN_WIDTH, ROW_HEIGHT, MARGIN = 3.35, 2.7, 0.04
# Intervals of two replicas can span decades: the axes follow the values.
ROOM_ON_LOG_AXIS = 2.5
OVERVIEW = 'overview'

_POINTS = (
    'Symbols are means over replicas with 95 % intervals, which may run out of the axes; small '
    'dots are single runs; open symbols are not converged; arrows begin at bounds.'
)
_RANGE = 'Lines are means over replicas; shades are the range of the replicas, not an error.'
_DATA = ('panel', 'of', 'x', 'y', 'low', 'high', 'verdict')


@dataclass(frozen=True)
class SweepFigure:
    """A figure on disk, STEM.pdf, .png, .svg, its data as .csv, and how it is to be read."""

    stem: str
    observable: str  # by name; 'overview' for the figure of several
    title: str
    caption: str


@dataclass(frozen=True)
class Drawing:
    """Something to be drawn on one pair of axes, and what it shows: rows, or curves by state."""

    name: str  # of a panel, or OBSERVABLE:CURVE
    title: str
    is_key: bool
    draw: Callable[[Axes], None]
    rows: tuple[Row, ...] = ()
    curves: tuple[tuple[float, Curve], ...] = ()


def write_figures(
    folder: Path, many: Sequence[Series], overview: Sequence[str] | None, is_complete: bool
) -> list[SweepFigure]:
    """Draw all figures of a sweep into an existing folder.

    The first shows what `overview` names, by default the key results; UserError if a complete
    sweep does not have it.
    """
    drawings = [all_drawings(series) for series in many]
    if overview is not None and is_complete:
        check_overview(overview, itertools.chain.from_iterable(drawings))
    written, tasks = [], []
    for number, (series, every) in enumerate(zip(many, drawings, strict=True)):
        for stem, observable, title, chosen in _figures(every, overview):
            if not chosen:
                continue
            name = stem if len(many) == 1 else f'{stem}-{number + 1}'
            tasks.append(partial(_write_figure, folder / name, series, chosen))
            captions = dict.fromkeys(_POINTS if each.rows else _RANGE for each in chosen)
            written.append(SweepFigure(name, observable, title + series.where, ' '.join(captions)))
    in_parallel(tasks)
    return written


def _write_figure(path: Path, series: Series, drawings: Sequence[Drawing]) -> None:
    from matplotlib import rc_context

    with rc_context(STYLE):
        save_figure(draw_grid(series, drawings), path)
    write_csv(path.with_name(f'{path.name}.csv'), _DATA, _data(series, drawings))


def all_drawings(series: Series) -> list[Drawing]:
    """List all that can be drawn of a series: panels of each observable, then its curves."""
    found = []
    for observable in OBSERVABLES:
        rows = [row for row in series.rows if row.observable == observable.name]
        panels = {row.quantity.panel.name: row.quantity.panel for row in rows if row.quantity.panel}
        for panel in panels.values():
            shown = tuple(row for row in rows if row.quantity.panel == panel)
            is_key = any(row.quantity.is_key for row in shown)
            draw = partial(draw_panel, series=series, panel=panel, rows=shown)
            found.append(Drawing(panel.name, panel.name, is_key, draw, shown))
        curves = [_mean_curves(state.results, observable.name) for state in series.states]
        keys = {row.quantity.label for row in rows if row.quantity.is_key}
        for name in dict.fromkeys(name for each in sorted(curves, key=len)[::-1] for name in each):
            of_states = [(k, each[name]) for k, each in enumerate(curves) if name in each]
            draw = partial(draw_curves, series=series, curves=of_states)
            shown_curves = tuple((series.places[k], curve) for k, curve in of_states)
            full_name = f'{observable.name}:{name}'
            found.append(Drawing(full_name, name, name in keys, draw, curves=shown_curves))
    return found


def check_overview(overview: Sequence[str], drawings: Iterable[Drawing]) -> None:
    """Refuse, as a UserError, an overview that names what cannot be drawn."""
    known = {drawing.name for drawing in drawings}
    for name in overview:
        if name not in known:
            raise UserError(
                f"report.overview: no panel or curve of the results is named '{name}'. "
                f'{nearest_name(name, known)}'
            )


def draw_titled(panels: Sequence[tuple[str, Callable[[Axes], None]]]) -> Figure:
    """Draw panels with their titles, in rows of up to 2."""
    n_columns = min(MOST_COLUMNS, len(panels))
    n_rows = -(-len(panels) // n_columns)
    figure = new_figure(COLUMN_WIDTH * n_columns, ROW_HEIGHT * n_rows + 0.5)
    axes = figure.subplots(n_rows, n_columns, squeeze=False)
    for ax, (title, draw) in zip(axes.flat, panels, strict=False):
        draw(ax)
        ax.set_title(title)
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    return figure


def draw_grid(series: Series, drawings: Sequence[Drawing]) -> Figure:
    """Draw in rows of up to 2, with one legend for the states and the symbols of all."""
    figure = draw_titled([(each.title, each.draw) for each in drawings])
    if series.label:
        figure.suptitle(series.label, fontsize=9)
    has_curves = any(not drawing.rows for drawing in drawings)
    rows = [row for drawing in drawings for row in drawing.rows]
    handles = (_state_handles(series) if has_curves else []) + _symbol_handles(rows)
    if handles:
        figure.legend(
            handles=handles,
            title=series.axis.label if has_curves else None,
            loc='outside lower center',
            ncols=max(2, int(2.2 * figure.get_figwidth())) if len(handles) > 2 else len(handles),
            columnspacing=1.2,
            handlelength=1.4,
        )
    return figure


def draw_panel(ax: Axes, series: Series, panel: Panel, rows: Sequence[Row]) -> None:
    """Draw values with intervals of the quantities of a panel against the axis of the series.

    Small dots are single runs. Open symbols are not converged; an arrow points up from a lower
    bound, down from an upper one.
    """
    labels = {row.quantity.name: row.quantity.label for row in rows}
    places = series.places
    width = max(places) - min(places)
    for k, (name, label) in enumerate(labels.items()):
        colour, marker = COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)]
        points = series.along(name)
        runs = [
            (place, each.estimate.value)
            for place, row in points
            for each in row.by_replica.values()
            if each.estimate.value is not None
        ]
        ax.plot(*np.array(runs).reshape(-1, 2).T, '.', color=colour, alpha=0.45, ms=2.5)
        line = [(x, row.estimate.value) for x, row in points if row.estimate.value is not None]
        ax.plot(*np.array(line).reshape(-1, 2).T, '-', color=colour, alpha=0.5, lw=1.0)
        ax.plot([], [], marker + '-', color=colour, label=label or name)
        for x, row in points:
            _draw_point(ax, x, row, colour, marker)
    room = 0.06 * width or 0.1
    if not width:
        ax.set_xticks(places[:1], [value_text(places[0])])
    # Panels of one sweep share their axis, whichever states have the quantity.
    ax.set(
        xlabel=series.axis.label, xlim=(min(places) - room, max(places) + room), ylabel=panel.label
    )
    if not any(row.estimate.value is not None or row.estimate.is_bound for row in rows):
        ax.text(0.5, 0.5, 'no value', transform=ax.transAxes, ha='center', color='0.4')
        ax.set_yticks([])
    if panel.limits is not None:
        ax.set_ylim(panel.limits)
    if panel.scale == 'log':
        _scale_log(ax, rows)
    if any(labels.values()):
        below: dict[str, Any] = {'loc': 'upper center', 'bbox_to_anchor': (0.5, -0.2), 'ncols': 2}
        ax.legend(columnspacing=1.2, handlelength=1.6, **below)


def draw_curves(ax: Axes, series: Series, curves: Sequence[tuple[int, Curve]]) -> None:
    """Draw a curve for each numbered state: mean of the replicas and, shaded, their range."""
    colours = rank_colours(len(series.states))
    for k, curve in curves:
        if np.isfinite(curve.value).any():
            plot_curve(ax, curve, colours[k], '.', value_text(series.places[k]))
    label_axes(ax, curves[0][1])


def _data(series: Series, drawings: Sequence[Drawing]) -> Iterator[tuple[Any, ...]]:
    """List all that a figure shows: points of panels, and of curves by their state."""
    for drawing in drawings:
        for row in drawing.rows:
            found, label = row.quantity.estimate, row.quantity.label or row.quantity.name
            place = row.place[series.axis.column]
            yield drawing.title, label, place, found.value, found.low, found.high, found.verdict
        for place, curve in drawing.curves:
            unknown = np.full(len(curve.x), np.nan)
            low = unknown if curve.low is None else curve.low
            high = unknown if curve.high is None else curve.high
            for values in zip(curve.x, curve.value, low, high, strict=True):
                yield drawing.title, series.axis.text(place), *map(float, values), ''


def _figures(
    every: Sequence[Drawing], overview: Sequence[str] | None
) -> Iterable[tuple[str, str, str, list[Drawing]]]:
    """List stem, observable, title and content of each figure."""
    by_name = {drawing.name: drawing for drawing in every}
    chosen = [by_name[name] for name in overview or () if name in by_name]
    if overview is None:
        chosen = [drawing for drawing in every if drawing.is_key]
    yield OVERVIEW, OVERVIEW, 'Key results', chosen
    for observable in OBSERVABLES:
        name, title = observable.name, observable.title
        yield name, name, title, [d for d in every if d.rows and d.rows[0].observable == name]
        curves = [drawing for drawing in every if drawing.name.startswith(f'{name}:')]
        yield f'{name}_curves', name, f'{title}, curves', curves


def _mean_curves(results: Sequence[Any], observable: str) -> dict[str, Curve]:
    by_name: dict[str, list[Curve]] = {}
    for result in results:
        for name, curve in result.curves(observable).items():
            if len(curve.x):
                by_name.setdefault(name, []).append(curve)
    means = {name: mean_curve(each) for name, each in by_name.items()}
    return {name: curve for name, curve in means.items() if len(curve.x)}


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PATH.png, .svg and .pdf."""
    # Laid out once: all files then show the same, and the others cost less.
    layout = figure.get_layout_engine()
    assert layout is not None  # `new_figure` gives one
    layout.execute(figure)
    figure.set_layout_engine(None)  # with any, each file would be drawn twice
    # Ticks follow the size that the layout gives, and may then reach beyond the figure.
    style: dict[str, Any] = {'bbox_inches': figure.get_tightbbox().padded(MARGIN)}
    figure.savefig(f'{path}.png', dpi=PNG_DPI, metadata={'Software': None}, **style)
    figure.savefig(f'{path}.svg', metadata={'Date': None}, **style)
    figure.savefig(f'{path}.pdf', metadata={'CreationDate': None}, **style)


def _draw_point(ax: Axes, x: float, row: Row, colour: str, marker: str) -> None:
    estimate = row.estimate
    face = colour if row.is_converged else 'white'
    style: dict[str, Any] = {'color': colour, 'mfc': face, 'mec': colour, 'mew': 1.2}
    if estimate.value is not None:
        if estimate.low is not None and estimate.high is not None:
            ax.vlines(x, estimate.low, estimate.high, color=colour, lw=1.2)
        ax.plot([x], [estimate.value], marker, **style)
    elif estimate.is_bound:
        is_lower = estimate.low is not None
        bound: Any = estimate.low if is_lower else estimate.high
        arrow = {'arrowstyle': '<|-', 'color': colour, 'lw': 1.2, 'shrinkA': 0, 'shrinkB': 0}
        end = (0, 17 if is_lower else -17)
        ax.annotate('', (x, bound), end, textcoords='offset points', arrowprops=arrow)
        ax.plot([x], [bound], marker, **style)


def _scale_log(ax: Axes, rows: Iterable[Row]) -> None:
    values = [
        end
        for e in (row.estimate for row in rows)
        for end in ([e.value] if e.value is not None else [e.low, e.high])
        if end is not None and end > 0
    ]
    if values:
        ax.set_yscale('log')
        ax.set_ylim(min(values) / ROOM_ON_LOG_AXIS, max(values) * ROOM_ON_LOG_AXIS)
        label_short_axis(ax.yaxis, *ax.get_ylim())


def rank_colours(n: int) -> list[Any]:
    """Choose a colour for each of n states, in the order of the axis.

    By rank: a sweep is dense where something happens, and colours by value would merge there.
    """
    from matplotlib import colormaps

    return [colormaps['viridis'](rank) for rank in np.linspace(0, DARK_PART_OF_VIRIDIS, n)]


def _state_handles(series: Series) -> list[Any]:
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], color=colour, lw=2, label=value_text(place))
        for place, colour in zip(series.places, rank_colours(len(series.places)), strict=True)
    ]


def _symbol_handles(rows: Sequence[Row]) -> list[Any]:
    """Explain open symbols and arrows, where there are any."""
    from matplotlib.lines import Line2D

    drawn = [row for row in rows if row.estimate.value is not None or row.estimate.is_bound]
    grey: dict[str, Any] = {'color': '0.4', 'mec': '0.4', 'ls': 'none'}
    handles = []
    if any(not row.is_converged for row in drawn):
        handles.append(Line2D([], [], marker='o', mfc='white', label='open: not converged', **grey))
    if any(row.estimate.is_bound for row in drawn):
        handles.append(Line2D([], [], marker=r'$\uparrow$', label='arrow: bound only', **grey))
    return handles
