"""Results to JSON and back, from the types of their dataclasses."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError


def to_json(result: Any) -> bytes:
    """Write a result, a dataclass, as strictly valid JSON; what is not finite becomes null."""
    kind: Any = type(result)
    return _adapter(kind).dump_json(result, indent=1)


def from_json(kind: Any, content: bytes) -> Any:
    """Read a result of the type `kind`; ValueError, which names the key, if `content` is none."""
    return _checked(_adapter(kind).validate_json, content)


def from_plain(kind: Any, content: Any) -> Any:
    """Do as `from_json` with what `json` has read."""
    return _checked(_adapter(kind).validate_python, content)


def _checked(read: Callable[[Any], Any], content: Any) -> Any:
    try:
        return read(content)
    except ValidationError as error:
        fault = error.errors()[0]
        key = '.'.join(map(str, fault['loc']))
        raise ValueError(f"'{key}': {fault['msg']}" if key else fault['msg']) from None


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
