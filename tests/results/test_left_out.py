"""A sweep that computes some observables: its jobs, its report, and what may not name others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.results.builders import thermodynamics, write_definitions_of, write_results_of
from user_input import UserError
from workflow.cli.init import init_sweep
from workflow.jobs import files as job_files
from workflow.jobs.workspace import SweepJobs
from workflow.results.report_state import report_is_current
from workflow.results.sweep_results import write_sweep_results
from workflow.stages.table import observables_of

SWEEP = """
name = 'some'
model = 'isp'
replicas = {replicas}
compositions = [{{ LSP = 0.5, DOPA = 0.5 }}]
{decide}
[grid]
chains = 8
degree_of_polymerisation = 10
density = 0.85
"""
SOME = "[observables]\ncompute = ['thermodynamics']\n"
CLAIMS = """
title = 'Theirs'
[[claim]]
text = 'Ions pair.'
source = 'nowhere'
quantity = 'ion_coordination*'
expect = 'rises'
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'claims.toml').write_text(CLAIMS)
    (tmp_path / 'of_hops.toml').write_text(CLAIMS.replace('ion_coordination*', 'hop_rate'))
    return tmp_path


def made(folder: Path, more: str = '', *, replicas: str = '1', decide: str = '') -> SweepJobs:
    path = folder / 'sweep.toml'
    path.write_text(SWEEP.format(replicas=replicas, decide=decide) + more)
    return init_sweep(path)


@pytest.mark.usefixtures('quick_figures')
def test_the_report_waits_for_what_is_computed_alone(folder: Path) -> None:
    sweep = made(folder)
    ids = [job.id for job in sweep.jobs]
    sweep = made(folder, SOME)
    assert [job.id for job in sweep.jobs] == ids
    (job,) = sweep.jobs
    assert observables_of(job) == ['thermodynamics']
    write_definitions_of(Path(job.path))
    write_results_of(Path(job.path), thermodynamics=thermodynamics())
    assert {row.observable for row in write_sweep_results(sweep).rows} == {'thermodynamics'}
    assert report_is_current(sweep)
    assert not report_is_current(made(folder))


def test_a_job_of_two_sweeps_has_what_either_computes(folder: Path) -> None:
    (job,) = made(folder, SOME).jobs
    other = SWEEP.replace("'some'", "'other'").format(replicas=1, decide='')
    (folder / 'other.toml').write_text(other + "[observables]\ncompute = ['clusters']\n")
    init_sweep(folder / 'other.toml')
    assert observables_of(job) == ['thermodynamics', 'clusters']
    (folder / 'other.toml').write_text(other)
    init_sweep(folder / 'other.toml')
    assert 'relaxation' in observables_of(job)
    assert not job.isfile(job_files.OBSERVED)


@pytest.mark.parametrize(
    ('more', 'how', 'message'),
    [
        ("[observables]\ncompute = ['cluster']", {}, "Did you mean 'clusters'?"),
        ('[observables]\ncompute = []', {}, 'observables.compute'),
        (
            SOME + '[protocol.sample.precision]\nion_coordination_number = 0.1',
            {},
            r"precision: 'ion_coordination_number' is of observable 'clusters', which is left out",
        ),
        (
            SOME,
            {
                'replicas': '{ minimum = 2, maximum = 4 }',
                'decide': 'decide = { ion_coordination_number = 0.1 }',
            },
            r"decide: 'ion_coordination_number' is of observable 'clusters'",
        ),
        (
            SOME + "[report]\nclaims = 'claims.toml'",
            {},
            r"claim.0.quantity: 'ion_coordination\*' is of observable 'clusters'",
        ),
        ("[observables]\ncompute = ['lifetimes']", {}, "'lifetimes' needs .protocol.dense_sample"),
        (
            "[report.decoupling]\nagainst = 'pair_lifetime'",
            {},
            "decoupling.against: 'pair_lifetime'.*left out: give .protocol.dense_sample., and add",
        ),
        (
            SOME + "[report.extremum]\nmaximum = 'ion_coor*'",
            {},
            "extremum.maximum: 'ion_coor.*left out",
        ),
        ("[report.extremum]\nminimum = 'conductivty'", {}, "Did you mean 'conductivity'"),
        ("[report]\noverview = ['hop rate']", {}, "'hop rate'.*give .protocol.dense_sample"),
        ("[report]\nclaims = 'of_hops.toml'", {}, "'hop_rate'.*give .protocol.dense_sample"),
        (SOME + "[report]\noverview = ['percolation']", {}, "'percolation' is of observable"),
        (SOME + "[report]\noverview = ['relaxation:P2']", {}, "of observable 'relaxation'"),
    ],
)
def test_what_is_left_out_cannot_be_asked_for(
    folder: Path, more: str, how: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        made(folder, more, **how)
    assert not (folder / 'workspace').exists()
