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
