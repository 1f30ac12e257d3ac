"""Estimates beside those of other code, and peaks of S(q) that are known in closed form.

What else is known in closed form stands in `tests/analysis`: rotors, chains, walkers, an ideal gas,
stretched exponentials, and constructed clusters. Stress is in the section Rheology.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib.util import find_spec

import freud
import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.local_peak import find_peak
from analysis.geometry.box import Box
from analysis.geometry.wave_vectors import lattice_vectors
from analysis.io.array_trajectory import ArrayTrajectory
from analysis.observables.mean_squared_displacement import MeanSquaredDisplacement
from analysis.observables.structure_factor import StructureFactor
from analysis.sampling.main_peak import HIGHEST, LOWEST, SHELLS
from analysis.sampling.run import Run
from validation.claim import Row, judged, stated, worst
from validation.coverage import Coverage, holds
from validation.job import NO_ENGINE, Job
from validation.paths import brownian_paths, langevin_paths

TITLE = 'Estimators beside other code, and peaks'

PEAKS = 600


def jobs() -> Iterator[Job]:
    """One job for each kind of data."""
    for name, measure in (
        ('walkers, by kinisi', _by_kinisi),
        ('few beads', _few_beads),
        ('peaks of S(q)', _peaks),
    ):
        # An oracle with dependencies of its own: pip install kinisi.
        if measure is _by_kinisi and find_spec('kinisi') is None:
            continue
        yield Job(name, measure, (NO_ENGINE,))


def log_spaced_steps(blocks: int, doublings: int) -> IntArray:
    """The schedule of sweeps with a shortest interval of one step, shape (F,)."""
    offsets = np.concatenate([[0], 2 ** np.arange(doublings)])
    return np.asarray((np.arange(blocks)[:, None] * 2**doublings + offsets).ravel())


def _by_kinisi(engine: str) -> list[Row]:
    """The diffusion coefficient of the same paths here and by kinisi (McCluskey et al. 2024).

    Its Bayesian line, doi 10.1021/acs.jctc.4c01249, begins where ours does.
    """
    import scipp
    from kinisi.diffusion import Diffusion

    rows = []
    for what, paths in (('Brownian', brownian_paths), ('Langevin', langevin_paths)):
        steps = np.arange(600)
        x = paths(steps, 60, np.random.default_rng(3))
        ours = MeanSquaredDisplacement().compute(Run(ArrayTrajectory(x, 1e4, time_step=1.0)))
        found = ours.by_type['A']
        x = x - x.mean(axis=1, keepdims=True)  # the drift is taken off here, too
        lags = np.unique(np.geomspace(1, len(steps) / 2, 40).astype(int))
        squares = [((x[lag:] - x[:-lag]) ** 2).sum(axis=2) for lag in lags]
        counts = x.shape[1] * (len(steps) - 1) / lags
        means = np.array([each.mean() for each in squares])
        variances = np.array([each.var(ddof=1) for each in squares]) / counts
        axis, when = (
            'time interval',
            scipp.array(dims=['time interval'], values=lags * 1.0, unit='ps'),
        )
        data = scipp.DataArray(
            scipp.Variable(dims=[axis], values=means, variances=variances, unit='angstrom^2'),
            coords={axis: when, 'n_samples': scipp.array(dims=[axis], values=counts)},
        )
        line = Diffusion(scipp.DataGroup({'da': data, 'dimensionality': scipp.scalar(3)}))
        begins = scipp.scalar(float(found.linear_from or math.nan), unit='ps')
        line.bayesian_regression(
            start_dt=begins, progress=False, random_state=np.random.RandomState(1)
        )
        theirs = line.gradient.values / 6
        low, high = np.quantile(theirs, [0.025, 0.975])
        own = found.diffusion
        assert own.value is not None  # both kinds of paths have a linear regime
        assert own.low is not None
        assert own.high is not None
        rows.append(
            judged(
                f'{what} particles: diffusion coefficient, as kinisi',
                NO_ENGINE,
                f'{theirs.mean():.4g} [{low:.4g}, {high:.4g}]',
                f'{own.value:.4g} [{own.low:.4g}, {own.high:.4g}]',
                'each within the interval of the other',
                holds=bool(low <= own.value <= high and own.low <= theirs.mean() <= own.high),
            )
        )
    return rows


def _few_beads(engine: str) -> list[Row]:
    """S(q) of so few beads that nearly all wave vectors that fit the box are among those chosen.

    freud takes the wave vectors of one octant alone, so it sees the reflections of the beads too.
    In this box no shell has vectors within a plane of reflection, which it would count double,
    beside others.
    """
    box = np.array([5.0, 5.4, 5.4])
    beads = np.random.default_rng(7).uniform(-box / 2, box / 2, (8, 3))
    curve = StructureFactor().compute(Run(ArrayTrajectory([beads] * 20, box))).curve
    scale = 2 * math.pi / math.cbrt(float(box.prod()) / len(beads))
    low, high = LOWEST * scale, HIGHEST * scale
    expected = np.zeros(SHELLS)
    reflections = ((1, 1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, -1))
    for signs in reflections:
        direct = freud.diffraction.StaticStructureFactorDirect(SHELLS, high, low)
        direct.compute((freud.box.Box(*box), beads * signs))
        expected += np.asarray(direct.S_k) / len(reflections)
    shell = np.digitize(curve.x, np.linspace(low, high, SHELLS + 1)) - 1
    off = worst(np.abs(curve.value - expected[shell]))
    return [
        judged(
            f'S(q) of 8 beads at random, in {len(shell)} shells',
            NO_ENGINE,
            'freud, StaticStructureFactorDirect',
            f'off by at most {off:.2g}, S(q) {curve.value.min():.2g} to {curve.value.max():.2g}',
            '0.05: a few of the wave vectors are not chosen in every frame',
            holds=off <= 0.05 and len(shell) == np.isfinite(expected).sum(),
        )
    ]


def _peaks(engine: str) -> Iterator[Row]:
    """Peaks of S(q) of Gaussian density modes, whose intensities are exponential, in 12 blocks.

    A cubic box of L = 18 of beads of density 0.85 has these wave vectors.
    """
    generator, box = np.random.default_rng(8), Box.of(18.0)
    edges = np.arange(0.5, 8.6, 0.25) * 2 * math.pi / 18
    length = np.linalg.norm(lattice_vectors(box, edges, 120, generator), axis=1)
    _, shell, counts = np.unique(
        np.digitize(length, edges), return_inverse=True, return_counts=True
    )
    q = np.bincount(shell, length) / counts
    for name, top, peak in (
        ('Lorentzian', 1.3, 0.8 + 3 / (1 + ((length - 1.3) / 0.35) ** 2)),
        ('Gaussian', 1.3, 0.8 + 3 * np.exp(-((length - 1.3) ** 2) / 0.18)),
        ('weak, Gaussian', 1.3, 0.7 + 0.3 * np.exp(-((length - 1.3) ** 2) / 0.125)),
        (
            'leaning, q^4 exp(-4 q/q*)',
            1.3,
            0.6 + 3.5 * (length / 1.3 * np.exp(1 - length / 1.3)) ** 4,
        ),
    ):
        blocks = generator.gamma(5, peak / 5, (PEAKS, 12, len(length)))
        yield Coverage.of(
            f'peak of S(q): coverage of the position, {name} peak',
            (holds(find_peak(q, _by_shell(each, shell), counts).position, top) for each in blocks),
        ).exact()
    flat = [
        find_peak(q, _by_shell(generator.gamma(5, 0.2, (12, len(length))), shell), counts)
        for _ in range(PEAKS)
    ]
    found = np.mean([each.position.value is not None for each in flat])
    yield stated(
        'peak of S(q): a peak is found where S(q) = 1',
        NO_ENGINE,
        'never',
        f'{100 * found:.1f} % of {PEAKS}',
        'the most prominent of many is held against 4 errors of one',
    )


def _by_shell(blocks: FloatArray, shell: IntArray) -> FloatArray:
    return np.array([np.bincount(shell, each) for each in blocks])
