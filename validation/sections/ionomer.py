"""Perfect screening, and a published ionomer from its own parameters.

Charges of an ionic melt are correlated as electroneutrality demands: F. H. Stillinger and R.
Lovett, J. Chem. Phys. 49, 1991 (1968): at small k the charge structure factor S_ZZ(k) =
<|sum q exp(i k.r)|^2> / sum q^2 tends to k^2/k_D^2, k_D^2 = 4 pi l_B sum q^2 / V, whatever else
the particles do to each other. A wrong Coulomb constant, a wrong charge or a force that is cut
shows here, and the reference needs neither engine nor Ewald sum. The published ionomer is that of
Hall, Stevens and Frischknecht (`published_ionomer.py`). Screening in the melt is asked
of LAMMPS alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from analysis.estimators.estimate import Estimate
from analysis.estimators.intervals import mean_with_interval
from validation.claim import Row, half_width, judged
from validation.job import Job
from validation.sections.published_ionomer import published, wave_vectors
from validation.systems import Sample, ion_liquid, make_engine, melt, side_by_side
from workflow.engines.contract import Langevin

TITLE = 'Ionomers'

COULOMB_ERROR = 1e-2
# As in sweeps/demo.toml; the structure alone is looked at.
LONG_TIME_STEP = 0.01
# S_ZZ k_D^2/k^2 is a line in k^2 only as long as k is well below the inverse size of an ion.
LARGEST_K = 1.05
# A wave of charge is forgotten in some 0.5 tau in the liquid; the melt is the slower of the two.
LIQUID_STEPS, LIQUID_PERIOD = 30_000, 20
MELT_STEPS, MELT_PERIOD = 48_000, 20
# Part of a run that is left to the ions to settle: some 40 tau in the liquid, 60 tau in the melt.
LEFT_OUT = 8
TOLERANCE, WIDEST = 0.05, 0.10
# Three waves of finite length: what is beyond k^2/k_D^2 is not known, and 10 % are left to it.
MELT_TOLERANCE = 0.10
MELT_CHAINS, MELT_COPIES, MELT_WAVES = 8, 6, 3


def jobs() -> Iterator[Job]:
    """All jobs of this section."""
    yield Job('published ionomer', published)
    # HOOMD-blue takes some 20 minutes; the liquid asks the same of both engines.
    yield Job('screening in a melt', melt_screening, ('lammps',))
    yield Job('screening in a liquid', liquid_screening)


def liquid_screening(engine: str) -> Iterator[Row]:
    """A liquid of ions alone, weakly coupled."""
    sample = ion_liquid(1_000, 0.4, 4.0, 1_000)
    vectors = wave_vectors(float(sample.state.box[0]), LARGEST_K)
    ratios = screening_ratios(sample, engine, vectors, LIQUID_STEPS, LIQUID_PERIOD)
    lengths = np.linalg.norm(vectors, axis=1)
    yield screening_row(
        'S_ZZ(k) k_D^2/k^2 as k -> 0, liquid of 1000 ions, density 0.4, l_B 4',
        engine,
        mean_with_interval(ratios @ intercept_weights(lengths**2)),
        f'a line in k^2 from k = {lengths.min():.2f} to {lengths.max():.2f}',
        TOLERANCE,
    )


def melt_screening(engine: str) -> Iterator[Row]:
    """The isp model with its own parameters.

    No line in k^2 is drawn here, because ionic domains bend the ratio: the longest waves of a box
    that is long in one direction are averaged. The cross-section matters more than it should: in
    one of 9.8 by 9.8 sigma (3200 beads, LAMMPS, 600 tau) the ratio was 1.09 +- 0.07, 1.17 +- 0.08
    and 1.13 +- 0.10 at k = 0.16, 0.32 and 0.48, which a curve 1 + 1.9 k^2 meets up to 0.32 but
    which proves no limit. Waves of more than 40 sigma in a wide box would, and take hours.
    """
    sample = side_by_side(melt('isp', {'LSP': 1.0}, MELT_CHAINS, 10), (MELT_COPIES, 1, 1))
    edge = float(sample.state.box[0])
    vectors = np.zeros((MELT_WAVES, 3))
    vectors[:, 0] = 2 * np.pi / edge * np.arange(1, MELT_WAVES + 1)
    ratios = screening_ratios(sample, engine, vectors, MELT_STEPS, MELT_PERIOD)
    yield screening_row(
        f'S_ZZ(k) k_D^2/k^2 at the {MELT_WAVES} longest waves, isp, LSP 1, '
        f'{len(sample.charges)} beads, l_B 16',
        engine,
        mean_with_interval(ratios.mean(axis=1)),
        'the mean of '
        + ', '.join(
            f'{each.value:.2f} +- {half_width(each):.2f} at k = {k:.2f}'
            for each, k in zip(map(mean_with_interval, ratios.T), vectors[:, 0], strict=True)
        ),
        MELT_TOLERANCE,
    )


def screening_row(claim: str, engine: str, found: Estimate, waves: str, tolerance: float) -> Row:
    """A ratio that must be 1, known well enough to tell."""
    half = half_width(found)
    return judged(
        claim,
        engine,
        '1 (Stillinger and Lovett 1968)',
        f'{found.value:.3f} +- {half:.3f} (95 %), {waves}'
        + (f'; {found.verdict}' if found.verdict else ''),
        f'{tolerance:.0%}, or the half-width where that is larger: k is finite; '
        f'an interval wider than {WIDEST:.0%} to a side shows nothing',
        holds=found.is_converged
        and half <= WIDEST
        and abs((found.value or 0.0) - 1) <= max(tolerance, half),
    )


def intercept_weights(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of values at `x` whose sum is the intercept of their least-squares line."""
    return np.asarray(np.linalg.pinv(np.stack([np.ones_like(x), x], axis=1))[0])


def screening_ratios(
    sample: Sample, engine: str, vectors: NDArray[np.float64], steps: int, period: int
) -> NDArray[np.float64]:
    """S_ZZ(k) k_D^2/k^2 of each frame past the first eighth, shape (frames, vectors)."""
    charges = sample.charges
    ions = np.flatnonzero(charges)
    volume = float(np.prod(sample.state.box))
    debye = 4 * np.pi * sample.field.bjerrum_length * float(np.sum(charges**2)) / volume
    simulation = sample.simulation(
        make_engine(engine),
        Langevin(LONG_TIME_STEP, 1.0, 0.2),
        sample.mesh(COULOMB_ERROR),
        seed=21,
    )
    simulation.run(steps // LEFT_OUT)
    values = []
    for _ in range((steps - steps // LEFT_OUT) // period):
        simulation.run(period)
        phases = np.exp(1j * simulation.state().positions[ions] @ vectors.T)
        values.append(np.abs(charges[ions] @ phases) ** 2 / np.sum(charges**2))
    simulation.close()
    ratios: NDArray[np.float64] = np.array(values) * debye / np.sum(vectors**2, axis=1)
    return ratios
