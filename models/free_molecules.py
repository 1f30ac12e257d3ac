"""How many ions and free molecules a melt holds, which is neutral as a whole."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

from models.entries import ModelEntries
from models.molecules import Amount, Salt, shares_of
from user_input import UserError

# Of a charge that is to be none; and of a number that is to be whole, relative and at most.
TOLERANCE = 1e-6
LARGEST_REST = 0.01
LARGEST_CHARGE_RATIO = 1000
# Some hundred times what one GPU runs; a slip of the finger asks for more.
MOST_MOLECULES = 100_000_000


def charge_of(model: ModelEntries, beads: tuple[str, ...]) -> float:
    """Add up the charges of beads."""
    return sum(model.beads[bead].charge for bead in beads)


def counter_ions_of(model: ModelEntries, monomers: Mapping[str, float]) -> dict[str, float]:
    """Count the counter-ions of each type that so many monomers bring; they may not be whole."""
    numbers: dict[str, float] = {}
    for name, count in monomers.items():
        for bead in model.monomers[name].beads:
            for ion, share in shares_of(model.counter_ions.get(bead, {})).items():
                charges = -model.beads[bead].charge / model.beads[ion].charge
                numbers[ion] = numbers.get(ion, 0.0) + count * share * charges
    return numbers


def formula_unit(model: ModelEntries, salt: Salt) -> tuple[int, int]:
    """Find the fewest cations and anions of a salt that are neutral together."""
    ratio = -model.beads[salt.anion].charge / model.beads[salt.cation].charge
    whole = Fraction(ratio).limit_denominator(LARGEST_CHARGE_RATIO)
    return whole.numerator, whole.denominator


def beads_in_melt(model: ModelEntries, monomers: Mapping[str, float], density: float) -> float:
    """Estimate the beads of a melt of so many monomers, which need not be whole numbers."""
    beads = _own_beads(model, monomers)
    amounts = _amounts(model, sum(monomers.values()), beads, density)
    return beads + sum(_size(model, name) * number for name, number in amounts.items())


def whole_counter_ions(model: ModelEntries, monomers: Mapping[str, int]) -> dict[str, int]:
    """Count the counter-ions of so many monomers; UserError where they do not come out whole."""
    numbers = {}
    for ion, number in counter_ions_of(model, monomers).items():
        if not _is_whole(number):
            charge = -number * model.beads[ion].charge
            raise UserError(
                f"counter_ions: the charge {charge:g} that '{ion}' (charge "
                f'{model.beads[ion].charge:g}) is to neutralise takes {number:g} of them, and '
                f'{_neighbours(number)} are possible: change the composition, the number or length '
                f'of chains{_better_shares(model, ion, number)}.'
            )
        numbers[ion] = round(number)
    return numbers


def check_neutral(
    model: ModelEntries,
    monomers: Mapping[str, int],
    ions: Mapping[str, int],
    molecules: Mapping[str, int],
) -> None:
    """Check that the charges of a melt add up to nothing; UserError if not."""
    charges = {
        **{f"monomers '{m}'": n * charge_of(model, model.monomers[m].beads)
           for m, n in monomers.items()},
        **{f"ions '{ion}'": n * model.beads[ion].charge for ion, n in ions.items()},
        **{f"molecules '{m}'": n * charge_of(model, model.molecules[m].beads)
           for m, n in molecules.items()},
    }  # fmt: skip
    rest = sum(charges.values())
    if abs(rest) > TOLERANCE:
        parts = ', '.join(f'{charge:+g} of {what}' for what, charge in charges.items() if charge)
        raise UserError(
            f'the melt keeps a charge of {rest:+g} ({parts}): change the composition until the '
            "charges balance, or name more 'counter_ions' in the model."
        )


def free_numbers(
    model: ModelEntries, monomers: Mapping[str, int], density: float
) -> tuple[dict[str, int], dict[str, int]]:
    """Count what a melt holds beside its chains, so that it is neutral.

    Concentrations are rounded to whole molecules; all else has to come out whole.

    Returns:
        Free ions (of counter-ions and salts), by bead type in the order of the model; and
        molecules, by name. UserError if a number is not whole, or the melt not neutral.
    """
    numbers = whole_counter_ions(model, monomers)
    amounts = _amounts(model, sum(monomers.values()), _own_beads(model, monomers), density)
    kinds = model.salts | model.molecules
    wanted = {name: _whole_amount(name, kind, amounts[name]) for name, kind in kinds.items()}
    for name, salt in model.salts.items():
        for ion, each in zip((salt.cation, salt.anion), formula_unit(model, salt), strict=True):
            numbers[ion] = numbers.get(ion, 0) + each * wanted[name]
    ions = {bead: numbers[bead] for bead in model.beads if numbers.get(bead)}
    molecules = {name: wanted[name] for name in model.molecules}
    check_neutral(model, monomers, ions, molecules)
    return ions, molecules


def _own_beads(model: ModelEntries, monomers: Mapping[str, float]) -> float:
    """Count the beads of the chains and of their counter-ions."""
    chains = sum(len(model.monomers[m].beads) * n for m, n in monomers.items())
    return chains + sum(counter_ions_of(model, monomers).values())


def _size(model: ModelEntries, name: str) -> int:
    """Count the beads of a formula unit or a molecule."""
    if name in model.salts:
        return sum(formula_unit(model, model.salts[name]))
    return len(model.molecules[name].beads)


def _amounts(
    model: ModelEntries, units: float, own_beads: float, density: float
) -> dict[str, float]:
    """Find the number of each kind of salt and molecule among chains and counter-ions.

    The box holds all beads at `density`: V = (beads of known number) / (density - sum c s), for
    molecules of s beads at the concentrations c.
    """
    kinds = model.salts | model.molecules
    found, beads, dense = {}, own_beads, density
    for name, kind in kinds.items():
        if kind.concentration is not None:
            dense -= kind.concentration * _size(model, name)
        else:
            found[name] = float(kind.number or 0) + (kind.per_monomer or 0.0) * units
            beads += found[name] * _size(model, name)
    if dense <= 0:
        raise UserError(
            f'salts, molecules: at their concentrations they have {density - dense:g} beads per '
            f'sigma^3, and the melt has {density:g}: make them smaller, or the density larger.'
        )
    for name, kind in kinds.items():
        if kind.concentration is not None:
            found[name] = kind.concentration * beads / dense
    return found


def _whole_amount(name: str, kind: Amount, number: float) -> int:
    if kind.concentration is None and not _is_whole(number):
        raise UserError(
            f"'{name}': per_monomer = {kind.per_monomer:g} makes {number:g} molecules, and "
            f'{_neighbours(number)} are possible: change it, or the number of monomers.'
        )
    if number > MOST_MOLECULES:
        raise UserError(f"'{name}': {number:g} molecules: at most {MOST_MOLECULES:g} can be built.")
    if round(number) < 1:
        raise UserError(
            f"'{name}': this melt would have {number:.2g} molecules of it: take more or longer "
            'chains, or leave it out.'
        )
    return round(number)


def _is_whole(number: float) -> bool:
    return abs(number - round(number)) <= min(TOLERANCE * max(1.0, number), LARGEST_REST)


def _neighbours(number: float) -> str:
    return f'{math.floor(number)} or {math.floor(number) + 1}'


def _better_shares(model: ModelEntries, ion: str, number: float) -> str:
    """Name the fractions of a mixed counter-ion for which its number would be whole."""
    named = [bead for bead, ions in model.counter_ions.items() if ion in shares_of(ions)]
    share = shares_of(model.counter_ions[named[0]])[ion]
    if len(named) > 1 or share == 1.0:
        return ''
    per_ion = share / number
    low, high = (per_ion * n for n in (math.floor(number), math.floor(number) + 1))
    return f", or its fraction of the charge of '{named[0]}' to {low:.9g} or {high:.9g}"
