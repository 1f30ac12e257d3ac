"""How a simulation fails, and what is no failure of the simulation. Light to import."""

from __future__ import annotations

from typing import Any

from user_input import UserError

# What the engines say when motion has become unstable, in lower case. LAMMPS, then HOOMD-blue.
_BLOW_UP_WORDS = (
    'bad fene bond',
    'atoms missing',
    'atom missing',
    'missing on proc',
    'lost atoms',
    'non-numeric',
    'out of range atoms',
    'too far apart',
    'bond extent',
    'neighbor list overflow',
    'simulation unstable',
    'has nan',
    'no longer in the simulation box',
    'error in bond calculation',
    'bond out of bounds',
    'table inner cutoff',
    'beyond the minimum image',
)
# What they say when the machine or the installation is at fault: nothing is wrong with the job.
_ENVIRONMENT_WORDS = (
    'no space left',
    'error writing',
    'cannot open',
    'failed to allocate',
    'cannot allocate',
    'out of memory',
    'unrecognized',
    'unknown command',
    'package which is not enabled',
)

_LONE = 'other MPI ranks may not know of it'


class SimulationFailed(Exception):
    """The engine gave up, at a step that may not be known. The message is the engine's own.

    A run can go on from the last good state on disk, if known; `rows` are the last of its log.
    """

    kind = 'engine failed'

    def __init__(self, message: str, step: int | None = None) -> None:
        super().__init__(message)
        self.step = step
        self.goes_on_from: int | None = None
        self.rows: list[dict[str, Any]] = []

    def found_at(self, step: int, goes_on_from: int, rows: list[dict[str, Any]]) -> None:
        """Add what the one that ran the simulation knows; a step that is known already stays."""
        self.step = step if self.step is None else self.step
        self.goes_on_from, self.rows = goes_on_from, rows


class BlewUp(SimulationFailed):
    """The motion became unstable: NaN, a bond too long, a bead too fast, beads lost."""

    kind = 'blew up'


class BoxTooSmall(SimulationFailed):
    """The melt contracted into a box that its interactions do not fit in."""

    kind = 'box too small'


def engine_error(engine: str, error: Exception, lone: bool = False) -> Exception:
    """Translate an error of an engine to `BlewUp` or `SimulationFailed`.

    It is a `UserError` where the disk, the memory or the installation is at fault: the job did not
    fail. If `lone`, the other MPI ranks may not know of it, and wait for ever.
    """
    # The one that LAMMPS raises on a single rank shows its message as Python would write it.
    words = str(getattr(error, 'message', error)).split()
    message = f'{engine}: {" ".join(words)}'
    said = message.lower()
    found: Exception = SimulationFailed(message)
    if any(words in said for words in _ENVIRONMENT_WORDS):
        found = UserError(f'{message} Fix that and run again: it resumes from the last checkpoint.')
    elif any(words in said for words in _BLOW_UP_WORDS):
        found = BlewUp(message)
    if lone:
        found.add_note(_LONE)
    return found


def is_lone(error: BaseException) -> bool:
    """Check whether only this MPI rank may know of `error`."""
    return _LONE in getattr(error, '__notes__', ())
