"""Numbers that observables are defined with: one set for all runs that are compared."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from analysis.estimators.estimate import Estimate
from analysis.estimators.intervals import jackknife
from analysis.sampling.contact_distance import PairCounts, pair_correlation_of, pool
from analysis.sampling.main_peak import ShellSums, peak_of, pool_shells
from user_input import UserError, nearest_name

FEWEST_RUNS = 3

_Sums = TypeVar('_Sums')


@dataclass(frozen=True)
class Definition:
    """A number, and where it is from; its verdict says why it is not known."""

    estimate: Estimate
    source: str


@dataclass(frozen=True)
class Definitions:
    """Contact distances by pair of species, 'Li-S', and the wave number of the main peak of S(q).

    A run without ions has no contact distances.
    """

    contact_distances: dict[str, Definition]
    wave_number: Definition

    def contact_distance_values(self, pairs: Collection[str]) -> dict[str, float]:
        """Return the contact distances of these pairs; UserError if one is not known."""
        found = {}
        for pair in pairs:
            given = self.contact_distances.get(pair)
            estimate = Estimate(verdict='no run had both') if given is None else given.estimate
            if estimate.value is None:
                raise UserError(
                    f'no contact distance of {pair}: {estimate.verdict}. Name one in the sweep '
                    f"file: [definitions] contact_distance = {{ '{pair}' = ... }}."
                )
            found[pair] = estimate.value
        return found


@dataclass(frozen=True)
class Structure:
    """What definitions are pooled from, of one run: pairs of ions by species, and S(q)."""

    pairs: dict[str, PairCounts]
    shells: ShellSums


def read_contact_distance(text: str) -> float | dict[str, float]:
    """Read '1.3', or 'Li-S=1.3,Na-S=1.6' for several pairs of species; ValueError for others."""
    if '=' not in text:
        return float(text)
    pairs = (part.partition('=') for part in text.split(','))
    return {name.strip(): float(value) for name, _, value in pairs}


def distances_by_pair(
    given: float | Mapping[str, float], pairs: Collection[str]
) -> dict[str, float]:
    """Assign distances to pairs of species, which may be named either way round.

    Raises:
        UserError: For an unknown pair, or a distance that is not a positive number.
    """
    if not isinstance(given, Mapping):
        given = dict.fromkeys(pairs, given)
    either_way = {'-'.join(reversed(pair.split('-'))): pair for pair in pairs}
    either_way |= {pair: pair for pair in pairs}
    for name, distance in given.items():
        if name not in either_way:
            raise UserError(
                f"contact distance: no cation and anion are '{name}'. {nearest_name(name, pairs)}"
            )
        if not (np.isfinite(distance) and distance > 0):
            raise UserError(f'contact distance {distance}: give a positive length.')
    return {either_way[name]: float(distance) for name, distance in given.items()}


def pool_definitions(runs: Sequence[Structure]) -> Definitions:
    """Find contact distances and wave number from the structures of runs of all states.

    Intervals are those of a jackknife over the runs, of three or more.
    """
    pairs = dict.fromkeys(pair for run in runs for pair in run.pairs)
    distances = {
        pair: _pooled(
            [run.pairs[pair] for run in runs if pair in run.pairs],
            _first_minimum,
            'first minimum of the pooled g(r)',
        )
        for pair in pairs
    }
    shells = [run.shells for run in runs]
    return Definitions(distances, _pooled(shells, _main_peak, 'main peak of the pooled S(q)'))


def _first_minimum(runs: Sequence[PairCounts]) -> tuple[float | None, str]:
    found = pair_correlation_of(pool(runs))
    return found.first_minimum, found.verdict


def _main_peak(runs: Sequence[ShellSums]) -> tuple[float | None, str]:
    return peak_of(pool_shells(runs))


def _pooled(
    runs: Sequence[_Sums],
    find: Callable[[Sequence[_Sums]], tuple[float | None, str]],
    what: str,
) -> Definition:
    source = f'{what} of {len(runs)} runs'
    value, verdict = find(runs)
    estimate = Estimate(value, n_effective=float(len(runs)), verdict=verdict)
    if value is None or len(runs) < FEWEST_RUNS:
        return Definition(estimate, source)
    without = [find(list(runs[:k]) + list(runs[k + 1 :]))[0] for k in range(len(runs))]
    known = np.array([each for each in without if each is not None])
    if len(known) < len(without):
        return Definition(replace(estimate, verdict='is not found without one of the runs'), source)
    low, high = jackknife(np.array([value]), known[:, None])
    return Definition(replace(estimate, low=float(low[0]), high=float(high[0])), source)
