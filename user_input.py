"""What a user hands in, and how mistakes in it are reported.

The one module that `models`, `analysis` and `workflow` share: it knows nothing of polymers.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import functools
import math
import os
import shutil
import sys
import tempfile
import tomllib
import typing
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import pydantic

Schema = TypeVar('Schema', bound=pydantic.BaseModel)

EXIT_USER_ERROR = 2
_MOST_SHOWN = 100  # characters of a faulty value


_DISK_TROUBLE = {
    errno.ENOSPC: 'the disk is full. Free some space',
    errno.EDQUOT: 'the quota is used up. Free some space',
    errno.EROFS: 'the file system is read-only. Make it writable, or work in another folder',
    errno.EACCES: 'permission denied. Make it writable, or work in another folder',
    errno.EPERM: 'permission denied. Make it writable, or work in another folder',
    errno.EIO: 'the disk reports an error. See that it works, or work on another one',
}
# Of the types of faults that pydantic tells in terms of Python.
_IN_OTHER_WORDS = {
    'dict_type': 'give a table of keys',
    'model_type': 'give a table of keys',
    'model_attributes_type': 'give a table of keys',
    'list_type': 'give a list',
    'tuple_type': 'give a list',
}
_NOT_LIBRARIES = ('', 'analysis', 'models', 'project', 'user_input', 'workflow')


class UserError(Exception):
    """A mistake that the user can fix: its message says what, where and what to do."""


class StrictModel(pydantic.BaseModel):
    """Base of every table that a user writes: unknown keys are errors, values never change."""

    model_config = pydantic.ConfigDict(extra='forbid', frozen=True, allow_inf_nan=False)


def added_later(default: Any) -> Any:
    """Declare a field that is not written where it is the default: ids of before it stay."""
    return pydantic.Field(default, exclude_if=lambda value: value == default)


def _as_number(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    numerator, _, denominator = value.partition('/')
    with contextlib.suppress(ValueError, ArithmeticError):
        if math.isfinite(found := float(numerator) / float(denominator or 1)):
            return found
    raise ValueError(f"'{shortened(value)}' is neither a number nor a ratio like '1/3'")


# A number that may be written as '1/3'.
Ratio = Annotated[float, pydantic.BeforeValidator(_as_number)]


def count_of(number: int, what: str) -> str:
    """Write '1 job' or '3 jobs', of any countable word with a plural in s."""
    return f'{number} {what}' if number == 1 else f'{number} {what}s'


def nearest_name(name: str, known: Iterable[str]) -> str:
    """Suggest, in a sentence for an error message, the nearest known name, or all of them."""
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"Did you mean '{close[0]}'?"
    return 'Known: ' + ', '.join(names) + '.' if names else ''


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; UserError if it cannot be read or is not TOML."""
    try:
        with open(path, 'rb') as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise UserError(f'{path}: no such file.') from None
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error}).') from None
    except (ValueError, RecursionError) as error:
        raise UserError(f'{path}: not valid TOML: {error}.') from None


def shortened(text: str) -> str:
    """Cut `text` to what fits into a message."""
    return text if len(text) <= _MOST_SHOWN else f'{text[:_MOST_SHOWN]}...'


def validate(schema: type[Schema], data: dict[str, Any], where: str) -> Schema:
    """Check the table `data`, which the user wrote in `where`, against `schema`.

    UserError with one line for each fault: where, key, what is wrong, and the nearest known name.
    """
    try:
        return schema.model_validate(data)
    except pydantic.ValidationError as error:
        faults = [_describe(fault, schema, data) for fault in error.errors()]
        raise UserError('\n'.join(f'{where}: {fault}' for fault in faults)) from None


@contextlib.contextmanager
def error_context(where: str | Path) -> Iterator[None]:
    """Say of every `UserError` from within that it is about `where`."""
    try:
        yield
    except UserError as error:
        raise UserError(f'{where}: {error}') from None


