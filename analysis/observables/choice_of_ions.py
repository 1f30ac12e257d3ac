"""Which particles are ions: options that several observables have."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.geometry.ions import BondedIons, Ions, find_ions
from analysis.observable import one_of, option
from analysis.sampling.run import Run


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
        first = run.frames.read(0)
        return find_ions(
            run.topology, first, self.cations, self.anions, self.shells, self.bonded_ions
        )
