"""Mean squared displacements by particle type, and diffusion coefficients where they are linear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from analysis.arrays import FloatArray
from analysis.estimators.estimate import Curve, Estimate
from analysis.estimators.intervals import jackknife
from analysis.geometry.topology import Snapshot
from analysis.observable import (
    NOT_NEGATIVE,
    BlockSums,
    Combination,
    Correlator,
    Panel,
    Quantity,
    TimeCorrelation,
)
from analysis.sampling.run import Run
from user_input import UserError

R = TypeVar('R')

FEWEST_BLOCKS = 4
# Diffusion is looked for at lags from half a block down to this part of them: displacements over
# longer ones are shared by neighbouring blocks, and the interval would be too narrow.
LONGEST_IN_BLOCKS = 1 / 2
LINEAR_PART = 1 / 8
FEWEST_LAGS = 4
# How far the exponent of MSD ~ t^a may lie from 1, and how well it must be known.
EXPONENT_TOLERANCE = 0.1


@dataclass(frozen=True)
class Displacement:
    """The mean squared displacement of one type of particle.

    Attributes:
        curve: <(r(t) - r(0))^2>; no intervals at lags longer than a block of the jackknife (an
            eighth of the run), where they would claim too much.
        exponent: Of MSD ~ t^a over the lags of the fit.
        diffusion: MSD/(6 t), from the slope; a verdict where the MSD is not linear.
    """

    curve: Curve
    exponent: Estimate
    diffusion: Estimate


@dataclass(frozen=True)
class DisplacementResult:
    """Mean squared displacements; times in 'tau', or 'steps' where the time step is not known."""

    time_unit: str
    by_type: dict[str, Displacement]


@dataclass(frozen=True)
class MeanSquaredDisplacement(TimeCorrelation[DisplacementResult]):
    """Displacements of each particle type, less the drift of the centre of mass."""

    name = 'msd'
    title = 'Mean squared displacement'
    definition = (
        '<(r(t) - r(0))^2> by particle type, less the drift of the centre of mass, which takes off '
        '1/N of the own motion too. Diffusion coefficients are slopes/6 (Einstein 1905, doi '
        '10.1002/andp.19053220806) at lags of 1/128 to 1/16 of the run, where the MSD is linear.'
    )
    result = DisplacementResult
    panels = ('diffusion coefficients', 'exponents of the MSD')

    def correlator(self, run: Run) -> Correlator[FloatArray, DisplacementResult]:
        return _MeanSquares(run)

    def quantities(self, result: DisplacementResult) -> list[Quantity]:
        unit = f'sigma^2/{result.time_unit}'.replace('/steps', '/step')
        text = result.time_unit.replace('tau', r'\tau').replace('steps', r'\mathrm{step}')
        panel = Panel('diffusion coefficients', rf'$D$ [$\sigma^2/{text}$]', scale='log')
        drawn = (Combination.POSITIVE_TIME, NOT_NEGATIVE, panel)
        exponents = Panel('exponents of the MSD', r'$a$ in MSD $\sim t^a$')
        return [
            quantity
            for name, each in result.by_type.items()
            for quantity in (
                Quantity(f'diffusion_coefficient_{name}', unit, each.diffusion, *drawn, name),
                Quantity(f'msd_exponent_{name}', '1', each.exponent, panel=exponents, label=name),
            )
        ]

    def quantity_names(
        self, particle_types: Sequence[str], bond_types: Sequence[str]
    ) -> tuple[str, ...]:
        stems = ('diffusion_coefficient_', 'msd_exponent_')
        return tuple(stem + name for name in particle_types for stem in stems)

    def curves(self, result: DisplacementResult) -> dict[str, Curve]:
        return {name: each.curve for name, each in result.by_type.items()}


class Displacements(Correlator[FloatArray, R]):
    """Mean `powers` of the squared displacements of each particle type, less the drift of all."""

    powers: tuple[int, ...] = (1,)

    def __init__(self, run: Run) -> None:
        if run.missing_images_reason:
            raise UserError(f'{run.frames.path}: {run.missing_images_reason}')
        topology = run.topology
        self._unit = run.time_unit
        self._weights = topology.mass / topology.mass.sum()
        types = np.unique(topology.typeid)
        self._groups = {topology.type_names[k]: topology.typeid == k for k in types}

    def remember(self, snapshot: Snapshot) -> FloatArray:
        unwrapped = snapshot.unwrapped
        positions: FloatArray = unwrapped - self._weights @ unwrapped
        return positions

    def correlate(self, origin: FloatArray, later: FloatArray) -> FloatArray:
        moved = later - origin
        squared = np.einsum('ij,ij->i', moved, moved)
        members = self._groups.values()
        return np.array([(squared[g] ** power).mean() for g in members for power in self.powers])


class _MeanSquares(Displacements[DisplacementResult]):
    def conclude(self, sums: BlockSums) -> DisplacementResult:
        by_type = {name: _displacement(sums, k, self._unit) for k, name in enumerate(self._groups)}
        return DisplacementResult(self._unit, by_type)


def _displacement(given: BlockSums, which: int, unit: str) -> Displacement:
    time, sums, counts = given.time, given.sums[which], given.counts
    block_length = given.duration / len(sums)
    value = sums.sum(axis=0) / counts.sum(axis=0)
    longest = LONGEST_IN_BLOCKS * block_length
    used = (time <= longest) & (time >= LINEAR_PART * longest)
    filled = np.flatnonzero(counts[:, used].all(axis=1))
    # Every curve without one of the blocks that have origins at all lags of the fit.
    others = (sums.sum(axis=0) - sums[filled]) / np.maximum(counts.sum(axis=0) - counts[filled], 1)
    low, high = np.full(len(time), np.nan), np.full(len(time), np.nan)
    none = Estimate(verdict='not known: the lags are too few')
    if len(filled) < FEWEST_BLOCKS:
        none = Estimate(verdict=f'only {len(filled)} stretches of the run')
    else:
        low, high = jackknife(value, others)
        low[time > block_length] = high[time > block_length] = np.nan
    labels = (f'time $t$ [{unit}]', r'$\langle \Delta r^2 \rangle$ [$\sigma^2$]')
    curve = Curve(time, value, low, high, *labels, 'log', 'log')
    if len(filled) < FEWEST_BLOCKS or used.sum() < FEWEST_LAGS or np.any(value[used] <= 0):
        return Displacement(curve, none, none)
    curves = np.concatenate([value[None], others])[:, used]
    exponents = np.polyfit(np.log(time[used]), np.log(curves).T, 1)[0]
    slopes = np.polyfit(time[used], curves.T, 1)[0] / 6
    (a, end_low, end_high), slope = _with_ends(exponents), _with_ends(slopes)
    worth, verdict = float(len(others)), ''
    if abs(a - 1) > EXPONENT_TOLERANCE and not end_low <= 1 <= end_high:
        verdict = f'not linear: MSD ~ t^{a:.2f} up to a sixteenth of the run'
    elif end_high - end_low > 4 * EXPONENT_TOLERANCE:
        verdict = f'not known to be linear: exponent {end_low:.2f} to {end_high:.2f}'
    diffusion = Estimate(None, None, None, worth, verdict) if verdict else Estimate(*slope, worth)
    return Displacement(curve, Estimate(a, end_low, end_high, worth), diffusion)


def _with_ends(values: FloatArray) -> tuple[float, float, float]:
    """Add an interval to a value, from it and those without each block in turn, shape (1 + n,)."""
    low, high = jackknife(values[:1], values[1:, None])
    return float(values[0]), float(low[0]), float(high[0])
