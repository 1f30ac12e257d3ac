"""Stress relaxation of an isotropic fluid in equilibrium: G(t), G', G'', tau_s(w), viscosity."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.arrays import FloatArray
from analysis.estimators.estimate import Curve, Estimate, joined
from analysis.estimators.green_kubo import green_kubo
from analysis.estimators.intervals import jackknife
from analysis.estimators.maxwell_spectrum import complex_modulus_of, maxwell_spectrum
from analysis.estimators.stress_modulus import (
    COMPONENTS,
    Modulus,
    independent_stresses,
    relaxation_modulus,
)
from analysis.estimators.viscoelasticity import (
    Band,
    complex_modulus,
    difference,
    frequencies,
    least_longest_time,
    lowest_crossing,
    positive_estimate,
    rouse_modulus,
    too_short,
)
from analysis.geometry.chains import count_molecules
from analysis.observable import Accumulator, Finished, Observable, Panel, Quantity, option
from analysis.plotting import plot_curves
from analysis.sampling.constant_volume import change_of_volume
from analysis.sampling.production import ENERGY
from analysis.sampling.run import Run
from user_input import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

UNEQUAL_EDGES = 1e-3
STORAGE, LOSS = r"$G'$ [$\epsilon/\sigma^3$]", r"$G''$ [$\epsilon/\sigma^3$]"
NO_LONGEST = 'a slower mode of little weight can hide in the noise of any run'
NOT_RELAXED = 'not relaxed: G(t) is still above its noise at the longest lag'


@dataclass(frozen=True)
class StressResult:
    """Linear viscoelasticity from the fluctuations of the stress.

    Attributes:
        modulus: G(t), from lag 0 on.
        cut: Lag at which G(t) is lost in its noise, or ends; 1/cut is the lowest frequency.
        storage: G'(w) of the Maxwell modes, as `loss`, G''(w).
        segmental_time: tau_s(w) = G'/(|eta*| w^2), with |eta*| = |G*|/w, at the same.
        verdict: Empty, or why the results are not to be trusted.
        viscosity: Integral of G(t), from the spectrum of the stress.
        begins: Lag up to which bonds oscillate, and which G', G'' and their times leave out.
        longest_time: The slowest mode that is seen; without an interval.
        rheological_time: tau_s(w) as w tends to 0.
        crossing: The lowest of `crossings`, at which G' and G'' are equal.
        loss_tangent: G''/G' at the lowest frequency.
        storage_of_lines: G'(w) of lines between the points of G(t), as `loss_of_lines`.
        difference: Largest |G*| between the two routes, as a part of it.
        rouse: G(t) of Rouse chains of as many beads and as dense; its longest time is that of
            the run, and nothing else is fitted. None where no chains are known.
    """

    modulus: Curve
    cut: float
    storage: Curve
    loss: Curve
    segmental_time: Curve
    verdict: str
    viscosity: Estimate = Estimate()
    begins: float = 0.0
    longest_time: Estimate = Estimate()
    rheological_time: Estimate = Estimate()
    crossing: Estimate = Estimate()
    crossings: tuple[float, ...] = ()
    loss_tangent: Estimate = Estimate()
    storage_of_lines: Curve | None = None
    loss_of_lines: Curve | None = None
    difference: float | None = None
    rouse: Curve | None = None


@dataclass(frozen=True)
class StressRelaxation(Observable[StressResult]):
    """G(t) and its transforms, from the pressure tensor in the log."""

    name = 'stress'
    title = 'Stress relaxation'
    definition = (
        'G(t) = V/kT <s(0) s(t)>, averaged over the five independent components of the traceless '
        'stress (Daivis and Evans 1994, doi 10.1063/1.466970). It begins where it no longer halves '
        'from one row to the next nor rises beyond its noise, which leaves out bonds that '
        'oscillate; it is lost where its mean from t to 2 t is not above its noise, and 1/t is the '
        "lowest frequency there. G' and G'' are those of Maxwell modes, fitted to the power "
        'spectrum of the stress and averaged over their number, with intervals that leave room for '
        'a hidden mode 2 to 4 times as slow; and beside them those of lines between the points of '
        'G(t). Viscosity is from the spectrum at low frequencies (STACIE, '
        'Toraman et al. 2025, doi 10.1021/acs.jcim.5c01475). The rheological segmental time is '
        "tau_s(w) = G'/(|eta*| w^2) = cos(delta)/w as w tends to 0: a time of the flow, not of "
        "segments. The loss tangent is G''/G' at the lowest frequency of the run, which differs "
        'from state to state: what compares is whether it is above 1. Reduced units.'
    )
    result = StressResult
    panels = ('viscosity', 'times of the flow')
    names = (
        'shear_viscosity',
        'stress_relaxation_time',
        'rheological_segmental_time',
        'crossing_frequency',
        'low_frequency_loss_tangent',
    )
    needs_trajectory = False
    needs_log = True

    reptate: Path | None = option(
        None, 'write G(t) to a file that RepTate reads', type=Path, metavar='FILE.gt'
    )

    def begin(self, run: Run) -> Accumulator[StressResult]:
        return Finished(_correlated(run))

    def compute(self, run: Run, progress: Callable[[Any], Iterable[Any]] = iter) -> StressResult:
        result = super().compute(run, progress)
        if self.reptate is not None:
            try:
                self.reptate.write_text(reptate_text(result, run.kT or 0.0))
            except OSError as error:
                raise UserError(f'{self.reptate}: it cannot be written ({error}).') from None
        return result

    def quantities(self, result: StressResult) -> list[Quantity]:
        viscosity = Panel('viscosity', r'viscosity [$\epsilon \tau / \sigma^3$]', scale='log')
        times = Panel('times of the flow', r'time [$\tau$]', scale='log')
        found: tuple[tuple[str, Estimate, Panel | None], ...] = (
            ('epsilon tau/sigma^3', result.viscosity, viscosity),
            ('tau', result.longest_time, times),
            ('tau', result.rheological_time, times),
            ('1/tau', result.crossing, None),
            ('1', result.loss_tangent, None),
        )
        return [
            Quantity.positive(name, unit, estimate, panel, follows=(ENERGY,))
            for name, (unit, estimate, panel) in zip(self.names, found, strict=True)
        ]

    def curves(self, result: StressResult) -> dict[str, Curve]:
        found = {
            'G(t)': result.modulus,
            'G(t) of Rouse chains': result.rouse,
            "G'": result.storage,
            "G''": result.loss,
            "G' of lines": result.storage_of_lines,
            "G'' of lines": result.loss_of_lines,
            'tau_s': result.segmental_time,
        }
        return {name: curve for name, curve in found.items() if curve is not None}

    def notes(self, result: StressResult) -> list[str]:
        listed = ', '.join(f'{each:.4g}' for each in result.crossings) or 'none'
        notes = [f'G(t) counts from t = {result.begins:.4g} to {result.cut:.4g}']
        if result.difference is not None:
            notes.append(f'the two routes to G* differ by {100 * result.difference:.0f} % at most')
        return [
            *notes,
            f"crossings of G' and G'': {listed}; {larger_modulus(result)}",
            f'verdict: {result.verdict or "relaxed"}',
        ]

    def plot(self, result: StressResult, ax: Axes) -> None:
        shown = {name: each for name, each in self.curves(result).items() if name[:4] == 'G(t)'}
        plot_curves(ax, shown)


def larger_modulus(result: StressResult) -> str:
    """Say which of G' and G'' is the larger, and over which frequencies."""
    w, is_solid = result.storage.x, result.storage.value > result.loss.value
    if len(w) == 0:
        return 'no frequency is measured'
    names = np.where(is_solid, "G' exceeds G''", "G'' exceeds G'")
    edges = [0, *(np.flatnonzero(np.diff(is_solid)) + 1), len(w)]
    return '; '.join(f'{names[a]} from {w[a]:.3g} to {w[b - 1]:.3g}' for a, b in pairwise(edges))


