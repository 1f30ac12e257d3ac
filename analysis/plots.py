"""Figures of the results; each function draws on one pair of axes and returns it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.clusters import Distribution, IonClusters
from analysis.pair_correlation import PairCorrelation
from analysis.relaxation import RelaxationCurve, SegmentalRelaxation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers can tell apart; markers tell them too.
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
MARKERS = 'osD^vP*'
BINS_PER_DECADE = 8


def draw_clusters(result: IonClusters) -> Figure:
    """Size distribution, and beside it g(+-) or, with a given distance, the net charges."""
    figure = _figure(10.0)
    left, right = figure.subplots(1, 2)
    plot_cluster_distribution(result, left)
    if result.pair_correlation is None:
        plot_charge_distribution(result, right)
    else:
        plot_pair_correlation(result.pair_correlation, right)
    return figure


def draw_relaxation(result: SegmentalRelaxation) -> Figure:
    """Bond vectors and, beside them, self-intermediate scattering."""
    figure = _figure(10.0)
    left, right = figure.subplots(1, 2)
    plot_relaxation(result, left)
    plot_scattering(result, right)
    return figure


def plot_cluster_distribution(result: IonClusters, ax: Axes | None = None) -> Axes:
    """Number and weight distributions of the cluster size, averaged in logarithmic bins."""
    ax = _axes(ax)
    for k, (name, distribution) in enumerate(
        (('clusters', result.number_distribution), ('ions', result.weight_distribution))
    ):
        size, density, low, high = _log_binned(distribution)
        ax.plot(size, density, MARKERS[k] + '-', color=COLOURS[k], label=f'share of {name}', ms=4)
        ax.fill_between(size, low, high, color=COLOURS[k], alpha=0.25, lw=0)
    ax.set(xscale='log', yscale='log', xlabel='cluster size $n$ [ions]', ylabel='$P(n)$')
    ax.legend(title=f'contact within {result.contact_distance:.3g} $\\sigma$', frameon=False)
    _state(ax, result.verdict)
    return ax


def plot_charge_distribution(result: IonClusters, ax: Axes | None = None) -> Axes:
    """Distribution of the net charge of the clusters."""
    ax = _axes(ax)
    distribution = result.charge_distribution
    ax.bar(
        distribution.values,
        distribution.probability,
        yerr=_error_bars(distribution),
        color=COLOURS[0],
        capsize=2,
    )
    ax.set(yscale='log', xlabel='net charge of the cluster [$e$]', ylabel='share of clusters')
    _state(ax, result.verdict)
    return ax


def plot_cluster_shapes(result: IonClusters, ax: Axes | None = None) -> Axes:
    """Radius of gyration against size, of the clusters that do not percolate."""
    ax = _axes(ax)
    shapes = result.shapes
    ax.plot(shapes.size, shapes.radius_of_gyration, MARKERS[0], color=COLOURS[0], ms=4)
    if shapes.radius_low is not None and shapes.radius_high is not None:
        ax.vlines(shapes.size, shapes.radius_low, shapes.radius_high, color=COLOURS[0], lw=1)
    ax.set(
        xscale='log',
        yscale='log',
        xlabel='cluster size $n$ [ions]',
        ylabel='radius of gyration $R_g$ [$\\sigma$]',
    )
    _state(ax, result.verdict)
    return ax


def plot_pair_correlation(found: PairCorrelation, ax: Axes | None = None) -> Axes:
    """The g(r) between cations and anions, with the contact distance marked."""
    ax = _axes(ax)
    ax.plot(found.distance, found.g, color=COLOURS[0])
    if found.first_minimum is not None:
        ax.axvline(found.first_minimum, color=COLOURS[1], ls='--', label='first minimum')
        ax.legend(frameon=False)
    ax.set(xlabel='distance $r$ [$\\sigma$]', ylabel='$g_{+-}(r)$')
    _state(ax, found.verdict)
    return ax


def plot_relaxation(result: SegmentalRelaxation, ax: Axes | None = None) -> Axes:
    """Second Legendre polynomial of the bond vectors of each class, with the fits."""
    ax = _axes(ax)
    _draw_curves(ax, result.p2)
    unit = '$\\tau$' if result.time_unit == 'tau' else result.time_unit
    ax.set(xlabel=f'time $t$ [{unit}]', ylabel='$C_2(t)$', ylim=(-0.1, 1.05))
    ax.legend(frameon=False)
    return ax


def plot_scattering(result: SegmentalRelaxation, ax: Axes | None = None) -> Axes:
    """Self-intermediate scattering functions of each group at each wave number, with the fits."""
    ax = _axes(ax)
    curves = {
        f'{group}, $q$ = {result.wave_numbers[name]:.2f} $\\sigma^{{-1}}$': curve
        for group, by_q in result.scattering.items()
        for name, curve in by_q.items()
    }
    _draw_curves(ax, curves)
    unit = '$\\tau$' if result.time_unit == 'tau' else result.time_unit
    ax.set(xlabel=f'time $t$ [{unit}]', ylabel='$F_s(q, t)$', ylim=(-0.1, 1.05))
    if curves:
        ax.legend(frameon=False, fontsize='small')
    else:
        _state(ax, 'no displacements: see the verdicts')
    return ax


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    return _figure(5.0).add_subplot()


def _figure(width: float) -> Figure:
    from matplotlib.figure import Figure

    # Without pyplot no window opens and no figure is kept alive.
    return Figure(figsize=(width, 3.8), layout='constrained')


def _state(ax: Axes, verdict: str) -> None:
    if verdict:
        ax.set_title(verdict, fontsize='small', color=COLOURS[1])


def _error_bars(distribution: Distribution) -> Any:
    if distribution.low is None or distribution.high is None:
        return None
    p = distribution.probability
    return np.maximum(np.stack([p - distribution.low, distribution.high - p]), 0)


def _log_binned(distribution: Distribution) -> tuple[Any, Any, Any, Any]:
    """Probability per size, averaged over logarithmic bins; small sizes stay as they are."""
    sizes, p = distribution.values, distribution.probability
    place = np.floor(np.log10(sizes) * BINS_PER_DECADE).astype(int)
    _, group = np.unique(place, return_inverse=True)
    # Sizes of the bin that never occur count for the average too.
    every = np.arange(1, sizes.max() + 1)
    widths = np.bincount(np.floor(np.log10(every) * BINS_PER_DECADE).astype(int))
    width = widths[np.unique(place)]
    centre = np.exp(np.bincount(group, np.log(sizes)) / np.bincount(group))
    density = np.bincount(group, p) / width
    if distribution.low is None or distribution.high is None:
        return centre, density, density, density
    # Errors of different sizes are taken as independent within a bin.
    half = np.sqrt(np.bincount(group, ((distribution.high - distribution.low) / 2) ** 2)) / width
    return centre, density, np.maximum(density - half, density / 100), density + half


def _draw_curves(ax: Axes, curves: dict[str, RelaxationCurve]) -> None:
    for k, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[k % len(COLOURS)]
        marker = MARKERS[k % len(MARKERS)]
        ax.plot(curve.time, curve.value, marker, color=colour, label=name, ms=4)
        ax.fill_between(curve.time, curve.low, curve.high, color=colour, alpha=0.25, lw=0)
        if curve.decay.fit is not None:
            ax.plot(curve.time, curve.decay.fit(curve.time), '-', color=colour, lw=1)
    ax.axhline(np.exp(-1), color='0.6', lw=0.8, ls=':')
    ax.set_xscale('log')
    _label_short_axis(ax)


def _label_short_axis(ax: Axes) -> None:
    """Label 1, 2 and 5 on a logarithmic axis of less than two decades."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    low, high = ax.get_xlim()
    if high < 100 * low:
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(StrMethodFormatter('{x:g}'))
        ax.xaxis.set_minor_formatter(NullFormatter())
