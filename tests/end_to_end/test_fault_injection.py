"""A short campaign of faults: `make faults` is the long one."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator

import pytest

from fault_injection import small_sweep
from fault_injection.damages import TARGETS, damage_job, stopped_job
from fault_injection.disks import FULL, READ_ONLY, can_mount, fill_disk
from fault_injection.kills import kill_job
from fault_injection.outcome import Outcome
from workflow.jobs import files as job_files

pytestmark = pytest.mark.slow

ENGINE = 'lammps'
SEED = 5
# A run may be past a short stage before its signal comes, which is left out then.
AIMS = ('relax', 'sample', 'analysis')
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL)

needs_mount = pytest.mark.skipif(not can_mount(), reason='needs root, to mount a small tmpfs')


@pytest.fixture(scope='module', autouse=True)
def _few_analyses() -> Iterator[None]:
    """All take as long as the stages."""
    few = small_sweep._SWEEP + "[observables]\ncompute = ['clusters', 'msd']\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small_sweep, '_SWEEP', few)
        patch.setattr(job_files, 'RESULTS', ('clusters.json', 'msd.json'))
        small_sweep._initialised.cache_clear()
        yield
    small_sweep._initialised.cache_clear()


def assert_nothing_is_lost(outcome: Outcome, trials: int) -> None:
    assert outcome.trials.total() >= trials
    assert not +outcome.counts, outcome.table()


def test_nothing_is_lost_by_kills_and_by_requests_to_stop() -> None:
    outcome = kill_job(ENGINE, SEED, len(AIMS), SIGNALS, AIMS)
    assert_nothing_is_lost(outcome, 2)
    assert outcome.trials_of('SIGTERM') >= 1
    assert outcome.trials_of('SIGKILL') >= 1


def test_nothing_is_lost_by_a_damaged_file() -> None:
    (target,) = TARGETS['trajectory']
    for seed in range(SEED, SEED + 5):  # it may be past the stage when it is stopped
        stopped = stopped_job(target, ENGINE, seed)
        outcome = damage_job('trajectory', target, 'truncated', ENGINE, seed, stopped)
        shutil.rmtree(stopped)
        if outcome.trials:
            break
    assert_nothing_is_lost(outcome, 1)


@needs_mount
def test_a_full_and_a_read_only_disk_are_told_and_spoil_nothing() -> None:
    outcome = fill_disk(ENGINE, 450_000, temporary_files_too=False)
    assert_nothing_is_lost(outcome, 2)
    assert outcome.answers[FULL, ENGINE, 'detected'] == 1
    assert outcome.answers[READ_ONLY, ENGINE, 'detected'] == 1
