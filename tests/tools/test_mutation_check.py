"""The list of deliberate faults fits the source, so that all of them can be made."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from tools.mutation_check import FAULTS, ROOT, Fault, with_fault


@pytest.mark.parametrize('fault', FAULTS, ids=lambda fault: fault.name)
def test_a_fault_can_be_made(fault: Fault) -> None:
    source = (ROOT / fault.path).read_text(encoding='utf-8')
    for right, _ in fault.replacements:
        assert source.count(right) == 1, right
    wrong = with_fault(source, fault)
    # A fault that does not even parse would be caught by anything.
    assert ast.dump(ast.parse(wrong)) != ast.dump(ast.parse(source))
    assert all((ROOT / path).is_file() for path in fault.tests)


def test_faults_are_told_apart_by_name() -> None:
    assert max(Counter(fault.name for fault in FAULTS).values()) == 1


def test_a_fault_whose_source_has_changed_is_refused() -> None:
    fault = Fault('gone', 'a.py', 'no longer there', 'wrong', ())
    for source in ('else', 2 * fault.right):
        with pytest.raises(SystemExit, match='Write the fault anew'):
            with_fault(source, fault)
