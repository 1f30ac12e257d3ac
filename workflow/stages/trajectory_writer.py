"""Frames of a stage in one GSD file, with images, appended from a checkpoint on."""

from __future__ import annotations

import contextlib
import copy
import zlib
from pathlib import Path
from typing import Self

import gsd.hoomd
import numpy as np
from gsd.hoomd import Frame

from workflow.engines.contract import State
from workflow.jobs.atomic_writes import find_fault
from workflow.stages.gsd_layout import (
    ENTRY_LENGTH,
    FrameMark,
    data_checksum,
    restore,
    take_mark,
    used_index,
)

# The chunks of a frame after the first; all else is taken from the first by every reader.
_CHUNKS_OF_A_FRAME = 4


class TrajectoryLog:
    """Appends frames, from a mark on that `find_corruption` finds nothing wrong with.

    The first frame has the topology, and `time_step`, in tau.
    """

    def __init__(
        self, path: Path, topology: Frame, time_step: float, mark: FrameMark | None = None
    ) -> None:
        if mark is not None:
            restore(path, mark)
        self._path = path
        self._trajectory = gsd.hoomd.open(path, 'w' if mark is None else 'r+')
        self._topology, self._time_step = topology, time_step
        self.frames = self._checksum = self._chunks = 0
        if mark is not None:
            self.frames, self._checksum, self._chunks = mark.frames, mark.checksum, mark.chunks

    def append(self, state: State) -> None:
        """Append the positions, images and box of `state`."""
        if self.frames == 0:
            self._append_first(state)
        else:
            self._append_moving(state)
        self.frames += 1

    def flush(self) -> None:
        """Bring all frames to disk."""
        self._trajectory.flush()  # which synchronises

    def mark(self) -> FrameMark | None:
        """Mark what is on disk after a flush, None without frames; OSError if not all is."""
        if not self.frames:
            return None
        return take_mark(self._path, self.frames, self._chunks, self._checksum)

    def _append_first(self, state: State) -> None:
        first = frame_with_state(self._topology, state)
        first.particles.velocity = None
        first.log = dict(self._topology.log) | {'time_step': np.array([self._time_step])}
        self._trajectory.append(first)
        # What of it was written, the library decides.
        self._trajectory.flush()
        index = used_index(self._path)
        self._chunks = len(index) // ENTRY_LENGTH
        self._checksum = data_checksum(self._path, index)

    def _append_moving(self, state: State) -> None:
        file = self._trajectory.file
        box = np.concatenate([state.box, np.zeros(3)])
        for name, values in (
            ('configuration/step', np.array([state.step], dtype=np.uint64)),
            ('configuration/box', box.astype(np.float32)),
            ('particles/position', state.positions.astype(np.float32)),
            ('particles/image', state.images.astype(np.int32)),
        ):
            content = np.ascontiguousarray(values)
            file.write_chunk(name, content)
            self._checksum = zlib.crc32(content.data, self._checksum)
        file.end_frame()
        self._chunks += _CHUNKS_OF_A_FRAME

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        # After an error what comes after the checkpoint is of no use, and must not hide it.
        with contextlib.suppress(*([OSError, RuntimeError] if error is not None else [])):
            self._trajectory.close()


def find_corruption(path: Path, mark: FrameMark | None) -> str:
    """Find why the frames of `mark` are not in the file as they were written; '' if they are."""
    if mark is None:
        return ''
    return find_fault(path, mark.length, lambda: data_checksum(path, mark.index) == mark.checksum)


def frame_with_state(topology: Frame, state: State) -> Frame:
    """Combine the topology of one frame with positions, velocities, box and step of `state`."""
    frame = Frame()
    frame.configuration.step = state.step
    frame.configuration.box = np.concatenate([state.box, np.zeros(3)])
    source, particles = topology.particles, frame.particles
    particles.N, particles.types = source.N, source.types
    particles.typeid, particles.mass, particles.charge = source.typeid, source.mass, source.charge
    particles.position, particles.image = state.positions, state.images
    particles.velocity = state.velocities
    # Copies: who changes the bonds of one frame leaves those of the other.
    frame.bonds, frame.angles = copy.copy(topology.bonds), copy.copy(topology.angles)
    frame.log = dict(topology.log)
    return frame


def write_frame(path: Path, frame: Frame) -> None:
    """Write one frame in double precision."""
    with gsd.hoomd.open(path, 'w', precision='double') as trajectory:
        trajectory.append(frame)


def read_frame(path: Path) -> Frame:
    """Read the last frame of a file, which may have one alone, as it was written."""
    with gsd.hoomd.open(path, 'r') as trajectory:
        return trajectory[-1]
