"""What holds for every observable."""

import json
import sys
from collections import Counter

import numpy as np
import pytest

from analysis.__main__ import main
from analysis.io.array_trajectory import ArrayTrajectory
from analysis.io.open_trajectory import open_trajectory
from analysis.observable import analyse
from analysis.observables import OBSERVABLES
from analysis.plotting import new_figure
from analysis.sampling.run import Run
from analysis.serialise import from_json, from_plain, to_json
from tests.analysis.builders import (
    GRID,
    MELT_BOX,
    Melt,
    charge_columns,
    thermo_log,
    write_gsd,
    write_thermo,
)

MELT = Melt(80)
N = len(MELT.charge)
LOG = thermo_log(N, 512) | charge_columns(MELT, 512)
each_observable = pytest.mark.parametrize('observable', OBSERVABLES, ids=lambda o: o.name)
OF_TRAJECTORIES = [each for each in OBSERVABLES if each.needs_trajectory]
each_of_a_trajectory = pytest.mark.parametrize('observable', OF_TRAJECTORIES, ids=lambda o: o.name)


def run_of_melt(trajectory):
    return Run(trajectory, LOG, kT=1.0)


class CountedReads:
    """A trajectory that counts how often each frame is read."""

    def __init__(self, trajectory):
        self._trajectory = trajectory
        self.path, self.topology = trajectory.path, trajectory.topology
        self.steps, self.time_step = trajectory.steps, trajectory.time_step
        self.reads = Counter()

    def __len__(self):
        return len(self._trajectory)

    def read(self, index):
        self.reads[index] += 1
        return self._trajectory.read(index)


@pytest.fixture(scope='module')
def results():
    """Of all observables, from one pass, which reads each frame once."""
    trajectory = CountedReads(MELT.trajectory())
    asked = []

    def progress(frames):
        trajectory.reads.clear()  # those that prepare the pass
        asked.extend(frames.tolist())
        return frames

    outcomes = analyse(run_of_melt(trajectory), OBSERVABLES, progress)
    assert asked == list(range(len(trajectory)))
    assert trajectory.reads == Counter(asked)
    assert list(outcomes) == [observable.name for observable in OBSERVABLES]
    assert [outcome.refusal for outcome in outcomes.values()] == [''] * len(OBSERVABLES)
    return {name: outcome.result for name, outcome in outcomes.items()}


def poor_run():
    """Two ions that never move, in as few frames and rows as are accepted."""
    trajectory = ArrayTrajectory(
        np.repeat([[[0.0, 0, 0], [1.0, 0, 0]]], 8, axis=0),
        5.0,
        typeid=[0, 1],
        type_names=('Li', 'S'),
        charge=[1, -1],
        bonds=[[0, 1]],
    )
    return Run(trajectory, thermo_log(2, 64, memory=0.0), kT=1.0, given_time_step=0.1)


def test_names_are_unique():
    assert len({observable.name for observable in OBSERVABLES}) == len(OBSERVABLES)
    names = [n for o in OBSERVABLES for n in o.quantity_names(Melt.TYPES, Melt.BOND_TYPES)]
    assert len(set(names)) == len(names)


@each_observable
def test_json_gives_the_result_back(observable, results):
    content = to_json(results[observable.name])
    again = from_json(observable.result, content)
    assert to_json(again) == content
    assert to_json(from_plain(observable.result, json.loads(content))) == content
    assert observable.quantities(again) == observable.quantities(results[observable.name])
    assert observable.notes(again) == observable.notes(results[observable.name])
    json.loads(content, parse_constant=pytest.fail)
    with pytest.raises(ValueError, match='Field required'):
        from_plain(observable.result, {})


def assert_told(observable, result, topology):
    """Every quantity is known by name, and a finite number, or a bound, or says why not."""
    known = observable.quantity_names(topology.type_names, topology.bond_type_names)
    quantities = observable.quantities(result)
    assert len({quantity.name for quantity in quantities}) == len(quantities)
    for quantity in quantities:
        assert quantity.name in known
        assert quantity.unit
        assert quantity.panel is None or quantity.panel.name in observable.panels
        estimate = quantity.estimate
        ends = [end for end in (estimate.low, estimate.high) if end is not None]
        assert np.isfinite(ends).all(), quantity.name
        if estimate.value is None:
            assert estimate.is_bound or estimate.verdict, quantity.name
            continue
        low, high = quantity.limits
        assert np.isfinite(estimate.value), quantity.name
        assert all(low <= end <= high for end in (estimate.value, *ends)), quantity.name
        assert estimate.low is None or estimate.low <= estimate.value <= estimate.high
    for curve in observable.curves(result).values():
        assert np.all(np.diff(curve.x) > 0)
        assert curve.x_label
        assert curve.y_label
        for values in (curve.value, curve.low, curve.high, curve.fit):
            assert values is None or values.shape == curve.x.shape


@each_observable
def test_every_quantity_is_a_number_or_says_why_not(observable, results):
    assert observable.applies_to(MELT.trajectory().topology)
    assert observable.quantities(results[observable.name])
    assert_told(observable, results[observable.name], MELT.trajectory().topology)


@each_observable
def test_little_data_is_refused_or_told(observable):
    run = poor_run()
    outcome = analyse(run, [observable])[observable.name]
    if outcome.refusal:
        assert outcome.result is None
        return
    result = outcome.result
    assert_told(observable, result, run.topology)
    content = to_json(result)
    assert to_json(from_json(observable.result, content)) == content
    figure = new_figure(4, 3)
    observable.plot(result, figure.add_subplot())
    figure.draw_without_rendering()


