"""How many steps an engine is asked for at once: about a second's worth, whatever the system."""

from __future__ import annotations

# A stage stops within about this time of a request, and reports its progress as often.
_SECONDS = 1.0
# Nothing is known of the speed at first: from one step up, so that no chunk takes much longer.
_MOST_GROWTH = 8


class ChunkLength:
    """Steps that take about a second, from what the chunks before took."""

    def __init__(self) -> None:
        self.steps = 1

    def took(self, steps: int, seconds: float) -> None:
        """Take note of a chunk of `steps` steps that took `seconds`."""
        fitting = int(_SECONDS * steps / max(seconds, 1e-6))
        self.steps = max(1, min(fitting, _MOST_GROWTH * max(steps, self.steps)))
