"""Unpacks compressed files once, so that their frames can be read in any order."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import tempfile
import warnings
import weakref
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from user_input import UserError

OPENERS: dict[bytes, Callable[..., IO[Any]]] = {
    b'\x1f\x8b': gzip.open,
    b'BZh': bz2.open,
    b'\xfd7zXZ\0': lzma.open,
}


class Unpacked:
    """A file: itself, or a temporary copy as long as this object lives where it is compressed.

    Attributes:
        path: As the user named it.
        content: Where to read it.

    Raises:
        UserError: If it is compressed and damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = self.content = path
        with open(path, 'rb') as file:
            beginning = file.read(8)
        for mark, opener in OPENERS.items():
            if beginning.startswith(mark):
                handle, name = tempfile.mkstemp(prefix='isp-unpacked-')
                self.content = Path(name)
                weakref.finalize(self, self.content.unlink, missing_ok=True)
                with opener(path) as packed, os.fdopen(handle, 'wb') as unpacked:
                    _copy(packed, unpacked, path)


def _copy(packed: IO[bytes], unpacked: IO[bytes], path: Path) -> None:
    try:
        shutil.copyfileobj(packed, unpacked)
    except EOFError:
        warnings.warn(
            f'{path}: the end of the compressed file is missing. What is whole is used.',
            stacklevel=2,
        )
    except (zlib.error, lzma.LZMAError, OSError, ValueError) as error:
        if getattr(error, 'errno', None) is not None:  # such as a full disk
            raise
        raise UserError(
            f'{path}: the compressed file is damaged ({error}). Copy it again from where it was '
            'written.'
        ) from None
