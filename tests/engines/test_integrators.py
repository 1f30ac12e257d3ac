"""What the contract lets integrators do beyond one temperature in one box."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.systems import melt, state_point
from workflow.engines.contract import (
    ConstantEnergy,
    ConstantVolume,
    Engine,
    Integrator,
    Langevin,
    Ramp,
    in_shorter_steps,
)
from workflow.stages.trajectory_writer import frame_with_state

STEPS = 4000
RAMP = Ramp(1.0, 3.0, STEPS)


@pytest.mark.parametrize(
    'integrator', [ConstantVolume(0.002, RAMP, 0.05), Langevin(0.002, RAMP, 10.0)]
)
def test_a_temperature_follows_its_ramp_also_where_a_run_resumes(
    engine: Engine, integrator: Integrator
) -> None:
    """Beads far apart: their kinetic energy is 3/2 kT each, at every moment of the ramp."""
    frame, field = melt(
        state_point('kremer_grest', {'M': 1.0}, chains=1000, degree_of_polymerisation=1)
    )
    n = int(frame.particles.N)
    corners = np.stack(np.meshgrid(*[np.arange(10) * 4.0 - 18.0] * 3), axis=-1).reshape(-1, 3)
    frame.configuration.box = [40, 40, 40, 0, 0, 0]
    frame.particles.position = corners[:n]
    frame.particles.image = np.zeros((n, 3), dtype=np.int32)
    frame.particles.velocity = np.random.default_rng(1).normal(size=(n, 3))
    for first in (0, STEPS // 2):
        simulation = engine.simulation(frame, field, integrator, None, 1, log_period=20)
        for _ in range(10):
            simulation.run(STEPS // 20)
        rows, state = simulation.take_thermo_rows(), simulation.state()
        simulation.close()
        frame = frame_with_state(frame, state)
        found = rows[:, 2] * 2 / (3 * n - 3)
        expected = RAMP.start + (RAMP.end - RAMP.start) * rows[:, 0] / STEPS
        assert rows[0, 0] == first + 20
        late = slice(20, None)  # the bath takes 0.1 tau to be followed
        assert found[late].mean() == pytest.approx(expected[late].mean(), rel=0.06)


def test_a_ramp_takes_as_much_time_in_shorter_steps() -> None:
    shorter = in_shorter_steps(ConstantVolume(0.01, RAMP, 0.5), 5)
    assert shorter == ConstantVolume(0.002, replace(RAMP, steps=5 * STEPS), 0.5)
    assert in_shorter_steps(ConstantEnergy(0.01), 5) == ConstantEnergy(0.002)
