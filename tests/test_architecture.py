"""The examples of ARCHITECTURE.md, docs/models.md and docs/observables.md do what they say."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from analysis.io.array_trajectory import ArrayTrajectory
from analysis.observables import OBSERVABLES
from analysis.sampling.run import Run
from analysis.serialise import from_json, to_json
from models.architecture import Architecture
from models.chain_length import ChainLengths
from models.melt import build_melt
from models.model import load_model, shipped_models
from models.sequence import SequenceStatistics
from tests.systems import state_point
from workflow.engines import contract
from workflow.engines.contract import Ramp
from workflow.results.sweep_results import checked_report
from workflow.sweep.state_point import melt_of
from workflow.sweep.sweep_file import load_sweep, state_points

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / 'ARCHITECTURE.md').read_text()
MODELS = (ROOT / 'docs' / 'models.md').read_text()
MEASURED = (ROOT / 'docs' / 'observables.md').read_text()


def example(name: str, page: str = PAGE) -> str:
    """The one block of code of this name."""
    (found,) = re.findall(rf'^```\w+ {name}\n(.*?)^```$', page, flags=re.DOTALL | re.MULTILINE)
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


def test_model_with_ions_salt_and_molecules(tmp_path: Path) -> None:
    path = tmp_path / 'mine.toml'
    path.write_text(example('model', MODELS) + example('more', MODELS))
    frame = build_melt(
        load_model(path), composition={'N': 0.5, 'I': 0.5}, chains=4, degree_of_polymerisation=20,
        seed=1,
    )  # fmt: skip
    counts = np.bincount(frame.particles.typeid)
    numbers = dict(zip(frame.particles.types, counts.tolist(), strict=True))
    # 40 S; half of them on Li, half on Ca; and of the salt one CaCl2 to ten units.
    dumbbells = round(0.05 * frame.configuration.box[0] ** 3)
    ions = {'S': 40, 'Li': 20, 'Ca': 10 + 8, 'Cl': 16}
    assert numbers == {'B': 80, **ions, 'W': 2 * dumbbells}
    assert np.sum(frame.particles.charge) == pytest.approx(0)


def test_sweep_of_an_architecture(tmp_path: Path) -> None:
    path = tmp_path / 'mine.toml'
    path.write_text(example('sweep', MODELS))
    sweep, model = load_sweep(path)
    frame = melt_of(next(state_points(sweep, model)), model)
    ends = np.bincount(frame.bonds.group.ravel(), minlength=frame.particles.N)
    assert np.sum(frame.particles.charge) == pytest.approx(0)
    assert np.count_nonzero(ends == 3) > 4  # four cores, and what is pendant


def test_sweep_of_grids_and_what_it_computes(tmp_path: Path) -> None:
    path = tmp_path / 'mine.toml'
    head = "name = 'mine'\nmodel = 'isp'\ncompositions = [{ LSP = 1 }]\n"
    path.write_text(head + example('sweep', MEASURED))
    sweep, model = load_sweep(path)
    checked_report(path, sweep, model)
    sizes = [point.chains for point in state_points(sweep, model)]
    assert (sizes.count(12), sizes.count(200)) == (6 * 8, 2)


def test_every_observable_of_the_page_is_one() -> None:
    rows = re.findall(r'^\| [^|]*\? \| `(\w+)` \|.*\| `(\w+)`', MEASURED, flags=re.MULTILINE)
    names = {each.name: each.names for each in OBSERVABLES}
    assert len(rows) == 6
    for observable, quantity in rows:
        assert quantity in names[observable]


def test_kinds_of_sequences_architectures_and_lengths() -> None:
    kinds: TypeAdapter[Any] = TypeAdapter(SequenceStatistics | Architecture | ChainLengths)
    tables = re.findall(r'`(?:chain_lengths = )?(\{ kind = [^`]* \})`', MODELS)
    read = [kinds.validate_python(tomllib.loads(f'x = {table}')['x']) for table in tables]
    wanted = re.findall("'const': '(\\w+)'", str(kinds.json_schema()))
    assert {each.kind for each in read} == set(wanted)


def test_every_shipped_model_is_on_the_page() -> None:
    for name in shipped_models():
        assert f'| `{name}` |' in MODELS, name


def test_every_room_is_on_the_page() -> None:
    for folder in ('analysis', 'workflow'):
        for room in (ROOT / folder).iterdir():
            if (room / '__init__.py').exists():
                assert re.search(rf'\b{room.name}\b', PAGE), room.name
