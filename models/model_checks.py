"""What must hold in a model file beyond the type of each value.

Each rule raises `ValueError` with what is wrong and what to do; the schema passes it on with the
name of the file.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable

from models.entries import ModelEntries, PairException
from user_input import nearest_name

ANY_BEAD = '*'
# Of one monomer.
MOST_COUNTER_IONS = 100
CHARGE_TOLERANCE = 1e-9


def check_names(model: ModelEntries) -> None:
    """Check that every bead, bond and angle type that is used is defined."""
    if ANY_BEAD in model.beads:
        raise ValueError(f"a bead type may not be called '{ANY_BEAD}', which means every bead")
    for name, monomer in model.monomers.items():
        place = f"monomer '{name}'"
        _check_known('bead type', monomer.beads, model.beads, place)
        _check_known('bond type', (bond[2] for bond in monomer.bonds), model.bonds, place)
        _check_known('angle type', (angle[3] for angle in monomer.angles), model.angles, place)
    _check_known('bond type', [model.backbone.bond], model.bonds, "'backbone'")
    if model.backbone.angle is not None:
        _check_known('angle type', [model.backbone.angle], model.angles, "'backbone'")
    ions = itertools.chain.from_iterable(model.counter_ions.items())
    _check_known('bead type', ions, model.beads, "'counter_ions'")
    for pair in model.pairs:
        named = [bead for bead in pair.beads if bead != ANY_BEAD]
        _check_known('bead type', named, model.beads, f"'pairs', {list(pair.beads)}")


def check_pairs(model: ModelEntries) -> None:
    """Check that no pair of bead types is given two interactions."""
    for pair, count in collections.Counter(tuple(sorted(p.beads)) for p in model.pairs).items():
        if count > 1:
            raise ValueError(f"the pair {list(pair)} is {count} times in 'pairs': keep one")
        if pair == (ANY_BEAD, ANY_BEAD):
            raise ValueError(f"the pair {list(pair)} is every pair: write it as 'default_pair'")
    for first, second in itertools.combinations_with_replacement(model.beads, 2):
        candidates = matching_exceptions(model, first, second)
        if len({pair.model_copy(update={'beads': ('', '')}) for pair in candidates}) > 1:
            rules = ' and '.join(str(list(pair.beads)) for pair in candidates)
            raise ValueError(
                f"the pair ['{first}', '{second}'] falls under both {rules}, which differ: "
                "name the pair itself in 'pairs'"
            )


def matching_exceptions(model: ModelEntries, first: str, second: str) -> list[PairException]:
    """Find the most specific exceptions for two bead types: the named pair, else those with '*'."""
    wanted = sorted((first, second))
    named = [pair for pair in model.pairs if sorted(pair.beads) == wanted]
    return named or [
        pair for pair in model.pairs if ANY_BEAD in pair.beads and {first, second} & set(pair.beads)
    ]


def check_charges(model: ModelEntries) -> None:
    """Check charged bonds, and that counter-ions neutralise every monomer."""
    if any(bead.charge for bead in model.beads.values()) and not model.bjerrum_length:
        raise ValueError("the model has charges, so 'bjerrum_length' must be given, above 0")
    if model.coulomb_between_bonded is None:
        _check_no_charged_bond(model)
    for bead, ion in model.counter_ions.items():
        if model.beads[bead].charge * model.beads[ion].charge >= 0:
            raise ValueError(
                f"'counter_ions': '{ion}' (charge {model.beads[ion].charge:g}) cannot neutralise "
                f"'{bead}' (charge {model.beads[bead].charge:g}): give them opposite charges"
            )
    for name in model.monomers:
        _check_neutral(model, name)


def counter_ions_of(model: ModelEntries, monomer: str) -> dict[str, int]:
    """Count the counter-ions of each type that one monomer brings with it.

    Raises:
        ValueError: If the charge of the beads is no small multiple of the charge of their ion.
    """
    charges: dict[str, float] = collections.defaultdict(float)
    for bead in model.monomers[monomer].beads:
        if bead in model.counter_ions:
            charges[model.counter_ions[bead]] += model.beads[bead].charge
    numbers = {}
    for ion, charge in charges.items():
        ratio = -charge / model.beads[ion].charge
        if abs(ratio - round(ratio)) > CHARGE_TOLERANCE or ratio > MOST_COUNTER_IONS:
            raise ValueError(
                f"monomer '{monomer}' would need {ratio:g} counter-ions '{ion}' "
                f'(charge {model.beads[ion].charge:g}) for its charge {charge:g}: '
                f'choose charges whose ratio is a whole number, at most {MOST_COUNTER_IONS}'
            )
        numbers[ion] = round(ratio)
    return numbers


def _check_neutral(model: ModelEntries, name: str) -> None:
    charges = [model.beads[bead].charge for bead in model.monomers[name].beads]
    ions = counter_ions_of(model, name)
    rest = sum(charges) + sum(n * model.beads[ion].charge for ion, n in ions.items())
    if abs(rest) > CHARGE_TOLERANCE:
        bare = {
            bead
            for bead in model.monomers[name].beads
            if model.beads[bead].charge and bead not in model.counter_ions
        }
        raise ValueError(
            f"monomer '{name}' keeps a charge of {rest:g}: name in 'counter_ions' an ion of the "
            f'opposite charge for {", ".join(sorted(bare))}'
        )


def _check_no_charged_bond(model: ModelEntries) -> None:
    bonded = [
        (monomer.beads[bond[0]], monomer.beads[bond[1]], f"monomer '{name}'")
        for name, monomer in model.monomers.items()
        for bond in monomer.bonds
    ]
    joints = sorted({m.beads[m.backbone] for m in model.monomers.values()})
    pairs = itertools.combinations_with_replacement(joints, 2)
    for first, second, place in (*bonded, *((*pair, 'the backbone') for pair in pairs)):
        if model.beads[first].charge and model.beads[second].charge:
            raise ValueError(
                f"{place} bonds the charged beads '{first}' and '{second}': say whether bonded "
                "neighbours feel each other's charges (coulomb_between_bonded = true, as with "
                '`special_bonds lj 0 1 1 coul 1 1 1` of LAMMPS) or not (false)'
            )


def _check_known(what: str, names: Iterable[str], known: Iterable[str], place: str) -> None:
    known = list(known)
    for name in names:
        if name not in known:
            raise ValueError(
                f"{place} uses the {what} '{name}', which is not defined. "
                f'{nearest_name(name, known)}'
            )
