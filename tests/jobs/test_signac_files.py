"""Jobs are those of signac, whoever makes them."""

from __future__ import annotations

from pathlib import Path

import signac

from workflow.jobs.signac_files import STATE_POINT, make_job

POINT = {
    'kT': 0.1 + 0.2,
    'composition': {'B': 1 / 3, 'A': 2 / 3},
    'sequence': {'kind': 'block', 'blocks': ['Ä', 'B'], 'exact_composition': True},
    'pressure': None,
    'chains': 20,
}


def test_a_job_is_made_as_signac_makes_it(tmp_path: Path) -> None:
    ours, theirs = (signac.init_project(str(tmp_path / name)) for name in ('ours', 'theirs'))
    job_id, other = make_job(ours, POINT), theirs.open_job(POINT).init()
    assert job_id == other.id
    made = Path(ours.workspace, job_id, STATE_POINT)
    assert made.read_bytes() == Path(other.fn(STATE_POINT)).read_bytes()
    assert [path.name for path in made.parent.iterdir()] == [STATE_POINT]
    assert [job.statepoint() for job in ours] == [POINT]
