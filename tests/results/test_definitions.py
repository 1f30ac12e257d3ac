"""Definitions of the sweeps of a workspace: who gives what to which job, and what is stale then."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from analysis.sampling.definitions import Structure
from analysis.serialise import to_json
from tests.analysis.sampling.test_definitions import structures
from tests.results.builders import sweep as results_of_sweep
from tests.results.builders import table
from user_input import UserError
from workflow.cli.init import init_sweep
from workflow.jobs import files as job_files
from workflow.jobs import products
from workflow.jobs.failures import record_refusal
from workflow.jobs.sweep_state import are_defined, may_be_defined
from workflow.jobs.workspace import SweepJobs
from workflow.results.definitions import STRUCTURE_PRODUCT, define, definitions_of
from workflow.results.series import all_series
from workflow.results.stated_definitions import definitions_statement, onset_statements

SWEEP = """
name = 'NAME'
model = 'isp'
replicas = 1
compositions = [{ LSP = 0.5, DOPA = 0.5 }, { LSP = 1 }]

[grid]
chains = CHAINS
degree_of_polymerisation = 10
density = 0.85

[protocol]
coulomb_error = 1e-2
time_step = 0.01
"""
PAIR, NAMED = 'Li-S', '[definitions]\ncontact_distance = 1.35\n'


def make(folder: Path, name: str = 'one', chains: str = '[8]', more: str = '') -> SweepJobs:
    path = folder / f'{name}.toml'
    path.write_text(SWEEP.replace('NAME', name).replace('CHAINS', chains) + more)
    return init_sweep(path)


def sample(jobs: list[object]) -> None:
    """Leave in each job what is pooled."""
    found = iter(structures(np.random.default_rng(5), (1.0,), len(jobs)))
    for job in jobs:
        give(job, next(found))


def give(job, structure: Structure) -> None:
    with products.writing(Path(job.path), STRUCTURE_PRODUCT) as path:
        job_files.write_json(path, {'result': json.loads(to_json(structure))})


def measure(jobs: list[object]) -> None:
    for job in jobs:
        for name in ('clusters', 'relaxation', 'chains'):
            Path(job.fn(job_files.result_file(name))).write_text('{}')


def measured(job) -> list[str]:
    return [
        name
        for name in ('clusters', 'relaxation', 'chains')
        if job.isfile(job_files.result_file(name))
    ]


def distances(jobs: list[object]) -> list[float | None]:
    return [
        each.definitions.contact_distances[PAIR].estimate.value
        for each in definitions_of(jobs).values()
    ]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_all_jobs_have_what_is_pooled_once_and_later_ones_too(tmp_path: Path) -> None:
    sweep = make(tmp_path)
    sample(sweep.jobs[:1])
    assert not may_be_defined(sweep)
    record_refusal(Path(sweep.jobs[1].path), UserError('cannot be run'))
    assert may_be_defined(sweep)  # is not waited for
    sample(sweep.jobs)
    measure(sweep.jobs)
    define(sweep)
    assert are_defined(sweep)
    (first,) = set(distances(sweep.jobs))
    assert first == pytest.approx(1.3, abs=0.1)
    # Measured before there were definitions, with those of the run.
    assert [measured(job) for job in sweep.jobs] == [['chains']] * 2
    longer = make(tmp_path, chains='[8, 9]')
    assert not are_defined(longer)
    assert may_be_defined(longer)
    define(longer)
    assert distances(longer.jobs) == [first] * 4


def test_what_a_sweep_file_names_is_measured_again_and_nothing_else(tmp_path: Path) -> None:
    sweep = make(tmp_path)
    sample(sweep.jobs)
    define(sweep)
    pooled = distances(sweep.jobs)
    measure(sweep.jobs)
    define(sweep)
    assert [measured(job) for job in sweep.jobs] == [['clusters', 'relaxation', 'chains']] * 2
    sweep = make(tmp_path, more=NAMED)
    assert not are_defined(sweep)
    define(sweep)
    assert distances(sweep.jobs) == [1.35] * 2
    assert [measured(job) for job in sweep.jobs] == [['relaxation', 'chains']] * 2
    assert 'named in the sweep file' in str(definitions_statement(definitions_of(sweep.jobs)))
    sweep = make(tmp_path)
    define(sweep)
    assert distances(sweep.jobs) == pooled


def test_a_job_keeps_those_of_the_sweep_that_was_first_unless_they_are_named(
    tmp_path: Path,
) -> None:
    first = make(tmp_path)
    sample(first.jobs)
    define(first)
    before = distances(first.jobs)
    second = make(tmp_path, 'two', '[8, 9]')
    sample(second.jobs)
    define(second)
    assert are_defined(second)
    assert distances(first.jobs) == before
    lines = dict(definitions_statement(definitions_of(second.jobs)))
    assert ('Not one definition' in lines) is (len(set(distances(second.jobs))) > 1)
    named = make(tmp_path, 'two', '[8, 9]', NAMED + 'wave_number = 7.1\n')
    define(named)
    assert distances(named.jobs) == [1.35] * 4
    assert 'Not one definition' not in dict(definitions_statement(definitions_of(named.jobs)))


def test_an_unknown_pair_or_distance_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no cation and anion are 'Li-P'.*Li-S"):
        make(tmp_path, more="[definitions]\ncontact_distance = { 'Li-P' = 1.3 }\n")
    with pytest.raises(UserError, match='contact_distance'):
        make(tmp_path, more='[definitions]\ncontact_distance = -1\n')


def test_the_onset_is_stated_for_two_contact_distances() -> None:
    (series,) = all_series(table(results_of_sweep()))
    lines = onset_statements(series)
    assert [name for name, _ in lines] == [
        'Percolation onset at 0.9 r_c',
        'Percolation onset at 1.1 r_c',
    ]
    assert all('LSP' in text for _, text in lines)
