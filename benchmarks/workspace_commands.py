"""How long the commands over a workspace take, beside a bare signac-flow project."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from analysis.estimators.estimate import Estimate
from analysis.io.open_trajectory import open_trajectory
from analysis.io.thermo_log import read_thermo_log
from analysis.observable import analyse
from analysis.observables import OBSERVABLES
from analysis.sampling.definitions import Definition, Definitions
from analysis.sampling.run import Run
from analysis.serialise import to_json
from benchmarks.bare_project import OPERATIONS_FILE
from benchmarks.base import Benchmark, Figure, Setting
from benchmarks.synthetic_trajectory import write_thermo_log, write_trajectory
from benchmarks.timing import ratios, spread
from user_input import UserError
from workflow.jobs import files as job_files
from workflow.jobs.definitions import JobDefinitions, write_definitions
from workflow.jobs.sweep_state import GIVEN, NAMED
from workflow.stages.table import STAGES

ROOT = Path(__file__).parent.parent
_REPETITIONS = 3
_STATES = 20
# Of the run whose results all jobs have.
_BEADS_AND_FRAMES = (1_000, 60)
_ROWS = 2_000
_STAGE_PRODUCTS = tuple(name for stage in STAGES for name in stage.products)
_ANALYSED = (job_files.PRODUCTION, job_files.STRUCTURE, job_files.DEFINITIONS)
_PRODUCTS = (*_STAGE_PRODUCTS, *_ANALYSED, *job_files.RESULTS)
_OPERATIONS = (
    *(stage.name for stage in STAGES),
    'production',
    *(observable.name for observable in OBSERVABLES),
    'report',
)

_CLUSTER = """
hostname = 'nowhere'

[partitions.standard]
cores = 64
memory = 250
max_hours = 72

[speed]
cpu_core = 1.0e5
"""


class WorkspaceCommands(Benchmark):
    """Processor time of init, status, submit --pretend, run with nothing to do, and report."""

    name = 'workspace_commands'
    question = 'How long do commands over many jobs take, beside a bare signac-flow project?'
    sizes = (1_000, 10_000)

    def measure(self, size: int, setting: Setting) -> Iterator[Figure]:
        """Measure workspaces of `size` jobs."""
        project = [sys.executable, str(ROOT / 'project.py')]
        other = [sys.executable, '-m', 'benchmarks.bare_project']

        made: tuple[list[float], list[float]] = ([], [])
        for each in range(1 + _REPETITIONS):  # the first compiles Python's files, if nobody has
            # Each in a folder of its own: where thousands were just removed, the next ones take
            # longer to make.
            folder = setting.scratch / f'{size}_{each}'
            ours, bare = folder / 'project', folder / 'bare'
            ours.mkdir(parents=True)
            bare.mkdir()
            (bare / OPERATIONS_FILE).write_text(json.dumps(_OPERATIONS))
            (ours / 'sweep.toml').write_text(_sweep(size if each else _STATES))
            (ours / 'cluster.toml').write_text(_CLUSTER)
            made[0].append(_seconds(ours, [*project, 'init', 'sweep.toml', '--yes']))
            jobs = sorted((ours / 'workspace').iterdir())
            (bare / 'points.json').write_text(json.dumps(list(map(_state_point, jobs))))
            made[1].append(_seconds(bare, [*other, 'init', 'points.json']))
        yield from _figures(len(jobs), 'init', made[0][1:], made[1][1:])

        def compare(command: str, *arguments: str, of_bare: Sequence[str]) -> Iterator[Figure]:
            """In turns, so that a machine that slows down slows both."""
            seconds: tuple[list[float], list[float]] = ([], [])
            for _ in range(_REPETITIONS):
                seconds[0].append(_seconds(ours, [*project, *arguments]))
                seconds[1].append(_seconds(bare, [*other, *of_bare]))
            yield from _figures(len(jobs), command, *seconds)

        pretend = ('submit', '--pretend', '-o', 'job')
        yield from compare('status', 'status', of_bare=['status'])
        yield from compare('submit --pretend', *pretend, of_bare=pretend)
        _finish(ours, jobs, folder / 'done')
        for job in (bare / 'workspace').iterdir():
            for name in _OPERATIONS:
                (job / f'{name}.done').touch()
        report = _seconds(ours, [*project, 'report', 'sweep.toml'])  # once: most of it is figures
        yield _per_job(len(jobs), 'report', 'this project', [report])
        yield from compare('run, nothing to do', 'run', of_bare=['run'])
        yield from compare('status, all done', 'status', of_bare=['status'])
        for each in range(1 + _REPETITIONS):
            shutil.rmtree(setting.scratch / f'{size}_{each}')


def _finish(folder: Path, jobs: Sequence[Path], done: Path) -> None:
    """Give all jobs the same results, those of a small run; other files are empty."""
    done.mkdir()
    trajectory, log = done / 'run.gsd', done / 'run.h5'
    write_thermo_log(log, _ROWS, write_trajectory(trajectory, *_BEADS_AND_FRAMES))
    run = Run(open_trajectory(trajectory), read_thermo_log(log).columns, kT=1.0)
    for name in _PRODUCTS:
        (done / name).touch()
    for name, found in analyse(run, OBSERVABLES).items():
        result = None if found.result is None else json.loads(to_json(found.result))
        content = {'refusal': found.refusal, 'result': result}
        (done / job_files.result_file(name)).write_text(json.dumps(content))
    write_definitions(done, JobDefinitions('many', Definitions({}, Definition(Estimate(), 'none'))))
    for job in jobs:
        for name in _PRODUCTS:
            os.link(done / name, job / name)
    _record_definitions(folder / 'signac_project_document.json')


def _record_definitions(path: Path) -> None:
    """Record that the sweep has its definitions, as the empty files of its jobs say."""
    document = json.loads(path.read_text())
    for content in document['sweeps'].values():
        content[GIVEN] = {'pooled': {}, 'named': content[NAMED]}
    path.write_text(json.dumps(document))


def _sweep(jobs: int) -> str:
    fractions = (round((n + 1) / (_STATES + 1), 2) for n in range(_STATES))
    listed = ', '.join(f'{{ LSP = {x:g}, DOPA = {round(1 - x, 2):g} }}' for x in fractions)
    return f"""
