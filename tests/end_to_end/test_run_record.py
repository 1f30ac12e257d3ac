"""What ran is on record from its beginning: a run that is killed cannot write how it ended."""

from __future__ import annotations

import json
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from fault_injection.small_sweep import LONGEST_RUN, make_job, start_run
from tests.conftest import Done, run_here
from workflow.jobs import provenance
from workflow.sweep.state_point import derive_seed


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + LONGEST_RUN
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert path.exists()


@pytest.mark.slow
def test_a_run_that_was_killed_is_on_record_in_document_and_results(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    process = start_run(tmp_path, 'lammps')
    wait_for(job / 'sample.in_progress/checkpoint')
    process.kill()
    process.communicate()
    assert run_here(tmp_path, 'run', '-o', 'simulation', 'clusters').returncode == 0

    document = json.loads((job / 'signac_job_document.json').read_text())
    killed, ended = (run for run in document['runs'] if run['stage'] == 'sample')
    assert (killed['outcome'], ended['outcome']) == ('running', 'done')
    assert killed['version'] == version('lammps')
    point = json.loads((job / 'signac_statepoint.json').read_text())
    assert killed['seeds'] == [['sample', 0, derive_seed(point, 'sample', 0)]]
    assert 'coulomb' in killed  # of the first frame, which only this run has seen
    ((_, step, _),) = ended['seeds']
    assert step > 0

    made = json.loads((job / 'clusters.json').read_text())['provenance']
    assert made['state_point'] == point
    told = [(run['stage'], run['outcome'], run['seeds'], run['host']) for run in made['runs']]
    assert told == [
        (run['stage'], run['outcome'], run['seeds'], run['host']) for run in document['runs']
    ]


def test_runs_that_end_without_a_word_at_one_place_are_told(tmp_path: Path) -> None:
    document: dict[str, Any] = {}

    def die(stage: str = 'sample') -> None:
        provenance.begin_run(document, {'stage': stage}, tmp_path)

    for _ in range(4):
        die()
        die('relax')
    assert provenance.crashes(document, 'sample', tmp_path) == ''
    die()
    assert '5 runs in a row were killed or crashed' in provenance.crashes(
        document, 'sample', tmp_path
    )
    # A run that got as far as a checkpoint is progress, and so is one that said why it ended.
    (tmp_path / 'checkpoint').touch()
    assert provenance.crashes(document, 'sample', tmp_path) == ''
    (tmp_path / 'checkpoint').unlink()
    document['runs'][-1]['outcome'] = 'engine failed: five runs'
    assert provenance.crashes(document, 'sample', tmp_path) == ''


@pytest.mark.slow
def test_a_job_that_only_crashes_is_marked_and_a_retry_runs_it(tmp_path: Path) -> None:
    job = make_job(tmp_path)

    def project(*command: str) -> Done:
        return run_here(tmp_path, *command)

    assert project('run', '-o', 'build').returncode == 0
    document = json.loads((job / 'signac_job_document.json').read_text())
    crashed = {'stage': 'relax', 'outcome': 'running', 'progress_before': 0}
    document['runs'] = [crashed] * 5
    (job / 'signac_job_document.json').write_text(json.dumps(document))

    done = project('run', '-o', 'relax')
    assert (done.returncode, 'Traceback' in done.stderr) == (1, False)
    assert '5 runs in a row were killed or crashed' in project('failed', job.name).stdout
    assert not (job / 'relaxed.gsd').exists()
    assert project('retry', job.name, '--later').returncode == 0
    assert project('run', '-o', 'relax').returncode == 0
    assert (job / 'relaxed.gsd').exists()
