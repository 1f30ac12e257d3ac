"""Figures of what several states of a sweep tell together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.estimators.estimate import Estimate
from analysis.plotting import COLOURS, MARKERS, STYLE, label_short_axis
from workflow.process import in_parallel
from workflow.results import activation, decoupling, threshold
from workflow.results.activation import Activations, Fit, is_slowness
from workflow.results.aggregate import Row
from workflow.results.axis import Axis, key_of, place_text, value_text
from workflow.results.decoupling import Pair
from workflow.results.figures import (
    SweepFigure,
    draw_panel,
    draw_titled,
    rank_colours,
    save_figure,
)
from workflow.results.relations import ACTIVATION, DECOUPLING, THRESHOLD, Relations
from workflow.results.tables import format_interval, write_csv
from workflow.results.threshold import Threshold, scale_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DATA = ('panel', 'of', 'x', 'y', 'low', 'high')
_MEANS = 'Symbols are means over replicas with 95 % intervals; open symbols are not converged.'
Line = tuple[Any, ...]
Panel = tuple[str, Callable[['Axes'], None], list[Line]]


def write_relation_figures(folder: Path, relations: Relations) -> list[SweepFigure]:
    """Draw each kind of relation that there is into an existing folder."""
    found = list(_figures(relations))
    in_parallel([partial(_write_figure, folder / stem, panels) for stem, *_, panels in found])
    return [SweepFigure(*about) for *about, _ in found]


def _write_figure(path: Path, panels: Sequence[Panel]) -> None:
    from matplotlib import rc_context

    with rc_context(STYLE):
        save_figure(draw_titled([(heading, draw) for heading, draw, _ in panels]), path)
    lines = [line for *_, each in panels for line in each]
    write_csv(path.with_name(f'{path.name}.csv'), _DATA, lines)


def _figures(relations: Relations) -> Iterator[tuple[str, str, str, str, list[Panel]]]:
    """List stem, kind, title, caption and panels of each figure."""
    found, table = relations.activations, relations.table
    if found is not None and found.fits:
        groups = _groups(found.fits, table.axis)
        panels = [_arrhenius_panel(found, label, fits, table.axis) for label, fits in groups]
        for series in found.series(table):
            panel = series.rows[0].quantity.panel
            if panel is not None and len(series.rows) > 1:
                heading = panel.name + series.where
                draw = partial(draw_panel, series=series, panel=panel, rows=series.rows)
                panels.append((heading, draw, list(_rows(heading, series.rows))))
        caption = f'{_MEANS} Lines are fits: solid VTF, dashed Arrhenius.'
        yield ACTIVATION, ACTIVATION, activation.TITLE, caption, panels
    if drawn := [pair for pair in relations.pairs if len(_logarithms(pair)[0])]:
        caption = (
            f'{_MEANS} The line has the exponent of all states; dotted lines have the exponent 1.'
        )
        panels = [_pair_panel(pair, table.axis) for pair in drawn]
        yield DECOUPLING, DECOUPLING, decoupling.TITLE, caption, panels
    for number, each in enumerate(relations.thresholds):
        stem = THRESHOLD if len(relations.thresholds) == 1 else f'{THRESHOLD}-{number + 1}'
        caption = f'{_MEANS} Shades are the intervals of the threshold.'
        panels = [_size_panel(each, name, table.axis) for name in each.curves]
        where = f' ({each.where})' if len(relations.thresholds) > 1 and each.where else ''
        yield stem, THRESHOLD, f'{threshold.TITLE}{where}', caption, panels


def _groups(fits: Sequence[Fit], axis: Axis) -> list[tuple[str, list[Fit]]]:
    """Divide fits by all but the axis."""
    groups: dict[str, list[Fit]] = {}
    for fit in fits:
        rest = dict(key_of(fit.place, axis.column))
        groups.setdefault(place_text(rest, axis), []).append(fit)
    return list(groups.items())


def _arrhenius_panel(found: Activations, label: str, fits: Sequence[Fit], axis: Axis) -> Panel:
    title = f'{found.quantity}{f" ({label})" if label and len(found.fits) > len(fits) else ""}'

    def draw(ax: Axes) -> None:
        for colour, fit in zip(rank_colours(len(fits)), fits, strict=True):
            for row in fit.rows:
                _point(ax, 1 / float(row.place['kT']), row, colour)
            temperatures = [float(row.place['kT']) for row in fit.rows]
            T = np.linspace(min(temperatures), max(temperatures), 100)
            sign = -1 if is_slowness(fit.rows[0].quantity) else 1
            style = '-' if fit.fit.law == 'VTF' else '--'
            name = value_text(fit.place[axis.column]) if axis.column in fit.place else None
            ax.plot(1 / T, np.exp(sign * fit.fit(T)), style, color=colour, lw=1, label=name)
        ax.set(xlabel=r'$1/k_\mathrm{B}T$ [$1/\epsilon$]', ylabel=_label(fits[0].rows[0]))
        _log(ax, 'y')
        if axis.column in fits[0].place:
            ax.legend(title=axis.label, ncols=2)

    lines = [line for fit in fits for line in _rows(title, fit.rows, axis, by_temperature=True)]
    return title, draw, lines


def _pair_panel(pair: Pair, axis: Axis) -> Panel:
    whole = pair.relations[0].estimate
    places = sorted({float(row.place.get(axis.column, 0)) for row, _ in pair.rows})
    colours = dict(zip(places, rank_colours(len(places)), strict=True))
    title = pair.time

    def draw(ax: Axes) -> None:
        for row, time in pair.rows:
            value = time.estimate.value
            if value is None or not row.estimate.value:
                continue
            colour = colours[float(row.place.get(axis.column, 0))]
            _point(ax, 1 / value, row, colour)
            if time.estimate.low and time.estimate.high:
                low, high = 1 / time.estimate.high, 1 / time.estimate.low
                ax.hlines(row.estimate.value, low, high, color=colour, lw=1.2)
        x, y = _logarithms(pair)
        ends = np.array([x.min(), x.max()])
        if whole.value is not None:
            line = np.exp(y.mean() + whole.value * (ends - x.mean()))
            label = f'exponent {format_interval(whole)}'
            ax.plot(np.exp(ends), line, '-', color='0.3', lw=1, label=label)
        one = np.exp(y.mean() + (ends - x.mean()))
        ax.plot(np.exp(ends), one, ':', color='0.5', lw=1, label='exponent 1')
        for place, colour in colours.items() if len(colours) > 1 else ():
            ax.plot([], [], 'o', color=colour, label=axis.text(place))
        ax.set(xlabel=f'1/time [1/{pair.rows[0][1].quantity.unit}]', ylabel=_label(pair.rows[0][0]))
        _log(ax, 'x')
        _log(ax, 'y')
        ax.legend(loc='upper center', bbox_to_anchor=(0.5, -0.2), ncols=2)

    def lines() -> Iterator[Line]:
        for row, time in pair.rows:
            if time.estimate.value:
                found = row.estimate
                values = (1 / time.estimate.value, found.value, found.low, found.high)
                yield title, place_text(row.place, axis), *values

    return title, draw, list(lines())


def _logarithms(pair: Pair) -> tuple[Any, Any]:
    both = [
        (-math.log(time.estimate.value), math.log(row.estimate.value))
        for row, time in pair.rows
        if time.estimate.value and row.estimate.value and row.estimate.value > 0
    ]
    x, y = np.array(both).reshape(-1, 2).T
    return x, y


def _size_panel(found: Threshold, name: str, axis: Axis) -> Panel:
    exponent = threshold.BETA_OVER_NU if name == threshold.LARGEST else 0.0
    title = name if not exponent else f'{name}, scaled'

    def draw(ax: Axes) -> None:
        for k, (chains, points) in enumerate(found.curves[name].items()):
            colour, marker = COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)]
            scale = scale_of(chains, exponent)
            values = [
                (x, row.estimate.value) for x, row in points if row.estimate.value is not None
            ]
            x, y = np.array(values).reshape(-1, 2).T
            ax.plot(x, scale * y, '-', color=colour, lw=1, alpha=0.5)
            ax.plot([], [], f'{marker}-', color=colour, label=f'{chains:g} chains')
            for place, row in points:
                _point(ax, place, row, colour, marker, scale)
        for each in found.relations:
            low, high = each.estimate.low, each.estimate.high
            if each.quantity == name and low is not None and high is not None:
                ax.axvspan(low, high, color='0.6', alpha=0.35, lw=0)
        scaled = r' $\times\ L^{\beta/\nu}$ (chains$^{1/3}$)' if exponent else ''
        ax.set(
            xlabel=axis.label, ylabel=_label(next(iter(found.curves[name].values()))[0][1]) + scaled
        )
        if exponent:
            _log(ax, 'y')
        ax.legend()

    rows = [row for points in found.curves[name].values() for _, row in points]
    return title, draw, list(_rows(name, rows, axis))


def _rows(
    title: str, rows: Iterable[Row], axis: Axis | None = None, *, by_temperature: bool = False
) -> Iterator[Line]:
    for row in rows:
        found = row.estimate
        column = 'kT' if by_temperature or axis is None else axis.column
        of = row.quantity.name if axis is None else place_text(row.place, axis)
        yield title, of, row.place.get(column, ''), found.value, found.low, found.high


def _point(
    ax: Axes, x: float, row: Row, colour: Any, marker: str = 'o', scale: float = 1.0
) -> None:
    found: Estimate = row.estimate
    if found.value is None:
        return
    if found.low is not None and found.high is not None:
        low = max(found.low, found.value / 10) if found.value > 0 else found.low
        ax.vlines(x, scale * low, scale * found.high, color=colour, lw=1.2)
    face = colour if row.is_converged else 'white'
    ax.plot([x], [scale * found.value], marker, color=colour, mfc=face, mec=colour, mew=1.2)


def _label(row: Row) -> str:
    quantity = row.quantity
    if quantity.panel is not None:
        return quantity.panel.label
    return f'{quantity.name} [{quantity.unit}]'


def _log(ax: Axes, which: str) -> None:
    axis = ax.xaxis if which == 'x' else ax.yaxis
    (ax.set_xscale if which == 'x' else ax.set_yscale)('log')
    label_short_axis(axis, *(ax.get_xlim() if which == 'x' else ax.get_ylim()))
