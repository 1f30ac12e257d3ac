"""The dense stage: close frames from where sampling ended, each once, and what reads them."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gsd.hoomd
import numpy as np
import pytest
import signac

from analysis.estimators.estimate import Estimate
from analysis.observable import Accumulator, Observable, Quantity
from analysis.observables import OBSERVABLES
from analysis.sampling.run import Run
from tests.conftest import needs_hoomd, run_here
from user_input import UserError
from workflow.jobs import files as job_files
from workflow.jobs import products
from workflow.process import Interrupted, StopRequest
from workflow.results import analyse, job_results
from workflow.stages import operations, table
from workflow.stages.job_context import JobContext, job_context
from workflow.stages.operations import run_stage
from workflow.stages.review import check_precision_names
from workflow.stages.table import analyses_of, is_done, stage_named, stage_product
from workflow.stages.thermo_writer import read_hdf5

pytestmark = pytest.mark.slow

STEPS, INTERVAL = 1280, 20
SWEEP = f"""
name = 'small'
model = 'isp'
replicas = 1
compositions = [{{ LSP = 0.5, DOPA = 0.5 }}]

[grid]
chains = 8
degree_of_polymerisation = 10
density = 0.85

[protocol]
coulomb_error = 1e-2
push_off = {{ steps = 100 }}
anneal = {{ kT = 1.5, steps = 100, cooling_steps = 100 }}
equilibrate = {{ minimum_steps = 400, maximum_steps = 400 }}
sample = {{ minimum_steps = 2560, maximum_steps = 2560, doublings = 4 }}
dense_sample = {{ interval = {INTERVAL}, steps = {STEPS} }}
"""
DENSE = stage_named('dense_sample')


@pytest.fixture(
    scope='module',
    params=['lammps', pytest.param('hoomd', marks=[pytest.mark.hoomd, needs_hoomd])],
)
def simulated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose only job is simulated, and not analysed."""
    folder = tmp_path_factory.mktemp('project')
    (folder / 'sweep.toml').write_text(SWEEP)
    environment = os.environ | {'ISP_ENGINE': request.param, 'ISP_DEVICE': 'cpu'}
    assert run_here(folder, 'init', 'sweep.toml', environment=environment).returncode == 0
    done = run_here(folder, 'run', '-o', 'simulation', environment=environment)
    assert done.returncode == 0, done.said
    (folder / 'engine').write_text(request.param)
    return folder


