"""Files from elsewhere that are not what they should be: a result or a message, in bounds."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.io.gsd_file_layer import ENTRY, HEADER
from fault_injection.untrusted import ROOT, TARGETS, sealed
from tests.systems import melt, state_point
from user_input import UserError
from workflow.engines.contract import State
from workflow.stages.checkpoint import (
    Checkpoint,
    DamagedCheckpoint,
    read_checkpoint,
    read_latest_checkpoint,
    write_checkpoint,
)
from workflow.stages.gsd_layout import FrameMark
from workflow.stages.trajectory_writer import TrajectoryLog, frame_with_state

EXAMPLES = int(os.environ.get('ISP_FUZZ_EXAMPLES', '60'))


@pytest.mark.slow
@pytest.mark.parametrize('target', TARGETS)
def test_changed_files_are_read_or_refused_with_a_message(target: str) -> None:
    # In a process of its own: a crash of a library, or gigabytes, would take the tests along.
    command = [sys.executable, '-W', 'ignore', '-m', 'fault_injection.untrusted', target]
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


def write_sealed(path: Path, content: Members, save: Callable[..., None] = np.savez) -> None:
    payload = io.BytesIO()
    save(payload, **content)
    path.write_bytes(sealed(b' ' * 40 + payload.getvalue()))


def test_a_checkpoint_of_these_members_is_read(tmp_path: Path) -> None:
    write_sealed(tmp_path / 'checkpoint', members())
    assert read_checkpoint(tmp_path / 'checkpoint').state.step == 500


@pytest.mark.parametrize(
    'changes',
    [
        {'positions': np.full((20, 3), 'x')},
        {'positions': np.zeros((20, 3), np.float32)},
        {'positions': np.full((20, 3), np.inf)},
        {'positions': np.zeros((19, 3))},
        {'velocities': np.full((20, 3), np.nan)},
        {'images': np.zeros((20, 3))},
        {'box': np.array([9.0, np.nan, 9.0])},
        {'box': np.array([9.0, -9.0, 9.0])},
        {'box': np.zeros(3)},
        {'header': header(step=-1)},
        {'header': header(step=2.5)},
        {'header': header(step=10**30)},
        {'header': header(rows=['a', 'b'])},
        {'header': header(rows=[-1, 0])},
        {'header': header(frames='abc')},
        {'header': header(frames=[2**70, 1, 1])},
        {'header': header(frames=[1, 1, 1])},  # without a layout
        {'header': np.frombuffer(b'[' * 5000, dtype=np.uint8)},
    ],
)
def test_a_sealed_checkpoint_is_not_believed(tmp_path: Path, changes: Members) -> None:
    write_sealed(tmp_path / 'checkpoint', members(**changes))
    with pytest.raises(DamagedCheckpoint):
        read_checkpoint(tmp_path / 'checkpoint')


def test_a_compressed_checkpoint_is_not_expanded(tmp_path: Path) -> None:
    n = 10**6
    zeros = np.zeros((n, 3))
    content = members(positions=zeros, images=np.zeros((n, 3), np.int32), velocities=zeros)
    write_sealed(tmp_path / 'checkpoint', content, np.savez_compressed)
    with pytest.raises(DamagedCheckpoint, match='compressed'):
        read_checkpoint(tmp_path / 'checkpoint')


def test_an_array_that_claims_more_than_is_there_is_not_made(tmp_path: Path) -> None:
    whole = io.BytesIO()
    np.savez(whole, **members())
    claims = b"'shape': (1099511627776, 3), }"
    changed = whole.getvalue().replace(b"'shape': (20, 3), }".ljust(len(claims)), claims)
    assert changed != whole.getvalue()
    path = tmp_path / 'checkpoint'
    path.write_bytes(sealed(b' ' * 40 + with_right_checksums(changed)))
    with pytest.raises(DamagedCheckpoint, match='an array of'):
        read_checkpoint(path)


def with_right_checksums(archive: bytes) -> bytes:
    """The members of a ZIP archive that was changed, in one that is sound."""
    found = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(archive)) as changed,
        zipfile.ZipFile(found, 'w') as sound,
    ):
        for each in changed.infolist():
            begin = each.header_offset + 30 + len(each.filename)
            begin += int.from_bytes(archive[each.header_offset + 28 :][:2], 'little')
            sound.writestr(each.filename, archive[begin : begin + each.file_size])
    return found.getvalue()


@pytest.fixture
def mark(tmp_path: Path) -> FrameMark:
    """The mark of a trajectory of three frames."""
    topology, _ = melt(state_point('isp', {'LSP': 0.5, 'DOPA': 0.5}))
    n = int(topology.particles.N)
    state = State(
        0, np.full(3, 9.0), np.zeros((n, 3)), np.zeros((n, 3), np.int32), np.zeros((n, 3))
    )
    with TrajectoryLog(tmp_path / 'trajectory.gsd', topology, 0.01) as log:
        for step in range(3):
            log.append(replace(state, step=step))
        log.flush()
        found = log.mark()
    assert found is not None
    return found


def with_header(mark: FrameMark, name: str, value: int) -> FrameMark:
    changed = np.frombuffer(mark.header, dtype=HEADER).copy()
    changed[name] = value
    return replace(mark, header=changed.tobytes())


def with_last_entry(mark: FrameMark, name: str, value: int) -> FrameMark:
    changed = np.frombuffer(mark.index, dtype=ENTRY).copy()
    changed[-1][name] = value
    return replace(mark, index=changed.tobytes())


@pytest.mark.parametrize(
    'change',
    [
        lambda mark: with_header(mark, 'index_entries', 2**40),
        lambda mark: with_header(mark, 'index_location', 2**40),
        lambda mark: with_header(mark, 'index_location', 2**64 - 32),
        lambda mark: with_header(mark, 'index_location', 0),
        lambda mark: with_header(mark, 'names_location', 2**40),
        lambda mark: with_header(mark, 'names_location', 300),  # on the index
        lambda mark: with_header(mark, 'names_entries', 2**60),
        lambda mark: with_header(mark, 'magic', 1),
        lambda mark: with_last_entry(mark, 'type', 200),
        lambda mark: with_last_entry(mark, 'location', 2**40),
        lambda mark: with_last_entry(mark, 'location', -8),
        lambda mark: with_last_entry(mark, 'location', 300),  # on the index
        lambda mark: with_last_entry(mark, 'rows', 2**62),
        lambda mark: with_last_entry(mark, 'frame', 2**63 + 7),
        lambda mark: with_last_entry(mark, 'frame', 5),
        lambda mark: with_last_entry(mark, 'name', 60_000),
        lambda mark: with_last_entry(mark, 'flags', 1),
        lambda mark: replace(mark, index=mark.index[:-5]),
        lambda mark: replace(mark, index=b''),
        lambda mark: replace(mark, header=mark.header[:-1]),
        lambda mark: replace(mark, names=mark.names[:-1]),
        lambda mark: replace(mark, frames=4),
        lambda mark: replace(mark, length=mark.length // 2),
    ],
)
def test_a_layout_that_no_trajectory_has_is_refused(
    tmp_path: Path, mark: FrameMark, change: Callable[[FrameMark], FrameMark]
) -> None:
    path = tmp_path / 'checkpoint'
    state = read_checkpoint_of_20_beads(path)
    write_checkpoint(path, Checkpoint(state, mark))
    assert read_checkpoint(path).frames == mark
    write_checkpoint(path, Checkpoint(state, change(mark)))
    with pytest.raises(DamagedCheckpoint, match='trajectory'):
        read_checkpoint(path)


def read_checkpoint_of_20_beads(path: Path) -> State:
    write_sealed(path, members())
    return read_checkpoint(path).state


def test_a_checkpoint_of_another_job_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / 'checkpoint'
    state = read_checkpoint_of_20_beads(path)
    found, notes = read_latest_checkpoint(path, lambda checkpoint: '', 21)
    assert found is None
    assert 'it has 20 beads, and the melt 21' in notes[0]
    topology, _ = melt(state_point('isp', {'LSP': 0.5, 'DOPA': 0.5}))
    with pytest.raises(UserError, match='a saved state has 20 beads'):
        frame_with_state(topology, state)


@pytest.mark.slow
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
