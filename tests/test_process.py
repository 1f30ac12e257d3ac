"""Work that is shared among processes: all of it is done, whoever fails."""

from __future__ import annotations

import gc
import os
import time
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


@pytest.mark.parametrize(('cores', 'at_once'), [('1', 1), ('2', 2), ('', 3)])
def test_no_more_at_once_than_the_slurm_job_has_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: str, at_once: int
) -> None:
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: range(3))
    monkeypatch.setenv('SLURM_CPUS_ON_NODE', cores)

    def task(number: int) -> None:
        (tmp_path / f'{number}').write_text(str(os.getpid()))
        time.sleep(0.2)

    in_parallel([partial(task, number) for number in range(6)])
    assert len({path.read_text() for path in tmp_path.iterdir()}) == at_once


def test_an_error_is_that_of_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: range(4))
    frozen = gc.get_freeze_count()
    with pytest.raises(ZeroDivisionError):
        in_parallel([lambda: print(1 / 0)] * 3)
    assert gc.get_freeze_count() == frozen  # else freud lists at exit what was not collected
    in_parallel([])
