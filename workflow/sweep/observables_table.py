"""What is computed of the runs of a sweep; part of no state point."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from analysis.observable import Observable
from analysis.observables import OBSERVABLES
from user_input import StrictModel, UserError, nearest_name


class ObservablesTable(StrictModel):
    """`[observables]` of a sweep file; what does not apply to a system has no result there."""

    compute: Annotated[list[str], Field(min_length=1)] | Literal['all'] = 'all'

    @model_validator(mode='after')
    def _are_known(self) -> Self:
        known = [each.name for each in OBSERVABLES]
        for name in self.compute if self.compute != 'all' else ():
            if name not in known:
                raise ValueError(f"no observable is named '{name}'. {nearest_name(name, known)}")
        return self

    @property
    def computed(self) -> list[Observable[Any]]:
        """The observables that are computed, in their usual order."""
        return [each for each in OBSERVABLES if self.compute == 'all' or each.name in self.compute]

    def of_stages(self, stages: Collection[str]) -> ObservablesTable:
        """Leave out what other stages are needed for; UserError where it is asked for by name."""
        found = [each.name for each in self.computed if each.source in stages]
        for each in self.computed:
            if self.compute != 'all' and each.name not in found:
                raise UserError(f"observables.compute: '{each.name}' needs {_table_of(each)}.")
        return self.model_copy(update={'compute': found})

    def check_panel(self, name: str, where: str) -> None:
        """Raise a UserError where nothing that is computed is drawn on a panel, or as a curve.

        A panel has a name, a curve OBSERVABLE:CURVE.
        """
        observable, is_curve, _ = name.partition(':')
        if is_curve:
            known = [each.name for each in OBSERVABLES]
            if observable not in known:
                raise UserError(
                    f"{where}: '{name}': no observable is named '{observable}'. "
                    f'{nearest_name(observable, known)}'
                )
            self._check_computed([observable], name, where)
            return
        of_panel = {panel: each.name for each in OBSERVABLES for panel in each.panels}
        if name not in of_panel:
            raise UserError(
                f"{where}: no panel is named '{name}'. {nearest_name(name, of_panel)} "
                'A curve is named OBSERVABLE:CURVE.'
            )
        self._check_computed([e.name for e in OBSERVABLES if name in e.panels], name, where)

    def check_quantity(
        self, pattern: str, types: Iterable[str], bonds: Iterable[str], where: str, of: str = ''
    ) -> None:
        """Raise a UserError where no quantity that is computed fits a pattern, as of file names.

        `types` are those of beads and bonds; `of` is what the results are of, as ' of model M'.
        """
        of_types = (sorted(types), sorted(bonds))
        named = {each.name: each.quantity_names(*of_types) for each in OBSERVABLES}
        fitting = [each for each in named if any(fnmatchcase(n, pattern) for n in named[each])]
        if not fitting:
            known = [name for names in named.values() for name in names]
            raise UserError(
                f"{where}: no result{of} is named '{pattern}'. {nearest_name(pattern, known)}"
            )
        self._check_computed(fitting, pattern, where)

    def _check_computed(self, observables: Sequence[str], name: str, where: str) -> None:
        if not any(each.name in observables for each in self.computed):
            first = next(each for each in OBSERVABLES if each.name == observables[0])
            table = '' if first.source == 'sample' else f'give {_table_of(first)}, and '
            raise UserError(
                f"{where}: '{name}' is of observable '{first.name}', which is left out: {table}add "
                "it to 'compute' in [observables]."
            )


def _table_of(observable: Observable[Any]) -> str:
    return f'[protocol.{observable.source}]'


ALL_OBSERVABLES = ObservablesTable()
