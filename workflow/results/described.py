"""What a report says of how its numbers were made: systems, stages, runs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from workflow.jobs.provenance import code_text

# What differs from run to run; the rest says what ran.
_PER_RUN = {
    'job', 'stage', 'seed', 'seeds', 'started', 'seconds', 'steps', 'outcome', 'short_steps',
    'coulomb', 'tuning', 'meshes', 'meshes_chosen', 'progress_before',
    'equilibrated', 'equilibrated_from', 'not_equilibrated',
}  # fmt: skip

_THERMOSTAT = 'stochastic velocity rescaling'


def simulated_systems(points: Sequence[Mapping[str, Any]], n_jobs: int) -> list[tuple[str, str]]:
    """Describe what was simulated, of the finished of `n_jobs` jobs, as names and values."""
    shown = {
        'model': ('Model', ''),
        'chains': ('Chains', ''),
        'degree_of_polymerisation': ('Degree of polymerisation (number average)', ' monomers'),
        'chain_lengths': ('Chain lengths', ''),
        'architecture': ('Architecture', ''),
        'sequence': ('Monomer sequences', ''),
        'kT': ('Temperature kT', ' epsilon'),
        'pressure': ('Pressure of equilibration', ' epsilon/sigma^3'),
        'density': ('Density, fixed', ' sigma^-3'),
        'bjerrum_length': ('Bjerrum length at kT = 1', ' sigma'),
    }
    compositions = '; '.join(dict.fromkeys(_text(p['composition']) for p in points))
    lines = [('Jobs in this report', f'{len(points)} of {n_jobs}'), ('Compositions', compositions)]
    for key, (name, unit) in shown.items():
        values = dict.fromkeys(_text(p[key]) for p in points if p.get(key) is not None)
        if values:
            lines.append((name, ', '.join(values) + unit))
    if any(point.get('architecture', {}).get('kind') == 'ring' for point in points):
        lines.append(('Topology of rings', 'random knots and links, as of phantom rings'))
    replicas = Counter(
        json.dumps({k: v for k, v in point.items() if k != 'replica'}, sort_keys=True)
        for point in points
    ).values()
    ends = dict.fromkeys(str(n) for n in (min(replicas), max(replicas)))
    lines.append(('Replicas of each state', ' to '.join(ends)))
    return lines


def stages_of(point: Mapping[str, Any], protocol: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """List stage, integrator and length of the protocol of a sweep, for one of its state points."""
    if not protocol:
        return []
    push_off, anneal = protocol['push_off'], protocol['anneal']
    equilibrate, sample = protocol['equilibrate'], protocol['sample']
    melt, sampled = (
        f'{_THERMOSTAT}, thermostat time {stage["thermostat_time"]:g} tau'
        for stage in (equilibrate, sample)
    )
    at_pressure = point.get('pressure') is not None
    ensemble = f'constant volume: {melt}'
    if at_pressure:
        ensemble = f'constant pressure: {melt}, barostat time {equilibrate["barostat_time"]:g} tau'
    friction = f'{push_off["friction"]:g}'
    heights = ', '.join(f'{height:g}' for height in push_off['heights'])
    asked = ', '.join(f'{k} {v:g}' for k, v in sample['precision'].items())
    until = f', until the relative 95 % half-width is: {asked}' if asked else ''
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
        ('sample', f'constant volume: {sampled}', _limits(sample) + until),
        *_dense_sample(protocol),
        ('all', f'time step {protocol["time_step"]:g} tau', ''),
    ]


def _dense_sample(protocol: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    if (table := protocol.get('dense_sample')) is None:
        return []
    bath = f'thermostat time {table["thermostat_time"]:g} tau'
    return [
        (
            'dense sample',
            f'from the last frame, velocities drawn anew; constant volume: {_THERMOSTAT}, {bath}',
            f'{table["steps"]:,} steps, a frame every {table["interval"]:,}',
        )
    ]


def _limits(stage: Mapping[str, Any]) -> str:
    return f'{stage["minimum_steps"]:,} to {stage["maximum_steps"]:,} steps'


def dynamics_statement(points: Sequence[Mapping[str, Any]]) -> str:
    """State time step and thermostat of the sampled runs, on which relaxation times depend."""
    protocols = [point.get('protocol', {}) for point in points]
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


def missed_equilibrations(provenance: Sequence[Mapping[str, Any]]) -> str:
    """Say whether some melts were sampled before their equilibration had been detected."""
    found = [record['equilibrated'] for record in provenance if 'equilibrated' in record]
    missed = len(found) - sum(map(bool, found))
    if not missed:
        return ''
    return (
        f'In {missed} of {len(found)} runs of the equilibration stage no equilibrium was detected '
        'before the step limit; those melts were sampled all the same.'
    )


def provenance_table(records: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Join runs of the same engine, version, device and so on, with number and duration."""
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
