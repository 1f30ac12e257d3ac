"""Frames of a stage in one GSD file, with images, appended from a checkpoint on."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

import gsd.fl
import gsd.hoomd
import numpy as np
from gsd.hoomd import Frame

from workflow.engines.contract import State

# The chunks of a frame after the first; all else is taken from the first by every reader.
_MOVING = ('configuration/step', 'configuration/box', 'particles/position', 'particles/image')


class TrajectoryLog:
    """Appends frames, from a given number of frames on."""

    def __init__(self, path: Path, topology: Frame, time_step: float, keep: int) -> None:
        """Open `path` and cut it back to its first `keep` frames, which it must hold."""
        if keep:
            _keep_frames(path, keep)
        self._path = path
        self._trajectory = gsd.hoomd.open(path, 'r+' if keep else 'w')
        self._topology = topology
        self._time_step = time_step
        self.frames = keep

    def append(self, state: State) -> None:
        """Append the positions, images and box of `state`."""
        if self.frames == 0:
            first = frame_with_state(self._topology, state)
            first.particles.velocity = None
            first.log = dict(self._topology.log) | {'time_step': np.array([self._time_step])}
            self._trajectory.append(first)
        else:
            file = self._trajectory.file
            box = np.concatenate([state.box, np.zeros(3)])
            file.write_chunk('configuration/step', np.array([state.step], dtype=np.uint64))
            file.write_chunk('configuration/box', box.astype(np.float32))
            file.write_chunk('particles/position', state.positions.astype(np.float32))
            file.write_chunk('particles/image', state.images.astype(np.int32))
            file.end_frame()
        self.frames += 1

    def flush(self) -> None:
        """Bring all frames to disk."""
        self._trajectory.flush()
        _synchronise(self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._trajectory.close()


def frame_with_state(topology: Frame, state: State) -> Frame:
    """The topology of one frame with the positions, velocities, box and step of `state`."""
    frame = Frame()
    frame.configuration.step = state.step
    frame.configuration.box = np.concatenate([state.box, np.zeros(3)])
    source, particles = topology.particles, frame.particles
    particles.N, particles.types = source.N, source.types
    particles.typeid, particles.mass, particles.charge = source.typeid, source.mass, source.charge
    particles.position, particles.image = state.positions, state.images
    particles.velocity = state.velocities
    frame.bonds, frame.angles = topology.bonds, topology.angles
    frame.log = dict(topology.log)
    return frame


def write_frame(path: Path, frame: Frame) -> None:
    """Write one frame in double precision, under a temporary name until it is whole."""
    temporary = path.with_name(path.name + '.temporary')
    with gsd.hoomd.open(temporary, 'w', precision='double') as trajectory:
        trajectory.append(frame)
    _synchronise(temporary)
    os.replace(temporary, path)


def read_frame(path: Path) -> Frame:
    """Read the only frame of a file in double precision."""
    with gsd.hoomd.open(path, 'r', precision='double') as trajectory:
        return trajectory[0]


def whole_frames(path: Path) -> int:
    """How many frames a file holds; 0 if there is none, or if it cannot be read."""
    if not path.exists():
        return 0
    try:
        with gsd.fl.open(path, 'r') as file:
            return int(file.nframes)
    except (OSError, RuntimeError):
        return 0


def _keep_frames(path: Path, keep: int) -> None:
    """Cut the file back to `keep` frames by copying them: GSD cannot drop frames in place."""
    with gsd.fl.open(path, 'r') as source:
        if source.nframes == keep:
            return
        temporary = path.with_name(path.name + '.temporary')
        with gsd.fl.open(
            temporary,
            'w',
            application=source.application,
            schema=source.schema,
            schema_version=list(source.schema_version),
        ) as target:
            for frame in range(keep):
                names = source.find_matching_chunk_names('') if frame == 0 else _MOVING
                for name in names:
                    if source.chunk_exists(frame=frame, name=name):
                        target.write_chunk(name, source.read_chunk(frame=frame, name=name))
                target.end_frame()
    _synchronise(temporary)
    os.replace(temporary, path)


def _synchronise(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
