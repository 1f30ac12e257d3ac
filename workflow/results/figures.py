"""Figures of a sweep, as PNG and SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workflow.results.aggregate import (
    AxisValue,
    State,
    SummaryRow,
    mean_distribution,
    mean_relaxation,
)
from workflow.results.summary import axis_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers can tell apart; markers tell them too.
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
MARKERS = 'osD^vP*'
# Viridis without its lightest end, which does not show on white.
DARK_PART_OF_VIRIDIS = 0.88
PNG_DPI = 180
WIDTH = 8.0
STYLE: dict[Any, Any] = {
    'axes.spines.right': False,
    'axes.spines.top': False,
    'axes.linewidth': 0.8,
    'axes.titlesize': 9,
    'axes.titleweight': 'bold',
    'axes.titlelocation': 'left',
    'font.size': 9,
    'legend.frameon': False,
    'legend.fontsize': 8,
    'legend.title_fontsize': 8,
    'lines.linewidth': 1.3,
    'lines.markersize': 5,
    # Without this the identifiers in a SVG change from run to run.
    'svg.hashsalt': 'isp-cgmd',
}
# Intervals of two replicas can span decades: the axes follow the values.
ROOM_ON_LOG_AXIS = 2.5
DODGE = 0.009

PERCOLATION = {
    'percolation_probability_any': 'any axis',
    'percolation_probability_x': 'along x',
    'percolation_probability_y': 'along y',
    'percolation_probability_z': 'along z',
}
FRACTIONS = {
    'largest_cluster_fraction': 'in the largest cluster',
    'free_ion_fraction': 'free (no contact)',
}
GROUPS = {'all': 'all beads', 'cations': 'cations', 'anions': 'anions'}


@dataclass(frozen=True)
class SweepFigure:
    """A figure on disk.

    Attributes:
        stem: Name of the files without `.png` and `.svg`.
        title: What it shows.
        caption: How it is defined, as plain text.
    """

    stem: str
    title: str
    caption: str


@dataclass(frozen=True)
class Series:
    """States that differ in one axis alone, and their rows.

    Attributes:
        label: What they share and other series do not; empty where there is one series.
        axis: 'lsp_fraction', 'kT' or another axis of the sweep.
        states: In the order of the axis.
        rows: Of these states.
    """

    label: str
    axis: str
    states: tuple[State, ...]
    rows: tuple[SummaryRow, ...]

    @property
    def axis_label(self) -> str:
        """For the axis of a figure."""
        return _axis_label(self.axis)

    def points(self, quantity: str) -> list[tuple[float, SummaryRow]]:
        """Place on the axis and row, of the states that have the quantity."""
        found = [(_place(row, self.axis), row) for row in self.rows if row.quantity == quantity]
        return sorted(found, key=lambda point: point[0])

    def has(self, quantities: Iterable[str]) -> list[str]:
        """Those of the quantities that some row has."""
        there = {row.quantity for row in self.rows}
        return [name for name in quantities if name in there]


def all_series(states: Sequence[State], rows: Sequence[SummaryRow]) -> list[Series]:
    """Split a sweep along the axis that figures are drawn against.

    That is the LSP fraction if it varies, else kT, else the first other number that varies.
    """
    axis = _main_axis(states)
    groups: dict[tuple[tuple[str, AxisValue], ...], list[State]] = {}
    for state in states:
        groups.setdefault(_rest(state, axis), []).append(state)
    found = []
    for rest, members in groups.items():
        of_these = tuple(row for row in rows if _rest(row, axis) == rest)
        varying = [name for name, _ in rest if len({dict(key).get(name) for key in groups}) > 1]
        label = ', '.join(f'{name} = {axis_text(value)}' for name, value in rest if name in varying)
        ordered = tuple(sorted(members, key=lambda s: _place(s, axis)))
        found.append(Series(label, axis, ordered, of_these))
    return found


def write_figures(
    folder: Path, states: Sequence[State], rows: Sequence[SummaryRow]
) -> list[SweepFigure]:
    """Draw all figures of a sweep into an existing folder.

    Args:
        folder: Where the files go.
        states: From `group_states`.
        rows: From `summarise`.
    """
    from matplotlib import rc_context

    written = []
    many = all_series(states, rows)
    for number, series in enumerate(many):
        for name, title, caption, draw in _FIGURES:
            with rc_context(STYLE):
                figure = draw(series)
                if figure is None:
                    continue
                if series.label:
                    figure.suptitle(series.label, fontsize=9)
                # Laid out once: both files then show the same, and the second costs less.
                layout = figure.get_layout_engine()
                assert layout is not None  # `_figure` gives one
                layout.execute(figure)
                figure.set_layout_engine('none')
                stem = name if len(many) == 1 else f'{name}-{number + 1}'
                figure.savefig(folder / f'{stem}.png', dpi=PNG_DPI, metadata={'Software': None})
                figure.savefig(folder / f'{stem}.svg', metadata={'Date': None})
            where = f' ({series.label})' if series.label else ''
            written.append(SweepFigure(stem, title + where, caption))
    return written


def draw_overview(series: Series) -> Figure | None:
    """Percolation, size distributions, relaxation times and one correlation, two by two."""
    if not _has_ions(series) or not _bonds(series):
        return None
    figure = _figure(WIDTH, 8.0)
    axes = figure.subplots(2, 2)
    shown = {'percolation_probability_any': 'percolation probability'} | {
        'largest_cluster_fraction': 'largest-cluster fraction',
        'free_ion_fraction': 'free-ion fraction',
    }
    plot_quantities(axes[0, 0], series, shown)
    _scale_unit(axes[0, 0], 'probability or fraction')
    _legend_below(axes[0, 0], _with_open_symbol(axes[0, 0], series, shown))
    plot_distributions(axes[0, 1], series, 'weight_distribution')
    axes[0, 1].set_ylabel('share of ions per size, $P_w(n)$')
    _legend_below(axes[0, 1], axes[0, 1].get_legend_handles_labels()[0], series)
    times = {f'p2_time_{bond}': bond for bond in _bonds(series)}
    for name, text in _scattering(series, ('all',)).items():
        times[name] = f'$F_s$ at {_wave_number(name)}, {text}'
    plot_quantities(axes[1, 0], series, times)
    _scale_times(axes[1, 0], series, times)
    _legend_below(axes[1, 0], _with_open_symbol(axes[1, 0], series, times))
    bond = _chief_bond(series)
    plot_correlations(axes[1, 1], series, 'p2', bond)
    axes[1, 1].set_ylabel(f'$C_2(t)$, {bond} bonds')
    _legend_below(axes[1, 1], axes[1, 1].get_legend_handles_labels()[0], series)
    for letter, ax in zip('abcd', axes.flat, strict=True):
        ax.set_title(f'({letter})')
    return figure


def draw_distributions(series: Series) -> Figure | None:
    """Cluster sizes: share of clusters and share of ions."""
    if not _has_ions(series):
        return None
    figure = _figure(WIDTH, 3.5)
    left, right = figure.subplots(1, 2)
    plot_distributions(left, series, 'number_distribution')
    plot_distributions(right, series, 'weight_distribution')
    left.set(title='clusters', ylabel='share of clusters per size, $P(n)$')
    right.set(title='ions', ylabel='share of ions per size, $P_w(n)$')
    _legend_beside(figure, left, _short_label(series.axis))
    return figure


def draw_percolation(series: Series) -> Figure | None:
    """Percolation probability, largest cluster and free ions."""
    if not series.has(PERCOLATION):
        return None
    figure = _figure(WIDTH, 3.7)
    left, right = figure.subplots(1, 2)
    for ax, shown, title in (
        (left, PERCOLATION, 'percolation probability'),
        (right, FRACTIONS, 'fraction of the ions'),
    ):
        plot_quantities(ax, series, shown)
        _scale_unit(ax, title)
        _legend_below(ax, _with_open_symbol(ax, series, shown))
    return figure


def draw_times(series: Series) -> Figure | None:
    """Mean relaxation times of bond vectors and of positions."""
    bonds = {f'p2_time_{bond}': f'{bond} bonds' for bond in _bonds(series)}
    panels = [(bonds, 'bond vectors, $P_2$')] if bonds else []
    positions = _scattering(series, GROUPS)
    if positions:
        panels.append((positions, f'positions, $F_s$ at {_wave_number(next(iter(positions)))}'))
    if not panels:
        return None
    figure = _figure(WIDTH * max(len(panels), 1.3) / 2, 3.9)
    columns = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, (shown, title) in zip(columns, panels, strict=True):
        plot_quantities(ax, series, shown)
        _scale_times(ax, series, shown)
        ax.set_title(title)
        _legend_below(ax, _with_open_symbol(ax, series, shown))
    return figure


def draw_correlations(series: Series) -> Figure | None:
    """C2(t) of each class of bonds."""
    bonds = _bonds(series)
    if not bonds:
        return None
    n_columns = min(3, len(bonds))
    n_rows = -(-len(bonds) // n_columns)
    figure = _figure(WIDTH if n_columns > 1 else 4.6, 2.9 * n_rows + 0.2)
    axes = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    for k, (ax, bond) in enumerate(zip(axes.flat, bonds, strict=False)):
        plot_correlations(ax, series, 'p2', bond)
        ax.set_title(f'{bond} bonds')
        if k % n_columns == 0:
            ax.set_ylabel('$C_2(t)$')
    for ax in axes.flat[len(bonds) :]:
        ax.set_axis_off()
    # The class that most states have names them all.
    fullest = max(axes.flat[: len(bonds)], key=lambda ax: len(ax.get_legend_handles_labels()[0]))
    _legend_beside(figure, fullest, _short_label(series.axis))
    return figure


def plot_quantities(ax: Axes, series: Series, names: Mapping[str, str]) -> None:
    """Values with intervals against the axis of the series.

    Open symbols are not converged; an arrow up stands on a lower bound, an arrow down hangs from
    an upper one.

    Args:
        ax: To draw on.
        series: What to draw.
        names: Label by name of the quantity.
    """
    places = [_place(state, series.axis) for state in series.states]
    step = DODGE * (max(places) - min(places) or 1.0)
    there = series.has(names)
    for k, name in enumerate(there):
        colour, marker = COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)]
        shift = step * (k - (len(there) - 1) / 2)
        points = [(x + shift, row) for x, row in series.points(name)]
        line = [(x, row.mean) for x, row in points if row.mean is not None]
        ax.plot(*np.array(line).reshape(-1, 2).T, '-', color=colour, alpha=0.5, lw=1.0)
        ax.plot([], [], marker + '-', color=colour, label=names[name])
        for x, row in points:
            _plot_point(ax, x, row, colour, marker)
    room = 0.06 * (max(places) - min(places)) or 0.1
    if len(set(places)) == 1:
        ax.set_xticks(places[:1])
    # Panels of one sweep share their axis, whichever states have the quantity.
    ax.set(xlabel=series.axis_label, xlim=(min(places) - room, max(places) + room))


def plot_distributions(ax: Axes, series: Series, which: str) -> None:
    """A size distribution of each state: mean of the replicas and, shaded, their range.

    Args:
        ax: To draw on.
        series: What to draw.
        which: 'number_distribution' or 'weight_distribution'.
    """
    smallest = []
    for k, (state, colour) in enumerate(zip(series.states, _sequence(series), strict=True)):
        found = [r.clusters[which] for r in state.results if r.clusters.get('n_ions')]
        if not found:
            continue
        curve = mean_distribution(found)
        mean = np.where(curve.mean > 0, curve.mean, np.nan)
        if np.isnan(mean).all():
            continue
        label = f'{_place(state, series.axis):.3g}'
        ax.plot(curve.x, mean, MARKERS[k % 7] + '-', color=colour, label=label, ms=3, lw=1.0)
        lowest = np.maximum(curve.lowest, np.nanmin(mean) / 10)
        ax.fill_between(
            curve.x, lowest, curve.highest, where=curve.mean > 0, color=colour, alpha=0.2, lw=0
        )
        smallest.append(np.nanmin(mean))
    ax.set(xscale='log', yscale='log', xlabel='cluster size $n$ [ions]')
    if smallest:
        ax.set_ylim(bottom=min(smallest) / 2)


def plot_correlations(ax: Axes, series: Series, observable: str, bond: str) -> None:
    """C(t) of a class of bonds for each state: mean of the replicas and, shaded, their range.

    Args:
        ax: To draw on.
        series: What to draw.
        observable: 'p1' or 'p2'.
        bond: Bond type.
    """
    for state, colour in zip(series.states, _sequence(series), strict=True):
        found = [
            r.relaxation[observable][bond]
            for r in state.results
            if bond in r.relaxation[observable]
        ]
        if not found:
            continue
        curve = mean_relaxation(found)
        label = f'{_place(state, series.axis):.3g}'
        ax.plot(curve.x, curve.mean, '-', color=colour, label=label)
        ax.fill_between(curve.x, curve.lowest, curve.highest, color=colour, alpha=0.2, lw=0)
    ax.axhline(np.exp(-1), color='0.55', lw=0.8, ls=':')
    ax.text(
        0.99,
        np.exp(-1) + 0.01,
        '1/e',
        transform=ax.get_yaxis_transform(),
        fontsize=7,
        ha='right',
        va='bottom',
        color='0.45',
    )
    ax.set(xscale='log', xlabel=f'time $t$ [{_time_unit(series)}]', ylim=(-0.06, 1.03))


def _plot_point(ax: Axes, x: float, row: SummaryRow, colour: str, marker: str) -> None:
    face = colour if row.converged else 'white'
    style: dict[str, Any] = {'color': colour, 'mfc': face, 'mec': colour, 'mew': 1.2}
    if row.mean is not None:
        if row.ci95_low is not None and row.ci95_high is not None:
            ax.vlines(x, row.ci95_low, row.ci95_high, color=colour, lw=1.2)
        ax.plot([x], [row.mean], marker, **style)
    elif row.is_bound:
        is_lower = row.ci95_low is not None
        bound = row.ci95_low if row.ci95_low is not None else row.ci95_high
        assert bound is not None
        ax.annotate(
            '',
            xy=(x, bound),
            xytext=(0, 17 if is_lower else -17),
            textcoords='offset points',
            arrowprops={
                'arrowstyle': '<|-',
                'color': colour,
                'lw': 1.2,
                'shrinkA': 0,
                'shrinkB': 0,
            },
        )
        ax.plot([x], [bound], marker, **style)


def _scale_unit(ax: Axes, label: str) -> None:
    ax.set(ylim=(-0.04, 1.06), ylabel=label)


def _scale_times(ax: Axes, series: Series, names: Mapping[str, str]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    values = [
        value
        for name in names
        for _, row in series.points(name)
        for value in ([row.mean] if row.mean is not None else [row.ci95_low, row.ci95_high])
        if value is not None and value > 0
    ]
    ax.set_yscale('log')
    if values:
        ax.set_ylim(min(values) / ROOM_ON_LOG_AXIS, max(values) * ROOM_ON_LOG_AXIS)
    low, high = ax.get_ylim()
    if high < 1e3 * low:
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 50 * low else (1,)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_ylabel(f'mean relaxation time [{_time_unit(series)}]')


def _with_open_symbol(ax: Axes, series: Series, names: Iterable[str]) -> list[Any]:
    """The legend's entries, with what open symbols and arrows mean where there are any."""
    from matplotlib.lines import Line2D

    handles: list[Any] = list(ax.get_legend_handles_labels()[0])
    shown = [row for row in series.rows if row.quantity in set(names)]
    drawn = [row for row in shown if row.mean is not None or row.is_bound]
    grey: dict[str, Any] = {'color': '0.4', 'mec': '0.4', 'ls': 'none'}
    if any(not row.converged for row in drawn):
        handles.append(Line2D([], [], marker='o', mfc='white', label='open: not converged', **grey))
    if any(row.is_bound for row in drawn):
        handles.append(Line2D([], [], marker=r'$\uparrow$', label='arrow: bound only', **grey))
    return handles


