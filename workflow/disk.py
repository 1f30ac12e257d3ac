"""Bringing files to disk for good."""

from __future__ import annotations

import os
from pathlib import Path

from user_input import UserError


def synchronise(path: Path) -> None:
    """Wait until the content of a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unreadable(path: Path, error: OSError | MemoryError) -> UserError:
    """What to tell of a file that is there and cannot be read now: unlike damage, that may pass."""
    reason = getattr(error, 'strerror', None) or 'the memory is not enough'
    return UserError(
        f'{path}: cannot be read now ({reason}). Run it again when the disk and the memory of this '
        f'machine are well; if it stays so, delete {path.parent} to begin that stage anew.'
    )
