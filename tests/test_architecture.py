"""The examples of ARCHITECTURE.md do what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.io.array_trajectory import ArrayTrajectory
from analysis.sampling.run import Run
from analysis.serialise import from_json, to_json
from models.melt import build_melt
from models.model import load_model
from tests.systems import state_point
from workflow.engines import contract
from workflow.engines.contract import Ramp

PAGE = (Path(__file__).parents[1] / 'ARCHITECTURE.md').read_text()


def example(name: str) -> str:
    """The one block of code of this name."""
    (found,) = re.findall(rf'^```\w+ {name}\n(.*?)^```$', PAGE, flags=re.DOTALL | re.MULTILINE)
    return str(found)


def executed(name: str) -> dict[str, Any]:
    names: dict[str, Any] = {'__name__': __name__}
    exec(example(name), names)
    return names


def test_observable(monkeypatch: pytest.MonkeyPatch) -> None:
    names = executed('observable')
    for each in ('BondResult',):
        monkeypatch.setitem(globals(), each, names[each])
    steps = np.random.default_rng(1).normal(0, 0.1, size=(50, 1, 3))
    positions = np.array([[0.0, 0, 0], [0, 0, 1.1]]) + np.cumsum(steps, axis=0)
    observable = names['BondLength']()
    run = Run(ArrayTrajectory(positions, 3.0, bonds=[[0, 1]]))
    assert observable.applies_to(run.topology)
    result = observable.compute(run)
    (quantity,) = observable.quantities(result)
    assert quantity.estimate.value == pytest.approx(1.1)
    assert quantity.name in observable.quantity_names((), ())
    monkeypatch.setitem(globals(), 'Estimate', names['Estimate'])
    assert from_json(observable.result, to_json(result)) == result


def test_stage() -> None:
    cool = executed('stage')['cool']
    point = state_point('kremer_grest', {'M': 1.0})
    integrator = cool.integrator(point.model_copy(update={'pressure': 0.0, 'density': None}))
    assert integrator.kT == Ramp(point.kT, 0.3, 100_000)
    assert cool.product('cool_thermo.h5').made_by == 'cool'
    assert cool.last_product == 'cool.gsd'


def test_engine() -> None:
    for line in example('engine').strip().splitlines():
        name, members = line.split(': ')
        protocol = getattr(contract, name)
        own = {each for each in vars(protocol) if not each.startswith('_')}
        assert own == set(members.split(', ')), name


def test_model(tmp_path: Path) -> None:
    path = tmp_path / 'mine.toml'
    path.write_text(example('model'))
    model = load_model(path)
    frame = build_melt(
        model, composition={'U': 1.0}, chains=2, degree_of_polymerisation=5, density=None, seed=1
    )
    assert frame.particles.N == 30
    assert np.sum(frame.particles.charge) == pytest.approx(0)


def test_every_room_is_on_the_page() -> None:
    root = Path(__file__).parents[1]
    for folder in ('analysis', 'workflow'):
        for room in (root / folder).iterdir():
            if (room / '__init__.py').exists():
                assert re.search(rf'\b{room.name}\b', PAGE), room.name
