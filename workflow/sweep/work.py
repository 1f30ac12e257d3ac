"""How much work a job is, to start the longest first."""

from __future__ import annotations

from collections.abc import Mapping

from models.model import Model
from models.model_checks import counter_ions_of
from workflow.sweep.limits import Limits
from workflow.sweep.state_point import StatePoint

# Steps of charged melts took 2 to 4 times as long per bead as those of neutral ones (LAMMPS, 700 to
# 1,000 beads on one core, relative force error 1e-2).
CHARGED = 3.0


def estimated_work(point: StatePoint, model: Model, limits: Mapping[str, Limits]) -> float:
    """Estimate the work of a job, in bead-steps of a neutral melt, all stages at their longest."""
    monomers = {name: model.monomers[name] for name in point.composition}
    beads = sum(
        point.composition[name] * (len(each.beads) + sum(counter_ions_of(model, name).values()))
        for name, each in monomers.items()
    )
    stages = point.protocol
    steps = (
        len(stages.push_off.heights) * stages.push_off.steps
        + stages.anneal.steps
        + stages.anneal.cooling_steps
        + sum(stage.maximum_steps for stage in limits.values())
    )
    charges = [model.beads[bead].charge for each in monomers.values() for bead in each.beads]
    factor = CHARGED if point.bjerrum_length > 0 and any(charges) else 1.0
    return factor * point.chains * point.degree_of_polymerisation * beads * steps
