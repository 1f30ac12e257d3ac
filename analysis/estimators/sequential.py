"""Levels for looks at a sweep to which replicas are added until it is decided."""

from __future__ import annotations

from functools import cache

import numpy as np

from analysis.arrays import FloatArray

# Of the grid on which the path of a test statistic is followed, in standard deviations.
GRID_STEP, GRID_END = 0.01, 8.0


def interim_level(look: int, looks: int, level: float = 0.05) -> float:
    """Compute the two-sided level of one of several looks, so that all of them together keep it.

    The error is spent as by O'Brien and Fleming: little at first (Lan and DeMets, Biometrika 70,
    659, 1983), by their function 2 - 2 Phi(z / sqrt(t)). Looks are taken as evenly spaced in
    information, t = look / looks; later ones that add less to what is there, as one more replica
    each, are more alike, and err less.

    Args:
        look: From 1 to `looks`.
        looks: How many there are at most.
        level: Of all together.
    """
    from scipy import special

    return float(2 * special.ndtr(-_boundaries(looks, level)[look - 1]))


@cache
def _boundaries(looks: int, level: float) -> tuple[float, ...]:
    """Find the standard scores, one a look, beyond which the sweep is decided.

    By following the density of the sum of the increments, each of unit variance, that has not been
    decided yet (Armitage, McPherson and Rowe, J. R. Stat. Soc. A 132, 235, 1969).
    """
    from scipy import signal, special

    end = GRID_END * np.sqrt(looks)
    grid = np.linspace(-end, end, 2 * round(end / GRID_STEP) + 1)
    step = grid[1] - grid[0]
    kernel = _normal(grid[np.abs(grid) <= GRID_END])
    spent = 2 * special.ndtr(special.ndtri(level / 2) / np.sqrt(np.arange(1, looks + 1) / looks))
    density = _normal(grid)
    found = []
    for look, allowed in enumerate(np.diff(spent, prepend=0), start=1):
        tails = 2 * np.cumsum(density[::-1])[: len(grid) // 2] * step
        edge = float(np.interp(allowed, tails, grid[::-1][: len(grid) // 2] - step / 2))
        found.append(edge / np.sqrt(look))
        density = np.where(np.abs(grid) < edge, density, 0.0)
        density = signal.fftconvolve(density, kernel, mode='same') * step
    return tuple(found)


def _normal(x: FloatArray) -> FloatArray:
    density: FloatArray = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    return density
