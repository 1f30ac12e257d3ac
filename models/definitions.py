"""The `[definitions]` table of a model file or a sweep file."""

from __future__ import annotations

from pydantic import PositiveFloat

from user_input import StrictModel


class DefinitionsTable(StrictModel):
    """Numbers that results are defined with, where they are not to be found from the data.

    Attributes:
        contact_distance: Largest distance of two ions in contact, in sigma; or a table by pair of
            species, as { 'Li-S' = 1.3 }.
        wave_number: Where F_s is measured beside pi/sigma, in 1/sigma.
    """

    contact_distance: PositiveFloat | dict[str, PositiveFloat] | None = None
    wave_number: PositiveFloat | None = None
