"""The pairs of frames that correlations are made from."""

import numpy as np

from analysis.sampling.correlation_plan import plan_correlations
from tests.analysis.builders import log_spaced_steps


def test_plan_is_exact_and_bounded():
    short, long = (plan_correlations(log_spaced_steps(n, 100, 256)) for n in (100, 1000))
    for plan, n in ((short, 100), (long, 1000)):
        steps = log_spaced_steps(n, 100, 256)
        lag = plan.lags[plan.lag_index]
        assert np.array_equal(steps[plan.later] - steps[plan.origin], lag)
        assert np.all(np.diff(plan.later) >= 0)
        assert plan.lags[0] == 100
        assert plan.lags[-1] > steps[-1] / 5
    assert long.most_live_origins() < 2 * short.most_live_origins()
    assert len(long.origin) < 2 * len(short.origin)