@pytest.fixture
def job(simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    folder = Path(shutil.copytree(simulated, tmp_path / 'copy'))
    monkeypatch.setenv('ISP_ENGINE', (folder / 'engine').read_text())
    monkeypatch.setenv('ISP_DEVICE', 'cpu')
    (found,) = signac.get_project(folder)
    return found


def frames_of(path: Path | str) -> list[Any]:
    with gsd.hoomd.open(path) as trajectory:
        return list(trajectory)


def undo(job: Any) -> bytes:
    """Take the products of the stage away; return its trajectory."""
    content = Path(job.fn(job_files.DENSE_TRAJECTORY)).read_bytes()
    for name in DENSE.products:
        os.unlink(job.fn(name))
    return content


class StopAfter(StopRequest):
    """Asks to stop at the n-th question."""

    left = 0

    @property
    def reason(self) -> str | None:
        self.left -= 1
        return 'test' if self.left < 0 else None


def test_it_goes_on_from_the_last_frame_with_even_frames(job: Any) -> None:
    sampled, dense = (frames_of(job.fn(name)) for name in ('trajectory.gsd', DENSE.last_product))
    assert [f.configuration.step for f in dense] == list(range(0, STEPS + 1, INTERVAL))
    np.testing.assert_allclose(
        dense[0].particles.position, sampled[-1].particles.position, atol=1e-5
    )
    np.testing.assert_array_equal(dense[0].particles.image, sampled[-1].particles.image)
    np.testing.assert_array_equal(dense[-1].bonds.group, sampled[0].bonds.group)
    assert dense[0].log['time_step'] == 0.005
    rows = read_hdf5(Path(job.fn(job_files.DENSE_THERMO)))
    assert rows['step'].tolist() == list(range(10, STEPS + 1, 10))
    # Velocities are those of kT from the beginning: 3 N - 3 degrees of freedom.
    kT = rows['kinetic_energy'] * 2 / (3 * dense[0].particles.N - 3)
    assert kT[:20].mean() == pytest.approx(1.0, abs=0.2)
    assert np.ptp(rows['volume']) == 0
    for name in DENSE.products:
        products.whole(Path(job.path), stage_product(name))
    assert not list(Path(job.path).glob('*.in_progress'))


def test_the_same_trajectory_comes_of_the_same_beginning(job: Any, trial: Observable[Any]) -> None:
    content = undo(job)
    stale, of_sample = (Path(job.fn(f'{name}.json')) for name in (trial.name, 'thermodynamics'))
    for path in (stale, of_sample):
        path.write_text('of what was there before')
    run_stage(DENSE, job_context(job))
    assert Path(job.fn(job_files.DENSE_TRAJECTORY)).read_bytes() == content
    assert (stale.exists(), of_sample.exists()) == (False, True)


def test_a_stopped_run_goes_on_with_every_frame_and_row_once(
    job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = frames_of(job.fn(job_files.DENSE_TRAJECTORY))
    undo(job)
    stop = StopAfter()
    with monkeypatch.context() as patch:
        patch.setattr(operations, 'stop_requests', lambda: nullcontext(stop))
        for stop.left in (12, 9):
            with pytest.raises(Interrupted, match='dense_sample stopped'):
                run_stage(DENSE, job_context(job))
    run_stage(DENSE, job_context(job))
    after = frames_of(job.fn(job_files.DENSE_TRAJECTORY))
    assert [f.configuration.step for f in after] == list(range(0, STEPS + 1, INTERVAL))
    rows = read_hdf5(Path(job.fn(job_files.DENSE_THERMO)))['step']
    assert rows.tolist() == list(range(10, STEPS + 1, 10))
    # Up to the first stop it is the run that was not stopped, to the last bit.
    seams = [s for run in job.document['runs'] if run['stage'] == DENSE.name for s in run['seeds']]
    first = min(step for _, step, _ in seams if step > 0)
    kept = [k for k, f in enumerate(after) if f.configuration.step <= first]
    assert len(kept) > 3
    for k in kept:
        np.testing.assert_array_equal(after[k].particles.position, before[k].particles.position)


def test_it_stays_when_sampling_goes_on(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(job.project.path)
    before = Path(job.fn(job_files.DENSE_TRAJECTORY)).read_bytes()
    longer = SWEEP.replace('maximum_steps = 2560', 'maximum_steps = 3840')
    (folder / 'sweep.toml').write_text(longer)
    environment = dict(os.environ)
    said = run_here(folder, 'init', 'sweep.toml', environment=environment).said
    assert '1 job done before: going on' in said
    assert run_here(folder, 'run', '-o', 'simulation', environment=environment).returncode == 0
    assert frames_of(job.fn('trajectory.gsd'))[-1].configuration.step == 3840
    assert Path(job.fn(job_files.DENSE_TRAJECTORY)).read_bytes() == before
    stages = [run['stage'] for run in job.document()['runs']]
    assert (stages.count('sample'), stages.count('dense_sample')) == (2, 1)


@dataclass(frozen=True)
class _Seen:
    """What a trial observable saw."""

    frames: int
    spacing: float
    verdict: str


@dataclass(frozen=True)
class _OfFrames(Observable[_Seen]):
    """Counts frames, and the time between two."""

    name = 'trial'
    title = 'Frames'
    definition = 'Number of frames.'
    result = _Seen
    source = 'dense_sample'
    names = ('frames',)

    def begin(self, run: Run) -> Accumulator[_Seen]:
        return _Count(run)

    def quantities(self, result: _Seen) -> list[Quantity]:
        return [Quantity('frames', '1', Estimate(float(result.frames)))]


class _Count(Accumulator[_Seen]):
    def __init__(self, run: Run) -> None:
        self._run, self.frames = run, run.even_frames

    def conclude(self) -> _Seen:
        steps = self._run.frames.steps[self.frames]
        spacing = float(np.diff(steps).mean()) * float(self._run.time_step or 0)
        return _Seen(len(steps), spacing, self._run.production.verdict)


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> Observable[Any]:
    made = _OfFrames()
    for module in (analyse, job_results, job_files, table):
        monkeypatch.setattr(module, 'OBSERVABLES', (*OBSERVABLES, made))
    monkeypatch.setattr(job_files, '_ALL', frozenset(o.name for o in (*OBSERVABLES, made)))
    monkeypatch.setattr(job_results, '_BY_NAME', {o.name: o for o in (*OBSERVABLES, made)})
    return made


def without_dense_sample(context: JobContext) -> JobContext:
    protocol = context.point.protocol.model_copy(update={'dense_sample': None})
    point = context.point.model_copy(update={'protocol': protocol})
    return JobContext(context.folder, point, context.record)


def test_an_observable_of_it_reads_all_of_its_frames(job: Any, trial: Observable[Any]) -> None:
    context = job_context(job)
    analyse.find_production(context)
    analyse.analyse_job(context, {'thermodynamics', trial.name})
    path = products.whole(context.folder, products.result_product(trial.name))
    seen = job_results.read_outcome(path, trial)[0].result
    assert (seen.frames, seen.spacing) == (STEPS // INTERVAL + 1, pytest.approx(0.1))
    assert trial.name in {Path(name).stem for name in analyses_of(job)}
    assert not is_done(job)
    # Without its frames, others are measured all the same, and it alone says what is missing.
    path.unlink()
    os.unlink(job.fn('thermodynamics.json'))
    undo(job)
    analyse.analyse_job(context, {'thermodynamics', trial.name})
    assert (job.isfile('thermodynamics.json'), path.exists()) == (True, False)
    with pytest.raises(UserError, match='dense_thermo.h5: is missing'):
        analyse.analyse_job(context, {trial.name})


def test_on_several_cores_the_results_are_the_same(
    job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, found = job_context(job), []
    analyse.find_production(context)
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: range(3))
    for cores in ('1', '3'):
        monkeypatch.setenv('ISP_THREADS', cores)
        analyse.analyse_job(context, {each.name for each in OBSERVABLES})
        files = [Path(job.fn(name)) for name in sorted(job_files.RESULTS) if job.isfile(name)]
        found.append({path.name: json.loads(path.read_text())['result'] for path in files})
        for path in files:
            path.unlink()
    assert len(found[0]) > 3
    assert found[0] == found[1]


def test_a_job_without_the_stage_misses_no_result_of_it(job: Any) -> None:
    name = next(each.name for each in OBSERVABLES if each.source == DENSE.name)
    for result in (*job_files.RESULTS, job_files.DEFINITIONS):
        Path(job.fn(result)).write_text('{"refusal": "not measured", "result": null}')
    Path(job.fn(job_files.result_file(name))).unlink()
    point = dict(job.cached_statepoint)
    assert job_results.read_job_result(Path(job.path), point) is None
    plain = point | {'protocol': {k: v for k, v in point['protocol'].items() if k != DENSE.name}}
    found = job_results.read_job_result(Path(job.path), plain)
    assert found is not None
    assert name not in found.outcomes
    assert found.quantities(name) == []


def test_no_precision_is_asked_of_what_it_gives(
    trial: Observable[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from workflow.stages import review

    monkeypatch.setattr(review, 'OBSERVABLES', (*OBSERVABLES, trial))
    with pytest.raises(UserError, match="'frames' is measured in dense_sample"):
        check_precision_names({'frames': 0.1}, ['A'], ['a'])
