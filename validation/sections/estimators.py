"""Every analysis on random data whose answer is known in closed form, or from other code.

Tolerances are two to four times the statistical error of the data, which are finite. What is known
exactly, such as constructed clusters, stands in `tests/analysis`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib.util import find_spec

import freud
import numpy as np
from scipy.special import dawsn

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.decay import decay_times
from analysis.estimators.local_peak import find_peak
from analysis.geometry.box import Box
from analysis.geometry.ions import find_ions
from analysis.geometry.wave_vectors import lattice_vectors
from analysis.io.array_trajectory import ArrayTrajectory
from analysis.observables.chain_sizes import ChainSizes
from analysis.observables.mean_squared_displacement import MeanSquaredDisplacement
from analysis.observables.segmental_relaxation import SegmentalRelaxation
from analysis.observables.structure_factor import StructureFactor
from analysis.sampling.contact_distance import count_pairs, pair_correlation_of
from analysis.sampling.main_peak import HIGHEST, LOWEST, SHELLS
from analysis.sampling.run import Run
from validation.claim import Row, judged, stated, worst
from validation.coverage import Coverage, holds
from validation.job import NO_ENGINE, Job
from validation.paths import brownian_paths, langevin_paths

TITLE = 'Estimators on exact input'

ROTATION, DIFFUSION, TIME_STEP = 0.02, 0.01, 0.5
PEAKS = 600


def jobs() -> Iterator[Job]:
    """One job for each kind of data."""
    for name, measure in (
        ('rotors', _segments),
        ('chains', _chains),
        ('stretched exponential', _stretched),
        ('walkers', _walkers),
        ('walkers, by kinisi', _by_kinisi),
        ('ideal gas', _gas),
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


def _segments(engine: str) -> list[Row]:
    """Dumbbells whose bonds diffuse on the sphere."""
    generator = np.random.default_rng(1)
    steps, n = log_spaced_steps(24, 6), 600
    bond = generator.normal(size=(n, 3))
    bond /= np.linalg.norm(bond, axis=1, keepdims=True)
    wanted, frames = set(steps.tolist()), []
    for step in range(int(steps[-1]) + 1):
        if step in wanted:
            frames.append(np.concatenate([np.zeros((n, 3)), bond]))
        bond = turned(bond, generator.normal(size=(n, 3)) * math.sqrt(2 * ROTATION * TIME_STEP))
    pairs = np.stack([np.arange(n), np.arange(n) + n], axis=1)
    trajectory = ArrayTrajectory(frames, 9.0, steps=steps, bonds=pairs, time_step=TIME_STEP)
    found = SegmentalRelaxation().compute(Run(trajectory))
    result = []
    for degree, curves in ((1, found.p1), (2, found.p2)):
        curve, decay = curves['backbone'].curve, curves['backbone'].decay
        rate = rate_of_turns(degree)
        off = float(np.abs(curve.value - np.exp(-rate * curve.x)).max())
        claim = f'rotational diffusion: P{degree}(t) of bonds'
        # A lag of half the run has few independent origins.
        result.append(_within(claim, f'exp(-{rate:.4g} t)', off, 0.04))
        for name, found_time in (('1/e', decay.one_over_e), ('mean', decay.mean)):
            claim = f'rotational diffusion: {name} time of P{degree}'
            time = found_time.value or math.nan
            result.append(_close(claim, f'{1 / rate:.4g}', time, 1 / rate, 0.03))
    return result


def turned(bond: FloatArray, kick: FloatArray) -> FloatArray:
    """Unit vectors turned by what of the rotation vectors stands across them, shape (n, 3)."""
    across = np.cross(kick, bond)
    angle = np.linalg.norm(across, axis=1, keepdims=True)
    result: FloatArray = np.cos(angle) * bond + np.sin(angle) / angle * across
    return result


def rate_of_turns(degree: int) -> float:
    """Exact rate at which <P1> or <P2> decays under `turned` with Gaussian kicks.

    A step leaves of <P_l> the part E[P_l(cos angle)] (addition theorem). The angle has Rayleigh's
    distribution of variance s^2 = 2 D dt along each axis, so E[cos(a angle)] = 1 - 2 x F(x) with
    x = a s / sqrt(2) and Dawson's F. The limit of short steps is l (l + 1) D.
    """
    x = degree * math.sqrt(ROTATION * TIME_STEP)
    cosine = 1 - 2 * x * float(dawsn(x))
    kept = cosine if degree == 1 else (1 + 3 * cosine) / 4
    return -math.log(kept) / TIME_STEP


def _chains(engine: str) -> list[Row]:
    generator = np.random.default_rng(2)
    chains, beads, frames = 100, 41, 60
    first = np.arange(chains * beads).reshape(chains, beads)
    pairs = np.stack([first[:, :-1].ravel(), first[:, 1:].ravel()], axis=1)
    result = []
    for name, cosine in (('ideal', 0.0), ('freely rotating, cos 0.5,', 0.5)):
        bonds = generator.normal(size=(frames, chains, beads - 1, 3))
        bonds /= np.linalg.norm(bonds, axis=-1, keepdims=True)
        for k in range(1, beads - 1) if cosine else ():
            along = bonds[..., k - 1, :]
            across = np.cross(along, bonds[..., k, :])
            across /= np.linalg.norm(across, axis=-1, keepdims=True)
            bonds[..., k, :] = cosine * along + math.sqrt(1 - cosine**2) * across
        start = generator.uniform(-5, 5, (frames, chains, 1, 3))
        positions = np.concatenate([start, start + np.cumsum(bonds, axis=2)], axis=2)
        trajectory = ArrayTrajectory(positions.reshape(frames, -1, 3), 10.0, bonds=pairs)
        found = ChainSizes().compute(Run(trajectory))
        n = np.arange(1.0, beads)
        exact = n * (1 + cosine) / (1 - cosine) - 2 * cosine * (1 - cosine**n) / (1 - cosine) ** 2
        distances = ChainSizes().curves(found)['internal distances'].value
        off = float(np.abs(distances / exact - 1).max())
        claim = f'{name} chains: internal distances <R^2(n)>, n = 1 to {beads - 1}'
        result.append(_within(claim, 'Flory 1969, closed form', off, 0.03))
        gyration = float(((beads - n) * exact).sum()) / beads**2
        measured = found.squared_radius_of_gyration.value or math.nan
        claim = f'{name} chains: squared radius of gyration'
        result.append(_close(claim, f'{gyration:.4g}', measured, gyration, 0.03))
    return result


def _stretched(engine: str) -> list[Row]:
    generator = np.random.default_rng(4)
    time = np.logspace(-2, 3, 45)
    truth = 0.85 * np.exp(-((time / 3.0) ** 0.6))
    exact = 0.85 * 3.0 * math.gamma(1 + 1 / 0.6)
    means = []
    for _ in range(50):
        blocks = truth + generator.normal(0, 0.02, (8, len(time)))
        means.append(decay_times(time, blocks, np.ones(blocks.shape), 1e4).mean.value or math.nan)
    claim = 'stretched exponential from 0.85 on, with noise of 0.02: mean time, average of 50'
    return [_close(claim, f'{exact:.4g}', float(np.mean(means)), exact, 0.05)]


def _walkers(engine: str) -> list[Row]:
    generator = np.random.default_rng(5)
    steps, n, box = log_spaced_steps(48, 6), 400, 6.0
    kicks = generator.normal(size=(len(steps), n, 3)) * math.sqrt(2 * DIFFUSION * TIME_STEP)
    kicks *= np.sqrt(np.diff(steps, prepend=0))[:, None, None]
    drift = 0.02 * steps[:, None, None]
    positions = generator.uniform(-3, 3, (n, 3)) + np.cumsum(kicks, axis=0) + drift
    charge = np.where(np.arange(n) == 0, 1.0, 0.0)
    trajectory = ArrayTrajectory(
        positions, box, steps=steps, bonds=[[0, 1]], charge=charge, time_step=TIME_STEP
    )
    run = Run(trajectory)
    displacement = MeanSquaredDisplacement().compute(run).by_type['A']
    # Taking off the drift takes off 1/N of the motion.
    exact = DIFFUSION * (1 - 1 / n)
    off = float(np.abs(displacement.curve.value / (6 * exact * displacement.curve.x) - 1).max())
    value = displacement.diffusion.value or math.nan
    scattering = SegmentalRelaxation().compute(run).scattering['all']['pi/sigma'].curve
    decayed = np.exp(-(math.pi**2) * exact * scattering.x)
    return [
        _within('Brownian walkers that drift: MSD, relative', '6 D t', off, 0.06),
        _close('Brownian walkers: diffusion coefficient', f'{exact:.4g}', value, exact, 0.05),
        _within(
            'Brownian walkers: F_s(q, t) at q = pi',
            'exp(-q^2 D t)',
            float(np.abs(scattering.value - decayed).max()),
            0.03,
        ),
    ]


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


def _gas(engine: str) -> list[Row]:
    generator = np.random.default_rng(6)
    charge = np.repeat([2.0, -1.0], [1000, 2000])
    trajectory = ArrayTrajectory(generator.uniform(-5, 5, (20, 3000, 3)), 10.0, charge=charge)
    ions = find_ions(trajectory.topology, trajectory.read(0))
    (counts,) = count_pairs(trajectory, ions, np.arange(20)).values()
    found = pair_correlation_of(counts)
    distance, g = found.curve.x, found.curve.value
    shells = 4 * math.pi * distance**2 * (distance[1] - distance[0])
    scores = (g - 1) * np.sqrt(shells * 2000 * 20)
    scatter = float(np.sqrt(np.mean(scores[50:] ** 2)))
    s = float(StructureFactor().compute(Run(trajectory)).curve.value.mean())
    return [
        _close('ideal gas: g(r)', '1', float(g[100:].mean()), 1.0, 0.003),
        _close('ideal gas: scatter of g(r) in its counting errors', '1', scatter, 1.0, 0.12),
        _close('ideal gas: S(q)', '1', s, 1.0, 0.05),
    ]


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


def _within(claim: str, reference: str, off: float, most: float) -> Row:
    measured = f'off by at most {off:.3g}'
    return judged(claim, NO_ENGINE, reference, measured, f'{most:g}', holds=off <= most)


def _close(claim: str, reference: str, measured: float, exact: float, relative: float) -> Row:
    holds = abs(measured - exact) <= relative * abs(exact)
    tolerance = f'{100 * relative:g} %'
    return judged(claim, NO_ENGINE, reference, f'{measured:.4g}', tolerance, holds=holds)
