"""How the diffusion of ions falls with their number in a bead-spring polymer.

A. J. Tsamopoulos and Z.-G. Wang, "Ion conductivity in salt-doped polymers: combined effects of
temperature and salt concentration", ACS Macro Lett. 13, 322 (2024), arXiv 2312.15401: chains of 30
beads, a small cation and a large anion of Bjerrum length 8, and solvation by -4.33/r^4. Their
diffusion coefficients, kT = 1, are read off Fig. S2, to some 5 %, by L. Lyu, whose own runs of the
same model (400 chains, 20,000 to 60,000 tau, no errors given) are beside them:
github.com/Lyuliyao/NDFT-polymer-electrolyte, code/md/tools/paper_reference.py and data/md/eps75,
where the length in the solvation term, sigma of the monomers for both ions, is from too.

No number of an ionomer could be read: here the chains carry no charge. A tenth of their chains are
simulated, at the volume that both found at pressure 0. At the higher content ions take longer to
diffuse than a run here: what they move within one time is then an upper bound of the coefficient.
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
STEPS_BEFORE, FRAME_PERIOD = 20_000, 200
STEPS = {0.02: 600_000, 0.08: 100_000}
# In tau: within the blocks, an eighth of the shorter run, that give an interval.
LAG = 100.0
# Of the volumes, which differ by 0.1 %, and of forces to 1e-2.
PRESSURE_ERROR = 0.1


def jobs() -> Iterator[Job]:
    """The only job."""
    yield Job('salt in a polymer', salt, ('lammps',))


def salt(engine: str) -> Iterator[Row]:
    """Pressure, and diffusion of cations and anions, at two contents of salt."""
    few, many = (measured(content, engine) for content in VOLUME)
    for content, melt_of_it in zip(VOLUME, (few, many), strict=True):
        yield judged(
            f'pressure, {content} pairs of ions to a monomer',
            engine,
            '0 at this volume (Tsamopoulos and Wang 2024; Lyu 2026)',
            f'{melt_of_it.pressure:.3f}',
            f'{PRESSURE_ERROR}: volumes are known to 0.1 %, forces to {COULOMB_ERROR}',
            holds=abs(melt_of_it.pressure) < PRESSURE_ERROR,
        )
    for kind, published in PUBLISHED.items():
        (read, rerun), (slower, _) = published
        found = few.diffusion[kind]
        half = half_width(found)
        of_few = f'{1e3 * (found.value or np.nan):.3g} +- {1e3 * half:.2g}'
        name = f'1e3 times the diffusion coefficient of {kind}'
        yield judged(
            f'{name}, {min(VOLUME)} pairs of ions to a monomer',
            engine,
            f'{1e3 * read:.3g} +- 5 % (Tsamopoulos and Wang 2024, as read); {1e3 * rerun:.3g} '
            '(Lyu 2026)',
            f'{of_few} (95 %) {found.against}'.rstrip(),
            'both errors',
            holds=abs((found.value or np.nan) - read) < np.hypot(half, READING_ERROR * read)
            and not found.against,
        )
        bound = many.apparent[kind]
        yield judged(
            f'{name}, {max(VOLUME)} pairs: it is less than what they move within {LAG:g} tau says',
            engine,
            f'{1e3 * slower:.3g} (Tsamopoulos and Wang 2024, as read), that is less than with '
            'fewer ions',
            f'{1e3 * (bound.value or np.nan):.3g} +- {1e3 * half_width(bound):.2g} (95 %), and '
            f'{of_few} with fewer',
            'above the published coefficient, and below that of fewer ions beyond both errors',
            holds=(bound.high or np.nan) > slower and (bound.high or np.nan) < (found.low or 0.0),
        )


@dataclass(frozen=True)
class Melt:
    """What is measured of one content of salt.

    Attributes:
        pressure: Mean.
        diffusion: Coefficients.
        apparent: <r^2>/6t of one time t, which is more than the coefficient.
    """

    pressure: float
    diffusion: dict[str, Estimate]
    apparent: dict[str, Estimate]


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
        steps=STEPS[content],
        frame_period=FRAME_PERIOD,
        row_period=FRAME_PERIOD,
    ) as run:
        motion = MeanSquaredDisplacement().compute(run).by_type
        pressure = run.log('pressure_xx', 'pressure_yy', 'pressure_zz')
    apparent = {}
    for kind, bead in BEADS.items():
        curve = motion[bead].curve
        at = int(np.argmin(np.abs(curve.x - LAG)))
        assert curve.low is not None
        assert curve.high is not None
        value, low, high = (
            float(each[at] / (6 * curve.x[at])) for each in (curve.value, curve.low, curve.high)
        )
        apparent[kind] = Estimate(value, low, high)
    return Melt(
        float(np.mean(list(pressure.values()))),
        {kind: motion[bead].diffusion for kind, bead in BEADS.items()},
        apparent,
    )
