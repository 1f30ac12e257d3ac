"""Command line: `python -m benchmarks [name ...] [--engine lammps|hoomd] [--json]`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.analysis_memory import AnalysisMemory
from benchmarks.analysis_speed import AnalysisSpeed
from benchmarks.base import Benchmark, Figure, Setting
from benchmarks.checkpoint_overhead import CheckpointOverhead
from benchmarks.melt_build import MeltBuild
from benchmarks.one_pass import OnePass
from benchmarks.published_decks import PublishedDecks
from benchmarks.sampling_overhead import ChargeColumns, SamplingOverhead
from benchmarks.settings_scan import SettingsScan
from benchmarks.size_scaling import SizeScaling
from benchmarks.workspace_commands import WorkspaceCommands
from user_input import UserError, exits_on_user_error, nearest_name
from workflow.engines.contract import Engine
from workflow.engines.mpi import select_engine
from workflow.engines.selection import available_engines
from workflow.engines.settings import EngineChoice

BENCHMARKS: dict[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        SamplingOverhead(),
        ChargeColumns(),
        CheckpointOverhead(),
        AnalysisMemory(),
        MeltBuild(),
        AnalysisSpeed(),
        OnePass(),
        SizeScaling(),
        WorkspaceCommands(),
        SettingsScan(),
        PublishedDecks(),
    )
}


@exits_on_user_error
def main(arguments: list[str] | None = None) -> int:
    """Run the benchmarks that are named, or all; 0 whatever they measure."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks', description=_description())
    parser.add_argument('names', nargs='*', metavar='name', help='benchmark; default: all')
    parser.add_argument(
        '--engine', choices=('lammps', 'hoomd'), help='default: each that is installed'
    )
    parser.add_argument('--json', action='store_true', help='print JSON and not a table')
    options = parser.parse_args(arguments)
    for name in options.names:
        if name not in BENCHMARKS:
            raise UserError(f"no benchmark '{name}'. {nearest_name(name, BENCHMARKS)}")
    engines = _engines(options.engine)
    cache = Path(tempfile.gettempdir()) / f'isp-cgmd-benchmarks-{os.getuid()}'
    cache.mkdir(exist_ok=True)
    results = []
    for name in options.names or BENCHMARKS:
        with tempfile.TemporaryDirectory(prefix='isp-cgmd-benchmark-') as scratch:
            setting = Setting(engines, cache, Path(scratch))
            results.append(_run(BENCHMARKS[name], setting, quiet=options.json))
    if options.json:
        machine = {'machine': _machine(), 'engines': [engine.describe() for engine in engines]}
        print(json.dumps(machine | {'benchmarks': results}, indent=2))
    return 0


def _description() -> str:
    questions = ' '.join(f'{b.name}: {b.question}' for b in BENCHMARKS.values())
    return f'Measure speed, memory and overhead. {questions}'


def _engines(name: str | None) -> list[Engine]:
    names = available_engines() if name is None else [name]
    return [select_engine(EngineChoice(engine, 'cpu')) for engine in names]


def _machine() -> dict[str, Any]:
    return {
        'processors': os.cpu_count(),
        'load': os.getloadavg()[0],
        'system': platform.platform(),
        'python': platform.python_version(),
    }


def _run(benchmark: Benchmark, setting: Setting, *, quiet: bool) -> dict[str, Any]:
    started, figures = time.monotonic(), []
    if not quiet:
        print(f'\n{benchmark.name}: {benchmark.question}')
    for figure in benchmark.run(setting):
        figures.append(figure.as_dict())
        if not quiet:
            print(_line(figure), flush=True)
    seconds = time.monotonic() - started
    if not quiet:
        print(f'  ({seconds:.0f} s)')
    return {'name': benchmark.name, 'seconds': seconds, 'figures': figures}


def _line(figure: Figure) -> str:
    several = ''
    if figure.low is not None and figure.high is not None:
        several = f'{figure.low:.4g} to {figure.high:.4g}'
    verdict = {None: '', True: 'met', False: 'MISSED'}[figure.meets_target]
    limits = (('>=', figure.at_least), ('<=', figure.at_most))
    target = ' '.join(f'{sign} {limit:g}' for sign, limit in limits if limit is not None)
    line = f'  {figure.case:<38} {figure.quantity:<32} {figure.value:>9.4g}'
    return f'{line}  {several:<20} {target:<8} {verdict}'.rstrip()


if __name__ == '__main__':
    sys.exit(main())
