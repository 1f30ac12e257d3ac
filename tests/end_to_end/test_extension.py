"""A finished job of which more is asked goes on from its last state: no step is run again."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import gsd.hoomd
import numpy as np
import pytest

from tests.conftest import run_here
from workflow.jobs.lock import hold
from workflow.stages.thermo_writer import read_hdf5
from workflow.sweep.frame_schedule import BlockSchedule

pytestmark = pytest.mark.slow

STEPS, LONGER = 2560, 3840
SCHEDULE = BlockSchedule(10, 4)
RESULTS = ('chains.json', 'msd.json', 'thermodynamics.json')


def sweep(maximum_steps: int = STEPS, **precision: float) -> str:
    asked = ', '.join(f'{name} = {value}' for name, value in precision.items())
    return f"""
name = 'small'
model = 'kremer_grest'
replicas = 1
compositions = [{{ M = 1 }}]

[grid]
chains = 64
degree_of_polymerisation = 2
density = 0.85

[protocol]
time_step = 0.01
push_off = {{ steps = 100 }}
anneal = {{ kT = 1.5, steps = 100, cooling_steps = 100 }}
equilibrate = {{ minimum_steps = 2000, maximum_steps = 2000 }}

[protocol.sample]
minimum_steps = {min(STEPS, maximum_steps)}
maximum_steps = {maximum_steps}
doublings = 4
precision = {{ {asked} }}

[observables]
compute = ['chains', 'msd', 'thermodynamics']
"""


# Which is precise at once, and one that never is.
MET = {'pressure': 0.5}
NEVER_MET = MET | {'potential_energy_per_bead': 1e-9}
ALL = ('run', '-o', '^(?!report$).*')


@pytest.fixture(scope='module')
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose only job is done."""
    folder = tmp_path_factory.mktemp('project')
    (folder / 'sweep.toml').write_text(sweep())
    assert run_here(folder, 'init', 'sweep.toml').returncode == 0
    assert run_here(folder, *ALL).returncode == 0
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / 'copy'))


def job_of(folder: Path) -> Path:
    (job,) = folder.glob('workspace/*')
    return job


def edit(folder: Path, content: str) -> str:
    (folder / 'sweep.toml').write_text(content)
    done = run_here(folder, 'init', 'sweep.toml')
    assert done.returncode == 0
    return done.stdout


def frames(job: Path) -> dict[int, Any]:
    with gsd.hoomd.open(job / 'trajectory.gsd') as trajectory:
        found = [(int(each.configuration.step), each.particles) for each in trajectory]
    assert len(dict(found)) == len(found)
    return {step: (each.position.tolist(), each.image.tolist()) for step, each in found}


def runs(job: Path) -> list[dict[str, Any]]:
    document = json.loads((job / 'signac_job_document.json').read_text())
    return [run for run in document['runs'] if run['stage'] == 'sample']


def assert_whole(job: Path, steps: int) -> None:
    assert list(frames(job)) == [step for step in range(steps + 1) if SCHEDULE.is_due(step)]
    assert read_hdf5(job / 'thermo.h5')['step'].tolist() == list(range(10, steps + 1, 10))
    assert not list(job.glob('*.in_progress'))
    assert all((job / name).exists() for name in RESULTS)


def test_a_longer_limit_goes_on_from_the_last_state(folder: Path) -> None:
    job = job_of(folder)
    frames_before, rows_before = frames(job), read_hdf5(job / 'thermo.h5')
    results_before = {name: (job / name).read_bytes() for name in RESULTS}
    said = edit(folder, sweep(LONGER))
    assert '1 job kept: protocol.sample.maximum_steps 2560 -> 3840 (longer)' in said
    assert '1 job done before: going on' in said
    assert 'sample to be continued' in run_here(folder, 'status').said
    done = run_here(folder, *ALL)
    assert done.returncode == 0
    assert f'sample: resuming from step {STEPS}\n' in done.stdout

    assert_whole(job, LONGER)
    frames_after, rows_after = frames(job), read_hdf5(job / 'thermo.h5')
    assert {step: frames_after[step] for step in frames_before} == frames_before
    for name, column in rows_before.items():
        np.testing.assert_array_equal(rows_after[name][: len(column)], column)
    # The engine was set up twice, and began the second time where it had ended.
    assert [[step for _, step, _ in run['seeds']] for run in runs(job)] == [[0], [STEPS]]
    assert [run['steps'] for run in runs(job)] == [STEPS, LONGER]
    assert all((job / name).read_bytes() != old for name, old in results_before.items())
    assert 'changed' not in edit(folder, sweep(LONGER))
    assert_whole(job, LONGER)


def test_what_is_precise_already_is_not_run_and_keeps_its_results(folder: Path) -> None:
    job = job_of(folder)
    before = {path: path.read_bytes() for path in (*job.glob('*.json'), job / 'trajectory.gsd')}
    names = ('signac_job_document.json', 'limits.json', 'sample_end.json')
    changed = {job / name for name in names}
    edit(folder, sweep(LONGER, **MET))
    assert run_here(folder, *ALL).returncode == 0
    assert_whole(job, STEPS)
    assert {path for path in before if path.read_bytes() != before[path]} == changed
    assert runs(job)[-1]['seeds'] == []  # no engine was set up
    assert 'going on' not in edit(folder, sweep(LONGER, **MET))
    assert 'changed' not in edit(folder, sweep(LONGER, **MET))

    said = edit(folder, sweep(LONGER, **NEVER_MET))
    assert 'protocol.sample.precision.potential_energy_per_bead none -> 1e-09' in said
    assert run_here(folder, *ALL).returncode == 0
    assert_whole(job, LONGER)


