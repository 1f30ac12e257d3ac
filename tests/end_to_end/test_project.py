"""The project as its user runs it: a small sweep from the command line to the report."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import gsd.hoomd
import pytest

from tests.conftest import ROOT, run_here
from tests.systems import small_sweep
from workflow.jobs.files import results_of
from workflow.jobs.lock import hold, is_held
from workflow.jobs.provenance import code_text, code_version
from workflow.process import EXIT_INTERRUPTED
from workflow.stages.thermo_writer import read_hdf5
from workflow.sweep.frame_schedule import BlockSchedule
from workflow.sweep.state_point import derive_seed

pytestmark = pytest.mark.slow

SWEEP = small_sweep('{ DOPA = 1 }, { LSP = 0.5, DOPA = 0.5 }', replicas=2)
SCHEDULE = BlockSchedule(10, 4)
SIMULATE = ('simulate', 'sweep.toml', '--engine', 'lammps', '--parallel', '2')
COLUMNS = 'sweep,lsp_fraction,kT,quantity,unit,mean,ci95_low,ci95_high,n_replicas,converged'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / 'sweep.toml').write_text(SWEEP)
    return tmp_path


def assert_every_frame_and_row_once(
    job: Path, last: int = 2560, schedule: BlockSchedule = SCHEDULE
) -> None:
    with gsd.hoomd.open(job / 'trajectory.gsd') as trajectory:
        steps = [int(frame.configuration.step) for frame in trajectory]
        assert trajectory[-1].particles.image.any()
    assert steps == [step for step in range(last + 1) if schedule.is_due(step)]
    assert read_hdf5(job / 'thermo.h5')['step'].tolist() == list(
        range(schedule.shortest, last + 1, schedule.shortest)
    )


def assert_everything_says_where_it_comes_from(folder: Path, jobs: list[Path]) -> None:
    collected = json.loads((folder / 'results/small/provenance.json').read_text())['jobs']
    assert sorted(collected) == [job.name for job in jobs]
    for job in jobs:
        point = json.loads((job / 'signac_statepoint.json').read_text())
        document = json.loads((job / 'signac_job_document.json').read_text())
        records = [document['build'], *document['runs']]
        records += [
            json.loads((job / name).read_text())['provenance'] for name in results_of('sample')
        ]
        for record in records:
            assert record['job'] == job.name
            assert record['model_hash'] == point['model_hash']
            assert record['code'] == code_version()
            assert record['packages']['numpy'] == version('numpy')
        done = [run['stage'] for run in document['runs'] if run['outcome'] == 'done']
        assert done == ['relax', 'equilibrate', 'sample']
        for run in document['runs']:
            assert (run['engine'], run['device']) == ('lammps', 'cpu')
            assert run['version'] == version('lammps')
            for purpose, step, seed in run['seeds']:
                assert seed == derive_seed(point, purpose, step)
        assert collected[job.name]['runs'] == document['runs']
        assert collected[job.name]['state_point'] == point
    html = (folder / 'results/small/report.html').read_text()
    assert html.count(code_text(code_version())) >= 3
    assert f'numpy {version("numpy")}' in html


def test_a_report_makes_no_jobs(folder: Path) -> None:
    done = run_here(folder, 'report', 'sweep.toml')
    assert done.returncode == 2
    assert 'there are no jobs of sweep' in done.stderr
    assert not (folder / 'workspace').exists()


def test_a_stage_that_another_process_has_done_is_not_done_again(folder: Path) -> None:
    one_job = SWEEP.replace('replicas = 2', 'replicas = 1').replace('{ DOPA = 1 },', '')
    (folder / 'sweep.toml').write_text(one_job)
    assert run_here(folder, 'init', 'sweep.toml').returncode == 0
    assert run_here(folder, 'run', '-o', 'simulation').returncode == 0
    (job,) = folder.glob('workspace/*')
    before = {path: path.read_bytes() for path in job.glob('*.*')}
    # exec asks nothing, as a runner that listed what is due before the other began
    done = run_here(folder, 'exec', 'sample', job.name)
    assert 'sample was done by another process' in done.stderr
    assert {path: path.read_bytes() for path in job.glob('*.*')} == before


@pytest.mark.usefixtures('quick_figures')
def test_a_sweep_survives_an_interruption_and_ends_in_a_report(folder: Path) -> None:
    (folder / 'sweep.toml').write_text(SWEEP.replace('replicas = 2', 'replicas = 1'))
    process = subprocess.Popen(
        [sys.executable, str(ROOT / 'project.py'), *SIMULATE],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list(folder.glob('workspace/*/sample.in_progress/thermo.rows')):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGHUP)  # its terminal is lost
    assert 'The same command resumes it' in process.communicate(timeout=60)[0]
    assert process.returncode == EXIT_INTERRUPTED
    jobs = sorted(folder.glob('workspace/*'))
    assert len(jobs) == 2
    assert not any(map(is_held, jobs))

    done = run_here(folder, *SIMULATE)
    assert (done.returncode, 'wait for' in done.said) == (0, False), done.said
    for job in jobs:
        assert_every_frame_and_row_once(job)
        assert not list(job.glob('*.in_progress'))
    assert_coulomb_error_is_as_requested(jobs)

    assert_everything_says_where_it_comes_from(folder, jobs)

    with open(folder / 'results/small/summary.csv') as file:
        rows = list(csv.DictReader(file))
    assert ','.join(rows[0]) == COLUMNS
    temperatures = [row for row in rows if row['quantity'] == 'temperature']
    assert [row['n_replicas'] for row in temperatures] == ['1', '1']
    assert all(0.8 < float(row['mean']) < 1.2 for row in temperatures)
    assert (folder / 'results/small/report.html').stat().st_size > 10_000

    written = (folder / 'results/small/report.html').stat().st_mtime_ns
    started = time.monotonic()
    assert '2 of 2 jobs done already' in run_here(folder, 'simulate', 'sweep.toml').said
    assert time.monotonic() - started < 10
    assert (folder / 'results/small/report.html').stat().st_mtime_ns == written


def assert_coulomb_error_is_as_requested(jobs: list[Path]) -> None:
    """Each charged job says what its first frames had, for both stages that draw results."""
    documents = [json.loads((job / 'signac_job_document.json').read_text()) for job in jobs]
    found = [run for document in documents for run in document['runs'] if 'coulomb' in run]
    assert sorted(run['stage'] for run in found) == ['equilibrate', 'sample']
    assert all(0.3 < run['coulomb']['achieved_error'] / 1e-2 < 1.0 for run in found)
    charged = {run['job'] for run in found}
    for run in (run for document in documents for run in document['runs']):
        # A run that was stopped in the push-off had none yet.
        has_meshes, is_charged = 'meshes' in run, run['job'] in charged
        assert has_meshes == is_charged or (is_charged and run['stage'] == 'relax')
        purposes = {choice['for'] for choice in run.get('meshes', [])}
        assert run['stage'] == 'relax' or purposes <= {run['stage']}


def test_replicas_differ_in_sequence_and_positions(folder: Path) -> None:
    for command in (['init', 'sweep.toml'], ['run', '-o', '^build$']):
        assert run_here(folder, *command).returncode == 0
    by_composition: dict[str, list[gsd.hoomd.Frame]] = {}
    for job in folder.glob('workspace/*'):
        point = json.loads((job / 'signac_statepoint.json').read_text())
        with gsd.hoomd.open(job / 'init.gsd') as trajectory:
            by_composition.setdefault(str(point['composition']), []).append(trajectory[0])
    first, second = by_composition["{'DOPA': 0.5, 'LSP': 0.5}"]
    assert first.particles.typeid.tolist() != second.particles.typeid.tolist()
    assert sorted(first.particles.typeid) == sorted(second.particles.typeid)
    first, second = by_composition["{'DOPA': 1.0}"]
    assert abs(first.particles.position - second.particles.position).max() > 0.1


def test_two_mpi_ranks_relax_a_melt_that_one_goes_on_with(folder: Path) -> None:
    pytest.importorskip('mpi4py', reason='needs mpi4py')
    (folder / 'sweep.toml').write_text(small_sweep('{ LSP = 0.5, DOPA = 0.5 }'))
    for words in (['init', 'sweep.toml'], ['run', '-o', 'build']):
        assert run_here(folder, *words).returncode == 0
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ['PATH']))
    done = subprocess.run(
        [sys.executable, str(ROOT / 'project.py'), 'run', '-o', 'relax'],
        cwd=folder,
        env=os.environ | {'ISP_ENGINE': 'lammps', 'ISP_RANKS': '2', 'PATH': path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert run_here(folder, 'run', '-o', 'equilibrate').returncode == 0
    (job,) = folder.glob('workspace/*')
    runs = json.loads((job / 'signac_job_document.json').read_text())['runs']
    assert [(run.get('ranks'), run['outcome']) for run in runs] == [(2, 'done'), (None, 'done')]


def test_a_job_is_run_by_one_process_at_a_time(folder: Path) -> None:
    with hold(folder):
        other = 'import sys, pathlib, workflow.jobs.lock as lock\n'
        other += 'lock.hold(pathlib.Path(sys.argv[1])).__enter__()'
        done = subprocess.run(
            [sys.executable, '-c', other, str(folder)], cwd=ROOT, capture_output=True, text=True
        )
        assert f'is being run by process {os.getpid()}' in done.stderr
    with hold(folder):
        pass  # it is free again