def reptate_text(result: StressResult, kT: float) -> str:
    """Write G(t), up to where it is lost, as RepTate reads it: parameters, names, columns.

    G is per unit of strain (gamma = 1). Lag 0 has no logarithm and is left out.
    """
    curve = result.modulus
    kept = (curve.x > 0) & (curve.x <= result.cut)
    rows = zip(curve.x[kept], curve.value[kept], strict=True)
    lines = [f'{t:.8e} {value:.8e}' for t, value in rows]
    units = '# t in tau, Gt in epsilon/sigma^3'
    return '\n'.join([f'gamma=1;kT={kT:g};', units, 't Gt', *lines, ''])


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
    for axes, column in pressure.items():
        if np.ptp(column) == 0:
            raise UserError(
                f"the column 'pressure_{axes}' of the log is {column[0]:g} in every row: no stress "
                'was measured there. Log all six components of the pressure tensor, every few '
                'steps.'
            )
    state = (float(np.mean(log['volume'])), run.kT, time_step * float(intervals[0]))
    found = stress_relaxation(pressure, *state)

    before = (production.verdict, change_of_volume(log['volume']), _strain(run))

    def after_production(estimate: Estimate) -> Estimate:
        return replace(estimate, verdict=joined(*before, estimate.verdict))

    return replace(
        found,
        rouse=_rouse(run, found),
        verdict=joined(*before, found.verdict),
        viscosity=after_production(found.viscosity),
        longest_time=after_production(found.longest_time),
        rheological_time=after_production(found.rheological_time),
        crossing=after_production(found.crossing),
        loss_tangent=after_production(found.loss_tangent),
    )


