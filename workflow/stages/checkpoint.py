"""Where a stage goes on after it was stopped: written whole or not at all, and verified when read.

A checkpoint holds the state in double precision and what the stage's outputs are told by at that
moment: lengths and checksums. A restart verifies them and cuts the outputs back to those lengths,
so that every frame and every row stands exactly once, and as it was written.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

from workflow.engines.contract import State
from workflow.jobs.atomic_writes import renaming, synchronise, unreadable
from workflow.jobs.files import Step
from workflow.stages.gsd_layout import FrameMark, fault_of
from workflow.stages.thermo_writer import RowMark

MAGIC = b'ISPCKPT2'
# What numpy, zipfile and pydantic raise where bytes are not what they should be.
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


# How numpy.save begins a file. numpy's own reader takes it for Python, and makes room for all that
# it claims.
_ARRAY = re.compile(
    rb"\x93NUMPY\x01\x00..{'descr': '([|<>][a-z][0-9]+)', 'fortran_order': (False|True), "
    rb"'shape': \(([0-9, ]{0,60})\), } *\n",
    re.DOTALL,
)
# The arrays of a state, as they are stored.
_KINDS: dict[str, DTypeLike] = {
    'box': np.float64,
    'positions': np.float64,
    'images': np.int32,
    'velocities': np.float64,
}

_Count = Annotated[int, Field(ge=0, lt=2**63)]
_Crc = Annotated[int, Field(ge=0, lt=2**32)]


class _Header(BaseModel):
    """What a checkpoint holds beside arrays.

    Attributes:
        step: Of the state.
        rows: Their number and checksum.
        frames: Their number, the length of their file, and their checksum; None without any.
    """

    model_config = ConfigDict(extra='ignore', strict=True)

    step: Step
    rows: tuple[_Count, _Crc]
    frames: tuple[Annotated[_Count, Field(gt=0)], _Count, _Crc] | None


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

    Args:
        path: Of the newest checkpoint.
        fault: Says what is wrong with the outputs that a checkpoint counts on; '' if nothing is.
        n_beads: How many the state must have: a checkpoint of another job fits no topology.

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
        found = _of_other_beads(checkpoint.state, n_beads) or fault(checkpoint)
        if not found:
            if candidate != path:
                # The next one that is written must not drive this one out and keep that one.
                os.replace(candidate, path)
                synchronise(path.parent)
            return checkpoint, notes
        notes.append(f'{candidate.name}, of step {checkpoint.state.step}, is passed over: {found}')
    if notes:
        notes.append('no checkpoint is of use: the stage begins anew')
    return None, notes


def _of_other_beads(state: State, n_beads: int) -> str:
    there = len(state.positions)
    return '' if there == n_beads else f'it has {there} beads, and the melt {n_beads}'


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
    header = _Header(
        step=state.step,
        rows=(checkpoint.rows.rows, checkpoint.rows.checksum),
        frames=(frames.frames, frames.length, frames.checksum) if frames else None,
    )
    layout = (frames.header, frames.names, frames.index) if frames else ()
    arrays: dict[str, Any] = {
        'header': np.frombuffer(header.model_dump_json().encode(), dtype=np.uint8),
    }
    for name, kind in _KINDS.items():
        arrays[name] = np.asarray(getattr(state, name), dtype=kind)
    for number, part in enumerate(layout):
        arrays[f'layout_{number}'] = np.frombuffer(part, dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _unpacked(payload: bytes) -> Checkpoint:
    with zipfile.ZipFile(io.BytesIO(payload)) as archive:
        members = archive.infolist()
        # As numpy.savez stores them: nothing that was read becomes larger than it was.
        if any(each.compress_type != zipfile.ZIP_STORED for each in members):
            raise ValueError('its arrays are compressed')
        if sum(each.file_size for each in members) > len(payload):
            raise ValueError('its arrays are larger than it is')
        stored = {each.filename.removesuffix('.npy'): archive.read(each) for each in members}
    header = _Header.model_validate_json(_array(stored['header'], np.uint8).tobytes())
    arrays = {name: _array(stored[name], kind) for name, kind in _KINDS.items()}
    state = State(header.step, **arrays)
    shapes = {array.shape for array in (state.positions, state.images, state.velocities)}
    if state.box.shape != (3,) or shapes != {(len(state.positions), 3)}:
        raise ValueError(f'arrays of shapes {state.box.shape}, {sorted(shapes)}')
    if not all(np.all(np.isfinite(array)) for array in arrays.values()):
        raise ValueError('what should be numbers is none')
    if not np.all(state.box > 0):
        raise ValueError(f'a box of edges {state.box}')
    frames = None
    if header.frames is not None:
        layout = [_array(stored[f'layout_{number}'], np.uint8).tobytes() for number in range(3)]
        frames = FrameMark(*header.frames, *layout)
        if fault := fault_of(frames):
            raise ValueError(fault)
    return Checkpoint(state, frames, RowMark(*header.rows))


def _array(member: bytes, kind: DTypeLike) -> NDArray[Any]:
    """The array in a file of numpy's own.

    Raises:
        ValueError: If it is another type, or not as long as it claims to be.
    """
    head = _ARRAY.match(member)
    if head is None:
        raise ValueError('an array in a format that is not written')
    kind_there, by_column, numbers = head[1].decode(), head[2] == b'True', head[3].split(b',')
    shape = tuple(int(number) for number in numbers if number.strip())
    content = member[head.end() :]
    dtype = np.dtype(kind)
    if kind_there != dtype.str or math.prod(shape) * dtype.itemsize != len(content):
        raise ValueError(f'an array of {shape} {kind_there} in {len(content)} bytes')
    order: Literal['C', 'F'] = 'F' if by_column else 'C'
    return np.frombuffer(content, dtype).reshape(shape, order=order).copy()


def _previous(path: Path) -> Path:
    return path.with_name(path.name + '.previous')
