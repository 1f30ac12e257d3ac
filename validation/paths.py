"""Paths of particles with known diffusion coefficients, exact for any gaps between frames."""

from __future__ import annotations

import math

import numpy as np

from analysis.arrays import FloatArray, IntArray


def brownian_paths(steps: IntArray, n: int, generator: np.random.Generator) -> FloatArray:
    """Draw paths with a diffusion coefficient of 1, shape (F, n, 3)."""
    deviation = np.sqrt(2 * np.diff(steps, prepend=0))[:, None, None]
    return np.asarray(np.cumsum(generator.normal(size=(len(steps), n, 3)) * deviation, axis=0))


def langevin_paths(steps: IntArray, n: int, generator: np.random.Generator) -> FloatArray:
    """Draw paths of free Langevin particles whose velocities are forgotten within 10 steps."""
    memory = 10.0
    velocity = generator.normal(size=(n, 3)) / math.sqrt(memory)
    positions = np.zeros((len(steps), n, 3))
    for k, gap in enumerate(np.diff(steps).tolist()):
        kept = math.exp(-gap / memory)
        # Covariance of the noise in velocity and position, exact for any gap.
        mixed = (1 - kept) ** 2
        spread = 2 * gap - memory * (3 - 4 * kept + kept**2)
        root = np.linalg.cholesky([[(1 - kept**2) / memory, mixed], [mixed, spread]])
        noise = np.einsum('ab,bni->ani', root, generator.normal(size=(2, n, 3)))
        positions[k + 1] = positions[k] + memory * (1 - kept) * velocity + noise[1]
        velocity = kept * velocity + noise[0]
    return positions


def caged_paths(
    steps: IntArray,
    n: int,
    generator: np.random.Generator,
    memory: float = 5.0,
    size: float = 2.0,
) -> FloatArray:
    """Draw paths that first rattle, then diffuse: an Ornstein-Uhlenbeck part beside the walk."""
    inside = generator.normal(size=(len(steps), n, 3))
    for k, gap in enumerate(np.diff(steps).tolist()):
        kept = math.exp(-gap / memory)
        inside[k + 1] = kept * inside[k] + math.sqrt(1 - kept**2) * inside[k + 1]
    return brownian_paths(steps, n, generator) + size * inside


def slow_cages(steps: IntArray, n: int, generator: np.random.Generator) -> FloatArray:
    """Draw paths with an apparent diffusion coefficient of 1.26 at short times, later 1."""
    return caged_paths(steps, n, generator, 150.0, math.sqrt(0.26 * 150))


def chained_paths(steps: IntArray, n: int, generator: np.random.Generator) -> FloatArray:
    """Draw paths in fours that share their walk, so they are worth a quarter of their number."""
    rattle = generator.normal(size=(len(steps), n, 3))
    return np.repeat(brownian_paths(steps, n // 4, generator), 4, axis=1) + rattle
