"""Replicas to rows: grouping, intervals by hand, bounds, convergence, and the file."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from analysis.plain import plain
from workflow.stages.quantities import FRACTION, Combination, Quantity

from tests.results.builders import (
    clusters,
    curve,
    job,
    relaxation,
    state_point,
    sweep,
    thermodynamics,
)
from user_input import UserError
from workflow.results.aggregate import (
    JobResult,
    SummaryRow,
    combine,
    group_states,
    mean_distribution,
    mean_relaxation,
    read_job_result,
    read_summary,
    summarise,
    write_summary,
)

T_2, T_3 = 12.7062, 4.30265  # Student's t at 97.5 %, 1 and 2 degrees of freedom


def mean(value: float | None, low: float | None = None, high: float | None = None) -> Quantity:
    return Quantity('x', '1', Combination.MEAN, value, low, high)


def share(value: float, low: float, high: float) -> Quantity:
    return Quantity('x', '1', Combination.PROPORTION, value, low, high, limits=FRACTION)


def time(value: float | None = None, **bounds: float) -> Quantity:
    return Quantity(
        'x', 'tau', Combination.POSITIVE_TIME, value, verdict='b' * bool(bounds), **bounds
    )


def rows_of(results: list[JobResult]) -> dict[str, SummaryRow]:
    return {row.quantity: row for row in summarise('s', group_states(results))}


def test_student_t_over_three_replicas() -> None:
    found = combine([mean(1.0), mean(2.0), mean(3.0)])
    half = T_3 * 1.0 / math.sqrt(3)
    assert found.mean == 2.0
    assert (found.low, found.high) == pytest.approx((2 - half, 2 + half), rel=1e-5)
    assert found.n_replicas == 3


def test_times_combine_on_their_logarithms() -> None:
    found = combine([time(10.0), time(1000.0)])
    half = T_2 * (math.log(100) / math.sqrt(2)) / math.sqrt(2)
    assert found.mean == pytest.approx(100.0)
    assert found.low == pytest.approx(100 * math.exp(-half), rel=1e-4)
    assert found.high == pytest.approx(100 * math.exp(half), rel=1e-4)


@pytest.mark.parametrize(
    'quantity',
    [mean(1.0, 0.9, 1.1), share(0.5, 0.4, 0.6), time(3.0)],
    ids=['mean', 'share', 'time'],
)
def test_one_replica_has_no_interval(quantity: Quantity) -> None:
    found = combine([quantity])
    assert found.mean == pytest.approx(quantity.value)
    assert (found.low, found.high) == (None, None)
    assert found.reasons == ('one replica: no interval',)


def test_replicas_that_agree_to_the_last_digit_have_no_interval() -> None:
    found = combine([mean(1.5), mean(1.5)])
    assert (found.mean, found.low, found.high) == (1.5, None, None)


def test_a_bound_leaves_no_mean() -> None:
    found = combine([time(500.0), time(longer_than=200.0), time(longer_than=300.0)])
    assert (found.mean, found.low, found.high) == (None, 200.0, None)
    # A replica that did relax within 50 rules out that all are longer than 200.
    assert combine([time(50.0), time(longer_than=200.0)]).low == 50.0
    found = combine([time(shorter_than=0.2), time(shorter_than=0.3)])
    assert (found.mean, found.low, found.high) == (None, None, 0.3)


def test_proportions_that_are_all_one_keep_their_errors_within_the_runs() -> None:
    found = combine([share(1.0, 0.9, 1.0), share(1.0, 0.8, 1.0)])
    assert found.mean == 1.0
    assert found.low == pytest.approx(1 - math.hypot(0.1, 0.2) / 2)
    assert found.high == 1.0


def test_proportions_that_differ_take_the_wider_interval_and_stay_in_range() -> None:
    found = combine([share(0.1, 0.05, 0.15), share(0.9, 0.85, 0.95)])
    assert (found.low, found.high) == (0.0, 1.0)
    narrow = combine([share(0.50, 0.3, 0.7), share(0.5001, 0.3001, 0.7001)])
    assert narrow.high == pytest.approx(0.50005 + 0.2 / math.sqrt(2))


def test_fractions_stay_between_zero_and_one() -> None:
    parts = [replace(mean(value), limits=FRACTION) for value in (0.05, 0.4)]
    assert (combine(parts).low, combine(parts).high) == (0.0, 1.0)


def test_a_replica_without_value_is_told_and_left_out() -> None:
    lost = replace(mean(None), verdict='no fit')
    found = combine([mean(1.0), lost, mean(3.0)])
    assert (found.mean, found.n_replicas) == (2.0, 2)
    assert found.reasons == ('no fit (1 of 3 replicas)',)


def test_replicas_are_grouped_by_everything_else() -> None:
    results = [job(x, r, kT=T) for r in (1, 0) for T in (1.0, 0.8) for x in (0.5, 0.1)]
    states = group_states(results)
    assert [(s.lsp_fraction, s.kT) for s in states] == [
        (0.1, 0.8),
        (0.1, 1.0),
        (0.5, 0.8),
        (0.5, 1.0),
    ]
    assert all([r.state_point['replica'] for r in s.results] == [0, 1] for s in states)
    assert all(s.axes == {} for s in states)


def test_other_axes_become_columns_only_where_they_vary(tmp_path: Path) -> None:
    results = [job(0.5, r, bjerrum_length=length) for length in (16.0, 31.0) for r in (0, 1)]
    states = group_states(results)
    assert [s.axes for s in states] == [{'bjerrum_length': 16.0}, {'bjerrum_length': 31.0}]
    rows = summarise('s', states)
    write_summary(tmp_path / 'summary.csv', rows)
    header = (tmp_path / 'summary.csv').read_text().splitlines()[0]
    assert header.endswith(',converged,bjerrum_length')
    assert read_summary(tmp_path / 'summary.csv')[-1].axes == {'bjerrum_length': 31.0}


def test_monomers_count_where_the_lsp_fraction_does_not_tell_them() -> None:
    mixed = [job(0.5, composition={'LSP': 0.5, 'DOPA': x, 'N': 0.5 - x}) for x in (0.2, 0.3)]
    assert [s.axes for s in group_states(mixed)] == [
        {'composition_DOPA': 0.2, 'composition_N': 0.3},
        {'composition_DOPA': 0.3, 'composition_N': 0.2},
    ]
    assert [s.lsp_fraction for s in group_states([job(0.0, composition={'N': 1.0})])] == [0.0]


def test_a_verdict_in_one_replica_means_not_converged() -> None:
    sound = [job(0.5, 0), job(0.5, 1)]
    assert rows_of(sound)['largest_cluster_fraction'].converged
    flawed = [sound[0], replace(sound[1], clusters=clusters(verdict='it drifts'))]
    row = rows_of(flawed)['largest_cluster_fraction']
    assert not row.converged
    assert row.reasons == ('it drifts (1 of 2 replicas)',)
    assert rows_of(flawed)['p2_time_backbone'].converged


@pytest.mark.parametrize(('wanted', 'met'), [(0.2, True), (0.001, False)])
def test_an_asked_precision_must_be_met_over_replicas(wanted: float, met: bool) -> None:
    protocol = {'sample': {'precision': {'p2_time_backbone': wanted}}}
    results = [job(0.5, r, protocol=protocol) for r in range(4)]
    row = rows_of(results)['p2_time_backbone']
    assert row.mean is not None
    assert row.ci95_high is not None
    assert row.ci95_low is not None
    assert ((row.ci95_high - row.ci95_low) / 2 / row.mean <= wanted) is met
    assert row.converged is met
    assert rows_of(results)['p2_time_LSP-side'].converged
    assert not rows_of(results[:1])['p2_time_backbone'].converged


def test_a_system_without_ions_has_relaxation_alone() -> None:
    names = set(rows_of([job(0.0, 0), job(0.0, 1)]))
    assert 'p2_time_DOPA-side' in names
    assert not any('cluster' in name or 'percolation' in name for name in names)


def test_summary_has_exactly_its_columns(tmp_path: Path) -> None:
    path = tmp_path / 'summary.csv'
    rows = summarise('demo', group_states(sweep()))
    write_summary(path, rows)
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
    back = read_summary(path)
    assert [(r.quantity, r.n_replicas, r.converged) for r in back] == [
        (r.quantity, r.n_replicas, r.converged) for r in rows
    ]
    assert [r.mean for r in back] == [
        None if r.mean is None else pytest.approx(r.mean, rel=1e-5) for r in rows
    ]


def test_a_file_that_is_no_summary_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'other.csv').write_text('a,b\n1,2\n')
    with pytest.raises(UserError, match='not those of a summary'):
        read_summary(tmp_path / 'other.csv')


def test_a_job_is_read_only_when_all_its_results_stand(tmp_path: Path) -> None:
    content = {
        'clusters': {'n_ions': 0},
        'relaxation': relaxation({'backbone': 2.0}),
        'thermodynamics': thermodynamics(),
    }
    for name, values in content.items():
        assert read_job_result(tmp_path, state_point(0.0)) is None
        (tmp_path / f'{name}.json').write_text(json.dumps(values))
    result = read_job_result(tmp_path, state_point(0.0))
    assert result is not None
    assert result.clusters == {'n_ions': 0}
    (tmp_path / 'clusters.json').write_text('{"n_io')
    with pytest.raises(UserError, match=r'clusters\.json: cannot be read'):
        read_job_result(tmp_path, state_point(0.0))


def test_mean_distribution_keeps_its_sum_and_counts_what_a_replica_lacks() -> None:
    one = {'values': [1, 2, 3], 'probability': [0.5, 0.25, 0.25]}
    other = {'values': [1, 100], 'probability': [0.5, 0.5]}
    found = mean_distribution([one, other])
    assert found.mean[:3] == pytest.approx([0.5, 0.125, 0.125])
    assert found.lowest[1] == 0
    sizes = np.arange(1, 101)
    widths = np.bincount(np.unique(np.floor(np.log10(sizes) * 8), return_inverse=True)[1])
    assert (found.mean * widths).sum() == pytest.approx(1.0)


def test_mean_relaxation_stops_at_the_shortest_replica() -> None:
    whole = plain(curve(5.0))
    short = {**whole, 'time': whole['time'][:8], 'value': [v + 0.1 for v in whole['value'][:8]]}
    found = mean_relaxation([whole, short])
    assert found.x == pytest.approx(whole['time'][:8])
    assert found.mean == pytest.approx(np.array(whole['value'][:8]) + 0.05)
    assert found.highest - found.lowest == pytest.approx(np.full(8, 0.1))
