"""What counts as agreement of two starts, and as the length needed for it."""

from __future__ import annotations

import pytest

from analysis.estimators.estimate import Estimate
from validation.needed_length import cells
from validation.sections.start_states import WIDER, Look, agree, needed, outcome_text

WITHOUT_INTERVAL = Estimate(1.0, None, None, 1.0, 'only 3 frames: no interval')
DOUBTED = Estimate(1.0, 0.9, 1.1, 7.0, 'too short: 7.0 independent values, 20 needed')


def estimate(mean: float, half: float) -> Estimate:
    return Estimate(mean, mean - half, mean + half, 50.0)


def look(
    length: float, *answers: bool | None, equilibrated: tuple[bool, bool] = (True, True)
) -> Look:
    pairs = {str(n): (estimate(1.0, 0.1), estimate(1.0, 0.1)) for n in range(len(answers))}
    agreement = {str(n): answer for n, answer in enumerate(answers)}
    return Look(length, pairs, agreement, equilibrated, '0', 3.0)


def test_estimates_agree_within_their_intervals_added_in_squares() -> None:
    assert agree(estimate(1.0, 0.3), estimate(1.49, 0.4)) is True
    assert agree(estimate(1.51, 0.4), estimate(1.0, 0.3)) is False


def test_only_the_sides_that_face_each_other_count() -> None:
    low, high = Estimate(0.0, 0.0, 0.1, 50.0), Estimate(0.2, 0.1, 0.9, 50.0)
    assert agree(low, high) is False


@pytest.mark.parametrize('other', [WITHOUT_INTERVAL, DOUBTED, Estimate(None, None, None, 0.0)])
def test_what_is_not_known_never_agrees(other: Estimate) -> None:
    assert agree(estimate(1.0, 0.1), other) is None
    assert agree(other, estimate(1.0, 0.1)) is None


def test_needed_is_the_first_length_that_the_next_confirms() -> None:
    together, apart, unknown = (True, True), (True, False), (True, None)
    looks = [look(1, *together), look(2, *apart), look(4, *together), look(8, *together)]
    assert needed(looks) == (4, True)
    assert needed(looks[:3]) == (4, False)
    assert needed(looks[:2]) == (None, False)
    assert needed([look(1, *together), look(2, *unknown)]) == (None, False)
    assert 'not confirmed' in outcome_text(looks[:1])
    assert 'not known well enough: 1' in outcome_text([look(2, *unknown)])


def test_what_is_not_equilibrated_is_neither_together_nor_apart() -> None:
    drifting = look(1, True, False, equilibrated=(True, False))
    assert not drifting.is_together
    assert not drifting.is_apart


def test_only_what_differs_beyond_the_chances_of_all_compositions_is_apart() -> None:
    def of(difference: float) -> Look:
        pair = (estimate(1.0, 0.3), estimate(1.0 + difference, 0.4))
        return Look(1, {'0': pair}, {'0': agree(*pair)}, (True, True), '0', 3.0)

    # 3.24 for 2.64 standard errors: six quantities in seven compositions, or in one.
    assert pytest.approx(1.2285, abs=1e-4) == WIDER
    by_chance, wrong = of(0.6), of(0.65)
    assert not by_chance.is_together
    assert not by_chance.is_apart
    assert wrong.is_apart


@pytest.mark.parametrize(('looks', 'told'), [([True, True], '75'), ([None], '> 75')])
def test_a_row_tells_the_length_or_a_bound(looks: list[bool | None], told: str) -> None:
    found = cells([look(75 * (k + 1), answer) for k, answer in enumerate(looks)])
    assert found[0] == told
    assert len(found) == 7
