"""Sweeps on a real Slurm: submitted, stopped by the time limit, continued, and refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import gsd.hoomd
import pytest

from tests.cluster.conftest import Sweep
from tests.cluster.one_node_slurm import SECONDS_OF_JOBS, OneNodeSlurm, wait_for
from workflow.jobs.lock import EXIT_HELD
from workflow.stages.thermo_writer import read_hdf5
from workflow.sweep.frame_schedule import BlockSchedule

pytestmark = pytest.mark.slurm

# Slurm's shortest time limit is a minute, and its signal may come early: a run of this many
# seconds is still under way then.
SECONDS = 45
LONG = 1_000_000


def assert_every_frame_and_row_once(job: Path, steps: int, schedule: BlockSchedule) -> None:
    with gsd.hoomd.open(job / 'trajectory.gsd') as trajectory:
        found = [int(frame.configuration.step) for frame in trajectory]
    assert found == [step for step in range(steps + 1) if schedule.is_due(step)]
    assert read_hdf5(job / 'thermo.h5')['step'].tolist() == list(range(10, steps + 1, 10))


def said(sweep: Sweep) -> str:
    return ''.join(log.read_text() for log in sorted(sweep.folder.glob('slurm/*.out')))


def outcomes(job: Path) -> list[tuple[str, str]]:
    runs = json.loads((job / 'signac_job_document.json').read_text())['runs']
    return [(run['stage'], run['outcome'].partition(':')[0]) for run in runs]


def test_a_sweep_runs_side_by_side_to_its_end_and_is_not_submitted_again(
    submitted_sweep: Sweep, slurm: OneNodeSlurm
) -> None:
    sweep = submitted_sweep
    # A report of all observables would take minutes of a busy machine.
    sweep.start(replicas=2, more="[observables]\ncompute = ['msd', 'relaxation']\n")
    sweep.project('submit', '-o', 'job', '-b', '2', '-p')
    assert slurm.queue('%P %C') == ['cpu 2']
    assert 'Submitting' not in sweep.project('submit', '-o', 'job').stderr, 'while it is queued'
    slurm.wait_until_empty()
    for job in sweep.jobs:
        assert_every_frame_and_row_once(job, 2560, BlockSchedule(10, 4))
        assert (job / 'msd.json').exists(), said(sweep)
        assert not (job / 'relaxation.json').exists(), 'it waits for the definitions of the sweep'

    assert 'definitions' in sweep.project('submit').stderr
    slurm.wait_until_empty()
    sweep.project('submit', '-o', 'job', '-b', '2', '-p')
    slurm.wait_until_empty()
    assert all((job / 'relaxation.json').exists() for job in sweep.jobs), said(sweep)

    assert 'report' in sweep.project('submit').stderr
    slurm.wait_until_empty()
    assert (sweep.folder / 'results/small/summary.csv').exists(), said(sweep)
    assert 'Submitting' not in sweep.project('submit').stderr
    assert 'Submitting' not in sweep.project('submit', '-o', 'job').stderr
    assert slurm.queue('%i') == []


def steps_for(seconds: float, sweep: Sweep, schedule: BlockSchedule) -> int:
    """Steps that a run takes about as long for, in whole blocks."""
    sweep.write_cluster()
    trial = Sweep(sweep.folder / 'trial', sweep.environment)
    trial.folder.mkdir()
    trial.start(replicas=1, steps=10_240, doublings=4)
    trial.project('run', '-o', 'simulation')
    (job,) = trial.jobs
    record = json.loads((job / 'signac_job_document.json').read_text())['runs'][-1]
    blocks = seconds * record['steps'] / record['seconds'] / schedule.block
    return max(8, int(blocks) + 1) * schedule.block  # 8 are the least that a sweep may have


def test_a_job_that_meets_its_time_limit_is_continued_by_the_next_submission(
    submitted_sweep: Sweep, slurm: OneNodeSlurm
) -> None:
    sweep, schedule = submitted_sweep, BlockSchedule(10, 9)
    steps = steps_for(SECONDS, sweep, schedule)
    sweep.start(replicas=1, steps=steps, doublings=9, max_hours=1 / 60, stop_before_end=25)
    (job,) = sweep.jobs
    # Here, so that a slow machine too spends the time limit sampling.
    sweep.project('run', '-o', 'build', 'relax', 'equilibrate')
    submit = ('submit', '-o', 'simulation')
    sweep.project(*submit)
    assert slurm.queue('%l') == ['1:00']
    slurm.wait_until_empty()
    assert not (job / 'trajectory.gsd').exists()
    # "To be continued" is no failure: neither to Slurm nor to the one who asks.
    assert 'JobState=FAILED' not in slurm.command('scontrol', 'show', 'job')
    assert 'sample to be continued' in sweep.project('status', '-d').stdout, said(sweep)

    sweep.write_cluster(max_hours=1)
    sweep.project(*submit)
    slurm.wait_until_empty()
    assert_every_frame_and_row_once(job, steps, schedule)
    sampling = [outcome for stage, outcome in outcomes(job) if stage == 'sample']
    assert sampling == ['Interrupted', 'done']
    log = said(sweep)
    assert log.count('sample stopped at step') == 1
    assert log.count('sample: resuming from step') == 1
    assert 'Submit it again to resume' in log
    assert 'Traceback' not in log
    assert 'Submitting' not in sweep.project(*submit).stderr


def test_a_cancelled_job_stops_with_a_checkpoint(
    submitted_sweep: Sweep, slurm: OneNodeSlurm
) -> None:
    sweep = submitted_sweep
    sweep.start(replicas=1, steps=LONG, doublings=9)
    (job,) = sweep.jobs
    sweep.project('submit', '-o', 'simulation')
    rows = job / 'sample.in_progress/thermo.rows'
    wait_for(lambda: rows.exists() and rows.stat().st_size > 0, SECONDS_OF_JOBS, 'the first rows')
    slurm.command('scancel', '--user=root')
    slurm.wait_until_empty()
    assert outcomes(job)[-1] == ('sample', 'Interrupted'), said(sweep)
    assert (job / 'sample.in_progress/checkpoint').exists()


def test_a_run_beside_a_submitted_job_leaves_it_alone(
    submitted_sweep: Sweep, slurm: OneNodeSlurm
) -> None:
    sweep = submitted_sweep
    sweep.start(replicas=1, steps=LONG, doublings=9)
    (job,) = sweep.jobs
    sweep.project('submit', '-o', 'simulation')
    rows = job / 'sample.in_progress/thermo.rows'
    wait_for(lambda: rows.exists() and rows.stat().st_size > 0, SECONDS_OF_JOBS, 'the first rows')
    beside = sweep.project('run', '-o', 'simulation', exit_status=EXIT_HELD).stderr
    holder = (job / 'running.lock').read_text()
    assert f'job {job.name} is being run by {holder}' in beside
    assert 'sample runs' in sweep.project('status', '-d').stdout
    slurm.command('scancel', '--user=root')
    slurm.wait_until_empty()
    assert outcomes(job)[-1] == ('sample', 'Interrupted'), said(sweep)


def test_ranks_start_in_an_allocation(submitted_sweep: Sweep, slurm: OneNodeSlurm) -> None:
    pytest.importorskip('mpi4py', reason='needs mpi4py')
    sweep = submitted_sweep
    sweep.environment['ISP_RANKS'] = '2'
    sweep.start(replicas=1)
    (job,) = sweep.jobs
    sweep.project('submit', '-o', 'simulation')
    assert slurm.queue('%C') == ['2']
    slurm.wait_until_empty()
    assert (job / 'trajectory.gsd').exists(), said(sweep)
    assert_every_frame_and_row_once(job, 2560, BlockSchedule(10, 4))
    runs = json.loads((job / 'signac_job_document.json').read_text())['runs']
    assert [run['ranks'] for run in runs] == [2, 2, 2]


def gpus_asked_for(slurm: OneNodeSlurm) -> int:
    """GPUs of the one job in the queue, as the scheduler understood it."""
    (job,) = slurm.queue('%i')
    found = re.search(
        r'TresPer\w+=gres[:/]gpu:(\d+)', slurm.command('scontrol', 'show', 'job', job)
    )
    return int(found[1]) if found else 0


@pytest.mark.parametrize('gpu_request', ['gpus', 'gres', 'gpus-per-node'])
def test_the_scheduler_takes_a_request_for_gpus_that_it_has_and_refuses_others(
    submitted_sweep: Sweep, slurm: OneNodeSlurm, gpu_request: str
) -> None:
    sweep = submitted_sweep
    sweep.start(replicas=3, gpu_request=gpu_request, gpus=8)  # the node has 2
    # An engine for GPUs, which is not in this Python, may come with a prologue.
    cluster = sweep.folder / 'cluster.toml'
    cluster.write_text(f"prologue = ['true']\n{cluster.read_text()}")
    submit = ('submit', '-o', 'simulation')
    # Held, since no GPU is here to run on.
    sweep.project(*submit, '--hold', '-n', '1', ISP_DEVICE='gpu')
    assert slurm.queue('%P %C %u') == ['gpu 1 root']
    assert gpus_asked_for(slurm) == 1
    slurm.command('scancel', '--user=root')

    # What is held is looked at only when it is released: so not this one.
    refused = sweep.project(*submit, '-b', '3', '-p', exit_status=2, ISP_DEVICE='gpu')
    assert 'Requested node configuration is not available' in refused.stderr
    assert 'Traceback' not in refused.stderr

    # Three share two.
    sharing = (*submit, '--hold', '-b', '3', '-p', '--simulations-per-gpu', '2')
    sweep.project(*sharing, ISP_DEVICE='gpu')
    assert gpus_asked_for(slurm) == 2
    slurm.command('scancel', '--user=root')
