"""How fast trajectories are analysed, against the scripts that are usually written for it."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.estimators.estimate import Curve
from analysis.geometry.chains import bonds_along_chains
from analysis.geometry.ions import find_ions
from analysis.geometry.wave_vectors import random_lattice_vectors
from analysis.io.open_trajectory import open_trajectory
from analysis.observable import Observable
from analysis.observables.chain_sizes import ChainSizes
from analysis.observables.ion_clusters import IonClusters
from analysis.observables.mean_squared_displacement import MeanSquaredDisplacement
from analysis.observables.non_gaussian import NonGaussian
from analysis.observables.pair_correlation import BINS, MOST_FRAMES, PairCorrelation
from analysis.observables.segmental_relaxation import SegmentalRelaxation
from analysis.observables.structure_factor import StructureFactor
from analysis.sampling.frame_selection import spread_out
from analysis.sampling.main_peak import HIGHEST, LOWEST, SHELLS, VECTORS_PER_SHELL
from analysis.sampling.production import association
from analysis.sampling.run import Run
from benchmarks import usual_scripts as scripts
from benchmarks.base import Benchmark, Figure, Setting
from benchmarks.synthetic_trajectory import write_trajectory
from benchmarks.timing import Stopwatch, Timing, interleaved, ratios, spread

Array = NDArray[Any]
Scripts = dict[str, Callable[[], Array]]

# Loaded before the clock starts.
_LIBRARIES = (
    'MDAnalysis.analysis.rdf',
    'gsd.hoomd',
    'networkx',
    'scipy.ndimage',
    'scipy.optimize',
    'scipy.sparse.csgraph',
    'scipy.special',
)

_FRAMES = (60, 600)
_REPETITIONS, _MANY_BEADS = 3, 10_000
_CONTACT_DISTANCE, _WAVE_NUMBER = 1.6, 6.5
_MOST_PAIRS = 2e8  # of beads, for a script that takes all: a minute
_TIMES_SCRIPT, _TIMES_FREUD = 5.0, 1.0


@dataclass(frozen=True)
class Comparison:
    """One observable, and the scripts that give the same numbers.

    Attributes:
        ours: Its numbers for a file; as are those of the scripts, by name.
        n_frames: How many frames of the file all of them look at.
        tolerance: Of the scripts' numbers, relative to the largest of ours.
        most_repetitions: One where a script takes a minute.
    """

    name: str
    n_frames: int
    ours: Callable[[], Array]
    scripts: Scripts
    tolerance: float = 1e-4
    most_repetitions: int = _REPETITIONS


class AnalysisSpeed(Benchmark):
    """Frames per second of each observable that needs no log, and of the scripts."""

    name = 'analysis_speed'
    question = 'How many frames of a file does the analysis deal with in a second of a processor?'
    sizes = (1_000, 20_000)

    def measure(self, size: int, setting: Setting) -> Iterator[Figure]:
        """Measure each observable, reading included, and check that the scripts agree with it."""
        import freud
        from threadpoolctl import threadpool_limits

        for library in _LIBRARIES:
            importlib.import_module(library)
        repetitions = 1 if size > _MANY_BEADS else _REPETITIONS
        for frames in _FRAMES:
            path = setting.scratch / f'{size}_{frames}.gsd'
            write_trajectory(path, size, frames)
            # Threads that wait for work in a loop would count as work.
            with freud.parallel.NumThreads(1), threadpool_limits(1), warnings.catch_warnings():
                warnings.simplefilter('ignore')  # of the libraries about what a GSD file lacks
                for comparison in comparisons(path):
                    case = f'{comparison.name}, {size} beads, {frames} frames'
                    each = min(repetitions, comparison.most_repetitions)
                    yield from _compared(comparison, case, each)
            path.unlink()


def _compared(comparison: Comparison, case: str, repetitions: int) -> Iterator[Figure]:
    numbers: dict[str, Array] = {}

    def timed(name: str, compute: Callable[[], Array]) -> Timing:
        stopwatch = Stopwatch()
        numbers[name] = compute()
        return stopwatch.read()

    variants = {'ours': comparison.ours, **comparison.scripts}
    calls = {name: partial(timed, name, compute) for name, compute in variants.items()}
    seconds = {
        name: [each.processor for each in found]
        for name, found in interleaved(calls, repetitions).items()
    }
    for name, each in seconds.items():
        found = spread([comparison.n_frames / value for value in each])
        yield Figure(case, f'frames/s, {name}', found.median, found.low, found.high)
    ours = numbers['ours']
    for name in comparison.scripts:
        error = np.abs(numbers[name] - ours).max() / np.abs(ours).max()
        assert error <= comparison.tolerance, f'{case}, {name}: differs by {error:.2g}'
        found = ratios(seconds[name], seconds['ours'])
        target = _TIMES_FREUD if name == 'freud' else _TIMES_SCRIPT
        yield Figure(case, f'times {name}', found.median, found.low, found.high, target)


def comparisons(path: Path) -> Iterator[Comparison]:
    """Yield what is compared on a file."""
    run = Run(open_trajectory(path))
    even, few, plan = (
        run.even_frames,
        spread_out(run.even_frames, MOST_FRAMES),
        run.correlation_plan,
    )
    n_all, n_even = len(run.correlated_frames), len(even)

    def measured(observable: Observable[Any]) -> Any:
        return observable.compute(Run(open_trajectory(path)))

    def association_of_ions() -> Array:
        trajectory = open_trajectory(path)
        ions = find_ions(trajectory.topology, trajectory.read(0))
        limits = ions.limits(dict.fromkeys(ions.pairs, _CONTACT_DISTANCE))
        return _association_numbers(association(trajectory, ions, limits, even))

    def clusters() -> Array:
        found = measured(IonClusters(contact_distance=_CONTACT_DISTANCE))
        return _association_numbers(found.series)

    cluster_scripts: Scripts = {
        'networkx': lambda: scripts.clusters_networkx(path, even, _CONTACT_DISTANCE),
        'freud': lambda: scripts.clusters_freud(path, even, _CONTACT_DISTANCE),
    }
    yield Comparison('association of ions', n_even, association_of_ions, cluster_scripts)
    yield Comparison('clusters', n_even, clusters, cluster_scripts)

    def relaxation() -> Array:
        found = measured(SegmentalRelaxation(wave_number=_WAVE_NUMBER))
        by_q = [by_q[q] for q in found.wave_numbers for by_q in found.scattering.values()]
        return np.array(
            [each.curve.value for each in (*found.p1.values(), *found.p2.values(), *by_q)]
        )

    def msd() -> Array:
        by_type = measured(MeanSquaredDisplacement()).by_type
        return np.array([each.curve.value for each in by_type.values()])

    by_lag = [plan.lag_index == lag for lag in range(len(plan.lags))]
    same = [(plan.origin[own], plan.later[own]) for own in by_lag]
    relaxation_script = partial(scripts.relaxation, wave_numbers=(_WAVE_NUMBER, np.pi))
    of_pairs: Scripts = {
        'relaxation': relaxation,
        'msd': msd,
        'non_gaussian': lambda: _values(measured(NonGaussian()).curves),
    }
    for name, script in (
        ('relaxation', relaxation_script),
        ('msd', scripts.msd),
        ('non_gaussian', scripts.non_gaussian),
    ):
        same_pairs = partial(script, path, same)
        yield Comparison(name, n_all, of_pairs[name], {'NumPy, the same pairs': same_pairs})

    # Who does not choose takes all lags that there are.
    every = scripts.all_pairs(run.frames.steps[run.correlated_frames])
    is_ours = np.isin(list(every), plan.lags)

    def at_our_lags(script: Callable[[Path, scripts.Pairs], Array]) -> Array:
        return np.asarray(script(path, list(every.values()))[:, is_ours])

    if sum(len(origin) for origin, _ in every.values()) * len(run.topology.typeid) < _MOST_PAIRS:
        for name, script in (('relaxation', relaxation_script), ('msd', scripts.msd)):
            yield Comparison(
                f'{name}, all lags',
                n_all,
                of_pairs[name],
                {'NumPy': partial(at_our_lags, script)},
                0.05,  # of more origins
                1,
            )

    beads = np.unique(bonds_along_chains(run.topology))
    yield Comparison(
        'chains',
        n_even,
        lambda: np.array([measured(ChainSizes()).squared_radius_of_gyration.value]),
        {'MDAnalysis': lambda: scripts.chains_mdanalysis(path, even, beads)},
        1e-2,  # MDAnalysis leaves chains alone whose beads are within half the box of the first
    )
    if n_even > len(few):
        return  # of longer files, no more frames are looked at

    curves = PairCorrelation().compute(run).curves
    reach = 2 * curves['all'].x[0] * BINS
    yield Comparison(
        'pair_correlation',
        len(few),
        lambda: _values(measured(PairCorrelation()).curves),
        {
            'MDAnalysis': lambda: scripts.g_mdanalysis(path, few, reach, BINS),
            'freud': lambda: scripts.g_freud(path, few, reach, BINS),
        },
        1e-2,  # single precision may disagree about a bin
    )

    # The vectors that ours takes, so that the numbers are the same.
    box, generator = run.frames.read(0).box, np.random.default_rng(0)
    scale = 2 * np.pi / np.cbrt(box.volume / len(run.topology.typeid))
    edges = np.linspace(LOWEST * scale, HIGHEST * scale, SHELLS + 1)
    vectors = [random_lattice_vectors(box, edges, VECTORS_PER_SHELL, generator) for _ in few]
    yield Comparison(
        'structure_factor',
        len(few),
        lambda: measured(StructureFactor()).curve.value,
        {'NumPy': lambda: scripts.s_numpy(path, few, vectors, edges)},
    )
    yield Comparison(
        'structure_factor, median',
        len(few),
        lambda: _median(measured(StructureFactor()).curve.value),
        {'freud': lambda: _median(scripts.s_freud(path, few, len(vectors[0]), edges))},
        0.15,  # at other wave vectors: some are those of the lattice on which the ions began
    )


def _median(values: Array) -> Array:
    return np.array([np.median(values)])


def _association_numbers(series: dict[str, Array]) -> Array:
    return np.array([series['coordination_number'], series['weight_average_size']])


def _values(curves: dict[str, Curve]) -> Array:
    return np.array([each.value for each in curves.values()])
