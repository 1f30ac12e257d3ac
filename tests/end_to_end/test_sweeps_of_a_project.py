"""Commands on one sweep of several, and on jobs that are in none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import signac

from models.model import SHIPPED_MODELS
from tests.conftest import run_here
from tests.end_to_end.test_bad_input import SWEEP
from workflow.jobs.lock import EXIT_HELD, hold

pytestmark = pytest.mark.slow

CLUSTER = """
hostname = 'nowhere'

[partitions.standard]
cores = 64
memory = 250
max_hours = 72
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sweep `small` of two jobs, `other` of one of them and two more, and two jobs in none."""
    (tmp_path / 'cluster.toml').write_text(CLUSTER)
    wide = SWEEP.replace('replicas = 1', 'replicas = 2')
    hot = SWEEP.replace("'small'", "'other'").replace('pressure', 'kT = [1.0, 1.2]\npressure')
    for content in (wide.replace('pressure', 'kT = 2.0\npressure'), wide, hot):
        (tmp_path / 'sweep.toml').write_text(content)
        assert run_here(tmp_path, 'init', 'sweep.toml').returncode == 0
    return tmp_path


def jobs(folder: Path, kT: Sequence[float] = (1.0, 1.2, 2.0)) -> list[str]:
    found = [job for job in signac.get_project(folder) if job.statepoint()['kT'] in kT]
    return sorted(job.id for job in found)


def built(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in folder.glob('workspace/*/init.gsd'))


def test_jobs_of_no_sweep_are_run_by_their_id_alone(folder: Path) -> None:
    done = run_here(folder, 'run', '-o', 'build')
    assert '2 jobs of no sweep left out' in done.stderr
    assert built(folder) == jobs(folder, (1.0, 1.2))
    assert run_here(folder, 'run', '-o', 'build', '-j', *jobs(folder, (2.0,))).returncode == 0
    assert built(folder) == jobs(folder)


def test_a_sweep_selects_for_run_status_and_submit(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_here(folder, 'run', '-o', 'build', '--sweep', 'small').returncode == 0
    assert built(folder) == jobs(folder, (1.0,))
    monkeypatch.setenv('ISP_CLUSTER', 'cluster.toml')
    (hot,) = jobs(folder, (1.2,))
    shown = run_here(folder, 'status', '--sweep', 'other', '--detailed').said
    assert hot[:8] in shown
    assert not any(job[:8] in shown for job in jobs(folder, (2.0,)))
    submit = ('submit', '--pretend', '-o', 'build')
    assert run_here(folder, *submit, '--sweep', 'other').stdout.count('run -o build -j') == 1
    assert run_here(folder, *submit).stdout.count('run -o build -j') == 1
    wrong = run_here(folder, 'run', '--sweep', 'smal')
    assert wrong.returncode == 2
    assert "Did you mean 'small'?" in wrong.stderr


def test_a_sweep_is_removed_with_the_jobs_that_no_other_has(folder: Path) -> None:
    before = jobs(folder)
    shown = run_here(folder, 'remove', 'small').stdout
    assert 'In another sweep too, and kept: 1 of 2 jobs of sweep small' in shown
    assert 'With --yes sweep small is removed, and these jobs are deleted: 1 job, ' in shown
    assert jobs(folder) == before
    assert run_here(folder, 'remove', 'small', '--yes').returncode == 0
    assert len(jobs(folder)) == len(before) - 1
    assert len(jobs(folder, (1.0, 1.2))) == 2
    assert run_here(folder, 'remove', 'small').returncode == 2


def test_prune_deletes_jobs_of_no_sweep(folder: Path) -> None:
    left = folder / 'workspace' / ('removed.' + '0' * 32)
    left.mkdir()
    before = jobs(folder)
    assert '2 jobs, ' in run_here(folder, 'prune').stdout
    assert jobs(folder) == before
    assert run_here(folder, 'prune', '--yes').returncode == 0
    assert jobs(folder) == jobs(folder, (1.0, 1.2))
    assert len(jobs(folder)) == 3
    assert not left.exists()
    assert '0 jobs, ' in run_here(folder, 'prune').stdout


@pytest.mark.parametrize('lock', ['running.lock', 'clusters.lock'])
def test_jobs_that_are_run_or_analysed_are_not_deleted(folder: Path, lock: str) -> None:
    before = jobs(folder)
    with hold(folder / 'workspace' / jobs(folder, (2.0,))[-1], lock=lock):
        assert run_here(folder, 'prune', '--yes').returncode == EXIT_HELD
    assert jobs(folder) == before


def test_a_job_of_two_sweeps_runs_for_as_long_as_both_ask(folder: Path) -> None:
    longer = SWEEP.replace("'small'", "'longer'") + '[protocol.sample]\nmaximum_steps = 3000000\n'
    (folder / 'sweep.toml').write_text(longer)
    assert '1 job.' in run_here(folder, 'init', 'sweep.toml').stdout
    limits = [json.loads(path.read_text()) for path in folder.glob('workspace/*/limits.json')]
    assert sorted(each['sample']['maximum_steps'] for each in limits) == [2000000] * 4 + [3000000]
    assert 'changed' not in run_here(folder, 'init', 'sweep.toml').stdout


def test_an_edited_model_file_is_told_with_its_jobs(folder: Path) -> None:
    model = (SHIPPED_MODELS / 'isp.toml').read_text()
    (folder / 'own.toml').write_text(model)
    (folder / 'sweep.toml').write_text(SWEEP.replace("'isp'", "'own.toml'"))
    assert run_here(folder, 'init', 'sweep.toml').returncode == 0
    (folder / 'own.toml').write_text(model.replace('density = 0.85', 'density = 0.8', 1))
    said = run_here(folder, 'init', 'sweep.toml').stdout
    assert '0 jobs kept, 1 new, 1 no longer part of it: the content of the model changed' in said
    (folder / 'own.toml').write_text(model)
    said = run_here(folder, 'init', 'sweep.toml').stdout
    assert '0 jobs kept, 1 new, of which 1 is there already, 1 no longer part of it' in said
