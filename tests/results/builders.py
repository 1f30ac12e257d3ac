"""Made-up results in the very form in which the analysis writes them; no tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from analysis.estimators.decay import Decay, RelaxationTime, StretchedExponential
from analysis.estimators.equilibration import Equilibration
from analysis.estimators.estimate import Estimate
from analysis.observables.ion_clusters import ClusterShapes, Distribution, IonClusters, Pairs
from analysis.observables.segmental_relaxation import RelaxationCurve, SegmentalRelaxation
from workflow.results.aggregate import JobResult
from workflow.sweep.state_point import StatePoint, as_plain_values

TIME = 0.05 * 2.0 ** np.arange(15)


def estimate(mean: float, half: float = 0.01, verdict: str = '') -> Estimate:
    return Estimate(mean, mean - half, mean + half, 40.0, verdict)


def state_point(lsp_fraction: float, replica: int = 0, **changes: Any) -> dict[str, Any]:
    composition = {'LSP': lsp_fraction, 'DOPA': 1 - lsp_fraction}
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


def clusters(
    percolates: float = 0.5, largest: float = 0.6, seed: int = 0, verdict: str = ''
) -> dict[str, Any]:
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
    shapes = ClusterShapes(sizes, sizes, sizes**0.5, sizes**-0.5, None, None, None, None)
    result = IonClusters(
        n_ions=320,
        pairs=Pairs.UNLIKE,
        contact_distance=1.12,
        pair_correlation=None,
        steps=np.arange(10),
        n_frames=10,
        equilibration=Equilibration(0, 40.0, 1.0, not verdict, verdict),
        estimates={
            'number_average_size': estimate(12.0 * (1 + largest), 0.4),
            'weight_average_size': estimate(200.0 * largest, 8.0),
            'largest_cluster_fraction': estimate(largest, 0.02),
            'free_ion_fraction': estimate(0.2 * (1 - largest), 0.005),
            'coordination_number': estimate(2.4, 0.02),
            'percolation_dimension': Estimate(3.0, None, None, 1.0, 'the same in every frame'),
        },
        percolation={**axes, 'any': estimate(percolates, 0.06)},
        series={'number_average_size': np.ones(10)},
        number_distribution=distributions[0],
        weight_distribution=distributions[1],
        charge_distribution=distributions[0],
        shapes=shapes,
        verdict=verdict,
    )
    return result.as_dict()


def curve(time: float, beta: float = 0.55, longer_than: float | None = None) -> RelaxationCurve:
    fit = StretchedExponential(0.95, time, beta)
    value = fit(TIME)
    if longer_than is None:
        mean = RelaxationTime(fit.mean_time, fit.mean_time / 1.2, fit.mean_time * 1.2)
        one_over_e = RelaxationTime(time, time / 1.1, time * 1.1)
    else:
        mean = RelaxationTime(
            longer_than=longer_than, verdict='not decayed to 1/e within the longest lag'
        )
        one_over_e = mean
    n_origins = np.full(len(TIME), 50)
    return RelaxationCurve(
        TIME, value, value - 0.02, value + 0.02, n_origins, Decay(one_over_e, mean, fit)
    )


def relaxation(
    times: dict[str, float], fs_time: float = 20.0, longer_than: dict[str, float] | None = None
) -> dict[str, Any]:
    bounds = longer_than or {}
    p2 = {bond: curve(time, longer_than=bounds.get(bond)) for bond, time in times.items()}
    p1 = {bond: curve(3 * time) for bond, time in times.items()}
    groups = {'all': fs_time, 'cations': 0.7 * fs_time, 'anions': 1.4 * fs_time}
    scattering = {
        group: {'peak': curve(time), 'pi/sigma': curve(4 * time)} for group, time in groups.items()
    }
    result = SegmentalRelaxation(
        time_unit='tau',
        p1=p1,
        p2=p2,
        scattering=scattering,
        wave_numbers={'peak': 6.9, 'pi/sigma': float(np.pi)},
        structure_factor=None,
        n_frames=100,
        first_step=0,
        verdicts=(),
    )
    return result.as_dict()


def thermodynamics(density: float = 0.85) -> dict[str, Any]:
    return {
        'density': Estimate(density, density - 0.001, density + 0.001, 50.0).as_dict(),
        'temperature': estimate(1.0, 0.001).as_dict(),
        'pressure': estimate(0.02, 0.03).as_dict(),
        'potential_energy_per_bead': estimate(-4.2, 0.02).as_dict(),
    }


def job(
    lsp_fraction: float,
    replica: int = 0,
    times: dict[str, float] | None = None,
    longer_than: dict[str, float] | None = None,
    **changes: Any,
) -> JobResult:
    rng = np.random.default_rng([replica, int(1000 * lsp_fraction)])
    spread = float(np.exp(0.03 * rng.normal()))
    slow = 400.0 * np.exp(-3.5 * lsp_fraction) * spread
    if times is None:
        times = {'backbone': slow}
        times |= {'LSP-side': 0.25 * slow} if lsp_fraction > 0 else {}
        times |= {'DOPA-side': 0.6 * slow} if lsp_fraction < 1 else {}
    share = 1 / (1 + np.exp(-(lsp_fraction - 0.2) / 0.05))
    ions = clusters(
        percolates=float(np.clip(share + 0.02 * rng.normal(), 0, 1)),
        largest=float(np.clip(0.05 + 0.93 * share * spread, 0, 1)),
        seed=replica,
    )
    return JobResult(
        state_point(lsp_fraction, replica, **changes),
        ions if lsp_fraction > 0 else {'n_ions': 0},
        relaxation(times, fs_time=0.5 * slow, longer_than=longer_than),
        thermodynamics(),
    )


def sweep(
    fractions: tuple[float, ...] = (0.0, 0.33, 0.5, 0.67, 1.0), n: int = 3
) -> list[JobResult]:
    """A sweep like the paper's, its slowest backbone beyond reach in one replica."""
    results = [job(x, replica) for x in fractions for replica in range(n)]
    slowest = {'backbone': TIME[-1], 'DOPA-side': TIME[-1]}
    results[0] = job(fractions[0], 0, longer_than=slowest)
    unsettled = 'too short: 6.2 independent values, 10 needed'
    flawed = clusters(0.98, 0.9, verdict=unsettled)
    results[n] = replace(results[n], clusters=flawed) if fractions[1] else results[n]
    return results