@each_observable
def test_the_definition_names_a_source(observable):
    assert 'doi 10.' in observable.definition or 'ed.' in observable.definition
    assert observable.definition.endswith('.')


# On the grid, so that rounding decides nowhere on which side of an edge a distance lies.
TRANSLATION = np.array([3329, -17_921, 40_961]) * GRID
MOLECULES_AWAY = np.random.default_rng(1).integers(-3, 4, (N // 4, 3)) * MELT_BOX
ORDER = np.random.default_rng(2).permutation(N)


@each_of_a_trajectory
def test_origin_images_and_labels_do_not_matter(observable, results):
    moved = MELT.positions + TRANSLATION + np.repeat(MOLECULES_AWAY, 4, axis=0)
    assert_same(observable, results[observable.name], MELT.trajectory(moved, ORDER))


# The same lattice: the second vector leans by one of the first, the third by more.
LEANING = [*MELT_BOX, 1.0, 2.0, -4.0]


@pytest.fixture(scope='module')
def leaning(tmp_path_factory):
    path = tmp_path_factory.mktemp('leaning') / 'a.gsd'
    return open_trajectory(write_gsd(path, MELT.frames(LEANING)))


@each_of_a_trajectory
def test_how_a_lattice_is_described_does_not_matter(observable, leaning, results):
    assert_same(observable, results[observable.name], leaning)


def assert_same(observable, expected, trajectory):
    found = observable.compute(run_of_melt(trajectory))
    for one, other in zip(
        observable.quantities(expected), observable.quantities(found), strict=True
    ):
        assert one.name == other.name
        assert one.estimate.verdict == other.estimate.verdict
        for end in ('value', 'low', 'high', 'n_effective'):
            assert_close(getattr(one.estimate, end), getattr(other.estimate, end), one.name)
    curves = observable.curves(expected), observable.curves(found)
    assert curves[0].keys() == curves[1].keys()
    for name, curve in curves[0].items():
        for part in ('x', 'value', 'low', 'high'):
            assert_close(getattr(curve, part), getattr(curves[1][name], part), name)


def assert_close(one, other, name):
    assert (one is None) is (other is None), name
    if one is not None:
        assert other == pytest.approx(one, rel=1e-6, abs=1e-6, nan_ok=True), name


@each_observable
def test_one_pass_gives_what_each_alone_gives(observable, results):
    alone = observable.compute(run_of_melt(MELT.trajectory()))
    assert to_json(alone) == to_json(results[observable.name])


def test_what_is_refused_stops_no_other(results):
    outcomes = analyse(Run(MELT.trajectory(), LOG), OBSERVABLES)
    assert '--kT' in outcomes['stress'].refusal
    assert outcomes['stress'].result is None
    refused = [name for name, outcome in outcomes.items() if outcome.refusal]
    assert refused == ['conductivity', 'stress']
    assert to_json(outcomes['msd'].result) == to_json(results['msd'])


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp('files')
    melt = Melt(40)
    return (
        write_gsd(folder / 'a.gsd', melt.frames()),
        write_thermo(folder / 'thermo.h5', LOG, Melt.TIME_STEP),
    )


@each_observable
def test_command_line(observable, files, capsys, tmp_path):
    gsd_file, thermo = map(str, files)
    arguments = [observable.name]
    arguments += [gsd_file] if observable.needs_trajectory else []
    if observable.needs_log:
        arguments += ['--thermo', thermo] if observable.needs_trajectory else [thermo]
        arguments += ['--kT', '1']
    assert main([*arguments, '--json']) == 0
    printed = capsys.readouterr().out
    trajectory = open_trajectory(gsd_file) if observable.needs_trajectory else None
    expected = observable.compute(Run(trajectory, LOG, given_time_step=Melt.TIME_STEP, kT=1.0))
    assert to_json(from_json(observable.result, printed.encode())) == to_json(expected)

    figure = tmp_path / 'a.png'
    assert main([*arguments, '--plot', str(figure)]) == 0
    table = capsys.readouterr().out
    assert observable.title in table
    for quantity in observable.quantities(expected):
        assert f'\n{quantity.name} ' in table
    assert figure.stat().st_size > 1000


def test_progress_does_not_stand_among_the_json(files, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: True)
    assert main(['chains', str(files[0]), '--json']) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)['n_chains'] == N // 4
    assert 'frames' in printed.err


@each_observable
def test_figures_show_the_curves(observable, results):
    figure = new_figure(4, 3)
    ax = figure.add_subplot()
    observable.plot(results[observable.name], ax)
    figure.draw_without_rendering()
    curves = observable.curves(results[observable.name])
    if not curves:
        found = [quantity.estimate for quantity in observable.quantities(results[observable.name])]
        shown = [float(line.get_xdata()[0]) for line in ax.lines]
        assert shown == [each.value for each in found if each.value is not None]
        assert len(ax.get_yticklabels()) == len(found)
        return
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    # Labels of lines that are no curves begin with an underscore.
    lines = [line for line in ax.lines if not line.get_label().startswith('_')]
    assert lines
    (left, right), (bottom, top) = sorted(ax.get_xlim()), sorted(ax.get_ylim())
    for line in lines:
        x, y = line.get_data()
        inside = (left <= x) & (x <= right) & (bottom <= y) & (y <= top)
        assert inside.sum() > 1, line.get_label()
    shades = [shade.get_paths()[0].vertices for shade in ax.collections]
    drawn = [curves[line.get_label()] for line in lines if line.get_label() in curves]
    assert bool(shades) is any(each.low is not None for each in drawn or curves.values())
    assert all(np.isfinite(vertices).all() and len(vertices) > 4 for vertices in shades)
