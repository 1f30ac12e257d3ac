"""Files from elsewhere that are not what they should be: a result or a message, in bounds."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fault_injection.untrusted import FOREIGN, ROOT, TARGETS
from workflow.stages.checkpoint import (
    MAGIC,
    DamagedCheckpoint,
    read_checkpoint,
    read_latest_checkpoint,
)

EXAMPLES = int(os.environ.get('ISP_FUZZ_EXAMPLES', '12'))


@pytest.mark.slow
@pytest.mark.parametrize('are_foreign', [False, True])
def test_changed_files_are_read_or_refused_with_a_message(are_foreign: bool) -> None:
    # In a process of its own: a crash of a library, or gigabytes, would take the tests along.
    command = [sys.executable, '-W', 'ignore', '-m', 'fault_injection.untrusted']
    if are_foreign:
        pytest.importorskip('MDAnalysis')
    # Of other programs, those that tests/analysis/io does not damage.
    targets = ['pdb', 'trr'] if are_foreign else [each for each in TARGETS if each not in FOREIGN]
    examples = EXAMPLES // 12 if are_foreign else EXAMPLES
    done = subprocess.run(
        [*command, *targets, '--examples', str(examples)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60 + 2 * EXAMPLES,
    )
    assert done.returncode == 0, done.stdout + done.stderr


class _Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_a_checkpoint_that_holds_code_does_not_run_it(tmp_path: Path) -> None:
    trap = tmp_path / 'escaped'
    array = np.empty(1, dtype=object)
    array[0] = _Touch(trap)
    assert pickle.dumps(array[0])
    path = tmp_path / 'checkpoint'
    write_sealed(path, members(header=array, positions=array))
    with pytest.raises(DamagedCheckpoint):
        read_checkpoint(path)
    assert not trap.exists()


Members = dict[str, Any]


def header(**changes: object) -> NDArray[np.uint8]:
    """The header of a checkpoint without outputs, changed."""
    content = {'step': 500, 'rows': [0, 0], 'frames': None} | changes
    return np.frombuffer(json.dumps(content).encode(), dtype=np.uint8)


def members(**changes: object) -> Members:
    """What a checkpoint of 20 beads holds, changed."""
    n = 20
    whole: Members = {
        'header': header(),
        'box': np.full(3, 9.0),
        'positions': np.zeros((n, 3)),
        'images': np.zeros((n, 3), np.int32),
        'velocities': np.zeros((n, 3)),
    }
    return whole | changes


def write_sealed(path: Path, content: Members) -> None:
    """Write a checkpoint whose checksum fits, as another version might."""
    payload = io.BytesIO()
    np.savez(payload, **content)
    digest = hashlib.sha256(payload.getvalue()).digest()
    path.write_bytes(MAGIC + digest + payload.getvalue())


def test_a_checkpoint_of_these_members_is_read(tmp_path: Path) -> None:
    write_sealed(tmp_path / 'checkpoint', members())
    assert read_checkpoint(tmp_path / 'checkpoint').state.step == 500


@pytest.mark.parametrize(
    'changes',
    [
        {'positions': np.full((20, 3), 'x')},
        {'positions': np.full((20, 3), np.inf)},
        {'positions': np.zeros((19, 3))},
        {'velocities': np.full((20, 3), np.nan)},
        {'box': np.array([9.0, np.nan, 9.0])},
        {'header': header(rows='abc')},
        {'header': header(frames=[1, 1, 1])},  # without a layout
        {'header': np.frombuffer(b'[' * 50, dtype=np.uint8)},
    ],
)
def test_a_sealed_checkpoint_is_not_believed(tmp_path: Path, changes: Members) -> None:
    write_sealed(tmp_path / 'checkpoint', members(**changes))
    with pytest.raises(DamagedCheckpoint):
        read_checkpoint(tmp_path / 'checkpoint')


def test_a_checkpoint_of_another_job_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / 'checkpoint'
    write_sealed(path, members())
    found, notes = read_latest_checkpoint(path, lambda checkpoint: '', 21)
    assert found is None
    assert 'it has 20 beads, and the melt 21' in notes[0]


@pytest.mark.slow
def test_a_size_that_is_not_there_is_not_asked_for(tmp_path: Path) -> None:
    (tmp_path / 'many.toml').write_text(
        (ROOT / 'sweeps' / 'demo.toml').read_text().replace('replicas = 3', 'replicas = 1000000000')
    )
    done = subprocess.run(
        [sys.executable, str(ROOT / 'project.py'), 'init', 'many.toml'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert 'more than 100000 jobs' in done.stderr
    assert not (tmp_path / 'workspace').exists()
