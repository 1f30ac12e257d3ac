"""Files from elsewhere that are not what they should be: a result or a message, in bounds."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from faults.untrusted import ROOT, TARGETS, sealed
from workflow.checkpoint import DamagedCheckpoint, read_checkpoint

EXAMPLES = int(os.environ.get('ISP_FUZZ_EXAMPLES', '60'))


@pytest.mark.parametrize('target', TARGETS)
def test_changed_files_are_read_or_refused_with_a_message(target: str) -> None:
    # In a process of its own: a crash of a library, or gigabytes, would take the tests along.
    command = [sys.executable, '-W', 'ignore', '-m', 'faults.untrusted', target]
    done = subprocess.run(
        [*command, '--examples', str(EXAMPLES)],
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
    payload = io.BytesIO()
    np.savez(payload, header=array, box=array, positions=array, images=array, velocities=array)
    path = tmp_path / 'checkpoint'
    path.write_bytes(sealed(b' ' * 40 + payload.getvalue()))
    with pytest.raises(DamagedCheckpoint):
        read_checkpoint(path)
    assert not trap.exists()


def test_a_size_that_is_not_there_is_not_asked_for(tmp_path: Path) -> None:
    (tmp_path / 'many.toml').write_text(
        (ROOT / 'sweeps' / 'demo.toml').read_text().replace('replicas = 2', 'replicas = 1000000000')
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
