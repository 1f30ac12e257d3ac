"""Verdicts on claims, from the values of the replicas; and onsets."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.observable import Combination
from tests.results.builders import AXIS, job, row, row_of_replicas, sweep, table
from workflow.results.aggregate import Row
from workflow.results.claims import Claims
from workflow.results.series import all_series
from workflow.results.verdicts import (
    Comparison,
    Finding,
    extremum,
    greater,
    holm,
    judge,
    onset,
    onsets,
    trend,
)


def points(*values: Any) -> list[tuple[float, Row]]:
    """From (place, value, low, high)."""
    return [(float(place), row(*rest, place=place)) for place, *rest in values]


def states(*values: Any, of: Combination = Combination.MEAN) -> list[tuple[float, Row]]:
    """From (place, values of the replicas); a text is a bound, as '>3'."""
    return [(float(place), row_of_replicas(place, *rest, of=of)) for place, *rest in values]


def decided(test: Comparison) -> int | None:
    return None if test.decision is None else test.decision.direction


FALLING = [(0, 9.1, 8.8), (0.5, 7.2, 7.0), (0.7, 6.1, 6.4), (1, 5.0, 5.3)]


def test_a_trend_that_overlapping_intervals_leave_open_is_decided() -> None:
    # Two replicas a state: by Student's t alone every interval overlaps every other.
    found = trend(states(*FALLING), AXIS, -1)
    assert (found.wanted, decided(found), found.against) == (-1, -1, '')
    assert found.decision is not None
    assert found.decision.p < 0.01
    assert found.seen.startswith('8.9 [7.0, 10.9] at LSP 0')
    assert 'LSP 0 to 1' in found.effect
    # More replicas there, should the number of quantities of its claim leave it open.
    assert [place for place, _ in found.decided_by] == [0, 0.5, 0.7, 1]
    assert found.effect.startswith('-')


def test_a_bound_is_a_value_as_far_as_it_goes() -> None:
    long = [(0, '>50', '>50'), (0.5, 20.0, 22.0), (0.7, 14.0, 15.0), (1, 9.0, 8.0)]
    assert decided(trend(states(*long, of=Combination.POSITIVE_TIME), AXIS, -1)) == -1
    open_ones = [(0, '>5', '>5'), (0.5, 20.0, 22.0), (1, '>7', '>7')]
    assert decided(trend(states(*open_ones, of=Combination.POSITIVE_TIME), AXIS, -1)) == 0


def test_times_change_by_a_factor() -> None:
    halved = [(x, 8 * 0.5**x * 1.02, 8 * 0.5**x / 1.02) for x in (0.0, 0.3, 0.6, 1.0)]
    found = trend(states(*halved, of=Combination.POSITIVE_TIME), AXIS, -1)
    assert found.effect.startswith('\N{MULTIPLICATION SIGN} 0.50 [')


def test_a_step_against_a_trend_is_told() -> None:
    bent = [(0, 9.0, 9.1), (0.3, 2.0, 2.1), (0.6, 6.0, 6.1), (0.8, 1.1, 1.0), (1, 0.5, 0.6)]
    assert trend(states(*bent), AXIS, -1).against == 'LSP 0.3 to 0.6'


def test_no_dependence_is_an_answer() -> None:
    flat = [(x, 10.0 + d, 10.0 - d) for x, d in ((0, 0.05), (0.5, 0.1), (1, -0.08))]
    found = trend(states(*flat), AXIS, -1)
    assert found.is_independent
    assert 'No dependence within 10%' in found.seen
    noisy = [(x, 10.0 + d, 10.0 - d) for x, d in ((0, 3), (0.5, 4), (1, -4))]
    assert not trend(states(*noisy), AXIS, -1).is_independent


def test_what_cannot_be_decided_says_why() -> None:
    one_state = trend(states((0, 9.0, 8.0)), AXIS, -1)
    assert decided(one_state) is None
    assert 'cannot be decided' in one_state.seen
    few = trend(states((0, 9.0), (1, 8.0)), AXIS, -1)
    assert few.decision is not None
    assert 'cannot be decided because' in few.decision.why


def test_a_maximum_is_beyond_all_others() -> None:
    peaked = [(0, 2.0, 2.2), (0.501, 9.0, 8.9), (1, 5.0, 5.1)]
    assert decided(extremum(states(*peaked), AXIS, 0.5, 1)) == 1
    assert decided(extremum(states(*peaked), AXIS, 1, 1)) == -1
    assert (
        decided(extremum(states((0, 2.0, 2.2), (0.5, 5.2, 4.8), (1, 5.0, 5.1)), AXIS, 0.5, 1)) == 0
    )
    assert decided(extremum(states((0, 2.0, 2.2), (1, 5.0, 5.1)), AXIS, 0.5, 1)) is None


def test_greater_compares_two_places() -> None:
    assert decided(greater(states((0.5, 9.0, 8.9), (2 / 3, 5.0, 5.1)), AXIS, 0.5, 0.67)) == 1
    assert decided(greater(states((0.5, 5.0, 5.1), (2 / 3, 9.0, 8.9)), AXIS, 0.5, 0.67)) == -1
    assert decided(greater(states((0.5, 9.0, 5.0), (2 / 3, 5.0, 8.9)), AXIS, 0.5, 0.67)) == 0
    assert decided(greater(states((0.5, 9.0, 8.9), (1, 5.0, 5.1)), AXIS, 0.5, 0.67)) is None


@pytest.mark.parametrize(
    ('values', 'found'),
    [
        ([(0.1, 0.1, 0, 0.2), (0.2, 0.5, 0.3, 0.7), (0.3, 1, 0.9, 1)], 'between LSP 0.1 and 0.3'),
        ([(0.33, 1, 0.9, 1), (0.5, 1, 0.9, 1)], 'above 1/2 from LSP 0.33 on'),
        ([(0.1, 0, 0, 0.2), (0.2, 0.1, 0, 0.3)], 'below 1/2 up to LSP 0.2'),
        ([(0.1, 0.6, 0, 1)], 'undecided'),
        ([(0.1, 1, None, None)], 'undecided'),
    ],
)
def test_onset_is_where_the_interval_excludes_one_half(values: Any, found: str) -> None:
    assert found in onset(points(*values), AXIS)


def test_only_shares_of_frames_have_an_onset() -> None:
    found = table(sweep())
    told = onsets(all_series(found), found.axis)
    names = [f'percolation_probability_{axis}' for axis in ('x', 'y', 'z', 'any')]
    assert list(told) == names
    assert all('between LSP' in each or 'from LSP' in each for each in told.values())


def claims(*each: dict[str, Any]) -> Claims:
    return Claims.model_validate({'title': 't', 'claim': list(each)})


def judged(results: Any, *each: dict[str, Any], model: str = 'isp') -> list[Finding]:
    found = table(results, model)
    given = [{'text': 'a claim', 'source': 'Fig. 1'} | claim for claim in each]
    return judge(claims(*given), all_series(found), found.axis)


def test_a_claim_is_judged_for_each_quantity_that_fits_its_patterns() -> None:
    found = judged(sweep(), {'quantity': ['p2_time_*'], 'expect': 'falls'})
    assert {each.quantity: each.verdict for each in found} == {
        'p2_time_backbone': 'agrees',
        'p2_time_LSP-side': 'agrees',
        'p2_time_DOPA-side': 'agrees',
    }
    (rising,) = judged(sweep(), {'quantity': 'p2_time_LSP-side', 'expect': 'rises'})
    assert rising.verdict == 'disagrees'
    (at_a_place,) = judged(
        sweep(), {'quantity': 'p2_time_LSP-side', 'expect': {'maximum_at': 0.33}}
    )
    assert at_a_place.verdict == 'agrees'
    (two,) = judged(sweep(), {'quantity': 'p2_time_LSP-side', 'expect': {'greater': [0.67, 0.5]}})
    assert two.verdict == 'disagrees'


def test_p_is_adjusted_for_the_quantities_of_a_claim() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    alone = judged(sweep(), {'quantity': 'p2_time_LSP-side', 'expect': 'falls'})[0]
    among = judged(sweep(), {'quantity': 'p2_time_*', 'expect': 'falls'})
    (same,) = [each for each in among if each.quantity == alone.quantity]
    assert alone.p is not None
    assert same.p is not None
    assert alone.p < same.p <= 3 * alone.p


def test_what_a_sweep_lacks_is_not_tested() -> None:
    (missing,) = judged(sweep(), {'quantity': 'conductivity', 'expect': 'rises'})
    assert missing.verdict == 'not tested'
    assert 'no result is named conductivity' in missing.found
    (told,) = judged(sweep(), {'not_tested': 'nobody can'})
    assert (told.found, told.verdict) == ('nobody can', 'not tested')


def test_claims_are_held_against_the_axis_of_the_sweep_alone() -> None:
    warm_and_cold = [job(0.5, r, kT=T) for T in (0.8, 1.0) for r in (0, 1)]
    (found,) = judged(warm_and_cold, {'quantity': 'density', 'expect': 'rises'})
    assert (found.verdict, 'along LSP' in found.found) == ('not tested', True)
