"""Where a stage goes on after it was stopped: written whole or not at all, and verified when read.

A checkpoint holds the state in double precision and the lengths of the stage's outputs; a restart
cuts the outputs back to those lengths, so that every frame and every row stands exactly once.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workflow.engines.contract import State

_MAGIC = b'ISPCKPT1'


@dataclass(frozen=True)
class Checkpoint:
    """State of a stage, and how much of its outputs belongs to it.

    Attributes:
        state: Positions, velocities, box and step.
        frames: Number of trajectory frames up to this step.
        rows: Number of thermo rows up to this step.
        mesh: The Coulomb mesh in use, as plain values; None if nothing is charged.
    """

    state: State
    frames: int
    rows: int
    mesh: dict[str, Any] | None


class DamagedCheckpoint(Exception):
    """The file is not what was written."""


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint` and keep the one before it as ``.previous``."""
    buffer = io.BytesIO()
    state = checkpoint.state
    header = {
        'step': state.step,
        'frames': checkpoint.frames,
        'rows': checkpoint.rows,
        'mesh': checkpoint.mesh,
    }
    np.savez(
        buffer,
        header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
        box=state.box,
        positions=state.positions,
        images=state.images,
        velocities=state.velocities,
    )
    payload = buffer.getvalue()
    temporary = path.with_name(path.name + '.temporary')
    with open(temporary, 'wb') as file:
        file.write(_MAGIC + hashlib.sha256(payload).digest() + payload)
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        os.replace(path, _previous(path))
    os.replace(temporary, path)


def read_latest_checkpoint(
    path: Path, frames: int, rows: int
) -> tuple[Checkpoint | None, list[str]]:
    """Read the newest whole checkpoint whose outputs are there.

    Args:
        path: Of the newest checkpoint.
        frames: How many whole frames the trajectory holds.
        rows: How many whole rows the log holds.

    Returns:
        The checkpoint at `path`, or the one before it if that is of no use, or None; and what was
        found wrong on the way, for the user to read.
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
        if checkpoint.frames <= frames and checkpoint.rows <= rows:
            return checkpoint, notes
        notes.append(
            f'{candidate.name} counts {checkpoint.frames} frames and {checkpoint.rows} rows, but '
            f'only {frames} and {rows} are there: it is passed over'
        )
    if notes:
        notes.append('no checkpoint is of use: the stage begins anew')
    return None, notes


def read_checkpoint(path: Path) -> Checkpoint:
    """Read one checkpoint.

    Raises:
        DamagedCheckpoint: If its checksum does not fit its content.
    """
    content = path.read_bytes()
    head = len(_MAGIC) + hashlib.sha256().digest_size
    if content[: len(_MAGIC)] != _MAGIC:
        raise DamagedCheckpoint('it does not begin as a checkpoint')
    payload = content[head:]
    if hashlib.sha256(payload).digest() != content[len(_MAGIC) : head]:
        raise DamagedCheckpoint('its checksum does not fit')
    with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
        header = json.loads(bytes(arrays['header']))
        state = State(
            header['step'],
            arrays['box'],
            arrays['positions'],
            arrays['images'],
            arrays['velocities'],
        )
    return Checkpoint(state, header['frames'], header['rows'], header['mesh'])


def _previous(path: Path) -> Path:
    return path.with_name(path.name + '.previous')
