"""Monomer sequences of copolymers.

All sequences of a melt are drawn as one array, chain after chain (of stars, arm after arm); where
chance decides, a first unit has the composition of the melt, so that it does not drift along them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, PositiveInt

from models.designed_sequence import draw_blocks, draw_gradient, positions_in_strands
from models.markov_sequence import markov_chain, terminal_transitions
from user_input import StrictModel, UserError, nearest_name

FRACTION_TOLERANCE = 1e-6

# Conditioning on the composition: how often a melt is redrawn, and how many units that may cost.
MOST_DRAWS = 1000
MOST_UNITS_DRAWN = 20_000_000

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class _Statistics(StrictModel):
    """What all kinds share: whether the counts over the whole melt are the requested ones.

    Else they are only so on average (for 'periodic': rounded to whole monomers).
    """

    exact_composition: bool = True


class IdealSequence(_Statistics):
    """Ideal random copolymer: no memory. The terminal model at reactivity ratios 1, 1."""

    kind: Literal['ideal'] = 'ideal'


class TerminalSequence(_Statistics):
    """Terminal model of radical copolymerisation of two monomers (Mayo and Lewis 1944).

    Each has a reactivity ratio r = k_self / k_cross; at a given composition of the copolymer only
    their product matters.
    """

    kind: Literal['terminal']
    reactivity_ratios: dict[str, PositiveFloat] = Field(min_length=2, max_length=2)


class PeriodicSequence(_Statistics):
    """Every monomer as evenly spaced as its fraction allows, from a random starting unit.

    With `spacing`, the rarest must come at every `spacing`-th unit: have the fraction 1/spacing.
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


class BlockSequence(_Statistics):
    """One block after another along each chain, or each arm of a star from its core.

    The fraction of a monomer in the composition is shared equally by its blocks. Where the length
    of a block is not whole, chains differ by one unit, so that the whole melt has the composition.
    A monomer may come again, as in ['A', 'B', 'A'].
    """

    kind: Literal['block']
    blocks: tuple[str, ...] = Field(min_length=1)


class GradientSequence(_Statistics):
    """Two monomers whose mole fractions change linearly along each chain (or arm from the core).

    A unit at the place s, from 0 at the beginning to 1 at the end, is `monomer` with probability
    F + difference (1/2 - s), whatever its neighbours are.

    The difference, of mole fractions at the two ends, is at most 2 F and 2 (1 - F).
    """

    kind: Literal['gradient']
    monomer: str
    difference: float = Field(gt=0.0, le=1.0)


class ExplicitSequence(_Statistics):
    """The same units in every chain (or arm from the core), repeated along it where it is longer.

    The composition of the melt must be what they make it.
    """

    kind: Literal['explicit']
    units: tuple[str, ...] = Field(min_length=1)


SequenceStatistics = Annotated[
    IdealSequence
    | TerminalSequence
    | PeriodicSequence
    | BlockySequence
    | BlockSequence
    | GradientSequence
    | ExplicitSequence,
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
    monomers. A Markov chain (terminal, blocky) or a gradient is conditioned on it: melts are drawn
    until one has it. Where none of at most `MOST_DRAWS` has (melts above some 10^4 monomers), the
    nearest is taken and the few units too many, chosen at random, are exchanged.

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
    if isinstance(statistics, ExplicitSequence):
        return _repeated_units(statistics.units, composition, chain_lengths)
    if statistics.exact_composition:
        _check_realisable(composition, counts)
    if isinstance(statistics, BlockSequence):
        units = draw_blocks(_blocks(statistics.blocks, composition), fractions, chain_lengths)
        if statistics.exact_composition and np.any(
            np.bincount(units, minlength=counts.size) != counts
        ):
            raise UserError(
                "sequence: equal 'blocks' of one monomer cannot have the exact composition: choose "
                'chain lengths for which each block is a whole number of units.'
            )
        return units
    if isinstance(statistics, PeriodicSequence):
        if statistics.spacing is not None:
            _check_spacing(statistics.spacing, composition)
        return _evenly_spaced(counts, rng)
    if isinstance(statistics, IdealSequence):
        if statistics.exact_composition:
            return rng.permutation(np.repeat(np.arange(counts.size), counts))
        return rng.choice(counts.size, size=total, p=fractions).astype(np.int64)
    if isinstance(statistics, GradientSequence):
        falling, fraction = _falling(statistics, composition)

        def draw() -> IntArray:
            is_it = draw_gradient(fraction, statistics.difference, chain_lengths, rng)
            return np.where(is_it, falling, 1 - falling)

    else:
        memory = _memory(statistics, composition)
        is_first = np.zeros(total, dtype=bool)
        is_first[np.cumsum(chain_lengths) - chain_lengths] = True

        def draw() -> IntArray:
            return markov_chain(fractions, memory, is_first, rng)

    return _conditioned(draw, counts, rng) if statistics.exact_composition else draw()


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


def _conditioned(
    draw: Callable[[], IntArray], counts: IntArray, rng: np.random.Generator
) -> IntArray:
    total = int(counts.sum())
    if np.count_nonzero(counts) == 1:
        return np.full(total, np.argmax(counts), dtype=np.int64)
    nearest, least = np.empty(0, dtype=np.int64), np.inf
    for _ in range(max(1, min(MOST_DRAWS, MOST_UNITS_DRAWN // total))):
        units = draw()
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


def _blocks(blocks: tuple[str, ...], composition: Mapping[str, float]) -> IntArray:
    """Find the monomers of the blocks that the composition has, as indices into it."""
    present = list(composition)
    for monomer in present:
        if monomer not in blocks:
            raise UserError(
                f"sequence: 'blocks' lacks the monomer '{monomer}' of the composition: add it."
            )
    return np.array([present.index(monomer) for monomer in blocks if monomer in present])


def _falling(statistics: GradientSequence, composition: Mapping[str, float]) -> tuple[int, float]:
    """Find the monomer whose fraction falls, as an index into the composition, and its fraction."""
    present = list(composition)
    if len(present) != 2 or statistics.monomer not in present:
        raise UserError(
            f"sequence: kind 'gradient' is for '{statistics.monomer}' and one other monomer, but "
            f'the composition has {", ".join(present)}.'
        )
    fraction = composition[statistics.monomer]
    most = 2 * min(fraction, 1 - fraction)
    if statistics.difference > most + FRACTION_TOLERANCE:
        raise UserError(
            f'sequence: difference = {statistics.difference:g} takes the fraction of '
            f"'{statistics.monomer}', {fraction:g} on average, beyond 0 or 1: at most {most:g}."
        )
    return present.index(statistics.monomer), fraction


def _repeated_units(
    units: tuple[str, ...], composition: Mapping[str, float], chain_lengths: IntArray
) -> IntArray:
    names = list(dict.fromkeys([*composition, *units]))
    repeated = np.array([names.index(unit) for unit in units])
    drawn = repeated[positions_in_strands(chain_lengths) % len(units)]
    fractions = np.bincount(drawn, minlength=len(names)) / drawn.size
    found = {name: each for name, each in zip(names, fractions, strict=True) if each}
    if any(abs(found.get(m, 0.0) - composition.get(m, 0.0)) > FRACTION_TOLERANCE for m in names):
        raise UserError(
            f'sequence: these units make the mole fractions {_written(found)} in chains of this '
            f'length, and the composition has {_written(composition)}: write these, or change '
            "'units'."
        )
    return drawn


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
