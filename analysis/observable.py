"""What an observable is, and one pass over a trajectory for any number of them.

An observable is one file in `analysis/observables` and one line in its tuple: commands, operations,
tables, figures and reports follow from there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.estimate import Curve, Estimate, Scale
from analysis.geometry.topology import Snapshot, Topology
from analysis.plotting import COLOURS, plot_curves
from analysis.sampling.correlation_plan import CorrelationPlan
from analysis.sampling.run import Run
from user_input import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

R = TypeVar('R')
State = TypeVar('State')
Progress = Callable[[IntArray], Iterable[Any]]

UNLIMITED = (-np.inf, np.inf)
NOT_NEGATIVE = (0.0, np.inf)
FRACTION = (0.0, 1.0)
NO_FRAMES: IntArray = np.zeros(0, dtype=np.int64)


class Combination(StrEnum):
    """How the values of independent replicas are combined."""

    MEAN = 'mean'
    POSITIVE_TIME = 'positive time'
    PROPORTION = 'proportion'


@dataclass(frozen=True)
class Panel:
    """The axes of a figure on which quantities are drawn together; without limits by the values."""

    name: str
    label: str
    scale: Scale = 'linear'
    limits: tuple[float, float] | None = None


@dataclass(frozen=True)
class Quantity:
    """One scalar result.

    Attributes:
        name: As in tables, claims and `[protocol.sample.precision]`.
        unit: '1' where there is none.
        limits: Values outside are impossible; so are ends of intervals.
        panel: Where it is drawn; None leaves it out of figures.
        label: In legends and tables; the name where it is empty.
        is_key: Whether it is among the key results that are printed after a sweep.
        follows: Series of the production window (`Production.drifts`) that it drifts with.
    """

    name: str
    unit: str
    estimate: Estimate
    combination: Combination = Combination.MEAN
    limits: tuple[float, float] = UNLIMITED
    panel: Panel | None = None
    label: str = ''
    is_key: bool = False
    follows: tuple[str, ...] = ()

    @classmethod
    def positive(
        cls,
        name: str,
        unit: str,
        estimate: Estimate,
        panel: Panel | None = None,
        label: str = '',
        is_key: bool = False,
        follows: tuple[str, ...] = (),
    ) -> Quantity:
        """Make one that is positive, and combined by its logarithm, as times are."""
        kind = (Combination.POSITIVE_TIME, NOT_NEGATIVE)
        return cls(name, unit, estimate, *kind, panel, label, is_key, follows)


def option(default: Any, help: str, **settings: Any) -> Any:  # noqa: A002 - as argparse says it
    """Declare a field that the command line offers, with `settings` as argparse takes them."""
    return field(default=default, metadata={'option': {'help': help, **settings}})


def one_of(kind: type[StrEnum]) -> dict[str, Any]:
    """Make the settings of an option for one of the values of an enumeration."""

    def read(text: str) -> str:
        # What is none of them is refused by argparse, with a list of them.
        return kind(text) if text in tuple(kind) else text

    return {'type': read, 'choices': [each.value for each in kind]}


class Accumulator(ABC, Generic[R]):
    """What one analysis adds up in a pass over `frames`, the indices that it has to see, rising."""

    frames: IntArray = NO_FRAMES

    def add(self, frame: int, snapshot: Snapshot) -> None:
        """Take in the next of its frames."""

    @abstractmethod
    def conclude(self) -> R:
        """Make the result, after the last frame."""


@dataclass(frozen=True)
class Finished(Accumulator[R]):
    """A result that needs no frames."""

    result: R

    def conclude(self) -> R:
        """Return the result."""
        return self.result


class Observable(ABC, Generic[R]):
    """Something that is measured on a run; options of the command line are its fields.

    Attributes:
        name: Of its operation, its command, and NAME.json.
        definition: Formula, units and source, as plain text.
        result: Type of its results, a dataclass.
        source: The stage whose files it reads.
        defined_by: The field of `Definitions` that it is measured with; empty for none.
        never_precise: Why no length of a run makes some of its quantities precise, by name.
        names: Of its quantities, where these are the same for all systems.
        panels: Names of all that its quantities can be drawn on.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    definition: ClassVar[str]
    result: ClassVar[type]
    source: ClassVar[str] = 'sample'
    needs_trajectory: ClassVar[bool] = True
    needs_log: ClassVar[bool] = False
    defined_by: ClassVar[str] = ''
    never_precise: ClassVar[Mapping[str, str]] = {}
    names: ClassVar[tuple[str, ...]] = ()
    panels: ClassVar[tuple[str, ...]] = ()

    def applies_to(self, topology: Topology) -> bool:
        """Return whether a system has what is measured."""
        return True

    @abstractmethod
    def begin(self, run: Run) -> Accumulator[R]:
        """Prepare for a pass over the frames of a run; UserError if it cannot be measured on it."""

    def compute(self, run: Run, progress: Progress = iter) -> R:
        """Measure it on a run, or raise a UserError; `progress` wraps the frames to show them."""
        outcome = analyse(run, [self], progress)[self.name]
        if outcome.refusal:
            raise UserError(outcome.refusal)
        result: R = outcome.result
        return result

    @abstractmethod
    def quantities(self, result: R) -> list[Quantity]:
        """List the scalars of a result."""

    def quantity_names(
        self, particle_types: Sequence[str], bond_types: Sequence[str]
    ) -> tuple[str, ...]:
        """List all names that `quantities` can give for a system of such types."""
        return self.names

    def curves(self, result: R) -> dict[str, Curve]:
        """Return the functions of a result, by name."""
        return {}

    def notes(self, result: R) -> list[str]:
        """List what else a reader of the numbers has to know."""
        return []

    def plot(self, result: R, ax: Axes) -> None:
        """Draw a result; by default its curves, or the quantities of one without any."""
        if curves := self.curves(result):
            plot_curves(ax, curves)
            return
        for row, quantity in enumerate(self.quantities(result)):
            estimate = quantity.estimate
            if estimate.value is not None:
                ax.plot([estimate.value], [row], 'o', color=COLOURS[0])
            if estimate.low is not None and estimate.high is not None:
                ax.hlines(row, estimate.low, estimate.high, color=COLOURS[0])
        names = [quantity.name.replace('_', ' ') for quantity in self.quantities(result)]
        ax.set_yticks(range(len(names)), names)
        ax.set_xlabel('value with 95 % interval, reduced units')


