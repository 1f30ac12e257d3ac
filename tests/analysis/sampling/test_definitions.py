"""Definitions that are pooled over runs, and contacts of several species."""

import numpy as np
import pytest

from analysis.estimators.estimate import Estimate
from analysis.io.array_trajectory import ArrayTrajectory
from analysis.io.open_trajectory import open_trajectory
from analysis.observables.ion_clusters import IonClusters
from analysis.sampling.contact_distance import PairCounts, pair_correlation_of
from analysis.sampling.definitions import (
    Definition,
    Definitions,
    Structure,
    distances_by_pair,
    pool_definitions,
    read_contact_distance,
)
from analysis.sampling.main_peak import ShellSums, peak_of
from analysis.serialise import from_json, to_json
from tests.analysis.builders import frame, run_of, write_gsd
from user_input import UserError

EDGES = np.linspace(0, 4, 401)
R = (EDGES[1:] + EDGES[:-1]) / 2
SHELLS = 4 / 3 * np.pi * np.diff(EDGES**3)
# As of the shipped ionomer: a sharp peak, then a broad and shallow minimum.
PEAK, MINIMUM = 0.75, 1.30


def pair_correlation(r, density):
    """g(r) of ions whose neighbours are as many at any mean density."""
    ions = 8 * np.exp(-(((r - PEAK) / 0.12) ** 2)) + 0.25 + 0.6 * (r - MINIMUM) ** 2
    return ions / density * (r > 0.5)


def counts_of(generator, n_ions, density=1.0, n_frames=30):
    ideal = n_frames * n_ions * density * SHELLS
    seen = generator.poisson(ideal * pair_correlation(R, density)).astype(float)
    return PairCounts(EDGES, seen, ideal, n_frames)


def shells_of(generator, peak):
    q = np.linspace(4, 12, 60)
    s = 0.6 + 1.6 * np.exp(-(((q - peak) / 0.8) ** 2))
    number = np.full(60, 24 * 20.0)
    return ShellSums(q * number, generator.gamma(number, s), number)


def structures(generator, densities=(0.1, 0.3, 1.0), n_replicas=2):
    return [
        Structure(
            {'Li-S': counts_of(generator, int(200 * density), density)}, shells_of(generator, 7.1)
        )
        for density in densities
        for _ in range(n_replicas)
    ]


def test_a_pooled_minimum_is_closer_than_those_of_single_runs():
    pooled, single, covered = [], [], 0
    for seed in range(10):
        runs = structures(np.random.default_rng(seed))
        counts = [run.pairs['Li-S'] for run in runs]
        single += [pair_correlation_of(run).first_minimum - MINIMUM for run in counts]
        found = pool_definitions(runs).contact_distances['Li-S'].estimate
        pooled.append(found.value - MINIMUM)
        covered += found.low <= MINIMUM <= found.high
    error = np.sqrt(np.mean(np.square(pooled)))
    assert error < 0.5 * np.sqrt(np.mean(np.square(single)))
    assert error < 0.04
    assert covered >= 8


def test_wave_number_is_pooled_over_all_states():
    generator = np.random.default_rng(2)
    runs = [Structure({}, shells_of(generator, peak)) for peak in (7.0, 7.2) for _ in range(3)]
    found = pool_definitions(runs)
    assert found.contact_distances == {}
    assert found.wave_number.estimate.value == pytest.approx(7.1, abs=0.03)
    assert found.wave_number.estimate.low < 7.1 < found.wave_number.estimate.high
    assert found.wave_number.source == 'main peak of the pooled S(q) of 6 runs'
    assert peak_of(runs[0].shells)[0] == pytest.approx(7.0, abs=0.1)
    assert from_json(Definitions, to_json(found)) == found


def test_a_pair_without_a_minimum_says_so():
    flat = PairCounts(EDGES, 100 * SHELLS, 100 * SHELLS, 10)
    found = pool_definitions([Structure({'Li-S': flat}, shells_of(np.random.default_rng(3), 7))])
    assert found.contact_distances['Li-S'].estimate.value is None
    with pytest.raises(UserError, match="no contact distance of Li-S.*'Li-S' = "):
        found.contact_distance_values(['Li-S'])


