"""What must hold in a model file beyond the type of each value.

Each rule raises `ValueError` with what is wrong and what to do; the schema passes it on with the
name of the file.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable

from models.entries import ModelEntries, PairException
from models.free_molecules import charge_of, counter_ions_of, formula_unit
from models.molecules import shares_of
from user_input import nearest_name

ANY_BEAD = '*'
CHARGE_TOLERANCE = 1e-9


def check_names(model: ModelEntries) -> None:
    """Check that every bead, bond and angle type that is used is defined."""
    if ANY_BEAD in model.beads:
        raise ValueError(f"a bead type may not be called '{ANY_BEAD}', which means every bead")
    for name, graph in [*model.monomers.items(), *model.molecules.items()]:
        place = f"{'monomer' if name in model.monomers else 'molecule'} '{name}'"
        _check_known('bead type', graph.beads, model.beads, place)
        _check_known('bond type', (bond[2] for bond in graph.bonds), model.bonds, place)
        _check_known('angle type', (angle[3] for angle in graph.angles), model.angles, place)
    for name, molecule in model.molecules.items():
        for *_, bond in molecule.bonds:
            if bond in model.bonds_along_backbones:
                raise ValueError(
                    f"molecule '{name}' has bonds of the type '{bond}', by which chains are known: "
                    "give it a type of its own in 'bonds', which may be a copy"
                )
    names = [*model.monomers, *model.molecules, *model.salts]
    for name, count in collections.Counter(names).items():
        if count > 1:
            raise ValueError(f"'{name}' names {count} of monomers, molecules and salts: rename one")
    _check_known('bond type', [model.backbone.bond], model.bonds, "'backbone'")
    if model.backbone.angle is not None:
        _check_known('angle type', [model.backbone.angle], model.angles, "'backbone'")
    for bead, ions in model.counter_ions.items():
        _check_known('bead type', [bead, *shares_of(ions)], model.beads, "'counter_ions'")
    for name, salt in model.salts.items():
        _check_known('bead type', [salt.cation, salt.anion], model.beads, f"salt '{name}'")
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
    """Check the charges of ions, and that a melt can be neutral."""
    is_given = model.bjerrum_length or model.permittivity
    if any(bead.charge for bead in model.beads.values()) and not is_given:
        raise ValueError(
            "the model has charges, so 'bjerrum_length' must be given, above 0, or with [units] "
            "'permittivity'"
        )
    for bead, ions in model.counter_ions.items():
        for ion in shares_of(ions):
            if model.beads[bead].charge * model.beads[ion].charge >= 0:
                raise ValueError(
                    f"'counter_ions': '{ion}' (charge {model.beads[ion].charge:g}) cannot "
                    f"neutralise '{bead}' (charge {model.beads[bead].charge:g}): give them "
                    'opposite charges'
                )
        shares = shares_of(ions).values()
        if min(shares, default=0) <= 0 or sum(shares) > 1 + CHARGE_TOLERANCE:
            raise ValueError(
                f"'counter_ions': the fractions of the charge of '{bead}' that ions neutralise "
                f'add up to {sum(shares):g}: give numbers above 0 that add up to 1, or to less '
                'where chains neutralise the rest'
            )
    for name, salt in model.salts.items():
        cation, anion = (model.beads[ion].charge for ion in (salt.cation, salt.anion))
        if cation <= 0 or anion >= 0:
            raise ValueError(
                f"salt '{name}': the cation '{salt.cation}' has the charge {cation:g} and the "
                f"anion '{salt.anion}' {anion:g}: name a positive and a negative bead"
            )
        cations, anions = formula_unit(model, salt)
        if abs(cations * cation + anions * anion) > CHARGE_TOLERANCE:
            raise ValueError(
                f"salt '{name}': no small numbers of charges {cation:g} and {anion:g} are "
                'neutral: choose charges whose ratio is one of whole numbers'
            )
    _check_can_be_neutral(model)


def _check_can_be_neutral(model: ModelEntries) -> None:
    """Check that charges of one sign, beyond counter-ions, meet some of the other sign."""
    rests = {f"molecule '{m}'": charge_of(model, g.beads) for m, g in model.molecules.items()}
    for name, monomer in model.monomers.items():
        ions = counter_ions_of(model, {name: 1.0})
        of_ions = sum(number * model.beads[ion].charge for ion, number in ions.items())
        rests[f"monomer '{name}'"] = charge_of(model, monomer.beads) + of_ions
    charged = {name: rest for name, rest in rests.items() if abs(rest) > CHARGE_TOLERANCE}
    if len({rest > 0 for rest in charged.values()}) == 1:
        name, rest = next(iter(charged.items()))
        bare = sorted(
            bead
            for bead in {bead for each in model.monomers.values() for bead in each.beads}
            if model.beads[bead].charge * rest > 0 and bead not in model.counter_ions
        )
        raise ValueError(
            f'{name} keeps a charge of {rest:g}, and nothing in the model has one of the other '
            f"sign to balance it: name in 'counter_ions' an ion of the opposite charge"
            + (f' for {", ".join(bare)}' if bare else '')
        )


def _check_known(what: str, names: Iterable[str], known: Iterable[str], place: str) -> None:
    known = list(known)
    for name in names:
        if name not in known:
            raise ValueError(
                f"{place} uses the {what} '{name}', which is not defined. "
                f'{nearest_name(name, known)}'
            )
