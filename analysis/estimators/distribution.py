"""Distributions over numbers that recur, with intervals from blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.estimate import Curve
from analysis.estimators.intervals import FEWEST_BLOCKS, jackknife

# Student's t with 2 degrees takes one event to 5.3, and Poisson's distribution to 5.6.
FEWEST_SEEN = 3
BINS_PER_DECADE = 8
CUMULATIVE_POINTS = 120


@dataclass(frozen=True)
class Distribution:
    """A distribution over numbers, only those that occur, shape (n,), with 95 % intervals.

    There are none unless 4 blocks of at least 5 statistical inefficiencies fit in the run.
    """

    values: FloatArray
    probability: FloatArray
    low: FloatArray | None
    high: FloatArray | None


def distribution(values: FloatArray | IntArray, counts: FloatArray, shared: float) -> Distribution:
    """Normalise counts (B, n) of values (n,) in blocks as long as an interval needs."""
    total = counts.sum(axis=0)
    seen = np.flatnonzero(total)
    counts, total = counts[:, seen], total[seen]
    found, probability = np.asarray(values[seen], dtype=np.float64), total / total.sum()
    if len(counts) < FEWEST_BLOCKS:
        return Distribution(found, probability, None, None)
    others = total - counts
    # What a few blocks saw has a spread that is known from these alone.
    degrees = np.maximum((counts > 0).sum(axis=0), FEWEST_SEEN) - 1
    without_one = others / others.sum(axis=1, keepdims=True)
    low, high = jackknife(probability, without_one, degrees, shared)
    return Distribution(found, probability, np.maximum(low, 0), np.minimum(high, 1))


def log_binned(found: Distribution, x_label: str, y_label: str) -> Curve:
    """Average the probability per value over logarithmic bins; small values stay as they are.

    Values, from 1 up, that never occur count with 0. Errors of different values are taken as
    independent.
    """
    last = int(np.floor(np.log10(found.values.max()) * BINS_PER_DECADE)) + 1
    # Whole bins, so that those of another run are the same.
    every = np.arange(1, int(np.ceil(10 ** (last / BINS_PER_DECADE))) + 1)
    bin_of = np.floor(np.log10(every) * BINS_PER_DECADE).astype(int)
    every, bin_of = every[bin_of < last], bin_of[bin_of < last]
    bins, place = np.unique(bin_of, return_inverse=True)
    width = np.bincount(place)
    centre = np.exp(np.bincount(place, np.log(every)) / width)
    own = np.searchsorted(bins, np.floor(np.log10(found.values) * BINS_PER_DECADE).astype(int))
    density = np.bincount(own, found.probability, len(bins)) / width
    low, high = None, None
    if found.low is not None and found.high is not None:
        half = np.sqrt(np.bincount(own, ((found.high - found.low) / 2) ** 2, len(bins))) / width
        low, high = np.maximum(density - half, 0), density + half
    return Curve(centre, density, low, high, x_label, y_label, 'log', 'log', outside=0.0)


def cumulative(found: Distribution, x_label: str, y_label: str) -> Curve:
    """Add up the probability from each value on, at whole values from 1 up, evenly in logarithms.

    A spike, as of one cluster of nearly all ions, is a step in it, whatever the bins.
    """
    last = int(found.values.max()) + 1
    every = np.unique(np.geomspace(1, last, CUMULATIVE_POINTS).round().astype(int))
    below = np.concatenate([[0.0], np.cumsum(found.probability)])
    value = 1 - below[np.searchsorted(found.values, every)]
    x = every.astype(np.float64)
    return Curve(x, np.maximum(value, 0.0), None, None, x_label, y_label, 'log', outside=0.0)
