"""Relations over the states of a sweep: energies, exponents, thresholds; claims on them; files."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.estimators.estimate import Estimate
from analysis.observable import Combination, Quantity
from tests.results.builders import (
    AXIS,
    job_result,
    neutral_jobs,
    segments_alone,
    state_point,
    table,
)
from workflow.results.aggregate import Row, State, SweepTable, combine
from workflow.results.claims import Claims
from workflow.results.extremum import AT_END, INSIDE, MAYBE_END
from workflow.results.relation import Relation, write_relations
from workflow.results.relation_figures import write_relation_figures
from workflow.results.relations import Relations
from workflow.results.report import Background, write_results
from workflow.results.verdicts import judge
from workflow.sweep.sweep_file import ReportTable

TEMPERATURES = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2)
# Lowest in the middle, as a paper may claim.
STRENGTHS = {0.33: 1.6, 0.5: 1.2, 2 / 3: 1.7}
LARGEST = 'largest_cluster_fraction'
Place = Mapping[str, float]


def rows_of(
    name: str, values: Mapping[tuple[tuple[str, float], ...], list[float]], unit: str = 'u'
) -> list[Row]:
    # As of all positive quantities: a conductivity is no time for it.
    settings: Any = {'combination': Combination.POSITIVE_TIME}
    rows = []
    for key, replicas in values.items():
        quantities = [Quantity(name, unit, Estimate(value), **settings) for value in replicas]
        (estimate,) = combine([quantities])
        shown = Quantity(name, unit, estimate, **settings)
        rows.append(Row(dict(key), 'made up', shown, dict(enumerate(quantities))))
    return rows


def sweep_of(*rows: Row) -> SweepTable:
    places = {tuple(row.place.items()): row.place for row in rows}
    states = tuple(State(place, ()) for place in places.values())
    return SweepTable('made up', AXIS, states, rows)


def noisy(value: float, generator: np.random.Generator, error: float = 0.03) -> list[float]:
    return [value * math.exp(error * generator.normal()) for _ in range(3)]


def conductivities(temperatures: tuple[float, ...] = TEMPERATURES) -> list[Row]:
    generator = np.random.default_rng(1)
    values = {
        (('lsp_fraction', x), ('kT', T)): noisy(math.exp(-B / (T - 0.4)), generator)
        for x, B in STRENGTHS.items()
        for T in temperatures
    }
    return rows_of('conductivity', values)


def claims(**expect: Any) -> Claims:
    found = {'text': 't', 'source': 's', 'quantity': 'activation_energy', 'expect': expect}
    return Claims.model_validate({'title': 't', 'claim': [found]})


def test_each_composition_has_an_activation_energy_without_kt() -> None:
    found = Relations.of(sweep_of(*conductivities()), ReportTable())
    assert [dict(row.place) for row in found.rows] == [{'lsp_fraction': x} for x in STRENGTHS]
    for row, strength in zip(found.rows, STRENGTHS.values(), strict=True):
        truth = strength * 0.9**2 / 0.5**2
        assert row.estimate.low < truth < row.estimate.high
        # Replicas of one number are independent data, and tell the spread.
        assert sorted(row.by_replica) == [0, 1, 2]
        assert row.n_replicas == 3
    laws = {each.law for each in found.all if each.name == 'vtf_strength'}
    assert laws == {'VTF'}
    assert sum(not row.is_converged for row in found.rows) == 0


def test_the_temperature_can_be_named() -> None:
    report = ReportTable.model_validate({'activation': {'at': 1.1}})
    row = Relations.of(sweep_of(*conductivities()), report).rows[1]
    assert row.estimate.value == pytest.approx(1.2 * 1.1**2 / 0.7**2, rel=0.1)
    assert row.quantity.label == 'at kT = 1.1'


def test_a_claim_of_a_minimum_is_tested_along_the_composition() -> None:
    found = Relations.of(sweep_of(*conductivities()), ReportTable())
    (finding,) = judge(claims(minimum_at=0.5), found.series, AXIS)
    assert finding.verdict == 'agrees'
    assert finding.effect.startswith('-')
    assert 'LSP 0.5' in finding.found
    (other,) = judge(claims(minimum_at=0.67), found.series, AXIS)
    assert other.verdict == 'disagrees'
    (highest,) = judge(claims(maximum_at=0.67), found.series, AXIS)
    assert highest.verdict != 'disagrees'


def extrema(values: Mapping[float, list[Any]], maximum: str | None = None) -> list[Relation]:
    rows = rows_of(
        'conductivity', {(('lsp_fraction', x), ('kT', 1.0)): each for x, each in values.items()}
    )
    report = ReportTable.model_validate({'extremum': {'maximum': maximum} if maximum else {}})
    return Relations.of(sweep_of(*rows), report).extrema


def test_a_maximum_has_the_places_that_may_have_it() -> None:
    values = {0.1: [1.0, 1.1], 0.5: [5.0, 5.2], 0.67: [5.1, 5.3], 1.0: [2.0, 2.1]}
    (found,) = extrema(values, 'conduct*')
    assert (found.name, found.against, found.law) == ('place_of_maximum', 'LSP', INSIDE)
    assert (found.estimate.value, found.places, found.text) == (
        0.67,
        (0.5, 0.67),
        '0.67 [0.5, 0.67]',
    )
    (rising,) = extrema(values | {1.0: [9.0, 9.2]}, 'conductivity')
    assert (rising.places, rising.law) == ((1.0,), AT_END)
    (flat,) = extrema(values | {1.0: [4.9, 5.1]}, 'conductivity')
    assert (flat.places, flat.law) == ((0.5, 0.67, 1.0), MAYBE_END)
    assert not extrema(values)


def test_places_that_the_data_do_not_tell_are_kept_and_said() -> None:
    (single,) = extrema({0.1: [1.0], 0.5: [5.0], 1.0: [2.0]}, 'conductivity')
    assert single.places == (0.1, 0.5, 1.0)
    assert 'one replica of each state' in single.estimate.verdict
    (lost,) = extrema({0.1: [None], 0.5: [5.0, 5.1], 1.0: [2.0, 2.1]}, 'conductivity')
    assert (lost.estimate.value, lost.places, lost.law) == (0.5, (0.1, 0.5), MAYBE_END)
    assert lost.estimate.verdict == '1 of 3 states are not converged; no value at 0.1'


def test_the_places_that_claims_ask_for_are_told(tmp_path: Path) -> None:
    rows = conductivities()
    relations = Relations.of(sweep_of(*rows), ReportTable(), claims(minimum_at=0.5))
    (found,) = relations.extrema
    assert (found.name, found.quantity, found.places) == (
        'place_of_minimum',
        'activation_energy',
        (0.5,),
    )
    assert relations.sections['extremum']['relations'] == [found]
    write_relations(tmp_path / 'relations.csv', relations.all)
    first = next(csv.DictReader((tmp_path / 'relations.csv').read_text().splitlines()))
    assert (first['relation'], first['value'], first['places']) == (
        'place_of_minimum',
        '0.5',
        '0.5',
    )


def test_one_temperature_is_told_and_not_tested() -> None:
    found = Relations.of(sweep_of(*conductivities((1.0,))), ReportTable())
    assert not found.rows
    (finding,) = judge(claims(minimum_at=0.5), found.series, AXIS, missing=found.missing)
    assert finding.verdict == 'not tested'
    assert 'one temperature with a positive value, and a fit needs 6' in finding.found
    assert 'one temperature' in found.sections['activation']['refused'][0]['why']


def test_few_temperatures_and_lost_ones_carry_a_verdict() -> None:
    few = Relations.of(sweep_of(*conductivities(TEMPERATURES[:3])), ReportTable())
    assert all('3 temperatures, 6 are needed' in row.estimate.verdict for row in few.rows)
    rows = [
        *conductivities(),
        *rows_of('conductivity', {(('lsp_fraction', 0.5), ('kT', 0.6)): [-1.0, 0.0]}),
    ]
    lost = Relations.of(sweep_of(*rows), ReportTable()).rows[1]
    assert '1 of 7 temperatures have no positive value' in lost.estimate.verdict


def test_energies_that_no_replica_has_alone_are_not_compared() -> None:
    rows = conductivities()
    for k, row in enumerate(rows):  # each replica lacks another temperature
        others = {r: each for r, each in row.by_replica.items() if r != k % len(TEMPERATURES)}
        rows[k] = replace(row, by_replica=others)
    found = Relations.of(sweep_of(*rows), ReportTable(), claims(minimum_at=0.5))
    assert all(row.estimate.value is not None and not row.by_replica for row in found.rows)
    assert not found.extrema
    (finding,) = judge(claims(minimum_at=0.5), found.series, AXIS)
    assert finding.verdict == 'not tested'


def test_exponents_over_all_states_and_over_those_that_differ_in_one_thing() -> None:
    generator = np.random.default_rng(2)
    sigma, tau = {}, {}
    for x, B in STRENGTHS.items():
        for T in TEMPERATURES:
            key = (('lsp_fraction', x), ('kT', T))
            slow = math.exp(B / (T - 0.4)) / (1 + x)
            tau[key] = noisy(slow, generator)
            sigma[key] = noisy(slow**-0.7, generator)
    times = rows_of('p2_1_over_e_time_A-side', tau, 'tau')
    made_up = sweep_of(*rows_of('conductivity', sigma), *times)
    (pair,) = Relations.of(made_up, ReportTable()).pairs
    assert pair.relations[0].where == ''
    assert pair.relations[0].n_states == 18
    # Three compositions are too few for an exponent at one temperature.
    assert [each.n_states for each in pair.relations[1:]] == [6, 6, 6]
    for each in pair.relations:
        assert each.estimate.low < 0.7 < each.estimate.high
        assert each.estimate.high - each.estimate.low < 0.1


def test_an_exponent_of_states_that_are_not_converged_says_so() -> None:
    generator = np.random.default_rng(4)
    slow = {(('lsp_fraction', 0.5), ('kT', T)): math.exp(1 / (T - 0.4)) for T in TEMPERATURES}
    times = {key: noisy(tau, generator) for key, tau in slow.items()}
    sigma = {key: noisy(1 / tau, generator) for key, tau in slow.items()}
    rows = [*rows_of('conductivity', sigma), *rows_of('pair_lifetime', times, 'tau')]
    ((sound,),) = [each.relations for each in Relations.of(sweep_of(*rows), ReportTable()).pairs]
    assert sound.estimate.is_converged
    for k in 0, 1, 7:  # one state by both, another by its time
        doubted = replace(rows[k].quantity.estimate, verdict='not linear')
        rows[k] = replace(rows[k], quantity=replace(rows[k].quantity, estimate=doubted))
    ((found,),) = [each.relations for each in Relations.of(sweep_of(*rows), ReportTable()).pairs]
    assert found.estimate.verdict == '2 of 6 states are not converged'


def largest(x: float, chains: float) -> float:
    """A share of the largest cluster that has the scaling of percolation at 0.4."""
    size = chains ** (1 / 3)
    return size**-0.47705 * 0.3 * math.exp((x - 0.4) * size**1.141 / 2)


def test_a_threshold_is_where_two_sizes_cross() -> None:
    generator = np.random.default_rng(3)
    values = {
        (('lsp_fraction', x), ('kT', 1.0), ('chains', chains)): noisy(
            largest(x, chains), generator, 0.01
        )
        for x in (0.2, 0.33, 0.5, 0.67)
        for chains in (24.0, 192.0)
    }
    found = Relations.of(sweep_of(*rows_of(LARGEST, values)), ReportTable())
    ((relation,),) = [each.relations for each in found.thresholds]
    assert relation.against == '24 and 192 chains'
    assert relation.estimate.value == pytest.approx(0.4, abs=0.02)
    assert relation.estimate.low < 0.4 < relation.estimate.high
    one_size = {key: each for key, each in values.items() if ('chains', 24.0) in key}
    alone = Relations.of(sweep_of(*rows_of(LARGEST, one_size)), ReportTable())
    assert not alone.thresholds
    assert 'one system size' in alone.sections['percolation']['refused'][0]['why']


@pytest.mark.usefixtures('quick_figures')
def test_what_is_found_is_written_and_drawn(tmp_path: Path) -> None:
    jobs = [
        job_result(
            state_point(0.5, replica, kT=T),
            relaxation=segments_alone(
                {'LSP-side': 3 * math.exp(0.5 / (T - 0.4 + 0.002 * replica))}
            ),
        )
        for T in TEMPERATURES
        for replica in range(2)
    ]
    quantity = 'p2_1_over_e_time_LSP-side'
    report = ReportTable.model_validate(
        {'activation': {'quantity': quantity}, 'decoupling': {'quantity': 'p1_time_LSP-side'}}
    )
    write_results(tmp_path, table(jobs), Background(n_jobs=len(jobs), report=report))
    with open(tmp_path / 'relations.csv', newline='') as file:
        lines = list(csv.DictReader(file))
    assert {line['relation'] for line in lines} >= {'activation_energy', 'decoupling_exponent'}
    energy = next(line for line in lines if line['relation'] == 'activation_energy')
    assert float(energy['value']) == pytest.approx(0.5 * 0.9**2 / 0.5**2, rel=0.05)
    with open(tmp_path / 'summary.csv', newline='') as file:
        rows = [line for line in csv.DictReader(file) if line['quantity'] == 'activation_energy']
    assert [(line['lsp_fraction'], line['kT']) for line in rows] == [('0.5', '')]
    for stem in ('activation', 'decoupling'):
        assert (tmp_path / f'figures/{stem}.svg').is_file()
        assert len((tmp_path / f'figures/{stem}.csv').read_text().splitlines()) > 6
    for name in ('report.html', 'report.md'):
        text = (tmp_path / name).read_text()
        assert 'l_B kT is held constant' in text
        assert 'decoupling_exponent' in text


def test_a_pair_of_which_no_state_has_both_means_is_told_and_not_drawn(tmp_path: Path) -> None:
    key = (('lsp_fraction', 0.5), ('kT', 1.0))
    rows = rows_of('conductivity', {key: [0.1, 0.2]})
    bound, one = (Quantity('pair_lifetime', 'tau', e) for e in (Estimate(low=5.0), Estimate(9.0)))
    rows.append(Row(dict(key), 'made up', bound, {0: one, 1: bound}))
    found = Relations.of(sweep_of(*rows), ReportTable())
    (pair,) = found.pairs
    assert pair.relations[0].estimate.verdict
    assert 'decoupling' not in [each.stem for each in write_relation_figures(tmp_path, found)]


def test_a_sweep_without_such_quantities_has_no_relations(tmp_path: Path) -> None:
    found = Relations.of(table(neutral_jobs(0.8, 1.0), model='kremer_grest'), ReportTable())
    assert not found.all
    assert not found.sections
