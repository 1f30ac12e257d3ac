"""Runs of ions whose conductivity is known: frames, and a log of currents and displacements."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.signal import lfilter

from analysis.arrays import FloatArray, IntArray
from analysis.io.array_trajectory import ArrayTrajectory
from analysis.sampling.run import Run

# Velocities and positions.
Motion = tuple[FloatArray, FloatArray]

EDGE, KT = 10.0, 1.5
CAGE_TIME, CAGE_SIZE, CAGED_DIFFUSION = 2.0, 0.5, 0.05
CREEP_TIME, CREEP_SIZE = 200.0, 10.0


def langevin_motion(
    rows: int, n: int, friction: float, interval: float, generator: np.random.Generator
) -> Motion:
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
    rows: int,
    n: int,
    interval: float,
    generator: np.random.Generator,
    cages: Sequence[tuple[float, float]] = ((CAGE_TIME, CAGE_SIZE),),
) -> Motion:
    """Draw velocities between rows, and positions, of walkers in cages (time, size), (3, n, T)."""
    kicks = generator.normal(size=(1 + len(cages), 3, n, rows))
    positions = np.cumsum(math.sqrt(2 * CAGED_DIFFUSION * interval) * kicks[-1], axis=-1)
    for (time, size), kick in zip(cages, kicks, strict=False):
        kept = math.exp(-interval / time)
        kick[..., 1:] *= math.sqrt(1 - kept**2)
        positions += size * lfilter([1], [1, -kept], kick)
    return np.diff(positions, append=0.0) / interval, positions


def in_pairs(motion: Motion, correlation: float) -> Motion:
    """Let each second ion move with the one before it, to a part; motion is as free as before.

    Of a cation and an anion the charges then move by 1 - correlation of what each by itself does:
    a Haven ratio of 1/(1 - correlation).
    """
    own = math.sqrt(1 - correlation**2)
    first, second = (
        np.stack([each[:, ::2], correlation * each[:, ::2] + own * each[:, 1::2]], axis=2)
        for each in motion
    )
    shape = motion[0].shape
    return first.reshape(shape), second.reshape(shape)


def past_chains(cations: Motion, interval: float, generator: np.random.Generator) -> Motion:
    """Put an anion after each cation, two of them a chain, which creeps against the next chain.

    The bonds are those of `bonds_of_chains`. All chains together are at rest.
    """
    _, free = cations
    kept = math.exp(-interval / CREEP_TIME)
    kicks = generator.normal(size=(3, free.shape[1] // 4, free.shape[2]))
    kicks[..., 1:] *= math.sqrt(1 - kept**2)
    creep = CREEP_SIZE * lfilter([1], [1, -kept], kicks)
    anions = np.stack([creep, creep, -creep, -creep], axis=2).reshape(free.shape)
    positions = np.stack([free, anions], axis=2).reshape(3, -1, free.shape[2])
    return np.diff(positions, append=0.0) / interval, positions


def bonds_of_chains(n: int) -> IntArray:
    """Bonds of the chains of `past_chains` among n ions, (n/4, 2)."""
    return np.arange(1, n, 2).reshape(-1, 2)


def ionic_run(
    velocity: FloatArray,
    positions: FloatArray,
    charge: FloatArray,
    frames: IntArray,
    dt: float,
    bonds: IntArray | tuple[()] = (),
) -> Run:
    """Make a run of ions (3, n, T) with frames at some of the rows, one step each."""
    trajectory = ArrayTrajectory(
        positions[:, :, frames].transpose(2, 1, 0),
        EDGE,
        steps=frames,
        charge=charge,
        typeid=(charge < 0).astype(int),
        type_names=('Li', 'S'),
        bonds=bonds,
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
