"""Where numbers come from: job, model, code and libraries, as plain values for every record.

A run of a stage is recorded in the job document from its beginning on: one that is killed cannot
write how it ended. An analysis is recorded within its own result, and is copied with it. Readers
of results ignore this block.
"""

from __future__ import annotations

import functools
import os
import platform
import subprocess
import tomllib
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

KEY = 'provenance'
RUNS = 'runs'
RUNNING = 'running'
# Kills by a walltime or a bad node come one at a time; a crash comes at the same place again.
_MOST_WITHOUT_A_WORD = 5

Record = MutableMapping[str, Any]

_ROOT = Path(__file__).parents[2]
# What decides a number; a changed page or test does not.
_CODE = ('analysis', 'models', 'workflow', 'project.py', 'user_input.py')
_LIBRARIES = ('freud-analysis', 'gsd', 'h5py', 'numpy', 'scipy', 'signac', 'signac-flow')
_SECONDS_FOR_GIT = 10
# What a result keeps of each run; the job document has all.
_OF_A_RUN = (
    *('stage', 'engine', 'version', 'device', 'device_name', 'host', 'code', 'packages'),
    *('seed', 'seeds', 'started', 'outcome'),
)


def of_run(job: str, model_hash: str, stage: str, seed: int) -> dict[str, Any]:
    """Describe a run of `stage` before it begins; the engine adds what it is."""
    return {'stage': stage, 'host': platform.node(), **_common(job, model_hash), 'seed': seed}


def of_analysis(
    job: str,
    model_hash: str,
    operation: str,
    state_point: Mapping[str, Any],
    runs: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Make the block for a result: the same whenever the same code makes it again."""
    return {
        'operation': operation,
        **_common(job, model_hash),
        'state_point': dict(state_point),
        'runs': [{name: run[name] for name in _OF_A_RUN if name in run} for run in runs],
    }


@functools.cache
def code_version(*more: str) -> Mapping[str, Any]:
    """Read the version of this package; in a checkout also `commit`, and whether it is `modified`.

    Read once in a process: the modules that it runs were loaded then.
    """
    # Not of what is installed: beside a checkout that may be another version.
    stated = tomllib.loads((_ROOT / 'pyproject.toml').read_text(encoding='utf-8'))
    found: dict[str, Any] = {'version': stated['project']['version']}
    if (_ROOT / '.git').exists():
        commit = _git('rev-parse', 'HEAD')
        changes = _git('status', '--porcelain', '--', *_CODE, *more)
        if commit and changes is not None:
            found |= {'commit': commit, 'modified': bool(changes)}
    return found


@functools.cache
def library_versions() -> Mapping[str, str]:
    """Read the version of each installed library that has a part in the numbers."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def code_text(code: Any) -> str:
    """Write a code version in a few words: '0.1.0, commit 0123456789ab, modified'."""
    if not code:
        return 'not recorded'
    parts = [code.get('version', 'unknown')]
    if 'commit' in code:
        parts.append(f'commit {code["commit"][:12]}')
    if code.get('modified'):
        parts.append('modified')
    return ', '.join(parts)


def analysis_table(results: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Count the results of each operation, code and set of libraries."""
    counts: dict[tuple[str, str, str, str], int] = {}
    for result in results:
        made = result.get(KEY) or {}
        line = (
            made.get('operation', 'not recorded'),
            code_text(made.get('code')),
            made.get('python', 'not recorded'),
            ', '.join(f'{name} {each}' for name, each in made.get('packages', {}).items()),
        )
        counts[line] = counts.get(line, 0) + 1
    names = ('operation', 'code', 'python', 'packages')
    return [
        dict(zip(names, line, strict=True)) | {'results': str(count)}
        for line, count in sorted(counts.items())
    ]


def of_sweep(jobs: Sequence[tuple[str, Mapping[str, Any], Mapping[str, Any]]]) -> dict[str, Any]:
    """Collect all that is recorded of a sweep, for the folder of its results."""
    return {
        'aggregated_by': {'code': dict(code_version()), 'packages': dict(library_versions())},
        'jobs': {
            job: {'state_point': point, 'build': record.get('build'), 'runs': record.get(RUNS, [])}
            for job, point, record in jobs
        },
    }


def _common(job: str, model_hash: str) -> dict[str, Any]:
    return {
        'job': job,
        'model_hash': model_hash,
        'code': dict(code_version()),
        'python': platform.python_version(),
        'packages': dict(library_versions()),
    }


def _git(*words: str) -> str | None:
    """Ask git about the checkout of this code; None if it cannot be asked."""
    # Another repository may be named there, as within a hook.
    environment = {k: v for k, v in os.environ.items() if not k.startswith('GIT_')}
    try:
        return subprocess.run(
            ['git', '-C', str(_ROOT), *words],
            env=environment | {'GIT_OPTIONAL_LOCKS': '0'},
            check=True,
            capture_output=True,
            text=True,
            timeout=_SECONDS_FOR_GIT,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def begin_run(document: Record, values: Mapping[str, Any], folder: Path) -> Record:
    """Add a run to a job document, whose changes are written as they are made; return its part."""
    document.setdefault(RUNS, [])
    began = {'outcome': RUNNING, 'progress_before': _saved_at(folder), 'seeds': []}
    document[RUNS].append({**values, **began})
    record: Record = document[RUNS][-1]
    return record


def crashes(document: Mapping[str, Any], stage: str, folder: Path) -> str:
    """Report that the last runs of a stage all ended without a word at one place; else ''.

    Python cannot catch a segmentation fault or the end of the memory: such a job would be run
    again without end.
    """
    here, fruitless = _saved_at(folder), 0
    for run in reversed([run for run in document.get(RUNS, []) if run.get('stage') == stage]):
        if run.get('outcome') != RUNNING or run.get('progress_before') != here:
            break
        fruitless += 1
    if fruitless < _MOST_WITHOUT_A_WORD:
        return ''
    return (
        f'{fruitless} runs in a row were killed or crashed, without a word and without a new '
        'checkpoint. Look for the end of the memory, of the walltime, or a crash of the engine in '
        'what these runs printed.'
    )


def _saved_at(folder: Path) -> int:
    """Return the time of a stage's checkpoint in ns, or 0: it changes with each one."""
    saved = folder / 'checkpoint'
    return saved.stat().st_mtime_ns if saved.exists() else 0
