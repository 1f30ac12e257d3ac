"""Mutants of functions, found by name and compared as syntax: neither moves nor format matter."""

from __future__ import annotations

import ast
import copy
import textwrap
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TABLE = Path(__file__).with_name('mutants.toml')
_Place = ast.ClassDef | ast.FunctionDef


@dataclass(frozen=True)
class Change:
    """A piece of one function that is replaced.

    Attributes:
        place: Qualified name of the function, or class, within its module.
        right: Expression or statement that stands there once.
        wrong: What replaces it: an expression for an expression, statements for a statement.
    """

    place: str
    right: str
    wrong: str


@dataclass(frozen=True)
class Mutant:
    """A module with a mistake that someone could make.

    Attributes:
        name: What is wrong.
        module: In which module.
        changes: What makes the mistake.
        tests: Files of the tests that should catch it.
        needs: Module without which it cannot be tried.
    """

    name: str
    module: str
    changes: tuple[Change, ...]
    tests: tuple[str, ...]
    needs: str = ''

    @property
    def path(self) -> str:
        """File of the module."""
        return self.module.replace('.', '/') + '.py'

    def applied_to(self, source: str) -> str:
        """The source of its module with the mistake in it.

        Raises:
            SystemExit: If what it changes does not stand there exactly once.
        """
        for change in self.changes:
            try:
                source = _changed(source, change)
            except LookupError as error:
                raise SystemExit(
                    f"'{self.name}': {self.module}:{change.place}: {error.args[0]}. "
                    f'Write the mutant anew, in {TABLE.name}.'
                ) from None
        return source


def mutants() -> list[Mutant]:
    """All that the table has."""
    table = tomllib.loads(TABLE.read_text(encoding='utf-8'))
    found = []
    for function in table['function']:
        module, place = function['name'].split(':')
        for name, (right, wrong) in function['mistakes'].items():
            change = Change(place, right, wrong)
            found.append(_mutant(table, name, module, (change,), function['tests']))
    for several in table['several']:
        changes = tuple(Change(*change) for change in several['changes'])
        found.append(_mutant(table, several['name'], several['module'], changes, several['tests']))
    return found


def _mutant(
    table: dict[str, Any], name: str, module: str, changes: tuple[Change, ...], tests: list[str]
) -> Mutant:
    files = tuple(table['tests'][test] for test in tests)
    return Mutant(name, table['modules'][module], changes, files, table['needs'].get(module, ''))


def _changed(source: str, change: Change) -> str:
    """The source with one place written anew; its comments are lost."""
    place = _find(ast.parse(source), change.place)
    replacement = _Replacement(change)
    changed = replacement.visit(place)
    if replacement.count != 1:
        raise LookupError(f'has this {replacement.count} times, not once: {change.right}')
    lines = source.splitlines(keepends=True)
    first = min(node.lineno for node in (place, *place.decorator_list)) - 1
    text = textwrap.indent(ast.unparse(changed) + '\n', ' ' * place.col_offset)
    return ''.join((*lines[:first], text, *lines[place.end_lineno :]))


def _find(module: ast.Module, name: str) -> _Place:
    node: ast.Module | _Place = module
    for part in name.split('.'):
        named = [each for each in node.body if isinstance(each, _Place) and each.name == part]
        if len(named) != 1:
            raise LookupError(f'is there {len(named)} times, not once')
        node = named[0]
    assert isinstance(node, _Place)
    return node


class _Replacement(ast.NodeTransformer):
    def __init__(self, change: Change) -> None:
        right, wrong = (ast.parse(text.strip()).body for text in (change.right, change.wrong))
        (statement,) = right
        both = [each.value for each in (statement, *wrong) if isinstance(each, ast.Expr)]
        is_expression = len(both) == 1 + len(wrong) == 2
        self._right = ast.dump(both[0] if is_expression else statement)
        self._wrong: ast.AST | list[ast.stmt] = both[1] if is_expression else wrong
        self.count = 0

    def visit(self, node: ast.AST) -> Any:
        if ast.dump(node) != self._right:
            return self.generic_visit(node)
        self.count += 1
        return copy.deepcopy(self._wrong)
