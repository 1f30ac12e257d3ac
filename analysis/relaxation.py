"""Segmental relaxation: bond-vector correlations and self-intermediate scattering, in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.correlation_plan import CorrelationPlan, plan_correlations
from analysis.frame_selection import frames_from
from analysis.image_check import why_no_displacements
from analysis.plain import plain
from analysis.statistics import jackknife
from analysis.stretched_exponential import Decay, decay_times
from analysis.structure_factor import StructureFactor, structure_factor
from analysis.trajectory import FloatArray, IntArray, Snapshot, Topology, Trajectory
from user_input import UserError

Progress = Callable[[IntArray], Iterable[Any]]

FEWEST_FRAMES = 8


@dataclass(frozen=True)
class RelaxationCurve:
    """One correlation function and its times.

    Attributes:
        time: Lags, shape (L,).
        value: Correlation, shape (L,).
        low: Lower ends of the 95 % intervals, shape (L,); not a number where one block has all.
        high: Upper ends of the 95 % intervals, shape (L,).
        n_origins: Number of origins averaged over, shape (L,).
        decay: Relaxation times of the curve.
    """

    time: FloatArray
    value: FloatArray
    low: FloatArray
    high: FloatArray
    n_origins: IntArray
    decay: Decay


@dataclass(frozen=True)
class SegmentalRelaxation:
    """Relaxation of bonds and of beads.

    Attributes:
        time_unit: 'tau' where the time step is known, in the time unit of the trajectory; else
            'steps'.
        p1: First Legendre polynomial of the bond vectors, by bond type.
        p2: Second Legendre polynomial of the bond vectors, by bond type.
        scattering: F_s(q, t), by group of particles ('all', 'cations', 'anions') and name of q.
        wave_numbers: The q by name: 'peak' and 'pi/sigma'.
        structure_factor: S(q), in whose main peak 'peak' lies; None without displacements.
        n_frames: Number of frames that were read for the correlations.
        first_step: Step of the first frame that could be used.
        verdicts: What could not be done, and why.
    """

    time_unit: str
    p1: dict[str, RelaxationCurve]
    p2: dict[str, RelaxationCurve]
    scattering: dict[str, dict[str, RelaxationCurve]]
    wave_numbers: dict[str, float]
    structure_factor: StructureFactor | None
    n_frames: int
    first_step: int
    verdicts: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Content as plain values for JSON."""
        content: dict[str, Any] = plain(self)
        return content


