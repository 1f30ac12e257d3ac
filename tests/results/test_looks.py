"""Replicas that are added to a sweep until it is decided: where, how many, and when it ends."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import signac

from tests.results.builders import job_result, relaxation, state_point, table
from user_input import UserError
from workflow.jobs import files as job_files
from workflow.jobs.asked import record_limits
from workflow.jobs.sweep_state import look_is_due
from workflow.jobs.workspace import SWEEPS, SweepJobs
from workflow.results.aggregate import State
from workflow.results.looks import (
    Look,
    lengthen,
    level_of,
    looks_of,
    planned_sizes,
    take_look,
)
from workflow.results.verdicts import Finding
from workflow.stages.stage_folder import StageFolder
from workflow.sweep.sweep_file import Replicas, Sweep, load_sweep

PRECISE = {'sample': {'precision': {'pressure': 0.1}}}
SWEEP = Path(__file__).parents[2] / 'sweeps' / 'demo.toml'


def sweep(**changes: Any) -> Sweep:
    recorded, _ = load_sweep(SWEEP)
    wanted = {'replicas': {'minimum': 2, 'maximum': 6}, 'decide': 'claims'} | changes
    return Sweep.model_validate(recorded.model_dump() | wanted)


@pytest.fixture
def jobs(tmp_path: Path) -> SweepJobs:
    """Jobs of two replicas of three states, in a workspace, whose runs took 1000 steps each."""
    from models.model import load_model

    model = load_model('isp')
    project = signac.init_project(tmp_path)
    made = []
    for x in (0.0, 0.5, 1.0):
        for replica in (0, 1):
            point = state_point(x, replica, model_hash=model.content_hash())
            job = project.open_job(point).init()
            job.document['runs'] = [{'stage': 'sample', 'steps': 1000, 'seconds': 3600.0}]
            job_files.write_limits([Path(job.path)], sweep().protocol.limits)
            end = {'steps': 12800, 'precision': {}, 'is_precise': False}
            job_files.write_json(StageFolder(Path(job.path), 'sample').end, end)
            made.append(job)
    job_files.write_models((Path(job.path) for job in made), model)
    recorded = {'jobs': [job.id for job in made], 'sweep': sweep().model_dump(mode='json')}
    project.document[SWEEPS] = {'demo': recorded}
    return SweepJobs('demo', made)


def results(jobs: SweepJobs) -> Any:
    found = [
        job_result(job.cached_statepoint, relaxation=relaxation({'backbone': 10.0}))
        for job in jobs.jobs
    ]
    return table(found)


def open_at(*places: float) -> Finding:
    gains = tuple({'lsp_fraction': x, 'kT': 1.0} for x in places)
    return Finding('a', 'b', 'q', 'seen', 'undecided', gains_at=gains)


def replicas_of(jobs: SweepJobs) -> dict[float, list[int]]:
    found: dict[float, list[int]] = {}
    for job in jobs.jobs[0].project:
        composition = job.statepoint()['composition']
        found.setdefault(composition.get('LSP', 0.0), []).append(job.statepoint()['replica'])
    return {x: sorted(each) for x, each in sorted(found.items())}


def test_sizes_grow_by_a_half() -> None:
    assert planned_sizes(Replicas(minimum=3, maximum=12)) == [3, 5, 8, 12]
    assert planned_sizes(Replicas(minimum=2, maximum=2)) == [2]


def test_the_levels_of_all_looks_keep_the_rate() -> None:
    first, last = level_of(sweep(), []), level_of(sweep(), [Look(1, 12, 0.1, {}, [], 4, '')] * 2)
    assert first < 0.01 < last < 0.05
    fixed, _ = load_sweep(SWEEP)
    assert level_of(fixed.model_copy(update={'decide': None}), []) == 0.05


def test_replicas_are_added_where_they_tell_most(jobs: SweepJobs) -> None:
    look = take_look(jobs, sweep(), results(jobs), [open_at(0.0, 1.0)])
    assert (look.added, look.end) == (2, '')
    assert replicas_of(jobs) == {0.0: [0, 1, 2], 0.5: [0, 1], 1.0: [0, 1, 2]}
    content = jobs.jobs[0].project.document[SWEEPS]['demo']()
    assert len(content['jobs']) == 8
    assert look_is_due(content)
    added = jobs.jobs[0].project.open_job(id=content['jobs'][-1])
    assert added.isfile(job_files.MODEL)
    assert added.isfile(job_files.LIMITS)


def test_what_is_decided_ends_it(jobs: SweepJobs) -> None:
    decided = Finding('More of it, less.', 'b', 'q', 'seen', 'agrees')
    look = take_look(jobs, sweep(), results(jobs), [decided])
    assert (look.added, look.end, look.decided) == (
        0,
        'all that can be is decided',
        {decided.key: 'agrees'},
    )
    content = jobs.jobs[0].project.document[SWEEPS]['demo']()
    assert not look_is_due(content)
    assert looks_of(content) == [look]
    assert str(look).endswith('1 decided. All that can be is decided.')


@pytest.mark.parametrize(
    ('budget', 'added', 'end'),
    [
        ({'steps': 6000}, 0, 'the budget is spent'),
        ({'steps': 7500}, 1, ''),
        ({'core_hours': 8.5}, 2, ''),
    ],
)
def test_a_budget_is_kept(jobs: SweepJobs, budget: Any, added: int, end: str) -> None:
    look = take_look(jobs, sweep(budget=budget), results(jobs), [open_at(0.0, 1.0)])
    assert (look.added, look.end) == (added, end)


def test_a_precision_adds_to_the_states_that_miss_it(jobs: SweepJobs) -> None:
    found = results(jobs)
    look = take_look(jobs, sweep(decide={'p2_time_backbone': 1e-6}), found, [])
    assert look.added == 3
    assert take_look(jobs, sweep(decide={'p2_time_backbone': 10.0}), found, []).end


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'decide': None}, "a maximum needs decide = 'claims'"),
        ({'replicas': 3}, 'decide: needs replicas'),
        ({'replicas': {'minimum': 4, 'maximum': 3}}, 'minimum 4 exceeds maximum 3'),
        ({'budget': {'steps': 0}}, 'greater than 0'),
        ({'budget': {}}, 'either steps or core_hours'),
        ({'decide': {'pressure': 0.1}, 'protocol': PRECISE}, 'is in protocol.sample.precision too'),
        ({'report': {}}, "'claims' needs a file of claims"),
    ],
)
def test_contradictions_are_refused(changes: Any, message: str) -> None:
    with pytest.raises((UserError, ValueError), match=message):
        sweep(**changes)


def test_runs_that_give_only_bounds_are_made_longer_before_there_are_more(jobs: SweepJobs) -> None:
    found = results(jobs)
    places = ({'lsp_fraction': 0.0, 'kT': 1.0},)
    short = Finding('a', 'b', 'q', 'seen', 'undecided', gains_at=places, bounds_at=places)
    found = dataclasses.replace(found, states=tuple(map(with_jobs(jobs), found.states)))
    project = jobs.jobs[0].project
    ids = {job.id for job in jobs.jobs}
    for expected in (2, 4, 8):
        assert lengthen(jobs, sweep(), found, [short]) == 2
        record_limits(project, ids)
        steps = {job.id: job_files.read_limits(Path(job.path))['sample'] for job in jobs.jobs}
        asked = [steps[job.id].minimum_steps // 12800 for job in jobs.jobs]
        assert asked == [expected, expected, 1, 1, 1, 1]
    assert lengthen(jobs, sweep(), found, [short]) == 0
    assert lengthen(jobs, sweep(budget={'steps': 6500}), found, [short]) == 0


def with_jobs(jobs: SweepJobs) -> Any:
    """Tells the results of a state which jobs they are of."""
    ids = {json.dumps(job.statepoint(), sort_keys=True): job.id for job in jobs.jobs}

    def of(state: State) -> State:
        named = [
            dataclasses.replace(each, job=ids[json.dumps(dict(each.state_point), sort_keys=True)])
            for each in state.results
        ]
        return State(state.place, tuple(named))

    return of


def test_the_number_of_the_look_sets_the_size_whichever_states_were_open(jobs: SweepJobs) -> None:
    """Else there are more looks than their levels keep the rate of false decisions for."""
    wide = sweep(replicas={'minimum': 2, 'maximum': 5})
    sizes = planned_sizes(wide.replicas)
    looks = []
    for place in (0.0, 1.0, 0.0, 1.0):
        now = SweepJobs('demo', list(jobs.jobs[0].project))
        if look_is_due(now.jobs[0].project.document[SWEEPS]['demo']()):
            looks.append(take_look(now, wide, results(now), [open_at(place)]))
    assert len(looks) == len(sizes) == 3
    assert replicas_of(jobs) == {0.0: [0, 1, 2], 0.5: [0, 1], 1.0: [0, 1, 2, 3, 4]}
    assert looks[-1].end


def test_a_changed_budget_or_maximum_takes_it_up_again(jobs: SweepJobs) -> None:
    content = jobs.jobs[0].project.document[SWEEPS]['demo']
    take_look(jobs, sweep(budget={'steps': 6000}), results(jobs), [open_at(0.0)])
    assert not look_is_due(content())
    content['looks'][-1]['end'] = ''  # as init does where the sweep file was changed
    assert look_is_due(content())


def test_a_grid_of_its_own_replicas_grows_to_its_own_maximum(jobs: SweepJobs) -> None:
    """The jobs are of 24 chains; the looks are those of the grid with most of them."""
    rest = {'degree_of_polymerisation': 20, 'pressure': 0.0}
    own = sweep(
        grid=None,
        grids=[
            rest | {'chains': 24, 'replicas': {'minimum': 2, 'maximum': 3}},
            rest | {'chains': 6, 'replicas': {'minimum': 8, 'maximum': 40}},
        ],
    )
    assert level_of(own, []) == level_of(sweep(replicas={'minimum': 8, 'maximum': 40}), [])
    assert take_look(jobs, own, results(jobs), [open_at(0.0)]).added == 1
    now = SweepJobs('demo', list(jobs.jobs[0].project))
    look = take_look(now, own, results(now), [open_at(0.0)])
    assert look.added == 0
    assert look.end.startswith('nothing is left')
