"""The files that an operation leaves: whole or absent, and known again by a checksum.

The checksum of each product stands in ``checksums/NAME.b2`` beside it, in the format of b2sum:
``b2sum --check checksums/*`` in the job's folder verifies all of them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from user_input import UserError
from workflow.jobs import files as job_files
from workflow.jobs.atomic_writes import replacing, scratch_beside, synchronise

CHECKSUMS = 'checksums'
_LOCK = '.lock'  # hidden from checksums/*

# What makes a product anew, and the file that must be gone for that.
_MADE_BY = {
    job_files.BUILT: ('build', job_files.BUILT),
    job_files.RELAXED: ('relax', job_files.RELAXED),
    job_files.EQUILIBRATED: ('equilibrate', job_files.EQUILIBRATED),
    job_files.EQUILIBRATION_THERMO: ('equilibrate', job_files.EQUILIBRATED),
    job_files.TRAJECTORY: ('sample', job_files.TRAJECTORY),
    job_files.THERMO: ('sample', job_files.TRAJECTORY),
    job_files.PRODUCTION: ('production', job_files.PRODUCTION),
} | {name: (name.removesuffix('.json'), name) for name in job_files.RESULTS}


@contextmanager
def writing(folder: Path, name: str) -> Iterator[Path]:
    """Write the product `name` to the path that this gives; it gets its name when it is whole."""
    with scratch_beside(folder / name) as temporary:
        yield temporary
        move_in(temporary, folder, name)


def move_in(path: Path, folder: Path, name: str) -> None:
    """Make the whole file at `path` the product `name`."""
    synchronise(path)
    known = _checksum_file(folder, name)
    known.parent.mkdir(exist_ok=True)
    line = f'{_checksum(path)}  {name}\n'
    # Of two processes that make one product, both files are to be those of the same.
    with open(known.parent / _LOCK, 'a') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # A product without its checksum would never be verified; one before its product harms none.
        with replacing(known) as temporary:
            temporary.write_text(line)
        os.replace(path, folder / name)
    synchronise(folder)


def whole(folder: Path, name: str) -> Path:
    """The path of the product `name`; one that came without a checksum is taken as it is.

    Raises:
        UserError: If it is missing, or not what was written.
    """
    path, known = folder / name, _checksum_file(folder, name)
    if not path.is_file():
        raise UserError(f'{path}: is missing. {_how_to_redo(folder, name)}')
    if not (_fits(path, known) or _fits_when_moved_in(path, known)):
        raise UserError(
            f'{path}: is damaged: it is not what was written, says {CHECKSUMS}/{known.name}. '
            f'{_how_to_redo(folder, name)}'
        )
    return path


@contextmanager
def reading(folder: Path, name: str) -> Iterator[Path]:
    """Give the path of the product `name`, to be read within the context.

    Raises:
        UserError: If it is missing, is not what was written, or cannot be read.
    """
    path = whole(folder, name)
    try:
        yield path
    except (OSError, RuntimeError, ValueError, KeyError, IndexError) as error:
        raise UserError(f'{path}: cannot be read ({error}). {_how_to_redo(folder, name)}') from None


def _checksum_file(folder: Path, name: str) -> Path:
    return folder / CHECKSUMS / f'{name}.b2'


def _fits(path: Path, known: Path) -> bool:
    return not known.is_file() or known.read_text(errors='replace').split()[:1] == [_checksum(path)]


def _fits_when_moved_in(path: Path, known: Path) -> bool:
    """As `_fits`, but not between the two moves of another process."""
    with suppress(OSError), open(known.parent / _LOCK) as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        return _fits(path, known)
    return False


def _checksum(path: Path) -> str:
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'blake2b').hexdigest()


def _how_to_redo(folder: Path, name: str) -> str:
    operation, product = _MADE_BY[name]
    return f"Delete {folder / product} and run the job again: '{operation}' makes it anew."
