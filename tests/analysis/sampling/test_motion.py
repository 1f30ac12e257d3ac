"""The centre of mass of a system, of a part of one, and images that ran over."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from analysis.geometry.box import Box
from analysis.geometry.topology import Snapshot, Topology
from analysis.io.array_trajectory import ArrayTrajectory
from analysis.io.open_trajectory import open_trajectory
from analysis.observables.mean_squared_displacement import MeanSquaredDisplacement
from analysis.observables.non_gaussian import NonGaussian
from analysis.observables.segmental_relaxation import SegmentalRelaxation
from analysis.sampling.motion import Paths, why_partial
from tests.analysis.builders import frame, run_of, write_data, write_dump, write_gsd
from user_input import UserError


def system(n=120, charge=None, is_whole=None, bonds=()):
    bonds = np.array(bonds, dtype=int).reshape(-1, 2)
    zeros = np.zeros(n, dtype=int)
    charge = np.zeros(n) if charge is None else np.asarray(charge, dtype=float)
    topology = Topology(('A',), zeros, charge, zeros + 1.0, bonds, ('b',), zeros[: len(bonds)])
    return replace(topology, is_whole=is_whole)


def one_ion_more(n):
    return [*([1, -1] * (n // 2 - 1)), 1, 1]


CHAIN = np.stack([np.arange(119), np.arange(1, 120)], axis=1)


@pytest.mark.parametrize(
    ('topology', 'reason'),
    [
        (system(), ''),
        (system(is_whole=True), ''),
        (system(2, is_whole=True), ''),
        (system(120, np.tile([0.3333, -0.33331], 60)), ''),  # rounded
        (system(120, [1] * 120, is_whole=True), ''),
        (system(is_whole=False), 'only some'),
        (system(1), 'single molecule'),
        (system(1, is_whole=True), 'single molecule'),
        (system(bonds=CHAIN), 'single molecule'),
        (system(bonds=CHAIN[:-1]), ''),
        (system(120, one_ion_more(120)), 'charged'),
        (system(99), '99 particles'),
    ],
)
def test_drift_is_that_of_a_system_that_is_whole(topology, reason):
    found = why_partial(topology)
    assert reason in found
    assert bool(reason) is bool(found)


def walks(n, n_frames=60, seed=0):
    return np.cumsum(np.random.default_rng(seed).normal(0, 0.1, (n_frames, n, 3)), axis=0)


def mean_square(positions):
    return ((positions[1:] - positions[:-1]) ** 2).sum(axis=2).mean()


@pytest.mark.parametrize('n', [1, 7, 120])
def test_a_part_of_a_system_keeps_its_motion(tmp_path, n):
    positions = walks(n)
    frames = [frame(k, each, 4.0) for k, each in enumerate(positions)]
    relative = positions - positions.mean(axis=1, keepdims=True)
    run = run_of(open_trajectory(write_dump(tmp_path / 'a.dump', frames)))
    found = {d: MeanSquaredDisplacement(drift=d).compute(run) for d in (None, 'keep', 'remove')}
    first = {d: each.by_type['1'].curve.value[0] for d, each in found.items()}
    kept, removed = mean_square(positions), mean_square(relative)
    assert first['keep'] == pytest.approx(kept)
    assert first['remove'] == pytest.approx(removed, abs=1e-12)
    assert first[None] == pytest.approx(removed if n == 120 else kept)
    assert ('is kept' in found[None].drift) is (n < 120)
    assert found[None].drift in MeanSquaredDisplacement().notes(found[None])


@pytest.mark.parametrize(
    ('held', 'has_data', 'is_whole'),
    [
        (slice(None), True, True),
        (slice(None), False, None),
        (slice(0, 150), True, False),
        (slice(0, 150), False, None),
        (slice(50, 200), True, False),
        (slice(50, 200), False, False),
        (slice(0, 200, 2), False, False),
    ],
)
def test_a_dump_of_a_group_is_no_whole_system(tmp_path, held, has_data, is_whole):
    positions = walks(200, 20)
    positions[:, 1] = positions[:, 0] + 0.3
    given = {'charge': np.zeros(200), 'bonds': [[0, 1]]}
    frames = [frame(k, each, 4.0, **given) for k, each in enumerate(positions)]
    path = write_dump(tmp_path / 'a.dump', frames)
    kept = set(np.arange(1, 201)[held].tolist())
    lines = []
    for line in path.read_text().split('\n'):
        is_atom = len(line.split()) == 8 and line[0].isdigit()
        if not is_atom or int(line.split()[0]) in kept:
            lines.append(str(len(kept)) if line == '200' else line)
    path.write_text('\n'.join(lines))
    data = write_data(tmp_path / 'a.data', frames[0]) if has_data else None
    trajectory = open_trajectory(path, data)
    assert trajectory.topology.is_whole is is_whole
    found = MeanSquaredDisplacement().compute(run_of(trajectory))
    assert ('is kept' in found.drift) is (is_whole is False)
    part = positions[:, held]
    part = part if is_whole is False else part - part.mean(axis=1, keepdims=True)
    (only,) = found.by_type.values()
    assert only.curve.value[0] == pytest.approx(mean_square(part))


def test_bonds_in_a_gsd_file_speak_for_a_whole_system_and_a_net_charge_against_it(tmp_path):
    def topology(**given):
        frames = [frame(0, np.zeros((4, 3)), 4.0, **given)]
        return open_trajectory(write_gsd(tmp_path / 'a.gsd', frames)).topology

    bonds = [[0, 1], [2, 3]]
    assert topology(bonds=bonds).is_whole
    assert topology(bonds=bonds, charge=[1, -1, 1, -1]).is_whole
    assert topology(bonds=bonds, charge=[1, -1, 1, 0]).is_whole is None
    assert topology(charge=[1, -1, 1, -1]).is_whole is None


def test_all_observables_of_motion_say_what_they_did():
    positions = walks(4)
    positions[:, [1, 3]] = positions[:, [0, 2]] + 0.3
    run = run_of(ArrayTrajectory(positions, 4.0, bonds=[[0, 1], [2, 3]]))
    for observable in (MeanSquaredDisplacement, NonGaussian, SegmentalRelaxation):
        for drift, words in ((None, 'taken off'), ('keep', 'is kept (--drift)')):
            result = observable(drift=drift).compute(run)
            assert any(words in note for note in observable().notes(result)), observable


def over(images, bits=10):
    half = 2 ** (bits - 1)
    return (images + half) % (2 * half) - half


@pytest.mark.parametrize(('bits', 'start'), [(10, 510), (10, -511), (21, 2**20 - 2)])
def test_image_flags_that_run_over_are_continued(bits, start):
    box, positions = np.full(3, 3.0), walks(20, 400) * 10
    crossed = np.floor(positions / box + 0.5).astype(int)
    inside, images = positions - crossed * box, over(crossed + start, bits)
    snapshots = [Snapshot(k, Box.of(box), inside[k], images[k]) for k in range(400)]
    paths = Paths(system(20), 'keep')
    with pytest.warns(UserWarning, match='ran over') as caught:
        unwrapped = np.array([paths.unwrapped(each) for each in snapshots])
    assert len(caught) == 1
    assert unwrapped - unwrapped[0] == pytest.approx(positions - positions[0], abs=1e-6)


def test_images_that_run_over_late_are_seen_by_all_that_move(tmp_path):
    positions = walks(20, 400) * 2
    bonds = [[0, 1], [2, 3]]
    positions[:, [1, 3]] = positions[:, [0, 2]] + 0.3
    fine = [frame(k, each, 3.0, bonds=bonds) for k, each in enumerate(positions)]
    ran_over = [frame(k, each, 3.0, bonds=bonds) for k, each in enumerate(positions)]
    start = 511 - max(each.particles.image.max() for each in fine[:100])
    for each in ran_over:
        each.particles.image = over(each.particles.image + start)
    assert all((each.particles.image > 400).all() for each in ran_over[:100])
    assert any((each.particles.image < -400).any() for each in ran_over[100:])
    runs = [
        run_of(open_trajectory(write_gsd(tmp_path / f'{k}.gsd', frames)))
        for k, frames in enumerate((fine, ran_over))
    ]
    for observable in (MeanSquaredDisplacement(), NonGaussian(), SegmentalRelaxation()):
        expected = observable.compute(runs[0])
        with pytest.warns(UserWarning, match='ran over'):
            found = observable.compute(runs[1])
        for name, curve in observable.curves(expected).items():
            assert observable.curves(found)[name].value == pytest.approx(curve.value, abs=1e-5)


def test_far_and_fast_is_no_image_that_ran_over():
    box = Box.of(np.ones(3))
    paths = Paths(system(2), 'keep')
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        for k in range(10):
            images = np.full((2, 3), 400 * k)
            assert np.all(paths.unwrapped(Snapshot(k, box, np.zeros((2, 3)), images)) == 400 * k)
    with pytest.raises(UserError, match='periodic images'):
        paths.unwrapped(Snapshot(10, box, np.zeros((2, 3)), None))


def test_one_crossing_without_an_image_is_seen_in_all_frames(tmp_path):
    # Between 150 frames a single particle crosses, and no image ever changes.
    positions = 0.01 * walks(8, 150)
    positions[:, 0, 0] = 1.99 + 1e-4 * np.arange(150) + 0.003
    frames = [frame(k, each, 4.0) for k, each in enumerate(positions)]
    for each in frames:
        each.particles.image = np.zeros((8, 3), int)
    run = run_of(open_trajectory(write_gsd(tmp_path / 'a.gsd', frames)))
    assert not run.missing_images_reason  # which looks at some frames only
    for observable in (MeanSquaredDisplacement(), NonGaussian()):
        with pytest.raises(UserError, match='no image changes'):
            observable.compute(run)
    relaxation = SegmentalRelaxation().compute(run)
    assert relaxation.scattering == {}
    assert any('no image changes' in each for each in relaxation.verdicts)


@pytest.mark.parametrize(
    ('deformed', 'is_refused'),
    [
        (lambda part: [12, 12, 12], False),
        (lambda part: [12 * (1 + 0.01 * part)] * 3, False),
        # The same lattice all the time, described in another way.
        (lambda part: [12, 12, 12, 0.5 * (-1) ** (part > 0.5), 0, 0], False),
        (lambda part: [12 * (1 + 0.05 * part)] * 3, True),
        (lambda part: [12 * (1 + 0.1 * part), 12, 12 / (1 + 0.1 * part)], True),
        (lambda part: [12, 12, 12, 0.1 * part, 0, 0], True),
    ],
    ids=['fixed', 'fluctuations', 'flip', 'expansion', 'stretch', 'shear'],
)
def test_a_box_that_is_deformed_moves_particles(tmp_path, deformed, is_refused):
    frames = [frame(k, each, deformed(k / 59)) for k, each in enumerate(walks(120))]
    run = run_of(open_trajectory(write_gsd(tmp_path / 'a.gsd', frames)))
    for observable in (MeanSquaredDisplacement(), NonGaussian()):
        if is_refused:
            with pytest.raises(UserError, match='the box is deformed by'):
                observable.compute(run)
        else:
            observable.compute(run)


def test_particles_that_are_held_make_no_drift(tmp_path):
    frozen = walks(120)
    frozen[:, :40] = frozen[0, :40]
    run = run_of(
        open_trajectory(write_gsd(tmp_path / 'a.gsd', map(frame, range(60), frozen, [9.0] * 60)))
    )
    for observable in (MeanSquaredDisplacement, NonGaussian):
        with pytest.raises(UserError, match='40 particles held in place'):
            observable().compute(run)
        observable(drift='keep').compute(run)
    still = ArrayTrajectory(np.zeros((60, 120, 3)), 9.0)
    assert (
        'nothing moves'
        in MeanSquaredDisplacement().compute(run_of(still)).by_type['A'].diffusion.verdict
    )


def test_particles_without_masses_weigh_alike():
    found = [
        Paths(replace(system(), mass=np.full(120, mass)), 'remove').without_drift(walks(120)[1])
        for mass in (0.0, 2.0)
    ]
    assert found[0] == pytest.approx(found[1])
    assert found[0].mean(axis=0) == pytest.approx(0)