def _rouse(run: Run, found: StressResult) -> Curve | None:
    """Make G(t) of Rouse chains, of as many beads as the molecules have on average."""
    longest, kT = found.longest_time.value, run.kT
    if run.trajectory is None or len(run.topology.bonds) == 0 or longest is None or kT is None:
        return None
    bonds = run.topology.bonds
    members, joined = np.unique(bonds, return_inverse=True)
    beads = len(members) / count_molecules(len(members), joined.reshape(bonds.shape))
    density = len(members) / run.frames.read(0).box.volume
    value = rouse_modulus(found.modulus.x, beads, density, kT, longest)
    return replace(found.modulus, value=value, low=None, high=None)


def _strain(run: Run) -> str:
    """Say that a box is not cubic, which a strained one is not either."""
    if run.trajectory is None:
        return ''
    box = run.frames.read(0).box
    is_stretched = np.ptp(box.lengths) > UNEQUAL_EDGES * box.lengths.max()
    if is_stretched or np.abs(box.tilts).max() > UNEQUAL_EDGES:
        return 'the box is not cubic: averages over directions do not hold under strain'
    return ''


def stress_relaxation(
    pressure: Mapping[str, FloatArray], volume: float, kT: float, interval: float
) -> StressResult:
    """Measure G(t) of a run in equilibrium, and what follows; arguments and errors as G(t)."""
    found = linear_viscoelasticity(pressure, volume, kT, interval)
    viscosity = shear_viscosity(pressure, volume, kT, interval)
    # STACIE looks at the lowest frequencies alone, where a long run has no more than a plateau: its
    # time was 21 for a single one of 2. Whether the run is too short is known from the modes.
    if viscosity.value is not None:
        viscosity = replace(viscosity, verdict=found.longest_time.verdict)
    return replace(found, viscosity=viscosity)


