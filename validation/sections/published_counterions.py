"""How fast the counter-ions of a published bead-spring ionomer move.

L. M. Hall, M. J. Stevens and A. L. Frischknecht, "Ionic aggregation and counterion dynamics in
model ionomers" (Sandia National Laboratories, conference abstract, December 2011), on the model of
their Phys. Rev. Lett. 106, 127801 (2011), doi 10.1103/PhysRevLett.106.127801: the roughly spherical
aggregates of pendant ions at long, periodic spacing are "in qualitative contrast to the extended
aggregates of ionenes that show increased counterion diffusion". That sign is what is asked here, at
one ion to nine beads. No number of theirs could be read, nor any article of the group on this model
that has diffusion coefficients: how they depend on the ion content is stated, and held against
nothing.

Counter-ions follow their chains, which take thousands of tau to diffuse. Where the mean squared
displacement is bent to the end of a run there is no diffusion coefficient, and the sign is not
judged: the displacement within one time is stated, with its power of time. Its interval is that of
blocks of one run, from one draw of the melt each. STEPS may be raised.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from analysis.estimators.estimate import Estimate
from analysis.observables.mean_squared_displacement import MeanSquaredDisplacement
from validation.claim import Row, half_width, judged, stated
from validation.job import Job
from validation.sampled_run import sampled_run
from validation.systems import melt
from workflow.engines.contract import Langevin

TITLE = 'Counter-ions of ionomers'

SOURCE = 'Hall, Stevens, Frischknecht 2011, conference abstract'
PUBLISHED = 'increased for ions in the backbone'
LENGTH, SPACINGS = 36, (9, 3)
# Beads beside the backbone: anions, if pendant.
PENDANTS = {'pendant': 1, 'ionene': 0}
# Beads per sigma^3 where a counter-ion counts as its volume, as in their scripts.
PACKING, COUNTERION_VOLUME = 0.7, 1 / 8
# About 1200 beads each.
BEADS = 1200
STEPS_BEFORE, STEPS, FRAME_PERIOD = 15_000, 80_000, 100
# Ten steps to the fastest oscillation, of touching unlike ions.
TIME_STEP, COULOMB_ERROR = 0.0075, 1e-2
# In tau: within the blocks, an eighth of the run, that give the interval.
LAG = 50.0


@dataclass(frozen=True)
class Motion:
    """Of the counter-ions of one melt.

    Attributes:
        displacement: Mean squared, within LAG.
        exponent: Of its power of time at the longest lags.
        diffusion: A verdict where it is not linear.
    """

    displacement: Estimate
    exponent: Estimate
    diffusion: Estimate

    @property
    def said(self) -> str:
        """All of it in a few words."""
        text = f'{number(self.displacement)} sigma^2, ~ t^{number(self.exponent)} at last'
        if not self.diffusion.is_converged:
            return text
        return f'{text}, D {number(self.diffusion)} sigma^2/tau'


def jobs() -> Iterator[Job]:
    """The only job."""
    yield Job('counter-ions', counterions, ('lammps',))


def counterions(engine: str) -> Iterator[Row]:
    """Ions in the backbone and pendant from it, at two ion contents."""
    found = {}
    for spacing in SPACINGS:
        pendant, ionene = (measured(model, spacing, engine) for model in PENDANTS)
        found[spacing] = pendant, ionene
        claim = (
            f'mean squared displacement of counter-ions within about {LAG:g} tau, an ion at every '
            f'{spacing} beads: pendant, and in the backbone'
        )
        told = f'{pendant.said}; {ionene.said}'
        if spacing != SPACINGS[0]:
            yield stated(claim, engine, '', told, 'nothing to hold it against could be read')
        elif not (pendant.diffusion.is_converged and ionene.diffusion.is_converged):
            why = f'the motion is not diffusive within {STEPS * TIME_STEP:g} tau'
            yield stated(claim, engine, f'{PUBLISHED} for diffusion ({SOURCE})', told, why)
        else:
            error = np.hypot(half_width(pendant.diffusion), half_width(ionene.diffusion))
            slower, faster = pendant.diffusion.value or np.nan, ionene.diffusion.value or np.nan
            yield judged(
                f'diffusion of counter-ions, {claim}',
                engine,
                f'{PUBLISHED} ({SOURCE})',
                told,
                'a difference of this sign beyond the intervals: the abstract gives no number',
                holds=bool(faster - slower > error),
            )
    few, many = (found[spacing] for spacing in SPACINGS)
    yield stated(
        f'ratio of it at one ion to {SPACINGS[1]} beads over that at one to {SPACINGS[0]}: '
        'pendant, and in the backbone',
        engine,
        '',
        '; '.join(ratio(m.displacement, f.displacement) for f, m in zip(few, many, strict=True)),
        'nothing to hold it against could be read',
    )


def measured(model: str, spacing: int, engine: str) -> Motion:
    """The motion in a melt with an ion at every `spacing`-th bead."""
    ions = LENGTH // spacing
    beads = LENGTH + ions * (1 + PENDANTS[model])
    volume = (LENGTH + ions * (PENDANTS[model] + COUNTERION_VOLUME)) / PACKING
    sample = melt(
        model,
        {'N': 1 - 1 / spacing, 'I': 1 / spacing},
        round(BEADS / beads),
        LENGTH,
        density=beads / volume,
        spacing=spacing,
    )
    with sampled_run(
        sample,
        engine,
        Langevin(TIME_STEP, 1.0, 1.0),
        sample.mesh(COULOMB_ERROR),
        seed=51,
        left_out=STEPS_BEFORE,
        steps=STEPS,
        frame_period=FRAME_PERIOD,
        row_period=FRAME_PERIOD,
    ) as run:
        of_type = MeanSquaredDisplacement().compute(run).by_type['C']
    curve = of_type.curve
    at = int(np.argmin(np.abs(curve.x - LAG)))
    low, high = (None if end is None else float(end[at]) for end in (curve.low, curve.high))
    return Motion(Estimate(float(curve.value[at]), low, high), of_type.exponent, of_type.diffusion)


def ratio(numerator: Estimate, denominator: Estimate) -> str:
    """The ratio of two independent estimates, with its half-width."""
    above, below = numerator.value or np.nan, denominator.value or np.nan
    part = np.hypot(half_width(numerator) / above, half_width(denominator) / below)
    return f'{above / below:.3g} +- {part * above / below:.1g}'


def number(estimate: Estimate) -> str:
    """Value and half-width."""
    return f'{estimate.value:.3g} +- {half_width(estimate):.1g}'
