"""Replicas to rows: grouping, intervals by hand, bounds, convergence, and the file."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.estimators.drift import Drift
from analysis.estimators.estimate import Estimate
from analysis.observable import FRACTION, Combination, Quantity
from tests.results.builders import (
    AXIS,
    clusters,
    job,
    job_result,
    state_point,
    sweep,
    table,
    with_result,
)
from workflow.results.aggregate import Row, combine, group_states
from workflow.results.job_results import JobResult
from workflow.results.tables import write_summary

T_2, T_3 = 12.7062, 4.30265  # Student's t at 97.5 %, 1 and 2 degrees of freedom


def mean(value: float | None, low: float | None = None, high: float | None = None) -> Quantity:
    return Quantity('x', '1', Estimate(value, low, high))


def share(value: float, low: float, high: float) -> Quantity:
    return Quantity('x', '1', Estimate(value, low, high), Combination.PROPORTION, FRACTION)


def time(
    value: float | None = None, longer_than: float | None = None, shorter_than: float | None = None
) -> Quantity:
    verdict = '' if value is not None else 'b'
    estimate = Estimate(value, longer_than, shorter_than, verdict=verdict)
    return Quantity('x', 'tau', estimate, Combination.POSITIVE_TIME)


def combined(quantities: list[Quantity]) -> Estimate:
    """One state alone, which has nothing to pool with."""
    (found,) = combine([quantities])
    return found


def rows_of(results: list[JobResult], precision: dict[str, float] | None = None) -> dict[str, Row]:
    return {row.quantity.name: row for row in table(results, precision=precision).rows}


def test_student_t_over_three_replicas() -> None:
    found = combined([mean(1.0), mean(2.0), mean(3.0)])
    half = T_3 * 1.0 / math.sqrt(3)
    assert found.value == 2.0
    assert (found.low, found.high) == pytest.approx((2 - half, 2 + half), rel=1e-5)
    assert found.n_effective == 3


def test_times_combine_on_their_logarithms() -> None:
    found = combined([time(10.0), time(1000.0)])
    half = T_2 * (math.log(100) / math.sqrt(2)) / math.sqrt(2)
    assert found.value == pytest.approx(100.0)
    assert found.low == pytest.approx(100 * math.exp(-half), rel=1e-4)
    assert found.high == pytest.approx(100 * math.exp(half), rel=1e-4)


@pytest.mark.parametrize(
    'quantity',
    [mean(1.0, 0.9, 1.1), share(0.5, 0.4, 0.6)],
    ids=['mean', 'share'],
)
def test_one_replica_has_the_interval_of_its_run_and_says_so(quantity: Quantity) -> None:
    found = combined([quantity])
    assert found.value == pytest.approx(quantity.estimate.value)
    assert found.low == pytest.approx(quantity.estimate.low)
    assert found.verdict == 'one replica: error within the run'
    assert combined([time(3.0)]).verdict == 'one replica: no interval'


def test_states_share_the_spread_of_their_replicas() -> None:
    spread = [[mean(x + d), mean(x - d)] for x, d in ((1.0, 0.1), (5.0, 0.12), (9.0, 0.09))]
    found = combine(spread)
    own = T_2 * 0.1  # half the width by Student's t from the two replicas of the first alone
    assert [each.value for each in found] == pytest.approx([1.0, 5.0, 9.0])
    assert all(0 < (e.high or 0) - (e.low or 0) < 2 * own / 3 for e in found)


def test_replicas_that_agree_to_the_last_digit_have_no_interval() -> None:
    found = combined([mean(1.5), mean(1.5)])
    assert (found.value, found.low, found.high) == (1.5, None, None)


def test_a_bound_leaves_no_mean() -> None:
    found = combined([time(500.0), time(longer_than=200.0), time(longer_than=300.0)])
    assert (found.value, found.high) == (None, None)
    assert found.low == pytest.approx(200)
    # A replica that did relax within 50 rules out that all are longer than 200.
    assert combined([time(50.0), time(longer_than=200.0)]).low == pytest.approx(50)
    found = combined([time(shorter_than=0.2), time(shorter_than=0.3)])
    assert (found.value, found.low, found.high) == (None, None, pytest.approx(0.3))


def test_proportions_that_are_all_one_keep_their_errors_within_the_runs() -> None:
    found = combined([share(1.0, 0.9, 1.0), share(1.0, 0.8, 1.0)])
    assert found.value == 1.0
    assert found.low == pytest.approx(1 - math.hypot(0.1, 0.2) / 2)
    assert found.high == 1.0


def test_proportions_that_differ_take_the_wider_interval_and_stay_in_range() -> None:
    found = combined([share(0.1, 0.05, 0.15), share(0.9, 0.85, 0.95)])
    assert (found.low, found.high) == (0.0, 1.0)
    narrow = combined([share(0.50, 0.3, 0.7), share(0.5001, 0.3001, 0.7001)])
    assert narrow.high == pytest.approx(0.50005 + 0.2 / math.sqrt(2))


def test_fractions_stay_between_zero_and_one() -> None:
    parts = [replace(mean(value), limits=FRACTION) for value in (0.05, 0.4)]
    assert (combined(parts).low, combined(parts).high) == (0.0, 1.0)


def test_a_replica_without_value_is_told_and_left_out() -> None:
    lost = replace(mean(None), estimate=Estimate(verdict='no fit'))
    found = combined([mean(1.0), lost, mean(3.0)])
    assert (found.value, found.n_effective) == (2.0, 2)
    assert found.verdict == 'no fit (1 of 3 replicas)'


def test_replicas_are_grouped_by_everything_else() -> None:
    results = [job(x, r, kT=T) for r in (1, 0) for T in (1.0, 0.8) for x in (0.5, 0.1)]
    states = group_states(results, AXIS)
    assert [dict(s.place) for s in states] == [
        {'lsp_fraction': x, 'kT': T} for x in (0.1, 0.5) for T in (0.8, 1.0)
    ]
    assert all([r.state_point['replica'] for r in s.results] == [0, 1] for s in states)


def test_other_axes_become_columns_only_where_they_vary(tmp_path: Path) -> None:
    results = [job(0.5, r, bjerrum_length=length) for length in (16.0, 31.0) for r in (0, 1)]
    found = table(results)
    assert [s.place['bjerrum_length'] for s in found.states] == [16.0, 31.0]
    write_summary(tmp_path / 'summary.csv', found)
    lines = list(csv.reader((tmp_path / 'summary.csv').open()))
    assert lines[0][-2:] == ['converged', 'bjerrum_length']
    assert (lines[1][-1], lines[-1][-1]) == ('16', '31')


def test_monomers_count_where_the_axis_does_not_tell_them() -> None:
    mixed = [job(0.5, composition={'LSP': 0.5, 'DOPA': x, 'N': 0.5 - x}) for x in (0.2, 0.3)]
    assert [dict(s.place) for s in group_states(mixed, AXIS)] == [
        {'lsp_fraction': 0.5, 'kT': 1.0, 'composition_DOPA': 0.2, 'composition_N': 0.3},
        {'lsp_fraction': 0.5, 'kT': 1.0, 'composition_DOPA': 0.3, 'composition_N': 0.2},
    ]
    absent = group_states([job(0.0, composition={'N': 1.0})], AXIS)
    assert [s.place['lsp_fraction'] for s in absent] == [0.0]


def test_a_verdict_in_one_replica_means_not_converged() -> None:
    sound = [job(0.5, 0), job(0.5, 1)]
    assert rows_of(sound)['largest_cluster_fraction'].is_converged
    flawed = [sound[0], with_result(sound[1], 'clusters', clusters(verdict='it drifts'))]
    row = rows_of(flawed)['largest_cluster_fraction']
    assert not row.is_converged
    assert row.estimate.verdict == 'it drifts (1 of 2 replicas)'
    assert rows_of(flawed)['p2_time_backbone'].is_converged


def test_a_quantity_that_a_replica_lacks_is_not_converged() -> None:
    refused = job_result(state_point(0.5, 1), clusters='too few frames')
    row = rows_of([job(0.5, 0), refused])['largest_cluster_fraction']
    assert '1 of 2 replicas do not have it' in row.estimate.verdict


@pytest.mark.parametrize(('wanted', 'met'), [(0.2, True), (0.001, False)])
def test_an_asked_precision_must_be_met_over_replicas(wanted: float, met: bool) -> None:
    precision = {'p2_time_backbone': wanted}
    results = [job(0.5, r) for r in range(4)]
    row = rows_of(results, precision)['p2_time_backbone']
    value, low, high = row.estimate.value, row.estimate.low, row.estimate.high
    assert value is not None
    assert low is not None
    assert high is not None
    assert ((high - low) / 2 / value <= wanted) is met
    assert row.is_converged is met
    assert rows_of(results, precision)['p2_time_LSP-side'].is_converged
    assert not rows_of(results[:1], precision)['p2_time_backbone'].is_converged


def test_a_system_without_ions_has_relaxation_alone() -> None:
    names = set(rows_of([job(0.0, 0), job(0.0, 1)]))
    assert 'p2_time_DOPA-side' in names
    assert not any('cluster' in name or 'percolation' in name for name in names)


def test_summary_has_exactly_its_columns(tmp_path: Path) -> None:
    path = tmp_path / 'summary.csv'
    found = table(sweep())
    write_summary(path, found)
    with open(path, newline='') as file:
        lines = list(csv.reader(file))
    assert lines[0] == (
        [
            'sweep',
            'lsp_fraction',
            'kT',
            'quantity',
            'unit',
            'mean',
            'ci95_low',
            'ci95_high',
            'n_replicas',
            'converged',
        ]
    )
    bound = next(line for line in lines if line[1] == '0' and line[3] == 'p2_time_backbone')
    assert bound[5] == ''
    assert float(bound[6]) > 0
    assert bound[7:] == ['', '3', 'false']
    assert list(tmp_path.iterdir()) == [path]
    assert len(lines) == 1 + len(found.rows)
    for line, row in zip(lines[1:], found.rows, strict=True):
        assert line[3] == row.quantity.name
        value = row.estimate.value
        assert line[5] == '' if value is None else float(line[5]) == pytest.approx(value, rel=1e-5)


def test_a_drift_that_only_the_replicas_together_show_is_told() -> None:
    drifts = {
        'potential_energy': Drift(1.2, 0.45, 40.0),
        'coordination_number': Drift(0.1, 0.4, 40),
    }
    together = [replace(each, drifts=drifts) for each in [job(0.5, k) for k in range(4)]]
    rows = rows_of(together)
    for name in ('pressure', 'potential_energy_per_bead'):
        assert (
            'the replicas drift together: potential energy by +1.2' in rows[name].estimate.verdict
        )
    for name in ('temperature', 'density', 'ion_coordination_number'):
        assert 'drift' not in rows[name].estimate.verdict
    assert 'drift' not in rows_of(together[:1])['pressure'].estimate.verdict


def test_replicas_make_good_for_intervals_that_a_run_cannot_give() -> None:
    doubted = [
        replace(mean(value), estimate=Estimate(value, interval_verdict='too short'))
        for value in (1.0, 1.1, 0.9)
    ]
    assert combined(doubted).verdict == ''
    assert 'too short' in combined(doubted[:1]).verdict
