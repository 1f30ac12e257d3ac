"""Made-up results in the very types in which the analysis gives them; no tests."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from analysis.estimators.decay import Decay, Tail
from analysis.estimators.distribution import Distribution
from analysis.estimators.equilibration import Equilibration
from analysis.estimators.estimate import Curve, Estimate
from analysis.observable import Combination, Outcome, Quantity
from analysis.observables import OBSERVABLES
from analysis.observables.cluster_statistics import ClusterResult, ClusterShapes, Pairs
from analysis.observables.segmental_relaxation import Relaxation, RelaxationResult
from analysis.observables.thermodynamics import ThermodynamicsResult
from analysis.sampling.definitions import Definition, Definitions
from analysis.serialise import to_json
from models.model import Model, load_model
from workflow.jobs.definitions import JobDefinitions, write_definitions
from workflow.results.aggregate import Row, SweepTable, combine, tabulate
from workflow.results.axis import Axis, find_axis
from workflow.results.job_results import JobResult
from workflow.sweep.state_point import StatePoint, as_plain_values
from workflow.sweep.sweep_file import ReportTable

TIME = 0.05 * 2.0 ** np.arange(15)


def estimate(value: float, half: float = 0.01, verdict: str = '') -> Estimate:
    return Estimate(value, value - half, value + half, 40.0, verdict)


def state_point(ionic_fraction: float, replica: int = 0, **changes: Any) -> dict[str, Any]:
    composition = {'LSP': ionic_fraction, 'DOPA': 1 - ionic_fraction}
    values: dict[str, Any] = {
        'model': 'isp',
        'model_hash': 'abc',
        'composition': {name: x for name, x in composition.items() if x > 0},
        'chains': 24,
        'degree_of_polymerisation': 20,
        'kT': 1.0,
        'pressure': 0.0,
        'bjerrum_length': 16.0,
        'replica': replica,
    }
    return as_plain_values(StatePoint.model_validate(values | changes))


def against_contact_distance(percolates: float, largest: float) -> dict[str, Curve]:
    x = np.linspace(0.9, 1.4, 5)
    middle = {'coordination': 2.4, 'largest cluster': largest, 'percolation': percolates}
    slope = np.linspace(-0.1, 0.1, 5)
    return {f'{name} against r_c': Curve(x, value + slope) for name, value in middle.items()}


def clusters(
    percolates: float = 0.5, largest: float = 0.6, seed: int = 0, verdict: str = ''
) -> ClusterResult:
    rng = np.random.default_rng(seed)
    sizes = np.concatenate([np.arange(1, 40), np.arange(300, 320)])
    number = np.concatenate(
        [np.arange(1, 40) ** (-1.4 - 1.2 * largest), np.full(20, largest * 2e-4)]
    )
    number *= np.exp(0.15 * rng.normal(size=len(number)))
    number /= number.sum()
    weight = number * sizes / (number * sizes).sum()
    distributions = [Distribution(sizes, p, 0.8 * p, 1.2 * p) for p in (number, weight)]
    axes = {axis: estimate(percolates * 0.8, 0.05) for axis in 'xyz'}
    radius = Curve(sizes.astype(float), sizes**0.5, x_scale='log', y_scale='log')
    return ClusterResult(
        n_ions=320,
        pairs=Pairs.UNLIKE,
        contact_distances={'Li-S': 1.12},
        pair_correlations={},
        steps=np.arange(10),
        n_frames=10,
        equilibration=Equilibration(0, 40.0, 1.0, not verdict, verdict),
        estimates={
            'number_average_size': estimate(12.0 * (1 + largest), 0.4),
            'weight_average_size': estimate(200.0 * largest, 8.0),
            'largest_cluster_fraction': estimate(largest, 0.02),
            'free_ion_fraction': estimate(0.2 * (1 - largest), 0.005),
            'coordination_number': estimate(2.4, 0.02),
            'percolation_dimension': Estimate(3.0, None, None, 1.0, '', 'the same in every frame'),
        },
        percolation={**axes, 'any': estimate(percolates, 0.06)},
        series={'number_average_size': np.ones(10)},
        number_distribution=distributions[0],
        weight_distribution=distributions[1],
        charge_distribution=distributions[0],
        shapes=ClusterShapes(sizes, radius, radius),
        against_contact_distance=against_contact_distance(percolates, largest),
        verdict=verdict,
    )


def correlation(time: float, beta: float = 0.55, longer_than: float | None = None) -> Relaxation:
    tail = Tail(time, beta, fitted_from=0.0, begins=7 * time, share=0.1)
    mean_time = time * math.gamma(1 + 1 / beta)
    mean = Estimate(mean_time, mean_time / 1.2, mean_time * 1.2)
    one_over_e = Estimate(time, time / 1.1, time * 1.1)
    if longer_than is not None:
        verdict = 'not decayed to 1/e within the longest lag'
        mean = one_over_e = Estimate(low=longer_than, verdict=verdict)
    value = tail(TIME)
    curve = Curve(TIME, value, value - 0.02, value + 0.02, 'time', 'C(t)', 'log', fit=value)
    return Relaxation(curve, Decay(one_over_e, mean, tail))


def relaxation(
    times: dict[str, float], fs_time: float = 20.0, longer_than: dict[str, float] | None = None
) -> RelaxationResult:
    bounds = longer_than or {}
    groups = {'all': fs_time, 'cations': 0.7 * fs_time, 'anions': 1.4 * fs_time}
    return RelaxationResult(
        time_unit='tau',
        p1={bond: correlation(3 * time) for bond, time in times.items()},
        p2={bond: correlation(time, longer_than=bounds.get(bond)) for bond, time in times.items()},
        scattering={
            group: {'peak': correlation(time), 'pi/sigma': correlation(4 * time)}
            for group, time in groups.items()
        },
        wave_numbers={'peak': 6.9, 'pi/sigma': float(np.pi)},
        n_frames=100,
        first_step=0,
        verdicts=(),
    )


def segments_alone(times: dict[str, float]) -> RelaxationResult:
    """Without scattering, for tests that write figures: each panel takes its time."""
    return replace(relaxation(times), scattering={}, wave_numbers={})


def thermodynamics(density: float = 0.85) -> ThermodynamicsResult:
    return ThermodynamicsResult(
        Estimate(density, density, density), estimate(1.0), estimate(0.0), estimate(-2.5)
    )


def job_result(point: dict[str, Any], **results: Any) -> JobResult:
    """A job with these results by observable; a text says why one was refused."""
    outcomes = {each.name: Outcome() for each in OBSERVABLES} | {
        name: Outcome(refusal=each) if isinstance(each, str) else Outcome(each)
        for name, each in results.items()
    }
    return JobResult(point, outcomes, {})


def write_definitions_of(job: Path) -> None:
    """Give a job definitions, without which nobody takes it for analysed."""
    given = Definitions({}, Definition(estimate(6.9), 'made up'))
    write_definitions(job, JobDefinitions('small', given))


def write_results_of(job: Path, **results: Any) -> None:
    """Write results of a job by observable; a text says why one was refused."""
    for name, found in results.items():
        is_refused = isinstance(found, str)
        content = {
            'refusal': found if is_refused else '',
            'result': None if found is None or is_refused else json.loads(to_json(found)),
        }
        (job / f'{name}.json').write_text(json.dumps(content))


def with_result(result: JobResult, name: str, found: Any) -> JobResult:
    return replace(result, outcomes={**result.outcomes, name: Outcome(found)})


def job(
    ionic_fraction: float,
    replica: int = 0,
    times: dict[str, float] | None = None,
    longer_than: dict[str, float] | None = None,
    **changes: Any,
) -> JobResult:
    rng = np.random.default_rng([replica, int(1000 * ionic_fraction)])
    spread = float(np.exp(0.03 * rng.normal()))
    slow = 400.0 * np.exp(-3.5 * ionic_fraction) * spread
    if times is None:
        times = {'backbone': slow}
        times |= {'LSP-side': 0.25 * slow} if ionic_fraction > 0 else {}
        times |= {'DOPA-side': 0.6 * slow} if ionic_fraction < 1 else {}
    share = 1 / (1 + np.exp(-(ionic_fraction - 0.2) / 0.05))
    ions = clusters(
        percolates=float(np.clip(share + 0.02 * rng.normal(), 0, 1)),
        largest=float(np.clip(0.05 + 0.93 * share * spread, 0, 1)),
        seed=replica,
    )
    found: dict[str, Any] = {'clusters': ions} if ionic_fraction > 0 else {}
    found['relaxation'] = relaxation(times, fs_time=0.5 * slow, longer_than=longer_than)
    point = state_point(ionic_fraction, replica, **changes)
    return job_result(point, thermodynamics=thermodynamics(), **found)


def sweep(
    fractions: tuple[float, ...] = (0.0, 0.33, 0.5, 0.67, 1.0), n: int = 3
) -> list[JobResult]:
    """A sweep of compositions, its slowest backbone beyond reach in one replica."""
    results = [job(x, replica) for x in fractions for replica in range(n)]
    slowest = {'backbone': TIME[-1], 'DOPA-side': TIME[-1]}
    results[0] = job(fractions[0], 0, longer_than=slowest)
    unsettled = 'too short: 6.2 independent values, 10 needed'
    if fractions[1]:
        flawed = clusters(0.98, 0.9, verdict=unsettled)
        results[n] = with_result(results[n], 'clusters', flawed)
    return results


def neutral_jobs(*temperatures: float, n: int = 2) -> list[JobResult]:
    """Plain neutral chains at several temperatures."""
    changes: dict[str, Any] = {
        'model': 'kremer_grest',
        'composition': {'M': 1.0},
        'bjerrum_length': 0.0,
    }
    return [
        job_result(
            state_point(0.0, replica, kT=T, **changes),
            thermodynamics=thermodynamics(0.85),
            relaxation=segments_alone({'backbone': (20.0 + replica) / T}),
        )
        for T in temperatures
        for replica in range(n)
    ]


def renamed_model() -> Model:
    """The model of the shipped ionomer with another name for its ionic monomer."""
    content = load_model('isp').model_dump(mode='json', by_alias=True, exclude_none=True)
    content['monomers']['XYZ'] = content['monomers'].pop('LSP')
    return Model.model_validate(content)


def table(
    results: list[JobResult],
    model: str = 'isp',
    precision: dict[str, float] | None = None,
    **report: Any,
) -> SweepTable:
    points = [result.state_point for result in results]
    axis = find_axis(ReportTable(**report), load_model(model), points)
    return tabulate('demo', axis, results, precision or {})


def row(*interval: float | None, verdict: str = '', unit: str = '1', place: float = 0.0) -> Row:
    quantity = Quantity('q', unit, Estimate(*interval, 3.0, verdict), Combination.PROPORTION)
    return Row({'lsp_fraction': place, 'kT': 1.0}, 'clusters', quantity)


def row_of_replicas(place: float, *values: float | str, of: Combination = Combination.MEAN) -> Row:
    """A row of these replicas; a text is a bound, as '>3' or '<3'."""
    quantities = []
    for value in values:
        found = Estimate(value) if not isinstance(value, str) else None
        if isinstance(value, str):
            end = float(value[1:])
            found = Estimate(low=end) if value[0] == '>' else Estimate(high=end)
        assert found is not None
        quantities.append(Quantity('q', '1', found, of))
    (estimate,) = combine([quantities])
    shown = replace(quantities[0], estimate=estimate)
    by_replica = dict(enumerate(quantities))
    return Row({'lsp_fraction': place, 'kT': 1.0}, 'clusters', shown, by_replica)


AXIS = Axis('composition.LSP', 'lsp_fraction', 'LSP', 'LSP mole fraction')
