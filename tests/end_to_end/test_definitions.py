"""One definition for a sweep, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import run_here
from tests.systems import small_sweep

pytestmark = pytest.mark.slow

COMPOSITIONS = '{ LSP = 0.5, DOPA = 0.5 }, { LSP = 1 }'


def run(folder: Path, replicas: int, more: str = '') -> list[Path]:
    sweep = small_sweep(COMPOSITIONS, replicas, length=8, steps=1280, doublings=2)
    (folder / 'sweep.toml').write_text(sweep + more)
    for words in (['init', 'sweep.toml'], ['run', '-o', 'simulation', 'clusters', 'relaxation']):
        done = run_here(folder, *words)
        assert done.returncode == 0, done.said
    return sorted((folder / 'workspace').iterdir())


def contact_distances(jobs: list[Path]) -> list[float]:
    results = [json.loads((job / 'clusters.json').read_text())['result'] for job in jobs]
    return [result['contact_distances']['Li-S'] for result in results]


def wave_numbers(jobs: list[Path]) -> list[float]:
    results = [json.loads((job / 'relaxation.json').read_text())['result'] for job in jobs]
    return [result['wave_numbers']['peak'] for result in results]


def stamps(jobs: list[Path], name: str) -> list[int]:
    return [(job / name).stat().st_mtime_ns for job in jobs]


def test_all_jobs_of_a_sweep_share_r_c_and_q(tmp_path: Path) -> None:
    jobs = run(tmp_path, 1)
    (distance,), (wave_number,) = set(contact_distances(jobs)), set(wave_numbers(jobs))
    assert 1.0 < distance < 1.6

    more = run(tmp_path, 2)
    assert len(more) == 4
    assert set(contact_distances(more)) == {distance}
    assert set(wave_numbers(more)) == {wave_number}

    before = {name: stamps(more, name) for name in ('trajectory.gsd', 'relaxation.json')}
    run(tmp_path, 2, '\n[definitions]\ncontact_distance = 1.4\n')
    assert set(contact_distances(more)) == {1.4}
    assert {name: stamps(more, name) for name in before} == before
    runs = [json.loads((job / 'signac_job_document.json').read_text())['runs'] for job in more]
    assert [len(of_job) for of_job in runs] == [3] * 4
