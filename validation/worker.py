"""One job in this process: `python -m validation.worker SECTION JOB ENGINE FILE`.

A crash of an engine ends this process and not the others.
"""

from __future__ import annotations

import sys
from pathlib import Path

from analysis.serialise import to_json
from validation.sections import section


def main() -> None:
    """Measure, and write the rows after each one, so that a crash loses only what follows."""
    section_name, job_name, engine, file = sys.argv[1:]
    job = next(job for job in section(section_name).jobs() if job.name == job_name)
    rows = []
    for row in job.measure(engine):
        rows.append(row)
        Path(file).write_bytes(to_json(rows))


if __name__ == '__main__':
    main()
