"""Why results are not converged, grouped by cause, with what helps and what that costs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workflow.results.aggregate import Row, SweepTable
from workflow.results.axis import place_text

MOST_STATES = 8


@dataclass(frozen=True)
class Cause:
    """Why results are not converged, and on how many it bears."""

    title: str
    cure: str
    n_rows: int
    quantities: str
    states: str


@dataclass
class _Kind:
    """A cause, by words of verdicts; groups of the pattern say by what factor a run falls short."""

    pattern: str
    title: str
    cure: str
    power: int = 1
    rows: list[Row] = field(default_factory=list)
    factor: float = 1.0


def causes_of(table: SweepTable, runs: Sequence[Mapping[str, Any]] = ()) -> list[Cause]:
    """Group the results that are not converged by cause, the most frequent first.

    `runs` are records of runs of stages, whose hours tell what more sampling costs.
    """
    kinds = _kinds()
    others: dict[str, _Kind] = {}
    for row in table.rows:
        for reason in filter(None, row.estimate.verdict.split('; ')):
            kind = next((each for each in kinds if re.search(each.pattern, reason)), None)
            if kind is None:
                title = re.sub(r' \(\d+ of \d+ replicas\)$', '', reason)
                kind = others.setdefault(title, _Kind(re.escape(title), title, ''))
            if row not in kind.rows:
                kind.rows.append(row)
            kind.factor = max(kind.factor, _shortfall(kind, reason))
    found = [kind for kind in (*kinds, *others.values()) if kind.rows]
    hours = sum(float(run.get('seconds', 0)) for run in runs if run.get('stage') == 'sample') / 3600
    return [_cause(kind, table, hours) for kind in sorted(found, key=lambda each: -len(each.rows))]


def _kinds() -> list[_Kind]:
    longer = 'Longer sampling: raise [protocol.sample] minimum_steps.'
    return [
        _Kind(
            'drift|not equilibrated',
            'Not equilibrated: the runs still drift.',
            'Longer sampling, of which the beginning is left out: raise [protocol.sample] '
            'minimum_steps. For new runs, a longer [protocol.equilibrate] or anneal.',
        ),
        _Kind(r'linear|lags are too few', 'No diffusive regime within the runs.', longer),
        _Kind(
            'longest lag|no lag has|half a block|not relaxed|origins there|where the curve ends|'
            'extrapolated',
            'Slower than the runs can show.',
            longer,
        ),
        _Kind(
            'shortest lag|within a few rows',
            'Faster than frames or rows are written.',
            'A shorter [protocol.sample] shortest_interval, or log_period.',
        ),
        _Kind(
            'frames are too far apart',
            'Breaks and hops between frames are not seen.',
            'A shorter [protocol.dense_sample] interval.',
        ),
        _Kind(
            'half the window|within the window|ends were seen',
            'Lives as long as the window.',
            'A longer [protocol.dense_sample]: raise steps.',
        ),
        _Kind(
            'no integral',
            'The spectrum gives no transport coefficient.',
            'Longer sampling, or more replicas.',
        ),
        _Kind(
            r'too short: ([\d.]+) independent values, ([\d.]+) needed|too short',
            'Too few independent values within a run.',
            longer,
        ),
        _Kind(
            r'precision ([\d.e+-]+) over replicas, ([\d.e+-]+) is asked for|is asked for',
            'Intervals wider than asked for.',
            'More replicas.',
            power=-2,
        ),
        _Kind(
            'of the bath',
            'A temperature that is not that of the bath.',
            'A shorter time step; see the notes on the jobs.',
        ),
        _Kind(
            'do not have it|no replica has|have no value',
            'Not found in all of the replicas.',
            'See the notes on the jobs; often longer sampling.',
        ),
        _Kind(
            'no interval$|no interval:|one replica|stretch|one of its blocks|few to tell',
            'No interval.',
            'More replicas, or longer sampling.',
        ),
    ]


def _shortfall(kind: _Kind, reason: str) -> float:
    match = re.search(kind.pattern, reason)
    if match is None or not match.groups() or match.group(1) is None:
        return 1.0
    has, needs = float(match.group(1)), float(match.group(2))
    ratio = needs / has if has else 1.0
    return float(ratio**kind.power)


def _cause(kind: _Kind, table: SweepTable, hours: float) -> Cause:
    cure = kind.cure
    if kind.factor > 1:
        cure += f' About {kind.factor:.2g} times as much for the worst of them'
        more = hours * (kind.factor - 1)
        cure += f', {more:.2g} hours of one core for all runs.' if hours else '.'
    names = dict.fromkeys(row.quantity.name for row in kind.rows)
    states = list(dict.fromkeys(place_text(row.place, table.axis) for row in kind.rows))
    shown = '; '.join(states[:MOST_STATES])
    if len(states) == len(table.states) > 1:
        shown = 'in all states'
    elif len(states) > MOST_STATES:
        shown += f' and {len(states) - MOST_STATES} more'
    return Cause(kind.title, cure, len(kind.rows), ', '.join(names), shown)