name = 'many'
model = 'isp'
replicas = {jobs // _STATES}
compositions = [{listed}]

[grid]
chains = 20
degree_of_polymerisation = 10
density = 0.85

[protocol.sample]
minimum_steps = 12800
maximum_steps = 20480
doublings = 7
"""


def _state_point(folder: Path) -> object:
    return json.loads((folder / 'signac_statepoint.json').read_text())


def _figures(jobs: int, command: str, ours: list[float], bare: list[float]) -> Iterator[Figure]:
    yield _per_job(jobs, command, 'this project', ours)
    yield _per_job(jobs, command, 'bare signac-flow', bare)
    ratio = ratios(ours, bare)
    most = 1.2 if jobs >= 10_000 else 1.5
    yield Figure(
        f'{jobs} jobs', f'{command}: ratio', ratio.median, ratio.low, ratio.high, at_most=most
    )


def _per_job(jobs: int, command: str, whose: str, seconds: list[float]) -> Figure:
    """Give the time of each job: the same at all sizes, where a command grows linearly."""
    several = spread([1e3 * each / jobs for each in seconds])
    quantity = f'{command}: ms per job, {whose}'
    return Figure(f'{jobs} jobs', quantity, several.median, several.low, several.high)


def _seconds(folder: Path, command: Sequence[str]) -> float:
    """Run a command, and measure its time on processors, as others use this machine too."""
    environment = {'ISP_CLUSTER': 'cluster.toml'} if 'submit' in command else {}
    # As for a user, for whom Python keeps what it has compiled.
    usual = {key: value for key, value in os.environ.items() if key != 'PYTHONDONTWRITEBYTECODE'}
    before = _processor_time_of_children()
    done = subprocess.run(
        command,
        cwd=folder,
        env=usual | {'PYTHONPATH': _path()} | environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise UserError(f'{" ".join(command)} failed: {done.stderr[-500:]}')
    return _processor_time_of_children() - before


def _processor_time_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _path() -> str:
    return os.pathsep.join(filter(None, (str(ROOT), os.environ.get('PYTHONPATH', ''))))
