"""Mean squared displacements by particle type, and diffusion coefficients where they are linear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

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
        exponent: Of MSD ~ t^a over the lags of the fit; its verdict where it is not known.
        diffusion: Diffusion coefficient MSD/(6 t), from the slope; no value where the MSD is not
            linear, with the reason as verdict.
    """

    curve: Curve
    exponent: Estimate
    diffusion: Estimate


@dataclass(frozen=True)
class DisplacementResult:
    """Mean squared displacements.

    Attributes:
        time_unit: 'tau', or 'steps' where the time step is not known.
        by_type: Of each particle type.
    """

    time_unit: str
    by_type: dict[str, Displacement]


@dataclass(frozen=True)
class MeanSquaredDisplacement(TimeCorrelation[DisplacementResult]):
    """Displacements of each particle type, less the drift of the centre of mass."""

    name: ClassVar[str] = 'msd'
    title: ClassVar[str] = 'Mean squared displacement'
    definition: ClassVar[str] = (
        '<(r(t) - r(0))^2> by particle type, less the drift of the centre of mass, which takes off '
        '1/N of the own motion too. Diffusion coefficients are slopes/6 (Einstein 1905, doi '
        '10.1002/andp.19053220806) at lags of 1/128 to 1/16 of the run, where the MSD is linear.'
    )
    result: ClassVar[type] = DisplacementResult

    def correlator(self, run: Run) -> Correlator[FloatArray, DisplacementResult]:
        """Prepare for a run.

        Raises:
            UserError: If there are too few frames, or no images.
        """
        if run.missing_images_reason:
            raise UserError(f'{run.frames.path}: {run.missing_images_reason}')
        return _Displacements(run)

    def quantities(self, result: DisplacementResult) -> list[Quantity]:
        unit = f'sigma^2/{result.time_unit}'.replace('/steps', '/step')
        panel = Panel('diffusion coefficients', rf'$D$ [{unit}]', scale='log')
        found = []
        for name, each in result.by_type.items():
            found.append(
                Quantity(
                    f'diffusion_coefficient_{name}',
                    unit,
                    each.diffusion,
                    Combination.POSITIVE_TIME,
                    NOT_NEGATIVE,
                    panel,
                    name,
                )
            )
            found.append(Quantity(f'msd_exponent_{name}', '1', each.exponent))
        return found

    def quantity_names(
        self, particle_types: Sequence[str], bond_types: Sequence[str]
    ) -> tuple[str, ...]:
        del bond_types
        stems = ('diffusion_coefficient_', 'msd_exponent_')
        return tuple(stem + name for name in particle_types for stem in stems)

    def curves(self, result: DisplacementResult) -> dict[str, Curve]:
        return {name: each.curve for name, each in result.by_type.items()}


class _Displacements(Correlator[FloatArray, DisplacementResult]):
    def __init__(self, run: Run) -> None:
        topology = run.topology
        self._unit = run.time_unit
        self._weights = topology.mass / topology.mass.sum()
        types = [k for k in range(len(topology.type_names)) if np.any(topology.typeid == k)]
        self._groups = {topology.type_names[k]: topology.typeid == k for k in types}

    def remember(self, snapshot: Snapshot) -> FloatArray:
        unwrapped = snapshot.unwrapped
        positions: FloatArray = unwrapped - self._weights @ unwrapped
        return positions

    def correlate(self, origin: FloatArray, later: FloatArray) -> FloatArray:
        moved = later - origin
        squared = np.einsum('ij,ij->i', moved, moved)
        return np.array([squared[group].mean() for group in self._groups.values()])

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
    curve = Curve(
        time,
        value,
        low,
        high,
        x_label=f'time $t$ [{unit}]',
        y_label=r'$\langle \Delta r^2 \rangle$ [$\sigma^2$]',
        x_scale='log',
        y_scale='log',
    )
    if len(filled) < FEWEST_BLOCKS or used.sum() < FEWEST_LAGS or np.any(value[used] <= 0):
        return Displacement(curve, none, none)
    curves = np.concatenate([value[None], others])[:, used]
    exponents = np.polyfit(np.log(time[used]), np.log(curves).T, 1)[0]
    slopes = np.polyfit(time[used], curves.T, 1)[0] / 6
    exponent, diffusion = (_estimate(each) for each in (exponents, slopes))
    a, end_low, end_high = exponent.value, exponent.low, exponent.high
    assert a is not None
    assert end_low is not None
    assert end_high is not None
    verdict = ''
    if abs(a - 1) > EXPONENT_TOLERANCE and not end_low <= 1 <= end_high:
        verdict = f'not linear: MSD ~ t^{a:.2f} up to a sixteenth of the run'
    elif end_high - end_low > 4 * EXPONENT_TOLERANCE:
        verdict = f'not known to be linear: exponent {end_low:.2f} to {end_high:.2f}'
    if verdict:
        diffusion = replace(diffusion, value=None, low=None, high=None, verdict=verdict)
    return Displacement(curve, exponent, diffusion)


def _estimate(values: FloatArray) -> Estimate:
    """From a value and those without each block in turn, shape (1 + n,)."""
    low, high = jackknife(values[:1], values[1:, None])
    return Estimate(float(values[0]), float(low[0]), float(high[0]), float(len(values) - 1))
