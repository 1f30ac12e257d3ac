"""How often a stage writes a checkpoint."""

from __future__ import annotations

import pytest

from user_input import UserError
from workflow.stages.pace import SECONDS_VARIABLE, CheckpointPace, seconds_between


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
    monkeypatch.setenv(SECONDS_VARIABLE, 'often')
    with pytest.raises(UserError, match='ISP_SECONDS_BETWEEN_CHECKPOINTS=often: give a number'):
        CheckpointPace()
