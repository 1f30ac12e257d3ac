"""Calls of rank 0 that the ranks which follow it make too."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import needs_hoomd
from user_input import UserError
from validation.systems import random_ions
from workflow.engines.contract import ConstantEnergy, Engine
from workflow.engines.mpi import follow
from workflow.engines.selection import chosen_engine
from workflow.engines.settings import EngineChoice


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


@pytest.mark.hoomd
@needs_hoomd
def test_several_ranks_of_hoomd_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match='does not run over several MPI ranks'):
        chosen_engine(EngineChoice('hoomd', ranks=2))
    monkeypatch.setenv('PMI_SIZE', '2')  # as a launcher sets it that was started by hand
    with pytest.raises(UserError, match='does not run over several MPI ranks'):
        chosen_engine(EngineChoice('hoomd'))
    assert chosen_engine(EngineChoice('lammps', ranks=2)) == 'lammps'
