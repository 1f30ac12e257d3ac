"""The one way in which an engine fails. It stands alone so that it is light to import."""

from __future__ import annotations


class SimulationFailed(Exception):
    """The engine gave up: a bond too long, beads lost, NaN. The message is the engine's own."""
