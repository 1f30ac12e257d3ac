"""The page: every claim with its reference, what was measured, and the verdict."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from analysis.serialise import from_json, to_json
from validation.claim import Row, Verdict
from validation.sections import SECTIONS, section
from validation.systems import cache, make_engine
from workflow.engines.selection import available_engines
from workflow.jobs.provenance import code_version

_COLUMNS = ('claim', 'engine', 'reference', 'measured', 'tolerance', 'verdict')


@dataclass(frozen=True)
class SectionResult:
    """The rows of one section, and how they were made.

    Attributes:
        section: Name.
        date: When.
        command: The command.
        seconds: Processor time, about: the time of all its jobs together.
        engines: Engine -> version.
        rows: What was measured.
        commit: Of the code, with '-dirty' where that was changed; '' if it is not known.
        wall: Seconds of the whole run that this section was part of.
        cores: Of the machine.
    """

    section: str
    date: str
    command: str
    seconds: float
    engines: dict[str, str]
    rows: list[Row]
    commit: str = ''
    wall: float = 0.0
    cores: int = 0

    @classmethod
    def now(cls, name: str, command: str, seconds: float, wall: float, rows: list[Row]) -> Self:
        """A result of this moment and of the engines of this machine."""
        date = time.strftime('%Y-%m-%d %H:%M', time.gmtime())
        engines = {name: make_engine(name).describe()['version'] for name in available_engines()}
        cores = len(os.sched_getaffinity(0))
        return cls(name, date, command, seconds, engines, rows, commit_here(), wall, cores)


def commit_here() -> str:
    """The git commit of the code, with '-dirty' where that was changed; '' if it is not known."""
    code = code_version('validation')
    return str(code['commit'])[:12] + '-dirty' * code['modified'] if 'commit' in code else ''


def save_result(result: SectionResult) -> None:
    """Keep the rows of a section for pages that are made of several runs."""
    (cache() / f'result_{result.section}.json').write_bytes(to_json(result))


def read_results() -> dict[str, SectionResult]:
    """The rows of the last run of each section on this machine."""
    files = {name: cache() / f'result_{name}.json' for name in SECTIONS}
    return {
        name: from_json(SectionResult, file.read_bytes())
        for name, file in files.items()
        if file.exists()
    }


def write_page(path: Path, results: dict[str, SectionResult]) -> None:
    """Write the page."""
    rows = [row for result in results.values() for row in result.rows]
    counts = ', '.join(f'{sum(r.verdict == v for r in rows)} {v}' for v in Verdict)
    here = commit_here()
    lines = [
        '# Validation',
        '',
        f'Of commit {here or "not known"}, {time.strftime("%Y-%m-%d", time.gmtime())}: what was '
        'changed since then is not in it.',
        '',
        'Written by `make validate` (`python -m validation`): do not edit. Each claim is measured '
        'against something independent of the engine that is asked; the reason of each tolerance '
        'stands beside it. Units are those of Lennard-Jones.',
        '',
        f'- rows: {counts}',
        f'- machine: {os.cpu_count()} processors, Python {platform.python_version()}',
        '- sections that were run apart stand with their own date, versions and duration',
        '',
    ]
    for name in SECTIONS:
        module = section(name)
        lines += [f'## {module.TITLE}', '', ' '.join(module.__doc__.split()), '']
        if name not in results:
            lines += [f'Not run: `python -m validation --only {name}` runs it.', '']
            continue
        result = results[name]
        engines = ', '.join(f'{engine} {version}' for engine, version in result.engines.items())
        lines += [
            f'`{result.command}`, {result.date} UTC, {result.seconds:.0f} s of one core in a run '
            f'of {result.wall:.0f} s on {result.cores} cores; commit '
            f'{result.commit or "not known"}; {engines}.',
            '',
        ]
        if result.commit != here:
            lines += ['**Of another commit than this page: run it again.**', '']
        lines += [
            '| ' + ' | '.join(_COLUMNS) + ' |',
            '|' + ' --- |' * len(_COLUMNS),
            *(_line(row) for row in result.rows),
            '',
        ]
    path.parent.mkdir(exist_ok=True)
    path.write_text('\n'.join(lines).rstrip() + '\n')


def _line(row: Row) -> str:
    asks_for_care = row.verdict in (Verdict.FAIL, Verdict.NOT_RUN)
    verdict = f'**{row.verdict}**' if asks_for_care else str(row.verdict)
    if row.reason:
        verdict += f': {row.reason}'
    cells = (row.claim, row.engine, row.reference, row.measured, row.tolerance, verdict)
    return '| ' + ' | '.join(cell.replace('|', '\\|') for cell in cells) + ' |'
