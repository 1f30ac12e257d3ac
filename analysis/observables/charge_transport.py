"""What a run says of the motion of its charges: from its log by two routes, and from its frames.

A current that is written every few steps is no average over them: what is faster counts as slow
(aliasing). The current is therefore the displacement of the charges between two rows, divided by
their interval, where the log has it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from analysis.arrays import FloatArray
from analysis.estimators.estimate import Curve, Estimate, exponentiated, joined
from analysis.estimators.green_kubo import green_kubo, logarithmic, spectrum_of
from analysis.estimators.linear_regime import (
    EXPONENT_TOLERANCE,
    LinearRegime,
    SharedPaths,
    linear_regime,
    paths_of_rows,
    ratio,
    shared_paths,
    squared_displacements,
)
from analysis.geometry.ions import Ions
from analysis.geometry.topology import ROUNDED, Snapshot
from analysis.observable import BlockSums, Correlator
from analysis.observables.mean_squared_displacement import mean_of_blocks
from analysis.sampling.charge_motion import ChargeMotion
from analysis.sampling.constant_volume import change_of_volume
from analysis.sampling.correlation_plan import BLOCKS
from analysis.sampling.motion import Paths
from analysis.sampling.run import Run
from user_input import UserError

AXES = ('x', 'y', 'z')
KINDS = ('cations', 'anions')
MOVERS = (*KINDS, *(f'{kind}_{axis}' for kind in KINDS for axis in AXES))
UNIT = r'[$e^2/(\sigma \tau \epsilon)$]'
# Of a cube with periodic images (Yeh and Hummer 2004).
CUBIC_LATTICE = 2.837297
# All charges together are one path, whose noise hides slow motion: it counts as linear where the
# ions by themselves are. What it rattled before is the constant of the line, and lowers the
# exponent.
COLLECTIVE_TOLERANCE = 0.5
# Of the spectrum above its level at zero, beyond both their errors: no chance of noise.
LEAST_RISE = 1.5
# In times after which the ions diffuse; in shorter runs the rise is taken for the level.
LEAST_RUN_IN_TIMES = 20
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


class Charges(Correlator[FloatArray, ConductivityResult]):
    """Squared displacements by axis, of the ions of each sign and of all charges together."""

    def __init__(self, run: Run, ions: Ions, unit: float, drift: str | None) -> None:
        topology, path = run.topology, run.frames.path
        if not (np.isfinite(unit) and unit > 0):
            raise UserError(f'unit of charge {unit}: give that of the file which is 1 e.')
        if run.missing_images_reason:
            raise UserError(f'{path}: {run.missing_images_reason}')
        if run.kT is None:
            raise UserError('the conductivity needs the temperature of the bath (--kT).')
        if run.time_step is None:
            raise UserError('the conductivity needs the duration of a step (--time-step).')
        self._run, self._kT = run, run.kT
        self._paths = Paths(topology, drift)
        self._of_ions, self._ions = ions, ions.indices
        self._unit, self._charge = unit, ions.charge / unit
        # Of the cations and of the anions, (N, 2).
        is_cation = ions.is_cation[:, None]
        self._signed = self._charge[:, None] * np.hstack([is_cation, ~is_cation])
        self._weights = (self._signed**2).sum(axis=0)
        is_free = ~np.isin(self._ions, topology.bonds)
        self._has_free = [bool(is_free[each != 0].any()) for each in self._signed.T]
        self._log = ChargeMotion.of(run)
        self._to_sigma = 1 / (self._log.volume * self._kT)
        self._dipoles: dict[int, FloatArray] = {}

    def remember(self, snapshot: Snapshot) -> FloatArray:
        """Take the paths of the ions by axis, (3, N)."""
        paths = self._paths.without_drift(self._paths.unwrapped(snapshot))
        ions: FloatArray = paths[self._ions].T.copy()
        self._dipoles[snapshot.step] = ions @ self._charge
        return ions

    def correlate(self, origin: FloatArray, later: FloatArray) -> FloatArray:
        """Give squares by kind and axis (6,), |dM|^2, and the part of the cations in it."""
        moved = later - origin
        mean = (moved**2 @ self._signed**2) / self._weights
        dipoles = moved @ self._signed
        total = dipoles.sum(axis=1)
        return np.array([*mean.T.ravel(), total @ total, dipoles[:, 0] @ total])

    def conclude(self, sums: BlockSums) -> ConductivityResult:
        if reason := self._paths.refusal:
            raise UserError(f'{self._run.frames.path}: {reason}')
        # The file may have any unit of charge; the log has e.
        in_e = self._log.unit_of(self._dipoles)
        self._unit, self._charge = self._unit / in_e, self._charge * in_e
        self._weights = self._weights * in_e**2
        by_axis = sums.sums[:6].reshape(2, 3, *sums.counts.shape)
        of_kinds = by_axis.sum(axis=1)
        paths = shared_paths(sums.time, sums.counts, sums.duration)
        rows = [*of_kinds, *(3 * by_axis).reshape(6, *sums.counts.shape)]
        slope_of = partial(linear_regime, sums.time, counts=sums.counts, paths=paths)
        motion = {name: slope_of(each) for name, each in zip(MOVERS, rows, strict=True)}
        single = np.tensordot(self._weights, of_kinds, 1)
        alone = self._without_creep(slope_of(single), motion, of_kinds)
        carriers = self._carriers(of_kinds, single)
        carried = slope_of(carriers)
        collective = settled = slope_of(carriers, tolerance=COLLECTIVE_TOLERANCE)
        if self._log.moved is None:
            given, together = sums, sums.sums[6]
        else:
            given, together, paths = self._from_rows(self._log.moved)
        if settled.begins is not None:
            limits = (COLLECTIVE_TOLERANCE, settled.begins)
            collective = linear_regime(given.time, together, given.counts, paths, *limits)
        einstein = _scaled(collective.diffusion, self._to_sigma)
        if carried.begins is None:
            einstein = replace(einstein, verdict=carried.diffusion.verdict)
        sigma, time, spectrum = self._from_current(settled.begins or 0.0)
        if sigma.value is not None:
            sigma = replace(
                sigma, verdict=_doubt_of(sigma, einstein, carried, settled, sums.duration)
            )
        log = self._equipartition[1]
        log_if_used = log if self._log.moved is not None else ''
        net = self._net_charge
        return ConductivityResult(
            conductivity=self._told(sigma, net, log),
            einstein=self._told(einstein, net, log_if_used),
            nernst_einstein=self._told(_scaled(alone.diffusion, self._to_sigma)),
            haven_ratio=self._told(exponentiated(_log_ratio(alone, collective)), net, log_if_used),
            transference=self._told(self._share(motion['cations'], motion['anions'])),
            relaxation_time=self._told(time, log),
            diffusion={name: self._told(each.diffusion) for name, each in motion.items()},
            collective=self._curve(given, together),
            single=self._curve(sums, single),
            spectrum=spectrum,
            remarks=tuple(filter(None, self._remarks(sums))),
        )

    def _without_creep(
        self, alone: LinearRegime, motion: dict[str, LinearRegime], of_kinds: FloatArray
    ) -> LinearRegime:
        """Say that ions on chains still creep, where that is more than a little of the motion."""
        if sum(self._has_free) != 1:
            return alone
        bound = self._has_free.index(False)
        squares = self._weights * of_kinds.sum(axis=1)[:, -1]
        creeps = motion[KINDS[bound]]
        if creeps.begins is not None or squares[bound] < EXPONENT_TOLERANCE * squares.sum():
            return alone
        verdict = alone.diffusion.verdict or f'of the {KINDS[bound]}: {creeps.diffusion.verdict}'
        return replace(alone, diffusion=replace(alone.diffusion, verdict=verdict))

    def _carriers(self, of_kinds: FloatArray, single: FloatArray) -> FloatArray:
        """Choose the squared displacements (B, L) that say when the charges have settled.

        Those of all ions, but of the free ones alone where all of the other sign are on chains:
        these creep for as long as a chain relaxes, and the sum of a chain does not.
        """
        if sum(self._has_free) == 1:
            return np.asarray(of_kinds[self._has_free.index(True)])
        return single

    def _from_rows(self, moved: FloatArray) -> tuple[BlockSums, FloatArray, SharedPaths]:
        """Correlate the displacement of all charges between all rows of the log."""
        n, interval = moved.shape[1] // BLOCKS * BLOCKS, self._log.interval
        lags, sums, counts = squared_displacements(moved[:, -n:], BLOCKS)
        given = BlockSums(np.asarray(lags * interval), sums[None], counts, n * interval)
        return given, sums, paths_of_rows(given.time, counts, given.duration)

    def _from_current(self, settled: float) -> tuple[Estimate, Estimate, Curve]:
        """Find conductivity, relaxation time and spectrum of the current, of charges settled."""
        labels = (r'angular frequency $\omega$ [$\tau^{-1}$]', rf"$\sigma'(\omega)$ {UNIT}")
        current = self._log.mean_currents
        if current is None:
            none = Estimate(verdict=self._log.missing)
            nothing = Curve(np.zeros(0), np.zeros(0), None, None, *labels, 'log', 'log')
            return none, none, nothing
        given = (current, self._to_sigma, self._log.interval)
        integral = logarithmic(green_kubo(*given, 'either', settled).integral)
        spectrum = spectrum_of(*given, are_means=self._log.moved is not None)
        if integral.high is None or spectrum[2].max() < LEAST_RISE * integral.high:
            time = Estimate(verdict='no relaxation: the spectrum of the current does not rise')
        else:
            debye = green_kubo(*given, 'dip')
            is_fitted = debye.integral.value is not None
            time = logarithmic(debye.correlation_time if is_fitted else debye.integral)
        return integral, time, Curve(*spectrum, *labels, 'log', 'log')

    def _share(self, cations: LinearRegime, anions: LinearRegime) -> Estimate:
        """Estimate the share of the cations in sum q^2 D, by its logit."""
        odds = _log_ratio(cations, anions)
        offset = float(np.log(self._weights[0] / self._weights[1]))
        return odds.mapped(lambda end: 1 / (1 + math.exp(-end - offset)))

    def _told(self, estimate: Estimate, *against: str) -> Estimate:
        """Add what speaks against the run, and what else does."""
        changes = change_of_volume(self._log.volumes)
        verdict = joined(estimate.verdict, self._run.production.verdict, changes, *against)
        return replace(estimate, verdict=verdict)

    @property
    def _net_charge(self) -> str:
        """Say that the charges do not add up to nothing: a drift moves them too."""
        net = float(self._charge.sum())
        if abs(net) <= ROUNDED * np.abs(self._charge).sum():
            return ''
        return f'the ions have a net charge of {net:.4g}: what they carry depends on the drift'

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
        mass = topology.mass if np.any(topology.mass) else np.ones(len(topology.mass))
        of_mass = float(mass[self._ions[self._of_ions.is_cation]].sum() / mass.sum())
        longest = np.flatnonzero(sums.time <= sums.duration / len(sums.counts))[-1:]
        total, part = (float(sums.sums[k][:, longest].sum()) for k in (6, 7))
        edge = self._log.volume ** (1 / 3)
        bonded = int(np.isin(topology.bonds, self._ions).all(axis=1).sum())
        return [
            self._paths.drift,
            f'unit of charge: {self._unit:.6g} in the units of the file',
            'that log and frames are of one run is not checked: they have hardly a step in common'
            if self._log.moved is not None and not self._log.shares_steps_with(self._dipoles)
            else '',
            # Nothing but the file says what the charges are.
            *(self._of_ions.remarks if self._log.moved is None else self._of_ions.remarks[1:]),
            f'{bonded} bonds join two ions, which count one by one: of molecules with partial '
            'charges Nernst-Einstein and the Haven ratio say nothing'
            if bonded
            else '',
            *self._log.remarks,
            self._equipartition[0],
            'the apparent share of the cations counts each ion by itself. Without added salt the '
            'cations carry all of the current past the polymer; in the frame of the centre of '
            f'mass they carry {part / total:.3f} of it at the longest lag, and {1 - of_mass:.3f} '
            'follows from the masses alone'
            if total > 0 and not self._net_charge
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


def _doubt_of(
    sigma: Estimate,
    einstein: Estimate,
    carried: LinearRegime,
    settled: LinearRegime,
    duration: float,
) -> str:
    """Say why the spectrum may have missed what is slow; empty if nothing shows that it has."""
    for each in (carried, settled):
        if each.begins is None:
            return each.diffusion.verdict
    begins = settled.begins or 0.0
    if duration < LEAST_RUN_IN_TIMES * begins:
        return (
            f'too short: the ions diffuse from {begins:.3g} on, and the run is no '
            f'{LEAST_RUN_IN_TIMES} times as long'
        )
    ends = (sigma.low, sigma.high, einstein.low, einstein.high)
    if any(end is None for end in ends):
        return einstein.verdict
    low, high, lowest, highest = (end or 0.0 for end in ends)
    if low > highest or high < lowest:
        return f'too short: by Einstein it is between {lowest:.3g} and {highest:.3g}'
    return ''


def _scaled(estimate: Estimate, factor: float) -> Estimate:
    return estimate.mapped(lambda end: max(factor * end, 0.0))


def _log_ratio(numerator: LinearRegime, denominator: LinearRegime) -> Estimate:
    """Estimate the logarithm of a ratio of slopes; a verdict where one of them has none."""
    lacking = [
        each.diffusion.verdict or 'not known: no slope'
        for each in (numerator, denominator)
        if each.diffusion.value is None or each.diffusion.value <= 0
    ]
    if lacking:
        return Estimate(verdict=joined(*lacking))
    value, half, worth = ratio(numerator, denominator)
    verdict = joined(numerator.diffusion.verdict, denominator.diffusion.verdict)
    return Estimate(value, value - half, value + half, worth, verdict)
