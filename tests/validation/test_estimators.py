"""The closed forms that the estimators are held against."""

from __future__ import annotations

import pytest

from validation.sections.estimators import ROTATION, rate_of_turns


@pytest.mark.parametrize('degree', [1, 2])
def test_short_steps_turn_as_diffusion_on_a_sphere(degree: int) -> None:
    assert rate_of_turns(degree) == pytest.approx(degree * (degree + 1) * ROTATION, rel=0.005)
