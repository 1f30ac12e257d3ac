"""Small systems that the tests of the workflow share."""

from __future__ import annotations

from gsd.hoomd import Frame

from models.force_field import ForceField, force_field
from models.melt import build_melt
from models.model import load_model
from workflow.sweep.state_point import StatePoint

COULOMB_ERROR = 1e-3


def state_point(model: str, composition: dict[str, float], **changes: object) -> StatePoint:
    values: dict[str, object] = {
        'model': model,
        'model_hash': 'test',
        'composition': composition,
        'chains': 8,
        'degree_of_polymerisation': 10,
        'kT': 1.0,
        'density': 0.85,
        'bjerrum_length': 16.0 if model == 'isp' else 0.0,
        'replica': 0,
        'protocol': {
            'push_off': {'steps': 200},
            'anneal': {'steps': 200, 'cooling_steps': 200},
            'coulomb_error': COULOMB_ERROR,
        },
    }
    return StatePoint.model_validate(values | changes)


def melt(point: StatePoint, seed: int = 1) -> tuple[Frame, ForceField]:
    model = load_model(point.model)
    frame = build_melt(
        model,
        composition=point.composition,
        chains=point.chains,
        degree_of_polymerisation=point.degree_of_polymerisation,
        density=point.density,
        seed=seed,
    )
    return frame, force_field(model, point.bjerrum_length)


def small_sweep(
    compositions: str,
    replicas: int = 1,
    length: int = 10,
    steps: int = 2560,
    doublings: int = 4,
    period: int = 10,
) -> str:
    """The file of a sweep that takes seconds: eight chains, a few hundred steps to prepare."""
    return f"""
name = 'small'
model = 'isp'
replicas = {replicas}
compositions = [{compositions}]

[grid]
chains = 8
degree_of_polymerisation = {length}
density = 0.85

[protocol]
time_step = 0.01
log_period = {period}
coulomb_error = 1e-2
push_off = {{ steps = 100 }}
anneal = {{ kT = 1.5, steps = 100, cooling_steps = 100 }}
equilibrate = {{ minimum_steps = 400, maximum_steps = 400 }}

[protocol.sample]
minimum_steps = {steps}
maximum_steps = {steps}
shortest_interval = {period}
doublings = {doublings}
"""
