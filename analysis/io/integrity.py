"""What a file from elsewhere may hold, and how its reader says that it does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.geometry.box import Box
from analysis.geometry.topology import Snapshot, Topology
from user_input import UserError

# What numpy, gsd and Python raise when counts, shapes or numbers in a file do not fit together.
_DOES_NOT_FIT = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)

TWO_DIMENSIONAL = '{where}: the system is two-dimensional. Three dimensions are needed.'


@contextmanager
def read_errors_as_damage(where: str | Path) -> Iterator[None]:
    """Turn errors while a file is read into a UserError that it is damaged; a UserError passes."""
    try:
        # Numbers that are not finite are refused where they matter.
        with np.errstate(all='ignore'):
            yield
    except _DOES_NOT_FIT as error:
        raise UserError(
            f'{where}: what is there does not fit together ({error}): the file is damaged, or not '
            'what it says it is. Copy it again from where it was written.'
        ) from None


def check_ids(ids: IntArray, where: str | Path) -> None:
    """Check that no id is there twice, ids (N,) being in rising order; UserError if one is."""
    twice = np.flatnonzero(ids[1:] == ids[:-1])
    if len(twice):
        raise UserError(
            f'{where}: the atom id {ids[twice[0]]} is there twice. Atoms are told apart by their '
            'ids: write the file again, with one line for each atom.'
        )


def check_topology(topology: Topology) -> None:
    """Check that lengths agree and that what is pointed at is there; ValueError if not."""
    n, m = len(topology.typeid), len(topology.bonds)
    for name, values, length, largest in (
        ('types', topology.typeid, n, len(topology.type_names)),
        ('bonds', topology.bonds.ravel(), 2 * m, n),
        ('bond types', topology.bond_typeid, m, len(topology.bond_type_names)),
    ):
        if len(values) != length or np.any(values < 0) or np.any(values >= largest):
            raise ValueError(f'{name} out of range')
    for name, numbers in (('charges', topology.charge), ('masses', topology.mass)):
        if numbers.shape != (n,) or not np.all(np.isfinite(numbers)):
            raise ValueError(f'{name} are not {n} finite numbers')


def snapshot_of(
    step: int, box: Box, positions: FloatArray, images: IntArray | None, n: int, where: str
) -> Snapshot:
    """Wrap a frame of `n` particles, centred on the origin, into its box.

    Raises:
        UserError: If the box has no volume, or the box or a position is not finite.
        ValueError: If the shapes are not (n, 3).
    """
    if box.lengths[2] == 0:
        raise UserError(TWO_DIMENSIONAL.format(where=where))
    if positions.shape != (n, 3):
        raise ValueError(f'positions of shape {positions.shape} for {n} particles')
    snapshot = Snapshot(step, *box.wrap(positions, images))
    for what, is_sound in (
        ('edges of the box are no lengths', box.is_sound),
        ('positions are not finite numbers', np.isfinite(snapshot.positions).all()),
    ):
        if not is_sound:
            raise UserError(
                f'{where}: the {what}: the run blew up or the file is damaged. Analyse the frames '
                'before it.'
            )
    return snapshot


def is_plane(first: FloatArray, last: FloatArray, lengths: FloatArray) -> bool:
    """Whether a system is thin, or moves within a plane alone, where the file does not say.

    Positions (N, 3) are those of the first and the last frame, `lengths` (3,) those of the box.
    """
    if len(first) < 3 or len(last) != len(first) or np.ptp(first[:, 2]) or np.ptp(last[:, 2]):
        return False
    have_moved = bool(np.any(first[:, :2] != last[:, :2]))
    return have_moved or bool(lengths[2] < lengths[:2].min() / 2)
