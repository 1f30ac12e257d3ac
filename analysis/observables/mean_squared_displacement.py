"""Mean squared displacements by particle type, and diffusion coefficients where they are linear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from analysis.arrays import FloatArray
from analysis.estimators.estimate import Curve, Estimate
from analysis.estimators.intervals import jackknife
from analysis.estimators.linear_regime import SharedPaths, linear_regime, shared_paths
from analysis.geometry.topology import Snapshot
from analysis.observable import BlockSums, Correlator, Panel, Quantity, TimeCorrelation, option
from analysis.sampling.motion import DRIFT_OPTION, Paths
from analysis.sampling.run import Run
from user_input import UserError

R = TypeVar('R')

FEWEST_BLOCKS = 4


@dataclass(frozen=True)
class Displacement:
    """The mean squared displacement of one type of particle.

    Attributes:
        curve: <(r(t) - r(0))^2>; no intervals at lags longer than a block of the jackknife (an
            eighth of the run), where they would claim too much.
        exponent: Of MSD ~ t^a from `linear_from` on, or at the longest lags.
        diffusion: A sixth of the slope; a verdict where the MSD is not linear.
        linear_from: The shortest lag from which on the MSD is linear; None where it is not.
    """

    curve: Curve
    exponent: Estimate
    diffusion: Estimate
    linear_from: float | None


@dataclass(frozen=True)
class DisplacementResult:
    """Mean squared displacements.

    Attributes:
        time_unit: 'tau', or 'steps' where the time step is not known.
        drift: What was done about the motion of the centre of mass.
    """

    time_unit: str
    by_type: dict[str, Displacement]
    drift: str = ''


@dataclass(frozen=True)
class MeanSquaredDisplacement(TimeCorrelation[DisplacementResult]):
    """Displacements of each particle type, less the drift of the system."""

    name = 'msd'
    title = 'Mean squared displacement'
    definition = (
        '<(r(t) - r(0))^2> by particle type, less the drift of the centre of mass of the system, '
        'which takes off 1/N of the own motion too. Diffusion coefficients D are those of the line '
        '6 D t + c (Einstein 1905, doi 10.1002/andp.19053220806), fitted by generalised least '
        'squares from the lag on from which the MSD is linear, to half of the run at most.'
    )
    result = DisplacementResult
    panels = ('diffusion coefficients', 'exponents of the MSD')

    drift: str | None = option(None, **DRIFT_OPTION)

    def correlator(self, run: Run) -> Correlator[FloatArray, DisplacementResult]:
        return _MeanSquares(run, self.drift)

    def quantities(self, result: DisplacementResult) -> list[Quantity]:
        unit = f'sigma^2/{result.time_unit}'.replace('/steps', '/step')
        text = result.time_unit.replace('tau', r'\tau').replace('steps', r'\mathrm{step}')
        panel = Panel('diffusion coefficients', rf'$D$ [$\sigma^2/{text}$]', scale='log')
        exponents = Panel('exponents of the MSD', r'$a$ in MSD $\sim t^a$')
        return [
            quantity
            for name, each in result.by_type.items()
            for quantity in (
                Quantity.positive(
                    f'diffusion_coefficient_{name}', unit, each.diffusion, panel, name
                ),
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

    def notes(self, result: DisplacementResult) -> list[str]:
        linear = [
            f'{name}: linear from {each.linear_from:.4g} {result.time_unit} on'
            for name, each in result.by_type.items()
            if each.linear_from is not None
        ]
        return [*filter(None, [result.drift]), *linear]


class Displacements(Correlator[FloatArray, R]):
    """Mean `powers` of the squared displacements of each particle type, less the drift."""

    powers: tuple[int, ...] = (1,)

    def __init__(self, run: Run, drift: str | None) -> None:
        if run.missing_images_reason:
            raise UserError(f'{run.frames.path}: {run.missing_images_reason}')
        topology = run.topology
        self._path, self._unit = run.frames.path, run.time_unit
        self._paths = Paths(topology, drift)
        # Sorted by type, each type is one stretch of the array.
        self._order = np.argsort(topology.typeid, kind='stable')
        types, self._starts = np.unique(topology.typeid[self._order], return_index=True)
        self._sizes = np.diff(np.append(self._starts, len(self._order)))
        self._types = [topology.type_names[k] for k in types]

    def remember(self, snapshot: Snapshot) -> FloatArray:
        """Take the paths of the particles by axis, (3, N): sums over three in a row are slow."""
        paths = self._paths.without_drift(self._paths.unwrapped(snapshot))
        return paths[self._order].T.copy()

    def correlate(self, origin: FloatArray, later: FloatArray) -> FloatArray:
        moved = later - origin
        squared = np.einsum('ai,ai->i', moved, moved)
        sums = [np.add.reduceat(squared**power, self._starts) for power in self.powers]
        means: FloatArray = np.transpose(sums / self._sizes).ravel()
        return means

    @property
    def drift(self) -> str:
        """What was done about the drift; UserError if particles were lost at the boundary."""
        if self._paths.refusal:
            raise UserError(f'{self._path}: {self._paths.refusal}')
        return self._paths.drift


class _MeanSquares(Displacements[DisplacementResult]):
    def conclude(self, sums: BlockSums) -> DisplacementResult:
        paths = shared_paths(sums.time, sums.counts, sums.duration)
        by_type = {
            name: _displacement(sums, k, self._unit, paths) for k, name in enumerate(self._types)
        }
        return DisplacementResult(self._unit, by_type, self.drift)


def mean_of_blocks(given: BlockSums, sums: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Average a correlation of sums (B, L), with the ends of its interval, by lag, (L,) each.

    There are none at lags longer than a block.
    """
    time, counts = given.time, given.counts
    total = counts.sum(axis=0)
    value = sums.sum(axis=0) / total
    low, high = np.full(len(time), np.nan), np.full(len(time), np.nan)
    # Blocks share what is longer than they are: their spread would claim too much.
    is_within = time <= given.duration / len(sums)
    filled = np.flatnonzero(counts[:, is_within].all(axis=1))
    if len(filled) >= FEWEST_BLOCKS:
        without_one = (sums.sum(axis=0) - sums[filled]) / (total - counts[filled])
        low, high = jackknife(value, without_one)
        low[~is_within] = high[~is_within] = np.nan
    return value, low, high


def _displacement(given: BlockSums, which: int, unit: str, paths: SharedPaths) -> Displacement:
    time = given.time
    value, low, high = mean_of_blocks(given, given.sums[which])
    labels = (f'time $t$ [{unit}]', r'$\langle \Delta r^2 \rangle$ [$\sigma^2$]')
    curve = Curve(time, value, low, high, *labels, 'log', 'log')
    found = linear_regime(time, given.sums[which], given.counts, paths)
    return Displacement(curve, found.exponent, found.diffusion, found.begins)
