"""Calls of rank 0 that the ranks which follow it make too."""

from __future__ import annotations

from typing import Any

from validation.systems import random_ions
from workflow.engines.contract import ConstantEnergy, Engine
from workflow.engines.mpi import follow


class Calls:
    """A communicator that rank 0 has sent these calls on; none of them is to abort."""

    def __init__(self, *calls: tuple[Any, ...]) -> None:
        self.left = list(calls)

    def bcast(self, _: None) -> tuple[Any, ...]:
        return self.left.pop(0)


def test_a_simulation_that_is_closed_may_be_asked_and_closed_again(engine: Engine) -> None:
    sample = random_ions(20, 0.1, 1.0, seed=1)
    setup = (sample.frame, sample.field, ConstantEnergy(0.005), None, 1, 0)
    calls = Calls(
        ('simulation', 0, setup, {}),
        ('simulation', 1, setup, {}),
        ('close', 0, (), {}),
        ('take_thermo_rows', 0, (), {}),
        ('close', 0, (), {}),
        ('run', 1, (3,), {}),
        ('close', 1, (), {}),
        ('release', 0, (), {}),
    )
    follow(engine, calls, lambda *_: None)
    assert not calls.left
