"""Monomer sequences of copolymers.

All sequences of a melt are drawn as one array, chain after chain; a first unit has the
composition of the melt, so that the composition does not drift along the chains.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, PositiveInt

from user_input import StrictModel, UserError, nearest_name

FRACTION_TOLERANCE = 1e-6

# Conditioning on the composition: how often a melt is redrawn, and how many units that may cost.
MOST_DRAWS = 1000
MOST_UNITS_DRAWN = 20_000_000

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class _Statistics(StrictModel):
    """What all kinds share.

    Attributes:
        exact_composition: Whether the counts over the whole melt are the requested ones
            (default), or only so on average (for 'periodic': rounded to whole monomers).
    """

    exact_composition: bool = True


class IdealSequence(_Statistics):
    """Ideal random copolymer: no memory. The terminal model at reactivity ratios 1, 1."""

    kind: Literal['ideal'] = 'ideal'


class TerminalSequence(_Statistics):
    """Terminal model of radical copolymerisation of two monomers (Mayo and Lewis 1944).

    Attributes:
        reactivity_ratios: Monomer -> r = k_self / k_cross, of two monomers. At a given
            composition of the copolymer only their product matters.
    """

    kind: Literal['terminal']
    reactivity_ratios: dict[str, PositiveFloat] = Field(min_length=2, max_length=2)


class PeriodicSequence(_Statistics):
    """Every monomer as evenly spaced as its fraction allows, from a random starting unit.

    Attributes:
        spacing: If given, the rarest monomer must come at every `spacing`-th unit exactly, that
            is, have the fraction 1/spacing.
    """

    kind: Literal['periodic']
    spacing: PositiveInt | None = None


class BlockySequence(_Statistics):
    """Markov chain with memory: a unit repeats the one before it with probability `blockiness`.

    Otherwise it is drawn from the composition F. `blockiness` is the second eigenvalue lambda of
    the transition matrix (Fredrickson, Milner and Leibler, Macromolecules 25, 6341 (1992)):
    0 is the ideal random copolymer, towards 1 blocks grow without limit. Blocks of monomer i
    have the mean length 1 / [(1 - lambda) (1 - F_i)].
    """

    kind: Literal['blocky']
    blockiness: float = Field(ge=0.0, lt=1.0)


SequenceStatistics = Annotated[
    IdealSequence | TerminalSequence | PeriodicSequence | BlockySequence,
    Field(discriminator='kind'),
]


def check_composition(composition: Mapping[str, float], known: Mapping[str, object]) -> None:
    """Check that monomers are known and mole fractions add up to 1; UserError if not."""
    for monomer, fraction in composition.items():
        if monomer not in known:
            raise UserError(
                f"composition: the model has no monomer '{monomer}'. {nearest_name(monomer, known)}"
            )
        if not 0.0 <= fraction <= 1.0:
            raise UserError(
                f'composition: {monomer} = {fraction:g} is no mole fraction: '
                'give a number from 0 to 1.'
            )
    total = sum(composition.values())
    if abs(total - 1.0) > FRACTION_TOLERANCE:
        raise UserError(
            f'composition: the mole fractions {_written(composition)} add up to {total:.9g}: '
            'make their sum 1.'
        )


def draw_sequences(
    statistics: SequenceStatistics,
    composition: Mapping[str, float],
    chain_lengths: IntArray,
    rng: np.random.Generator,
) -> IntArray:
    """Draw the monomer sequences of all chains.

    With `exact_composition`, an ideal copolymer is a random permutation of the exact multiset of
    monomers. A Markov chain (terminal, blocky) is conditioned on it: melts are drawn until one
    has it. Where none of at most `MOST_DRAWS` has (melts above some 10^4 monomers), the nearest
    is taken and the few units too many, chosen at random, are exchanged.

    Args:
        composition: Monomer -> mole fraction, adding up to 1.
        chain_lengths: Shape (chains,), degrees of polymerisation.

    Returns:
        Shape (sum of chain_lengths,), indices into the monomers of `composition` in its order.

    Raises:
        UserError: If so many monomers cannot have this composition exactly and that is asked
            for, or if composition and statistics do not go together.
    """
    total = int(chain_lengths.sum())
    fractions = np.array(list(composition.values()))
    fractions = fractions / fractions.sum()
    counts = _whole_counts(fractions, total)
    if statistics.exact_composition:
        _check_realisable(composition, counts)
    if isinstance(statistics, PeriodicSequence):
        if statistics.spacing is not None:
            _check_spacing(statistics.spacing, composition)
        return _evenly_spaced(counts, rng)
    if isinstance(statistics, IdealSequence):
        if statistics.exact_composition:
            return rng.permutation(np.repeat(np.arange(counts.size), counts))
        return rng.choice(counts.size, size=total, p=fractions).astype(np.int64)
    memory = _memory(statistics, composition)
    is_first = np.zeros(total, dtype=bool)
    is_first[np.cumsum(chain_lengths) - chain_lengths] = True
    if statistics.exact_composition:
        return _conditioned_markov_chain(fractions, memory, is_first, counts, rng)
    return _markov_chain(fractions, memory, is_first, rng)


def terminal_transitions(fraction: float, r1: float, r2: float) -> tuple[float, float]:
    """Compute transition probabilities of the terminal model at a copolymer composition.

    Solves the Mayo-Lewis equation F1/F2 = x (r1 x + 1) / (x + r2) for the feed ratio x = f1/f2;
    then p12 = 1/(1 + r1 x) and p21 = x/(x + r2) (Mayo and Lewis, J. Am. Chem. Soc. 66, 1594
    (1944)).

    `fraction` is F1, the mole fraction of monomer 1 in the copolymer, between 0 and 1 exclusive;
    p12 and p21 are the probabilities that a 2 follows a 1, and a 1 a 2.
    """
    ratio = fraction / (1.0 - fraction)
    root = float(np.hypot(1.0 - ratio, 2.0 * np.sqrt(r1 * r2 * ratio)))
    # of the two equal forms of the root, the one without a difference of near-equal numbers
    if ratio < 1.0:
        feed = 2.0 * ratio * r2 / (1.0 - ratio + root)
    else:
        feed = (ratio - 1.0 + root) / (2.0 * r1)
    return 1.0 / (1.0 + r1 * feed), feed / (feed + r2)


def _memory(
    statistics: TerminalSequence | BlockySequence, composition: Mapping[str, float]
) -> float:
    """Compute the second eigenvalue of the transition matrix; of two states 1 - p12 - p21."""
    if isinstance(statistics, BlockySequence):
        return statistics.blockiness
    ratios = statistics.reactivity_ratios
    present = [monomer for monomer, fraction in composition.items() if fraction > 0.0]
    if len(present) > 2:
        raise UserError(
            f"sequence: kind 'terminal' is for two monomers, but the composition has "
            f"{len(present)} ({', '.join(present)}). Use 'ideal', 'blocky' or 'periodic'."
        )
    for monomer in present:
        if monomer not in ratios:
            raise UserError(
                f"sequence: 'reactivity_ratios' lacks the monomer '{monomer}' of the composition. "
                f'{nearest_name(monomer, ratios)}'
            )
    if len(present) == 1:
        return 0.0
    first, second = present
    p12, p21 = terminal_transitions(composition[first], ratios[first], ratios[second])
    return 1.0 - p12 - p21


def _markov_chain(
    fractions: FloatArray, memory: float, is_first: NDArray[np.bool_], rng: np.random.Generator
) -> IntArray:
    """Draw units that repeat (memory > 0), of two monomers alternate (< 0), or are redrawn.

    The redrawn ones come from a distribution g that leaves the composition F stationary:
    g = F where units repeat; F = |memory| (1 - F) + (1 - |memory|) g where they alternate.
    """
    size = is_first.size
    redrawn = fractions
    if memory < 0.0:
        redrawn = (fractions + memory * (fractions[::-1])) / (1.0 + memory)
        redrawn = np.clip(redrawn, 0.0, 1.0)
    is_redrawn = rng.random(size) >= abs(memory)
    drawn = np.searchsorted(np.cumsum(redrawn)[:-1], rng.random(size), side='right')
    drawn[is_first] = np.searchsorted(
        np.cumsum(fractions)[:-1], rng.random(np.count_nonzero(is_first)), side='right'
    )
    here = np.arange(size)
    last_drawn = np.maximum.accumulate(np.where(is_redrawn | is_first, here, 0))
    units = drawn[last_drawn]
    if memory < 0.0:
        units = units ^ ((here - last_drawn) % 2)
    return units.astype(np.int64)


def _conditioned_markov_chain(
    fractions: FloatArray,
    memory: float,
    is_first: NDArray[np.bool_],
    counts: IntArray,
    rng: np.random.Generator,
) -> IntArray:
    if np.count_nonzero(counts) == 1:
        return np.full(is_first.size, np.argmax(counts), dtype=np.int64)
    nearest, least = np.empty(0, dtype=np.int64), np.inf
    for _ in range(max(1, min(MOST_DRAWS, MOST_UNITS_DRAWN // is_first.size))):
        units = _markov_chain(fractions, memory, is_first, rng)
        surplus = np.abs(np.bincount(units, minlength=counts.size) - counts).sum()
        if surplus < least:
            nearest, least = units, surplus
        if surplus == 0:
            break
    return _exchange_surplus(nearest, counts, rng)


def _exchange_surplus(units: IntArray, counts: IntArray, rng: np.random.Generator) -> IntArray:
    surplus = np.bincount(units, minlength=counts.size) - counts
    changed = [
        rng.choice(np.flatnonzero(units == monomer), size=surplus[monomer], replace=False)
        for monomer in np.flatnonzero(surplus > 0)
    ]
    if changed:
        missing = np.repeat(np.arange(counts.size), np.maximum(-surplus, 0))
        units[np.concatenate(changed)] = rng.permutation(missing)
    return units


def _evenly_spaced(counts: IntArray, rng: np.random.Generator) -> IntArray:
    """Merge one evenly spaced set of marks for each monomer; begin at a random unit."""
    marks = [(np.arange(count) + 0.5) / count for count in counts if count]
    monomers = np.repeat(np.arange(counts.size), counts)
    order = np.argsort(np.concatenate(marks), kind='stable')
    return np.roll(monomers[order], rng.integers(monomers.size))


def _whole_counts(fractions: FloatArray, total: int) -> IntArray:
    """Find the whole numbers of monomers nearest to the fractions (largest remainder)."""
    wanted = fractions * total
    # the margin keeps a count such as 79.99999999 from being taken for 79
    counts = np.floor(wanted + FRACTION_TOLERANCE).astype(np.int64)
    counts[np.argsort(counts - wanted, kind='stable')[: total - int(counts.sum())]] += 1
    return counts


def _check_realisable(composition: Mapping[str, float], counts: IntArray) -> None:
    total = int(counts.sum())
    realised = dict(zip(composition, counts / total, strict=True))
    if all(abs(realised[m] - composition[m]) <= FRACTION_TOLERANCE for m in composition):
        return
    nearest = ', '.join(
        f'{monomer} = {count}/{total} = {count / total:.9f}'
        for monomer, count in zip(composition, counts, strict=True)
    )
    raise UserError(
        f'composition: {total} monomers cannot have the exact mole fractions '
        f'{_written(composition)}. The nearest are {nearest}: ask for these, change the number '
        'of monomers, or set exact_composition = false.'
    )


def _check_spacing(spacing: int, composition: Mapping[str, float]) -> None:
    present = {monomer: f for monomer, f in composition.items() if f > 0.0}
    rarest = min(present, key=present.__getitem__)
    if abs(present[rarest] * spacing - 1.0) > FRACTION_TOLERANCE * spacing:
        raise UserError(
            f"sequence: spacing = {spacing} needs the fraction {1.0 / spacing:.9g} of '{rarest}', "
            f'but the composition has {present[rarest]:.9g}: change one of them, or leave '
            "'spacing' out."
        )


def _written(composition: Mapping[str, float]) -> str:
    return ', '.join(f'{monomer} = {fraction:.9g}' for monomer, fraction in composition.items())
