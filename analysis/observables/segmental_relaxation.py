"""Segmental relaxation: bond-vector correlations and self-intermediate scattering."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.decay import Decay, decay_times
from analysis.estimators.estimate import Curve
from analysis.estimators.intervals import jackknife
from analysis.geometry.ions import parts_of_charges
from analysis.geometry.shells import unite_shells
from analysis.geometry.topology import Snapshot, Topology
from analysis.observable import BlockSums, Correlator, Panel, Quantity, TimeCorrelation, option
from analysis.observables.choice_of_ions import NamedIons
from analysis.plotting import plot_curves
from analysis.sampling.main_peak import main_peak
from analysis.sampling.motion import DRIFT_OPTION, Paths
from analysis.sampling.run import Run
from user_input import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GROUPS = ('all', 'cations', 'anions')
# A slash would need quotes as a key of a TOML file.
WAVE_NUMBERS = {'peak': 'peak', 'pi/sigma': 'pi_over_sigma'}
# One that is no more has no direction but that of rounding.
SHORTEST_BOND = 1e-6
STEMS = ('time', '1_over_e_time')
NO_BONDS = 'no bonds (write them into the GSD file, or give the LAMMPS data file: --data)'


@dataclass(frozen=True)
class Relaxation:
    """One correlation function against time, with its tail as the fit, and its times."""

    curve: Curve
    decay: Decay


@dataclass(frozen=True)
class RelaxationResult:
    """Relaxation of bonds and of beads.

    Attributes:
        time_unit: 'tau', or 'steps' where the time step is not known.
        p1: First Legendre polynomial of the bond vectors, by bond type.
        p2: Second Legendre polynomial of the bond vectors, by bond type.
        scattering: F_s(q, t), by group of particles ('all', 'cations', 'anions', and without bonds
            those of each type) and name of q.
        wave_numbers: The q by name: 'peak' and 'pi/sigma'.
        first_step: Step of the first frame that could be used; `n_frames` were read.
        verdicts: What could not be done, and why.
        drift: What was done about the motion of the centre of mass.
    """

    time_unit: str
    p1: dict[str, Relaxation]
    p2: dict[str, Relaxation]
    scattering: dict[str, dict[str, Relaxation]]
    wave_numbers: dict[str, float]
    n_frames: int
    first_step: int
    verdicts: tuple[str, ...]
    drift: str = ''


@dataclass(frozen=True)
class SegmentalRelaxation(NamedIons, TimeCorrelation[RelaxationResult]):
    """Correlations of bonds, where there are any, and of displacements over all lags."""

    name = 'relaxation'
    title = 'Segmental relaxation'
    definition = (
        'C1(t) = <u(0).u(t)> and C2(t) = <(3 (u(0).u(t))^2 - 1) / 2> for the unit vectors u along '
        'the bonds of each type; F_s(q, t) = <cos(q.(r(t) - r(0)))> with q along the three axes, '
        'at the main peak q* of S(q) and at pi/sigma, the drift of the system taken off. '
        'All are 1 at t = 0. Mean times are integrals of the whole curves over all t > 0: measured '
        'down to 0.05 or the longest lag, from there on that of a stretched exponential (Williams '
        'and Watts 1970, doi 10.1039/TF9706600080) fitted from the 1/e time on. 1/e times are '
        'where the curves fall through 1/e. Thermostats and friction change both, so state these '
        'beside the times.'
    )
    result = RelaxationResult
    panels = tuple(
        f'relaxation times, {each}' for each in ('P1', 'P2', 'F_s at q*', 'F_s at pi/sigma')
    )
    defined_by = 'wave_number'

    sigma: float = option(
        1.0, 'bead diameter, for q = pi/sigma (default: 1)', type=float, metavar='LENGTH'
    )
    wave_number: float | None = option(
        None, 'q* of F_s, in 1/sigma; default: main peak of S(q)', type=float, metavar='Q'
    )
    drift: str | None = option(None, **DRIFT_OPTION)

    def applies_to(self, topology: Topology) -> bool:
        return len(topology.bonds) > 0

    def correlator(self, run: Run) -> Correlator[_State, RelaxationResult]:
        if not (np.isfinite(self.sigma) and self.sigma > 0):
            raise UserError(f'sigma {self.sigma}: give a positive length.')
        given = self.wave_number
        if given is not None and not (np.isfinite(given) and given > 0):
            raise UserError(f'wave number {given}: give a positive one.')
        if len(run.topology.bonds) == 0 and run.missing_images_reason:
            raise UserError(
                f'{run.frames.path}: {NO_BONDS}, and no F_s: {run.missing_images_reason}'
            )
        groups = _groups(run, self)
        return _BondsAndPositions(run, groups, self.sigma, given, self.drift)

    def quantities(self, result: RelaxationResult) -> list[Quantity]:
        unit, found = result.time_unit, []
        for name, label, panel, relaxation in _named(result):
            kind, _, rest = name.partition('_')
            mean, one_over_e = relaxation.decay.mean, relaxation.decay.one_over_e
            # The 1/e time needs no tail. In 12 runs of a demo, each thinned in five ways, it
            # changed by 4 % (mean time: 6 %), with an interval of +-11 % (17 %).
            is_key = kind == 'p2' or rest == 'all_peak'
            found += [
                Quantity.positive(
                    f'{kind}_1_over_e_time_{rest}', unit, one_over_e, panel, label, is_key
                ),
                Quantity.positive(f'{kind}_time_{rest}', unit, mean, label=f'{label}, mean time'),
            ]
        return found

    def quantity_names(
        self, particle_types: Sequence[str], bond_types: Sequence[str]
    ) -> tuple[str, ...]:
        names = GROUPS if bond_types else dict.fromkeys([*GROUPS, *particle_types])
        groups = [f'{group}_{q}' for group in names for q in WAVE_NUMBERS.values()]
        return tuple(
            f'{observable}_{stem}_{rest}'
            for observable, each in (('p1', bond_types), ('p2', bond_types), ('fs', groups))
            for stem in STEMS
            for rest in each
        )

    def curves(self, result: RelaxationResult) -> dict[str, Curve]:
        return {label: relaxation.curve for _, label, _, relaxation in _named(result)}

    def notes(self, result: RelaxationResult) -> list[str]:
        return [
            f'{result.n_frames} frames read, from step {result.first_step}',
            *(f'q at {name} {q:.4g}' for name, q in result.wave_numbers.items()),
            *filter(None, [result.drift]),
            *(f'verdict: {verdict}' for verdict in result.verdicts),
        ]

    def plot(self, result: RelaxationResult, ax: Axes) -> None:
        first_q = next(iter(result.wave_numbers), '')
        shown = {f'P2 {bond}': each.curve for bond, each in result.p2.items()}
        for group, by_q in result.scattering.items():
            shown[f'F_s {group}, q = {result.wave_numbers[first_q]:.3g}'] = by_q[first_q].curve
        plot_curves(ax, shown)
        ax.axhline(np.exp(-1), color='0.6', lw=0.8, ls=':')
        ax.set(ylabel='$C_2(t)$, $F_s(q, t)$', ylim=(-0.1, 1.05))


def _named(result: RelaxationResult) -> Iterator[tuple[str, str, Panel, Relaxation]]:
    """List the name of its times, label, panel and content of each correlation."""
    axis = f'1/e relaxation time [{result.time_unit}]'.replace('tau', r'$\tau$')
    for polynomial, by_bond in (('p1', result.p1), ('p2', result.p2)):
        panel = Panel(f'relaxation times, {polynomial.upper()}', axis, scale='log')
        for bond, each in by_bond.items():
            yield f'{polynomial}_{bond}', f'{polynomial.upper()} {bond}', panel, each
    for group, by_q in result.scattering.items():
        for q, each in by_q.items():
            symbol = 'q*' if q == 'peak' else q
            panel = Panel(f'relaxation times, F_s at {symbol}', axis, scale='log')
            yield f'fs_{group}_{WAVE_NUMBERS[q]}', f'F_s {group}, {symbol}', panel, each


def _groups(run: Run, named: NamedIons) -> dict[str, IntArray]:
    """Find the particles that F_s is averaged over; UserError if a type is not there."""
    topology, cations, anions = run.topology, named.cations, named.anions
    if not (cations and anions) and np.any(topology.charge):
        topology, _ = unite_shells(topology, run.frames.read(0), named.shells)
        if parts_of_charges(topology):  # its atoms are no ions
            topology = replace(topology, charge=np.zeros(len(topology.charge)))
    members = (
        np.arange(len(topology.typeid)),
        topology.indices_of(cations) if cations else np.flatnonzero(topology.charge > 0),
        topology.indices_of(anions) if anions else np.flatnonzero(topology.charge < 0),
    )
    groups = {name: own for name, own in zip(GROUPS, members, strict=True) if len(own)}
    if len(topology.bonds) == 0:
        for k in np.unique(topology.typeid):
            own = np.flatnonzero(topology.typeid == k)
            if not any(np.array_equal(own, each) for each in groups.values()):
                groups.setdefault(topology.type_names[k], own)
    return groups


@dataclass(frozen=True)
class _State:
    """What is remembered of a frame while later ones are correlated with it.

    By axis, (3, n), since sums over three numbers in a row are slow.
    """

    bonds: NDArray[np.float32]
    positions: NDArray[np.float32] | None


class _BondsAndPositions(Correlator[_State, RelaxationResult]):
    """Correlations of all bond types, then of all groups at each wave number."""

    def __init__(
        self,
        run: Run,
        groups: dict[str, IntArray],
        sigma: float,
        peak: float | None,
        drift: str | None,
    ) -> None:
        topology = run.topology
        self._paths = Paths(topology, drift)
        # Sorted by class, each class is one stretch of the array.
        order = np.argsort(topology.bond_typeid, kind='stable')
        self._bonds = topology.bonds[order]
        used, self._class_starts = np.unique(topology.bond_typeid[order], return_index=True)
        self._class_sizes = np.diff(np.append(self._class_starts, len(order)))
        self._classes = [topology.bond_type_names[k] for k in used]
        self._groups = groups
        self._verdicts = [] if self._classes else [f'{NO_BONDS}, so no P1 and P2']
        self._wave_numbers = self._find_wave_numbers(run, sigma, peak)
        if run.time_step is None:
            self._verdicts.append('the time step is not known (--time-step): times are in steps')
        self._time_unit = run.time_unit
        plan = run.correlation_plan
        self._n_frames = len(np.union1d(plan.origin, plan.later))
        self._first_step = int(run.frames.steps[run.correlated_frames[0]])
        self._reference: FloatArray | None = None

    def _find_wave_numbers(self, run: Run, sigma: float, peak: float | None) -> dict[str, float]:
        if run.missing_images_reason:
            self._verdicts.append(f'no F_s: {run.missing_images_reason}')
            return {}
        reason = ''
        if peak is None and run.definitions is not None:
            estimate = run.definitions.wave_number.estimate
            peak, reason = estimate.value, estimate.verdict
        elif peak is None:
            peak, reason = main_peak(run.frames, run.correlated_frames)
        if peak is None:
            self._verdicts.append(f'no F_s at the peak of S(q): {reason}')
            return {'pi/sigma': float(np.pi / sigma)}
        return {'peak': peak, 'pi/sigma': float(np.pi / sigma)}

    def remember(self, snapshot: Snapshot) -> _State:
        first, second = self._bonds[:, 0], self._bonds[:, 1]
        vector = snapshot.box.nearest_image(snapshot.positions[second] - snapshot.positions[first])
        length = np.linalg.norm(vector, axis=1, keepdims=True)
        if length.min(initial=1) < SHORTEST_BOND:
            one, other = self._bonds[length.argmin()]
            raise UserError(
                f'step {snapshot.step}: particles {one} and {other} (counted from 0) are bonded '
                'and at one place: such a bond has no direction. Give frames after it, or a file '
                'without it.'
            )
        vector /= length
        positions = None
        if self._wave_numbers:
            unwrapped = self._paths.unwrapped(snapshot)
            # Single precision is enough for displacements from the first frame.
            self._reference = unwrapped if self._reference is None else self._reference
            moved = unwrapped - self._reference
            positions = self._paths.without_drift(moved).T.astype(np.float32, order='C')
        return _State(vector.T.astype(np.float32, order='C'), positions)

    def correlate(self, origin: _State, later: _State) -> FloatArray:
        cosine = np.einsum('ai,ai->i', origin.bonds, later.bonds).astype(np.float64)
        p1 = np.add.reduceat(cosine, self._class_starts) / self._class_sizes
        squared = np.add.reduceat(cosine**2, self._class_starts) / self._class_sizes
        observed = [p1, (3 * squared - 1) / 2]
        if origin.positions is not None and later.positions is not None:
            displacement = later.positions - origin.positions
            for q in self._wave_numbers.values():
                per_bead = np.cos(np.float32(q) * displacement).mean(axis=0)
                observed.append(
                    np.array([per_bead[g].mean(dtype=np.float64) for g in self._groups.values()])
                )
        return np.concatenate(observed)

    def conclude(self, sums: BlockSums) -> RelaxationResult:
        if self._wave_numbers and self._paths.refusal:
            self._verdicts.append(f'no F_s: {self._paths.refusal}')
            self._wave_numbers = {}
        n = len(self._classes)
        labels = ['$C_1(t)$'] * n + ['$C_2(t)$'] * n
        labels += ['$F_s(q, t)$'] * (len(sums.sums) - 2 * n)
        every = [relaxation_of(sums, k, self._time_unit, label) for k, label in enumerate(labels)]
        rest = iter(every[2 * n :])
        by_q = {q: {group: next(rest) for group in self._groups} for q in self._wave_numbers}
        scattering = {group: {q: by_q[q][group] for q in by_q} for group in self._groups}
        return RelaxationResult(
            time_unit=self._time_unit,
            p1=dict(zip(self._classes, every[:n], strict=True)),
            p2=dict(zip(self._classes, every[n : 2 * n], strict=True)),
            scattering=scattering if self._wave_numbers else {},
            wave_numbers=self._wave_numbers,
            n_frames=self._n_frames,
            first_step=self._first_step,
            verdicts=tuple(self._verdicts),
            drift=self._paths.drift if self._wave_numbers else '',
        )


def relaxation_of(given: BlockSums, which: int, unit: str, label: str) -> Relaxation:
    """Make a correlation function and its times from the sums of `which` of the correlations."""
    time, sums, counts = given.time, given.sums[which], given.counts
    total = counts.sum(axis=0)
    value = sums.sum(axis=0) / total
    low, high = np.full(len(time), np.nan), np.full(len(time), np.nan)
    for k in range(len(time)):
        filled = np.flatnonzero(counts[:, k])
        if len(filled) > 1:
            without_one = (sums[:, k].sum() - sums[filled, k]) / (total[k] - counts[filled, k])
            ends = jackknife(value[k : k + 1], without_one[:, None])
            low[k], high[k] = ends[0][0], ends[1][0]
    decay = decay_times(time, sums, counts, given.duration)
    x_label = f'time $t$ [{unit}]'.replace('tau', r'$\tau$')
    fit = None if decay.tail is None else decay.tail(time)
    return Relaxation(Curve(time, value, low, high, x_label, label, 'log', fit=fit), decay)
