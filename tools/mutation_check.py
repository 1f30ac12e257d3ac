"""Mutants, one at a time, and which test catches each: `python -m tools.mutation_check`.

Works in a temporary copy of the repository. The mutants stand in `mutants.toml`.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.mutants import ROOT, Mutant, mutants
from workflow.jobs.provenance import code_text, code_version

PAGE = ROOT / 'docs' / 'mutations.md'
LONGEST_TEST_SECONDS = 600
SURVIVED = 'nothing: IT SURVIVED'
# Internal error, wrong usage, no tests: none of them says anything of the mutant.
NOT_TRIED = (3, 4, 5)


def copy_repository(target: Path) -> None:
    """Copy the files that git tracks or would track: no environments, no caches."""
    listed = subprocess.run(
        ['git', 'ls-files', '--cached', '--others', '--exclude-standard', '-z'],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout.decode()
    for name in filter(None, listed.split('\0')):
        source, copy = ROOT / name, target / name
        if source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)


def run_tests(folder: Path, tests: tuple[str, ...]) -> tuple[bool, str]:
    """Run tests until the first that fails; whether all passed, and what failed."""
    # Byte code is told from its source by time and length, which a mutant may leave as they were.
    environment = os.environ | {'PYTHONDONTWRITEBYTECODE': '1'}
    command = [sys.executable, '-m', 'pytest', '-x', '-q', '--no-header', '-p', 'no:cacheprovider']
    try:
        done = subprocess.run(
            [*command, *tests],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LONGEST_TEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False, f'no end within {LONGEST_TEST_SECONDS} s'
    if done.returncode == 0:
        return True, ''
    if done.returncode in NOT_TRIED:
        raise SystemExit(f'{" ".join(tests)}: pytest did not run them:\n{done.stdout}{done.stderr}')
    found = re.search(r'^(?:FAILED|ERROR) \S*/(\S+)', done.stdout, re.MULTILINE)
    return False, found[1] if found else f'exit code {done.returncode}'


def try_mutant(folder: Path, mutant: Mutant) -> str | None:
    """Make the mistake, run its tests, and mend it again.

    Returns:
        The test that failed; None where all passed.
    """
    path = folder / mutant.path
    source = path.read_text(encoding='utf-8')
    path.write_text(mutant.applied_to(source), encoding='utf-8')
    try:
        passed, failed = run_tests(folder, mutant.tests)
    finally:
        path.write_text(source, encoding='utf-8')
    return None if passed else failed


def main() -> int:
    """Try all mutants, or those whose names are given in part; 1 where one survives."""
    parser = argparse.ArgumentParser(prog='python -m tools.mutation_check', description=__doc__)
    parser.add_argument('parts', nargs='*', help='parts of the names of mutants to try')
    parts = parser.parse_args().parts
    chosen = [m for m in mutants() if not parts or any(part in m.name for part in parts)]
    for mutant in chosen:
        mutant.applied_to((ROOT / mutant.path).read_text(encoding='utf-8'))
    code = code_version('tools', 'tests')
    outcomes: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix='isp-mutation-') as name:
        folder = Path(name)
        copy_repository(folder)
        for tests in dict.fromkeys(test for mutant in chosen for test in mutant.tests):
            passed, failed = run_tests(folder, (tests,))
            if not passed:
                raise SystemExit(f'{tests} fails without any mutant: {failed}.')
        for mutant in chosen:
            if mutant.needs and importlib.util.find_spec(mutant.needs) is None:
                outcome = f'not tried: needs {mutant.needs}'
            else:
                outcome = try_mutant(folder, mutant) or SURVIVED
            outcomes[mutant.name] = outcome
            print(f'{mutant.name:66} {outcome}', flush=True)
    survivors = list(outcomes.values()).count(SURVIVED)
    print(f'{len(chosen)} mutants, {survivors} survived')
    if not parts:
        PAGE.write_text(page(chosen, outcomes, code_text(code)))
    return 1 if survivors else 0


def page(tried: list[Mutant], outcomes: dict[str, str], code: str) -> str:
    """The mutants and what caught them, as a table; `code` says of which version."""
    survivors = list(outcomes.values()).count(SURVIVED)
    lines = [
        '# Faults made on purpose',
        '',
        f'Of {code}, {time.strftime("%Y-%m-%d")}: what was changed since then is not in it.',
        '',
        'Written by `python -m tools.mutation_check`: do not edit. Each fault is made in a copy of',
        'the source, and the tests that should notice it are run.',
        '',
        f'{len(tried)} faults, {survivors} survived.',
        '',
        '| fault | function | caught by |',
        '| --- | --- | --- |',
    ]
    for mutant in tried:
        where = f'{mutant.module}:{mutant.changes[0].place}'
        lines.append(f'| {mutant.name} | `{where}` | {outcomes[mutant.name]} |')
    return '\n'.join(lines) + '\n'


if __name__ == '__main__':
    sys.exit(main())
