"""How much work a job is, to start the longest first."""

from __future__ import annotations

from collections.abc import Mapping

from models.free_molecules import beads_in_melt
from models.model import Model
from workflow.sweep.limits import Limits
from workflow.sweep.state_point import StatePoint

# Steps of charged melts took 2 to 4 times as long per bead as those of neutral ones (LAMMPS, 700 to
# 1,000 beads on one core, relative force error 1e-2).
CHARGED = 3.0


def estimated_work(point: StatePoint, model: Model, limits: Mapping[str, Limits]) -> float:
    """Estimate the work of a job, in bead-steps of a neutral melt, all stages at their longest."""
    units = point.chains * point.degree_of_polymerisation
    monomers = {name: fraction * units for name, fraction in point.composition.items()}
    beads = beads_in_melt(model, monomers, point.density or model.density)
    stages = point.protocol
    steps = (
        len(stages.push_off.heights) * stages.push_off.steps
        + stages.anneal.steps
        + stages.anneal.cooling_steps
        + sum(stage.maximum_steps for stage in limits.values())
        + (stages.dense_sample.steps if stages.dense_sample else 0)
    )
    is_charged = bool(model.salts) or any(
        model.beads[bead].charge for name in monomers for bead in model.monomers[name].beads
    )
    return (CHARGED if point.bjerrum_length > 0 and is_charged else 1.0) * beads * steps