def environment_error(error: BaseException | None) -> UserError | None:
    """Report an error of the machine, such as a full disk or a missing library; else None."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _DISK_TROUBLE:
            where, trouble = error.filename or _fullest_folder(), _DISK_TROUBLE[error.errno]
            return UserError(
                f'{where}: {trouble}; then run the same command again: what is on disk is whole.'
            )
        if isinstance(error, (MemoryError, OverflowError)):
            return UserError(
                f'the memory of this machine is not enough ({error}). Take a smaller system or '
                'trajectory, or a machine with more.'
            )
        missing = (getattr(error, 'name', None) or '').partition('.')[0]
        if isinstance(error, ImportError) and missing not in _NOT_LIBRARIES:
            return UserError(
                f'a library is missing: {error}. Install what the project needs: pip install '
                '--requirement requirements.lock, or conda env create -f environment.yml.'
            )
        error = error.__cause__ or error.__context__
    return None


def _fullest_folder() -> str:
    """Find where a write without a name most likely failed: here, or among temporary files."""

    return min((os.getcwd(), tempfile.gettempdir()), key=lambda each: shutil.disk_usage(each).free)


def exits_on_user_error(main: Callable[..., int]) -> Callable[..., int]:
    """Make the command `main` answer a `UserError` with its message and exit code 2.

    The same goes for a full disk and a missing library, wherever they are met.
    """

    @functools.wraps(main)
    def wrapped(*args: Any, **kwargs: Any) -> int:
        try:
            return main(*args, **kwargs)
        except Exception as error:
            reported = error if isinstance(error, UserError) else environment_error(error)
            if reported is None:
                raise
            print(f'error: {reported}', file=sys.stderr)
            return EXIT_USER_ERROR

    return wrapped


def _describe(fault: Any, schema: type[pydantic.BaseModel], data: dict[str, Any]) -> str:
    parts, siblings = _locate(schema, fault, data)
    key = '.'.join(parts)
    if fault['type'] == 'extra_forbidden':
        return f"unknown key '{key}'. {nearest_name(parts[-1], siblings)}"
    if fault['type'] == 'missing':
        return f"the key '{key}' is missing."
    if fault['type'] == 'union_tag_not_found':
        return f"the key '{key}.kind' is missing."
    if fault['type'] == 'union_tag_invalid':
        tag, known = fault['ctx']['tag'], fault['ctx']['expected_tags'].replace("'", '').split(', ')
        return f"'{key}': there is no kind '{tag}'. {nearest_name(tag, known)}"
    message = fault['msg'].removeprefix('Value error, ')
    message = _IN_OTHER_WORDS.get(fault['type'], message)
    given = '' if isinstance(fault['input'], dict) else f' (given: {_shown(fault["input"])})'
    sentence = f"'{key}': {message}{given}" if key else message
    return sentence if sentence.endswith(('.', '?')) else f'{sentence}.'


def _shown(value: Any) -> str:
    try:
        return shortened(repr(value))
    except ValueError:  # Python writes no integer of more than 4300 digits
        return 'a number of thousands of digits'


def _locate(schema: type[pydantic.BaseModel], fault: Any, data: Any) -> tuple[list[str], set[str]]:
    """Find the key as the user wrote it, and all keys of the table that holds it."""
    parts: list[str] = []
    siblings: set[str] = set()
    tables: list[Any] = [schema]
    for place, part in enumerate(fault['loc'], 1):
        chosen = [table for table in tables if len(tables) > 1 and _is_kind(table, part)]
        if chosen:  # pydantic names the chosen kind in the location; the user wrote no such key
            tables = chosen
            continue
        fields = [(f.alias or n, f) for table in tables for n, f in table.model_fields.items()]
        siblings = {name for name, _ in fields}
        if part in siblings:  # else it is an item of a mapping or a list
            tables = [each for name, f in fields if name == part for each in _tables(f.annotation)]
        try:
            data = data[part]
        except (LookupError, TypeError):  # what is missing; or one of several types, by its name
            if fault['type'] != 'missing' or place < len(fault['loc']):
                continue
        parts.append(str(part))
    return parts, siblings


def _is_kind(table: Any, tag: Any) -> bool:
    return any(
        typing.get_origin(field.annotation) is Literal and tag in typing.get_args(field.annotation)
        for field in table.model_fields.values()
    )


def _tables(annotation: Any) -> Iterator[Any]:
    """Find the schemas of tables within an annotation such as `dict[str, A | B]`."""
    if hasattr(annotation, 'model_fields'):
        yield annotation
    for each in typing.get_args(annotation):
        yield from _tables(each)
