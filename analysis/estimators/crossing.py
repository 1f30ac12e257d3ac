"""Where two curves cross along an axis, as those of two system sizes at a threshold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.estimators.estimate import Estimate
from analysis.estimators.pooling import Replicates, Spread, WeightedSum
from analysis.estimators.trends import LEVEL

_POINTS = 64  # between two places


def crossing(lower: Sequence[Replicates], upper: Sequence[Replicates]) -> Estimate:
    """Estimate where `upper` comes to lie above `lower`, both at the same rising places.

    Between places the curves are taken as straight. The interval is all that lies between the last
    place where `upper` is below beyond doubt and the first one where it is above: the difference is
    tested at each by Student's t with the spread of the replicas (Fieller's interval, J. R. Stat.
    Soc. B 16, 175, 1954), which few replicas do not make too narrow, as resampling them would.
    Refused, with a verdict, where either is not seen.
    """
    states, n = [*lower, *upper], len(lower)
    if n < 2:
        return Estimate(None, None, None, n, 'the sizes share fewer than two places')
    spread = Spread.of(states)
    places = np.array([each.place for each in lower])
    rows = []
    for k in range(n - 1):
        for part in np.linspace(0, 1, _POINTS, endpoint=k == n - 2):
            weights = np.zeros(len(states))
            weights[[k, k + 1]] = part - 1, -part
            weights[n:] = -weights[:n]
            found = WeightedSum.of(states, weights, spread)
            sign = np.sign(found.value) if found.p() <= LEVEL else 0.0
            rows.append((places[k] + part * (places[k + 1] - places[k]), found.value, sign))
    x, difference, sign = np.array(rows).T
    if not np.any(sign < 0) or not np.any(sign > 0):
        side = 'below' if not np.any(sign < 0) else 'above'
        why = f'the curves are not seen to cross: the larger size is nowhere {side} beyond doubt'
        return Estimate(None, None, None, n, why)
    last, first = int(np.flatnonzero(sign < 0)[-1]), int(np.flatnonzero(sign > 0)[0])
    if last > first:
        return Estimate(None, None, None, n, 'the curves cross more than once')
    between = difference[last : first + 1]
    # An odd number of times; noise where it is more than once.
    roots = np.flatnonzero((between[:-1] < 0) & (between[1:] >= 0)) + last
    k = int(roots[len(roots) // 2])
    share = -difference[k] / (difference[k + 1] - difference[k])
    value = float(x[k] + share * (x[k + 1] - x[k]))
    return Estimate(value, float(x[last]), float(x[first]), n)
