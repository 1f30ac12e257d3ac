"""Which Coulomb meshes a run of a stage had: chosen when it begins, resumes, or its box changes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workflow.electrostatics.mesh import CoulombMesh
from workflow.engines.contract import ConstantPressure, Integrator, State

# At constant pressure a mesh is chosen again when an edge has changed by this much.
_BOX_TOLERANCE = 0.02
# No longer than this does a box that a barostat moves go unseen.
_SHARE_OF_BAROSTAT_TIME = 0.1
# A box that swings for a long time must not fill the job document.
_MOST_FIRST, _MOST_LAST = 20, 20


@dataclass
class MeshChoices:
    """Every choice of one process, in order; in the middle of very many, only their number.

    `report` is given `as_dict` at each choice: a run that is killed has recorded its meshes.
    """

    report: Callable[[dict[str, Any]], Any] = lambda _: None
    kept: list[dict[str, Any]] = field(default_factory=list)
    number: int = 0

    def add(self, purpose: str, state: State, mesh: CoulombMesh) -> None:
        """Add a choice, as the engine has it, for a stage or segment."""
        chosen = {'for': purpose, 'step': state.step, 'box': state.box.tolist()} | asdict(mesh)
        self.number += 1
        self.kept.append(chosen)
        del self.kept[_MOST_FIRST:-_MOST_LAST]
        self.report(self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for the job document; empty without any."""
        if not self.number:
            return {}
        return {'meshes': self.kept[:], 'meshes_chosen': self.number}


def steps_between_looks(integrator: Integrator) -> int:
    """Count the steps between two looks at a box that moves; very many where it does not.

    Looks are at the multiples of this number. A new mesh changes the motion, so that the speed of
    a machine must not decide when it is chosen.
    """
    if not isinstance(integrator, ConstantPressure):
        return sys.maxsize
    longest = _SHARE_OF_BAROSTAT_TIME * integrator.barostat_time
    return max(1, int(longest / integrator.time_step))


def box_has_changed(before: NDArray[np.float64], now: NDArray[np.float64]) -> bool:
    """Check whether a mesh chosen for the edges `before` is to be chosen again for `now`."""
    return bool(np.abs(now / before - 1).max() > _BOX_TOLERANCE)
