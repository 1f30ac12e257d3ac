"""Partial S(q) of ideal pairs of ions, of rock salt, and of clusters at a distance."""

import numpy as np
import pytest

from analysis.estimators.local_peak import find_peak
from analysis.io.array_trajectory import ArrayTrajectory
from analysis.observables.partial_structure_factors import PartialStructureFactors
from tests.analysis.builders import run_of


def measure(positions, box, charge):
    return PartialStructureFactors().compute(run_of(ArrayTrajectory(positions, box, charge=charge)))


def verdicts(found):
    return {q.name: q.estimate for q in PartialStructureFactors().quantities(found)}


def test_ideal_pairs_screen_as_stillinger_and_lovett_say():
    """Pairs of ions a Gaussian vector of variance a^2 apart: S_ZZ = 1 - exp(-q^2 a^2/2).

    At small q this is q^2/k_D^2 with k_D^2 = 2/a^2.
    """
    generator, n, a, box = np.random.default_rng(1), 150, 0.5, 6.0
    cations = generator.uniform(-box / 2, box / 2, (120, n, 3))
    anions = cations + generator.normal(0, a, cations.shape)
    charge = np.repeat([1.0, -1.0], n)
    found = measure(np.concatenate([cations, anions], axis=1), box, charge)
    curves = found.curves
    q = curves['all'].x
    together = np.exp(-((q * a) ** 2) / 2)
    for pair, exact in {
        'all': 1 + together,
        'ion-ion': 1 + together,
        'cation-cation': 1 + 0 * q,
        'anion-anion': 1 + 0 * q,
        'cation-anion': together,
        'charge-charge': 1 - together,
    }.items():
        curve = curves[pair]
        assert np.abs(curve.value - exact).mean() < 0.04, pair
        assert 0.85 <= np.mean((curve.low <= exact) & (curve.high >= exact)) <= 1, pair
    # From the least wave vector on, in all of its directions.
    assert q[0] == pytest.approx(2 * np.pi / box)
    screening = curves['charge-charge']
    assert screening.value[0] == pytest.approx((q[0] * a) ** 2 / 2, rel=0.15)


def test_heads_of_tables_are_words():
    charge = np.repeat([1.0, -1.0], 20)
    found = measure(np.random.default_rng(4).uniform(-3, 3, (8, 40, 3)), 6.0, charge)
    for each in PartialStructureFactors().quantities(found):
        assert each.label
        assert '_' not in each.label


def test_the_partials_add_up_to_the_total():
    generator, charge = np.random.default_rng(2), np.repeat([2.0, -1.0, 0.0], [20, 40, 30])
    found = measure(generator.uniform(-4, 4, (8, 90, 3)), 8.0, charge)
    value = {pair: curve.value for pair, curve in found.curves.items()}
    x = 1 / 3, 2 / 3
    both = 2 * np.sqrt(x[0] * x[1]) * value['cation-anion']
    weighted = x[0] * value['cation-cation'] + x[1] * value['anion-anion']
    assert value['ion-ion'] == pytest.approx(weighted + both, abs=1e-9)
    # Charges 2 and -1: 20 of 4 and 40 of 1 are 120 in all.
    sums = 80 * value['cation-cation'] + 40 * value['anion-anion']
    sums -= 4 * np.sqrt(800) * value['cation-anion']
    assert value['charge-charge'] == pytest.approx(sums / 120, abs=1e-9)
    ions_alone = measure(generator.uniform(-4, 4, (8, 60, 3)), 8.0, charge[:60]).curves
    assert ions_alone['all'].value == pytest.approx(ions_alone['ion-ion'].value, abs=1e-9)


