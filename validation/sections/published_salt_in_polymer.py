"""How the diffusion of ions falls with their number in a bead-spring polymer.

A. J. Tsamopoulos and Z.-G. Wang, "Ion conductivity in salt-doped polymers: combined effects of
temperature and salt concentration", ACS Macro Lett. 13, 322 (2024), arXiv 2312.15401: chains of 30
beads, a small cation and a large anion of Bjerrum length 8, and solvation by -4.33/r^4. Their
diffusion coefficients, kT = 1, are read off Fig. S2, to some 5 %, by L. Lyu, whose own runs of the
same model (400 chains, 20,000 to 60,000 tau, no errors given) are beside them:
github.com/Lyuliyao/NDFT-polymer-electrolyte, code/md/tools/paper_reference.py and data/md/eps75,
where the length in the solvation term, sigma of the monomers for both ions, is from too.

No number of an ionomer could be read: here the chains carry no charge. A tenth of their chains are
simulated, at the volume that both found at pressure 0. Periodic images slow ions down, of both
contents alike: what is held against theirs is the ratio, and the coefficients are stated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.estimators.estimate import Estimate
from analysis.observables.mean_squared_displacement import MeanSquaredDisplacement
from validation.claim import Row, half_width, judged
from validation.job import Job
from validation.sampled_run import sampled_run
from validation.systems import melt
from workflow.engines.contract import ConstantVolume

TITLE = 'Salt in a polymer'

MODELS = Path(__file__).parents[1] / 'data' / 'models'
CHAINS, LENGTH = 40, 30
# sigma^3 for so many monomers, by pairs of ions to a monomer; Lyu's, and within 0.1 % that of the
# article at the lower content, which has none at the higher one.
MONOMERS = 12_000
VOLUME = {0.02: 14_482.0, 0.08: 15_572.0}
# In sigma^2/tau, at the lower content and the higher: of the article, as read, and of Lyu.
PUBLISHED = {
    'cations': ((4.6e-3, 4.19e-3), (1.3e-3, 1.22e-3)),
    'anions': ((9.6e-3, 9.45e-3), (2.35e-3, 2.30e-3)),
}
READING_ERROR = 0.05
BEADS = {'cations': 'Cat', 'anions': 'An'}
TIME_STEP, COULOMB_ERROR = 0.01, 1e-2
STEPS_BEFORE, STEPS, FRAME_PERIOD = 20_000, 300_000, 200
# Of the volumes, which differ by 0.1 %, and of forces to 1e-2.
PRESSURE_ERROR = 0.1


def jobs() -> Iterator[Job]:
    """The only job."""
    yield Job('salt in a polymer', salt, ('lammps',))


def salt(engine: str) -> Iterator[Row]:
    """Pressure, and diffusion of cations and anions, at two contents of salt."""
    few, many = found = [measured(content, engine) for content in VOLUME]
    for content, melt_of_it in zip(VOLUME, found, strict=True):
        yield judged(
            f'pressure, {content} pairs of ions to a monomer',
            engine,
            '0 at this volume (Tsamopoulos and Wang 2024; Lyu 2026)',
            f'{melt_of_it.pressure:.3f}',
            f'{PRESSURE_ERROR}: volumes are known to 0.1 %, forces to {COULOMB_ERROR}',
            holds=abs(melt_of_it.pressure) < PRESSURE_ERROR,
        )
    for kind, published in PUBLISHED.items():
        of_few, of_many = few.diffusion[kind], many.diffusion[kind]
        coefficients = [f'{1e3 * (each.value or np.nan):.3g}' for each in (of_few, of_many)]
        ratio, error = quotient(of_few, of_many)
        read, rerun = (first / last for first, last in zip(*published, strict=True))
        read_error = np.sqrt(2) * READING_ERROR * read
        doubt = of_few.against or of_many.against
        yield judged(
            f'diffusion of {kind}: coefficient at {min(VOLUME)} pairs of ions to a monomer over '
            f'that at {max(VOLUME)}',
            engine,
            f'{read:.2f} +- {read_error:.2f} (Tsamopoulos and Wang 2024, as read); {rerun:.2f} '
            '(Lyu 2026)',
            f'{ratio:.2f} +- {error:.2f} (95 %); {" and ".join(coefficients)} 1e-3 sigma^2/tau '
            f'{doubt}'.rstrip(),
            'both errors; that it falls with salt is to be beyond ours',
            holds=abs(ratio - read) < np.hypot(error, read_error)
            and ratio - error > 1
            and not doubt,
        )


@dataclass(frozen=True)
class Melt:
    """What is measured of one content of salt."""

    pressure: float
    diffusion: dict[str, Estimate]


def measured(content: float, engine: str) -> Melt:
    """Run a melt with so many pairs of ions to a monomer."""
    model = MODELS / f'salt_in_polymer_{content}.toml'
    sample = melt(
        str(model),
        {'M': 1.0},
        CHAINS,
        LENGTH,
        density=MONOMERS * (1 + 2 * content) / VOLUME[content],
    )
    with sampled_run(
        sample,
        engine,
        ConstantVolume(TIME_STEP, 1.0, 1.0),
        sample.mesh(COULOMB_ERROR),
        seed=51,
        left_out=STEPS_BEFORE,
        steps=STEPS,
        frame_period=FRAME_PERIOD,
        row_period=FRAME_PERIOD,
    ) as run:
        motion = MeanSquaredDisplacement().compute(run).by_type
        pressure = run.log('pressure_xx', 'pressure_yy', 'pressure_zz')
    mean = float(np.mean(list(pressure.values())))
    return Melt(mean, {kind: motion[bead].diffusion for kind, bead in BEADS.items()})


def quotient(numerator: Estimate, denominator: Estimate) -> tuple[float, float]:
    """Compute a ratio of independent estimates, and half its interval."""
    above, below = numerator.value or np.nan, denominator.value or np.nan
    part = np.hypot(half_width(numerator) / above, half_width(denominator) / below)
    return above / below, float(part * above / below)
