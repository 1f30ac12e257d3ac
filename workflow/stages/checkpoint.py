"""Where a stage resumes after it was stopped: written whole or not at all, and verified when read.

A checkpoint holds the state in double precision, and lengths and checksums of the stage's outputs
at that moment. A restart verifies them and cuts the outputs back to those lengths, so that every
frame and every row is there exactly once, and as it was written.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from workflow.engines.contract import State
from workflow.jobs.atomic_writes import renaming, synchronise, unreadable
from workflow.stages.gsd_layout import FrameMark
from workflow.stages.thermo_writer import FORMER_WIDTH, RowMark

MAGIC = b'ISPCKPT2'
# What numpy and json raise where bytes are not what this version writes.
_NOT_A_CHECKPOINT = (KeyError, TypeError, ValueError, EOFError, OSError, zipfile.BadZipFile)
# The arrays of a state, as they are stored.
_KINDS: dict[str, DTypeLike] = {
    'box': np.float64,
    'positions': np.float64,
    'images': np.int32,
    'velocities': np.float64,
}


@dataclass(frozen=True)
class Checkpoint:
    """State of a stage, and how much of its outputs belongs to it."""

    state: State
    frames: FrameMark | None = None
    rows: RowMark = field(default_factory=RowMark)


class DamagedCheckpoint(Exception):
    """The file is not what was written."""


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint` and keep the one before it as ``.previous``."""
    payload = _packed(checkpoint)
    with renaming(path) as temporary:
        temporary.write_bytes(MAGIC + hashlib.sha256(payload).digest() + payload)
        synchronise(temporary)
        if path.exists():
            os.replace(path, _previous(path))
    synchronise(path.parent)


def read_latest_checkpoint(
    path: Path, fault: Callable[[Checkpoint], str], n_beads: int
) -> tuple[Checkpoint | None, list[str]]:
    """Read the newest whole checkpoint whose outputs are there, and let it be the one at `path`.

    Also what was found wrong on the way, for the user to read. UserError if one cannot be read
    now, which is no reason to pass it over.
    """
    notes: list[str] = []
    for candidate in (path, _previous(path)):
        if not candidate.exists():
            continue
        try:
            checkpoint = read_checkpoint(candidate)
        except DamagedCheckpoint as error:
            notes.append(f'{candidate.name} is damaged ({error}) and is passed over')
            continue
        beads = len(checkpoint.state.positions)
        found = fault(checkpoint)
        if beads != n_beads:
            found = f'it has {beads} beads, and the melt {n_beads}'
        if not found:
            if candidate != path:
                # The next one that is written must not drive this one out and keep that one.
                os.replace(candidate, path)
                synchronise(path.parent)
            return checkpoint, notes
        notes.append(f'{candidate.name}, of step {checkpoint.state.step}, is passed over: {found}')
    if notes:
        notes.append('no usable checkpoint: restarting the stage from step 0')
    return None, notes


def read_checkpoint(path: Path) -> Checkpoint:
    """Read one checkpoint; DamagedCheckpoint if it is none, UserError if it cannot be read now."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DamagedCheckpoint('it is missing') from None
    except OSError as error:
        raise unreadable(path, error) from None
    head = len(MAGIC) + hashlib.sha256().digest_size
    if content[: len(MAGIC)] != MAGIC:
        raise DamagedCheckpoint('it does not begin as a checkpoint')
    payload = content[head:]
    if hashlib.sha256(payload).digest() != content[len(MAGIC) : head]:
        raise DamagedCheckpoint('its checksum does not fit')
    try:
        return _unpacked(payload)
    except _NOT_A_CHECKPOINT as error:
        raise DamagedCheckpoint(f'its content is not that of a checkpoint: {error}') from None


def _packed(checkpoint: Checkpoint) -> bytes:
    state, rows, frames = checkpoint.state, checkpoint.rows, checkpoint.frames
    header = {
        'step': state.step,
        'rows': (rows.rows, rows.checksum, rows.width),
        'frames': (frames.frames, frames.length, frames.checksum) if frames else None,
    }
    layout = (frames.header, frames.names, frames.index) if frames else ()
    arrays: dict[str, Any] = {'header': np.frombuffer(json.dumps(header).encode(), np.uint8)}
    for name, kind in _KINDS.items():
        arrays[name] = np.asarray(getattr(state, name), dtype=kind)
    for number, part in enumerate(layout):
        arrays[f'layout_{number}'] = np.frombuffer(part, np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _unpacked(payload: bytes) -> Checkpoint:
    with np.load(io.BytesIO(payload), allow_pickle=False) as stored:
        header = json.loads(stored['header'].tobytes())
        arrays = {name: stored[name] for name in _KINDS}
        frames = None
        if header['frames'] is not None:
            layout = [stored[f'layout_{number}'].tobytes() for number in range(3)]
            frames = FrameMark(*header['frames'], *layout)
    state = State(header['step'], **arrays)
    shapes = {array.shape for array in (state.positions, state.images, state.velocities)}
    if state.box.shape != (3,) or shapes != {(len(state.positions), 3)}:
        raise ValueError(f'arrays of shapes {state.box.shape}, {sorted(shapes)}')
    if not all(np.all(np.isfinite(array)) for array in arrays.values()):
        raise ValueError('what should be numbers is none')
    rows, checksum, width = map(int, (*header['rows'], FORMER_WIDTH)[:3])
    return Checkpoint(state, frames, RowMark(rows, checksum, width))


def _previous(path: Path) -> Path:
    return path.with_name(path.name + '.previous')
