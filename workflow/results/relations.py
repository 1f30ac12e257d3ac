"""What several states of a sweep tell together: activation energies, exponents, thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from workflow.results import activation, decoupling, extremum, threshold
from workflow.results.activation import Activations, find_activations
from workflow.results.aggregate import Row, SweepTable
from workflow.results.claims import Claims
from workflow.results.decoupling import Pair, find_decoupling
from workflow.results.extremum import asked_extrema, find_extrema
from workflow.results.relation import Relation
from workflow.results.series import Series, all_series
from workflow.results.threshold import Threshold, find_thresholds
from workflow.sweep.sweep_file import ReportTable

ACTIVATION, DECOUPLING, THRESHOLD = 'activation', 'decoupling', 'percolation'
EXTREMUM = 'extremum'
NONE: Mapping[str, str] = {}


@dataclass(frozen=True)
class Relations:
    """All relations over the states of a sweep that its results allow for.

    Attributes:
        activations: None where no state has the quantity.
        pairs: Of a quantity and a time.
        thresholds: Of groups of states with several sizes.
        asked: Of what the places of extrema are told: patterns of quantities by relation.
    """

    table: SweepTable
    activations: Activations | None
    pairs: Sequence[Pair]
    thresholds: Sequence[Threshold]
    asked: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, table: SweepTable, report: ReportTable, claims: Claims | None = None) -> Relations:
        """Find what can be computed from the results that are there."""
        return cls(
            table,
            find_activations(table, report.activation),
            find_decoupling(table, report.decoupling),
            find_thresholds(table),
            asked_extrema(report.extremum, claims),
        )

    @property
    def rows(self) -> list[Row]:
        """Those that are quantities against the axis."""
        return [] if self.activations is None else self.activations.rows

    @cached_property
    def series(self) -> list[Series]:
        """All series of the sweep, and those of the relations."""
        found = all_series(self.table)
        return found if self.activations is None else found + self.activations.series(self.table)

    @cached_property
    def extrema(self) -> list[Relation]:
        """Where quantities are highest and lowest along the axis."""
        return list(find_extrema(self.series, self.table.axis, self.asked))

    @property
    def of_activation(self) -> list[Relation]:
        """Energies and the constants of their laws."""
        return [] if self.activations is None else list(self.activations.relations(self.table))

    @property
    def all(self) -> list[Relation]:
        """All numbers."""
        of_pairs = [found for pair in self.pairs for found in pair.relations]
        of_thresholds = [found for each in self.thresholds for found in each.relations]
        return [*self.extrema, *self.of_activation, *of_pairs, *of_thresholds]

    @property
    def missing(self) -> dict[str, str]:
        """Why there is no quantity that claims may name, by its name."""
        found = self.activations
        if found is None:
            return {activation.NAME: 'no state has the quantity that it is to be of'}
        if found.fits:
            return {}
        return {activation.NAME: '; '.join(found.refusals)}

    @property
    def sections(self) -> dict[str, dict[str, Any]]:
        """Describe each kind that there is, as the report does an observable."""
        found: dict[str, dict[str, Any]] = {}
        if self.extrema:
            found[EXTREMUM] = _section(extremum.TITLE, extremum.DEFINITION, self.extrema)
        if self.activations is not None:
            found[ACTIVATION] = _section(
                activation.TITLE,
                self.activations.definition,
                self.of_activation,
                self.activations.refusals,
            )
        if self.pairs:
            found[DECOUPLING] = _section(
                decoupling.TITLE,
                decoupling.DEFINITION.format(quantity=self.pairs[0].quantity),
                [each for pair in self.pairs for each in pair.relations],
            )
        if any(row.quantity.name == threshold.LARGEST for row in self.table.rows):
            one_size = {} if self.thresholds else {threshold.ONE_SIZE: 'all states'}
            found[THRESHOLD] = _section(
                threshold.TITLE,
                threshold.DEFINITION,
                [each for part in self.thresholds for each in part.relations],
                one_size,
            )
        return found


def _section(
    title: str, definition: str, relations: Sequence[Relation], refused: Mapping[str, str] = NONE
) -> dict[str, Any]:
    return {
        'title': title,
        'definition': definition,
        'dynamics': '',
        'refused': [{'why': why, 'jobs': where or 'all states'} for why, where in refused.items()],
        'relations': relations,
        'notes': [],
    }