def _legend_below(ax: Axes, handles: list[Any], series: Series | None = None) -> None:
    """A legend in two columns, or in as few lines as fit for the states of a series."""
    n_lines = -(-len(handles) // 5)
    ax.legend(
        handles=handles,
        title=None if series is None else _short_label(series.axis),
        loc='upper center',
        bbox_to_anchor=(0.5, -0.18),
        ncols=2 if series is None else -(-len(handles) // max(1, n_lines)),
        columnspacing=1.2,
        handlelength=1.6,
    )


def _legend_beside(figure: Figure, ax: Axes, title: str) -> None:
    handles, labels = ax.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, title=title, loc='outside right center')


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    # Without pyplot no window opens and no figure is kept alive.
    return Figure(figsize=(width, height), layout='constrained')


def _sequence(series: Series) -> list[Any]:
    """A colour for each state, in the order of the axis."""
    from matplotlib import colormaps

    # By rank: a sweep is dense where something happens, and colours by value would merge there.
    ranks = np.linspace(0, DARK_PART_OF_VIRIDIS, len(series.states))
    return [colormaps['viridis'](rank) for rank in ranks]


def _has_ions(series: Series) -> bool:
    return any(r.clusters.get('n_ions') for state in series.states for r in state.results)


def _bonds(series: Series) -> list[str]:
    results = [result for state in series.states for result in state.results]
    return list(dict.fromkeys(bond for r in results for bond in r.relaxation['p2']))


def _chief_bond(series: Series) -> str:
    """The side chain that the paper's claim is about, else the first class."""
    bonds = _bonds(series)
    return next((bond for bond in bonds if bond.startswith('LSP')), bonds[0])


def _scattering(series: Series, groups: Iterable[str]) -> dict[str, str]:
    """F_s times of groups of beads, at the peak of S(q) where there is one."""
    for q in ('peak', 'pi_over_sigma'):
        names = {f'fs_time_{group}_{q}': GROUPS[group] for group in groups}
        there = series.has(names)
        if there:
            return {name: names[name] for name in there}
    return {}


def _wave_number(quantity: str) -> str:
    return '$q^*$' if quantity.endswith('_peak') else r'$\pi/\sigma$'


def _time_unit(series: Series) -> str:
    units = {str(r.relaxation['time_unit']) for s in series.states for r in s.results}
    return ', '.join(sorted(units)).replace('tau', r'$\tau$')


def _main_axis(states: Sequence[State]) -> str:
    if len({state.lsp_fraction for state in states}) > 1:
        return 'lsp_fraction'
    if len({state.kT for state in states}) > 1:
        return 'kT'
    numbers = [
        name
        for name in (states[0].axes if states else {})
        if all(isinstance(state.axes[name], float) for state in states)
    ]
    return numbers[0] if numbers else 'lsp_fraction'


def _place(of: State | SummaryRow, axis: str) -> float:
    value = getattr(of, axis) if axis in ('lsp_fraction', 'kT') else of.axes[axis]
    return float(value)


def _rest(of: State | SummaryRow, axis: str) -> tuple[tuple[str, AxisValue], ...]:
    """Everything but the axis."""
    values: dict[str, AxisValue] = {'lsp_fraction': of.lsp_fraction, 'kT': of.kT, **of.axes}
    return tuple((name, value) for name, value in values.items() if name != axis)


def _axis_label(axis: str) -> str:
    return {'lsp_fraction': 'LSP mole fraction', 'kT': r'$k_\mathrm{B}T$ [$\epsilon$]'}.get(
        axis, axis.replace('_', ' ')
    )


def _short_label(axis: str) -> str:
    return {'lsp_fraction': 'LSP fraction', 'kT': r'$k_\mathrm{B}T$'}.get(
        axis, axis.replace('_', ' ')
    )


_CLUSTER_DEFINITION = (
    'An ion cluster is a connected set of ions: a cation and an anion are in contact when closer '
    'than r_c, which stands above with where it is from.'
)
_POINTS = (
    'Bars are 95 % intervals over replicas and may run out of the axes; open symbols are not '
    'converged; arrows stand on bounds.'
)
_TIMES = (
    'Mean times are (tau/beta) Gamma(1/beta) of fitted stretched exponentials (KWW). They depend '
    'on the thermostat that is stated with the stages.'
)
_RANGE = 'Lines are means over replicas, shades the range of the replicas.'
_FIGURES: tuple[tuple[str, str, str, Callable[[Series], Figure | None]], ...] = (
    (
        'overview',
        'Chief results',
        f'(a) Percolation and cluster fractions, (b) distribution of the ions over cluster sizes, '
        f'(c) mean relaxation times, (d) correlation of bond vectors. {_POINTS} {_RANGE}',
        draw_overview,
    ),
    (
        'cluster_sizes',
        'Cluster sizes',
        f'{_CLUSTER_DEFINITION} Left: probability that a cluster has n ions; right: that an ion is '
        f'in a cluster of n ions; averaged in logarithmic bins. {_RANGE}',
        draw_distributions,
    ),
    (
        'percolation',
        'Percolation',
        'A cluster percolates along an axis when a closed path of its contacts winds round the '
        'periodic box along that axis. The probability is the share of the frames in which some '
        f'cluster does, in a box of one size. {_POINTS}',
        draw_percolation,
    ),
    (
        'relaxation_times',
        'Relaxation times',
        f'Left: second Legendre polynomial of the bond vectors, by bond class. Right: '
        f'self-intermediate scattering function, at the main peak q* of S(q) where there is one. '
        f'{_TIMES} {_POINTS}',
        draw_times,
    ),
    (
        'relaxation_curves',
        'Correlation of bond vectors',
        f'C2(t) = <(3 (u(0).u(t))^2 - 1) / 2> of the unit bond vectors u. {_RANGE}',
        draw_correlations,
    ),
)
