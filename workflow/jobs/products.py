"""The files that an operation leaves: whole or absent, and verified by a checksum.

The checksum of each product is in ``checksums/NAME.b2`` beside it, in the format of b2sum:
``b2sum --check checksums/*`` in the job's folder verifies all of them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from user_input import UserError
from workflow.jobs.atomic_writes import replacing, scratch_beside, synchronise

CHECKSUMS = 'checksums'
_LOCK = '.lock'  # hidden from checksums/*


@dataclass(frozen=True)
class Product:
    """A file that an operation leaves in the folder of a job.

    The `last` file shows that the operation is done: it must be gone to make this one again.
    """

    name: str
    made_by: str
    last: str

    def how_to_redo(self, folder: Path) -> str:
        """Say how to have it made again."""
        return f"Delete {folder / self.last} and run the job again: '{self.made_by}' makes it."


def result_product(operation: str) -> Product:
    """Name the file of an operation that leaves a single result."""
    name = f'{operation}.json'
    return Product(name, operation, name)


@contextmanager
def writing(folder: Path, product: Product) -> Iterator[Path]:
    """Write a product to the path that this gives; it gets its name when it is whole."""
    with scratch_beside(folder / product.name) as temporary:
        yield temporary
        move_in(temporary, folder, product)


def move_in(path: Path, folder: Path, product: Product) -> None:
    """Make the whole file at `path` the product."""
    synchronise(path)
    known = _checksum_file(folder, product)
    known.parent.mkdir(exist_ok=True)
    line = f'{_checksum(path)}  {product.name}\n'
    # Of two processes that make one product, both files are to be those of the same.
    with open(known.parent / _LOCK, 'a') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # A product without its checksum would never be verified; one before its product harms none.
        with replacing(known) as temporary:
            temporary.write_text(line)
        os.replace(path, folder / product.name)
    synchronise(folder)


def move_out(folder: Path, product: Product, path: Path) -> None:
    """Undo `move_in`: the product becomes the file at `path`, in another folder of the disk."""
    known = _checksum_file(folder, product)
    known.parent.mkdir(exist_ok=True)
    with open(known.parent / _LOCK, 'a') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.replace(folder / product.name, path)
        synchronise(path.parent)
        known.unlink(missing_ok=True)
    synchronise(folder)


def whole(folder: Path, product: Product) -> Path:
    """Verify a product, unless it came without a checksum; UserError if missing or corrupt."""
    path, known = folder / product.name, _checksum_file(folder, product)
    if not path.is_file():
        raise UserError(f'{path}: is missing. {product.how_to_redo(folder)}')
    if not (_fits(path, known) or _fits_when_moved_in(path, known)):
        raise UserError(
            f'{path}: is damaged: it is not what was written, says {CHECKSUMS}/{known.name}. '
            f'{product.how_to_redo(folder)}'
        )
    return path


@contextmanager
def reading(folder: Path, product: Product) -> Iterator[Path]:
    """Give the path of a product to read; UserError if it is missing, corrupt or unreadable."""
    path = whole(folder, product)
    try:
        yield path
    except (OSError, RuntimeError, ValueError, KeyError, IndexError) as error:
        redo = product.how_to_redo(folder)
        raise UserError(f'{path}: cannot be read ({error}). {redo}') from None


def _checksum_file(folder: Path, product: Product) -> Path:
    return folder / CHECKSUMS / f'{product.name}.b2'


def _fits(path: Path, known: Path) -> bool:
    return not known.is_file() or known.read_text(errors='replace').split()[:1] == [_checksum(path)]


def _fits_when_moved_in(path: Path, known: Path) -> bool:
    """Check as `_fits`, but not between the two moves of another process."""
    with suppress(OSError), open(known.parent / _LOCK) as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        return _fits(path, known)
    return False


def _checksum(path: Path) -> str:
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'blake2b').hexdigest()
