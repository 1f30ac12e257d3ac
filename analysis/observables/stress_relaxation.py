"""Stress relaxation of an isotropic fluid in equilibrium: G(t), G', G'' and tau_s(w).

G(t) = V/kT <s(0) s(t)>, averaged over the five independent components of the traceless stress:
V/(5 kT) of the shear stresses and V/(30 kT) of the normal-stress differences together, which is
the average of Daivis and Evans 1994, doi 10.1063/1.466970.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.estimate import Curve, Estimate
from analysis.estimators.green_kubo import green_kubo
from analysis.estimators.intervals import jackknife
from analysis.observable import (
    NOT_NEGATIVE,
    Accumulator,
    Combination,
    Finished,
    Observable,
    Panel,
    Quantity,
)
from analysis.plotting import plot_curves
from analysis.sampling.production import ENERGY
from analysis.sampling.run import Run
from user_input import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLOCKS = 8
FEWEST_ROWS = 64
LONGEST_LAG = 1 / 8
LAGS_PER_DECADE = 16
FREQUENCIES_PER_DECADE = 4
COMPONENTS = ('xx', 'xy', 'xz', 'yy', 'yz', 'zz')
SHEAR = ('xy', 'xz', 'yz')
NORMAL = (('xx', 'yy'), ('xx', 'zz'), ('yy', 'zz'))
# The integral over time is cut where G(t) is first no larger than its error.
SIGNAL = 0.0


@dataclass(frozen=True)
class StressResult:
    """Linear viscoelasticity from the fluctuations of the stress.

    Attributes:
        modulus: G(t), from lag 0 on.
        cut: Lag at which G(t) is lost in its noise, and from which it counts as 0.
        storage: G'(w), at the angular frequencies that the data reach, as `loss`, G''(w).
        segmental_time: tau_s(w) = G'/(|eta*| w^2), with |eta*| = |G*|/w, at the same.
        verdict: Empty, or why the results are not to be trusted.
        viscosity: Integral of G(t), from the spectrum of the stress.
    """

    modulus: Curve
    cut: float
    storage: Curve
    loss: Curve
    segmental_time: Curve
    verdict: str
    viscosity: Estimate = Estimate()


@dataclass(frozen=True)
class StressRelaxation(Observable[StressResult]):
    """G(t) and its transforms, from the pressure tensor in the log."""

    name = 'stress'
    title = 'Stress relaxation'
    definition = (
        'G(t) = V/kT <s(0) s(t)>, averaged over the five independent components of the traceless '
        'stress (Daivis and Evans 1994, doi 10.1063/1.466970), counted as 0 from where it is lost '
        'in its noise; G* = i w int G(t) exp(-i w t) dt; viscosity = int G(t) dt from the '
        'spectrum (STACIE, Toraman et al. 2025, doi 10.1021/acs.jcim.5c01475); '
        "tau_s(w) = G'/(|eta*| w^2) is a time of the flow, not of segments. Reduced units."
    )
    result = StressResult
    panels = ('viscosity',)
    names = ('shear_viscosity',)
    needs_trajectory = False
    needs_log = True

    def begin(self, run: Run) -> Accumulator[StressResult]:
        return Finished(_correlated(run))

    def quantities(self, result: StressResult) -> list[Quantity]:
        panel = Panel('viscosity', r'viscosity [$\epsilon \tau / \sigma^3$]', scale='log')
        drawn = (Combination.POSITIVE_TIME, NOT_NEGATIVE, panel)
        unit, follows = 'epsilon tau/sigma^3', (ENERGY,)
        return [Quantity('shear_viscosity', unit, result.viscosity, *drawn, follows=follows)]

    def curves(self, result: StressResult) -> dict[str, Curve]:
        return {
            'G(t)': result.modulus,
            "G'": result.storage,
            "G''": result.loss,
            'tau_s': result.segmental_time,
        }

    def notes(self, result: StressResult) -> list[str]:
        return [f'G(t) is cut at t = {result.cut:.4g}', f'verdict: {result.verdict or "relaxed"}']

    def plot(self, result: StressResult, ax: Axes) -> None:
        plot_curves(ax, {'G(t)': result.modulus})


def _correlated(run: Run) -> StressResult:
    if run.kT is None:
        raise UserError('the stress relaxation needs the temperature of the bath (--kT).')
    time_step = run.time_step
    if time_step is None:
        raise UserError('the stress relaxation needs the duration of a step (--time-step).')
    production = run.production
    # An energy that never settles has no better start than the first row.
    first = 0 if production.verdict else production.first_row
    columns = run.log('step', 'volume', *(f'pressure_{axes}' for axes in COMPONENTS))
    log = {name: column[first:] for name, column in columns.items()}
    intervals = np.unique(np.diff(log['step']))
    if len(intervals) != 1:
        raise UserError('the rows of the log from there on are not at equal intervals.')
    pressure = {axes: log[f'pressure_{axes}'].astype(np.float64) for axes in COMPONENTS}
    state = (float(np.mean(log['volume'])), run.kT, time_step * float(intervals[0]))
    found, viscosity = stress_relaxation(pressure, *state), shear_viscosity(pressure, *state)
    verdict, own = (
        '; '.join(filter(None, (production.verdict, each.verdict))) for each in (found, viscosity)
    )
    return replace(found, verdict=verdict, viscosity=replace(viscosity, verdict=own))


def stress_relaxation(
    pressure: Mapping[str, FloatArray], volume: float, kT: float, interval: float
) -> StressResult:
    """Correlate the stress of a run in equilibrium.

    The six components of pressure or stress are at equal intervals of time, shape (T,) each.
    UserError if there are too few rows, a value is not finite, or a parameter not positive.
    """
    for name, given in (('volume', volume), ('kT', kT), ('interval', interval)):
        if not (np.isfinite(given) and given > 0):
            raise UserError(f'{name} {given}: give a positive number.')
    n = len(pressure['xy'])
    if n < FEWEST_ROWS:
        raise UserError(f'{n} rows of stress; at least {FEWEST_ROWS} are needed.')
    series = [(pressure[name] - pressure[name].mean(), 1 / 5) for name in SHEAR]
    series += [(pressure[a] - pressure[b], 1 / 30) for a, b in NORMAL]
    if not all(np.isfinite(values).all() for values, _ in series):
        raise UserError('the stress is not finite in every row: the run blew up or is damaged.')
    most = int(n * LONGEST_LAG)
    sums = sum(
        (weight * volume / kT * _products(np.asarray(values), most) for values, weight in series),
        start=np.zeros((BLOCKS, most + 1)),
    )
    edges = np.arange(BLOCKS + 1) * n // BLOCKS
    counts = np.maximum(
        np.minimum(edges[1:, None], n - np.arange(most + 1)) - edges[:-1, None], 0
    ).astype(np.float64)
    starts = _bins(most)
    time = np.add.reduceat(np.arange(most + 1.0), starts) / np.diff([*starts, most + 1]) * interval
    sums, counts = (np.add.reduceat(each, starts, axis=1) for each in (sums, counts))
    value = sums.sum(axis=0) / counts.sum(axis=0)
    others = (sums.sum(axis=0) - sums) / (counts.sum(axis=0) - counts)
    low, high = jackknife(value, others)
    lost = np.flatnonzero(low <= SIGNAL)
    verdict = ''
    last = int(lost[0]) if len(lost) else len(time) - 1
    if not len(lost):
        verdict = 'not relaxed: G(t) is still above its noise at the longest lag'
    elif last < 4:
        verdict = 'G(t) is lost in its noise within a few rows: log the stress more often'
    kept = slice(0, last + 1)
    frequency = _frequencies(float(time[last]), interval)
    curves = np.concatenate([value[None], others])
    transformed = np.array([_transform(time[kept], curve[kept], frequency) for curve in curves])
    storage, loss = transformed.real, transformed.imag
    segmental = storage / (np.abs(transformed) * frequency)
    labels = (r'time $t$ [$\tau$]', r'$G(t)$ [$\epsilon/\sigma^3$]')
    return StressResult(
        modulus=Curve(time, value, low, high, *labels, 'log', 'log'),
        cut=float(time[last]),
        storage=_in_frequency(frequency, storage, r"$G'$ [$\epsilon/\sigma^3$]"),
        loss=_in_frequency(frequency, loss, r"$G''$ [$\epsilon/\sigma^3$]"),
        segmental_time=_in_frequency(frequency, segmental, r'$\tau_s$ [$\tau$]'),
        verdict=verdict,
    )


def shear_viscosity(
    pressure: Mapping[str, FloatArray], volume: float, kT: float, interval: float
) -> Estimate:
    """Integrate G(t) from the low end of the spectrum of the stress.

    G(t) itself cannot say where its own slow tail is lost in the noise. Components and errors as
    `stress_relaxation`.
    """
    xx, yy, zz = (pressure[axis] for axis in ('xx', 'yy', 'zz'))
    independent = [pressure[name] for name in SHEAR]
    independent += [(xx - yy) / 2, (xx + yy - 2 * zz) / np.sqrt(12)]
    return green_kubo(np.array(independent), volume / kT, interval).integral


def _products(values: FloatArray, most: int) -> FloatArray:
    """Sum s(t0) s(t0 + t) over the origins t0 of each block, shape (BLOCKS, most + 1)."""
    n = len(values)
    length = 1 << (n + most).bit_length()
    later = np.fft.rfft(values, length)
    edges = np.arange(BLOCKS + 1) * n // BLOCKS
    sums = np.empty((BLOCKS, most + 1))
    for block in range(BLOCKS):
        origins = np.zeros(n)
        origins[edges[block] : edges[block + 1]] = values[edges[block] : edges[block + 1]]
        product = np.conj(np.fft.rfft(origins, length)) * later
        sums[block] = np.fft.irfft(product, length)[: most + 1]
    return sums


def _bins(most: int) -> IntArray:
    """Choose first lags of bins that are one lag wide at first and then grow with the lag."""
    decades = np.log10(max(most, 2))
    edges = np.round(np.logspace(0, decades, int(decades * LAGS_PER_DECADE) + 1)).astype(np.int64)
    return np.unique(np.concatenate([[0], edges[edges <= most]]))


def _frequencies(longest: float, interval: float) -> FloatArray:
    """Choose frequencies from the longest time with a signal to a tenth of the sampling rate."""
    high = 2 * np.pi / (10 * interval)
    if longest * high <= 1:  # also where not even G(0) is above its noise
        return np.zeros(0)
    low = 1 / longest
    number = int(np.log10(high / low) * FREQUENCIES_PER_DECADE) + 1
    return np.asarray(low * 10 ** (np.arange(number) / FREQUENCIES_PER_DECADE))


def _transform(time: FloatArray, curve: FloatArray, frequency: FloatArray) -> Any:
    """Compute G* = i w int G exp(-i w t) dt, exact for lines between the points, shape (W,).

    By parts it is G(0) + int G'(t) exp(-i w t) dt, so a curve that ends above 0 counts as a step
    there; the last point is set to 0 instead.
    """
    curve = curve.copy()
    curve[-1] = 0.0
    slope = np.diff(curve) / np.diff(time)
    phase = np.exp(-1j * frequency[:, None] * time)
    return curve[0] + ((phase[:, :-1] - phase[:, 1:]) @ slope) / (1j * frequency)


def _in_frequency(frequency: FloatArray, values: FloatArray, label: str) -> Curve:
    """Make a curve of all blocks with the interval of those without each in turn, (1 + B, W)."""
    x_label = r'angular frequency $\omega$ [$\tau^{-1}$]'
    ends = jackknife(values[0], values[1:])
    return Curve(frequency, values[0], *ends, x_label, label, 'log', 'log')
