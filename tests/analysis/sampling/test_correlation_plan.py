"""The pairs of frames that correlations are made from."""

import numpy as np

from analysis.sampling.correlation_plan import CorrelationPlan, plan_correlations
from tests.analysis.builders import log_spaced_steps


def most_live_origins(plan: CorrelationPlan) -> int:
    """How many origins are in memory at once, at most."""
    origins = np.unique(plan.origin)
    last = np.array([plan.later[plan.origin == origin].max() for origin in origins])
    return max(int(np.sum((origins <= now) & (now <= last))) for now in plan.later)


def test_plan_is_exact_and_bounded():
    short, long = (plan_correlations(log_spaced_steps(n, 100, 256)) for n in (100, 1000))
    for plan, n in ((short, 100), (long, 1000)):
        steps = log_spaced_steps(n, 100, 256)
        lag = plan.lags[plan.lag_index]
        assert np.array_equal(steps[plan.later] - steps[plan.origin], lag)
        assert np.all(np.diff(plan.later) >= 0)
        assert plan.lags[0] == 100
        assert plan.lags[-1] > steps[-1] / 5
    assert most_live_origins(long) < 2 * most_live_origins(short)
    assert len(long.origin) < 2 * len(short.origin)
