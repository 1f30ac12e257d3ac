"""Association times of cations that jump between anions at a known rate."""

import numpy as np
import pytest

from analysis.io.array_trajectory import ArrayTrajectory
from analysis.observable import analyse
from analysis.observables.ion_association import IonAssociation
from tests.analysis.builders import run_of

SITES = np.stack(np.meshgrid(*[np.arange(-4.0, 5.0, 4.0)] * 3), axis=-1).reshape(-1, 3)
BOX = 12.0


def jumps(n_frames, n, n_anions, rate, generator):
    """The anion that each of n cations is at: after a jump any of them, shape (F, n)."""
    anion = np.empty((n_frames, n), dtype=int)
    anion[0] = generator.integers(n_anions, size=n)
    for now, before in zip(anion[1:], anion[:-1], strict=True):
        has_jumped = generator.random(n) < -np.expm1(-rate)
        now[:] = np.where(has_jumped, generator.integers(n_anions, size=n), before)
    return anion


def run_at(anion, n_anions, distance=0.8, bonds=()):
    """A run of cations beside these anions, at this distance, shape (F, n) or one for all."""
    n_frames, n = anion.shape
    anions = np.tile(SITES[:n_anions], (n_frames, 1, 1))
    away = np.broadcast_to(distance, anion.shape)[..., None] * np.array([1.0, 0, 0])
    positions = np.concatenate([anions, SITES[anion] + away], axis=1)
    typeid = np.repeat([0, 1], [n_anions, n])
    return run_of(
        ArrayTrajectory(
            positions,
            BOX,
            typeid=typeid,
            type_names=('S', 'Li'),
            charge=np.array([-1.0, 1.0])[typeid],
            bonds=bonds,
            time_step=0.5,
        )
    )


def test_jumps_among_few_anions():
    """By chance one of four contacts is there again; without it the curve is exponential."""
    rate, generator = 0.05, np.random.default_rng(1)
    run = run_at(jumps(1000, 60, 4, rate, generator), 4)
    found = IonAssociation(contact_distance=1.2).compute(run)
    for each in (found.pairs, found.cages):
        exact = np.exp(-rate * each.curve.x / 0.5)
        assert np.abs(each.curve.value - exact)[each.curve.x < 100].max() < 0.05
        for time in (each.decay.mean, each.decay.one_over_e):
            assert time.value == pytest.approx(0.5 / rate, rel=0.1)
            assert time.low < 0.5 / rate < time.high


def test_a_cage_lasts_until_one_of_its_anions_leaves():
    """Two anions that leave independently, in the middle of which the cation stays."""
    generator = np.random.default_rng(2)
    there = np.empty((1500, 40, 2), dtype=bool)
    there[0] = True
    for now, before in zip(there[1:], there[:-1], strict=True):
        chance = generator.random((40, 2))
        now[:] = np.where(before, chance >= 0.05, chance < 0.05)
    n = 40
    cell = np.stack(np.unravel_index(np.arange(n), (4, 4, 4)), axis=1) * 10.0
    shift = np.where(there, 0.8, 3.0)[..., None] * np.array([[1.0, 0, 0], [-1.0, 0, 0]])
    anions = (cell[:, None] + shift).reshape(1500, -1, 3)
    positions = np.concatenate([np.tile(cell, (1500, 1, 1)), anions], axis=1)
    typeid = np.repeat([0, 1], [n, 2 * n])
    run = run_of(
        ArrayTrajectory(
            positions,
            40.0,
            typeid=typeid,
            type_names=('Li', 'S'),
            charge=np.where(typeid, -0.5, 1.0),
        )
    )
    found = IonAssociation(contact_distance=1.2).compute(run)
    # Half of the time each anion is there: alone a quarter, both a quarter.
    stays = 0.5 * (1 + 0.9**found.pairs.curve.x)
    early = found.cages.curve.x < 20
    exact = (stays**2 + 2 * stays * stays) / 3
    assert np.abs(found.cages.curve.value - exact)[early].max() < 0.05
    assert found.cages.curve.value[early][-1] < found.pairs.curve.value[early][-1]


def test_what_never_parts_has_a_bound():
    anion = np.tile(np.arange(8), (40, 1))
    found = IonAssociation(contact_distance=1.2).compute(run_at(anion, 8))
    for each in (found.pairs, found.cages):
        assert each.decay.one_over_e.is_bound
        assert each.decay.one_over_e.low == each.curve.x[-1]
        assert 'not decayed' in each.decay.mean.verdict
        assert each.curve.value == pytest.approx(np.ones(len(each.curve.x)))


def test_ions_that_never_touch_are_refused():
    run = run_at(np.tile(np.arange(8), (40, 1)), 8, distance=2.0)
    outcome = analyse(run, [IonAssociation(contact_distance=1.2)])['association']
    assert 'no contact between ions' in outcome.refusal


def test_a_single_pair_is_refused_with_the_reason():
    """Wherever the cation is bound, it is bound to the one anion: chance has nothing to lose."""
    outcome = analyse(run_at(np.zeros((40, 1), dtype=int), 1), [IonAssociation()])['association']
    assert 'a single cation and a single anion' in outcome.refusal


def test_no_ions():
    run = run_of(ArrayTrajectory(np.zeros((10, 2, 3)), 5.0))
    assert not IonAssociation().applies_to(run.topology)
