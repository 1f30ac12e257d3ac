"""Runs that are stopped, meet each other or die: real ones, from the command line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from tests.conftest import ROOT, needs_hoomd, run_here
from tests.end_to_end.test_project import assert_every_frame_and_row_once
from tests.results.builders import thermodynamics, write_definitions_of, write_results_of
from tests.systems import small_sweep
from workflow.cli.simulate import _stop_mark
from workflow.engines.settings import TUNING_CACHE_VARIABLE
from workflow.jobs import files as job_files
from workflow.jobs.lock import EXIT_HELD, JobIsHeld, hold, is_held
from workflow.jobs.progress import SECONDS_OF_SILENCE, ProgressWriter, read_progress
from workflow.process import (
    EXIT_INTERRUPTED,
    STOP_SIGNALS,
    Interrupted,
    leave_if_asked,
    leave_on_request,
    stop_requests,
)
from workflow.sweep.frame_schedule import BlockSchedule

LONG = 1_000_000  # minutes, and too short for settings to be timed
LAMMPS = {'ISP_ENGINE': 'lammps'}
# These wait for no definitions, and what is neither measured nor drawn takes no time.
MEASURED = "[observables]\ncompute = ['thermodynamics', 'msd']\n"
HERE = f'on {socket.gethostname()}'


def start(folder: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    """Start project.py; all that it says comes in one stream."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(('SLURM_', 'ISP_'))}
    cache = {TUNING_CACHE_VARIABLE: os.environ[TUNING_CACHE_VARIABLE]}
    return subprocess.Popen(
        [sys.executable, str(ROOT / 'project.py'), *words],
        cwd=folder,
        env=clean | cache | LAMMPS | {'OMP_NUM_THREADS': '1'} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end(process: subprocess.Popen[str], code: int) -> str:
    """Wait for the end of a process; what it said."""
    said = process.communicate(timeout=120)[0]
    assert process.returncode == code, said
    assert 'Traceback' not in said
    return said


def here(folder: Path, code: int, *words: str, **environment: str) -> str:
    """What project.py said in this process, where no other one is needed."""
    done = run_here(folder, *words, environment=os.environ | LAMMPS | environment)
    assert done.returncode == code, done.said
    assert 'Traceback' not in done.said
    return done.said


def wait_for(is_so: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def jobs_of(folder: Path) -> list[Path]:
    return sorted(folder.glob('workspace/*'))


def equilibrated_sweep(folder: Path, replicas: int, **sampling: int) -> Path:
    folder.mkdir()
    sweep = small_sweep('{ LSP = 0.5, DOPA = 0.5 }', replicas, **sampling)
    (folder / 'sweep.toml').write_text(sweep + MEASURED)
    here(folder, 0, 'init', 'sweep.toml')
    here(folder, 0, 'run', '-o', 'build', 'relax', 'equilibrate')
    return folder


@pytest.fixture(scope='module')
def long_sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return equilibrated_sweep(tmp_path_factory.mktemp('long') / 'one', 1, steps=LONG)


@pytest.fixture(scope='module')
def short_sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # On two ranks that share a core each step takes milliseconds.
    folder = tmp_path_factory.mktemp('short') / 'two'
    return equilibrated_sweep(folder, 2, steps=80, doublings=2, period=2)


@pytest.fixture
def one_long(long_sweep: Path, tmp_path: Path) -> Path:
    """A sweep of one job that has long to sample."""
    return Path(shutil.copytree(long_sweep, tmp_path / 'sweep'))


@pytest.fixture
def two_short(short_sweep: Path, tmp_path: Path) -> Path:
    """A sweep of two jobs that have little left to do."""
    return Path(shutil.copytree(short_sweep, tmp_path / 'sweep'))


def start_sampling(folder: Path) -> subprocess.Popen[str]:
    process = start(folder, 'run', '-o', 'job')
    (job,) = jobs_of(folder)

    def works() -> bool:
        assert process.poll() is None, process.communicate()[0]
        progress = read_progress(job)
        return progress is not None and progress.process.endswith(f':{process.pid}')

    wait_for(works)
    return process


def assert_is_to_be_continued(folder: Path) -> None:
    (job,) = jobs_of(folder)
    assert (job / 'sample.in_progress/checkpoint').exists()
    runs = json.loads((job / 'signac_job_document.json').read_text())['runs']
    assert runs[-1]['outcome'].startswith('Interrupted')
    assert 'sample to be continued' in here(folder, 0, 'status', '-d')


@pytest.mark.slow
@pytest.mark.parametrize('number', STOP_SIGNALS)
def test_a_signal_stops_a_run_with_a_checkpoint(one_long: Path, number: signal.Signals) -> None:
    rows = jobs_of(one_long)[0] / 'sample.in_progress/thermo.rows'

    def ask_once_it_samples() -> None:
        wait_for(lambda: rows.exists() and rows.stat().st_size)
        os.kill(os.getpid(), number)

    asking = Thread(target=ask_once_it_samples)
    asking.start()
    said = here(one_long, EXIT_INTERRUPTED, 'run', '-o', 'job')
    asking.join()
    assert 'sample stopped at step' in said
    assert 'Run it again to resume' in said
    assert_is_to_be_continued(one_long)


@pytest.mark.slow
def test_a_near_end_of_the_scheduler_s_job_stops_a_run_with_a_checkpoint(one_long: Path) -> None:
    # Of a job of 100 s, the last 10 are kept for leaving.
    over = int(time.time()) + 12
    times = {'SLURM_JOB_START_TIME': str(over - 100), 'SLURM_JOB_END_TIME': str(over)}
    said = here(one_long, EXIT_INTERRUPTED, 'run', '-o', 'job', **times)
    assert over - 10 < time.time() < over
    assert 'sample stopped at step' in said
    assert_is_to_be_continued(one_long)


@pytest.mark.slow
def test_a_signal_at_the_end_of_a_stage_stops_what_comes_next(two_short: Path) -> None:
    process = start(two_short, 'run', '-o', 'job')
    wait_for(lambda: list(two_short.glob('workspace/*/thermo.h5')))
    process.send_signal(signal.SIGTERM)
    said = end(process, EXIT_INTERRUPTED)
    assert 'Run it again to resume' in said
    assert not list(two_short.glob('workspace/*/msd.json'))
    # One of the two has come to its end all the same, and is not said to be interrupted.
    (done,) = two_short.glob('workspace/*/trajectory.gsd')
    runs = json.loads((done.parent / 'signac_job_document.json').read_text())['runs']
    assert runs[-1]['outcome'] == 'done'


def test_a_request_outlives_the_stage_that_it_met() -> None:
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    try:
        leave_on_request(has_followers=False, follows=False)
        with stop_requests():
            leave_if_asked()  # none yet
            os.kill(os.getpid(), signal.SIGUSR1)
        with pytest.raises(Interrupted, match='SIGUSR1'):
            leave_if_asked()
        leave_on_request(has_followers=False, follows=False)
        leave_if_asked()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_request_stops_a_sweep(number: signal.Signals) -> None:
    with _stop_mark() as stop:
        os.kill(os.getpid(), number)
        assert stop == {number}


@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
def test_a_request_within_a_destructor_is_not_lost() -> None:
    class Dying:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)  # here Python calls the handler, and ignores what it raises

    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    try:
        leave_on_request(has_followers=False, follows=False)
        Dying()
        with pytest.raises(Interrupted, match='SIGINT'):
            leave_if_asked()
        with stop_requests() as request:
            assert request.reason == 'SIGINT'
        leave_on_request(has_followers=False, follows=False)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.slow
@pytest.mark.parametrize(
    ('number', 'seconds'), [(signal.SIGINT, 0.3), (signal.SIGTERM, 1.0), (signal.SIGINT, 1.7)]
)
def test_an_early_signal_ends_a_run_without_a_traceback(
    one_long: Path, number: signal.Signals, seconds: float
) -> None:
    process = start(one_long, 'run', '-o', 'job')
    time.sleep(seconds)
    process.send_signal(number)
    said = process.communicate(timeout=60)[0]
    assert process.returncode in (EXIT_INTERRUPTED, -number), said
    assert 'Traceback' not in said


def test_a_report_that_is_stopped_has_nothing_to_resume(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'sweep.toml')
    process = start(tmp_path, 'report', 'sweep.toml')
    with open(tmp_path / 'sweep.toml', 'w'):  # once it reads
        process.send_signal(signal.SIGTERM)
        said = end(process, EXIT_INTERRUPTED)
    assert said.strip() == 'stopped by SIGTERM. Run it again.'


@pytest.mark.slow
def test_of_two_runs_of_one_job_one_works_until_it_is_killed(one_long: Path) -> None:
    first = start_sampling(one_long)
    said = here(one_long, EXIT_HELD, 'run', '-o', 'job')
    assert f'is being run by process {first.pid} {HERE}' in said
    assert 'sample runs' in here(one_long, 0, 'status', '-d')
    first.kill()
    first.communicate()
    assert 'sample to be continued' in here(one_long, 0, 'status', '-d')
    at_once = {'SLURM_JOB_END_TIME': str(int(time.time()))}
    said = here(one_long, EXIT_INTERRUPTED, 'run', '-o', 'job', **at_once)
    assert f'taken over from process {first.pid} {HERE}, which is gone' in said


@pytest.mark.parametrize(
    ('operation', 'needed', 'lock'),
    [
        ('build', ['model.json'], 'running.lock'),
        ('production', ['trajectory.gsd'], 'running.lock'),
        ('msd', ['trajectory.gsd', 'production.json', 'structure.json'], 'msd.lock'),
    ],
)
def test_an_operation_of_any_kind_leaves_a_held_job_alone(
    one_long: Path, operation: str, needed: list[str], lock: str
) -> None:
    (job,) = jobs_of(one_long)
    (job / 'init.gsd').unlink()
    for name in needed:
        (job / name).touch()  # all that makes it due
    with hold(job, lock=lock):
        said = here(one_long, EXIT_HELD, 'run', '-o', operation)
    assert f'is being run by process {os.getpid()} {HERE}' in said
    assert '1 job left to the process that runs them' in said


@pytest.mark.usefixtures('quick_figures')
def test_a_report_is_written_by_one_process_at_a_time(two_short: Path) -> None:
    for job in jobs_of(two_short):
        write_definitions_of(job)
        write_results_of(job, thermodynamics=thermodynamics(), msd=None)
        for name in (job_files.PRODUCTION, job_files.STRUCTURE):
            (job / name).write_text('{}')
    results = two_short / 'results/small'
    results.mkdir(parents=True)
    with hold(results):
        for words in (('run', '-o', 'report'), ('report', 'sweep.toml')):
            said = here(two_short, EXIT_HELD, *words)
            assert f'the report of sweep small is being written by process {os.getpid()}' in said
    assert not (results / 'report.html').exists()
    here(two_short, 0, 'run', '-o', 'report')
    assert (results / 'report.html').exists()
    assert (results / 'jobs.json').exists()


def test_a_holder_on_another_host_that_tells_its_progress_is_not_robbed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'running.lock').write_text('process 7 on elsewhere')
    ProgressWriter(tmp_path, 'sample', 100).update(1)
    with pytest.raises(JobIsHeld, match=r'process 7 on elsewhere, it seems.*wait 120 s'):
        hold(tmp_path).__enter__()
    assert (tmp_path / 'running.lock').read_text() == 'process 7 on elsewhere'
    assert is_held(tmp_path) is None

    progress = json.loads((tmp_path / 'progress.json').read_text())
    progress['time'] -= SECONDS_OF_SILENCE + 1
    (tmp_path / 'progress.json').write_text(json.dumps(progress))
    with hold(tmp_path):
        assert is_held(tmp_path) is True
    assert is_held(tmp_path) is False
    assert 'taken over from process 7 on elsewhere, which is gone' in capsys.readouterr().err


