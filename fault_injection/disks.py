"""A disk that is full, and one that is read-only: a small tmpfs, which takes root to mount."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fault_injection.outcome import Outcome
from fault_injection.outputs import content_so_far, count_end
from fault_injection.small_sweep import finish, make_job, start_run

FULL = 'disk full'
READ_ONLY = 'read-only disk'
_SIZE = 16 << 20
_BALLAST = 'ballast'


def can_mount() -> bool:
    """Whether a tmpfs can be mounted here."""
    try:
        with _small_disk():
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def bytes_needed(engine: str) -> int:
    """How much a job that runs from beginning to end leaves on a disk."""
    with _small_disk() as folder:
        make_job(folder)
        before = shutil.disk_usage(folder).free
        finish(start_run(folder, engine))
        return before - shutil.disk_usage(folder).free


def fill_disk(engine: str, left: int, temporary_files_too: bool) -> Outcome:
    """Run a job where `left` bytes are free, then read-only, then with the space that it needs.

    Args:
        engine: Which runs it.
        left: Bytes that are free when it starts.
        temporary_files_too: Whether temporary files stand on the same disk.
    """
    outcome = Outcome()
    with _small_disk() as folder:
        job = make_job(folder)
        temporary = folder / 'temporary'
        temporary.mkdir()
        environment = {'TMPDIR': str(temporary)} if temporary_files_too else {}
        ballast = folder / _BALLAST
        ballast.write_bytes(bytes(max(0, shutil.disk_usage(folder).free - left)))
        first = finish(start_run(folder, engine, **environment))
        where = 'with temporary files' if temporary_files_too else 'without temporary files'
        outcome.trials[FULL, where, engine] += 1
        outcome.answers[FULL, engine, 'detected' if first.code else 'harmless'] += 1
        if first.code != 0 and not (first.is_clearly_refused and 'full' in first.said):
            outcome.counts[FULL, engine, 'unclear'] += 1
        with tempfile.TemporaryDirectory() as scratch:
            written = content_so_far(job, Path(scratch))
        ballast.unlink()
        if first.code != 0:
            _forbid_writing(folder, engine, outcome)
        run = finish(start_run(folder, engine, **environment))
        has_sampled = run.code == 0 and 'sample' in run.said
        if has_sampled and written.frames and run.resumed_at is None:
            outcome.counts[FULL, engine, 'lost'] += 1  # all that was done before
        count_end(outcome, FULL, engine, job, run, written)
        outcome.counts = +outcome.counts
        if outcome.counts:
            outcome.messages.append(
                f'{left} bytes left: {first.said[-900:]} THEN {run.said[-500:]}'
            )
    return outcome


def _forbid_writing(folder: Path, engine: str, outcome: Outcome) -> None:
    """Run a job on its disk while that is read-only."""
    before = _fingerprint(folder)
    _mount('remount,ro', folder)
    run = finish(start_run(folder, engine))
    _mount('remount,rw', folder)
    outcome.trials[READ_ONLY, '', engine] += 1
    outcome.answers[READ_ONLY, engine, 'detected'] += int(run.code != 0)
    if not (run.is_clearly_refused and 'read-only' in run.said):
        outcome.counts[READ_ONLY, engine, 'unclear'] += 1
        outcome.messages.append(f'read-only: {run.said[-900:]}')
    outcome.counts[READ_ONLY, engine, 'wrong'] += int(_fingerprint(folder) != before)


@contextmanager
def _small_disk() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix='isp-disk-'))
    try:
        _mount(f'size={_SIZE}', folder)
        try:
            yield folder
        finally:
            subprocess.run(['umount', str(folder)], check=True, capture_output=True)
    finally:
        folder.rmdir()


def _mount(options: str, folder: Path) -> None:
    command = ['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', str(folder)]
    subprocess.run(command, check=True, capture_output=True)


def _fingerprint(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob('*')) if path.is_file()]
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
