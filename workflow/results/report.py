"""All results of a sweep: summary.csv, figures, and a report in one HTML file."""

from __future__ import annotations

import base64
import itertools
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from user_input import UserError
from workflow.jobs.atomic_writes import replacing
from workflow.jobs.provenance import analysis_table, code_text, code_version
from workflow.results.aggregate import (
    JobResult,
    State,
    SummaryRow,
    group_states,
    summarise,
    write_summary,
)
from workflow.results.figures import Series, SweepFigure, all_series, write_figures
from workflow.results.summary import axis_text, chief_tables, footnotes, format_interval, format_row

SUMMARY = 'summary.csv'
REPORT = 'report.html'
FIGURES = 'figures'
TEMPLATE = 'report.html'

PERCOLATES_FROM = 0.5
# What differs from run to run; the rest tells what ran.
_PER_RUN = {
    'job',
    'stage',
    'seed',
    'seeds',
    'started',
    'seconds',
    'steps',
    'outcome',
    'short_steps',
    'coulomb',
    'meshes',
    'meshes_chosen',
    'equilibrated',
    'equilibrated_from',
    'progress_before',
}
_TIMES_ARE_SHOWN = ('overview', 'relaxation')


@dataclass(frozen=True)
class Finding:
    """A claim beside what was found.

    Attributes:
        claim: What the paper says.
        found: What the sweep says, with numbers.
        verdict: 'agrees', 'disagrees', 'undecided' or 'not tested'.
    """

    claim: str
    found: str
    verdict: str


def write_results(
    folder: Path,
    sweep_name: str,
    sweep_info: Mapping[str, Any],
    results: Sequence[JobResult],
    provenance: Sequence[Mapping[str, Any]],
) -> Path:
    """Write summary.csv, figures/ and report.html; each appears only when it is whole.

    Args:
        folder: Where they go, such as results/<sweep>; made if need be.
        sweep_name: Name of the sweep.
        sweep_info: `jobs` (all that the sweep has), `failed` (job, composition and why of each that
            failed), `model` (name, description), `sweep` (as in its file); all optional.
        results: Of the jobs that have finished.
        provenance: One record of each run of a stage: engine, version, device and so on.

    Returns:
        The report.

    Raises:
        UserError: If there are no results.
    """
    if not results:
        raise UserError(f'sweep {sweep_name}: no job is done yet, so there is nothing to report.')
    states = group_states(results)
    rows = summarise(sweep_name, states)
    folder.mkdir(parents=True, exist_ok=True)
    drawn = folder / f'{FIGURES}.temporary'
    shutil.rmtree(drawn, ignore_errors=True)
    drawn.mkdir()
    figures = write_figures(drawn, states, rows)
    html = render_report(sweep_name, sweep_info, states, rows, figures, drawn, provenance)
    # Figures of an earlier state of the sweep go with their folder.
    shutil.rmtree(folder / FIGURES, ignore_errors=True)
    os.replace(drawn, folder / FIGURES)
    write_summary(folder / SUMMARY, rows)
    with replacing(folder / REPORT) as temporary:
        temporary.write_text(html, encoding='utf-8')
    return folder / REPORT