def test_rock_salt():
    """Charges alternate: odd reflections are those of the charge, even ones those of the number."""
    size = 6
    sites = np.stack(np.meshgrid(*3 * [np.arange(size)], indexing='ij'), axis=-1).reshape(-1, 3)
    charge = 1.0 - 2 * (sites.sum(axis=1) % 2)
    curves = measure(np.repeat((sites - 2.5)[None], 8, axis=0), float(size), charge).curves
    q = curves['all'].x
    odd, even = np.sqrt(3) * np.pi, 2 * np.pi
    tops = {pair: q[np.argmax(np.abs(curve.value))] for pair, curve in curves.items()}
    assert tops['charge-charge'] == pytest.approx(odd, rel=0.02)
    assert tops['ion-ion'] == pytest.approx(even, rel=0.02)
    at_odd = np.argmin(np.abs(q - odd))
    assert curves['ion-ion'].value[at_odd] == pytest.approx(0, abs=1e-6)
    assert curves['cation-anion'].value[at_odd] == pytest.approx(
        -curves['cation-cation'].value[at_odd], rel=1e-6
    )


def clusters(edge, n_frames):
    """Clusters of 8 ions each that keep 3.1 apart, at random else, in a matrix, in a box (edge)."""
    generator, n = np.random.default_rng(3), int(edge**3 / 64)
    frames = []
    for _ in range(n_frames):
        centres = generator.uniform(0, edge, (1, 3))
        while len(centres) < n:
            tried = generator.uniform(0, edge, 3)
            apart = centres - tried
            apart -= edge * np.rint(apart / edge)
            if (apart**2).sum(axis=1).min() > 3.1**2:
                centres = np.concatenate([centres, [tried]])
        ions = np.repeat(centres, 8, axis=0) + generator.normal(0, 0.4, (8 * n, 3))
        frames.append(np.concatenate([ions, generator.uniform(0, edge, (16 * n, 3))]))
    charge = np.concatenate([np.tile([1.0, -1.0], 4 * n), np.zeros(16 * n)])
    return measure(np.array(frames), edge, charge)


def test_clusters_at_a_distance_have_an_ionomer_peak():
    found = verdicts(clusters(20.0, 40))
    position, spacing = found['ionomer_peak_position'], found['ionomer_peak_spacing']
    assert not position.against
    assert position.value == pytest.approx(2 * np.pi / 3.5, rel=0.1)
    assert spacing.value == pytest.approx(2 * np.pi / position.value)
    assert spacing.low < spacing.value < spacing.high
    assert found['ionomer_peak_height'].value > 1.5
    assert 0 < found['ionomer_peak_width'].value < position.value


def test_a_box_that_is_too_small_is_refused():
    for estimate in verdicts(clusters(10.0, 40)).values():
        assert estimate.value is None
        assert '3 x 2 pi/L' in estimate.verdict
        assert 'Use one of' in estimate.verdict


@pytest.mark.parametrize('seed', range(6))
def test_a_gas_is_not_sent_to_a_larger_box(seed):
    generator, charge = np.random.default_rng(seed), np.tile([1.0, -1.0], 200)
    positions = generator.uniform(-4, 4, (60, 400, 3))
    for estimate in verdicts(measure(positions, 8.0, charge)).values():
        assert estimate.value is None
        assert estimate.verdict
        assert 'noise' in estimate.verdict or 'no peak' in estimate.verdict


@pytest.mark.parametrize('lean', [0.0, 2.0])
def test_the_top_of_a_peak_that_leans_is_where_it_is(lean):
    x = np.linspace(0.4, 3.0, 40)

    def curve(x):
        from_top = x - 1.5
        return 0.5 + 3 * np.exp(-(from_top**2) * 4 / (1 + lean * np.maximum(from_top, 0)))

    noise = np.random.default_rng(7).normal(0, 0.02, (10, 40))
    peak = find_peak(x, 50 * (curve(x) + noise), np.full(40, 50))
    assert peak.position.value == pytest.approx(1.5, abs=0.02)
    assert peak.height.value == pytest.approx(3.5, rel=0.03)


def test_ions_that_never_move_are_one_configuration():
    place = np.random.default_rng(5).uniform(-6, 6, (40, 3))
    found = measure(np.repeat(place[None], 60, axis=0), 12.0, np.repeat([1.0, -1.0], 20))
    assert found.n_blocks == 1
    assert found.curves['ion-ion'].low is None
