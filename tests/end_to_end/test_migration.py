"""A workspace of the format before is taken over: jobs have new ids, and lose nothing."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import signac

from tests.conftest import run_here
from tests.end_to_end.test_bad_input import SWEEP
from workflow.jobs.files import LIMITS
from workflow.jobs.lock import hold
from workflow.jobs.workspace import FORMAT
from workflow.stages.table import STAGES

# What version 0.4 made of SWEEP (commit 556d5c1): its state points held limits and precision.
RECORDED = json.loads(Path(__file__).with_name('workspace_of_format_3.json').read_text())
OTHER = {'replica': 1}
DOCUMENT = 'signac_project_document.json'
STATE_POINT = 'signac_statepoint.json'


def make_job(folder: Path, state_point: dict[str, Any]) -> Path:
    job = Path(signac.get_project(folder).open_job(state_point).init().path)
    for stage in STAGES:
        for name in stage.products:
            (job / name).write_text(f'{name} of {job.name}')
    (job / 'sample.in_progress').mkdir()
    (job / 'sample.in_progress/checkpoint').write_bytes(os.urandom(99))
    return job


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two jobs, one of which is in two sweeps."""
    (tmp_path / 'sweep.toml').write_text(SWEEP)
    signac.init_project(tmp_path)
    first = make_job(tmp_path, RECORDED['state_point'])
    assert first.name == RECORDED['job']
    other = make_job(tmp_path, RECORDED['state_point'] | OTHER)
    document = RECORDED['project_document']
    both = document['sweeps']['small'] | {'jobs': [other.name, first.name]}
    both['sweep'] = both['sweep'] | {'name': 'both', 'replicas': 2}
    document = document | {'sweeps': document['sweeps'] | {'both': both}}
    (tmp_path / DOCUMENT).write_text(json.dumps(document))
    return tmp_path


def contents(folder: Path) -> dict[tuple[int, str], bytes]:
    """All that is in the jobs, by replica and path, but for what a migration changes."""
    found = {}
    for job in folder.glob('workspace/*'):
        replica = json.loads((job / STATE_POINT).read_text())['replica']
        for path in job.rglob('*'):
            if path.is_file() and path.name not in (STATE_POINT, LIMITS, 'running.lock'):
                found[replica, str(path.relative_to(job))] = path.read_bytes()
    return found


def assert_is_taken_over(folder: Path, before: dict[tuple[int, str], bytes]) -> None:
    assert contents(folder) == before
    document = json.loads((folder / DOCUMENT).read_text())
    assert document['workspace_format'] == FORMAT
    ids = {}
    for job in signac.get_project(folder):
        ids[job.statepoint()['replica']] = job.id
        limits = json.loads(Path(job.fn(LIMITS)).read_text())
        assert limits['equilibrate'] == {
            'minimum_steps': 10000, 'maximum_steps': 200000, 'precision': {},
        }  # fmt: skip
        assert limits['sample']['maximum_steps'] == 2000000
    assert document['sweeps']['small']['jobs'] == [ids[0]]
    assert document['sweeps']['both']['jobs'] == [ids[1], ids[0]]
    assert run_here(folder, 'init', 'sweep.toml').returncode == 0
    assert {path.name for path in folder.glob('workspace/*')} == set(ids.values())


def test_jobs_have_the_ids_that_init_gives_and_all_their_files(folder: Path) -> None:
    before = contents(folder)
    done = run_here(folder, 'migrate')
    assert f'2 jobs now of format {FORMAT}' in done.stdout
    assert not (folder / 'workspace' / RECORDED['job']).exists()
    assert_is_taken_over(folder, before)
    assert 'nothing to do' in run_here(folder, 'migrate').stdout


class Killed(BaseException):
    """As by SIGKILL between two changes of the disk."""


def test_a_migration_that_is_killed_anywhere_is_finished_by_the_next(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    before, replace = contents(folder), os.replace
    for moves in range(100):
        copy = tmp_path_factory.mktemp('killed') / 'copy'
        shutil.copytree(folder, copy)
        left = moves

        def until_killed(source: Any, target: Any) -> None:
            nonlocal left
            if not left:
                raise Killed
            left -= 1
            replace(source, target)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, 'replace', until_killed)
            try:
                run_here(copy, 'migrate')
            except Killed:
                pass
            else:
                break
        assert 'python project.py migrate' in run_here(copy, 'status').stderr
        assert run_here(copy, 'migrate').returncode == 0
        assert_is_taken_over(copy, before)
    assert moves >= 8  # of two jobs: limits, state point, folder, state point


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def test_two_jobs_that_become_one_are_named_and_left(folder: Path) -> None:
    point = json.loads(json.dumps(RECORDED['state_point']))
    point['protocol']['sample']['precision'] = {'density': 0.1}
    make_job(folder, point)
    before = files(folder)
    done = run_here(folder, 'migrate')
    assert done.returncode == 2
    assert RECORDED['job'] in done.stderr
    assert signac.get_project(folder).open_job(point).id in done.stderr
    assert 'Nothing was changed' in done.stderr
    assert files(folder) == before


def test_a_job_that_is_run_is_not_migrated(folder: Path) -> None:
    with hold(folder / 'workspace' / RECORDED['job']):
        before = files(folder)
        assert 'is being run' in run_here(folder, 'migrate').stderr
        assert {path for path in files(folder) if path.suffix != '.lock'} == {
            path for path in before if path.suffix != '.lock'
        }