def render_report(
    sweep_name: str,
    sweep_info: Mapping[str, Any],
    states: Sequence[State],
    rows: Sequence[SummaryRow],
    figures: Sequence[SweepFigure],
    figure_folder: Path,
    provenance: Sequence[Mapping[str, Any]],
) -> str:
    """The report as one HTML document that needs no other file; see `write_results`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    tables = chief_tables(rows)
    dynamics = dynamics_statement(states)
    model = sweep_info.get('model') or {}
    return environment.get_template(TEMPLATE).render(
        sweep=sweep_name,
        description=model.get('description', '') if isinstance(model, Mapping) else '',
        simulated=_simulated(states, sweep_info),
        failed=sweep_info.get('failed', []),
        stages=_stages(states[0].results[0].state_point),
        tables=tables,
        notes=footnotes(tables),
        dynamics=dynamics,
        figures=[
            {
                'title': figure.title,
                'caption': f'{figure.caption} {dynamics}'
                if figure.stem.startswith(_TIMES_ARE_SHOWN)
                else figure.caption,
                'source': _embedded(figure_folder / f'{figure.stem}.svg'),
            }
            for figure in figures
        ],
        findings=paper_findings(all_series(states, rows)),
        unconverged=_unconverged(rows),
        n_unconverged=sum(not row.converged for row in rows),
        n_rows=len(rows),
        equilibration=_equilibration(provenance),
        axes=list(dict.fromkeys(name for row in rows for name in row.axes)),
        rows=[
            {'row': row, 'axes': [axis_text(v) for v in row.axes.values()], 'text': format_row(row)}
            for row in rows
        ],
        provenance=provenance_table(provenance),
        analyses=analysis_table(
            each
            for state in states
            for result in state.results
            for each in (result.thermodynamics, result.clusters, result.relaxation)
        ),
        code=code_text(code_version()),
    )


def dynamics_statement(states: Sequence[State]) -> str:
    """Time step and thermostat of the sampled runs, which every relaxation time depends on."""
    protocols = [
        result.state_point.get('protocol', {}) for state in states for result in state.results
    ]
    steps = {f'{p["time_step"]:g}' for p in protocols if 'time_step' in p}
    times = {
        f'{p["sample"]["thermostat_time"]:g}'
        for p in protocols
        if 'thermostat_time' in p.get('sample', {})
    }
    if not steps or not times:
        return 'Thermostat and time step of the sampled runs are not recorded.'
    return (
        'Sampled at constant volume with stochastic velocity rescaling (Bussi et al. 2007), no '
        f'friction on single beads; thermostat time {_either(times)} tau, time step '
        f'{_either(steps)} tau.'
    )


def paper_findings(many: Sequence[Series]) -> list[Finding]:
    """The claims of the paper beside what this sweep says, from its intervals alone."""
    findings = []
    for series in many:
        if series.axis != 'lsp_fraction':
            continue
        where = f' ({series.label})' if series.label else ''
        names = list(dict.fromkeys(row.quantity for row in series.rows))
        chief = [name for name in names if name.startswith('p2_time_')]
        chief += [name for name in names if name == 'fs_time_all_peak']
        for name in chief:
            found, verdict = trend(_rows(series, name), falls=True)
            findings.append(
                Finding(
                    'More LSP, shorter segmental relaxation time.',
                    f'{name}{where}: {found}',
                    verdict,
                )
            )
        if 'largest_cluster_fraction' in names:
            found, verdict = trend(_rows(series, 'largest_cluster_fraction'), falls=False)
            findings.append(
                Finding(
                    'More ions, more clustering.',
                    f'largest_cluster_fraction{where}: {found}',
                    verdict,
                )
            )
        if 'percolation_probability_any' in names:
            found, _ = percolation_onset(_rows(series, 'percolation_probability_any'))
            findings.append(
                Finding(
                    'Ion clusters become excessive between ISP50 and ISP67.',
                    f'percolation{where}: {found} The paper gives no percolation threshold to '
                    'compare with.',
                    'not tested',
                )
            )
    if findings:
        findings.append(
            Finding(
                'Conductivity is highest at ISP50 and lower at ISP67.',
                'No conductivity is computed.',
                'not tested',
            )
        )
    return findings


def trend(rows: Sequence[SummaryRow], *, falls: bool) -> tuple[str, str]:
    """Whether a quantity falls or rises from the lowest to the highest LSP fraction.

    Two values differ when their intervals do not overlap. Values that are not converged decide
    nothing, but a bound does.

    Args:
        rows: Of one quantity, by rising LSP fraction.
        falls: Whether the claim is that it falls.

    Returns:
        What was found, and 'agrees', 'disagrees' or 'undecided'.
    """
    usable = [row for row in rows if row.mean is not None or row.is_bound]
    if len(usable) < 2:
        return 'fewer than two LSP fractions have it.', 'undecided'
    first, last = usable[0], usable[-1]
    ends = f'{_at(first)}, {_at(last)}'
    change = _change(first, last)
    steps = [_change(a, b) for a, b in itertools.pairwise(usable)]
    told = (
        f'{steps.count(-1)} of {len(steps)} steps between neighbours fall, {steps.count(1)} rise, '
        f'{len(steps) - steps.count(1) - steps.count(-1)} cannot be told.'
    )
    if change is None:
        return f'{ends}: without an interval (one replica) nothing can be told.', 'undecided'
    if change == 0:
        return f'{ends}: the intervals overlap. {told}', 'undecided'
    word = 'falls' if change < 0 else 'rises'
    if not all(row.converged or row.is_bound for row in (first, last)):
        return f'{ends}: {word}, but not converged. {told}', 'undecided'
    agrees = (change < 0) == falls
    # A step against the trend, beyond the intervals, is no trend.
    against = steps.count(-change)
    if agrees and against:
        return f'{ends}: {word} overall, not throughout. {told}', 'disagrees'
    return f'{ends}: {word}. {told}', 'agrees' if agrees else 'disagrees'


def percolation_onset(rows: Sequence[SummaryRow]) -> tuple[str, tuple[float | None, float | None]]:
    """Between which LSP fractions the percolation probability passes 1/2 beyond its interval.

    Args:
        rows: Of one percolation probability, by rising LSP fraction.

    Returns:
        What was found, and the highest fraction below it and the lowest one above, where told.
    """
    above = [
        row.lsp_fraction
        for row in rows
        if row.ci95_low is not None and row.ci95_low > PERCOLATES_FROM
    ]
    below = [
        row.lsp_fraction
        for row in rows
        if row.ci95_high is not None and row.ci95_high < PERCOLATES_FROM
    ]
    caution = '' if all(row.converged for row in rows) else ' Not all of the values are converged.'
    caution += ' One box size: the onset is that of this size.'
    if not above and not below:
        return f'no interval excludes 1/2: the onset cannot be told.{caution}', (None, None)
    if not above:
        text = f'below 1/2 up to LSP {max(below):.3g}; no onset is seen beyond doubt.'
        return text + caution, (max(below), None)
    onset = min(above)
    lower = [x for x in below if x < onset]
    later = [x for x in below if x > onset]
    if later:
        caution = f' It falls below 1/2 again at LSP {min(later):.3g}.{caution}'
    if lower:
        text = f'sets in between LSP {max(lower):.3g} and {onset:.3g}.'
        return text + caution, (max(lower), onset)
    undecided = [row.lsp_fraction for row in rows if row.lsp_fraction < onset]
    reason = (
        f'undecided at {", ".join(f"{x:.3g}" for x in undecided)}'
        if undecided
        else 'no lower fraction with ions was simulated'
    )
    return f'above 1/2 from LSP {onset:.3g} on; {reason}.{caution}', (None, onset)


def provenance_table(records: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Runs of the same engine, version, device and so on as one line, with number and duration."""
    groups: dict[tuple[tuple[str, str], ...], list[Mapping[str, Any]]] = {}
    for record in records:
        key = tuple(
            (k, code_text(v) if k == 'code' else _text(v))
            for k, v in record.items()
            if k not in _PER_RUN
        )
        groups.setdefault(key, []).append(record)
    names = list(dict.fromkeys(name for key in groups for name, _ in key))
    return [
        {name: dict(key).get(name, '') for name in names}
        | {
            'runs of a stage': str(len(members)),
            'hours': f'{sum(float(m.get("seconds", 0)) for m in members) / 3600:.3g}',
        }
        for key, members in groups.items()
    ]