def segmental_relaxation(
    trajectory: Trajectory,
    *,
    time_step: float | None = None,
    first_frame: int = 0,
    sigma: float = 1.0,
    progress: Progress = iter,
) -> SegmentalRelaxation:
    """Correlate bond vectors and displacements over all lags that the trajectory holds.

    C1(t) = <u(0).u(t)> and C2(t) = <(3 (u(0).u(t))^2 - 1) / 2> for the unit vectors u along the
    bonds of each type; F_s(q, t) = <cos(q.(r(t) - r(0)))> with q along the three axes and the
    drift of the centre of mass taken off. Frames may be at any spacing; the file is read once.

    Args:
        trajectory: Any trajectory with bonds.
        time_step: Duration of a step; by default what the trajectory says, else times are in steps.
        first_frame: Index of the first frame to use.
        sigma: Diameter of a bead, for F_s at q = pi / sigma.
        progress: Wraps the frames to show how far the analysis is, such as `tqdm`.

    Raises:
        UserError: If there are no bonds, too few frames, or the steps do not rise.
    """
    if time_step is not None and not (np.isfinite(time_step) and time_step > 0):
        raise UserError(f'time step {time_step}: give a positive duration.')
    if not (np.isfinite(sigma) and sigma > 0):
        raise UserError(f'sigma {sigma}: give a positive length.')
    topology = trajectory.topology
    if len(topology.bonds) == 0:
        raise UserError(
            f'{trajectory.path}: no bonds, so no segments to relax. Write them into the GSD file, '
            'or give the LAMMPS data file (--data).'
        )
    frames = frames_from(trajectory.steps, first_frame)
    steps = trajectory.steps[frames]
    if len(frames) < FEWEST_FRAMES:
        raise UserError(
            f'{trajectory.path}: {len(frames)} frames; at least {FEWEST_FRAMES} are needed.'
        )
    if np.any(np.diff(steps) <= 0):
        bad = int(frames[1:][np.diff(steps) <= 0][0])
        raise UserError(
            f'{trajectory.path}: frame {bad} is not later than the one before it. Write the steps, '
            'and remove frames that a restart wrote twice.'
        )
    plan = plan_correlations(steps)
    if len(plan.lags) == 0:
        raise UserError(
            f'{trajectory.path}: no lag occurs often enough between the frames. Write more frames '
            'at regular steps.'
        )
    verdicts = []
    refusal = why_no_displacements(trajectory, frames)
    wave_numbers: dict[str, float] = {}
    s_of_q = None
    if refusal:
        verdicts.append(f'no F_s: {refusal}')
    else:
        s_of_q = structure_factor(trajectory, frames)
        if s_of_q.peak is None:
            verdicts.append(f'no F_s at the peak of S(q): {s_of_q.verdict}')
        else:
            wave_numbers['peak'] = s_of_q.peak
        wave_numbers['pi/sigma'] = float(np.pi / sigma)
    time_step = trajectory.time_step if time_step is None else time_step
    if time_step is None:
        verdicts.append('the time step is not known (--time-step): times are in steps')
    tally = _Tally(topology, plan, tuple(wave_numbers.values()))
    n_read = tally.run(trajectory, frames, progress)
    unit = 1.0 if time_step is None else time_step
    curves = tally.curves(unit)
    n_classes = len(tally.classes)
    p1 = dict(zip(tally.classes, curves[:n_classes], strict=True))
    p2 = dict(zip(tally.classes, curves[n_classes : 2 * n_classes], strict=True))
    rest = iter(curves[2 * n_classes :])
    by_q = {name: {group: next(rest) for group in tally.groups} for name in wave_numbers}
    scattering = {group: {name: by_q[name][group] for name in by_q} for group in tally.groups}
    return SegmentalRelaxation(
        time_unit='steps' if time_step is None else 'tau',
        p1=p1,
        p2=p2,
        scattering=scattering if wave_numbers else {},
        wave_numbers=wave_numbers,
        structure_factor=s_of_q,
        n_frames=n_read,
        first_step=int(steps[0]),
        verdicts=tuple(verdicts),
    )


@dataclass(frozen=True)
class _Origin:
    """What is remembered of a frame while later ones are correlated with it."""

    bonds: NDArray[np.float32]
    positions: NDArray[np.float32] | None


