"""Results as tables for people to read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analysis.clusters import SCALARS, IonClusters
from analysis.internal_distances import ChainSizes
from analysis.mean_squared_displacement import MeanSquaredDisplacement
from analysis.relaxation import RelaxationCurve, SegmentalRelaxation
from analysis.statistics import Estimate
from analysis.stress_relaxation import StressRelaxation
from analysis.stretched_exponential import RelaxationTime


def clusters_report(result: IonClusters) -> str:
    """The scalar results of an analysis of ion clusters."""
    found = result.pair_correlation
    source = 'given' if found is None else f'first minimum of g(+-), {found.n_frames} frames'
    lines = [
        f'Ion clusters: {result.n_ions} ions, {result.pairs} pairs in contact',
        f'contact distance   {result.contact_distance:.4g} ({source})',
        f'frames             {result.n_frames} of {len(result.steps)} evenly spaced ones, from '
        f'step {result.steps[len(result.steps) - result.n_frames]} to {result.steps[-1]}',
        f'verdict            {result.verdict or "equilibrated"}',
        '',
        f'{"":32}{"mean":>11}  {"95 % interval":24}{"n_eff":>8}',
    ]
    lines += [_row(SCALARS[name], estimate) for name, estimate in result.estimates.items()]
    lines += [
        _row(f'percolation probability, {axis}', estimate)
        for axis, estimate in result.percolation.items()
    ]
    return '\n'.join(lines)


def relaxation_report(result: SegmentalRelaxation) -> str:
    """The relaxation times of all curves."""
    lines = [
        f'Segmental relaxation: {result.n_frames} frames read, from step {result.first_step}',
        *(f'q at {name:13} {q:.4g}' for name, q in result.wave_numbers.items()),
        *(f'verdict            {verdict}' for verdict in result.verdicts),
        'Mean times are those of fitted stretched exponentials, with 95 % intervals; thermostats',
        'and friction change them, so state these beside the times.',
        '',
        f'{f"times in {result.time_unit}":30}{"1/e time":36}{"mean time":36}beta',
    ]
    named = {
        f'{label} {name}': curve
        for label, curves in (('P1', result.p1), ('P2', result.p2))
        for name, curve in curves.items()
    }
    for group, by_q in result.scattering.items():
        named |= {f'F_s {group}, q {name}': curve for name, curve in by_q.items()}
    lines += [line for name, curve in named.items() for line in _times(name, curve)]
    return '\n'.join(lines)


def displacements_report(result: Mapping[str, MeanSquaredDisplacement]) -> str:
    """Diffusion coefficients by particle type."""
    lines = [f'{"":32}{"mean":>11}  {"95 % interval":24}{"n_eff":>8}']
    for name, curve in result.items():
        lines.append(_row(f'diffusion coefficient, {name}', curve.diffusion))
        lines.append(_row(f'exponent of the MSD, {name}', curve.exponent))
    return '\n'.join(lines)


def chains_report(result: ChainSizes) -> str:
    """Sizes of chains, and their internal distances at a few separations."""
    lines = [
        f'Linear chains: {result.n_chains}, {result.n_frames} frames evenly spaced',
        f'{"":32}{"mean":>11}  {"95 % interval":24}{"n_eff":>8}',
        _row('squared end-to-end distance', result.squared_end_to_end),
        _row('squared radius of gyration', result.squared_radius_of_gyration),
        '',
        f'{"n":>8}{"<R^2(n)>/n":>14}',
    ]
    longest = len(result.separation)
    for n in np.unique(np.geomspace(1, longest, 12).round().astype(int)):
        lines.append(f'{n:>8}{result.squared_distance[n - 1] / n:>14.4g}')
    return '\n'.join(lines)


def stress_report(result: StressRelaxation) -> str:
    """Moduli and tau_s(w) against frequency."""
    lines = [
        f'Stress relaxation: G(t) is cut at t = {result.cut:.4g}',
        f'verdict            {result.verdict or "relaxed"}',
        f"{'w':>11}{'G':>31}'{'G':>30}''{'tau_s':>31}",
    ]
    for k, frequency in enumerate(result.frequency):
        cells = ''.join(
            f'{m.value[k]:>11.4g} ({m.low[k]:.3g} to {m.high[k]:.3g})'.rjust(32)
            for m in (result.storage, result.loss, result.segmental_time)
        )
        lines.append(f'{frequency:>11.4g}{cells}')
    return '\n'.join(lines)


def _row(label: str, estimate: Estimate) -> str:
    mean = '-' if estimate.mean is None else f'{estimate.mean:.4g}'
    interval = 'none'
    if estimate.low is not None and estimate.high is not None:
        interval = f'{estimate.low:.4g} to {estimate.high:.4g}'
    row = f'{label:32}{mean:>11}  {interval:24}{estimate.n_effective:>8.1f}'
    return f'{row}  {estimate.verdict}'.rstrip()


def _times(name: str, curve: RelaxationCurve) -> list[str]:
    decay = curve.decay
    beta = '-' if decay.fit is None else f'{decay.fit.beta:.2f}'
    lines = [f'{name:30}{_time(decay.one_over_e):36}{_time(decay.mean):36}{beta}']
    verdicts = {decay.one_over_e.verdict, decay.mean.verdict} - {''}
    return lines + [f'{"":30}{verdict}' for verdict in sorted(verdicts)]


def _time(time: RelaxationTime) -> str:
    if time.longer_than is not None:
        return f'> {time.longer_than:.4g}'
    if time.shorter_than is not None:
        return f'< {time.shorter_than:.4g}'
    if time.value is None:
        return '-'
    if time.low is None or time.high is None:
        return f'{time.value:.4g} (no interval)'
    return f'{time.value:.4g} ({time.low:.4g} to {time.high:.4g})'
