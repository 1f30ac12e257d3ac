"""What imports what: rooms import those before them, and the analysis loads no heavy library."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Rooms of one package from the ground up; rooms of one floor do not know each other.
FLOORS = {
    'analysis': (
        {'arrays'},
        {'estimators', 'geometry', 'serialise'},
        {'io', 'plotting'},
        {'sampling'},
        {'observable'},
        {'observables'},
        {'__main__'},
    ),
    'workflow': (
        {'process'},
        {'electrostatics'},
        {'engines'},
        {'sweep'},
        {'jobs'},
        {'stages'},
        {'results'},
        {'cluster'},
        {'cli'},
    ),
}
# Packages that a package may import beside itself.
OTHERS = {'analysis': {'user_input'}, 'workflow': {'user_input', 'models', 'analysis'}}
PROJECT = {'analysis', 'models', 'workflow', 'project', 'user_input', 'validation', 'tools'}

each_package = pytest.mark.parametrize(
    'package',
    [
        'analysis',
        pytest.param(
            'workflow',
            marks=pytest.mark.skipif(
                not (ROOT / 'workflow' / 'jobs').is_dir(), reason='not in rooms yet'
            ),
        ),
    ],
)


def modules(package: str) -> Iterator[tuple[str, Path]]:
    """Room and path of every module but the package's own `__init__`."""
    for path in sorted((ROOT / package).rglob('*.py')):
        room = path.relative_to(ROOT / package).parts[0].removesuffix('.py')
        if room != '__init__':
            yield room, path


def imported(path: Path) -> Iterator[str]:
    """Every module that is imported, within functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}: a relative import'
            assert node.module is not None
            # `from analysis import io` names its room only here.
            is_package = (ROOT / node.module.replace('.', '/')).is_dir()
            names = [f'{node.module}.{alias.name}' for alias in node.names]
            yield from names if is_package else [node.module]


@each_package
def test_rooms_import_only_those_below(package: str) -> None:
    floor_of = {room: k for k, rooms in enumerate(FLOORS[package]) for room in rooms}
    wrong = []
    for room, path in modules(package):
        for name in imported(path):
            top, _, rest = name.partition('.')
            other = rest.partition('.')[0]
            if top == package:
                is_right = other == room or floor_of[other] < floor_of[room]
            else:
                is_right = top not in PROJECT or top in OTHERS[package]
            if not is_right:
                wrong.append(f'{path.relative_to(ROOT)} imports {name}')
    assert not wrong


@each_package
def test_every_module_is_in_a_room(package: str) -> None:
    rooms = set().union(*FLOORS[package])
    assert {room for room, _ in modules(package)} == rooms


def test_no_circle_of_modules_within_the_analysis() -> None:
    names = {
        path: '.'.join(path.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__')
        for _, path in modules('analysis')
    }
    known = set(names.values())
    uses = {name: {n for n in imported(path) if n in known} for path, name in names.items()}
    while leaves := [name for name, used in uses.items() if not used & uses.keys()]:
        for name in leaves:
            del uses[name]
    assert not uses


def test_importing_the_observables_loads_no_heavy_library() -> None:
    """Every command and every process of a sweep would wait for it."""
    script = (
        'import sys, analysis.observables, analysis.serialise\n'
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, '-c', script], cwd=ROOT, check=True, capture_output=True, text=True
    )
    loaded = set(done.stdout.split())
    assert 'numpy' in loaded
    assert not loaded & {'scipy', 'gsd', 'freud', 'matplotlib', 'h5py', 'workflow', 'rich'}
