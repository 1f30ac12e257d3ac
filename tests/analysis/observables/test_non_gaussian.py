"""The non-Gaussian parameter of motions for which it is known."""

import numpy as np
import pytest

from analysis.io.array_trajectory import ArrayTrajectory
from analysis.observables.non_gaussian import NonGaussian
from analysis.sampling.run import Run


def peak_of(steps, typeid=None, names=('A',)):
    """alpha_2 at its largest, of particles that make these steps, shape (F, N, 3)."""
    run = Run(ArrayTrajectory(np.cumsum(steps, axis=0), 1e3, typeid=typeid, type_names=names))
    return NonGaussian().compute(run)


def test_a_random_walk_has_none():
    steps = np.random.default_rng(1).normal(size=(400, 300, 3))
    found = peak_of(steps)
    curve = found.curves['A']
    assert np.abs(curve.value[curve.x <= 8]).max() < 0.02
    inside = (curve.low <= 0.0) & (curve.high >= 0.0)
    assert inside.mean() > 0.6


def test_two_kinds_of_walkers_under_one_name():
    """Half with s^2 = 1 and half with s^2 = 4: 2 (1 + 16)/(1 + 4)^2 - 1 = 0.36 at every lag."""
    sigma = np.repeat([1.0, 2.0], 400)[None, :, None]
    steps = sigma * np.random.default_rng(2).normal(size=(400, 800, 3))
    found = peak_of(steps)
    curve = found.curves['A']
    assert curve.value[curve.x <= 4] == pytest.approx(0.36, abs=0.03)
    named = peak_of(steps, np.repeat([0, 1], 400), ('slow', 'fast'))
    for name in ('slow', 'fast'):
        curve = named.curves[name]
        assert np.abs(curve.value[curve.x <= 4]).max() < 0.03
