"""One runner for each job: a lock that the operating system frees when its holder dies."""

from __future__ import annotations

import fcntl
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from user_input import UserError
from workflow.jobs.progress import SECONDS_OF_SILENCE, read_progress

_logger = logging.getLogger(__name__)

# A job is left to the process that runs it: EX_TEMPFAIL, "try again later", of sysexits.h.
EXIT_HELD = 75

LOCK = 'running.lock'
# `is_held` has the lock for a moment: who wants it asks more than once.
_TRIES = 20
_SECONDS_BETWEEN_TRIES = 0.05


class JobIsHeld(UserError):
    """Another process runs this job."""


@contextmanager
def hold(folder: Path, doing: str = '', lock: str = LOCK) -> Iterator[None]:
    """Hold a job, or any folder that one process at a time may write to; `doing` is for messages.

    A holder that died has left its name, and is reported.

    Raises:
        JobIsHeld: If another process holds it, or seems to on another host; the message says which.
        UserError: If the file system has no locks.
    """
    doing = doing or f'job {folder.name} is being run'
    with open(folder / lock, 'a+', errors='replace') as file:
        _lock(file, doing)
        before = _name_in(file)
        if before:
            _refuse_if_alive_elsewhere(folder, before, doing)
            _logger.warning('%s: taken over from %s, which is gone', folder.name, before)
        file.truncate(0)
        file.write(f'process {os.getpid()} on {socket.gethostname()}')
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def holder_of(folder: Path, lock: str = LOCK) -> str:
    """Name who holds the job in `folder`, or was the last to hold it and died."""
    try:
        return (folder / lock).read_text(errors='replace').strip() or 'another process'
    except OSError:
        return 'another process'


def is_held(folder: Path) -> bool | None:
    """Check whether a process holds the job in `folder`; None if this host cannot know."""
    try:
        with open(folder / LOCK, errors='replace') as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            name = _name_in(file)
            # Free, but of a holder on another host, whose lock may not be seen here.
            return None if name and not _is_here(name) else False
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError:
        return None


def _lock(file: TextIO, doing: str) -> None:
    path = Path(file.name)
    for left in reversed(range(_TRIES)):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not left:
                raise JobIsHeld(f'{doing} by {holder_of(path.parent, path.name)}.') from None
            time.sleep(_SECONDS_BETWEEN_TRIES)
        except OSError as error:
            raise UserError(
                f'{path.parent}: the file system has no locks ({error.strerror}), so nothing would '
                'keep two runs off one job. Mount it with them (Lustre: -o flock; NFS: with its '
                'lock daemon), or move the project to another file system.'
            ) from None
        else:
            return


def _name_in(file: TextIO) -> str:
    file.seek(0)
    return file.read().strip()


def _is_here(name: str) -> bool:
    return name.endswith(f' on {socket.gethostname()}')


def _refuse_if_alive_elsewhere(folder: Path, name: str, doing: str) -> None:
    """Refuse where a file system keeps locks to one host, and those of another are not seen."""
    progress = read_progress(folder)
    if _is_here(name) or progress is None:
        return
    silence = time.time() - progress.time
    if abs(silence) < SECONDS_OF_SILENCE:  # a clock may be wrong
        raise JobIsHeld(
            f'{doing} by {name}, it seems: it reported progress {silence:.0f} s ago, but its lock '
            f'is not seen here. If it is gone, wait {SECONDS_OF_SILENCE:.0f} s and run this again. '
            'If it runs, the file system keeps locks to one host: mount it with common ones '
            '(Lustre: -o flock), or run all jobs on that host.'
        )
