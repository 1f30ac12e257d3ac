"""Peak memory of one analysis: `python -m benchmarks.peak_memory clusters TRAJECTORY`."""

from __future__ import annotations

import contextlib
import io
import resource
import subprocess
import sys
from pathlib import Path

from analysis.__main__ import main


def peak_memory_of(command: str, trajectory: Path, *options: str) -> float:
    """Peak resident memory, in MB, of an analysis in a process of its own."""
    call = [sys.executable, '-m', 'benchmarks.peak_memory', command, str(trajectory), *options]
    root = Path(__file__).parents[1]
    done = subprocess.run(call, cwd=root, check=True, capture_output=True, text=True)
    return int(done.stdout) / 1e3


def own_peak() -> int:
    """Peak resident memory of this process in kB.

    `ru_maxrss` comes down from the parent, so on Linux it is another number.
    """
    status = Path('/proc/self/status')
    if not status.exists():
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak // 1024 if sys.platform == 'darwin' else peak
    return next(
        int(line.split()[1])
        for line in status.read_text().splitlines()
        if line.startswith('VmHWM:')
    )


if __name__ == '__main__':
    with contextlib.redirect_stdout(io.StringIO()):
        status = main([*sys.argv[1:], '--json'])
    print(own_peak())
    sys.exit(status)
