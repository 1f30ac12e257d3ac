"""The non-Gaussian parameter of displacements: how heterogeneous motion is at each lag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.arrays import FloatArray
from analysis.estimators.estimate import Curve, Estimate
from analysis.estimators.intervals import jackknife
from analysis.observable import BlockSums, Correlator, Panel, Quantity, TimeCorrelation, option
from analysis.observables.mean_squared_displacement import FEWEST_BLOCKS, Displacements
from analysis.sampling.motion import DRIFT_OPTION
from analysis.sampling.run import Run


@dataclass(frozen=True)
class NonGaussianResult:
    """The non-Gaussian parameter alpha_2(t), and its largest value, by particle type.

    Attributes:
        drift: What was done about the motion of the centre of mass.
    """

    curves: dict[str, Curve]
    peaks: dict[str, Estimate]
    drift: str = ''


@dataclass(frozen=True)
class NonGaussian(TimeCorrelation[NonGaussianResult]):
    """Displacements of each particle type, less the drift of the system."""

    name = 'non_gaussian'
    title = 'Non-Gaussian parameter'
    definition = (
        'alpha_2(t) = 3 <dr^4> / (5 <dr^2>^2) - 1 of the displacements dr within t, by particle '
        'type (Rahman 1964, doi 10.1103/PhysRev.136.A405): 0 for diffusion, largest where the '
        'motion of beads differs most. The drift of the centre of mass of the system is taken off.'
    )
    result = NonGaussianResult
    panels = ('non-Gaussian parameter',)

    drift: str | None = option(None, **DRIFT_OPTION)

    def correlator(self, run: Run) -> Correlator[FloatArray, NonGaussianResult]:
        return _Moments(run, self.drift)

    def quantities(self, result: NonGaussianResult) -> list[Quantity]:
        panel = Panel('non-Gaussian parameter', r'largest $\alpha_2$')
        return [
            Quantity(f'non_gaussian_peak_{name}', '1', peak, panel=panel, label=name)
            for name, peak in result.peaks.items()
        ]

    def quantity_names(
        self, particle_types: Sequence[str], bond_types: Sequence[str]
    ) -> tuple[str, ...]:
        return tuple(f'non_gaussian_peak_{name}' for name in particle_types)

    def curves(self, result: NonGaussianResult) -> dict[str, Curve]:
        return result.curves

    def notes(self, result: NonGaussianResult) -> list[str]:
        return list(filter(None, [result.drift]))


class _Moments(Displacements[NonGaussianResult]):
    """Second and fourth moment of the displacements of each type."""

    powers = (1, 2)

    def conclude(self, sums: BlockSums) -> NonGaussianResult:
        curves, peaks = {}, {}
        for k, name in enumerate(self._types):
            curves[name], peaks[name] = self._of_type(sums, sums.sums[2 * k], sums.sums[2 * k + 1])
        return NonGaussianResult(curves, peaks, self.drift)

    def _of_type(
        self, given: BlockSums, second: FloatArray, fourth: FloatArray
    ) -> tuple[Curve, Estimate]:
        """Compute alpha_2 from the sums of both moments by block and lag, shape (B, L)."""
        filled = np.flatnonzero(given.counts.any(axis=1))
        with np.errstate(invalid='ignore', divide='ignore'):
            value = _alpha(second.sum(axis=0), fourth.sum(axis=0), given.counts.sum(axis=0))
            others = _alpha(
                *(each.sum(axis=0) - each[filled] for each in (second, fourth, given.counts))
            )
        low, high = None, None
        peak = Estimate(verdict='nothing moves')
        if np.isfinite(value).any():
            top = int(np.nanargmax(value))
            peak = Estimate(
                float(value[top]), interval_verdict=f'too few stretches of the run: {len(filled)}'
            )
            if len(filled) >= FEWEST_BLOCKS:
                low, high = jackknife(value, others)
                peak = Estimate(float(value[top]), float(low[top]), float(high[top]))
                if not np.isfinite(low[top]):
                    peak = Estimate(
                        float(value[top]), interval_verdict='one stretch of the run has it all'
                    )
        x_label = f'time $t$ [{self._unit}]'.replace('tau', r'$\tau$')
        return Curve(given.time, value, low, high, x_label, r'$\alpha_2(t)$', 'log'), peak


def _alpha(second: FloatArray, fourth: FloatArray, counts: FloatArray) -> FloatArray:
    """Compute alpha_2 from the sums of both moments, and the number of origins, at each lag."""
    return 3 * fourth * counts / (5 * second**2) - 1
