"""Drift that replicas share: how often it is seen where there is none, and where there is one."""

import numpy as np
import pytest

from analysis.estimators.drift import Drift, drift_of, shared_drift
from analysis.estimators.equilibration import detect_equilibration
from tests.analysis.estimators.test_statistics import autoregressive

ROWS, MEMORY = 600, 0.9  # worth 32 values
# Of a line through so many: 12 is the inverse mean square of a uniform distribution.
ERROR = np.sqrt(12 * 19 / ROWS)


def sets_of_replicas(n, change, tries, generator):
    line = change * np.linspace(-0.5, 0.5, ROWS)
    for _ in range(tries):
        yield [line + autoregressive(ROWS, MEMORY, generator) for _ in range(n)]


def seen(n, change, tries=300):
    sets = sets_of_replicas(n, change, tries, np.random.default_rng(n))
    return np.mean([shared_drift([drift_of(each) for each in found])[1] for found in sets])


@pytest.mark.parametrize('n', [2, 4])
def test_without_a_drift_none_is_seen(n):
    assert seen(n, 0.0) < 0.03


def test_replicas_together_see_what_none_sees_alone():
    change = 2.5 * ERROR
    sets = list(sets_of_replicas(4, change, 60, np.random.default_rng(9)))
    alone = [detect_equilibration(each).is_equilibrated for found in sets for each in found]
    assert np.mean(alone) > 0.5
    assert seen(4, change, 100) > 0.9
    assert seen(4, change, 100) > seen(2, change, 100) > seen(2, change / 2, 100)


def test_a_line_is_measured_in_what_is_left_without_it():
    noise = np.random.default_rng(3).normal(0, 2.0, 5000)
    found = drift_of(noise + 6.0 * np.linspace(0, 1, 5000))
    assert found.change == pytest.approx(3.0, abs=0.15)
    assert found.error == pytest.approx(np.sqrt(12 / 5000), rel=0.1)
    assert drift_of(np.ones(50)) == drift_of([1.0, 2.0]) == Drift(0.0, 0.0, 0.0)


def test_one_replica_and_short_replicas_are_not_asked():
    large = Drift(9.0, 0.1, 50.0)
    assert shared_drift([large, large])[1]
    assert not shared_drift([large])[1]
    assert not shared_drift([Drift(9.0, 0.1, 4.0)] * 3)[1]
    # What one has and the others not is no drift of all.
    assert not shared_drift([Drift(2.0, 1.0, 50.0), Drift(-2.0, 1.0, 50.0)])[1]
