"""Paths of particles from frame to frame: unwrapped, and less the drift of the whole system."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.geometry.box import Box
from analysis.geometry.chains import count_molecules
from analysis.geometry.topology import NO_IMAGES, Snapshot, Topology
from user_input import count_of

# Of so few, each has 1 % or more of the centre of mass, and no melt has so few.
FEWEST_OF_A_SYSTEM = 100
# LAMMPS keeps images in 10 bits, -512 to 511, or in 21, of which this is a part.
IMAGE_PERIOD = 1024
# Of the box, as parts of its edges; that of melts at a constant isotropic pressure is less.
LARGEST_DEFORMATION = 0.02
CONSTANT_IMAGES = 'particles cross the boundary and no image changes: ' + NO_IMAGES

DRIFT_OPTION: dict[str, Any] = {
    'help': 'motion of the centre of mass; default: remove where the file has the whole system',
    'choices': ('remove', 'keep'),
}


def why_partial(topology: Topology) -> str:
    """Say why the centre of mass is not that of a system, or its motion no drift; empty if it is.

    Where particles are only some of a system, the motion of their centre of mass is their own.
    """
    n = len(topology.typeid)
    if topology.is_whole is False:
        return 'the file has only some particles of the system'
    if count_molecules(n, topology.bonds) == 1:
        return 'a single molecule moves by itself'
    if topology.is_whole is None and not topology.is_neutral:
        return f'the {n} particles are charged, so they are only some of the system'
    if topology.is_whole is None and n < FEWEST_OF_A_SYSTEM:
        return f'{n} particles may be only some of the system'
    return ''


class Paths:
    """Follows the particles of a run through its frames, in their order.

    Attributes:
        drift: What is done about the motion of the centre of mass, and why.
    """

    def __init__(self, topology: Topology, drift: str | None) -> None:
        self._before: Snapshot | None = None
        # How often the images of each particle have run over, (N, 3).
        self._periods: IntArray | None = None
        self._has_jumped = self._has_crossed = False
        self._first_box: Box | None = None
        # Particles that have not moved since the first frame, and their places.
        self._held: tuple[IntArray, FloatArray] | None = None
        self._is_asked = drift is not None
        self._deformation = 0.0
        reason = '--drift' if drift else why_partial(topology)
        if drift == 'keep' or (drift is None and reason):
            self.drift = f'the motion of the centre of mass is kept ({reason})'
            self._weights = np.zeros(len(topology.mass))
            return
        n = len(topology.mass)
        self.drift = f'the drift of the centre of mass of the {n} particles is taken off'
        if topology.is_whole is None:
            self.drift += ' (if the file has only some of the system: --drift keep)'
        # Where no masses are known they may be 0.
        mass = topology.mass if np.any(topology.mass) else np.ones(n)
        self._weights = mass / mass.sum()

    def unwrapped(self, snapshot: Snapshot) -> FloatArray:
        """Unwrap the next frame, (N, 3), where image flags run over too; UserError without images.

        Between two frames no particle crosses half of IMAGE_PERIOD boxes.
        """
        images, before = snapshot.images, self._before
        self._before = snapshot
        self._first_box = self._first_box or snapshot.box
        # Whole numbers are other edges of the same lattice.
        edges = self._first_box.fractions(snapshot.box.matrix)
        self._deformation = max(self._deformation, float(np.abs(edges - np.rint(edges)).max()))
        if images is not None and before is not None and before.images is not None:
            jump = images - before.images
            self._has_crossed = self._has_crossed or bool(jump.any())
            if not self._has_crossed:
                moved = snapshot.box.fractions(snapshot.positions - before.positions)
                self._has_jumped |= bool(np.any(np.abs(moved) > 0.5))
            if max(jump.max(), -jump.min()) >= IMAGE_PERIOD // 2:
                if self._periods is None:
                    warnings.warn(
                        f'step {snapshot.step}: image flags ran over, as those of LAMMPS do (10 '
                        'bits: -512 to 511). They are continued from frame to frame.',
                        stacklevel=1,
                    )
                    self._periods = np.zeros_like(images)
                self._periods = self._periods + np.rint(jump / IMAGE_PERIOD).astype(np.int64)
            if self._periods is not None:
                snapshot = replace(snapshot, images=images - IMAGE_PERIOD * self._periods)
        unwrapped = snapshot.unwrapped
        if self._held is None:
            self._held = np.arange(len(unwrapped)), unwrapped
        particles, places = self._held
        stays = np.all(unwrapped[particles] == places, axis=1)
        self._held = particles[stays], places[stays]
        return unwrapped

    @property
    def refusal(self) -> str:
        """Why the paths through all frames so far are not those of particles; empty if they are."""
        if self._has_jumped and not self._has_crossed:
            return CONSTANT_IMAGES
        if self._deformation > LARGEST_DEFORMATION:
            return (
                f'the box is deformed by {100 * self._deformation:.2g} %, which moves particles '
                'too. Give frames of one shape (--first-frame), or a run at constant volume.'
            )
        n_held = 0 if self._held is None or self._is_asked else len(self._held[0])
        if 0 < n_held < len(self._weights) and self._weights.any():
            return (
                f'{count_of(n_held, "particle")} held in place: the centre of mass moves by the '
                'motion of the rest, which is no drift. Say what to do with it: --drift keep.'
            )
        return ''

    def without_drift(self, positions: FloatArray) -> FloatArray:
        """Take off the motion of the centre of mass, if that is asked for, shape (N, 3)."""
        moved: FloatArray = positions - self._weights @ positions
        return moved