@dataclass(frozen=True)
class Outcome:
    """What came of an analysis: a result, or why it was refused."""

    result: Any = None
    refusal: str = ''


def analyse(
    run: Run, observables: Sequence[Observable[Any]], progress: Progress = iter
) -> dict[str, Outcome]:
    """Measure several observables in one pass: each frame is read once, by all that need it.

    An observable that is refused stops no other; UserError if a frame cannot be read.
    """
    outcomes: dict[str, Outcome] = {}
    running: dict[str, Accumulator[Any]] = {}

    @contextmanager
    def refusal_of(name: str) -> Iterator[None]:
        try:
            yield
        except UserError as error:
            outcomes[name] = Outcome(refusal=str(error))
            running.pop(name, None)

    for observable in observables:
        with refusal_of(observable.name):
            running[observable.name] = observable.begin(run)
    frames = np.unique(np.concatenate([NO_FRAMES, *(a.frames for a in running.values())]))
    wanted = {name: set(a.frames.tolist()) for name, a in running.items()}
    for frame in progress(frames) if len(frames) else ():
        assert run.trajectory is not None  # only frames of a trajectory are asked for
        snapshot = run.trajectory.read(int(frame))
        for name in list(running):
            if int(frame) in wanted[name]:
                with refusal_of(name):
                    running[name].add(int(frame), snapshot)
    for name, accumulator in list(running.items()):
        with refusal_of(name):
            outcomes[name] = Outcome(accumulator.conclude())
    return {observable.name: outcomes[observable.name] for observable in observables}


@dataclass(frozen=True)
class BlockSums:
    """Sums of correlations over pairs of frames, by the block that the origin lies in.

    Attributes:
        time: Lags, in the unit of `Run.time_unit`, shape (L,).
        sums: Shape (n, B, L) for n correlations.
        counts: Number of origins, shape (B, L).
        duration: Of the frames used, in the unit of the lags.
    """

    time: FloatArray
    sums: FloatArray
    counts: FloatArray
    duration: float


class Correlator(ABC, Generic[State, R]):
    """The part of a time correlation that knows what is correlated, for one run."""

    @abstractmethod
    def remember(self, snapshot: Snapshot) -> State:
        """Take from a frame what later frames are correlated with."""

    @abstractmethod
    def correlate(self, origin: State, later: State) -> FloatArray:
        """Correlate two frames, shape (n,) for n correlations."""

    @abstractmethod
    def conclude(self, sums: BlockSums) -> R:
        """Make the result."""


class TimeCorrelation(Observable[R]):
    """An observable that correlates pairs of frames; which pairs is settled here.

    Frames may be at any spacing: lags are those that occur between frames, some eight a decade,
    and each is averaged over origins that are spread over the run.
    """

    @abstractmethod
    def correlator(self, run: Run) -> Correlator[Any, R]:
        """Prepare for a run; errors as `begin`."""

    def begin(self, run: Run) -> Accumulator[R]:
        """Prepare for a pass over the frames of a run."""
        correlator = self.correlator(run)
        return _PairsOfFrames(run, run.correlation_plan, correlator)


class _PairsOfFrames(Accumulator[R]):
    """Correlates each frame with the origins before it, and forgets these after their last use."""

    def __init__(self, run: Run, plan: CorrelationPlan, correlator: Correlator[Any, R]) -> None:
        self._run, self._plan, self._correlator = run, plan, correlator
        self.frames = run.correlated_frames[np.union1d(plan.origin, plan.later)]
        self._index_of = {int(frame): k for k, frame in enumerate(run.correlated_frames)}
        self._last_use = np.full(len(run.correlated_frames), -1, dtype=np.int64)
        np.maximum.at(self._last_use, plan.origin, plan.later)
        self._counts = np.zeros((plan.n_blocks, len(plan.lags)))
        np.add.at(self._counts, (plan.block, plan.lag_index), 1)
        self._live: dict[int, Any] = {}
        self._sums: FloatArray | None = None

    def add(self, frame: int, snapshot: Snapshot) -> None:
        plan, index = self._plan, self._index_of[frame]
        state = self._correlator.remember(snapshot)
        first, last = np.searchsorted(plan.later, [index, index + 1])
        for pair in range(first, last):
            found = self._correlator.correlate(self._live[int(plan.origin[pair])], state)
            if self._sums is None:
                self._sums = np.zeros((len(found), *self._counts.shape))
            self._sums[:, plan.block[pair], plan.lag_index[pair]] += found
        self._live[index] = state
        self._live = {k: held for k, held in self._live.items() if self._last_use[k] > index}

    def conclude(self) -> R:
        assert self._sums is not None  # a plan has pairs
        unit = self._run.time_step or 1.0
        time = np.asarray(self._plan.lags * unit, dtype=np.float64)
        return self._correlator.conclude(
            BlockSums(time, self._sums, self._counts, self._plan.duration * unit)
        )
