"""Does a melt forget how its ions began?

The same state point from two starts: ions dispersed by 50 tau without charges, and ions drawn
together by 50 tau with three times the Bjerrum length; 1 tau of strong friction with their own
charges lets them begin gently. Both runs are analysed as those of a sweep are, with equilibration
detected, at lengths that double. Six cluster results are compared, at 95 % for all six together
(Bonferroni). One without an interval, or with a verdict against it, is not known, and then nothing
is settled. The length that a composition of `sweeps/isp.toml` needs is the first at which both runs
are called equilibrated, all is known and agrees, and agrees again at twice that length. Runs that
are both called equilibrated at their end and yet differ, beyond the chances of all compositions
together, are wrong results without a word, and fail. At shorter lengths the same is an error of the
detection, which cannot see a drift that is within the noise of a short run (section Intervals): it
is told in the row. LAMMPS alone is asked: HOOMD-blue would take more time than the page has.
`python -m validation.needed_length` goes on to lengths that have no room in this page; what it
found stands in `docs/equilibration.md`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from analysis.estimators.estimate import Estimate
from analysis.estimators.inefficiency import statistical_inefficiency
from analysis.estimators.intervals import mean_with_interval, proportion_with_interval
from analysis.io.array_trajectory import ArrayTrajectory
from analysis.observable import FRACTION
from analysis.observables.cluster_statistics import SCALARS, ClusterResult
from analysis.observables.ion_clusters import IonClusters
from analysis.sampling.run import Run
from validation.claim import Row, judged
from validation.job import Job
from validation.systems import TIME_STEP, Sample, make_engine, melt
from workflow.electrostatics.mesh import CoulombMesh
from workflow.engines.contract import Langevin

TITLE = 'Independence of the start'

COULOMB_ERROR = 1e-2
# As in sweeps/demo.toml: the longest that `init` lets pass, and half the cost.
LONG_TIME_STEP = 0.01
# LSP fraction -> chains of 20 units: enough ions for clusters where they are few.
CHAINS = {
    Fraction(1, 20): 20,
    Fraction(1, 10): 12,
    Fraction(1, 5): 8,
    Fraction(1, 3): 6,
    Fraction(1, 2): 6,
    Fraction(2, 3): 6,
    Fraction(1, 1): 6,
}
# Times in tau after which both runs are looked at.
LENGTHS = (75.0, 150.0, 300.0, 600.0)
# Beads times tau that the page has room for: the longest length is left to the small melts.
ROOM = 300_000
PREPARATION_STEPS, DAMPED_STEPS = 10_000, 1_000
# Frames are kept at this distance in tau; of a long run, evenly spaced ones are looked at.
PERIOD = 0.5
MOST_FRAMES = 2_400
# Touching unlike ions are 0.75 sigma apart; well below the second shell.
CONTACT = 1.2
MEANS = (
    'coordination_number',
    'free_ion_fraction',
    'number_average_size',
    'weight_average_size',
    'largest_cluster_fraction',
)
PERCOLATION = 'percolation probability'
QUANTITIES = (*MEANS, PERCOLATION)
LIMITS = {name: SCALARS[name].limits for name in MEANS} | {PERCOLATION: FRACTION}
# Bonferroni: all quantities of a look are together within their intervals at 95 %.
CONFIDENCE = 1 - 0.05 / len(QUANTITIES)
# What is called wrong is so at 95 % for all compositions together: so much wider intervals.
WIDER = float(norm.isf(0.025 / len(QUANTITIES) / len(CHAINS)) / norm.isf(0.025 / len(QUANTITIES)))


@dataclass(frozen=True)
class Look:
    """Both runs after one length.

    Attributes:
        length: In tau.
        pairs: Quantity -> its estimates from both starts, with intervals at CONFIDENCE.
        agreement: Quantity -> whether the two agree; None where one is not known.
        equilibrated: Whether each run is called equilibrated.
        slowest: The quantity with the largest statistical inefficiency, of both runs.
        inefficiency: That inefficiency in tau.
    """

    length: float
    pairs: dict[str, tuple[Estimate, Estimate]]
    agreement: dict[str, bool | None]
    equilibrated: tuple[bool, bool]
    slowest: str
    inefficiency: float

    @property
    def is_together(self) -> bool:
        """Whether both are called equilibrated, all is known, and all agrees."""
        return all(self.equilibrated) and all(self.agreement.values())

    @property
    def is_apart(self) -> bool:
        """Whether both are called equilibrated and something known of both differs for certain."""
        far = [agree(*pair, WIDER) is False for pair in self.pairs.values()]
        return all(self.equilibrated) and any(far)

    @property
    def unknown(self) -> list[str]:
        """Quantities that are not known from both starts."""
        return [name for name, answer in self.agreement.items() if answer is None]

    def __str__(self) -> str:
        """One line: what was found and what speaks against it."""
        called = ' and '.join(
            'equilibrated' if each else 'not equilibrated' for each in self.equilibrated
        )
        answers = {True: 'agree', False: 'apart', None: 'not known'}
        found = '; '.join(
            f'{name.replace("_", " ")} '
            + ' and '.join(said(each.within(*LIMITS[name])) for each in pair)
            + f' ({answers[self.agreement[name]]})'
            for name, pair in self.pairs.items()
        )
        return (
            f'{self.length:g} tau: called {called}; {found}; slowest: '
            f'{self.slowest.replace("_", " ")}, inefficiency {self.inefficiency:.3g} tau'
        )


def jobs() -> Iterator[Job]:
    """One job for each composition; what is asked does not depend on the engine."""
    for fraction in CHAINS:
        yield Job(f'LSP {fraction}', partial(two_starts, fraction), ('lammps',))


def two_starts(fraction: Fraction, engine: str) -> Iterator[Row]:
    """Cluster results of both starts, and how long it takes until they agree."""
    comparison = Comparison(fraction, engine)
    number = len(comparison.sample.charges)
    lengths = [length for length in LENGTHS if number * length <= ROOM]
    looks = list(comparison.looks(lengths))
    yield judged(
        f'ion clusters from dispersed and from aggregated ions, LSP {fraction}, '
        f'{comparison.n_ions} ions in {number} beads',
        engine,
        'one another',
        f'{outcome_text(looks)}. At the start: {comparison.beginnings}. At {looks[-1]}',
        f'together, or declared not equilibrated or not known; differences beyond 95 % of '
        f'{len(QUANTITIES)} quantities in {len(CHAINS)} compositions together fail',
        holds=not looks[-1].is_apart,
    )


class Comparison:
    """Two runs of a composition that began differently.

    Attributes:
        sample: The melt; with its ions where the relaxation left them.
        n_ions: How many ions it has.
        beginnings: Coordination number and largest-cluster fraction of both at their start.
    """

    def __init__(self, fraction: Fraction, engine: str) -> None:
        composition = {'LSP': float(fraction), 'DOPA': float(1 - fraction)}
        self.sample = melt('isp', composition, CHAINS[fraction], 20)
        self.n_ions = int(np.count_nonzero(self.sample.charges))
        mesh = self.sample.mesh(COULOMB_ERROR)
        starts = {
            'dispersed': under_coupling(self.sample, 0.0, engine),
            'aggregated': under_coupling(self.sample, 3.0, engine),
        }
        self._runs = [
            Start(start, engine, mesh, seed) for seed, start in enumerate(starts.values(), start=41)
        ]
        self.beginnings = ', '.join(
            f'{name} ' + at_once(run) for name, run in zip(starts, self._runs, strict=True)
        )

    def looks(self, lengths: Sequence[float]) -> Iterator[Look]:
        """Both runs after each length, up to the one that confirms the one before."""
        before = False
        try:
            for length in lengths:
                look = compare(length, [run.until(length) for run in self._runs])
                yield look
                if before and look.is_together:
                    return
                before = look.is_together
        finally:
            for run in self._runs:
                run.close()


class Start:
    """One start, run on by stretches; the ions alone are kept."""

    def __init__(self, start: Sample, engine: str, mesh: CoulombMesh | None, seed: int) -> None:
        self._ions = np.flatnonzero(start.charges)
        self._charges = start.charges[self._ions]
        self._box = start.state.box
        self._simulation = start.simulation(
            make_engine(engine), Langevin(LONG_TIME_STEP, 1.0, 0.2), mesh, seed
        )
        self._frames: list[NDArray[np.float64]] = []
        self.beginning = self._trajectory([self._now()], 1)

    def until(self, length: float) -> ArrayTrajectory:
        """Frames up to this many tau, MOST_FRAMES at most."""
        wanted = round(length / PERIOD)
        while len(self._frames) < wanted:
            self._simulation.run(round(PERIOD / LONG_TIME_STEP))
            self._frames.append(self._now())
        stride = math.ceil(wanted / MOST_FRAMES)
        return self._trajectory(self._frames[stride - 1 : wanted : stride], stride)

    def close(self) -> None:
        """Free the engine."""
        self._simulation.close()

    def _now(self) -> NDArray[np.float64]:
        state = self._simulation.state()
        return np.asarray((state.positions + state.images * state.box)[self._ions])

    def _trajectory(self, frames: list[NDArray[np.float64]], stride: int) -> ArrayTrajectory:
        between = stride * round(PERIOD / LONG_TIME_STEP)
        return ArrayTrajectory(
            np.array(frames),
            self._box,
            steps=between * np.arange(1, len(frames) + 1),
            charge=self._charges,
            time_step=LONG_TIME_STEP,
        )


def under_coupling(sample: Sample, factor: float, engine: str) -> Sample:
    """The same beads after some time with `factor` times the Bjerrum length, and a damped moment.

    Ions that find their charges all at once fall together faster than LONG_TIME_STEP can follow.
    """
    field = replace(sample.field, bjerrum_length=factor * sample.field.bjerrum_length)
    other, mixing = Sample(sample.frame, field), Langevin(TIME_STEP, 1.0, 1.0)
    other = other.moved(engine, mixing, PREPARATION_STEPS, other.mesh(COULOMB_ERROR), 31)
    sample, damped = sample.with_state(other.state), Langevin(0.001, 1.0, 10.0)
    return sample.moved(engine, damped, DAMPED_STEPS, sample.mesh(COULOMB_ERROR), 31)


def at_once(run: Start) -> str:
    """Coordination number and largest-cluster fraction of the first frame."""
    series = clusters_of(run.beginning).series
    return (
        f'{series["coordination_number"][0]:.2f} neighbours, '
        f'{series["largest_cluster_fraction"][0]:.0%} in the largest'
    )


def clusters_of(trajectory: ArrayTrajectory) -> ClusterResult:
    """Its ion clusters."""
    return IonClusters(contact_distance=CONTACT).compute(Run(trajectory))


def compare(length: float, trajectories: Sequence[ArrayTrajectory]) -> Look:
    """Analyse both runs up to `length` in tau and compare them."""
    results = [clusters_of(each) for each in trajectories]
    one, other = (estimates(result) for result in results)
    pairs = {name: (one[name], other[name]) for name in QUANTITIES}
    spacing = length / len(results[0].steps)
    slow = {
        name: max(statistical_inefficiency(used(result, name)) for result in results)
        for name in MEANS
    }
    slowest = max(slow, key=slow.__getitem__)
    return Look(
        length,
        pairs,
        {name: agree(*pair) for name, pair in pairs.items()},
        (results[0].equilibration.is_equilibrated, results[1].equilibration.is_equilibrated),
        slowest,
        slow[slowest] * spacing,
    )


def used(result: ClusterResult, name: str) -> NDArray[np.float64]:
    """The part of a series that the estimates are from."""
    return np.asarray(result.series[name][-result.n_frames :])


def estimates(result: ClusterResult) -> dict[str, Estimate]:
    """The quantities that are compared, with intervals at CONFIDENCE."""
    found = {name: mean_with_interval(used(result, name), CONFIDENCE) for name in MEANS}
    percolates = used(result, 'percolation_dimension') > 0
    worth = result.percolation['any'].n_effective
    assert worth is not None  # a share of frames says what they are worth
    inefficiency = result.n_frames / worth
    return found | {PERCOLATION: proportion_with_interval(percolates, inefficiency, CONFIDENCE)}


def agree(first: Estimate, second: Estimate, wider: float = 1.0) -> bool | None:
    """Whether two estimates differ by no more than their intervals allow; None if not known.

    With `wider` the intervals count as so many times wider.

    The sides that face each other are added in squares: R. G. Newcombe, Statist. Med. 17, 873
    (1998), method 10, for proportions; for means it is the usual sum of variances.
    """
    one, other = ends(first), ends(second)
    if one is None or other is None:
        return None
    lower, upper = sorted((one, other))
    reach = math.hypot(lower[2] - lower[0], upper[0] - upper[1])
    return upper[0] - lower[0] <= wider * reach


def ends(estimate: Estimate) -> tuple[float, float, float] | None:
    """Mean and ends of the interval of an estimate that is to be trusted, else None."""
    if estimate.value is None or estimate.low is None or estimate.high is None or estimate.against:
        return None
    return estimate.value, estimate.low, estimate.high


def needed(looks: Sequence[Look]) -> tuple[float | None, bool]:
    """The length needed in tau, None if not reached; and whether the next one confirmed it."""
    for look, after in itertools.pairwise(looks):
        if look.is_together and after.is_together:
            return look.length, True
    return (looks[-1].length, False) if looks and looks[-1].is_together else (None, False)


def outcome_text(looks: Sequence[Look]) -> str:
    """The length needed in words, or what is in its way; and where both were wrong."""
    apart = [f'{look.length:g}' for look in looks if look.is_apart]
    wrong = f'; called equilibrated and yet apart after {", ".join(apart)} tau' if apart else ''
    return length_text(looks) + wrong


def length_text(looks: Sequence[Look]) -> str:
    """The length needed in words, or what is in its way."""
    length, is_confirmed = needed(looks)
    if length is None:
        last = looks[-1]
        bound = f'not settled up to {last.length:g} tau'
        if not all(last.equilibrated):
            return f'{bound}: called not equilibrated'
        if last.unknown:
            unknown = ', '.join(name.replace('_', ' ') for name in last.unknown)
            return f'{bound}: not known well enough: {unknown}'
        different = [name for name, answer in last.agreement.items() if answer is False]
        return f'{bound}: apart: {", ".join(different)}'.replace('_', ' ')
    if is_confirmed:
        return f'equilibrated, known and together after {length:g} tau, and again at twice that'
    return (
        f'equilibrated, known and together after {length:g} tau, '
        'the longest looked at, so not confirmed'
    )


def said(estimate: Estimate) -> str:
    """Mean and interval."""
    if estimate.value is None:
        return 'no value'
    if estimate.low is None or estimate.high is None:
        return f'{estimate.value:.3g} (no interval)'
    return f'{estimate.value:.3g} [{estimate.low:.3g}, {estimate.high:.3g}]'
