"""What is refused, or warned of, before a melt is equilibrated at constant pressure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.pair_potentials import Mie, PairPotential, Tabulated, ion_solvation
from tests.systems import melt, state_point
from user_input import UserError
from workflow.stages.held_at_pressure import attracts, check_held_at_pressure
from workflow.sweep.state_point import StatePoint


def check(point: StatePoint) -> str:
    frame, field = melt(point)
    return check_held_at_pressure(point, 0.85, frame, field)


def at_pressure(pressure: float, **changes: object) -> StatePoint:
    values: dict[str, object] = {'density': None, 'pressure': pressure}
    return state_point('isp', {'DOPA': 1.0}, **values | changes)


# The cut-off of 2.5 sigma and the buffer ask for an edge of 5.98: 214 beads at 1 per sigma^3.
@pytest.mark.parametrize(
    ('repeat_units', 'outcome'), [(17, 'refused'), (18, 'warned'), (20, 'nothing')]
)
def test_a_box_that_may_shrink_too_far_is_told_of(repeat_units: int, outcome: str) -> None:
    point = at_pressure(0.0, chains=4, degree_of_polymerisation=repeat_units)
    if outcome == 'refused':
        with pytest.raises(UserError, match=r'5\.89 sigma.*5\.98.*as many beads'):
            check(point)
    else:
        assert bool(check(point)) == (outcome == 'warned')
    at_density = at_pressure(0.0).model_copy(update={'pressure': None, 'density': 0.85})
    assert not check(at_density)


def test_what_attracts_nowhere_evaporates() -> None:
    repulsive = state_point('kremer_grest', {'M': 1.0}, density=None, pressure=0.0, chains=30)
    with pytest.raises(UserError, match=r'grid\.density.*0\.85.*pressure above 0'):
        check(repulsive)
    assert not check(repulsive.model_copy(update={'pressure': 1.0}))
    frame, field = melt(repulsive)
    assert not attracts(frame, field)
    frame, field = melt(at_pressure(0.0))
    assert attracts(frame, field)


def test_charges_alone_may_be_too_weak() -> None:
    ionene = state_point(
        'ionene', {'N': 0.8, 'I': 0.2}, density=None, pressure=0.0, chains=30, bjerrum_length=35.7
    )
    assert 'nothing but charges attracts' in check(ionene)
    assert not check(ionene.model_copy(update={'pressure': 1.0}))
    with pytest.raises(UserError, match='evaporate'):
        check(ionene.model_copy(update={'bjerrum_length': 0.0}))


@pytest.mark.parametrize(
    ('extra', 'expected'),
    [
        (Mie(1.0, 1.0, 16.0, 7.0, 2.5), True),
        (ion_solvation(1.0, 1.0, 3.0), True),
        (Tabulated(np.linspace(0, 2, 9), np.linspace(2, 0, 9) ** 2), False),
    ],
)
def test_what_acts_beside_lennard_jones_may_attract(extra: PairPotential, expected: bool) -> None:
    frame, field = melt(state_point('kremer_grest', {'M': 1.0}))
    assert attracts(frame, replace(field, extra_pairs={(0, 0): extra})) == expected
