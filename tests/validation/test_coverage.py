"""Verdicts on how often intervals held the truth."""

from __future__ import annotations

import pytest

from validation.claim import Verdict
from validation.coverage import Coverage


@pytest.mark.parametrize(
    ('inside', 'exact', 'conservative'),
    [
        (900, Verdict.FAIL, Verdict.FAIL),
        (950, Verdict.PASS, Verdict.PASS),
        (1000, Verdict.FAIL, Verdict.PASS),
    ],
)
def test_limits_have_two_sides_unless_the_row_says_conservative(
    inside: int, exact: Verdict, conservative: Verdict
) -> None:
    found = Coverage('claim', 2000, 1000, inside)
    assert found.exact().verdict is exact
    row = found.conservative('few events')
    assert row.verdict is conservative
    assert row.tolerance.startswith('at least 93 %')
    assert 'conservative: few events' in row.tolerance
    assert found.stated('the limit').verdict is Verdict.STATED
    assert f'{inside / 10:.1f} %' in row.measured
    assert 'offered for 50 %' in row.measured


def test_intervals_that_are_never_offered_cover_nothing() -> None:
    found = Coverage.of('claim', [(False, False)] * 10)
    assert found.exact().verdict is Verdict.FAIL
    assert found.conservative('few events').verdict is Verdict.FAIL
    assert found.exact().measured == 'offered for 0 %'
