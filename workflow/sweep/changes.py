"""What a user has changed in a sweep file since its jobs were made, in one short text."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from user_input import count_of
from workflow.sweep.limits import Limits
from workflow.sweep.sweep_file import Sweep

# Of a sweep file, what makes no job another.
_NO_PART = {'name', 'report', 'compositions'}
_MOST_NAMED = 8


@dataclass(frozen=True)
class Recorded:
    """A sweep and what became of it: the ids of its jobs, and the hash of its model's content."""

    sweep: Sweep
    jobs: Collection[str]
    model_hash: str


def describe_changes(before: Recorded, after: Recorded, there: Collection[str] = ()) -> str:
    """Say which jobs are kept, new or left out, and what was changed; '' if nothing was.

    New to the sweep may be jobs that are `there`, of another sweep or of an earlier edit.
    """
    old, new = set(before.jobs), set(after.jobs)
    causes = list(_causes(before, after))
    if not causes and old == new:
        return ''
    n_there = len((new - old) & set(there))
    counts = [f'{count_of(len(old & new), "job")} kept']
    if new - old:
        counts.append(f'{len(new - old)} new')
    if n_there:
        counts.append(f'of which {n_there} {"are" if n_there > 1 else "is"} there already')
    if old - new:
        counts.append(f'{len(old - new)} no longer part of it')
    if len(causes) > _MOST_NAMED:
        causes[_MOST_NAMED:] = [f'{len(causes) - _MOST_NAMED} more']
    return ', '.join(counts) + (f': {"; ".join(causes)}' if causes else '')


def _causes(before: Recorded, after: Recorded) -> Iterator[str]:
    old, new = (each.sweep.model_dump(mode='json') for each in (before, after))
    for what, one, other in (('added', new, old), ('removed', old, new)):
        for composition in one['compositions']:
            if composition not in other['compositions']:
                text = ', '.join(f'{name} {x:.3g}' for name, x in composition.items())
                yield f'composition {text} {what}'
    is_same_model = old['model'] == new['model']
    if is_same_model and before.model_hash and before.model_hash != after.model_hash:
        yield 'the content of the model changed'
    old, new = (dict(_leaves(each)) for each in (old, new))
    for key in new | old:
        if old.get(key) != new.get(key):
            yield f'{key} {_text(old.get(key))} -> {_text(new.get(key))}{_sense(key, old, new)}'


def _leaves(table: Mapping[str, Any], above: str = '') -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if above or name not in _NO_PART:
            if isinstance(value, Mapping) and set(value) == {'minimum', 'maximum'}:
                ends = dict.fromkeys((value['minimum'], value['maximum']))
                yield above + name, ' to '.join(map(str, ends))
            elif isinstance(value, Mapping):
                yield from _leaves(value, f'{above}{name}.')
            else:
                yield above + name, value


def _sense(key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Say in which direction what is asked of the jobs has changed."""
    names = key.split('.')
    if names[0] != 'protocol' or not set(names) & set(Limits.model_fields):
        return ''
    one, other = old.get(key), new.get(key)
    if one is None or other is None:
        return ''
    if 'precision' in names:
        return ' (tighter)' if other < one else ' (looser)'
    return ' (longer)' if other > one else ' (shorter)'


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ', '.join(map(_text, value))
    if isinstance(value, Mapping):
        leaves = (each for each in _leaves(value, ' ') if each[1] is not None)
        return ' '.join(f'{name.strip()} {_text(each)}' for name, each in leaves)
    if value is None or value == []:
        return 'none'
    return f'{value:g}' if isinstance(value, float) else str(value)
