"""Names, bounds and verdicts of the scalar results of one job."""

from __future__ import annotations

import math

import pytest
from workflow.stages.quantities import (
    Combination,
    Quantity,
    check_precision_names,
    cluster_quantities,
    known_names,
    relative_half_width,
    relaxation_quantities,
)

from tests.results.builders import clusters, job, relaxation
from user_input import UserError


def by_name(quantities: list[Quantity]) -> dict[str, Quantity]:
    return {quantity.name: quantity for quantity in quantities}


def test_every_result_has_a_known_name() -> None:
    names = {quantity.name for quantity in job(0.5).quantities()}
    assert names == set(known_names(['backbone', 'LSP-side', 'DOPA-side']))
    bonds = ['backbone', 'LSP-side', 'DOPA-side']
    never = {'density', 'contact_distance'}
    check_precision_names(dict.fromkeys(names - never, 0.1), bonds)
    for name in never:
        with pytest.raises(UserError, match=f"'{name}'"):
            check_precision_names({name: 0.1}, bonds)


def test_without_ions_there_are_no_cluster_quantities() -> None:
    assert cluster_quantities({'n_ions': 0}) == []


def test_verdict_of_the_analysis_is_that_of_each_number() -> None:
    found = by_name(cluster_quantities(clusters(verdict='it drifts')))
    assert found['free_ion_fraction'].verdict == 'it drifts'
    assert found['percolation_probability_x'].verdict == 'it drifts'
    assert found['percolation_probability_x'].kind is Combination.PROPORTION


def test_a_mean_at_its_limit_is_no_fault() -> None:
    assert by_name(cluster_quantities(clusters()))['percolation_dimension'].verdict == ''
    stuck = clusters()
    stuck['estimates']['coordination_number'] |= {
        'low': None,
        'high': None,
        'n_effective': 1.0,
        'verdict': 'the same in every frame: no interval',
    }
    assert by_name(cluster_quantities(stuck))['ion_coordination_number'].verdict


def test_times_and_bounds() -> None:
    found = by_name(
        relaxation_quantities(relaxation({'LSP-side': 3.0}, longer_than={'LSP-side': 9.0}))
    )
    bound = found['p2_time_LSP-side']
    assert (bound.value, bound.longer_than, bound.unit) == (None, 9.0, 'tau')
    assert found['p1_1_over_e_time_LSP-side'].value == pytest.approx(9.0)
    assert found['fs_1_over_e_time_cations_pi_over_sigma'].value == pytest.approx(0.7 * 80.0)


@pytest.mark.parametrize(
    ('quantity', 'expected'),
    [
        (Quantity('x', '1', Combination.MEAN, 4.0, 3.0, 5.0), 0.25),
        (Quantity('x', '1', Combination.MEAN, -4.0, -5.0, -3.0), 0.25),
        (Quantity('x', '1', Combination.PROPORTION, 0.0, 0.0, 0.2), 0.1),
        (Quantity('x', '1', Combination.MEAN, 4.0), math.inf),
        (Quantity('x', 'tau', Combination.POSITIVE_TIME, longer_than=4.0), math.inf),
    ],
)
def test_relative_half_width(quantity: Quantity, expected: float) -> None:
    assert relative_half_width(quantity) == pytest.approx(expected)


def test_misspelt_precision_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"'free_ion_fractoin'.*'free_ion_fraction'"):
        check_precision_names({'free_ion_fractoin': 0.1})


def test_bond_class_of_a_precision_is_checked_where_it_is_known() -> None:
    check_precision_names({'p2_time_anything': 0.1})
    with pytest.raises(UserError, match="Did you mean 'p2_time_LSP-side'"):
        check_precision_names({'p2_time_LSP-sied': 0.1}, ['backbone', 'LSP-side'])
    with pytest.raises(UserError, match='no result is named'):
        check_precision_names({'p3_time_backbone': 0.1})
