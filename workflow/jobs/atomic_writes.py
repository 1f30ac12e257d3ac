"""Bringing files to disk for good: whole under their name, or not at all."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from user_input import UserError
from workflow.process import is_running

_SUFFIX = '.temporary'


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path to write to; what is there when the context ends is `path`, for good.

    If anything fails, what was at `path` stays as it was, and nothing is left beside it.
    """
    with renaming(path) as temporary:
        yield temporary
        synchronise(temporary)
    synchronise(path.parent)


@contextmanager
def renaming(path: Path) -> Iterator[Path]:
    """Do as `replacing`, but a machine that loses its power may lose the content too."""
    with scratch_beside(path) as temporary:
        yield temporary
        os.replace(temporary, path)


@contextmanager
def scratch_beside(path: Path) -> Iterator[Path]:
    """Give a path on the disk of `path`, of this process alone among all that share the disk.

    What is there when the context ends is removed.
    """
    of_this_host = f'{path.name}.{socket.gethostname()}.'
    _remove_leftovers(path.parent, of_this_host)
    temporary = path.with_name(f'{of_this_host}{os.getpid()}{_SUFFIX}')
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)  # a full disk needs every byte


def _remove_leftovers(folder: Path, beginning: str) -> None:
    """Remove what processes that were killed have left of the same file."""
    for name in os.listdir(folder):
        if name.startswith(beginning) and name.endswith(_SUFFIX):
            # What is written within another write has its name twice over.
            process = name[len(beginning) : -len(_SUFFIX)].partition(f'{_SUFFIX}.')[0]
            if process.isdecimal() and not is_running(int(process)):
                (folder / name).unlink(missing_ok=True)


def synchronise(path: Path) -> None:
    """Wait until the content of a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def find_fault(path: Path, length: int, is_whole: Callable[[], bool]) -> str:
    """Say why a file does not hold what was written, '' if it does; UserError if unreadable."""
    try:
        found = path.stat().st_size
        if found < length:
            return f'{path.name} has {found} bytes of {length}'
        return '' if is_whole() else f'{path.name} does not hold what was written'
    except FileNotFoundError:
        return f'{path.name} is missing'
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: OSError) -> UserError:
    """Report a file that is there and cannot be read now: unlike damage, that may pass."""
    return UserError(
        f'{path}: cannot be read now ({error.strerror}). Run it again when the disk of this '
        f'machine is well; if it stays so, delete {path.parent} to restart that stage from step 0.'
    )
