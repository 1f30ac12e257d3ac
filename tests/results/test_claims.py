"""Claims of others: their files, and verdicts from intervals alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models.model import load_model
from tests.results.builders import AXIS, job, row, sweep, table
from user_input import UserError
from workflow.results.aggregate import Row
from workflow.results.claims import (
    Claims,
    Finding,
    greater,
    judge,
    maximum,
    onset,
    onsets,
    read_claims,
    trend,
)
from workflow.results.series import all_series

ROOT = Path(__file__).parents[2]


def points(*values: Any) -> list[tuple[float, Row]]:
    """From (place, value, low, high) or (place, value, low, high, verdict)."""
    return [
        (float(place), row(*rest[:3], verdict=''.join(rest[3:]), place=place))
        for place, *rest in values
    ]


@pytest.mark.parametrize(
    ('values', 'verdict'),
    [
        ([(0, 9, 8, 10), (0.5, 5, 4, 6), (1, 2, 1, 3)], 'agrees'),
        ([(0, 2, 1, 3), (1, 9, 8, 10)], 'disagrees'),
        ([(0, 9, 4, 14), (1, 5, 3, 7)], 'undecided'),
        ([(0, 9, 8, 10), (1, 2, 1, 3, 'it drifts')], 'undecided'),
        ([(0, 9, None, None), (1, 2, None, None)], 'undecided'),
        ([(0, None, 20, None, 'bound'), (1, 9, 8, 10)], 'agrees'),
        ([(0, None, 9, None, 'bound'), (1, 9, 8, 10)], 'undecided'),
        ([(0, 9, 8, 10), (0.3, 2, 1, 3), (0.6, 6, 5, 7), (1, 2, 1, 3)], 'disagrees'),
        ([(0, 9, 8, 10)], 'undecided'),
    ],
)
def test_trend_is_computed_from_the_intervals(values: Any, verdict: str) -> None:
    assert trend(points(*values), AXIS, falls=True)[1] == verdict


def test_overlap_is_said() -> None:
    found, _ = trend(points((0, 9, 4, 14), (1, 5, 3, 7)), AXIS, falls=True)
    assert 'at LSP 0, ' in found
    assert 'intervals overlap' in found


@pytest.mark.parametrize(
    ('values', 'verdict'),
    [
        ([(0, 2, 1, 3), (0.5, 9, 8, 10), (1, 5, 4, 6)], 'agrees'),
        ([(0, 2, 1, 3), (0.5, 9, 5, 10), (1, 5, 4, 6)], 'undecided'),
        ([(0, 2, 1, 3), (0.5, 5, 4, 6), (1, 9, 8, 10)], 'disagrees'),
        ([(0, 2, 1, 3), (0.5, 5, 4, 6), (1, 9, 8, 10, 'it drifts')], 'undecided'),
        ([(0, 2, 1, 3), (0.501, 9, 8, 10), (1, None, None, 6, 'bound')], 'agrees'),
        ([(0, 2, 1, 3), (1, 9, 8, 10)], 'not tested'),
        ([(0.5, 9, 8, 10)], 'not tested'),
    ],
)
def test_maximum_is_beyond_all_other_intervals(values: Any, verdict: str) -> None:
    assert maximum(points(*values), AXIS, 0.5)[1] == verdict


@pytest.mark.parametrize(
    ('values', 'verdict'),
    [
        ([(0.5, 9, 8, 10), (2 / 3, 5, 4, 6)], 'agrees'),
        ([(0.5, 5, 4, 6), (2 / 3, 9, 8, 10)], 'disagrees'),
        ([(0.5, 9, 5, 13), (2 / 3, 5, 4, 6)], 'undecided'),
        ([(0.5, 9, 8, 10), (2 / 3, 5, 4, 6, 'it drifts')], 'undecided'),
        ([(0.5, 9, 8, 10), (2 / 3, 5, None, None)], 'undecided'),
        ([(0.5, 9, 8, 10), (1, 5, 4, 6)], 'not tested'),
    ],
)
def test_greater_compares_two_places(values: Any, verdict: str) -> None:
    assert greater(points(*values), AXIS, 0.5, 0.67)[1] == verdict


@pytest.mark.parametrize(
    ('values', 'found'),
    [
        ([(0.1, 0.1, 0, 0.2), (0.2, 0.5, 0.3, 0.7), (0.3, 1, 0.9, 1)], (0.1, 0.3)),
        ([(0.33, 1, 0.9, 1), (0.5, 1, 0.9, 1)], (None, 0.33)),
        ([(0.1, 0, 0, 0.2), (0.2, 0.1, 0, 0.3)], (0.2, None)),
        ([(0.1, 0.6, 0, 1)], (None, None)),
        ([(0.1, 1, None, None)], (None, None)),
    ],
)
def test_onset_is_where_the_interval_excludes_one_half(values: Any, found: Any) -> None:
    assert onset(points(*values), AXIS)[1] == found


def test_only_shares_of_frames_have_an_onset() -> None:
    found = table(sweep())
    told = onsets(all_series(found), found.axis)
    names = [f'percolation_probability_{axis}' for axis in ('x', 'y', 'z', 'any')]
    assert [each.claim for each in told] == names
    assert all('between LSP' in each.found or 'from LSP' in each.found for each in told)


def claims(*each: dict[str, Any]) -> Claims:
    return Claims.model_validate({'title': 't', 'claim': list(each)})


def judged(results: Any, *each: dict[str, Any], model: str = 'isp') -> list[Finding]:
    found = table(results, model)
    given = [{'text': 'a claim', 'source': 'Fig. 1'} | claim for claim in each]
    return judge(claims(*given), all_series(found), found.axis)


def test_a_claim_is_judged_for_each_quantity_that_fits_its_patterns() -> None:
    found = judged(sweep(), {'quantity': ['p2_time_*'], 'expect': 'falls'})
    assert {each.found.split(':')[0] for each in found} == {
        'p2_time_backbone',
        'p2_time_LSP-side',
        'p2_time_DOPA-side',
    }
    assert {each.verdict for each in found} <= {'agrees', 'undecided'}
    (rising,) = judged(sweep(), {'quantity': 'p2_time_LSP-side', 'expect': 'rises'})
    assert rising.verdict == 'disagrees'
    (at_a_place,) = judged(
        sweep(), {'quantity': 'p2_time_LSP-side', 'expect': {'maximum_at': 0.33}}
    )
    assert at_a_place.verdict == 'agrees'
    (two,) = judged(sweep(), {'quantity': 'p2_time_LSP-side', 'expect': {'greater': [0.67, 0.5]}})
    assert two.verdict == 'disagrees'


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


def test_the_shipped_claims_fit_the_shipped_model() -> None:
    read = read_claims('claims/isp_2025.toml', ROOT / 'sweeps/demo.toml', load_model('isp'))
    assert len(read.claim) == 4


@pytest.mark.parametrize(
    ('claim', 'message'),
    [
        ("expect = 'fals'\nquantity = 'density'", r"claim.0.expect.trend'.*given: 'fals'"),
        ("expect = { grater = [1, 2] }\nquantity = 'density'", "Did you mean 'greater'"),
        ('expect = { greater = [1] }\nquantity = "density"', 'greater'),
        ("expect = 'falls'\nquantity = 'p2_tim_backbone'", "Did you mean 'p2_time_backbone'"),
        ("expect = 'falls'\nquantity = 'p2_time_XYZ*'", "named 'p2_time_XYZ"),
        ("expect = 'falls'", "needs a 'quantity'"),
        ('', "give either 'expect'"),
        ("expect = 'falls'\nquantity = 'density'\nnot_tested = 'why'", "give either 'expect'"),
        ('expect = {}\nquantity = "density"', 'maximum_at'),
    ],
)
def test_a_wrong_claim_says_where_and_what(tmp_path: Path, claim: str, message: str) -> None:
    path = tmp_path / 'claims.toml'
    path.write_text(f"title = 't'\n[[claim]]\ntext = 'a'\nsource = 'b'\n{claim}\n")
    with pytest.raises(UserError, match=message) as error:
        read_claims('claims.toml', tmp_path / 'sweep.toml', load_model('isp'))
    assert str(path) in str(error.value)


def test_a_missing_file_of_claims_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"report.claims: there is no file 'none.toml'.*Correct"):
        read_claims('none.toml', tmp_path / 'sweep.toml', load_model('isp'))