def _rows(series: Series, quantity: str) -> list[SummaryRow]:
    return [row for _, row in series.points(quantity)]


def _at(row: SummaryRow) -> str:
    value = format_interval(row.mean, row.ci95_low, row.ci95_high)
    unit = '' if row.unit == '1' else f' {row.unit}'
    return f'{value}{unit} at LSP {row.lsp_fraction:.3g}'


def _change(before: SummaryRow, after: SummaryRow) -> int | None:
    """-1 for a fall, 1 for a rise, 0 where intervals overlap, None where there is none."""
    one, other = _range(before), _range(after)
    if one is None or other is None:
        return None
    if other[1] < one[0]:
        return -1
    return 1 if other[0] > one[1] else 0


def _range(row: SummaryRow) -> tuple[float, float] | None:
    low, high = row.ci95_low, row.ci95_high
    if row.is_bound:
        return (-math.inf if low is None else low, math.inf if high is None else high)
    return None if low is None or high is None else (low, high)


def _simulated(states: Sequence[State], sweep_info: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was simulated, as names and values."""
    points = [result.state_point for state in states for result in state.results]
    n_jobs = len(sweep_info.get('jobs', points))
    shown = {
        'model': ('Model', ''),
        'chains': ('Chains', ''),
        'degree_of_polymerisation': ('Degree of polymerisation (number average)', ' monomers'),
        'chain_lengths': ('Chain lengths', ''),
        'sequence': ('Monomer sequences', ''),
        'kT': ('Temperature kT', ' epsilon'),
        'pressure': ('Pressure of equilibration', ' epsilon/sigma^3'),
        'density': ('Density, fixed', ' sigma^-3'),
        'bjerrum_length': ('Bjerrum length at kT = 1', ' sigma'),
    }
    lines = [('Jobs in this report', f'{len(points)} of {n_jobs}')]
    lines.append(
        ('Compositions', '; '.join(dict.fromkeys(_text(p['composition']) for p in points)))
    )
    for key, (name, unit) in shown.items():
        values = dict.fromkeys(_text(p[key]) for p in points if p.get(key) is not None)
        if values:
            lines.append((name, ', '.join(values) + unit))
    contacts = _contacts(states)
    if contacts:
        lines.append(('Contact distance r_c of ions', contacts))
    replicas = sorted({len(state.results) for state in states})
    lines.append(
        ('Replicas of each state', ' to '.join(f'{n}' for n in (replicas[0], replicas[-1])))
    )
    if len(replicas) == 1:
        lines[-1] = ('Replicas of each state', str(replicas[0]))
    return lines


def _contacts(states: Sequence[State]) -> str:
    found = [r.clusters for s in states for r in s.results if r.clusters.get('n_ions')]
    if not found:
        return ''
    distances = [float(clusters['contact_distance']) for clusters in found]
    ends = dict.fromkeys(f'{end:.3g}' for end in (min(distances), max(distances)))
    sources = dict.fromkeys(str(c.get('contact_distance_from', 'not recorded')) for c in found)
    return f'{" to ".join(ends)} sigma ({", ".join(sources)})'


def _stages(point: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Stage, integrator and length of the protocol of a state point."""
    protocol = point.get('protocol')
    if not protocol:
        return []
    push_off, anneal = protocol['push_off'], protocol['anneal']
    equilibrate, sample = protocol['equilibrate'], protocol['sample']
    rescaling = 'stochastic velocity rescaling, thermostat time {:g} tau'
    at_pressure = point.get('pressure') is not None
    ensemble = (
        f'constant pressure: {rescaling.format(equilibrate["thermostat_time"])}, barostat time '
        f'{equilibrate["barostat_time"]:g} tau'
        if at_pressure
        else f'constant volume: {rescaling.format(equilibrate["thermostat_time"])}'
    )
    friction = f'{push_off["friction"]:g}'
    heights = ', '.join(f'{height:g}' for height in push_off['heights'])
    asked = ', '.join(f'{k} {v:g}' for k, v in sample.get('precision', {}).items())
    return [
        (
            'push-off',
            f'soft repulsion of {heights} kT; Langevin, friction {friction} / tau',
            f'{push_off["steps"]:,} steps each',
        ),
        (
            'anneal',
            f'kT at least {anneal["kT"]:g}, then cooling to kT of the state; '
            + ('as equilibrate' if at_pressure else f'Langevin, friction {friction} / tau'),
            f'{anneal["steps"]:,} + {anneal["cooling_steps"]:,} steps',
        ),
        ('equilibrate', ensemble, _limits(equilibrate) + ', until equilibration is detected'),
        (
            'sample',
            f'constant volume: {rescaling.format(sample["thermostat_time"])}',
            _limits(sample)
            + (f', until the relative 95 % half-width is: {asked}' if asked else ''),
        ),
        ('all', f'time step {protocol["time_step"]:g} tau', ''),
    ]


def _limits(stage: Mapping[str, Any]) -> str:
    return f'{stage["minimum_steps"]:,} to {stage["maximum_steps"]:,} steps'


def _unconverged(rows: Sequence[SummaryRow]) -> list[dict[str, str]]:
    """Quantities of one state that share their reasons stand on one line."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if not row.converged:
            axes = ''.join(f', {name} = {axis_text(v)}' for name, v in row.axes.items())
            state = f'LSP {row.lsp_fraction:.3g}, kT = {row.kT:.3g}{axes}'
            groups.setdefault((state, '; '.join(row.reasons)), []).append(row.quantity)
    return [
        {'state': state, 'quantities': ', '.join(names), 'why': why}
        for (state, why), names in groups.items()
    ]


def _equilibration(provenance: Sequence[Mapping[str, Any]]) -> str:
    """Whether some melt was sampled before its equilibration had been detected."""
    told = [record['equilibrated'] for record in provenance if 'equilibrated' in record]
    missed = len(told) - sum(map(bool, told))
    if not missed:
        return ''
    return (
        f'In {missed} of {len(told)} runs of the equilibration stage no equilibrium was detected '
        'before the step limit; those melts were sampled all the same.'
    )


def _embedded(svg: Path) -> str:
    return 'data:image/svg+xml;base64,' + base64.b64encode(svg.read_bytes()).decode()


def _either(values: set[str]) -> str:
    return ' or '.join(sorted(values, key=float))


def _text(value: Any) -> str:
    if isinstance(value, Mapping) and 'kind' in value:
        rest = _text({k: v for k, v in value.items() if k != 'kind'})
        return f'{value["kind"]} ({rest})' if rest else str(value['kind'])
    if isinstance(value, Mapping):
        return ', '.join(f'{k} {_text(v)}' for k, v in value.items())
    if isinstance(value, list | tuple):
        return ', '.join(_text(v) for v in value)
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    return f'{value:.4g}' if isinstance(value, float) else str(value)
