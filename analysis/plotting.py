"""How results are drawn: colours, markers, curves with their intervals, single numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.arrays import FloatArray
from analysis.estimators.estimate import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers can distinguish; markers differ too.
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
MARKERS = 'osD^vP*'
STYLE: dict[Any, Any] = {
    'axes.spines.right': False,
    'axes.spines.top': False,
    'axes.linewidth': 0.8,
    'axes.titlesize': 8,
    'axes.titleweight': 'bold',
    'axes.titlelocation': 'left',
    'font.size': 8,
    'legend.frameon': False,
    'legend.fontsize': 7,
    'legend.title_fontsize': 7,
    'lines.linewidth': 1.2,
    'lines.markersize': 4.5,
    # Without this the identifiers in a SVG change from run to run.
    'svg.hashsalt': 'isp-cgmd',
}
MOST_POINTS_WITH_MARKERS = 60


def new_figure(width: float, height: float) -> Figure:
    """Make a figure that belongs to no window, in inches."""
    from matplotlib.figure import Figure

    # Without pyplot no window opens and no figure is kept alive.
    return Figure(figsize=(width, height), layout='constrained')


def plot_curves(ax: Axes, curves: Mapping[str, Curve]) -> None:
    """Draw curves of one kind with their intervals and fits, each in a colour of its own.

    The labels and scales of the axes become those of the first curve.
    """
    for k, (name, curve) in enumerate(curves.items()):
        plot_curve(ax, curve, COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)], name)
    label_axes(ax, next(iter(curves.values()), None))
    if len(curves) > 1:
        ax.legend(frameon=False, fontsize='small')


def plot_curve(ax: Axes, curve: Curve, colour: Any, marker: str, label: str) -> None:
    """Draw one curve: points, or a line where they are many, shaded intervals, and the fit."""
    value = curve.value
    if curve.y_scale == 'log':
        value = np.where(value > 0, value, np.nan)
    style = '-' if curve.fit is None else ''
    marker = marker if len(curve.x) <= MOST_POINTS_WITH_MARKERS else ''
    ax.plot(
        curve.x, value, marker + (style or ('' if marker else '-')), color=colour, label=label, ms=4
    )
    if curve.low is not None and curve.high is not None:
        low: FloatArray = curve.low
        if curve.y_scale == 'log' and np.isfinite(value).any():
            # An interval that reaches 0 would take the whole of a logarithmic axis.
            low = np.maximum(low, np.nanmin(value) / 10)
        ax.fill_between(
            curve.x, low, curve.high, where=np.isfinite(value), color=colour, alpha=0.2, lw=0
        )
    if curve.fit is not None:
        ax.plot(curve.x, curve.fit, '-', color=colour, lw=1)


def label_axes(ax: Axes, curve: Curve | None) -> None:
    """Give the axes the labels and scales of a curve; say so where there is none."""
    if curve is None:
        ax.text(0.5, 0.5, 'nothing to draw', transform=ax.transAxes, ha='center')
        return
    ax.set(xlabel=curve.x_label, ylabel=curve.y_label)
    # Without a point to show, a logarithmic axis has no limits.
    shown = np.isfinite(curve.value) & ((curve.value > 0) | (curve.y_scale == 'linear'))
    if curve.x_scale == 'log' and np.any(curve.x[shown] > 0):
        ax.set_xscale('log')
        label_short_axis(ax.xaxis, *ax.get_xlim())
    if curve.y_scale == 'log' and np.any(shown):
        ax.set_yscale('log')
        label_short_axis(ax.yaxis, *ax.get_ylim())


def label_short_axis(axis: Any, low: float, high: float) -> None:
    """Label 1, 2 and 5 on a logarithmic axis of less than two decades, from `low` to `high`."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    if high < 100 * low:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(StrMethodFormatter('{x:g}'))
        axis.set_minor_formatter(NullFormatter())
