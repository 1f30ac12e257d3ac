"""Where a stage goes on after it was stopped: written whole or not at all, and verified when read.

A checkpoint holds the state in double precision and what the stage's outputs are told by at that
moment: lengths and checksums. A restart verifies them and cuts the outputs back to those lengths,
so that every frame and every row stands exactly once, and as it was written.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from workflow.disk import synchronise, unreadable
from workflow.engines.contract import State
from workflow.gsd_layout import FrameMark
from workflow.thermo_log import RowMark

MAGIC = b'ISPCKPT2'
# What numpy, zipfile and json raise where bytes are not what they should be, pickles included.
_NOT_A_CHECKPOINT = (
    ArithmeticError,
    LookupError,
    NotImplementedError,
    OSError,
    TypeError,
    ValueError,
    EOFError,
    RuntimeError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class Checkpoint:
    """State of a stage, and how much of its outputs belongs to it.

    Attributes:
        state: Positions, velocities, box and step.
        frames: The trajectory up to this step; None without any frame.
        rows: The thermo rows up to this step.
    """

    state: State
    frames: FrameMark | None = None
    rows: RowMark = field(default_factory=RowMark)


class DamagedCheckpoint(Exception):
    """The file is not what was written."""


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint` and keep the one before it as ``.previous``."""
    payload = _packed(checkpoint)
    temporary = path.with_name(path.name + '.temporary')
    try:
        with open(temporary, 'wb') as file:
            file.write(MAGIC + hashlib.sha256(payload).digest() + payload)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        temporary.unlink(missing_ok=True)  # a full disk needs every byte
        raise
    if path.exists():
        os.replace(path, _previous(path))
    os.replace(temporary, path)
    synchronise(path.parent)


def read_latest_checkpoint(
    path: Path, fault: Callable[[Checkpoint], str]
) -> tuple[Checkpoint | None, list[str]]:
    """Read the newest whole checkpoint whose outputs are there.

    Args:
        path: Of the newest checkpoint.
        fault: Says what is wrong with the outputs that a checkpoint counts on; '' if nothing is.

    Returns:
        The checkpoint at `path`, or the one before it if that is of no use, or None; and what was
        found wrong on the way, for the user to read.

    Raises:
        UserError: If one cannot be read now, which is no reason to pass it over.
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
        found = fault(checkpoint)
        if not found:
            return checkpoint, notes
        notes.append(f'{candidate.name}, of step {checkpoint.state.step}, is passed over: {found}')
    if notes:
        notes.append('no checkpoint is of use: the stage begins anew')
    return None, notes


def read_checkpoint(path: Path) -> Checkpoint:
    """Read one checkpoint.

    Raises:
        DamagedCheckpoint: If its checksum does not fit its content, or it is no checkpoint.
        UserError: If it cannot be read now.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DamagedCheckpoint('it is missing') from None
    except (OSError, MemoryError) as error:
        raise unreadable(path, error) from None
    head = len(MAGIC) + hashlib.sha256().digest_size
    if content[: len(MAGIC)] != MAGIC:
        raise DamagedCheckpoint('it does not begin as a checkpoint')
    payload = content[head:]
    if hashlib.sha256(payload).digest() != content[len(MAGIC) : head]:
        raise DamagedCheckpoint('its checksum does not fit')
    try:
        return _unpacked(payload)
    except MemoryError as error:
        raise unreadable(path, error) from None
    except _NOT_A_CHECKPOINT as error:
        raise DamagedCheckpoint(f'its content is not that of a checkpoint: {error}') from None


def _packed(checkpoint: Checkpoint) -> bytes:
    state, frames = checkpoint.state, checkpoint.frames
    header: dict[str, Any] = {
        'step': state.step,
        'rows': [checkpoint.rows.rows, checkpoint.rows.checksum],
        'frames': frames and [frames.frames, frames.length, frames.checksum],
    }
    layout = (frames.header, frames.names, frames.index) if frames else ()
    arrays: dict[str, Any] = {
        'header': np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
        'box': state.box,
        'positions': state.positions,
        'images': state.images,
        'velocities': state.velocities,
    }
    for number, part in enumerate(layout):
        arrays[f'layout_{number}'] = np.frombuffer(part, dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _unpacked(payload: bytes) -> Checkpoint:
    with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
        header = json.loads(bytes(arrays['header']))
        box, positions, images, velocities = (
            arrays[name] for name in ('box', 'positions', 'images', 'velocities')
        )
        shapes = {array.shape for array in (positions, images, velocities)}
        if box.shape != (3,) or shapes != {(len(positions), 3)}:
            raise ValueError(f'arrays of shapes {box.shape}, {sorted(shapes)}')
        state = State(int(header['step']), box, positions, images, velocities)
        frames = None
        if header['frames']:
            layout = [bytes(arrays[f'layout_{number}']) for number in range(3)]
            frames = FrameMark(*header['frames'], *layout)
    return Checkpoint(state, frames, RowMark(*header['rows']))


def _previous(path: Path) -> Path:
    return path.with_name(path.name + '.previous')