def test_less_than_it_was_run_for_changes_nothing(folder: Path) -> None:
    job = job_of(folder)
    before = (job / 'trajectory.gsd').stat()
    assert '(shorter)' in edit(folder, sweep(1920))
    assert (job / 'trajectory.gsd').stat() == before


class Killed(BaseException):
    """As by SIGKILL between two changes of the disk."""


def killed_after(folder: Path, moves: int, *words: str) -> bool:
    """Run a command that is killed at one of its moves; whether it came so far."""
    replace, left = os.replace, moves

    def until_killed(*paths: Any) -> None:
        nonlocal left
        if not left:
            raise Killed
        left -= 1
        replace(*paths)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, 'replace', until_killed)
        try:
            run_here(folder, *words)
        except Killed:
            return True
    return False


def kept(job: Path) -> dict[str, bytes]:
    """What must not be lost or change: all but records of runs."""
    return {
        str(path.relative_to(job)): path.read_bytes()
        for path in job.rglob('*')
        if path.is_file() and path.suffix != '.lock' and 'document' not in path.name
    }


def test_a_kill_while_a_job_is_taken_up_again_loses_nothing(folder: Path, tmp_path: Path) -> None:
    (folder / 'sweep.toml').write_text(sweep(LONGER))
    whole = Path(shutil.copytree(folder, tmp_path / 'whole'))
    assert run_here(whole, 'init', 'sweep.toml').returncode == 0
    assert (job_of(whole) / 'sample.in_progress/trajectory.gsd').exists()
    for moves in range(100):
        copy = Path(shutil.copytree(folder, tmp_path / str(moves)))
        if not killed_after(copy, moves, 'init', 'sweep.toml'):
            break
        assert run_here(copy, 'init', 'sweep.toml').returncode == 0
        assert kept(job_of(copy)) == kept(job_of(whole))
    assert moves > 3


def test_a_kill_while_a_job_is_finished_again_loses_nothing(folder: Path, tmp_path: Path) -> None:
    edit(folder, sweep(LONGER, **MET))
    whole = Path(shutil.copytree(folder, tmp_path / 'whole'))
    assert run_here(whole, *ALL).returncode == 0
    for moves in range(100):
        copy = Path(shutil.copytree(folder, tmp_path / str(moves)))
        if not killed_after(copy, moves, *ALL):
            break
        assert run_here(copy, *ALL).returncode == 0
        assert kept(job_of(copy)) == kept(job_of(whole))
    assert moves > 5


@pytest.mark.parametrize('name', ['trajectory.gsd', 'thermo.h5', 'sample_end.checkpoint'])
def test_what_is_damaged_is_not_extended(folder: Path, name: str) -> None:
    job = job_of(folder)
    content = bytearray((job / name).read_bytes())
    content[len(content) // 2] ^= 1
    (job / name).write_bytes(content)
    before = kept(job)
    said = edit(folder, sweep(LONGER))
    assert '1 job cannot go on' in said
    assert str(job / name) in said
    assert {path for path, old in kept(job).items() if before[path] != old} == {'limits.json'}


def test_a_job_of_which_no_end_was_kept_stays(folder: Path) -> None:
    job = job_of(folder)
    for path in job.glob('sample_end.*'):
        path.unlink()
    before = kept(job)
    assert 'going on' not in edit(folder, sweep())
    said = edit(folder, sweep(LONGER))
    assert f'job {job.name} was finished before it could be extended' in said
    assert {path for path, old in kept(job).items() if before[path] != old} == {'limits.json'}


def test_a_job_that_is_analysed_is_left_alone(folder: Path) -> None:
    job = job_of(folder)
    with hold(job, lock='clusters.lock'):
        assert '1 job being run' in edit(folder, sweep(LONGER))
        assert (job / 'trajectory.gsd').exists()
    assert '1 job done before: going on' in edit(folder, sweep(LONGER))


@pytest.mark.usefixtures('quick_figures')
def test_a_report_says_that_its_sweep_was_changed_since(folder: Path) -> None:
    (folder / 'sweep.toml').write_text(sweep(LONGER).replace('replicas = 1', 'replicas = 2'))
    done = run_here(folder, 'report', 'sweep.toml')
    assert done.returncode == 0
    assert 'changed since init: 1 job kept, 1 new' in done.stderr
    assert 'python project.py init sweep.toml takes up what is new' in done.stderr
    assert len(list(folder.glob('workspace/*'))) == 1
    assert 'changed since init: 1 job kept, 1 new' in edit(
        folder, (folder / 'sweep.toml').read_text()
    )
    assert 'changed' not in run_here(folder, 'report', 'sweep.toml').stderr