@pytest.mark.slow
def test_who_looks_at_a_lock_keeps_nobody_from_it(tmp_path: Path) -> None:
    watching = 'import sys, pathlib, workflow.jobs.lock as lock\nprint(flush=True)\n'
    watching += 'while True: lock.is_held(pathlib.Path(sys.argv[1]))'
    command = [sys.executable, '-c', watching, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            for _ in range(200):
                with hold(tmp_path):
                    pass
        finally:
            process.kill()


@pytest.mark.slow
def test_simulate_leaves_a_held_job_to_its_holder_and_does_the_rest(two_short: Path) -> None:
    pytest.importorskip('mpi4py', reason='needs mpi4py')
    first, second = jobs_of(two_short)
    with hold(first):
        said = end(start(two_short, 'simulate', 'sweep.toml', '--ranks', '2'), EXIT_HELD)
    assert f'job {first.name} is left to process {os.getpid()} {HERE}, which runs it' in said
    assert 'failed' not in said
    assert not (first / 'trajectory.gsd').exists()
    assert (second / 'msd.json').exists()
    assert_every_frame_and_row_once(second, 80, BlockSchedule(2, 2))
    runs = json.loads((second / 'signac_job_document.json').read_text())['runs']
    assert [run.get('ranks') for run in runs] == [None, None, 2]


@pytest.mark.slow
def test_simulate_tells_which_signal_ended_a_job_and_does_the_rest(two_short: Path) -> None:
    process = start(two_short, 'simulate', 'sweep.toml')
    locks = [job / 'running.lock' for job in jobs_of(two_short)]

    def holders() -> list[tuple[Path, str]]:
        return [(lock.parent, text) for lock in locks if (text := lock.read_text())]

    wait_for(holders)
    (killed, holder), *_ = holders()
    os.kill(int(holder.split()[1]), signal.SIGKILL)
    said = end(process, 1)
    assert f'job {killed.name} failed: its process was ended by SIGKILL' in said
    assert [(job / 'msd.json').exists() for job in jobs_of(two_short)].count(True) == 1


def test_run_does_not_take_several_processes(two_short: Path) -> None:
    said = here(two_short, 2, 'run', '-p', '2')
    assert 'simulate SWEEP --parallel N' in said


def test_a_held_job_stops_no_other(two_short: Path) -> None:
    first, second = jobs_of(two_short)
    with hold(first):
        said = here(two_short, EXIT_HELD, 'run', '-o', 'sample', 'thermodynamics')
    assert f'job {first.name} is being run by process {os.getpid()}' in said
    assert (second / 'thermodynamics.json').exists()


@pytest.mark.slow
def test_a_damaged_job_stops_no_other(two_short: Path) -> None:
    first, second = jobs_of(two_short)
    (first / 'equilibrated.gsd').write_bytes(b'spoiled')
    said = here(two_short, 2, 'run', '-o', 'sample', 'thermodynamics')
    assert (second / 'thermodynamics.json').exists()
    assert f'{first.name}/equilibrated.gsd: is damaged' in said
    assert '1 job could not be run' in said


@pytest.mark.slow
def test_trouble_with_one_job_stops_no_other_on_two_ranks(two_short: Path) -> None:
    pytest.importorskip('mpi4py', reason='needs mpi4py')
    held, damaged = jobs_of(two_short)  # the order in which flow runs them
    (damaged / 'equilibrated.gsd').write_bytes(b'spoiled')
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ['PATH']))
    with hold(held):
        process = start(two_short, 'run', '-o', 'sample', ISP_RANKS='2', PATH=path)
        said = end(process, 2)
    assert f'job {held.name} is being run by process {os.getpid()}' in said
    assert f'{damaged.name}/equilibrated.gsd: is damaged' in said
    assert '1 job could not be run' in said


@pytest.mark.slow
@pytest.mark.hoomd
@needs_hoomd
def test_loading_hoomd_leaves_the_answer_to_signals(tmp_path: Path) -> None:
    """From its import on it answers SIGTERM with an exit, without a word, as if a job failed."""
    program = (
        'import os, signal\n'
        'from workflow.engines.mpi import select_engine\n'
        'from workflow.engines.settings import EngineChoice\n'
        "signal.signal(signal.SIGTERM, lambda number, frame: print('heard'))\n"
        "select_engine(EngineChoice('hoomd', 'cpu'))\n"
        'os.kill(os.getpid(), signal.SIGTERM)\n'
    )
    done = subprocess.run([sys.executable, '-c', program], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, 'heard\n')
