"""Why a job does not run is told where the user is: simulate, failed and status."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import run_here
from workflow.cli import init

# At pressure 6 the beads do not fill twice the cut-off and the buffer.
SHRINKS = """
name = 'small'
model = 'isp'
replicas = 1
compositions = [{ DOPA = 1 }]

[grid]
chains = 4
degree_of_polymerisation = 18
pressure = 6.0

[protocol]
time_step = 0.005
push_off = { steps = 100 }
anneal = { kT = 1.5, steps = 1000, cooling_steps = 400 }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / 'sweep.toml').write_text(SHRINKS)
    return tmp_path


def test_a_box_that_shrinks_too_far_is_a_failure_of_the_job(folder: Path) -> None:
    done = run_here(folder, 'init', 'sweep.toml')
    assert done.returncode == 0
    assert 'warning: sweep.toml' in done.stderr
    done = run_here(folder, 'simulate', 'sweep.toml')
    assert done.returncode == 1
    for said in (done.stdout, run_here(folder, 'failed').stdout):
        assert 'box too small' in said
        assert 'needs more than 5.98' in said
    assert 'FAILED: relax box too small' in run_here(folder, 'status').stdout


def test_what_a_job_needs_is_told_until_it_has_it(folder: Path) -> None:
    run_here(folder, 'init', 'sweep.toml')
    (model,) = folder.glob('workspace/*/model.json')
    content = model.read_text()
    model.write_text('{}')
    assert run_here(folder, 'run', '-o', 'build').returncode == 2
    needed = 'model.json: the key'
    done = run_here(folder, 'failed')
    assert done.returncode == 1
    assert needed in done.stdout
    assert f'COULD NOT BE RUN: {needed}' in run_here(folder, 'status').stdout

    model.write_text(content)
    assert run_here(folder, 'run', '-o', 'build').returncode == 0
    assert run_here(folder, 'failed').returncode == 0
    assert 'COULD NOT BE RUN' not in run_here(folder, 'status').stdout


@pytest.mark.parametrize(
    ('name', 'said'),
    [('equilibrat', "'equilibrate'?"), ('simulaton', "'simulation'?"), ('[', 'no regular')],
)
def test_a_misspelt_operation_is_refused(folder: Path, name: str, said: str) -> None:
    run_here(folder, 'init', 'sweep.toml')
    for command in ('run', 'submit'):
        done = run_here(folder, command, '-o', name)
        assert done.returncode == 2
        assert f"-o '{name}'" in done.stderr
        assert said in done.stderr


def test_many_jobs_are_made_only_where_somebody_agrees(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(init, 'MOST_UNASKED', 2)
    sweep = (folder / 'sweep.toml').read_text().replace('replicas = 1', 'replicas = 3')
    (folder / 'sweep.toml').write_text(sweep)
    done = run_here(folder, 'init', 'sweep.toml')
    assert done.returncode == 2
    assert 'this makes 3 jobs, about ' in done.stderr
    assert not (folder / 'workspace').exists()
    assert run_here(folder, 'init', 'sweep.toml', '--yes').returncode == 0
    assert len(list(folder.glob('workspace/*'))) == 3
    # There is nothing new to agree to.
    assert run_here(folder, 'init', 'sweep.toml').returncode == 0
