"""Which pairs of frames to correlate, planned from the steps alone, before a file is read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.arrays import IntArray

LAGS_PER_DECADE = 8
# Origins closer than this part of the lag add hardly anything that is independent.
ORIGINS_PER_LAG_TIME = 8
MOST_ORIGINS = 100
# Longer ones have origins in less than half of the run.
LONGEST_LAG = 1 / 2
FEWEST_ORIGINS = 4
BLOCKS = 8
SAMPLED_ORIGINS = 256


@dataclass(frozen=True)
class CorrelationPlan:
    """Pairs of frames by lag, sorted by their later frame.

    Attributes:
        lags: Exact lags in steps, rising, shape (L,).
        origin: Frame of the origin of each pair, shape (P,).
        later: Later frame of each pair, rising, shape (P,).
        lag_index: Index into `lags` of each pair, shape (P,).
        block: Which of `n_blocks` stretches of the run the origin lies in, shape (P,).
        duration: Steps from the first frame to the last.
    """

    lags: IntArray
    origin: IntArray
    later: IntArray
    lag_index: IntArray
    block: IntArray
    n_blocks: int
    duration: int


def plan_correlations(steps: IntArray) -> CorrelationPlan:
    """Choose lags, about 8 per decade, and for each of them origins spread over the whole run.

    Steps (F,) rise at any spacing: only lags that occur between frames are used, so all are exact.
    """
    duration = int(steps[-1] - steps[0])
    chosen: list[int] = []
    pairs: list[tuple[IntArray, IntArray]] = []
    for candidates in _candidate_lags(steps):
        found = [_pairs_at(steps, int(lag)) for lag in candidates]
        best = int(np.argmax([len(origin) for origin, _ in found]))
        origin, later = _thinned(steps, *found[best], int(candidates[best]), duration)
        if len(origin) >= FEWEST_ORIGINS:
            chosen.append(int(candidates[best]))
            pairs.append((origin, later))
    if not chosen:
        nothing = np.zeros(0, dtype=np.int64)
        return CorrelationPlan(nothing, nothing, nothing, nothing, nothing, BLOCKS, duration)
    origin = np.concatenate([pair[0] for pair in pairs])
    later = np.concatenate([pair[1] for pair in pairs])
    lag_index = np.repeat(np.arange(len(chosen)), [len(pair[0]) for pair in pairs])
    order = np.lexsort((origin, later))
    since = steps[origin] - steps[0]
    block = np.minimum(since * BLOCKS // duration, BLOCKS - 1)
    origin, later, lag_index, block = (each[order] for each in (origin, later, lag_index, block))
    lags = np.array(chosen, dtype=np.int64)
    return CorrelationPlan(lags, origin, later, lag_index, block, BLOCKS, duration)


def _candidate_lags(steps: IntArray) -> list[IntArray]:
    """Group lags that occur by where they fall on a logarithmic grid; a few for each place."""
    duration = int(steps[-1] - steps[0])
    longest = duration * LONGEST_LAG
    shortest = int(np.diff(steps).min())
    if longest < shortest:
        return []
    # Log-spaced schedules repeat: chance keeps the sample from missing the starts of the blocks.
    generator = np.random.default_rng(0)
    n = len(steps)
    sample = np.union1d(
        np.arange(min(n, SAMPLED_ORIGINS // 4)),
        generator.choice(n, min(n, SAMPLED_ORIGINS), replace=False),
    )
    places = round(np.log10(longest / shortest) * LAGS_PER_DECADE) + 1
    targets = shortest * 10 ** (np.arange(places) / LAGS_PER_DECADE)
    wanted = steps[sample][:, None] + targets[None, :]
    after = np.searchsorted(steps, wanted)
    near = np.stack([np.clip(after - 1, 0, n - 1), np.clip(after, 0, n - 1)])
    occurring = (steps[near] - steps[sample][None, :, None]).ravel()
    occurring = occurring[(occurring >= shortest) & (occurring <= longest)]
    values, counts = np.unique(occurring, return_counts=True)
    place = np.rint(np.log10(values / shortest) * LAGS_PER_DECADE).astype(np.int64)
    return [
        values[place == k][np.argsort(-counts[place == k], kind='stable')[:3]]
        for k in np.unique(place)
    ]


def _pairs_at(steps: IntArray, lag: int) -> tuple[IntArray, IntArray]:
    """Find all pairs of frames exactly `lag` steps apart."""
    later = np.searchsorted(steps, steps + lag)
    inside = later < len(steps)
    origin, later = np.flatnonzero(inside), later[inside]
    exact = steps[later] - steps[origin] == lag
    return origin[exact], later[exact]


def _thinned(
    steps: IntArray, origin: IntArray, later: IntArray, lag: int, duration: int
) -> tuple[IntArray, IntArray]:
    """Keep the first origin of each stretch of time, so that the kept ones spread evenly."""
    spacing = max(lag / ORIGINS_PER_LAG_TIME, duration / MOST_ORIGINS)
    # Powers of two let neighbouring lags share their origins, which bounds the live ones.
    spacing = 2.0 ** np.ceil(np.log2(max(spacing, 1.0)))
    stretch = np.floor((steps[origin] - steps[0]) / spacing)
    first = np.unique(stretch, return_index=True)[1]
    return origin[first], later[first]
