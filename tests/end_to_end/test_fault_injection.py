"""A short campaign of faults: `make faults` is the long one."""

from __future__ import annotations

import shutil
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from fault_injection.damages import TARGETS, damage_job, stopped_job
from fault_injection.disks import can_mount, fill_disk, forbid_writing
from fault_injection.kills import kill_job
from fault_injection.outcome import Outcome
from fault_injection.small_sweep import job_of

pytestmark = pytest.mark.slow

ENGINE = 'lammps'
SEED = 5
OF_THE_STAGE = {'checkpoint': 'bit flipped', 'trajectory': 'truncated', 'log': 'bit flipped'}
KILLED = ('relax', 'sample', 'analysis')
STOPPED = ('equilibrate',)

needs_mount = pytest.mark.skipif(not can_mount(), reason='needs root, to mount a small tmpfs')


def assert_nothing_is_lost(outcome: Outcome, trials: int) -> None:
    assert outcome.trials.total() >= trials
    assert not +outcome.counts, outcome.table()


def damage_each_file() -> Outcome:
    outcome = Outcome()
    (target,), (checkpoint,) = TARGETS['trajectory'], TARGETS['checkpoint']
    # Killed while checkpoints change places, a job has the one before alone: it is run again.
    for seed in range(SEED, SEED + 5):
        stopped = stopped_job(target, ENGINE, seed)
        if (job_of(stopped) / checkpoint.path).exists():
            break
        shutil.rmtree(stopped)
    for name, damage in OF_THE_STAGE.items():
        (target,) = TARGETS[name]
        outcome.add(damage_job(name, target, damage, ENGINE, SEED, stopped))
    shutil.rmtree(stopped)
    return outcome


def test_nothing_is_lost_by_kills_and_damaged_files() -> None:
    with ThreadPoolExecutor(2) as pool:
        killed = pool.submit(kill_job, ENGINE, SEED, 3, signal.SIGKILL, KILLED)
        stopped = pool.submit(kill_job, ENGINE, SEED, 1, signal.SIGTERM, STOPPED)
        damaged = pool.submit(damage_each_file)
    assert_nothing_is_lost(killed.result(), 2)
    assert_nothing_is_lost(stopped.result(), 1)
    assert_nothing_is_lost(damaged.result(), 3)


@needs_mount
def test_a_full_disk_is_told_and_spoils_nothing() -> None:
    outcome = fill_disk(ENGINE, 450_000, temporary_files_too=False)
    assert_nothing_is_lost(outcome, 1)
    assert outcome.answers.total() == 1


@needs_mount
def test_a_read_only_disk_is_told_and_spoils_nothing() -> None:
    assert_nothing_is_lost(forbid_writing(ENGINE), 1)
