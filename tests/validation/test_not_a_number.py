"""A number that is none fails its row, wherever among the errors it stands."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from validation.claim import Row, Verdict, worst
from validation.record_hoomd import Recorded, load
from validation.sections import ensembles, forces, recorded
from validation.sections.reference_forces import ReferenceSum
from workflow.engines.contract import THERMO_COLUMNS

NEUTRAL = 'kremer_grest'


def first(rows: Iterator[Row]) -> Row:
    return next(iter(rows))


@pytest.mark.parametrize('errors', list(permutations([1e-15, math.nan, 1e-16])))
def test_the_worst_of_errors(errors: tuple[float, ...]) -> None:
    assert math.isnan(worst(errors))
    assert worst(error for error in errors if not math.isnan(error)) == 1e-15


@pytest.mark.parametrize('place', range(3))
def test_a_difference_from_a_stored_frame(monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    found = [1e-15, 1e-16, 1e-17]
    monkeypatch.setattr(recorded, 'differences', lambda *_: (*found, '4.8'))
    assert first(recorded.against_recorded(NEUTRAL, 'lammps')).verdict is Verdict.PASS
    found[place] = math.nan
    assert first(recorded.against_recorded(NEUTRAL, 'lammps')).verdict is Verdict.FAIL


@pytest.mark.parametrize('term', ['pair', 'bond'])
def test_a_stored_energy(monkeypatch: pytest.MonkeyPatch, term: str) -> None:
    def damaged(name: str) -> Recorded:
        stored = load(name)
        return replace(stored, energies=stored.energies | {term: math.nan})

    monkeypatch.setattr(recorded, 'load', damaged)
    assert first(recorded.against_recorded(NEUTRAL, 'lammps')).verdict is Verdict.FAIL


@pytest.mark.parametrize('term', ['pair', 'bond', 'angle'])
def test_an_energy_summed_over_all_pairs(monkeypatch: pytest.MonkeyPatch, term: str) -> None:
    class Damaged(ReferenceSum):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            # The scale is a sum, NaN itself: only the error is asked about here.
            self.energies = Energies(self.energies | {term: math.nan})

    monkeypatch.setattr(forces, 'ReferenceSum', Damaged)
    assert first(forces.against_sums(NEUTRAL, 'lammps')).verdict is Verdict.FAIL


class Energies(dict[str, float]):
    """Whose values leave out what is not a number, as a scale may."""

    def values(self) -> Any:
        return [value for value in super().values() if not math.isnan(value)]


@pytest.mark.parametrize('direction', range(4))
def test_a_direction_of_a_force(monkeypatch: pytest.MonkeyPatch, direction: int) -> None:
    def error(sample: object, engine: str, mesh: object, seed: int) -> float:
        return math.nan if seed == direction else 1e-9

    monkeypatch.setattr(forces, 'directional_error', error)
    row = first(forces.against_calculus('neutral_control', 'lammps'))
    assert (row.verdict, 'nan' in row.measured) == (Verdict.FAIL, True)


@pytest.mark.parametrize('found', [(0.1, math.nan), (math.nan, 0.1)])
def test_a_kinetic_energy(monkeypatch: pytest.MonkeyPatch, found: tuple[float, float]) -> None:
    pytest.importorskip('physical_validation')
    case = ensembles.NEUTRAL
    rows = dict.fromkeys(THERMO_COLUMNS, np.random.default_rng(1).normal(1.0, 0.1, 5000))
    monkeypatch.setattr(ensembles, 'thermo_series', lambda *_: rows)
    for outcome, verdict in (((0.1, 0.2), Verdict.PASS), (found, Verdict.FAIL)):
        monkeypatch.setattr(ensembles, 'quietly', lambda *_, o=outcome, **__: o)
        row = first(ensembles.kinetic_energy(case, 'ConstantVolume, 1 tau', 'lammps'))
        assert row.verdict is verdict
