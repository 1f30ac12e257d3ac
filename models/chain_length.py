"""Degrees of polymerisation of the chains of a melt."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from user_input import StrictModel

IntArray = NDArray[np.int64]


class Monodisperse(StrictModel):
    """Every chain has the same degree of polymerisation."""

    kind: Literal['monodisperse'] = 'monodisperse'


class SchulzZimm(StrictModel):
    """Schulz-Zimm distribution: a gamma distribution of the number of chains.

    `dispersity` is Mw/Mn in the limit of many chains, counted in repeat units; above 1.
    """

    kind: Literal['schulz_zimm']
    dispersity: float = Field(gt=1.0)


ChainLengths = Annotated[Monodisperse | SchulzZimm, Field(discriminator='kind')]


def draw_chain_lengths(
    chain_lengths: ChainLengths,
    chains: int,
    degree_of_polymerisation: int,
    rng: np.random.Generator,
) -> IntArray:
    """Draw the degree of polymerisation of every chain, shape (chains,).

    The number average is `degree_of_polymerisation` exactly. Gamma variates divided by their
    sum are independent of that sum, so scaling them to the wanted total draws from the
    Schulz-Zimm distribution given that total; with C chains of shape a = 1/(dispersity - 1) the
    expected Mw/Mn is then (a + 1)/(a + 1/C). They become whole numbers by the largest-remainder
    rule, at least 1.
    """
    if isinstance(chain_lengths, Monodisperse):
        return np.full(chains, degree_of_polymerisation, dtype=np.int64)
    total = chains * degree_of_polymerisation
    # the floor keeps the sum above 0 where a single chain has a vanishing draw
    draws = rng.gamma(1.0 / (chain_lengths.dispersity - 1.0), size=chains) + 1e-300
    return _whole_numbers(draws * (total / draws.sum()), total, rng)


def _whole_numbers(lengths: NDArray[np.float64], total: int, rng: np.random.Generator) -> IntArray:
    whole = np.maximum(np.floor(lengths), 1.0).astype(np.int64)
    missing = total - int(whole.sum())
    if missing > 0:
        whole[np.argsort(whole - lengths)[:missing]] += 1
    # chains that were raised to 1 are paid for by longer ones
    while missing < 0:
        longer = rng.permutation(np.flatnonzero(whole > 1))[:-missing]
        whole[longer] -= 1
        missing += longer.size
    return whole
