"""The most prominent peak of S(q): its position, height and width, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.estimate import Estimate
from analysis.estimators.intervals import FEWEST_BLOCKS, jackknife, student_quantile

SMOOTHING_POINTS = 1.0
FEWEST_POINTS = 6
# The most prominent of many bumps has 3 errors in 8 % of flat curves.
FEWEST_ERRORS = 4
# A position in fewer wavelengths of the box is that of the box.
FEWEST_WAVELENGTHS = 3
NOISE = (
    'the peak at {:.3g} is {:.2g} +- {:.2g} over its flanks, less than {} errors: it may be noise'
)
# Measured: what a fit or smoothing takes off a sharp top may be more than the error.
NO_INTERVAL = 'is that of a smoothed peak: no interval within a run'


@dataclass(frozen=True)
class Peak:
    """A peak of a curve; the verdicts say why there is none.

    Attributes:
        position: Of its highest point.
        height: Of the curve there.
        width: Full width at half the height over the higher of the two lowest points beside it.
    """

    position: Estimate
    height: Estimate
    width: Estimate

    @classmethod
    def refused(cls, why: str) -> Peak:
        """Make a peak of which nothing is known."""
        return cls(*3 * (Estimate(verdict=why),))


@dataclass(frozen=True)
class _Place:
    """About where the top is, the points that are fitted, and the lowest of the higher flank."""

    top: float
    fitted: slice
    base: int
    width: float


def find_peak(
    x: FloatArray, blocks: FloatArray, counts: IntArray, shared: float = 0.0, least: float = 0.0
) -> Peak:
    """Find the most prominent peak of a positive curve S(q).

    Its top is that of a quartic in the logarithm of the upper half: peaks lean, and where one that
    is symmetric is fitted, that is taken for a shift. Its interval is of a jackknife over
    blocks; a peak of less than 4 errors over its flanks is refused.

    Args:
        x: Wave numbers, rising, shape (n,).
        blocks: Sums of values, by independent block and point, shape (B, n).
        counts: How many values each of the sums is of, shape (n,).
        shared: As for `jackknife`.
        least: The least wave number that fits the box, 2 pi/L: below 3 of it a peak is refused.
    """
    weights = counts.astype(np.float64)
    blocks = blocks / weights
    curve: FloatArray = blocks.mean(axis=0)
    place = _find(x, curve, weights) if len(x) >= FEWEST_POINTS else None
    if place is None:
        return Peak.refused('there is no peak')
    if len(blocks) < FEWEST_BLOCKS:
        return Peak.refused('too short a run to tell a peak from noise')
    if place.top < FEWEST_WAVELENGTHS * least:
        # Too few points for a fit: the points themselves say whether there is a peak at all.
        rise = blocks[:, np.searchsorted(x, place.top)] - blocks[:, place.base]
        over, error = float(rise.mean()), float(rise.std(ddof=1)) / len(rise) ** 0.5
        noise = ''
        if over < FEWEST_ERRORS * error:
            noise = NOISE.format(place.top, over, error, FEWEST_ERRORS) + '. Else '
        return Peak.refused(
            f'{noise}the peak at {place.top:.3g} is below {FEWEST_WAVELENGTHS} x 2 pi/L = '
            f'{FEWEST_WAVELENGTHS * least:.3g}: the box is too small for it. Use one of '
            f'{FEWEST_WAVELENGTHS * 2 * np.pi / place.top:.3g} or more'
        )
    if place.fitted.stop - place.fitted.start < FEWEST_POINTS:
        return Peak.refused(
            f'the highest peak, at {place.top:.3g}, has less than {FEWEST_POINTS} points: noise, '
            'or too narrow for the wave vectors of the box'
        )
    found = _measure(x, curve, weights, place)
    others = (blocks.sum(axis=0) - blocks) / (len(blocks) - 1)
    measured = np.array([_measure(x, other, weights, place) for other in others])
    low, high = jackknife(found, measured, shared=shared)
    position, over_flanks = found.tolist()
    error = float(high[1] - low[1]) / 2 / student_quantile(len(blocks) - 1)
    if over_flanks < FEWEST_ERRORS * error:
        return Peak.refused(NOISE.format(position, over_flanks, error, FEWEST_ERRORS))
    top = over_flanks + float(curve[place.base])
    return Peak(
        Estimate(position, float(low[0]), float(high[0]), float(len(blocks))),
        Estimate(top, interval_verdict=NO_INTERVAL),
        Estimate(place.width, interval_verdict=NO_INTERVAL),
    )


def _find(x: FloatArray, curve: FloatArray, weights: FloatArray) -> _Place | None:
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks, peak_widths

    above, below = (
        gaussian_filter1d(each, SMOOTHING_POINTS) for each in (curve * weights, weights)
    )
    smooth = above / below
    tops, about = find_peaks(smooth, prominence=0)
    if not len(tops):
        return None
    k = int(np.argmax(about['prominences']))
    bases = np.array([about['left_bases'][k], about['right_bases'][k]])
    ends = np.ravel(peak_widths(smooth, tops[[k]], 0.5)[2:])
    width = float(np.diff(np.interp(ends, np.arange(len(x)), x))[0])
    fitted = slice(int(np.floor(ends[0])), int(np.ceil(ends[1])) + 1)
    return _Place(float(x[tops[k]]), fitted, int(bases[np.argmax(smooth[bases])]), width)


def _measure(x: FloatArray, curve: FloatArray, weights: FloatArray, place: _Place) -> FloatArray:
    """Measure the position of the top, and its height over the flanks, shape (2,)."""
    part = place.fitted
    own = x[part]
    quartic = np.polynomial.Polynomial.fit(own, np.log(curve[part]), 4, w=np.sqrt(weights[part]))
    turns = quartic.deriv().roots()
    turns = turns[np.isreal(turns)].real
    turns = turns[(turns > own[0]) & (turns < own[-1])]
    turns = np.append(turns, own[np.argmax(curve[part])]) if not len(turns) else turns
    position = float(turns[np.argmax(quartic(turns))])
    return np.array([position, np.exp(quartic(position)) - curve[place.base]])
