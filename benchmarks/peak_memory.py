"""Peak memory of this process."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


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
