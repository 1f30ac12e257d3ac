"""Blow-ups on real engines: they are seen, marked, kept out of the files, and got past."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gsd.hoomd
import numpy as np
import pytest

from tests.conftest import ROOT, run_here
from tests.end_to_end.test_project import SWEEP, assert_every_frame_and_row_once
from tests.stages.test_runner import StopAfter, assert_exactly_once, run, start  # noqa: F401
from user_input import UserError
from workflow.cli.failed import print_whole_failure
from workflow.cli.retry import make_ready
from workflow.engines.contract import ConstantEnergy, State
from workflow.engines.errors import BlewUp, SimulationFailed, engine_error
from workflow.jobs import files as job_files
from workflow.jobs import products
from workflow.jobs.failures import clear_failure, mark_failed, read_failure
from workflow.jobs.progress import PROGRESS_FILE, ProgressWriter, read_progress
from workflow.process import Interrupted, StopRequest
from workflow.stages.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from workflow.stages.stage_folder import StageFolder
from workflow.stages.substeps import MOST_SHORTENED, Substeps, read_substeps, write_substeps
from workflow.stages.system import System
from workflow.stages.table import stage_product
from workflow.stages.thermo_writer import read_rows
from workflow.stages.trajectory_writer import read_frame, write_frame

Start = tuple[System, State]


@pytest.fixture
def stopped(start: Start, tmp_path: Path) -> StageFolder:  # noqa: F811
    """A stage that was stopped, and has a checkpoint."""
    folder = StageFolder(tmp_path, 'sample')
    for questions in (3, 5):
        with pytest.raises(Interrupted):
            run(folder, start, StopAfter(questions))
    return folder


def heat_free_ions(folder: StageFolder, system: System, factor: float) -> Checkpoint:
    """Give the ions that no bond can tear `factor` times their thermal speed in the checkpoint."""
    checkpoint = read_checkpoint(folder.checkpoint)
    velocities = checkpoint.state.velocities.copy()
    free = np.setdiff1d(np.arange(len(velocities)), system.topology.bonds.group)
    speeds = np.linalg.norm(velocities[free], axis=1, keepdims=True)
    velocities[free] *= factor * np.sqrt(3) / speeds
    state = replace(checkpoint.state, velocities=velocities)
    write_checkpoint(folder.checkpoint, replace(checkpoint, state=state))
    return checkpoint


def test_a_blow_up_is_seen_and_short_steps_get_past_it(
    start: Start,  # noqa: F811
    stopped: StageFolder,
) -> None:
    checkpoint = heat_free_ions(stopped, start[0], 8.0)
    before = stopped.checkpoint.read_bytes()
    with pytest.raises(BlewUp) as failed:
        run(stopped, start, StopRequest())
    assert failed.value.goes_on_from == checkpoint.state.step
    assert failed.value.step is not None
    assert checkpoint.state.step <= failed.value.step < checkpoint.state.step + 200
    assert stopped.checkpoint.read_bytes() == before
    assert all(np.isfinite(column).all() for column in read_rows(stopped.thermo).values())

    until = failed.value.step + 1000
    write_substeps(stopped.path, Substeps(until, 5))
    with pytest.raises(Interrupted):  # within the short steps, which it must go on with
        run(stopped, start, StopAfter(3))
    assert read_checkpoint(stopped.checkpoint).state.step < until
    run(stopped, start, StopRequest())
    assert_exactly_once(stopped)


def test_nothing_that_is_not_a_number_is_kept(
    start: Start,  # noqa: F811
    stopped: StageFolder,
) -> None:
    checkpoint = read_checkpoint(stopped.checkpoint)
    checkpoint.state.velocities[7] = 1e200  # its energy is none
    write_checkpoint(stopped.checkpoint, checkpoint)
    before = stopped.checkpoint.read_bytes()
    with pytest.raises(SimulationFailed):
        run(stopped, start, StopRequest())
    assert stopped.checkpoint.read_bytes() == before
    assert read_rows(stopped.thermo)['step'].size == checkpoint.rows.rows
    assert np.isfinite(read_rows(stopped.thermo)['potential_energy']).all()
    with gsd.hoomd.open(stopped.trajectory) as trajectory:
        assert all(np.isfinite(frame.particles.position).all() for frame in trajectory)


def test_a_stretched_bond_and_a_fast_bead_are_not_sound(start: Start) -> None:  # noqa: F811
    system, state = start
    system.limits.check(state, 1.0)
    velocities = state.velocities.copy()
    velocities[3] = [9.0, 9.0, 0.0]
    with pytest.raises(BlewUp, match='fastest bead'):
        system.limits.check(replace(state, velocities=velocities), 1.0)
    positions = state.positions.copy()
    first, second = system.topology.bonds.group[0]
    positions[second] = positions[first] + [1.47, 0, 0]
    with pytest.raises(BlewUp, match='sigma long, its limit is 1.5'):
        system.limits.check(replace(state, positions=positions), 1.0)


def test_short_steps_follow_the_same_path_in_the_same_time(start: Start) -> None:  # noqa: F811
    system, state = start
    first = replace(state, step=40)
    ends = []
    for factor in (1, 4):
        mesh = system.mesh(first)
        simulation = system.simulation(first, ConstantEnergy(5e-4), mesh, 'x', 10, factor)
        simulation.run(100)
        assert simulation.take_thermo_rows()[:, 0].tolist() == list(range(50, 141, 10))
        ends.append(simulation.state())
        assert ends[-1].step == simulation.step == 140
        simulation.close()
    begin, coarse, fine = (each.positions + each.images * first.box for each in (first, *ends))
    assert np.abs(coarse - begin).mean() > 0.02
    assert np.abs(fine - coarse).max() < 5e-4


@pytest.mark.parametrize(
    ('message', 'kind'),
    [
        ('ERROR on proc 0: Bad FENE bond (src/bond_fene.cpp:91)', BlewUp),
        ('ERROR on proc 1: Bond atoms 7 8 missing on proc 1 at step 9', BlewUp),
        ('ERROR: Lost atoms: original 200 current 199', BlewUp),
        ('ERROR on proc 0: Non-numeric atom coords - simulation unstable', BlewUp),
        ('Particle with unique tag 3 is no longer in the simulation box.', BlewUp),
        ('ERROR: Something new', SimulationFailed),
        ('ERROR: Error writing out fix ave/time data: No space left on device', UserError),
        ('ERROR: Unrecognized pair style lj/cut/coul/long', UserError),
        ('CUDA error: out of memory', UserError),
    ],
)  # fmt: skip
def test_what_an_engine_says_tells_how_it_failed(message: str, kind: type) -> None:
    error = engine_error('LAMMPS', Exception(message))
    assert type(error) is kind
    assert message in str(error)


MARK: dict[str, Any] = {
    'stage': 'sample',
    'kind': BlewUp.kind,
    'reason': 'said the engine',
    'step': 900,
    'goes_on_from': 500,
}


@pytest.mark.parametrize(
    'content',
    [
        *('[]', 'null', '{}', '', '{"stage": "sample"}', '[' * 5000, '9' * 5000, '\x00\xff'),
        *(
            json.dumps(MARK | change)
            for change in (
                {'stage': '../../../escaped/sample'},
                {'stage': '/tmp/escaped'},
                {'step': '900'},
                {'goes_on_from': [1]},
                {'thermo': {'step': 1}},
                {'thermo': [[1]]},
                {'engine': []},
                {'after_retries': None},
                {'reason': float('nan')},
            )
        ),
    ],
)
def test_a_damaged_mark_still_marks_and_leads_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    job = tmp_path / 'workspace' / 'job'
    job.mkdir(parents=True)
    (job / job_files.FAILURE).write_text(content)
    failure = read_failure(job)
    assert failure is not None
    assert failure.stage == 'unknown stage'
    print_whole_failure(
        SimpleNamespace(
            id='job', path=str(job), fn=str, cached_statepoint={'composition': {'M': 1.0}}
        ),
        sys.stdout,
    )
    assert 'its mark' in capsys.readouterr().out
    record: dict[str, Any] = {}
    make_ready(job, record)
    assert read_failure(job) is None
    assert not list(tmp_path.rglob('short_steps.json'))
    assert not list(tmp_path.rglob('escaped'))


def test_a_mark_says_what_it_may_and_no_retry_takes_forever(tmp_path: Path) -> None:
    rows = [{'step': 890.0, 'volume': 'nan'}]  # the rest of the columns is missing
    mark = MARK | {'thermo': rows, 'after_retries': 10**9, 'of a later version': 1}
    (tmp_path / job_files.FAILURE).write_text(json.dumps(mark))
    failure = read_failure(tmp_path)
    assert failure is not None
    assert (failure.stage, failure.thermo) == ('sample', rows)
    make_ready(tmp_path, {})
    short = read_substeps(StageFolder(tmp_path, 'sample').path)
    assert short == Substeps(1900, MOST_SHORTENED)


@pytest.mark.parametrize(
    'content',
    [
        '{"until": Infinity, "shortened_by": 5}',
        '{"until": 100, "shortened_by": 1000000000}',
        '{"until": 100, "shortened_by": 0}',
        '{"until": "100", "shortened_by": 5}',
        '{"until": 1e400, "shortened_by": 5}',
        '[' * 5000,
        'null',
    ],
)
def test_damaged_short_steps_are_told(tmp_path: Path, content: str) -> None:
    (tmp_path / 'short_steps.json').write_text(content)
    with pytest.raises(UserError, match='short_steps.json: is damaged. Delete it'):
        read_substeps(tmp_path)


@pytest.mark.parametrize(
    'change',
    [
        {'time': 'now'},
        {'steps': 0},
        {'step': '5'},
        {'stage': '\x1b[2J'},
        {'seconds_left': None},
    ],
)
def test_damaged_progress_is_no_progress(tmp_path: Path, change: dict[str, Any]) -> None:
    ProgressWriter(tmp_path, 'relax', 10).update(5)
    path = tmp_path / PROGRESS_FILE
    assert read_progress(tmp_path) is not None
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert read_progress(tmp_path) is None


def test_what_fails_again_is_retried_with_shorter_steps_yet(tmp_path: Path) -> None:
    record: dict[str, Any] = {}

    def fail(kind: type[SimulationFailed], step: int, goes_on_from: int) -> Substeps:
        failure = kind('said the engine', step)
        failure.found_at(step, goes_on_from, [{'step': 10.0, 'volume': 'nan'}])
        mark_failed(tmp_path, 'sample', failure, {}, record)
        make_ready(tmp_path, record)
        assert read_failure(tmp_path) is None
        return read_substeps(StageFolder(tmp_path, 'sample').path)

    assert fail(SimulationFailed, 100, 50).shortened_by == 1  # as it was: it may have been chance
    assert fail(SimulationFailed, 110, 50) == Substeps(1110, 25)
    assert fail(BlewUp, 900, 500).shortened_by == 125
    assert fail(BlewUp, 9000, 8000) == Substeps(10_000, 5)  # another place
    assert [retry['failure']['step'] for retry in record['retries']] == [100, 110, 900, 9000]
    with pytest.raises(UserError, match='not marked as failed'):
        make_ready(tmp_path, record)
    clear_failure(tmp_path)


TWO_JOBS = SWEEP.replace('replicas = 2', 'replicas = 1').replace(
    'doublings = 4', 'doublings = 4\nthermostat_time = 2.0'
)
TWO_JOBS += "[observables]\ncompute = ['msd']\n"  # what is neither measured nor drawn takes no time


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """The project's command line in a folder of its own: exit code, and what it printed."""

    def run(*arguments: str) -> tuple[int, str]:
        done = run_here(tmp_path, *arguments)
        return done.returncode, done.said

    return run


