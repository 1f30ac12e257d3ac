"""What helps against what speaks against results."""

from __future__ import annotations

import pytest

from tests.results.builders import AXIS, row
from workflow.results.aggregate import State, SweepTable
from workflow.results.causes import causes_of


@pytest.mark.parametrize(
    ('verdicts', 'cure'),
    [
        (
            [f'the frames are too far apart: every second one gives times that are +{n}%'
             for n in (7, 12)],
            'A shorter [protocol.dense_sample] interval.',
        ),
        (
            ['times longer than half the window: some 10 % off', 'ends were seen: only 3'],
            'A longer [protocol.dense_sample]: raise steps.',
        ),
    ],
)  # fmt: skip
def test_what_helps_lifetimes(verdicts: list[str], cure: str) -> None:
    """Each cause comes once, whatever the numbers in its words are."""
    rows = [row(1.0, 0.9, 1.1, verdict=each, place=k) for k, each in enumerate(verdicts)]
    states = tuple(State(each.place, ()) for each in rows)
    (cause,) = causes_of(SweepTable('made up', AXIS, states, rows))
    assert cause.cure == cure
    assert cause.n_rows == 2