def two_pairs(step=0):
    """An anion with a lithium at 0.5 and a sodium at 0.9, and the same further apart."""
    points = [[0, 0, 0], [0.5, 0, 0], [0, 0.9, 0], [3, 0, 0], [3.9, 0, 0], [3, 1.3, 0]]
    return frame(step, points, 12, types=('S', 'Li', 'Na'), typeid=[0, 1, 2, 0, 1, 2],
                 charge=[-1, 1, 1, -1, 1, 1])  # fmt: skip


@pytest.mark.parametrize('is_given', [True, False])
def test_each_pair_of_species_has_its_own_distance(tmp_path, is_given):
    path = write_gsd(tmp_path / 'a.gsd', [two_pairs(k) for k in range(10)])
    distances = {'Li-S': 0.6, 'Na-S': 1.0}
    known = {pair: Definition(Estimate(value), '') for pair, value in distances.items()}
    run = run_of(
        open_trajectory(path), definitions=Definitions(known, Definition(Estimate(7.0), ''))
    )
    options = {'contact_distance': {'S-Li': 0.6, 'Na-S': 1.0}} if is_given else {}
    found = IonClusters(**options).compute(run)
    assert found.contact_distances == distances
    # Li and Na touch the first anion; of the second, Li is farther than 0.6, Na than 1.0.
    assert found.estimates['coordination_number'].value == pytest.approx(4 / 6)
    assert found.estimates['largest_cluster_fraction'].value == pytest.approx(3 / 6)
    assert 'contact_distance' not in [each.name for each in IonClusters().quantities(found)]


def test_two_pairs_have_two_minima():
    generator = np.random.default_rng(4)
    runs = []
    for run in structures(generator):
        li = run.pairs['Li-S']
        na = PairCounts(1.2 * li.edges, li.counts, 1.2**3 * li.ideal, li.n_frames)
        runs.append(Structure({'Li-S': li, 'Na-S': na}, run.shells))
    found = pool_definitions(runs).contact_distances
    distances = [found[pair].estimate.value for pair in ('Li-S', 'Na-S')]
    assert distances == pytest.approx([MINIMUM, 1.2 * MINIMUM], abs=0.05)


def test_distances_are_named_either_way_round():
    assert read_contact_distance('1.3') == 1.3
    named = read_contact_distance('S-Li=1.3, Na-S=1.6')
    assert distances_by_pair(named, ['Li-S', 'Na-S']) == {'Li-S': 1.3, 'Na-S': 1.6}
    assert distances_by_pair(1.3, ['Li-S']) == {'Li-S': 1.3}
    for wrong, what in (({'K-S': 1.3}, "no cation and anion are 'K-S'"), (-1.0, 'positive')):
        with pytest.raises(UserError, match=what):
            distances_by_pair(wrong, ['Li-S'])


def test_what_the_contact_distance_changes():
    """A wire of pairs 0.9 apart within, 1.05 between: it percolates when both are contacts."""
    steps = np.cumsum([0.0, *[0.9, 1.05] * 5])[:-1]
    points = np.stack([steps, np.zeros(10), np.zeros(10)], axis=1)
    moved = points + np.linspace(0, 3, 40)[:, None, None] * [1, 0, 0]
    box = [steps[-1] + 1.05, 8.0, 8.0]
    source = ArrayTrajectory(moved, box, charge=np.tile([1.0, -1.0], 5))
    found = IonClusters(contact_distance=1.0).compute(run_of(source))
    scan = found.against_contact_distance
    assert scan['coordination against r_c'].x == pytest.approx([0.8, 0.9, 1.0, 1.1, 1.2], rel=1e-6)
    # At 0.9 itself rounding decides.
    assert scan['coordination against r_c'].value[[0, 2, 3, 4]].tolist() == [0, 1, 2, 2]
    assert scan['largest cluster against r_c'].value[[0, 2, 3, 4]] == pytest.approx(
        [0.1, 0.2, 1, 1]
    )
    assert scan['percolation against r_c'].value[[0, 2, 3, 4]].tolist() == [0, 0, 1, 1]
    assert found.estimates['coordination_number'].value == 1
