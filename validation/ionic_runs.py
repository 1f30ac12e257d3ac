"""Runs of ions whose conductivity is known: frames, and a log of currents and displacements."""

from __future__ import annotations

import math

import numpy as np
from scipy.signal import lfilter

from analysis.arrays import FloatArray, IntArray
from analysis.io.array_trajectory import ArrayTrajectory
from analysis.sampling.run import Run

EDGE, KT = 10.0, 1.5
CAGE_TIME, CAGE_SIZE, CAGED_DIFFUSION = 2.0, 0.5, 0.05


def langevin_motion(
    rows: int, n: int, friction: float, interval: float, generator: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Draw velocities and positions of free particles of mass 1 at all rows, (3, n, T), exactly."""
    x = friction * interval
    kept = math.exp(-x)
    velocity_noise = KT * (1 - kept**2)
    mixed = KT / friction * (1 - kept) ** 2
    position_noise = KT / friction**2 * (2 * x - 3 + 4 * kept - kept**2)
    root = np.linalg.cholesky([[velocity_noise, mixed], [mixed, position_noise]])
    noise = np.einsum('ab,b...->a...', root, generator.normal(size=(2, 3, n, rows)))
    noise[0, ..., 0] = generator.normal(size=(3, n)) * math.sqrt(KT)
    velocity = lfilter([1], [1, -kept], noise[0])
    moved = noise[1]
    moved[..., 0] = 0.0
    moved[..., 1:] += (1 - kept) / friction * velocity[..., :-1]
    return velocity, np.cumsum(moved, axis=-1)


def caged_motion(
    rows: int, n: int, interval: float, generator: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Draw velocities between rows, and positions, of walkers in cages of CAGE_TIME, (3, n, T)."""
    kept = math.exp(-interval / CAGE_TIME)
    kicks = generator.normal(size=(2, 3, n, rows))
    kicks[0, ..., 1:] *= math.sqrt(1 - kept**2)
    inside = CAGE_SIZE * lfilter([1], [1, -kept], kicks[0])
    walk = np.cumsum(math.sqrt(2 * CAGED_DIFFUSION * interval) * kicks[1], axis=-1)
    positions = inside + walk
    return np.diff(positions, append=0.0) / interval, positions


def ionic_run(
    velocity: FloatArray, positions: FloatArray, charge: FloatArray, frames: IntArray, dt: float
) -> Run:
    """Make a run of ions (3, n, T) with frames at some of the rows, one step each."""
    trajectory = ArrayTrajectory(
        positions[:, :, frames].transpose(2, 1, 0),
        EDGE,
        steps=frames,
        charge=charge,
        typeid=(charge < 0).astype(int),
        type_names=('Li', 'S'),
        time_step=dt,
    )
    rows = positions.shape[2]
    log = {'step': np.arange(rows), 'volume': np.full(rows, EDGE**3)}
    moved = positions - positions[:, :, :1]
    for name, weights, of in (
        ('current', charge, velocity),
        ('cation_displacement', np.maximum(charge, 0), moved),
        ('anion_displacement', np.maximum(-charge, 0), moved),
    ):
        summed = np.einsum('i,ait->at', weights, of)
        log |= {f'{name}_{axis}': each for axis, each in zip('xyz', summed, strict=True)}
    return Run(trajectory, log, kT=KT)
