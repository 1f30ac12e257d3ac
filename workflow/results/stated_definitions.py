"""What a report says of the definitions of a sweep, and of what their choice changes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from analysis.estimators.estimate import joined
from analysis.observables.contact_scan import PERCOLATION
from analysis.sampling.definitions import Definition
from workflow.jobs.definitions import JobDefinitions
from workflow.results.series import Series


def definitions_statement(given: Mapping[str, JobDefinitions]) -> list[tuple[str, str]]:
    """State contact distances and wave number of the jobs, by id, and whether they are the same."""
    values: dict[str, dict[str, float | None]] = {}
    for each in given.values():
        definitions = each.definitions
        named = {f'Contact distance of {k}': v for k, v in definitions.contact_distances.items()}
        for name, found in {**named, 'Wave number q* of F_s': definitions.wave_number}.items():
            text = _definition_text(found, '1/sigma' if name.startswith('Wave') else 'sigma')
            values.setdefault(name, {})[text] = found.estimate.value
    lines = []
    for name, texts in values.items():
        lines += [(name, text) for text in texts]
    sweeps = dict.fromkeys(each.sweep for each in given.values())
    if any(len(set(texts.values())) > 1 for texts in values.values()):
        lines.append(
            (
                'Not one definition',
                f'Jobs of this sweep have the definitions of {len(sweeps)} sweeps '
                f'({", ".join(sweeps)}), which gave theirs first. To compare them, name the same '
                'values in [definitions] of all these sweep files: what is measured with them is '
                'measured again, and nothing is simulated.',
            )
        )
    return lines


def _definition_text(found: Definition, unit: str) -> str:
    estimate = found.estimate
    if estimate.value is None:
        return f'not known: {estimate.verdict}'
    text = f'{estimate.value:.4g} {unit}'
    if estimate.low is not None and estimate.high is not None:
        text += f' [{estimate.low:.4g}, {estimate.high:.4g}]'
    return joined(f'{text}, {found.source}', estimate.verdict)


def onset_statements(series: Series) -> list[tuple[str, str]]:
    """State where on the axis half of the frames percolate, at contact distances 10 % apart."""
    lines = []
    for factor in (0.9, 1.1):
        points = []
        for place, state in zip(series.places, series.states, strict=True):
            curves = [result.curves('clusters').get(PERCOLATION) for result in state.results]
            found = [
                float(np.interp(factor, curve.x / curve.x[len(curve.x) // 2], curve.value))
                for curve in curves
                if curve is not None
            ]
            points += [(place, float(np.mean(found)))] if found else []
        if points:
            name = f'Percolation onset at {factor:g} r_c{series.where}'
            lines.append((name, _onset_text(points, series.axis.name)))
    return lines


def _onset_text(points: Sequence[tuple[float, float]], axis: str) -> str:
    """Interpolate where a probability first rises through 1/2, from places and values."""
    for (before, low), (after, high) in itertools.pairwise(points):
        if low < 0.5 <= high:
            at = before + (0.5 - low) / (high - low) * (after - before)
            return f'{axis} {at:.3g} (between {before:.3g} and {after:.3g})'
    if points[0][1] >= 0.5:
        return f'below {axis} {points[0][0]:.3g}'
    return f'above {axis} {points[-1][0]:.3g}'
