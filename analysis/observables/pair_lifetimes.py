"""How long pairs, cages and clusters of ions last without a break, and how often cations hop."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analysis.arrays import FloatArray
from analysis.estimators.estimate import Curve, Estimate, joined
from analysis.estimators.survival import Lives, Survival, median_of
from analysis.geometry.topology import Snapshot
from analysis.observable import Accumulator, Observable, Panel, Quantity, option
from analysis.observables.bound_ions import BoundIons
from analysis.observables.choice_of_ions import ChoiceOfContacts
from analysis.sampling.run import FEWEST_FRAMES, Run
from user_input import UserError, count_of

KINDS = ('pair', 'cage', 'cluster')
# This part of the window shows which pairs are bound: at its start that is only known of contacts.
PART_TO_BEGIN = 1 / 5
# Breaks between frames are not seen: what half as many change tells how far this goes. Where motion
# is diffusive this is 0.4 of what is missing, where it is ballistic, all of it.
MOST_BY_HALF_THE_FRAMES = 0.05
# Of the window: where a mean is longer, what is not known of the start still tells.
LONGEST_LIFE = 1 / 2
# Points of a curve to a decade.
POINTS = 20
MOST_PERCOLATING = 0.5


@dataclass(frozen=True)
class Lifetime:
    """How long one kind of thing lasts.

    Attributes:
        survival: Of those that began within the window.
        mean: Time that all are there over the number of their ends.
        median: Of the survival.
        n_began: How many began within the window.
        n_ended: How many ended within it.
    """

    survival: Curve
    mean: Estimate
    median: Estimate
    n_began: int
    n_ended: int


@dataclass(frozen=True)
class LifetimeResult:
    """Lifetimes of pairs, cages and clusters, by name.

    Attributes:
        time_unit: 'tau', or 'steps' where the time step is not known.
        interval: Time between two frames.
        duration: Of the window.
        contact_distances: By pair of species, as 'Li-S': a pair is made within it.
        broken_beyond: In contact distances: a pair is broken beyond it.
        hop_rate: Per cation and unit of time.
        percolating: Share of the frames in which a cluster percolates.
    """

    time_unit: str
    interval: float
    duration: float
    contact_distances: dict[str, float]
    broken_beyond: float
    lifetimes: dict[str, Lifetime]
    hop_rate: Estimate
    percolating: float


@dataclass(frozen=True)
class PairLifetimes(ChoiceOfContacts, Observable[LifetimeResult]):
    """Continuous lifetimes, from frames so close that no break is missed."""

    name = 'lifetimes'
    title = 'Ion lifetimes'
    definition = (
        'A cation and an anion are a pair from when they come within the contact distance until '
        'they part beyond 1.9 of it, about the second minimum of g(r) of the shipped models: '
        'what they do in between, or one frame at the edge, is no break (stable states: Laage and '
        'Hynes 2008, doi 10.1021/jp802033r). A cage is the set of all anions paired with a cation; '
        'a cluster is a connected set of ions, the same in the next frame where more than half of '
        'each is in the other. Mean lifetime: time that all are there over the number of ends '
        '(Little 1961, doi 10.1287/opre.9.3.383). Median and survival: of those that begin within '
        'the window, by Kaplan and Meier (1958, doi 10.1080/01621459.1958.10501452), as what was '
        'there before has an unknown age. Intervals: of ends that are correlated by cation and by '
        'time, Greenwood widened as much. A cation hops when its anion has left and it is '
        'next paired with another; the nearest is then its anion.'
    )
    result = LifetimeResult
    source = 'dense_sample'
    panels = ('ion lifetimes', 'hop rate')
    defined_by = 'contact_distances'
    names = (
        *(f'{kind}_lifetime{which}' for kind in KINDS for which in ('', '_median')),
        'hop_rate',
    )

    broken_beyond: float = option(
        1.9,
        'distance beyond which a pair is broken, in contact distances (default: 1.9)',
        type=float,
        metavar='RATIO',
    )

    def begin(self, run: Run) -> Accumulator[LifetimeResult]:
        if not (np.isfinite(self.broken_beyond) and self.broken_beyond >= 1):
            raise UserError(f'broken beyond {self.broken_beyond}: give a ratio of at least 1.')
        return _Followed(run, self)

    def quantities(self, result: LifetimeResult) -> list[Quantity]:
        unit = result.time_unit
        label = f'lifetime [{unit}]'.replace('tau', r'$\tau$')
        panel = Panel('ion lifetimes', label, 'log')
        found = []
        for name, each in result.lifetimes.items():
            mean, median = f'{name}_lifetime', f'{name}_lifetime_median'
            is_key = name == 'pair'
            found += [
                Quantity.positive(mean, unit, each.mean, panel, f'{name}s', is_key),
                Quantity.positive(median, unit, each.median, label=f'{name}s, median'),
            ]
        per_time = f'1/{unit}'.replace('/steps', '/step')
        label = f'hops per cation [{per_time}]'.replace('tau', r'$\tau$')
        panel = Panel('hop rate', label, 'log')
        # A rate is combined as the time that it is the inverse of.
        found.append(Quantity.positive('hop_rate', per_time, result.hop_rate, panel, 'hops'))
        return found

    def curves(self, result: LifetimeResult) -> dict[str, Curve]:
        curves = {f'{name}s': each.survival for name, each in result.lifetimes.items()}
        return {name: curve for name, curve in curves.items() if len(curve.x) > 1}

    def notes(self, result: LifetimeResult) -> list[str]:
        unit = result.time_unit
        return [
            f'a window of {result.duration:.4g} {unit}, frames every {result.interval:.4g} {unit}',
            *(
                f'{pair}: made within {distance:.4g}, broken beyond '
                f'{result.broken_beyond * distance:.4g}'
                for pair, distance in result.contact_distances.items()
            ),
            *(
                f'{name}s: {each.n_began} began, {each.n_ended} ended within the window'
                for name, each in result.lifetimes.items()
            ),
            f'a cluster percolates in {100 * result.percolating:.0f} % of the frames',
        ]


class _Followed(Accumulator[LifetimeResult]):
    """Follows the ions, and makes the result in units of time."""

    def __init__(self, run: Run, observable: PairLifetimes) -> None:
        path, frames = run.frames.path, run.even_frames
        steps = run.frames.steps[frames]
        if len(frames) < FEWEST_FRAMES:
            raise UserError(
                f'{path}: {count_of(len(frames), "frame")} at even spacing; at least '
                f'{FEWEST_FRAMES} are needed.'
            )
        if steps[0] == steps[-1]:
            raise UserError(f'{path}: all frames are of step {steps[0]}. Write their steps.')
        ions = observable.ions_of(run)
        self.frames, self._unit = frames, run.time_unit
        self._interval = float(np.median(np.diff(steps))) * (run.time_step or 1.0)
        self._distances, _ = observable.distances_of(run, ions)
        self._beyond = observable.broken_beyond
        self._first = int(len(frames) * PART_TO_BEGIN)
        limits = ions.limits(self._distances)
        self._bound, self._of_half = (
            BoundIons(ions, limits, self._beyond * limits, len(range(n, len(frames), step)))
            for n, step in ((self._first, 1), (self._first + self._first % 2, 2))
        )
        self._seen = 0

    def add(self, frame: int, snapshot: Snapshot) -> None:
        is_counted = self._seen >= self._first
        self._bound.add(snapshot, is_counted=is_counted)
        if self._seen % 2 == 0:
            self._of_half.add(snapshot, is_counted=is_counted)
        self._seen += 1

    def conclude(self) -> LifetimeResult:
        bound, half = self._bound, self._of_half
        lifetimes = {
            'pair': self._lifetime(bound.pairs, half.pairs),
            'cage': self._lifetime(bound.cages, half.cages),
            'cluster': _judged(self._lifetime(bound.clusters, half.clusters), bound.percolating),
        }
        stays = self._timed(self._mean(bound.stays), _unseen(bound.stays, half.stays))
        hops = stays.negated.mapped(lambda end: -1 / end)  # 1/x falls, and -1/x rises
        return LifetimeResult(
            self._unit,
            self._interval,
            self._interval * (len(self.frames) - self._first - 1),
            self._distances,
            self._beyond,
            lifetimes,
            hops,
            bound.percolating,
        )

    def _lifetime(self, lives: Lives, of_half: Lives) -> Lifetime:
        survival, unseen = lives.survival(), _unseen(lives, of_half)
        return Lifetime(
            self._curve(survival),
            self._timed(self._mean(lives), unseen),
            self._timed(median_of(survival), unseen),
            lives.began,
            lives.ends,
        )

    def _mean(self, lives: Lives) -> Estimate:
        found = lives.mean()
        if found.value is None or found.value <= LONGEST_LIFE * (len(self.frames) - self._first):
            return found
        # In a melt 23 to 26 tau within windows of 10 tau, and 21 tau within 40 tau and more.
        verdict = (
            'times longer than half the window: some 10 % off, as of ions between both radii at '
            'its start nobody knows whether they were a pair'
        )
        return replace(found, verdict=verdict)

    def _timed(self, frames: Estimate, unseen: str) -> Estimate:
        """Turn an estimate in frames into one of time, with what speaks against few frames."""
        found = frames.mapped(lambda end: end * self._interval)
        return replace(found, verdict=joined(unseen, frames.verdict))

    def _curve(self, survival: Survival) -> Curve:
        last = len(survival.time) - 1
        lags = np.geomspace(1, max(last, 1), 1 + int(POINTS * np.log10(max(last, 2))))
        kept = np.unique(lags.round().astype(np.int64))[: max(last, 0)]
        value, low, high = (each[kept] for each in (survival.value, survival.low, survival.high))
        x_label = f'time since it began [{self._unit}]'.replace('tau', r'$\tau$')
        time: FloatArray = survival.time[kept] * self._interval
        return Curve(time, value, low, high, x_label, 'share that lasts longer', 'log')


def _unseen(lives: Lives, of_half: Lives) -> str:
    """Say where every second frame gives another mean, beyond the interval of this one."""
    mean = lives.mean()
    if mean.value is None or mean.low is None or mean.high is None:
        return ''
    other = 2 * of_half.time / max(1, of_half.ends)
    apart = other / mean.value - 1
    if mean.low <= other <= mean.high or abs(apart) <= MOST_BY_HALF_THE_FRAMES:
        return ''
    return f'the frames are too far apart: every second one gives times that are {apart:+.0%}'


def _judged(clusters: Lifetime, percolating: float) -> Lifetime:
    """Say of clusters that one of them lives for ever."""
    if not percolating:
        return clusters
    share = f'a cluster percolates in {100 * percolating:.0f} % of the frames, and lives for ever'
    if percolating > MOST_PERCOLATING:
        none = Estimate(verdict=share)
        return replace(clusters, mean=none, median=none)
    mean, median = (
        replace(each, verdict=joined(share, each.verdict))
        for each in (clusters.mean, clusters.median)
    )
    return replace(clusters, mean=mean, median=median)
