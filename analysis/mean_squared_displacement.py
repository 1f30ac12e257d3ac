"""Mean squared displacements by particle type, and diffusion coefficients where they are linear."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.correlation_plan import CorrelationPlan, plan_correlations
from analysis.frame_selection import frames_from
from analysis.image_check import why_no_displacements
from analysis.plain import plain
from analysis.statistics import Estimate, jackknife
from analysis.trajectory import FloatArray, IntArray, Trajectory
from user_input import UserError

Progress = Callable[[IntArray], Iterable[Any]]

FEWEST_FRAMES = 8
FEWEST_BLOCKS = 4
# Diffusion is looked for at lags from half a block down to this part of them: displacements over
# longer ones are shared by neighbouring blocks, and the interval would be too narrow.
LONGEST_IN_BLOCKS = 1 / 2
LINEAR_PART = 1 / 8
FEWEST_LAGS = 4
# How far the exponent of MSD ~ t^a may lie from 1, and how well it must be known.
EXPONENT_TOLERANCE = 0.1


@dataclass(frozen=True)
class MeanSquaredDisplacement:
    """The mean squared displacement of one type of particle.

    Attributes:
        time: Lags, shape (L,).
        value: <(r(t) - r(0))^2>, shape (L,).
        low: Lower ends of the 95 % intervals, shape (L,); not a number at lags longer than a block
            of the jackknife (an eighth of the run), where it would claim too much.
        high: Upper ends of the 95 % intervals, shape (L,).
        exponent: Of MSD ~ t^a over the lags of the fit; its verdict where it is not known.
        diffusion: Diffusion coefficient MSD/(6 t), from the slope; no value where the MSD is not
            linear, with the reason as verdict.
    """

    time: FloatArray
    value: FloatArray
    low: FloatArray
    high: FloatArray
    exponent: Estimate
    diffusion: Estimate

    def as_dict(self) -> dict[str, Any]:
        """Content as plain values for JSON."""
        content: dict[str, Any] = plain(self)
        return content


def mean_squared_displacements(
    trajectory: Trajectory,
    *,
    time_step: float | None = None,
    first_frame: int = 0,
    progress: Progress = iter,
) -> dict[str, MeanSquaredDisplacement]:
    """Mean squared displacement of each particle type, less the drift of the centre of mass.

    Taking off the drift takes off 1/N of each particle's own motion. Frames may be at any spacing;
    the file is read once.

    Args:
        trajectory: Any trajectory with periodic images.
        time_step: Duration of a step; by default what the trajectory says, else times are in steps.
        first_frame: Index of the first frame to use.
        progress: Wraps the frames to show how far the analysis is, such as `tqdm`.

    Raises:
        UserError: If images are missing, there are too few frames, or the steps do not rise.
    """
    frames = frames_from(trajectory.steps, first_frame)
    steps = trajectory.steps[frames]
    if len(frames) < FEWEST_FRAMES:
        raise UserError(
            f'{trajectory.path}: {len(frames)} frames; at least {FEWEST_FRAMES} are needed.'
        )
    if np.any(np.diff(steps) <= 0):
        raise UserError(f'{trajectory.path}: the steps of the frames do not rise.')
    refusal = why_no_displacements(trajectory, frames)
    if refusal:
        raise UserError(f'{trajectory.path}: {refusal}')
    plan = plan_correlations(steps)
    if len(plan.lags) == 0:
        raise UserError(f'{trajectory.path}: no lag occurs often enough between the frames.')
    topology = trajectory.topology
    types = [k for k in range(len(topology.type_names)) if np.any(topology.typeid == k)]
    groups = [np.flatnonzero(topology.typeid == k) for k in types]
    sums, counts = _tally(trajectory, frames, plan, groups, progress)
    own = trajectory.time_step if time_step is None else time_step
    unit = 1.0 if own is None else own
    time = np.asarray(plan.lags * unit, dtype=np.float64)
    block_length = plan.duration * unit / plan.n_blocks
    return {
        topology.type_names[k]: _conclude(time, sums[row], counts, block_length)
        for row, k in enumerate(types)
    }


def _tally(
    trajectory: Trajectory,
    frames: IntArray,
    plan: CorrelationPlan,
    groups: list[IntArray],
    progress: Progress,
) -> tuple[FloatArray, FloatArray]:
    """Sums by group, block and lag, shape (G, B, L), and numbers of origins, shape (B, L)."""
    weights = trajectory.topology.mass / trajectory.topology.mass.sum()
    sums = np.zeros((len(groups), plan.n_blocks, len(plan.lags)))
    counts = np.zeros((plan.n_blocks, len(plan.lags)))
    np.add.at(counts, (plan.block, plan.lag_index), 1)
    last_use = np.full(len(frames), -1, dtype=np.int64)
    np.maximum.at(last_use, plan.origin, plan.later)
    live: dict[int, FloatArray] = {}
    needed = np.union1d(plan.origin, plan.later)
    bounds = np.searchsorted(plan.later, needed, side='left')
    ends = np.searchsorted(plan.later, needed, side='right')
    for k, index in enumerate(progress(needed)):
        unwrapped = trajectory.read(int(frames[index])).unwrapped
        positions = unwrapped - weights @ unwrapped
        for pair in range(bounds[k], ends[k]):
            moved = positions - live[int(plan.origin[pair])]
            squared = np.einsum('ij,ij->i', moved, moved)
            place = (slice(None), plan.block[pair], plan.lag_index[pair])
            sums[place] += [squared[group].mean() for group in groups]
        live[int(index)] = positions
        live = {frame: held for frame, held in live.items() if last_use[frame] > index}
    return sums, counts


def _conclude(
    time: FloatArray, sums: FloatArray, counts: FloatArray, block_length: float
) -> MeanSquaredDisplacement:
    value = sums.sum(axis=0) / counts.sum(axis=0)
    longest = LONGEST_IN_BLOCKS * block_length
    used = (time <= longest) & (time >= LINEAR_PART * longest)
    filled = np.flatnonzero(counts[:, used].all(axis=1))
    # Every curve without one of the blocks that have origins at all lags of the fit.
    others = (sums.sum(axis=0) - sums[filled]) / np.maximum(counts.sum(axis=0) - counts[filled], 1)
    low, high = np.full(len(time), np.nan), np.full(len(time), np.nan)
    none = Estimate(None, None, None, 0.0, 'not known: the lags are too few')
    if len(filled) < FEWEST_BLOCKS:
        none = Estimate(None, None, None, 0.0, f'only {len(filled)} stretches of the run')
    else:
        low, high = jackknife(value, others)
        low[time > block_length] = high[time > block_length] = np.nan
    if len(filled) < FEWEST_BLOCKS or used.sum() < FEWEST_LAGS or np.any(value[used] <= 0):
        return MeanSquaredDisplacement(time, value, low, high, none, none)
    curves = np.concatenate([value[None], others])[:, used]
    exponents = np.polyfit(np.log(time[used]), np.log(curves).T, 1)[0]
    slopes = np.polyfit(time[used], curves.T, 1)[0] / 6
    exponent, diffusion = (_estimate(each) for each in (exponents, slopes))
    a, end_low, end_high = exponent.mean, exponent.low, exponent.high
    assert a is not None
    assert end_low is not None
    assert end_high is not None
    verdict = ''
    if abs(a - 1) > EXPONENT_TOLERANCE and not end_low <= 1 <= end_high:
        verdict = f'not linear: MSD ~ t^{a:.2f} up to a sixteenth of the run'
    elif end_high - end_low > 4 * EXPONENT_TOLERANCE:
        verdict = f'not known to be linear: exponent {end_low:.2f} to {end_high:.2f}'
    if verdict:
        diffusion = Estimate(None, None, None, diffusion.n_effective, verdict)
    return MeanSquaredDisplacement(time, value, low, high, exponent, diffusion)


def _estimate(values: FloatArray) -> Estimate:
    """From a value and those without each block in turn, shape (1 + n,)."""
    low, high = jackknife(values[:1], values[1:, None])
    return Estimate(float(values[0]), float(low[0]), float(high[0]), float(len(values) - 1))
