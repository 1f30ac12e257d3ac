"""Which particles are ions: options that several observables have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analysis.geometry.ions import BondedIons, Ions, find_ions, has_ions
from analysis.geometry.topology import Topology
from analysis.observable import one_of, option
from analysis.sampling.contact_distance import PairCorrelation, contact_distances
from analysis.sampling.definitions import distances_by_pair, read_contact_distance
from analysis.sampling.run import Run
from user_input import UserError


@dataclass(frozen=True)
class NamedIons:
    """Options of an observable that names ions."""

    cations: tuple[str, ...] | None = option(
        None, 'particle types; default: positive charges', metavar='TYPE', nargs='+'
    )
    anions: tuple[str, ...] | None = option(
        None, 'particle types; default: negative charges', metavar='TYPE', nargs='+'
    )
    shells: tuple[str, ...] | None = option(
        None,
        'types of Drude particles and other shells, each one ion with its core, or none; default: '
        'light charges bonded to one other',
        metavar='TYPE',
        nargs='*',
    )

    def named_ions(self, run: Run, bonded: BondedIons) -> Ions:
        """Find the ions of a run; errors as `find_ions`, and if atoms would count as ions."""
        given = (self.cations, self.anions, self.shells, bonded)
        ions = find_ions(run.topology, run.frames.read(0), *given)
        if ions.parts:
            raise UserError(
                f'{run.frames.path}: the charges ({ions.parts}) are parts of those of molecules: '
                'atoms would count as ions. Name a type of atom that each cation and each anion '
                'has once: --cations TYPE --anions TYPE.'
            )
        return ions


@dataclass(frozen=True)
class ChoiceOfIons(NamedIons):
    """Options of an observable of contacts between ions."""

    bonded_ions: BondedIons = option(
        BondedIons.LEAVE_OUT,
        'whether ions bonded to each other, or over one bead between (1-3), are no contacts '
        '(default: leave-out)',
        **one_of(BondedIons),
    )

    def ions_of(self, run: Run) -> Ions:
        """Find the ions of a run; errors as `find_ions`."""
        return self.named_ions(run, self.bonded_ions)


@dataclass(frozen=True)
class ChoiceOfContacts(ChoiceOfIons):
    """Options of an observable that is defined by contact distances."""

    contact_distance: float | Mapping[str, float] | None = option(
        None,
        'largest distance of a contact, in sigma; or of some pairs: Li-S=1.3,Na-S=1.6; default: '
        'first minimum of g(r)',
        type=read_contact_distance,
        metavar='R',
    )

    def applies_to(self, topology: Topology) -> bool:
        """Return whether there are ions."""
        return has_ions(topology)

    def distances_of(
        self, run: Run, ions: Ions
    ) -> tuple[dict[str, float], dict[str, PairCorrelation]]:
        """Return contact distances by pair of species, and the g(r) of the run that they are from.

        UserError if one is not known.
        """
        if self.contact_distance is None and run.definitions is not None:
            return run.definitions.contact_distance_values(ions.pairs), {}
        given = distances_by_pair(self.contact_distance or {}, ions.pairs)
        return contact_distances(run.frames, ions, run.even_frames, given)
