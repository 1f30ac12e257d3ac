"""Ionic conductivity, and what moves the charge: from the log by two routes, and from the frames.

A current that is written every few steps is no average over them: what is faster counts as slow
(aliasing). The current is therefore the displacement of the charges between two rows, divided by
their interval, where the log has it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from analysis.arrays import FloatArray
from analysis.estimators.estimate import Curve, Estimate, exponentiated
from analysis.estimators.green_kubo import green_kubo, logarithmic, spectrum_of
from analysis.estimators.linear_regime import (
    EXPONENT_TOLERANCE,
    FEWEST_LAGS,
    LinearRegime,
    SharedPaths,
    linear_regime,
    paths_of_rows,
    ratio,
    shared_paths,
    squared_displacements,
)
from analysis.geometry.ions import has_ions
from analysis.geometry.topology import Snapshot, Topology
from analysis.observable import (
    FRACTION,
    NOT_NEGATIVE,
    BlockSums,
    Combination,
    Correlator,
    Panel,
    Quantity,
    TimeCorrelation,
    option,
)
from analysis.observables.mean_squared_displacement import mean_of_blocks
from analysis.plotting import plot_curves
from analysis.sampling.charge_motion import ChargeMotion
from analysis.sampling.correlation_plan import BLOCKS
from analysis.sampling.motion import DRIFT_OPTION, Paths
from analysis.sampling.production import ENERGY
from analysis.sampling.run import Run
from user_input import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AXES = ('x', 'y', 'z')
KINDS = ('cations', 'anions')
MOVERS = (*KINDS, *(f'{kind}_{axis}' for kind in KINDS for axis in AXES))
# Of a cube with periodic images (Yeh and Hummer 2004).
CUBIC_LATTICE = 2.837297
UNIT = r'[$e^2/(\sigma \tau \epsilon)$]'
# All charges together rattle further than they drift for long, and a line has its own constant.
COLLECTIVE_TOLERANCE = 0.5
# Of the spectrum above its level at zero, beyond both their errors: no chance of noise.
LEAST_RISE = 1.5
# In relaxation times; in shorter runs the rise is taken for the level.
LEAST_RUN_IN_TIMES = 100
# A larger one than the thermostat explains means that log and masses or charges do not agree.
LARGEST_EQUIPARTITION_ERROR = 0.1


@dataclass(frozen=True)
class ConductivityResult:
    """Conductivities in e^2/(sigma tau epsilon), and diffusion coefficients in sigma^2/tau.

    Attributes:
        conductivity: By Green and Kubo, from the spectrum of the current.
        einstein: From the displacement of all charges together.
        nernst_einstein: What the ions would carry if each moved by itself.
        haven_ratio: `nernst_einstein` / `einstein`, of the same blocks.
        transference: Share of the cations in `nernst_einstein`.
        relaxation_time: Of the charge displacement.
        diffusion: Of 'cations', 'cations_x' and so on, each ion by the square of its charge.
        collective: <|dM|^2>/(6 V kT t).
        single: The same if each ion moved by itself.
        spectrum: Real part of the conductivity by angular frequency.
        remarks: What else a reader has to know.
    """

    conductivity: Estimate
    einstein: Estimate
    nernst_einstein: Estimate
    haven_ratio: Estimate
    transference: Estimate
    relaxation_time: Estimate
    diffusion: dict[str, Estimate]
    collective: Curve
    single: Curve
    spectrum: Curve
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Conductivity(TimeCorrelation[ConductivityResult]):
    """How well ions conduct, and how far they move together."""

    name = 'conductivity'
    title = 'Ionic conductivity'
    definition = (
        'sigma = 1/(3 V kT) int <J(0) J(t)> dt of the charge current J = sum q v, from the low end '
        'of its spectrum (STACIE, Toraman et al. 2025, doi 10.1021/acs.jcim.5c01475); Einstein: '
        'slope of <|dM|^2>/(6 V kT) with dM = sum q dr; Nernst-Einstein: sum q^2 D/(V kT) over the '
        'ions; Haven ratio = Nernst-Einstein/Einstein, whose inverse is the ionicity (France-'
        'Lanord and Grossman 2019, doi 10.1103/PhysRevLett.122.136001); relaxation time: of the '
        'Debye rise sigma(w) = sigma + Delta (w tau)^2/(1 + (w tau)^2), where the dielectric loss '
        'less that of the direct current has its peak. Unit of charge: that of the ion of the '
        'smallest. Reduced units.'
    )
    result = ConductivityResult
    names = (
        'conductivity',
        'einstein_conductivity',
        'nernst_einstein_conductivity',
        'haven_ratio',
        'apparent_cation_transference',
        'current_relaxation_time',
        *(f'diffusion_coefficient_{each}' for each in MOVERS),
    )
    panels = (
        'conductivity',
        'Haven ratio',
        'apparent transference',
        'current relaxation time',
        'diffusion of ions',
    )
    needs_log = True

    drift: str | None = option(None, **DRIFT_OPTION)

    def applies_to(self, topology: Topology) -> bool:
        return has_ions(topology)

    def correlator(self, run: Run) -> Correlator[FloatArray, ConductivityResult]:
        return _Charges(run, self.drift)

    def quantities(self, result: ConductivityResult) -> list[Quantity]:
        positive, unit = (Combination.POSITIVE_TIME, NOT_NEGATIVE), 'e^2/(sigma tau epsilon)'
        sigma = Panel('conductivity', rf'$\sigma$ {UNIT}', scale='log')
        haven = Panel('Haven ratio', r'$\sigma_{NE}/\sigma$', scale='log')
        share = Panel('apparent transference', 'apparent share of the cations', limits=FRACTION)
        time = Panel('current relaxation time', r'$\tau_J$ [$\tau$]', scale='log')
        diffusion = Panel('diffusion of ions', r'$D$ [$\sigma^2/\tau$]', scale='log')
        return [
            Quantity('conductivity', unit, result.conductivity, *positive, sigma, 'Green-Kubo',
                     is_key=True, follows=(ENERGY,)),
            Quantity('einstein_conductivity', unit, result.einstein, *positive, sigma, 'Einstein'),
            Quantity('nernst_einstein_conductivity', unit, result.nernst_einstein, *positive,
                     sigma, 'Nernst-Einstein'),
            Quantity('haven_ratio', '1', result.haven_ratio, *positive, haven, is_key=True),
            Quantity('apparent_cation_transference', '1', result.transference,
                     Combination.PROPORTION, FRACTION, share),
            Quantity('current_relaxation_time', 'tau', result.relaxation_time, *positive, time),
            *(
                Quantity(f'diffusion_coefficient_{name}', 'sigma^2/tau', estimate, *positive,
                         diffusion if name in KINDS else None, name)
                for name, estimate in result.diffusion.items()
            ),
        ]  # fmt: skip

    def curves(self, result: ConductivityResult) -> dict[str, Curve]:
        return {
            'collective': result.collective,
            'each ion by itself': result.single,
            'sigma(w)': result.spectrum,
        }

    def notes(self, result: ConductivityResult) -> list[str]:
        notes = list(result.remarks)
        if haven := result.haven_ratio.value:
            notes.append(
                f'Haven ratio sigma_NE/sigma {haven:.3g}; ionicity sigma/sigma_NE {1 / haven:.3g}'
            )
        return notes

    def plot(self, result: ConductivityResult, ax: Axes) -> None:
        curves = self.curves(result)
        plot_curves(ax, {name: curves[name] for name in ('collective', 'each ion by itself')})


class _Charges(Correlator[FloatArray, ConductivityResult]):
    """Squared displacements by axis, of the ions of each sign and of all charges together."""

    def __init__(self, run: Run, drift: str | None) -> None:
        topology, path = run.topology, run.frames.path
        if not has_ions(topology):
            raise UserError(f'{path}: there are no charges of both signs, so no ions.')
        if run.missing_images_reason:
            raise UserError(f'{path}: {run.missing_images_reason}')
        if run.kT is None:
            raise UserError('the conductivity needs the temperature of the bath (--kT).')
        if run.time_step is None:
            raise UserError('the conductivity needs the duration of a step (--time-step).')
        self._run, self._kT = run, run.kT
        self._paths = Paths(topology, drift)
        self._ions = np.flatnonzero(topology.charge)
        charge = topology.charge[self._ions]
        self._unit = float(np.abs(charge).min())
        self._charge = charge / self._unit
        # Of the cations and of the anions, (N, 2).
        self._signed = self._charge[:, None] * np.stack([charge > 0, charge < 0], axis=1)
        self._weights = (self._signed**2).sum(axis=0)
        self._log = ChargeMotion.of(run)
        self._to_sigma = 1 / (self._log.volume * self._kT)

    def remember(self, snapshot: Snapshot) -> FloatArray:
        """Take the paths of the ions by axis, (3, N)."""
        paths = self._paths.without_drift(self._paths.unwrapped(snapshot))
        return paths[self._ions].T.copy()

    def correlate(self, origin: FloatArray, later: FloatArray) -> FloatArray:
        """Give squares by kind and axis (6,), |dM|^2, and the part of the cations in it."""
        moved = later - origin
        mean = (moved**2 @ self._signed**2) / self._weights
        dipoles = moved @ self._signed
        total = dipoles.sum(axis=1)
        return np.array([*mean.T.ravel(), total @ total, dipoles[:, 0] @ total])

    def conclude(self, sums: BlockSums) -> ConductivityResult:
        if reason := self._paths.missing_images_reason:
            raise UserError(f'{self._run.frames.path}: {reason}')
        by_axis = sums.sums[:6].reshape(2, 3, *sums.counts.shape)
        of_kinds = by_axis.sum(axis=1)
        paths = shared_paths(sums.time, sums.counts, sums.duration)
        rows = [*of_kinds, *(3 * by_axis).reshape(6, *sums.counts.shape)]
        motion = {k: _slope(sums, each, paths) for k, each in zip(MOVERS, rows, strict=True)}
        single = np.tensordot(self._weights, of_kinds, 1)
        alone = _slope(sums, single, paths)
        if self._log.moved is None:
            given, together = sums, sums.sums[6]
        else:
            given, together, paths = self._from_rows(self._log.moved)
        collective = _slope(given, together, paths, COLLECTIVE_TOLERANCE)
        sigma, time, spectrum = self._from_current()
        if collective.begins is None:
            sigma = replace(sigma, verdict=sigma.verdict or collective.diffusion.verdict)
        is_of_log = self._log.moved is not None
        return ConductivityResult(
            conductivity=self._told(sigma, True),
            einstein=self._told(_scaled(collective.diffusion, self._to_sigma), is_of_log),
            nernst_einstein=self._told(_scaled(alone.diffusion, self._to_sigma)),
            haven_ratio=self._told(exponentiated(_log_ratio(alone, collective)), is_of_log),
            transference=self._told(self._share(motion['cations'], motion['anions'])),
            relaxation_time=self._told(time, True),
            diffusion={name: self._told(each.diffusion) for name, each in motion.items()},
            collective=self._curve(given, together),
            single=self._curve(sums, single),
            spectrum=spectrum,
            remarks=tuple(filter(None, self._remarks(sums))),
        )

    def _from_rows(self, moved: FloatArray) -> tuple[BlockSums, FloatArray, SharedPaths]:
        """Correlate the displacement of all charges between all rows of the log."""
        n, interval = moved.shape[1] // BLOCKS * BLOCKS, self._log.interval
        lags, sums, counts = squared_displacements(moved[:, -n:], BLOCKS)
        given = BlockSums(np.asarray(lags * interval), sums[None], counts, n * interval)
        return given, sums, paths_of_rows(given.time, counts, given.duration)

    def _from_current(self) -> tuple[Estimate, Estimate, Curve]:
        """Find conductivity, relaxation time and spectrum of the current."""
        labels = (r'angular frequency $\omega$ [$\tau^{-1}$]', rf"$\sigma'(\omega)$ {UNIT}")
        current = self._log.mean_currents
        if current is None:
            none = Estimate(verdict=self._log.missing)
            nothing = Curve(np.zeros(0), np.zeros(0), None, None, *labels, 'log', 'log')
            return none, none, nothing
        given = (current, self._to_sigma, self._log.interval)
        integral = logarithmic(green_kubo(*given, 'either').integral)
        spectrum = spectrum_of(*given, are_means=self._log.moved is not None)
        debye = green_kubo(*given, 'dip')
        time = logarithmic(debye.correlation_time)
        level = debye.integral.high
        if level is None or spectrum[2].max() < LEAST_RISE * level:
            time = Estimate(verdict='no relaxation: the spectrum of the current does not rise')
        elif time.value and time.value * LEAST_RUN_IN_TIMES > current.shape[1] * self._log.interval:
            why = f'too short: the current relaxes in {time.value:.3g}, and the run is no '
            integral = replace(integral, verdict=f'{why}{LEAST_RUN_IN_TIMES} times as long')
        return integral, time, Curve(*spectrum, *labels, 'log', 'log')

    def _share(self, cations: LinearRegime, anions: LinearRegime) -> Estimate:
        """Estimate the share of the cations in sum q^2 D, by its logit."""
        odds = _log_ratio(cations, anions)
        if odds.value is None or odds.low is None or odds.high is None:
            return odds
        offset = float(np.log(self._weights[0] / self._weights[1]))
        value, low, high = (
            1 / (1 + math.exp(-end - offset)) for end in (odds.value, odds.low, odds.high)
        )
        return replace(odds, value=value, low=low, high=high)

    def _told(self, estimate: Estimate, is_of_log: bool = False) -> Estimate:
        """Add what speaks against the run, or against its log."""
        reasons = [estimate.verdict, self._run.production.verdict]
        if is_of_log:
            reasons.append(self._equipartition[1])
        return replace(estimate, verdict='; '.join(filter(None, reasons)))

    @cached_property
    def _equipartition(self) -> tuple[str, str]:
        """Compare <J J>/(3 V kT) with sum q^2/(V m), which it is at any density; a verdict."""
        mass, current = self._run.topology.mass[self._ions], self._log.current
        if current is None or not np.all(mass > 0):
            return '', ''
        expected = float((self._charge**2 / mass).sum()) * self._kT
        ratio = float(np.mean(current**2)) / expected
        remark = f'<J J>/(3 V kT) is {ratio:.3f} of sum q^2/(m V)'
        if abs(ratio - 1) < LARGEST_EQUIPARTITION_ERROR:
            return remark, ''
        return remark, f'{remark}: the log is not of these ions, or not of this temperature'

    def _remarks(self, sums: BlockSums) -> list[str]:
        topology, kT = self._run.topology, self._kT
        of_mass = float(topology.mass[topology.charge > 0].sum() / topology.mass.sum())
        longest = np.flatnonzero(sums.time <= sums.duration / len(sums.counts))[-1:]
        total, part = (float(sums.sums[k][:, longest].sum()) for k in (6, 7))
        edge = self._log.volume ** (1 / 3)
        return [
            self._paths.drift,
            f'unit of charge: {self._unit:.6g} in the units of the file',
            *self._log.remarks,
            self._equipartition[0],
            'the apparent share of the cations counts each ion by itself. Without added salt the '
            'cations carry all of the current past the polymer; in the frame of the centre of '
            f'mass they carry {part / total:.3f} of it at the longest lag, and {1 - of_mass:.3f} '
            'follows from the masses alone'
            if total > 0
            else '',
            'not applied, since friction with the bath screens it: for a viscosity eta the images '
            f'of the box slow diffusion by up to {CUBIC_LATTICE * kT / (6 * math.pi * edge):.3g}'
            '/eta (Yeh and Hummer 2004, doi 10.1021/jp0477147)',
        ]

    def _curve(self, given: BlockSums, sums: FloatArray) -> Curve:
        """Draw squared displacements as conductivity times time."""
        time = given.time
        value, low, high = (
            each * self._to_sigma / (6 * time) for each in mean_of_blocks(given, sums)
        )
        labels = (r'time $t$ [$\tau$]', rf'$\langle |\Delta M|^2 \rangle/(6 V kT t)$ {UNIT}')
        return Curve(time, value, low, high, *labels, 'log', 'log')


def _slope(
    given: BlockSums, sums: FloatArray, paths: SharedPaths, tolerance: float = EXPONENT_TOLERANCE
) -> LinearRegime:
    """Find the linear part of squared displacements (B, L)."""
    if len(given.time) < FEWEST_LAGS or np.any(sums.sum(axis=0) <= 0):
        none = Estimate(verdict='not known: the lags are too few, or nothing moves')
        return LinearRegime(none, none, None)
    return linear_regime(given.time, sums, given.counts, paths, tolerance)


def _scaled(estimate: Estimate, factor: float) -> Estimate:
    value, low, high = (
        None if end is None else max(factor * end, 0.0)
        for end in (estimate.value, estimate.low, estimate.high)
    )
    return replace(estimate, value=value, low=low, high=high)


def _log_ratio(numerator: LinearRegime, denominator: LinearRegime) -> Estimate:
    """Estimate the logarithm of a ratio of slopes; a verdict where one of them has none."""
    both = (numerator.diffusion, denominator.diffusion)
    if any(each.value is None or each.value <= 0 for each in both):
        reasons = [each.verdict or 'not known: no slope' for each in both]
        return Estimate(verdict='; '.join(dict.fromkeys(filter(None, reasons))))
    value, half, worth = ratio(numerator, denominator)
    return Estimate(value, value - half, value + half, worth)
