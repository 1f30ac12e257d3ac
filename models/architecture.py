"""Architectures of polymer molecules: linear chains, rings, stars.

A molecule is made of strands, along which its sequence runs: a chain and a ring are one; a star has
one for each arm, and its core is the first unit of the first.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from user_input import StrictModel, UserError

IntArray = NDArray[np.int64]

FEWEST_IN_RING = 3


class Linear(StrictModel):
    """Chains with two ends."""

    kind: Literal['linear'] = 'linear'


class Ring(StrictModel):
    """Chains whose last unit is bonded to the first.

    Each is a random closed walk, drawn for itself, and the push-off lets chains pass through each
    other: rings are knotted and linked at random, as phantom rings are, and stay so from then on.
    """

    kind: Literal['ring']


class Star(StrictModel):
    """Molecules of `arms` equal arms on one unit, their core, which is the first of its units.

    The degree of polymerisation counts all units of the molecule: 1 + arms x length of an arm. No
    angle of the backbone is centred on the core.
    """

    kind: Literal['star']
    arms: int = Field(ge=3, le=100)


Architecture = Annotated[Linear | Ring | Star, Field(discriminator='kind')]


def strand_lengths(architecture: Architecture, lengths: IntArray) -> IntArray:
    """Find the units of every strand, shape (strands,), from those of every molecule.

    UserError if a star cannot have equal arms.
    """
    if not isinstance(architecture, Star):
        return lengths
    arms = architecture.arms
    wrong = lengths[((lengths - 1) % arms != 0) | (lengths <= arms)]
    if wrong.size:
        below = max(1, int(wrong[0] - 1) // arms) * arms + 1
        raise UserError(
            f'architecture: {wrong[0]} units are no core and {arms} equal arms: take chains of one '
            f'length (monodisperse), 1 + a multiple of {arms}, such as {below} or {below + arms}.'
        )
    strands = np.repeat((lengths - 1) // arms, arms)
    strands[::arms] += 1
    return np.asarray(strands)
