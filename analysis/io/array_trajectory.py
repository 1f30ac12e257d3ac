"""A trajectory made of arrays: for data from elsewhere, and for checks with known answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from analysis.arrays import FloatArray, IntArray
from analysis.geometry.box import Box
from analysis.geometry.topology import Snapshot, Topology


class ArrayTrajectory:
    """Unwrapped positions of a whole system; see `analysis.io.trajectory.Trajectory`.

    Args:
        positions: Unwrapped, shape (F, N, 3).
        box: Fixed: one edge length, three, or HOOMD's six numbers of a tilted box.
        steps: Step of each frame, shape (F,); by default 0, 1, 2, ...
        typeid: As the others in `Topology`; 0 by default, as `bond_typeid` and `charge`.
        bonds: Indices of the bonded particles, shape (M, 2).
        bond_typeid: Shape (M,).
        charge: Shape (N,).
        time_step: Duration of a step, if known.
    """

    def __init__(
        self,
        positions: ArrayLike,
        box: ArrayLike,
        *,
        steps: ArrayLike | None = None,
        typeid: ArrayLike | None = None,
        type_names: Sequence[str] = ('A',),
        bonds: ArrayLike = (),
        bond_type_names: Sequence[str] = ('backbone',),
        bond_typeid: ArrayLike | None = None,
        charge: ArrayLike | None = None,
        time_step: float | None = None,
    ) -> None:
        self.path = Path('arrays')
        self._positions: FloatArray = np.asarray(positions, dtype=np.float64)
        self._box = Box.of(box)
        n_frames, n = self._positions.shape[:2]
        self.steps = _whole(np.arange(n_frames) if steps is None else steps)
        self.time_step = time_step
        pairs = _whole(bonds).reshape(-1, 2)
        self.topology = Topology(
            type_names=tuple(type_names),
            typeid=_whole(np.zeros(n) if typeid is None else typeid),
            charge=np.zeros(n) if charge is None else np.asarray(charge, dtype=np.float64),
            mass=np.ones(n),
            bonds=pairs,
            bond_type_names=tuple(bond_type_names),
            bond_typeid=_whole(np.zeros(len(pairs)) if bond_typeid is None else bond_typeid),
            is_whole=True,
        )

    def __len__(self) -> int:
        return len(self.steps)

    def read(self, index: int) -> Snapshot:
        """Wrap the frame at `index`."""
        unwrapped = self._positions[index]
        return Snapshot(
            int(self.steps[index]), *self._box.wrap(unwrapped, np.zeros(unwrapped.shape))
        )


def _whole(values: ArrayLike) -> IntArray:
    return np.asarray(values, dtype=np.int64)
