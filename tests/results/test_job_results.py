"""Results of a job as they are read back: whole, of their type, or told."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from analysis.observables import OBSERVABLES
from analysis.observables.chain_sizes import ChainSizes
from analysis.serialise import to_json
from models.model import load_model
from models.molecules import Monomer
from tests.results.builders import job, state_point
from user_input import UserError
from workflow.jobs.files import DEFINITIONS
from workflow.results.analyse import observables_of
from workflow.results.job_results import JobResult, read_job_result


def write(folder: Path, result: JobResult, refusals: dict[str, str]) -> dict[str, Any]:
    contents = {}
    (folder / DEFINITIONS).touch()
    for observable in OBSERVABLES:
        found = result.outcomes[observable.name].result
        contents[observable.name] = {
            'refusal': refusals.get(observable.name, ''),
            'result': None if found is None else json.loads(to_json(found)),
        }
        text = json.dumps(contents[observable.name])
        (folder / f'{observable.name}.json').write_text(text)
    return contents


def test_what_is_written_is_read(tmp_path: Path) -> None:
    one = job(0.5)
    write(tmp_path, one, {'stress': 'too few rows'})
    result = read_job_result(tmp_path, state_point(0.5))
    assert result is not None
    for name in ('thermodynamics', 'clusters', 'relaxation'):
        assert result.quantities(name) == one.quantities(name)
        assert result.curves(name).keys() == one.curves(name).keys()
    assert result.outcomes['stress'].refusal == 'too few rows'
    assert (result.quantities('stress'), result.curves('msd')) == ([], {})


def test_chains_of_a_job_are_those_of_its_model() -> None:
    unit = Monomer(beads=('M', 'M'), bonds=((0, 1, 'inner'),), backbone=(0, 1))
    model = load_model('kremer_grest').model_copy(update={'monomers': {'U': unit}})
    for observable, told in zip(OBSERVABLES, observables_of(model), strict=True):
        if isinstance(observable, ChainSizes):
            assert told == ChainSizes(bond_type=('backbone', 'inner'))
        else:
            assert told is observable


def test_a_job_is_read_only_when_all_its_results_are_there(tmp_path: Path) -> None:
    write(tmp_path, job(0.5), {})
    (tmp_path / 'structure_factor.json').unlink()
    assert read_job_result(tmp_path, state_point(0.5)) is None


@pytest.mark.parametrize(
    ('name', 'way', 'value'),
    [
        *itertools.product(('clusters', 'relaxation', 'msd'), [()], ({}, [], None, 1)),
        ('clusters', ('result',), {}),
        ('clusters', ('result', 'n_ions'), 'many'),
        ('clusters', ('result', 'estimates'), None),
        ('clusters', ('result', 'estimates', 'free_ion_fraction'), 1.0),
        ('clusters', ('result', 'contact_distances'), None),
        ('clusters', ('result', 'number_distribution', 'values'), ['a']),
        ('relaxation', ('result', 'time_unit'), 1),
        ('relaxation', ('result', 'p2', 'backbone', 'decay', 'mean'), 1.0),
        ('thermodynamics', ('result', 'density'), 0.8),
        ('thermodynamics', ('result', 'density', 'value'), 'dense'),
    ],
    ids=str,
)
def test_a_result_of_another_shape_is_told(
    tmp_path: Path, name: str, way: tuple[str, ...], value: object
) -> None:
    contents: Any = write(tmp_path, job(0.5), {})
    holder, key = contents, name
    for part in way:
        holder, key = holder[key], part
    assert key in holder
    holder[key] = value
    (tmp_path / f'{name}.json').write_text(json.dumps(contents[name]))
    with pytest.raises(UserError, match=rf'{name}\.json: cannot be read .*Delete it'):
        read_job_result(tmp_path, state_point(0.5))
    (tmp_path / f'{name}.json').write_text('{"n_io')
    with pytest.raises(UserError, match=rf'{name}\.json: cannot be read'):
        read_job_result(tmp_path, state_point(0.5))
