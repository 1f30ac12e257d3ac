"""How long the commands over a workspace take, beside a bare signac-flow project."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from analysis.observables import OBSERVABLES
from benchmarks.bare_project import OPERATIONS_FILE
from benchmarks.base import Benchmark, Figure, Setting
from benchmarks.timing import Stopwatch, spread
from user_input import UserError
from workflow.jobs import files as job_files
from workflow.jobs.sweep_state import GIVEN, NAMED
from workflow.stages.table import STAGES

ROOT = Path(__file__).parent.parent
_REPETITIONS = 3
_REPLICAS = 50
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
    """Seconds of init, status, submit --pretend, and run with nothing to do."""

    name = 'workspace_commands'
    question = 'How long do commands over many jobs take, beside a bare signac-flow project?'
    sizes = (1_000,)

    def measure(self, size: int, setting: Setting) -> Iterator[Figure]:
        """Measure a workspace of `size` jobs."""
        ours, bare = setting.scratch / 'project', setting.scratch / 'bare'
        ours.mkdir()
        bare.mkdir()
        (bare / OPERATIONS_FILE).write_text(json.dumps(_OPERATIONS))
        (ours / 'sweep.toml').write_text(_sweep(size // _REPLICAS))
        (ours / 'cluster.toml').write_text(_CLUSTER)
        project = [sys.executable, str(ROOT / 'project.py')]
        other = [sys.executable, '-m', 'benchmarks.bare_project']
        points = setting.scratch / 'points.json'

        seconds = _seconds(ours, [*project, 'init', 'sweep.toml'])
        folders = sorted((ours / 'workspace').iterdir())
        points.write_text(json.dumps([_state_point(folder) for folder in folders]))
        case = f'{len(folders)} jobs'
        yield from _figures(case, 'init', [seconds], [_seconds(bare, [*other, 'init', points])])
        yield from _compare(
            case, 'status', (ours, [*project, 'status']), (bare, [*other, 'status'])
        )
        pretend = ['submit', '--pretend', '-o', 'job']
        yield from _compare(
            case, 'submit --pretend', (ours, project + pretend), (bare, other + pretend)
        )
        for folder in folders:
            for name in _PRODUCTS:
                (folder / name).touch()
        for folder in (bare / 'workspace').iterdir():
            for name in _OPERATIONS:
                (folder / f'{name}.done').touch()
        _record_definitions(ours / 'signac_project_document.json')
        # These would have something to do: results that are empty.
        run = [*project, 'run', '-o', '^(?!(definitions|report)$).*']
        yield from _compare(case, 'run, nothing to do', (ours, run), (bare, [*other, 'run']))


def _record_definitions(path: Path) -> None:
    """Record that the sweep has its definitions, as the empty files of its jobs say."""
    document = json.loads(path.read_text())
    for content in document['sweeps'].values():
        content[GIVEN] = {'pooled': {}, 'named': content[NAMED]}
    path.write_text(json.dumps(document))


def _sweep(compositions: int) -> str:
    fractions = (round((n + 1) / (compositions + 1), 2) for n in range(compositions))
    listed = ', '.join(f'{{ LSP = {x:g}, DOPA = {round(1 - x, 2):g} }}' for x in fractions)
    return f"""
name = 'many'
model = 'isp'
replicas = {_REPLICAS}
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


def _compare(
    case: str,
    command: str,
    ours: tuple[Path, Sequence[str | Path]],
    bare: tuple[Path, Sequence[str | Path]],
) -> Iterator[Figure]:
    """In turns, so that a machine that slows down slows both."""
    timings: tuple[list[float], list[float]] = ([], [])
    for _ in range(_REPETITIONS):
        for (folder, arguments), seconds in zip((ours, bare), timings, strict=True):
            seconds.append(_seconds(folder, arguments))
    yield from _figures(case, command, *timings)


def _figures(case: str, command: str, ours: list[float], bare: list[float]) -> Iterator[Figure]:
    for name, seconds in (('this project', ours), ('bare signac-flow', bare)):
        several = spread(seconds)
        quantity = f'{command}: seconds, {name}'
        yield Figure(case, quantity, several.median, several.low, several.high)
    ratio = spread([one / other for one, other in zip(ours, bare, strict=True)])
    yield Figure(case, f'{command}: ratio', ratio.median, ratio.low, ratio.high)


def _seconds(folder: Path, command: Sequence[str | Path]) -> float:
    environment = {'ISP_CLUSTER': 'cluster.toml'} if 'submit' in command else {}
    stopwatch = Stopwatch()
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {'PYTHONPATH': _path()} | environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise UserError(f'{" ".join(map(str, command))} failed: {done.stderr[-500:]}')
    return stopwatch.read().wall


def _path() -> str:
    return os.pathsep.join(filter(None, (str(ROOT), os.environ.get('PYTHONPATH', ''))))
