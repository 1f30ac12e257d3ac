"""Names, bounds and verdicts of the scalar results of one job, and the precision asked of them."""

from __future__ import annotations

import math

import pytest

from analysis.observable import Combination, Quantity
from analysis.observables import OBSERVABLES
from tests.results.builders import clusters, estimate, job, job_result, relaxation, state_point
from user_input import UserError
from workflow.results.job_results import JobResult
from workflow.stages.review import check_precision_names, half_width

BEADS = ('B', 'P', 'S', 'Li', 'A', 'C')
BONDS = ('backbone', 'LSP-side', 'DOPA-side')


def by_name(result: JobResult) -> dict[str, Quantity]:
    return {
        quantity.name: quantity
        for observable in OBSERVABLES
        for quantity in result.quantities(observable.name)
    }


def test_every_result_has_a_known_name() -> None:
    names = by_name(job(0.5)).keys()
    assert names <= {name for each in OBSERVABLES for name in each.quantity_names(BEADS, BONDS)}
    never = {'density', 'contact_distance'}
    assert never <= names
    check_precision_names(dict.fromkeys(names - never, 0.1), BEADS, BONDS)
    for name in never:
        with pytest.raises(UserError, match=f"'{name}'"):
            check_precision_names({name: 0.1}, BEADS, BONDS)


def test_an_observable_that_does_not_apply_has_no_quantities() -> None:
    assert job(0.0).quantities('clusters') == []


def test_verdict_of_the_analysis_is_that_of_each_number() -> None:
    found = by_name(job_result(state_point(0.5), clusters=clusters(verdict='it drifts')))
    assert found['free_ion_fraction'].estimate.verdict == 'it drifts'
    assert found['percolation_probability_x'].estimate.verdict == 'it drifts'
    assert found['percolation_probability_x'].combination is Combination.PROPORTION


def test_a_mean_at_its_limit_is_no_fault() -> None:
    found = by_name(job_result(state_point(0.5), clusters=clusters()))
    assert found['percolation_dimension'].estimate.verdict == ''
    stuck = clusters()
    same = type(estimate(1.0))(2.4, None, None, 1.0, '', 'the same in every frame: no interval')
    stuck.estimates['coordination_number'] = same
    found = by_name(job_result(state_point(0.5), clusters=stuck))
    assert found['ion_coordination_number'].estimate.against


def test_times_and_bounds() -> None:
    result = relaxation({'LSP-side': 3.0}, longer_than={'LSP-side': 9.0})
    found = by_name(job_result(state_point(0.5), relaxation=result))
    bound = found['p2_time_LSP-side']
    assert (bound.estimate.value, bound.estimate.low, bound.unit) == (None, 9.0, 'tau')
    assert bound.estimate.is_bound
    assert found['p1_1_over_e_time_LSP-side'].estimate.value == pytest.approx(9.0)
    found_time = found['fs_1_over_e_time_cations_pi_over_sigma'].estimate.value
    assert found_time == pytest.approx(0.7 * 80.0)


@pytest.mark.parametrize(
    ('combination', 'ends', 'expected'),
    [
        (Combination.MEAN, (4.0, 3.0, 5.0), 0.25),
        (Combination.MEAN, (-4.0, -5.0, -3.0), 0.25),
        (Combination.PROPORTION, (0.0, 0.0, 0.2), 0.1),
        (Combination.MEAN, (4.0, None, None), math.inf),
        (Combination.POSITIVE_TIME, (None, 4.0, None), math.inf),
    ],
)
def test_relative_half_width(
    combination: Combination, ends: tuple[float | None, ...], expected: float
) -> None:
    assert half_width(combination, *ends) == pytest.approx(expected)


@pytest.mark.parametrize(
    ('name', 'nearest'),
    [
        ('free_ion_fractoin', "'free_ion_fraction'"),
        ('p2_time_LSP-sied', "Did you mean 'p2_time_LSP-side'"),
        ('p3_time_backbone', 'no result is named'),
    ],
)
def test_misspelt_precision_names_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(UserError, match=f"'{name}'") as error:
        check_precision_names({name: 0.1}, BEADS, BONDS)
    assert nearest in str(error.value)
