"""Means of the curves of replicas."""

import numpy as np
import pytest

from analysis.estimators.estimate import Curve, mean_curve


def test_curves_on_different_points_meet_on_all_of_them():
    one = Curve(np.array([0.0, 2.0, 4.0]), np.array([0.0, 2.0, 4.0]), x_label='$x$')
    other = Curve(np.array([1.0, 3.0, 5.0]), np.array([5.0, 7.0, 9.0]))
    found = mean_curve([one, other])
    # Both are straight lines, 4 apart; where only one of them is, there is no mean.
    assert found.x.tolist() == [1, 2, 3, 4]
    assert found.value == pytest.approx([3, 4, 5, 6])
    assert found.low == pytest.approx([1, 2, 3, 4])
    assert found.high == pytest.approx([5, 6, 7, 8])
    assert found.x_label == '$x$'
    assert found.fit is None


def test_beyond_its_ends_a_distribution_is_0():
    one = Curve(np.array([1.0, 2.0]), np.array([0.5, 0.5]), outside=0.0)
    other = Curve(np.array([2.0, 3.0]), np.array([0.3, 0.7]), outside=0.0)
    found = mean_curve([one, other])
    assert found.x.tolist() == [1, 2, 3]
    assert found.value == pytest.approx([0.25, 0.4, 0.35])
    assert found.low == pytest.approx([0, 0.3, 0])
    assert found.value.sum() == pytest.approx(1)


def test_points_are_interpolated_on_the_scale_of_x():
    decades = np.array([1.0, 100.0])
    middle = Curve(np.array([10.0]), np.array([0.0]), x_scale='log', outside=0.0)
    for scale, expected in (('log', 0.5), ('linear', 9 / 99)):
        curve = Curve(decades, np.array([0.0, 1.0]), x_scale=scale)
        found = mean_curve([curve, Curve(middle.x, middle.value, x_scale=scale, outside=0.0)])
        assert found.x.tolist() == [1, 10, 100]
        assert found.high[1] == pytest.approx(expected)


def test_a_replica_alone_and_one_without_values():
    lag_0 = Curve(
        np.array([0.0, 1.0, 2.0]), np.array([3.0, np.nan, 1.0]), x_scale='log', fit=np.ones(3)
    )
    alone = mean_curve([lag_0])
    assert alone.x.tolist() == [0, 2]
    assert alone.value.tolist() == alone.low.tolist() == alone.high.tolist() == [3, 1]
    empty = Curve(np.zeros(0), np.zeros(0))
    assert len(mean_curve([lag_0, empty]).x) == 0
    assert len(mean_curve([empty]).x) == 0