def linear_viscoelasticity(
    pressure: Mapping[str, FloatArray], volume: float, kT: float, interval: float
) -> StressResult:
    """Measure all but the viscosity; arguments and errors as G(t)."""
    found = relaxation_modulus(pressure, volume, kT, interval)
    stresses = independent_stresses(pressure)
    spectrum = maxwell_spectrum(stresses, volume / kT, interval).slower_than(found.start)
    frequency = frequencies(found.start, found.end, spectrum.highest)

    def quantities(moduli: FloatArray, times: FloatArray) -> FloatArray:
        g = complex_modulus_of(moduli, times, frequency)
        cosine = g.real / np.abs(g)
        return np.concatenate([g.real, g.imag, g.imag / g.real, cosine / frequency])

    parts = [np.split(each, 4) for each in spectrum.estimate(quantities)]
    storage, loss, tangent, segmental = (Band(*each) for each in zip(*parts, strict=True))
    kept = slice(0, found.ends + 1)
    lines = np.array(
        [complex_modulus(found.time[kept], c[kept], frequency, found.begins) for c in found.curves]
    )
    lines_storage, lines_loss = (
        Band(part[0], *jackknife(part[0], part[1:])) for part in (lines.real, lines.imag)
    )
    beyond = max(float(found.high[found.ends]), 0.0)
    largest, differ = difference(storage, loss, lines_storage, lines_loss, beyond)
    verdict = ''
    if not found.is_lost:
        verdict = NOT_RELAXED
    elif found.ends < found.begins + 4:
        verdict = 'G(t) is lost in its noise within a few rows: log the stress more often'
    longest = positive_estimate(
        spectrum.estimate(lambda moduli, times: times.max(initial=0, keepdims=True))
    )
    mean = positive_estimate(
        spectrum.estimate(lambda g, times: np.array([(g @ times**2) / (g @ times)]))
    )
    slow = '' if found.is_lost else NOT_RELAXED
    slow = slow or too_short(longest, len(pressure['xy']) * interval)
    if slow:
        longest = Estimate(low=_bound(found) or None, verdict=slow)
        at_least = float(segmental.low[0]) if len(frequency) else None
        mean = Estimate(low=at_least, verdict=f'no plateau at low frequencies: {slow}')
    elif longest.value is not None:
        longest = Estimate(longest.value, interval_verdict=NO_LONGEST)
    first = Estimate(verdict='no frequency')
    if len(frequency):
        first = positive_estimate(Band(*(each[:1] for each in tangent)))
    crossed, crossing = lowest_crossing(frequency, tangent)
    value, low, high = found.curves[0], found.low, found.high
    labels = (r'time $t$ [$\tau$]', r'$G(t)$ [$\epsilon/\sigma^3$]')
    return StressResult(
        modulus=Curve(found.time, value, low, high, *labels, 'log', 'log'),
        cut=found.end,
        storage=_curve(frequency, storage, STORAGE),
        loss=_curve(frequency, loss, LOSS),
        segmental_time=_curve(frequency, segmental, r'$\tau_s$ [$\tau$]'),
        verdict=joined(verdict, differ),
        begins=found.start,
        longest_time=longest,
        rheological_time=_against(mean, differ),
        crossing=_against(crossing, differ),
        crossings=tuple(crossed.tolist()),
        loss_tangent=_against(first, differ),
        storage_of_lines=_curve(frequency, lines_storage, STORAGE),
        loss_of_lines=_curve(frequency, lines_loss, LOSS),
        difference=largest,
    )


def shear_viscosity(
    pressure: Mapping[str, FloatArray], volume: float, kT: float, interval: float
) -> Estimate:
    """Integrate G(t) from the low end of the spectrum of the stress.

    G(t) itself cannot say where its own slow tail is lost in the noise.
    """
    return green_kubo(independent_stresses(pressure), volume / kT, interval).integral


def _bound(found: Modulus) -> float:
    """Find what the longest relaxation time is larger than; 0 where nothing is known."""
    kept = slice(found.begins, found.ends + 1)
    value = float(found.high[found.begins])
    return least_longest_time(found.time[kept], found.low[kept], value)


def _against(estimate: Estimate, verdict: str) -> Estimate:
    return replace(estimate, verdict=joined(estimate.verdict, verdict))


def _curve(frequency: FloatArray, band: Band, label: str) -> Curve:
    x_label = r'angular frequency $\omega$ [$\tau^{-1}$]'
    return Curve(frequency, *band, x_label, label, 'log', 'log')
