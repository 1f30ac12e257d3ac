"""LAMMPS against stored values of HOOMD-blue: a drift of the force field shows without HOOMD."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.force_field import ForceField
from validation.record_hoomd import Recorded, load, names, path_of
from validation.sections import recorded


@pytest.mark.parametrize('name', names())
def test_a_stored_frame_is_as_hoomd_saw_it(name: str) -> None:
    energy, force, pressure, _ = recorded.differences(name, 'lammps')
    tolerance = recorded.tolerance_of(name)
    assert energy < tolerance
    assert force < tolerance
    assert pressure < tolerance


def test_the_stored_frames_are_small() -> None:
    assert sum(path_of(name).stat().st_size for name in names()) < 1_000_000


def test_a_wrong_mixing_rule_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(name: str) -> Recorded:
        stored = load(name)
        return replace(stored, sample=replace(stored.sample, field=geometric(stored.sample.field)))

    monkeypatch.setattr(recorded, 'load', changed)
    _, force, _, _ = recorded.differences('isp, LSP 1/2', 'lammps')
    assert force > 10 * recorded.tolerance_of('isp, LSP 1/2')


def geometric(field: ForceField) -> ForceField:
    sigma = (field.sigma[:, None] * field.sigma) ** 0.5
    cutoff = field.pair_cutoff * sigma / field.pair_sigma
    return replace(field, pair_sigma=sigma, pair_cutoff=cutoff)
