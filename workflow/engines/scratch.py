"""Folders for what an engine writes while it runs, among the temporary files of the machine."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path

from workflow.process import is_running

_PREFIX = 'isp-lammps-'


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder of this process; its name says which, for when it cannot clean up."""
    return tempfile.TemporaryDirectory(prefix=f'{_beginning()}{os.getpid()}-')


def remove_leftovers() -> None:
    """Remove the folders of this user's processes on this host that were killed."""
    beginning = _beginning()
    for folder in Path(tempfile.gettempdir()).glob(f'{_PREFIX}*'):
        process = folder.name.removeprefix(beginning).partition('-')[0]
        if not folder.name.startswith(beginning) or not process.isdecimal():
            continue
        if not is_running(int(process)) and _is_ours(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _beginning() -> str:
    # The temporary folder may be one that hosts share, and ids of processes are those of a host.
    return f'{_PREFIX}{socket.gethostname()}-'


def _is_ours(folder: Path) -> bool:
    """Whether it is a folder of this user, and no link to one."""
    try:
        return folder.lstat().st_uid == os.getuid() and not folder.is_symlink()
    except FileNotFoundError:  # another process removes it too
        return False
