"""Model files: what loads, what is refused, and what the refusal says."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from models.model import SHIPPED_MODELS, Model, load_model, shipped_models
from models.model_checks import counter_ions_of
from user_input import UserError, validate

VALID: dict[str, Any] = {
    'name': 'test',
    'description': 'a test',
    'beads': {
        'B': {'mass': 1.0},
        'P': {'mass': 1.0},
        'S': {'mass': 1.0, 'charge': -1.0},
        'Li': {'mass': 1.0, 'charge': 1.0, 'sigma': 0.5},
    },
    'default_pair': {'kind': 'wca'},
    'pairs': [{'beads': ['B', 'B'], 'kind': 'lj', 'cut': 2.5}],
    'bonds': {'backbone': {'kind': 'fene', 'k': 30.0, 'r0_max': 1.5}},
    'angles': {'bend': {'kind': 'harmonic', 'k': 1.0, 'theta0': 120.0}},
    'monomers': {
        'LSP': {
            'beads': ['B', 'P', 'S'],
            'bonds': [[0, 1, 'backbone'], [1, 2, 'backbone']],
            'angles': [[0, 1, 2, 'bend']],
        }
    },
    'backbone': {'bond': 'backbone'},
    'counter_ions': {'S': 'Li'},
    'bjerrum_length': 16.0,
    'density': 0.85,
}


def altered(*changes: tuple[str, Any]) -> dict[str, Any]:
    content = copy.deepcopy(VALID)
    for path, value in changes:
        *parents, last = path.split('/')
        table = content
        for key in parents:
            table = table[int(key) if isinstance(table, list) else key]
        table[last] = value
    return content


def test_valid_model_loads() -> None:
    assert counter_ions_of(validate(Model, VALID, 'm.toml'), 'LSP') == {'Li': 1}


BOND = 'backbone'
FAULTS = {
    'unknown key': ([('monomer', {})], ["unknown key 'monomer'", "'monomers'"]),
    'unknown key in a bond': (
        [('bonds/backbone', {'kind': 'fene', 'k': 30.0, 'r_max': 1.5})],
        ["unknown key 'bonds.backbone.r_max'", "Did you mean 'r0_max'?"],
    ),
    'negative spring': ([('bonds/backbone/k', -1.0)], ["'bonds.backbone.k'", 'greater than 0']),
    'undefined bead': (
        [('monomers/LSP/beads', ['B', 'P', 'SS'])],
        ["'SS'", 'not defined', "Did you mean 'S'?"],
    ),
    'undefined bead in a pair': ([('pairs/0/beads', ['B', 'Lii'])], ["'Lii'", "mean 'Li'?"]),
    'undefined bond': ([('backbone/bond', 'backbon')], ["'backbon'", "mean 'backbone'?"]),
    'undefined angle': ([('backbone/angle', 'bent')], ["'bent'", "mean 'bend'?"]),
    'undefined ion': ([('counter_ions', {'S': 'Lit'})], ["'Lit'", "mean 'Li'?"]),
    'negative mass': ([('beads/B/mass', -1.0)], ['beads.B.mass', 'greater than 0']),
    'zero sigma': ([('beads/B/sigma', 0.0)], ['beads.B.sigma', 'greater than 0']),
    'zero density': ([('density', 0.0)], ["'density'", 'greater than 0']),
    'charged bond': (
        [('beads/P/charge', -1.0), ('counter_ions', {'S': 'Li', 'P': 'Li'})],
        ["bonds the charged beads 'P' and 'S'", 'coulomb_between_bonded = true'],
    ),
    'charged backbone': (
        [('monomers/LSP/backbone', 2)],
        ["the backbone bonds the charged beads 'S' and 'S'"],
    ),
    'unconnected': (
        [('monomers/LSP/bonds', [[0, 1, BOND]]), ('monomers/LSP/angles', [])],
        ['[2] are not connected', "add the missing 'bonds'"],
    ),
    'backbone out of range': (
        [('monomers/LSP/backbone', 3)],
        ["'backbone' names bead 3", '0 to 2'],
    ),
    'doubled bond': (
        [('monomers/LSP/bonds', [[0, 1, BOND], [1, 2, BOND], [2, 1, BOND]])],
        ['[1, 2] are bonded 2 times'],
    ),
    'self bond': (
        [('monomers/LSP/bonds', [[0, 1, BOND], [1, 2, BOND], [2, 2, BOND]])],
        ['bead 2 is bonded to itself'],
    ),
    'angle off the bonds': (
        [('monomers/LSP/angles', [[1, 0, 2, 'bend']])],
        ['does not follow two bonds', 'the centre in the middle'],
    ),
    'short FENE': ([('bonds/backbone/r0_max', 1.1)], ['r0_max = 1.1', '1.122', 'larger']),
    'doubled pair': (
        [('pairs', [{'beads': ['B', 'P'], 'kind': 'wca'}, {'beads': ['P', 'B'], 'kind': 'none'}])],
        ["['B', 'P'] is 2 times", 'keep one'],
    ),
    'ambiguous pair': (
        [('pairs', [{'beads': ['B', '*'], 'kind': 'wca'}, {'beads': ['P', '*'], 'kind': 'none'}])],
        ["['B', 'P'] falls under both", 'name the pair itself'],
    ),
    'every pair': ([('pairs/0/beads', ['*', '*'])], ["'default_pair'"]),
    'lj without cut': ([('default_pair', {'kind': 'lj'})], ["needs 'cut'"]),
    'wca with cut': ([('default_pair', {'kind': 'wca', 'cut': 2.5})], ["takes no 'cut'"]),
    'no counter-ion': ([('counter_ions', {})], ["'LSP' keeps a charge of -1", 'for S']),
    'ion of the same sign': (
        [('beads/Li/charge', -1.0)],
        ["'Li' (charge -1) cannot neutralise 'S'", 'opposite charges'],
    ),
    'ion of another valency': (
        [('beads/Li/charge', 2.0)],
        ["0.5 counter-ions 'Li'", 'whole number'],
    ),
    'no Bjerrum length': ([('bjerrum_length', 0.0)], ["'bjerrum_length' must be given"]),
}


@pytest.mark.parametrize('fault', FAULTS)
def test_faults_are_named(fault: str) -> None:
    changes, expected = FAULTS[fault]
    with pytest.raises(UserError) as error:
        validate(Model, altered(*changes), 'm.toml')
    message = str(error.value)
    assert message.startswith('m.toml: ')
    for part in expected:
        assert part in message


def test_valencies_with_whole_ratio_are_accepted() -> None:
    changes = [('beads/S/charge', -2.0), ('counter_ions', {'S': 'Li'})]
    assert counter_ions_of(validate(Model, altered(*changes), 'm.toml'), 'LSP') == {'Li': 2}


def test_zwitterion_needs_no_counter_ion() -> None:
    content = altered(
        ('monomers/LSP/beads', ['Li', 'B', 'S']), ('monomers/LSP/backbone', 1), ('counter_ions', {})
    )
    assert counter_ions_of(validate(Model, content, 'm.toml'), 'LSP') == {}


def test_content_hash_ignores_layout_only() -> None:
    reordered = dict(reversed(altered(('density', 0.85), ('description', 'other words')).items()))
    reordered['beads']['B'] = {'sigma': 1, 'charge': 0, 'mass': 1}
    original = validate(Model, VALID, 'm.toml').content_hash()
    assert validate(Model, reordered, 'm.toml').content_hash() == original
    assert len(original) == 64
    denser = validate(Model, altered(('density', 0.86)), 'm.toml')
    assert denser.content_hash() != original


def test_shipped_models_load_by_name_and_by_path() -> None:
    assert {'isp', 'kremer_grest', 'neutral_control'} <= set(shipped_models())
    for name in shipped_models():
        model = load_model(name)
        assert model.name == name
        assert load_model(SHIPPED_MODELS / f'{name}.toml') == model


def test_unknown_model_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UserError, match="'kremer-grest'.*Did you mean 'kremer_grest'"):
        load_model('kremer-grest')
    with pytest.raises(UserError, match='no such file'):
        load_model('nowhere/isp.toml')
