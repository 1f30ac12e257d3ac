"""Where along an axis values are highest: which places are not shown to be below another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.estimators.pooling import Replicates, Spread
from analysis.estimators.trends import LEVEL, compare


@dataclass(frozen=True)
class BestPlace:
    """Where the values are highest.

    Attributes:
        best: Index of the state with the highest mean of those that are kept.
        kept: Indices of the states that may be the highest, by rising index.
        open_above: Those of `kept`, beside the best, that bounds let be higher than their means.
    """

    best: int
    kept: tuple[int, ...]
    open_above: tuple[int, ...]


def place_of_maximum(states: Sequence[Replicates]) -> BestPlace:
    """Find which of the states may be the highest; the highest one is kept at 1 - LEVEL.

    A state goes if it is below some other one, by Student's t or, of bounds, by the order of the
    values, one-sided, each at the level divided by the number of others (Bonferroni). These are the
    states whose difference to the best of the others may be positive in multiple comparisons with
    the best (Hsu, Ann. Stat. 12, 1136, 1984), with his quantile for equal spreads replaced by one
    that is never less. Nothing goes by the error within a single run.
    """
    spread = Spread.of(states)
    share = 2 * LEVEL / max(len(states) - 1, 1)  # of p, which is two-sided

    def is_below(first: int, second: int) -> bool:
        found, p, sign = compare(states, first, second, spread)
        return sign < 0 and p <= share and not found.rests_on_one

    every = range(len(states))
    kept = tuple(i for i in every if not any(is_below(i, j) for j in every if j != i))
    best = max(kept, key=lambda i: states[i].mean)
    open_above = tuple(i for i in kept if i != best and (states[i].censored > 0).any())
    return BestPlace(best, kept, open_above)
