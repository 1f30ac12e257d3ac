"""Work that is shared among processes: all of it is done, whoever fails."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from workflow.process import in_parallel


def leave(path: Path, parent: int, fails: bool) -> None:
    if fails and os.getpid() != parent:
        os.kill(os.getpid(), 9)
    path.write_text(str(os.getpid()))


@pytest.mark.parametrize('fails', [False, True])
def test_all_tasks_are_done_though_helpers_are_killed(
    tmp_path: Path, fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: range(4))
    in_parallel([partial(leave, tmp_path / str(k), os.getpid(), fails) for k in range(20)])
    assert len(list(tmp_path.iterdir())) == 20


def test_an_error_is_that_of_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: range(4))
    with pytest.raises(ZeroDivisionError):
        in_parallel([lambda: print(1 / 0)] * 3)
    in_parallel([])
