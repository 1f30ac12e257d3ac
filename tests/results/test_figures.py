"""What is drawn: the data on the axes of panels, curves and the overview."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from analysis.estimators.estimate import Estimate, mean_curve
from analysis.observable import Panel, Quantity
from tests.results.builders import (
    AXIS,
    job_result,
    neutral_jobs,
    segments_alone,
    state_point,
    sweep,
    table,
)
from user_input import UserError
from workflow.results.aggregate import Row, SweepTable
from workflow.results.figures import (
    OVERVIEW,
    all_drawings,
    check_overview,
    draw_grid,
    draw_panel,
    write_figures,
)
from workflow.results.series import Series, all_series

WHITE = to_rgba('white')


@pytest.fixture(scope='module')
def found() -> SweepTable:
    return table(sweep((0.0, 0.5, 1.0), n=2))


@pytest.fixture(scope='module')
def series(found: SweepTable) -> Series:
    (only,) = all_series(found)
    return only


def drawn(series: Series, *names: str) -> tuple[Figure, list[Axes]]:
    drawings = {each.name: each for each in all_drawings(series)}
    figure = draw_grid(series, [drawings[name] for name in names])
    return figure, [ax for ax in figure.axes if ax.axison]


def markers(ax: Axes) -> list[tuple[float, float, bool]]:
    """Place, value and whether it is filled, of each symbol that is drawn at a point."""
    return [
        (
            float(line.get_xdata()[0]),
            float(line.get_ydata()[0]),
            to_rgba(line.get_markerfacecolor()) != WHITE,
        )
        for line in ax.lines
        if len(line.get_xdata()) == 1
    ]


def intervals(ax: Axes) -> list[list[float]]:
    return sorted(
        segment[:, 1].tolist() for lines in ax.collections for segment in lines.get_segments()
    )


def test_a_panel_shows_every_value_with_its_interval(series: Series) -> None:
    _, (ax,) = drawn(series, 'cluster fractions')
    rows = [
        row
        for name in ('largest_cluster_fraction', 'free_ion_fraction')
        for _, row in series.along(name)
    ]
    assert [value for _, value, _ in markers(ax)] == [row.estimate.value for row in rows]
    assert [filled for *_, filled in markers(ax)] == [row.is_converged for row in rows]
    assert {filled for *_, filled in markers(ax)} == {True, False}
    assert intervals(ax) == sorted([row.estimate.low, row.estimate.high] for row in rows)
    assert [round(x, 1) for x, *_ in markers(ax)] == [0.5, 1.0, 0.5, 1.0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ('LSP mole fraction', 'fraction of the ions')
    assert ax.get_ylim() == (-0.04, 1.06)
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ['largest cluster', 'free ions']


def bound_row(place: float, low: float | None, high: float | None) -> Row:
    estimate = Estimate(None, low, high, 2.0, 'only a bound')
    quantity = Quantity('t', 'tau', estimate, panel=Panel('times', 'time', 'log'))
    return Row({'lsp_fraction': place, 'kT': 1.0}, 'relaxation', quantity)


def test_bounds_are_open_symbols_with_arrows_to_where_the_value_is(series: Series) -> None:
    rows = (bound_row(0.0, 50.0, None), bound_row(1.0, None, 2.0))
    bounded = Series('', AXIS, series.states, rows)
    figure = Figure()
    ax = figure.subplots()
    assert rows[0].quantity.panel is not None
    draw_panel(ax, bounded, rows[0].quantity.panel, rows)
    assert markers(ax) == [(0.0, 50.0, False), (1.0, 2.0, False)]
    up, down = ax.texts
    assert (up.xy, down.xy) == ((0.0, 50.0), (1.0, 2.0))
    assert up.get_position()[1] > 0 > down.get_position()[1]
    assert ax.get_yscale() == 'log'
    assert ax.get_ylim()[0] < 2.0
    assert ax.get_ylim()[1] > 50.0


def test_the_legend_says_what_open_symbols_and_arrows_are(series: Series) -> None:
    figure, _ = drawn(series, 'relaxation times, P2')
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ['open: not converged', 'arrow: bound only']


def test_a_curve_of_each_state_is_the_mean_over_its_replicas(series: Series) -> None:
    figure, (ax,) = drawn(series, 'relaxation:P2 LSP-side')
    assert ax.get_title() == 'P2 LSP-side'
    with_it = series.states[1:]
    assert len(ax.lines) == len(with_it)
    for line, state in zip(ax.lines, with_it, strict=True):
        curve = mean_curve([r.curves('relaxation')['P2 LSP-side'] for r in state.results])
        assert np.array_equal(line.get_xdata(), curve.x)
        assert np.array_equal(line.get_ydata(), curve.value)
    shades = [each.get_paths()[0].vertices for each in ax.collections]
    assert len(shades) == len(with_it)
    curve = mean_curve([r.curves('relaxation')['P2 LSP-side'] for r in with_it[0].results])
    assert shades[0][:, 1].min() == pytest.approx(np.min(curve.low))
    assert ax.get_xscale() == 'log'
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['0', '0.5', '1']
    assert len({line.get_color() for line in ax.lines}) == len(with_it)


def test_states_are_coloured_alike_in_all_curves(series: Series) -> None:
    _, (with_all, without_one) = drawn(series, 'relaxation:P2 backbone', 'relaxation:P2 LSP-side')
    colours = [line.get_color() for line in with_all.lines]
    assert [line.get_color() for line in without_one.lines] == colours[1:]


def test_a_panel_without_any_value_says_so(series: Series) -> None:
    nothing = Estimate(verdict='not linear')
    quantity = Quantity('D', '1', nothing, panel=Panel('diffusion', 'D', 'log'), label='ions')
    rows = (Row({'lsp_fraction': 0.5, 'kT': 1.0}, 'msd', quantity),)
    ax = Figure().subplots()
    assert quantity.panel is not None
    draw_panel(ax, Series('', AXIS, series.states, rows), quantity.panel, rows)
    assert [text.get_text() for text in ax.texts] == ['no value']


def test_panels_and_curves_are_laid_out_in_up_to_two_columns(series: Series) -> None:
    names = [each.name for each in all_drawings(series)]
    _, axes = drawn(series, *names[:5])
    assert len(axes) == 5
    assert axes[0].get_subplotspec().get_gridspec().get_geometry() == (3, 2)
    _, one = drawn(series, names[0])
    assert one[0].get_subplotspec().get_gridspec().get_geometry() == (1, 1)


def stems(figures: Any) -> list[str]:
    return [figure.stem for figure in figures]


def test_figures_follow_the_observables_that_have_results(tmp_path: Path) -> None:
    many = all_series(table(neutral_jobs(0.8, 1.0), 'kremer_grest'))
    figures = write_figures(tmp_path, many, None, True)
    assert stems(figures) == ['overview', 'thermodynamics', 'relaxation', 'relaxation_curves']
    written = {path.name for path in tmp_path.iterdir()}
    kinds = ('csv', 'pdf', 'png', 'svg')
    assert written == {f'{stem}.{kind}' for stem in stems(figures) for kind in kinds}
    assert all((tmp_path / f'{stem}.png').read_bytes()[:4] == b'\x89PNG' for stem in stems(figures))


def test_the_overview_without_a_choice_is_the_key_results(series: Series) -> None:
    keys = [each.name for each in all_drawings(series) if each.is_key]
    assert 'percolation' in keys
    assert 'relaxation:P2 LSP-side' in keys
    assert 'relaxation:F_s all, q*' in keys
    assert 'relaxation:P1 backbone' not in keys
    assert 'density' in keys
    assert 'temperature' not in keys


@pytest.mark.usefixtures('quick_figures')
def test_the_overview_shows_what_is_named_of_what_is_there(tmp_path: Path) -> None:
    segments = segments_alone({'backbone': 2.0, 'DOPA-side': 3.0})
    many = all_series(table([job_result(state_point(0.0, r), relaxation=segments) for r in (0, 1)]))
    overview = ['percolation', 'relaxation times, P2', 'relaxation:P2 DOPA-side']
    (figure, *_) = write_figures(tmp_path, many, overview, False)
    assert figure.observable == OVERVIEW
    with pytest.raises(UserError, match="report.overview: .*'percolation'"):
        write_figures(tmp_path, many, overview, True)


@pytest.mark.parametrize(
    ('name', 'nearest'),
    [
        ('percolations', "Did you mean 'percolation'"),
        ('relaxation:P2 LSP-sied', "Did you mean 'relaxation:P2 LSP-side'"),
    ],
)
def test_a_name_that_nothing_has_is_refused(series: Series, name: str, nearest: str) -> None:
    with pytest.raises(UserError, match=nearest):
        check_overview([name], all_drawings(series))