@pytest.mark.slow
def test_what_one_rank_alone_finds_ends_the_others_and_marks_the_job(
    tmp_path: Path, project: Callable[..., tuple[int, str]]
) -> None:
    """The other rank waits inside LAMMPS for this one, without end."""
    pytest.importorskip('mpi4py', reason='needs mpi4py')
    (tmp_path / 'sweep.toml').write_text(TWO_JOBS.replace('{ DOPA = 1 }, ', ''))
    assert project('init', 'sweep.toml')[0] == 0
    assert project('run', '-o', 'build', 'relax')[0] == 0
    (job,) = (tmp_path / 'workspace').iterdir()
    frame = read_frame(job / 'relaxed.gsd')
    # A bond well inside of what the second rank holds, on its way to be torn.
    positions, edge = frame.particles.position, frame.configuration.box[0]
    heights = positions[frame.bonds.group][:, :, 2]
    first, second = frame.bonds.group[np.abs(heights - edge / 4).max(axis=1).argmin()]
    along = positions[first] - positions[second]
    along -= edge * np.round(along / edge)
    frame.particles.velocity[first] += 120 * along
    frame.particles.velocity[second] -= 120 * along
    with products.writing(job, stage_product('relaxed.gsd')) as temporary:
        write_frame(temporary, frame)
    path = f'{Path(sys.executable).parent}:{os.environ["PATH"]}'
    done = subprocess.run(
        [sys.executable, str(ROOT / 'project.py'), 'run', '-o', 'equilibrate'],
        cwd=tmp_path,
        env=os.environ | {'ISP_ENGINE': 'lammps', 'ISP_RANKS': '2', 'PATH': path},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert 'on proc 1' in done.stderr
    assert '1 job failed.' in done.stderr
    failure = read_failure(job)
    assert failure is not None
    assert (failure.stage, failure.kind) == ('equilibrate', 'blew up')


def heat(path: Path, factor: float) -> None:
    """Make a state too hot for the time step that is to come."""
    frame = read_frame(path)
    frame.particles.velocity = factor * frame.particles.velocity
    with products.writing(path.parent, stage_product(path.name)) as temporary:
        write_frame(temporary, frame)


@pytest.mark.slow
@pytest.mark.usefixtures('quick_figures')
def test_a_sweep_goes_on_without_a_job_that_blew_up_until_it_is_retried(
    tmp_path: Path, project: Callable[..., tuple[int, str]]
) -> None:
    (tmp_path / 'sweep.toml').write_text(TWO_JOBS)
    assert project('init', 'sweep.toml')[0] == 0
    assert project('failed') == (0, 'no job is marked as failed.\n')
    assert project('run', '-o', 'build', 'relax', 'equilibrate')[0] == 0
    bad, good = sorted((tmp_path / 'workspace').iterdir())  # the order in which flow runs them
    heat(bad / 'equilibrated.gsd', 4.0)

    code, told = project('run', '-o', '^(?!report$).*')
    assert code == 1
    assert 'Traceback' not in told
    assert f'error: job {bad.name}: LAMMPS: ' in told
    assert '1 job failed. python project.py failed says why' in told
    assert_every_frame_and_row_once(good)
    failure = json.loads((bad / 'failure.json').read_text())
    assert (failure['stage'], failure['kind']) == ('sample', 'blew up')
    assert 0 <= failure['step'] < 300
    assert failure['engine']['engine'] == 'lammps'
    runs = json.loads((bad / 'signac_job_document.json').read_text())['runs']
    assert runs[-1]['outcome'].startswith('blew up: LAMMPS: ')

    code, told = project('run', '-o', 'sample')
    assert (code, '1 job left out: failed before' in told) == (0, True)
    code, told = project('exec', 'sample', bad.name)
    assert (code, 'is marked as failed' in told) == (2, True)
    assert json.loads((bad / 'signac_job_document.json').read_text())['runs'] == runs
    assert 'FAILED: sample blew up at step' in project('status', '-d')[1]
    code, told = project('simulate', 'sweep.toml')
    assert code == 1
    assert '1 of 2 jobs left out: failed before' in told
    assert '1 of 2 jobs failed. To see why: python project.py failed' in told
    assert bad.name in (tmp_path / 'results/small/report.html').read_text()
    code, told = project('failed')
    assert code == 1
    (line,) = [line for line in told.splitlines() if bad.name[:8] in line]
    assert 'sample' in line
    assert 'blew up: LAMMPS: ' in line
    assert 'resumes from:  step 0' in project('failed', bad.name[:6])[1]
    code, told = project('retry', good.name)
    assert (code, 'is not marked as failed' in told) == (2, True)

    code, told = project('retry')
    assert code == 0, told
    assert 'with steps 5 times shorter until step' in told
    assert not (bad / 'failure.json').exists()
    assert_every_frame_and_row_once(bad)
    document = json.loads((bad / 'signac_job_document.json').read_text())
    (sampled,) = [run for run in document['runs'] if 'short_steps' in run]
    assert (sampled['stage'], sampled['short_steps']['shortened_by']) == ('sample', 5)
    assert document['retries'][0]['failure']['reason'] == failure['reason']

    code, told = project('simulate', 'sweep.toml')
    assert (code, '2 of 2 jobs done already' in told) == (0, True)
    assert bad.name not in (tmp_path / 'results/small/report.html').read_text()
