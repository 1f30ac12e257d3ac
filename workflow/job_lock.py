"""One runner for each job: a lock that the operating system frees when its holder dies."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from user_input import UserError

_LOCK = 'running.lock'


class JobIsHeld(UserError):
    """Another process runs this job."""


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold the job in `folder` for as long as the context lasts.

    Raises:
        JobIsHeld: If another process holds it; the message says which.
        UserError: If the file system has no locks.
    """
    with open(folder / _LOCK, 'a+') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or 'another process'
            raise JobIsHeld(f'job {folder.name} is being run by {holder}.') from None
        except OSError as error:
            raise UserError(
                f'{folder}: the file system has no locks ({error.strerror}), so nothing would keep '
                'two runs off one job. Mount it with them (Lustre: -o flock; NFS: with its lock '
                'daemon), or move the project to another file system.'
            ) from None
        file.truncate(0)
        file.write(f'process {os.getpid()} on {socket.gethostname()}')
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)