class _Tally:
    """Sums of every observable over the pairs of frames, by block and lag."""

    def __init__(
        self, topology: Topology, plan: CorrelationPlan, wave_numbers: Sequence[float]
    ) -> None:
        self.plan, self.wave_numbers = plan, wave_numbers
        self.weights = topology.mass / topology.mass.sum()
        # Sorted by class, each class is one stretch of the array.
        order = np.argsort(topology.bond_typeid, kind='stable')
        self.bonds = topology.bonds[order]
        used, self.class_starts = np.unique(topology.bond_typeid[order], return_index=True)
        self.class_sizes = np.diff(np.append(self.class_starts, len(order)))
        self.classes = [topology.bond_type_names[k] for k in used]
        self.groups = {'all': np.arange(len(topology.charge))}
        for name, is_member in (('cations', topology.charge > 0), ('anions', topology.charge < 0)):
            if is_member.any():
                self.groups[name] = np.flatnonzero(is_member)
        n = 2 * len(self.classes) + len(wave_numbers) * len(self.groups)
        self.sums: FloatArray = np.zeros((n, plan.n_blocks, len(plan.lags)))
        self.counts = np.zeros((plan.n_blocks, len(plan.lags)))
        np.add.at(self.counts, (plan.block, plan.lag_index), 1)

    def run(self, trajectory: Trajectory, frames: IntArray, progress: Progress) -> int:
        """Read each frame that the plan names once, and forget it after its last use."""
        plan = self.plan
        last_use = np.full(len(frames), -1, dtype=np.int64)
        np.maximum.at(last_use, plan.origin, plan.later)
        needed = np.union1d(plan.origin, plan.later)
        bounds = np.searchsorted(plan.later, needed, side='left')
        ends = np.searchsorted(plan.later, needed, side='right')
        live: dict[int, _Origin] = {}
        reference: FloatArray | None = None
        for k, index in enumerate(progress(needed)):
            snapshot = trajectory.read(int(frames[index]))
            positions = None
            if self.wave_numbers:
                unwrapped = snapshot.unwrapped
                # Single precision is enough for displacements from the first frame.
                reference = unwrapped if reference is None else reference
                moved = unwrapped - reference
                positions = (moved - self.weights @ moved).astype(np.float32)
            state = _Origin(self._unit_bonds(snapshot), positions)
            for pair in range(bounds[k], ends[k]):
                origin = live[int(plan.origin[pair])]
                self.sums[:, plan.block[pair], plan.lag_index[pair]] += self._observe(origin, state)
            live[int(index)] = state
            live = {frame: held for frame, held in live.items() if last_use[frame] > index}
        return len(needed)

    def curves(self, time_step: float) -> list[RelaxationCurve]:
        """All observables as curves, in the order of the sums."""
        time = np.asarray(self.plan.lags * time_step, dtype=np.float64)
        duration = self.plan.duration * time_step
        return [_curve(time, self.sums[k], self.counts, duration) for k in range(len(self.sums))]

    def _unit_bonds(self, snapshot: Snapshot) -> NDArray[np.float32]:
        first, second = self.bonds[:, 0], self.bonds[:, 1]
        vector = snapshot.positions[second] - snapshot.positions[first]
        vector -= snapshot.box * np.rint(vector / snapshot.box)
        vector /= np.maximum(np.linalg.norm(vector, axis=1, keepdims=True), 1e-12)
        return vector.astype(np.float32)

    def _observe(self, origin: _Origin, later: _Origin) -> FloatArray:
        cosine = np.einsum('ij,ij->i', origin.bonds, later.bonds).astype(np.float64)
        p1 = np.add.reduceat(cosine, self.class_starts) / self.class_sizes
        squared = np.add.reduceat(cosine**2, self.class_starts) / self.class_sizes
        observed = [p1, (3 * squared - 1) / 2]
        if origin.positions is not None and later.positions is not None:
            displacement = later.positions - origin.positions
            for q in self.wave_numbers:
                per_bead = np.cos(np.float32(q) * displacement).mean(axis=1)
                observed.append(
                    np.array([per_bead[g].mean(dtype=np.float64) for g in self.groups.values()])
                )
        return np.concatenate(observed)


def _curve(
    time: FloatArray, sums: FloatArray, counts: FloatArray, duration: float
) -> RelaxationCurve:
    total = counts.sum(axis=0)
    value = sums.sum(axis=0) / total
    low, high = np.full(len(time), np.nan), np.full(len(time), np.nan)
    for k in range(len(time)):
        filled = np.flatnonzero(counts[:, k])
        if len(filled) > 1:
            others = total[k] - counts[filled, k]
            without_one = (sums[:, k].sum() - sums[filled, k]) / others
            ends = jackknife(value[k : k + 1], without_one[:, None])
            low[k], high[k] = ends[0][0], ends[1][0]
    decay = decay_times(time, sums, counts, duration)
    return RelaxationCurve(time, value, low, high, total.astype(np.int64), decay)
