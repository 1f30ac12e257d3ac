"""From the results of single jobs to one row per state and quantity, over replicas."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from analysis.arrays import FloatArray
from analysis.estimators.replicas import combine_replicas, combine_replicas_log
from user_input import UserError
from workflow.jobs.atomic_writes import replacing
from workflow.results.result_files import read_result
from workflow.stages.quantities import (
    Combination,
    Quantity,
    cluster_quantities,
    half_width,
    relaxation_quantities,
    thermodynamic_quantities,
)

COLUMNS = (
    'sweep',
    'lsp_fraction',
    'kT',
    'quantity',
    'unit',
    'mean',
    'ci95_low',
    'ci95_high',
    'n_replicas',
    'converged',
)
# The files that a finished job has, and the names under which they are kept here.
RESULT_FILES = ('clusters', 'relaxation', 'thermodynamics')
IONIC_MONOMER = 'LSP'
SIGNIFICANT_DIGITS = 6
BINS_PER_DECADE = 8

AxisValue = float | str


@dataclass(frozen=True)
class JobResult:
    """What one finished job has found.

    Attributes:
        state_point: As signac stores it.
        clusters: `IonClusters.as_dict()`, or `{'n_ions': 0}`.
        relaxation: `SegmentalRelaxation.as_dict()`.
        thermodynamics: `Estimate.as_dict()` by name.
    """

    state_point: Mapping[str, Any]
    clusters: Mapping[str, Any]
    relaxation: Mapping[str, Any]
    thermodynamics: Mapping[str, Any]

    def quantities(self) -> list[Quantity]:
        """All scalar results of the job."""
        return (
            cluster_quantities(self.clusters)
            + relaxation_quantities(self.relaxation)
            + thermodynamic_quantities(self.thermodynamics)
        )


@dataclass(frozen=True)
class State:
    """Replicas of one state point.

    Attributes:
        lsp_fraction: Mole fraction of LSP.
        kT: In epsilon.
        axes: What else varies in the sweep, by name; the same names for all its states.
        results: One of each replica.
    """

    lsp_fraction: float
    kT: float
    axes: Mapping[str, AxisValue]
    results: tuple[JobResult, ...]

    @property
    def precision(self) -> Mapping[str, float]:
        """The relative half-widths that the sweep asks for, by name of the quantity."""
        sample = self.results[0].state_point.get('protocol', {}).get('sample', {})
        precision: Mapping[str, float] = sample.get('precision', {})
        return precision


@dataclass(frozen=True)
class SummaryRow:
    """One quantity of one state, over its replicas.

    Attributes:
        sweep: Name of the sweep.
        lsp_fraction: Mole fraction of LSP.
        kT: In epsilon.
        quantity: Its name.
        unit: '1' where there is none.
        mean: Geometric for times; None where a replica gives only a bound, or none a value.
        ci95_low: Lower end of the 95 % interval, or the bound of a time that is longer; or None.
        ci95_high: Upper end of it, or the bound of a time that is shorter; or None.
        n_replicas: Replicas that gave a value or a bound.
        converged: Nothing speaks against any replica, and the asked precision is met.
        axes: What else varies in the sweep, by name.
        reasons: Why it is not converged; not kept in the file.
    """

    sweep: str
    lsp_fraction: float
    kT: float
    quantity: str
    unit: str
    mean: float | None
    ci95_low: float | None
    ci95_high: float | None
    n_replicas: int
    converged: bool
    axes: Mapping[str, AxisValue] = field(default_factory=dict)
    reasons: tuple[str, ...] = field(default=(), compare=False)

    @property
    def is_bound(self) -> bool:
        """Whether there is no value, but something that it is longer or shorter than."""
        return self.mean is None and not (self.ci95_low is None and self.ci95_high is None)


@dataclass(frozen=True)
class Combined:
    """A quantity over replicas; see `SummaryRow`."""

    mean: float | None
    low: float | None
    high: float | None
    n_replicas: int
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class MeanCurve:
    """A curve averaged over replicas.

    Attributes:
        x: Shape (n,).
        mean: Shape (n,).
        lowest: Of the replicas, shape (n,).
        highest: Of the replicas, shape (n,).
    """

    x: FloatArray
    mean: FloatArray
    lowest: FloatArray
    highest: FloatArray


def read_job_result(folder: Path, state_point: Mapping[str, Any]) -> JobResult | None:
    """Read the results of a job; None while one of them is missing.

    Args:
        folder: The job's folder.
        state_point: The job's state point, as plain values.

    Raises:
        UserError: If a file is there but cannot be read, or is not what was written.
    """
    paths = [folder / f'{name}.json' for name in RESULT_FILES]
    if not all(path.exists() for path in paths):
        return None
    return JobResult(state_point, *(read_result(folder, path.name) for path in paths))


def group_states(results: Iterable[JobResult]) -> list[State]:
    """Bring replicas together, ordered by LSP fraction, kT and the other axes that vary."""
    groups: dict[str, list[JobResult]] = {}
    for result in results:
        key = {k: v for k, v in result.state_point.items() if k != 'replica'}
        groups.setdefault(json.dumps(key, sort_keys=True), []).append(result)
    first_ones = [group[0].state_point for group in groups.values()]
    axes = varying_axes(first_ones)
    states = [
        State(
            float(point['composition'].get(IONIC_MONOMER, 0.0)),
            float(point['kT']),
            values,
            tuple(sorted(group, key=lambda r: r.state_point['replica'])),
        )
        for point, values, group in zip(first_ones, axes, groups.values(), strict=True)
    ]
    return sorted(states, key=_order)


def varying_axes(points: Sequence[Mapping[str, Any]]) -> list[dict[str, AxisValue]]:
    """What varies among state points beside LSP fraction, kT and replica: one dict for each.

    Nested tables have dotted names. The other monomers count where the LSP fraction does not tell
    the whole composition, as `composition_<monomer>`.
    """
    flat = [_flatten({k: v for k, v in point.items() if k not in _NO_AXIS}) for point in points]
    compositions: list[dict[str, float]] = [dict(point['composition']) for point in points]
    if len({json.dumps(c, sort_keys=True) for c in compositions}) > len(
        {c.get(IONIC_MONOMER, 0.0) for c in compositions}
    ):
        monomers = sorted({name for c in compositions for name in c} - {IONIC_MONOMER})
        for values, composition in zip(flat, compositions, strict=True):
            values |= {f'composition_{m}': composition.get(m, 0.0) for m in monomers}
    names = dict.fromkeys(name for values in flat for name in values)
    varying = [name for name in names if len({values.get(name, '') for values in flat}) > 1]
    if 'model' in varying and 'model_hash' in varying:
        varying.remove('model_hash')
    return [{name: values.get(name, '') for name in varying} for values in flat]


def summarise(sweep: str, states: Iterable[State]) -> list[SummaryRow]:
    """One row for each quantity of each state.

    Args:
        sweep: Name of the sweep.
        states: From `group_states`.
    """
    rows = []
    for state in states:
        by_name: dict[str, list[Quantity]] = {}
        for result in state.results:
            for quantity in result.quantities():
                by_name.setdefault(quantity.name, []).append(quantity)
        for name, quantities in by_name.items():
            found = combine(quantities)
            reasons = [*found.reasons]
            if len(quantities) < len(state.results):
                reasons.append(
                    f'{len(state.results) - len(quantities)} of {len(state.results)} replicas '
                    'do not have it'
                )
            reasons += _imprecise(quantities[0].kind, found, state.precision.get(name))
            rows.append(
                SummaryRow(
                    sweep,
                    state.lsp_fraction,
                    state.kT,
                    name,
                    quantities[0].unit,
                    found.mean,
                    found.low,
                    found.high,
                    found.n_replicas,
                    not reasons,
                    state.axes,
                    tuple(reasons),
                )
            )
    return rows


def combine(quantities: Sequence[Quantity]) -> Combined:
    """One quantity over independent replicas, with the 95 % interval of their mean.

    Student's t on the values, or on the logarithms of times. A single replica gives no interval,
    nor do values that are all the same. The interval of a proportion is at least as wide as those
    within the runs allow, since replicas that all give 0 or 1 have no spread. Values that are
    strongly skewed, as those of replicas close to a limit may be, get too narrow an interval
    (measured: validation/sections/intervals.py).

    Args:
        quantities: The same quantity of each replica.
    """
    reasons = _verdicts(quantities)
    with_bound = [q for q in quantities if q.longer_than is not None or q.shorter_than is not None]
    values = [q.value for q in quantities if q.value is not None]
    if with_bound:
        low, high = _common_bound(with_bound, values)
        return Combined(None, low, high, len(values) + len(with_bound), reasons)
    if not values:
        return Combined(None, None, None, 0, reasons or ('no replica has a value',))
    if len(values) < len(quantities) and not reasons:
        reasons = (f'{len(quantities) - len(values)} of {len(quantities)} replicas have no value',)
    if len(values) == 1:
        reasons = (*reasons, 'one replica: no interval')
    kind = quantities[0].kind
    over = combine_replicas_log if kind is Combination.POSITIVE_TIME else combine_replicas
    estimate = over(values)
    mean, low, high = estimate.mean, estimate.low, estimate.high
    assert mean is not None  # there is a value
    if kind is Combination.PROPORTION and low is not None and high is not None:
        low, high = _at_least_within_runs(quantities, mean, low, high)
    if low is None or high is None or not high - low > 1e-9 * abs(mean):
        if not reasons and mean not in quantities[0].limits and not _is_given(quantities):
            reasons = ('no interval: all replicas are the same',)
        return Combined(mean, None, None, len(values), reasons)
    lowest, highest = quantities[0].limits
    return Combined(mean, max(low, lowest), min(high, highest), len(values), reasons)


def _is_given(quantities: Sequence[Quantity]) -> bool:
    """Whether a value is exact within every run, as a density that the sweep gives."""
    return all(q.low == q.value == q.high for q in quantities)


def mean_distribution(distributions: Sequence[Mapping[str, Any]]) -> MeanCurve:
    """Mean over replicas of `Distribution.as_dict()`s of sizes, averaged in logarithmic bins.

    Small sizes stay as they are; sizes that never occur count with 0 for the mean of their bin.

    Returns:
        Probability per size against the geometric centre of each bin.
    """
    largest = max((max(d['values'], default=1) for d in distributions), default=1)
    sizes = np.arange(1, largest + 1)
    bin_of = np.unique(np.floor(np.log10(sizes) * BINS_PER_DECADE), return_inverse=True)[1]
    width = np.bincount(bin_of)
    centre = np.exp(np.bincount(bin_of, np.log(sizes)) / width)
    table = np.zeros((len(distributions), len(width)))
    for row, distribution in zip(table, distributions, strict=True):
        np.add.at(
            row, bin_of[np.asarray(distribution['values'], int) - 1], distribution['probability']
        )
    table /= width
    return MeanCurve(centre, table.mean(axis=0), table.min(axis=0), table.max(axis=0))


def mean_relaxation(curves: Sequence[Mapping[str, Any]]) -> MeanCurve:
    """Mean over replicas of `RelaxationCurve.as_dict()`s, at the lags of the shortest of them."""
    tables = [
        (np.asarray(c['time'], float), np.asarray(c['value'], float)) for c in curves if c['time']
    ]
    if not tables:
        empty = np.zeros(0)
        return MeanCurve(empty, empty, empty, empty)
    start = max(time[0] for time, _ in tables)
    time = min((time for time, _ in tables), key=lambda t: float(t[-1]))
    time = time[time >= start]
    table = np.array([np.interp(np.log(time), np.log(t), value) for t, value in tables])
    return MeanCurve(time, table.mean(axis=0), table.min(axis=0), table.max(axis=0))


def write_summary(path: Path, rows: Sequence[SummaryRow]) -> None:
    """Write the rows as CSV, under a temporary name until it is whole."""
    axes = list(dict.fromkeys(name for row in rows for name in row.axes))
    with (
        replacing(path) as temporary,
        open(temporary, 'w', newline='', encoding='utf-8') as file,
    ):
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow([*COLUMNS, *axes])
        for row in rows:
            cells = [getattr(row, name) for name in COLUMNS]
            writer.writerow(
                [_cell(value) for value in [*cells, *(row.axes.get(name) for name in axes)]]
            )


def read_summary(path: Path) -> list[SummaryRow]:
    """Read what `write_summary` wrote, without the reasons.

    Raises:
        UserError: If it cannot be read, or has not these columns.
    """
    try:
        with open(path, newline='', encoding='utf-8') as file:
            reader = csv.DictReader(file)
            columns = tuple(reader.fieldnames or ())
            if columns[: len(COLUMNS)] != COLUMNS:
                raise UserError(f'{path}: its columns are not those of a summary.')
            return [_read_row(cells, columns[len(COLUMNS) :]) for cells in reader]
    except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
        raise UserError(f'{path}: cannot be read ({error}).') from None


# They have columns of their own, and replicas share a state.
_NO_AXIS = {'composition', 'kT', 'replica'}


def _flatten(values: Mapping[str, Any], prefix: str = '') -> dict[str, AxisValue]:
    flat: dict[str, AxisValue] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f'{prefix}{key}.')
        elif isinstance(value, int | float) and not isinstance(value, bool):
            flat[prefix + key] = float(value)
        elif value is not None:
            flat[prefix + key] = value if isinstance(value, str) else json.dumps(value)
    return flat


def _order(state: State) -> Any:
    axes = [(isinstance(v, str), 0.0 if isinstance(v, str) else v, str(v)) for v in _values(state)]
    return state.lsp_fraction, state.kT, axes


def _values(state: State) -> Iterable[AxisValue]:
    return state.axes.values()


def _verdicts(quantities: Sequence[Quantity]) -> tuple[str, ...]:
    """The verdicts of the replicas, each once, with how many share it."""
    counts: dict[str, int] = {}
    for quantity in quantities:
        if quantity.verdict:
            counts[quantity.verdict] = counts.get(quantity.verdict, 0) + 1
    n = len(quantities)
    return tuple(
        verdict if count == n else f'{verdict} ({count} of {n} replicas)'
        for verdict, count in counts.items()
    )


def _imprecise(kind: Combination, found: Combined, wanted: float | None) -> list[str]:
    if wanted is None:
        return []
    reached = half_width(kind, found.mean, found.low, found.high)
    if reached <= wanted:
        return []
    if not math.isfinite(reached):
        return [f'precision {wanted:g} is asked for, and there is no interval over replicas']
    return [f'precision {reached:.2g} over replicas, {wanted:g} is asked for']


def _common_bound(
    with_bound: Sequence[Quantity], values: Sequence[float]
) -> tuple[float | None, float | None]:
    """What holds for all replicas: a replica with a value is no longer and no shorter than it."""
    longer = [q.longer_than for q in with_bound if q.longer_than is not None]
    shorter = [q.shorter_than for q in with_bound if q.shorter_than is not None]
    if longer and shorter:
        return None, None
    return (min([*longer, *values]), None) if longer else (None, max([*shorter, *values]))


def _at_least_within_runs(
    quantities: Sequence[Quantity], mean: float, low: float, high: float
) -> tuple[float, float]:
    """Widen an interval to that of the mean of the replicas by their errors within the runs."""
    below = [q.value - q.low for q in quantities if q.value is not None and q.low is not None]
    above = [q.high - q.value for q in quantities if q.value is not None and q.high is not None]
    n = len(below)
    return min(low, mean - math.hypot(*below) / n), max(high, mean + math.hypot(*above) / n)


def _cell(value: Any) -> str:
    if value is None:
        return ''
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, float):
        return f'{value:.{SIGNIFICANT_DIGITS}g}'
    return str(value)


def _read_row(cells: Mapping[str, str], axes: Sequence[str]) -> SummaryRow:
    return SummaryRow(
        cells['sweep'],
        float(cells['lsp_fraction']),
        float(cells['kT']),
        cells['quantity'],
        cells['unit'],
        _number(cells['mean']),
        _number(cells['ci95_low']),
        _number(cells['ci95_high']),
        int(cells['n_replicas']),
        cells['converged'] == 'true',
        {name: _axis_value(cells[name]) for name in axes},
    )


def _number(cell: str) -> float | None:
    return float(cell) if cell else None


def _axis_value(cell: str) -> AxisValue:
    try:
        return float(cell)
    except ValueError:
        return cell
