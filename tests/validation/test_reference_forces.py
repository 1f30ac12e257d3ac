"""The reference sums are the derivatives of their own energies."""

from __future__ import annotations

import numpy as np
import pytest

from validation.sections.forces import MELTS, sample_of
from validation.sections.reference_forces import ReferenceSum, central_difference


@pytest.mark.parametrize(
    'name', ['isp, LSP 1/2', 'harmonic angles and bonds', 'neutral_control', 'every term']
)
def test_forces_and_virial_are_derivatives_of_the_energy(name: str) -> None:
    sample = sample_of(name, 0)
    state = sample.state
    result = ReferenceSum(sample.frame, sample.field)
    direction = np.random.default_rng(1).standard_normal(state.positions.shape)

    def moved(step: float) -> float:
        at = sample.at(state.positions + step * direction)
        return sum(ReferenceSum(at.frame, at.field).energies.values())

    def stretched(step: float) -> float:
        factor = np.exp(step)
        at = sample.at(state.positions * factor, state.box * factor)
        return sum(ReferenceSum(at.frame, at.field).energies.values())

    force = float(np.sum(result.forces * direction))
    scale = float(np.sqrt(np.sum(result.forces**2)))
    assert -central_difference(moved, 1e-6) == pytest.approx(force, abs=1e-5 * scale)
    virial = result.virial
    assert -central_difference(stretched, 1e-7) == pytest.approx(virial, rel=1e-5, abs=0.01)


def test_all_shipped_models_are_compared() -> None:
    from models.model import shipped_models

    assert set(shipped_models()) <= {model for model, _, _ in MELTS.values()}
