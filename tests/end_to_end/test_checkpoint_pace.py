"""How often a stage writes a checkpoint, and looks at its state."""

from __future__ import annotations

import time

import pytest

from workflow.stages.pace import SECONDS_VARIABLE, CheckpointPace, ChunkLength, seconds_between


def test_checkpoints_come_as_often_as_their_cost_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECONDS_VARIABLE, raising=False)
    assert [seconds_between(cost) for cost in (0.001, 0.5, 60.0)] == [10.0, 50.0, 900.0]
    pace = CheckpointPace()
    assert not pace.is_due
    pace.wrote(3.0)
    assert pace.seconds == pytest.approx(300.0)
    pace.wrote(1.0)
    assert pace.seconds == pytest.approx(200.0)
    monkeypatch.setenv(SECONDS_VARIABLE, '0')
    assert CheckpointPace().is_due


@pytest.mark.parametrize(
    ('step', 'look', 'steps'), [(0.01, 0.001, 100), (0.01, 0.04, 200), (1.5, 0.1, 3), (2.0, 0.3, 5)]
)
def test_chunks_are_longer_where_looking_at_the_state_takes_long(
    monkeypatch: pytest.MonkeyPatch, step: float, look: float, steps: int
) -> None:
    now = 0.0

    class OfThatSpeed:
        def run(self, steps: int) -> None:
            nonlocal now
            now += step * steps

    monkeypatch.setattr(time, 'monotonic', lambda: now)
    chunk = ChunkLength()
    for seconds in (look, look, look, 60.0):  # the last as a review, which comes seldom
        chunk.run(OfThatSpeed(), chunk.steps)  # type: ignore[arg-type]
        now += seconds
    chunk.run(OfThatSpeed(), chunk.steps)  # type: ignore[arg-type]
    assert chunk.steps == pytest.approx(steps, abs=1)
