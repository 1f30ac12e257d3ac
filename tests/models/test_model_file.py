"""Model files: what loads, what is refused, and what the refusal says."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from models.force_field import force_field
from models.free_molecules import counter_ions_of
from models.model import SHIPPED_MODELS, Model, load_model, shipped_models
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
    assert counter_ions_of(validate(Model, VALID, 'm.toml'), {'LSP': 1}) == {'Li': 1}


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
    'too many counter-ions': (
        [('beads/K', {'charge': 1.0}), ('counter_ions/S', {'Li': 0.5, 'K': 0.6})],
        ["charge of 'S'", 'add up to 1.1'],
    ),
    'undefined ion of several': (
        [('counter_ions/S', {'Li': 0.5, 'Na': 0.5})],
        ["'counter_ions' uses the bead type 'Na'"],
    ),
    'counter-ions in a list': (
        [('counter_ions/S', ['Li', 'Na'])],
        ["'counter_ions.S': Input should be a valid string", "'counter_ions.S': give a table"],
    ),
    'bond without a type': ([('monomers/LSP/bonds', [[0, 1]])], ["'monomers.LSP.bonds.0.2'"]),
    'kind alone': (
        [('default_pair', 'wca'), ('bonds/backbone', 'fene')],
        ["'bonds.backbone': give a table of keys"],
    ),
    'kind that is none': (
        [('bonds/backbone/kind', 'fena')],
        ["'bonds.backbone': there is no kind 'fena'. Did you mean 'fene'?"],
    ),
    'no kind': ([('bonds/backbone', {'k': 30.0})], ["the key 'bonds.backbone.kind' is missing"]),
    'beads that are no list': ([('monomers/LSP/beads', 'BPS')], ["beads': give a list"]),
    'salt of two cations': (
        [('salts', {'X': {'cation': 'Li', 'anion': 'Li', 'number': 1}})],
        ["salt 'X'", "anion 'Li' 1"],
    ),
    'salt of no amount': (
        [('salts', {'X': {'cation': 'Li', 'anion': 'S'}})],
        ["one of 'per_monomer', 'number' and 'concentration'"],
    ),
    'salt of an undefined ion': (
        [('salts', {'X': {'cation': 'Lit', 'anion': 'S', 'number': 1}})],
        ["salt 'X' uses the bead type 'Lit'", "Did you mean 'Li'?"],
    ),
    'name of a monomer and a molecule': (
        [('molecules', {'LSP': {'beads': ['B'], 'number': 1}})],
        ["'LSP' names 2"],
    ),
    'molecule like a chain': (
        [('molecules', {'W': {'beads': ['B', 'B'], 'bonds': [[0, 1, 'backbone']], 'number': 1}})],
        ["molecule 'W' has bonds of the type 'backbone'", 'of its own'],
    ),
    'molecule in two parts': (
        [('molecules', {'W': {'beads': ['B', 'B'], 'number': 1}})],
        ["'molecules.W'", '[1] are not connected'],
    ),
    'charged molecule': (
        [
            ('molecules', {'W': {'beads': ['S'], 'number': 1}}),
            ('beads/Q', {'charge': 1.0}),
            ('counter_ions', {'S': 'Q'}),
        ],
        ["molecule 'W' keeps a charge of -1"],
    ),
    'two backbone beads that are none': (
        [('monomers/LSP/backbone', [0, 4])],
        ["'backbone' names bead 4"],
    ),
    'mie without exponents': (
        [('default_pair', {'kind': 'mie', 'cut': 2.5})],
        ["kind 'mie' needs 'n'"],
    ),
    'mie that does not repel': (
        [('default_pair', {'kind': 'mie', 'n': 6, 'm': 12, 'cut': 2.5})],
        ['n = 6 must be above m = 12'],
    ),
    'exponents of lj': (
        [('pairs/0/n', 12)],
        ["kind 'lj' takes no 'n'", "use kind 'mie'"],
    ),
    'table without numbers': (
        [('default_pair', {'kind': 'table'})],
        ["needs 'r' and 'energy', or a 'file'"],
    ),
    'table of unlike columns': (
        [('default_pair', {'kind': 'table', 'r': [0, 1, 2, 3], 'energy': [1, 0]})],
        ["'r' has 4 numbers and 'energy' 2"],
    ),
    'table that goes back': (
        [('default_pair', {'kind': 'table', 'r': [0, 2, 1, 3], 'energy': [3, 2, 1, 0]})],
        ['1 follows 2'],
    ),
    'table that begins on the wrong side of its core': (
        [('default_pair', {'kind': 'table', 'r': [1, 2, 3, 4], 'energy': [-2, -1, 0, 0]})],
        ['begins at r = 1', 'add rows at smaller r'],
    ),
    'solvation without a cut': ([('pairs/0/solvation', 3.0)], ['go together']),
    'solvation of nothing': (
        [('default_pair', {'kind': 'none', 'solvation': 3.0, 'solvation_cut': 5.0})],
        ["kind 'none' takes no 'solvation'", "'lj' or 'wca'"],
    ),
    'dihedrals': ([('dihedrals', {})], ["'dihedrals' cannot be simulated here", 'torsion']),
    'impropers of a monomer': (
        [('monomers/LSP/impropers', [[0, 1, 2, 3]])],
        ["'monomers.LSP': 'impropers' cannot be simulated here"],
    ),
    'Drude particles': ([('beads/S/drude', {'k': 1000})], ["'drude' cannot be", 'thermostats']),
    'crosslinks': ([('crosslinks', {'per_chain': 2})], ["'crosslinks' cannot be", 'network']),
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
    assert counter_ions_of(validate(Model, altered(*changes), 'm.toml'), {'LSP': 1}) == {'Li': 2}


def test_zwitterion_needs_no_counter_ion() -> None:
    content = altered(
        ('monomers/LSP/beads', ['Li', 'B', 'S']), ('monomers/LSP/backbone', 1), ('counter_ions', {})
    )
    assert counter_ions_of(validate(Model, content, 'm.toml'), {'LSP': 1}) == {}


@pytest.mark.parametrize('answer', [True, False])
def test_bonded_charges_are_taken_where_the_model_says_what_they_feel(answer: bool) -> None:
    changes = [('monomers/LSP/backbone', 2), ('coulomb_between_bonded', answer)]
    model = validate(Model, altered(*changes), 'm.toml')
    assert force_field(model).coulomb_between_bonded == answer
    unsaid = validate(Model, VALID, 'm.toml')
    said = validate(Model, altered(('coulomb_between_bonded', answer)), 'm.toml')
    assert said.content_hash() != unsaid.content_hash()


def test_a_table_in_a_file_is_part_of_the_model(tmp_path: Path) -> None:
    path, table = tmp_path / 'm.toml', tmp_path / 'well.txt'
    text = (SHIPPED_MODELS / 'kremer_grest.toml').read_text()
    pair = "[default_pair]\nkind = 'table'\n"
    path.write_text(text.replace("[default_pair]\nkind = 'wca'\n", pair + "file = 'well.txt'\n"))
    table.write_text('# r energy\n0.5 9\n0.8 4.5\n1.1 1\n1.5 0.25\n')
    model = load_model(path)
    assert model.default_pair.r == (0.5, 0.8, 1.1, 1.5)
    assert model.default_pair.energy == (9.0, 4.5, 1.0, 0.25)
    table.write_text('# r energy\n0.5 9\n0.8 4.5\n1.1 1.0000001\n1.5 0.25\n')
    assert load_model(path).content_hash() != model.content_hash()
    path.write_text(path.read_text().replace("file = 'well", "r = [0, 1]\nfile = 'well"))
    with pytest.raises(UserError, match=r'm\.toml.*not both'):
        load_model(path)
    path.write_text(path.read_text().replace('r = [0, 1]\n', ''))
    for content in ('0.5\n0.8\n', '0.5 9 3\n', 'r energy\n'):
        table.write_text(content)
        with pytest.raises(UserError, match=r"m\.toml: table '.*well\.txt'.*two columns"):
            load_model(path)
    table.unlink()
    with pytest.raises(UserError, match=r'well\.txt.*two columns'):
        load_model(path)


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
