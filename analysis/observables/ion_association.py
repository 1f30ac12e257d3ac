"""How long ions stay together, by correlations over all lags, whatever happens in between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.estimate import Curve
from analysis.geometry.ion_pairs import keys_of, near_pairs
from analysis.geometry.ions import Ions
from analysis.geometry.topology import Snapshot
from analysis.observable import BlockSums, Correlator, Panel, Quantity, TimeCorrelation
from analysis.observables.choice_of_ions import ChoiceOfContacts
from analysis.observables.segmental_relaxation import Relaxation, relaxation_of
from analysis.sampling.run import Run
from user_input import UserError


@dataclass(frozen=True)
class AssociationResult:
    """Correlations of contacts, and of whole cages.

    Attributes:
        time_unit: 'tau', or 'steps' where the time step is not known.
        contact_distances: By pair of species, as 'Li-S'.
        pairs: Of a cation and an anion in contact; 0 where contacts are those of chance.
        cages: Of all anions in contact with a cation.
    """

    time_unit: str
    contact_distances: dict[str, float]
    pairs: Relaxation
    cages: Relaxation


@dataclass(frozen=True)
class IonAssociation(ChoiceOfContacts, TimeCorrelation[AssociationResult]):
    """Intermittent correlations of the contacts of cations and anions."""

    name = 'association'
    title = 'Ion association'
    definition = (
        'Pairs: c(t) = <h(0) h(t)> / <h>, with h = 1 for a cation and an anion within the contact '
        'distance and else 0 (intermittent: what happens in between does not count; Rapaport 1983, '
        'doi 10.1080/00268978300102931). Cages: the share of the cations in contact that have the '
        'same set of anions t later. From both is taken what chance gives in a finite box, of '
        'as many contacts between ions of the same species: (c - p) / (1 - p), 1 at t = 0, 0 in '
        'the end. Mean times are integrals over all t > 0, 1/e times where the curves fall '
        'through 1/e; tails as those of the segmental relaxation (stretched exponentials).'
    )
    result = AssociationResult
    panels = ('association times',)
    defined_by = 'contact_distances'
    names = tuple(
        f'{kind}_association_{stem}'
        for kind in ('pair', 'cage')
        for stem in ('time', '1_over_e_time')
    )

    def correlator(self, run: Run) -> Correlator[_Contacts, AssociationResult]:
        ions = self.ions_of(run)
        return _Association(run, ions, self.distances_of(run, ions)[0])

    def quantities(self, result: AssociationResult) -> list[Quantity]:
        unit = result.time_unit
        label = f'association time [{unit}]'.replace('tau', r'$\tau$')
        panel = Panel('association times', label, 'log')
        return [
            each
            for name, decay in (('pair', result.pairs.decay), ('cage', result.cages.decay))
            for each in (
                Quantity.positive(
                    f'{name}_association_time', unit, decay.mean, panel, f'{name}s', is_key=True
                ),
                Quantity.positive(
                    f'{name}_association_1_over_e_time',
                    unit,
                    decay.one_over_e,
                    label=f'{name}s, 1/e time',
                ),
            )
        ]

    def curves(self, result: AssociationResult) -> dict[str, Curve]:
        return {'pairs': result.pairs.curve, 'cages': result.cages.curve}

    def notes(self, result: AssociationResult) -> list[str]:
        distances = result.contact_distances.items()
        tails = (('pairs', result.pairs.decay.tail), ('cages', result.cages.decay.tail))
        return [
            *(f'contact distance {pair} {distance:.4g}' for pair, distance in distances),
            *(
                f'{name}: stretching exponent {tail.beta:.3g} from {tail.fitted_from:.3g} '
                f'{result.time_unit} on'
                for name, tail in tails
                if tail is not None
            ),
        ]


@dataclass(frozen=True)
class _Contacts:
    """Contacts of a frame.

    Attributes:
        keys: Rising, (E,).
        around: How many each ion has as a cation, (N,).
        of_species: How many there are, by pair of species, (S,).
        shells: How many cations have k = 1, 2, ... of them, (K,).
    """

    keys: IntArray
    around: IntArray
    of_species: FloatArray
    shells: FloatArray


class _Association(Correlator[_Contacts, AssociationResult]):
    """Sums over pairs, then over cages: what is there again, then what was there; less chance."""

    def __init__(self, run: Run, ions: Ions, distances: dict[str, float]) -> None:
        from scipy import special

        self._path, self._unit, self._ions = run.frames.path, run.time_unit, ions
        self._distances, self._limits = distances, ions.limits(distances)
        cations, anions = np.flatnonzero(ions.is_cation), np.flatnonzero(~ions.is_cation)
        n = len(ions.type_names)
        of_cations, of_anions = (
            np.bincount(ions.typeid[each], minlength=n) for each in (cations, anions)
        )
        bonded = self._by_species(keys_of(ions.unlike_bonded, ions))
        # Of pairs that do not occur there are no contacts either.
        self._possible = np.maximum(np.outer(of_cations, of_anions).ravel() - bonded, 1)
        ways = special.comb(len(anions), np.arange(1, len(anions) + 1))
        with np.errstate(over='ignore'):  # too many to count are infinitely many
            self._shells = len(cations) * ways

    def _by_species(self, keys: IntArray) -> FloatArray:
        """Count pairs by their species, (S,)."""
        cation, anion = np.divmod(keys, len(self._ions.indices))
        n, typeid = len(self._ions.type_names), self._ions.typeid
        counts = np.bincount(typeid[cation] * n + typeid[anion], minlength=n**2)
        return counts.astype(np.float64)

    def remember(self, snapshot: Snapshot) -> _Contacts:
        n = len(self._ions.indices)
        keys, _ = near_pairs(self._ions, snapshot, self._limits)
        around = np.bincount(keys // n, minlength=n)
        shells = np.bincount(around, minlength=len(self._shells) + 1)[1:].astype(np.float64)
        return _Contacts(keys, around, self._by_species(keys), shells)

    def correlate(self, origin: _Contacts, later: _Contacts) -> FloatArray:
        n = len(self._ions.indices)
        again = origin.keys[np.isin(origin.keys, later.keys, assume_unique=True)]
        kept = np.bincount(again // n, minlength=n)
        is_same = (kept == origin.around) & (kept == later.around) & (kept > 0)
        pair_chance = origin.of_species / self._possible
        shell_chance = origin.shells / self._shells
        return np.array(
            [
                len(again) - pair_chance @ later.of_species,
                len(origin.keys) - pair_chance @ origin.of_species,
                is_same.sum() - shell_chance @ later.shells,
                origin.shells.sum() - shell_chance @ origin.shells,
            ]
        )

    def conclude(self, sums: BlockSums) -> AssociationResult:
        pairs, cages = (self._relaxation(sums, *sums.sums[k : k + 2]) for k in (0, 2))
        return AssociationResult(self._unit, self._distances, pairs, cages)

    def _relaxation(self, given: BlockSums, again: FloatArray, before: FloatArray) -> Relaxation:
        """Make a curve from the sums of both, (B, L): an origin weighs by its contacts."""
        kept = before.sum(axis=0) > 0
        if not kept.any():
            raise UserError(
                f'{self._path}: no contact between ions whose time could be told: none occurs, or '
                'chance alone gives as many, as of a single cation and a single anion.'
            )
        sums = BlockSums(given.time[kept], again[None][:, :, kept], before[:, kept], given.duration)
        return relaxation_of(sums, 0, self._unit, '$c(t)$')
