"""The mutants fit the source, so that all of them can be made."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from tools.mutants import ROOT, Change, Mutant, mutants
from tools.mutation_check import page

SOURCE = """
class Melt:
    @property
    def density(self) -> float:
        # A comment, and quotes of one kind.
        mass = sum(self.masses['bead'])
        return mass / \\
            self.volume

    def other(self) -> float:
        return mass / self.volume
"""


def mutant(right: str, wrong: str, place: str = 'Melt.density') -> Mutant:
    return Mutant('too dense', 'models.melt', (Change(place, right, wrong),), ())


@pytest.mark.parametrize('each', mutants(), ids=lambda each: each.name)
def test_a_mutant_can_be_made(each: Mutant) -> None:
    source = (ROOT / each.path).read_text(encoding='utf-8')
    wrong = each.applied_to(source)
    # One that does not even compile would be caught by anything.
    compile(wrong, each.path, 'exec')
    assert ast.dump(ast.parse(wrong)) != ast.dump(ast.parse(source))
    assert all((ROOT / path).is_file() for path in each.tests)


def test_mutants_are_told_apart_by_name() -> None:
    assert max(Counter(each.name for each in mutants()).values()) == 1


@pytest.mark.parametrize(
    ('right', 'wrong', 'made'),
    [
        ('mass  /  self.volume', '2 * mass / self.volume', 'return 2 * mass / self.volume'),
        ('self.masses["bead"]', 'None', 'mass = sum(None)'),
        ('mass = sum(self.masses["bead"])', 'mass = 1; mass += 1', 'mass = 1\n        mass += 1\n'),
    ],
)
def test_a_mutant_changes_one_function_however_it_is_formatted(
    right: str, wrong: str, made: str
) -> None:
    changed = mutant(right, wrong).applied_to(SOURCE)
    assert made in changed
    assert changed.count('@property') == 1
    assert changed.endswith(SOURCE[SOURCE.index('    def other') :])


@pytest.mark.parametrize(
    ('right', 'place', 'told'),
    [
        ('mass * self.volume', 'Melt.density', 'Melt.density: has this 0 times'),
        ('self', 'Melt.density', 'has this 2 times'),
        ('mass', 'Melt.pressure', 'Melt.pressure: is there 0 times'),
    ],
)
def test_a_mutant_whose_source_has_changed_is_refused(right: str, place: str, told: str) -> None:
    with pytest.raises(SystemExit, match=f'{told}.*Write the mutant anew'):
        mutant(right, 'wrong', place).applied_to(SOURCE)


def test_the_page_says_of_which_code_it_is() -> None:
    text = page([mutant('a', 'b')], {'too dense': 'test_melt.py'}, 'commit 0123456789ab')
    assert text.splitlines()[2].startswith('Of commit 0123456789ab')
    assert '| too dense | `models.melt:Melt.density` | test_melt.py |' in text
