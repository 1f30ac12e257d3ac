"""Molten sodium chloride of rigid ions, whose conductivity and diffusion are published.

Potential: Born, Huggins, Mayer, with the parameters of F. G. Fumi and M. P. Tosi, J. Phys. Chem.
Solids 25, 31 (1964), doi 10.1016/0022-3697(64)90159-3, read in docs/data/openmm_salt/bhmtf.py of
STACIE (github.com/molmod/stacie, commit 54d5a1f), as it is for its worked example at 1100 K.

Reference: H. Wang, R. S. DeFever, Y. Zhang et al., J. Chem. Phys. 153, 214502 (2020), doi
10.1063/5.0023225: the article itself could not be read. Its numbers are those that the example
quotes: the conductivity in docs/source/examples/molten_salt.py at 54d5a1f, the diffusion
coefficients in an earlier version of it, 504119f. There STACIE's own conductivity, 349 +- 1.3 S/m
in 100 ns at 1454 kg/m^3, is the second reference. (Its own diffusion coefficients, 8.373 and 7.708
in 1e-9 m^2/s, stand beside a conductivity of 330 S/m, which was replaced later, and are not used.)
The Nernst-Einstein conductivity, 431 +- 16 S/m, and with it the Haven ratio follow from the numbers
of Wang et al. Errors are taken for standard errors.

Diffusion depends on the size of the box, conductivity does not (Y. Shao, K. Shigenobu, M. Watanabe
and C. Zhang, J. Phys. Chem. B 124, 4774 (2020), doi 10.1021/acs.jpcb.0c02544): that of 512 ions is
taken to their box of 1728 by I.-C. Yeh and G. Hummer, J. Phys. Chem. B 108, 15873 (2004), doi
10.1021/jp0477147, with the viscosity of this run. Whether theirs is taken to an infinite box could
not be read: that would be twice as much again, 7 %, and is within their errors.

In reduced units a unit of length is 3 Angstrom, kT = 1, and sodium has the mass 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import constants

from analysis.estimators.estimate import Estimate
from analysis.estimators.green_kubo import green_kubo
from analysis.observables.charge_transport import CUBIC_LATTICE
from analysis.observables.conductivity import Conductivity
from analysis.observables.stress_relaxation import shear_viscosity
from analysis.sampling.charge_motion import ChargeMotion
from analysis.sampling.run import Run
from models.force_field import ForceField
from models.pair_potentials import Tabulated
from validation.claim import Row, half_width
from validation.job import Job
from validation.published import compared, over_replicas
from validation.sampled_run import sampled_run
from validation.systems import Sample, bare_charges, crystal
from workflow.engines.contract import ConstantVolume, Langevin, Ramp

TITLE = 'Molten salt'

KELVIN, KILOGRAMS_PER_CUBIC_METRE = 1100.0, 1456.0
SODIUM, CHLORINE = 22.990e-3 / constants.N_A, 35.45e-3 / constants.N_A
# With standard errors: S/m, and 1e-9 m^2/s.
PUBLISHED_CONDUCTIVITY, PUBLISHED_DIFFUSION = (348.0, 7.0), {'Na': (8.8, 0.4), 'Cl': (8.2, 0.5)}
PUBLISHED_IONS = 1728
SOURCE = 'Wang et al. 2020, as quoted by STACIE'

LENGTH, ENERGY = 3e-10, constants.k * KELVIN
TIME = LENGTH * np.sqrt(SODIUM / ENERGY)
BJERRUM = constants.e**2 / (4 * np.pi * constants.epsilon_0 * ENERGY) / LENGTH
# Units of the results, in S/m and 1e-9 m^2/s.
CONDUCTIVITY, DIFFUSION = constants.e**2 / (LENGTH * TIME * ENERGY), 1e9 * LENGTH**2 / TIME

# b, c and the decay 1/A of the repulsion b c exp(A (s - r)), and by pair c, s, C and D of
# - C/r^6 - D/r^8: J, 1/m, Angstrom, 1e-79 J m^6, 1e-99 J m^8.
REPULSION, DECAY = 0.338e-19, 3.15e10
PAIRS = {
    (0, 0): (1.25, 2.34, 1.68, 0.8),
    (0, 1): (1.00, 2.755, 11.2, 13.9),
    (1, 1): (0.75, 3.17, 116.0, 233.0),
}
# At 0.9 nm the attraction is 1e-3 kT, and below 0.135 nm it would win.
NEAREST, CUTOFF, SPACING = 0.45, 3.0, 0.005

# 512 ions in a box of 2.57 nm. Replicas of 80 ps: the current forgets in less than 1 ps, so that
# many short runs say more of it than a long one. The error falls with their number alone.
CELLS, REPLICAS, STEPS = 4, 5, 16_000
# 5 fs, as theirs; a thermostat of 1 ps.
TIME_STEP, THERMOSTAT_TIME, COULOMB_ERROR = 0.0105, 2.0, 1e-2
MELTING_STEPS, STEPS_BEFORE, FRAME_PERIOD, ROW_PERIOD = 5_000, 1_500, 50, 5


def jobs() -> Iterator[Job]:
    """The only job."""
    yield Job('sodium chloride', sodium_chloride)


def sodium_chloride(engine: str) -> Iterator[Row]:
    """Conductivity, diffusion of both ions, and what they make together."""
    sample = liquid()
    motion = ConstantVolume(TIME_STEP, 1.0, THERMOSTAT_TIME)
    found, currents, slower = [], [], []
    for replica in range(REPLICAS):
        with sampled_run(
            sample.with_velocities(1.0, replica),
            engine,
            motion,
            sample.mesh(COULOMB_ERROR),
            seed=2 + replica,
            left_out=STEPS_BEFORE,
            steps=STEPS,
            frame_period=FRAME_PERIOD,
            row_period=ROW_PERIOD,
        ) as run:
            found.append(Conductivity().compute(run).diffusion)
            current = ChargeMotion.of(run).mean_currents
            assert current is not None
            currents.append(current)
            slower.append(images_slow_diffusion_by(run))
    volume, pairs = float(np.prod(sample.state.box)), len(sample.charges) / 2
    interval = ROW_PERIOD * TIME_STEP
    sigma = green_kubo(np.concatenate(currents), 1 / volume, interval, 'either').integral
    slowed_by = float(np.mean(slower))
    diffusion = {
        ion: over_replicas([each[kind] for each in found]).mapped(lambda end: end + slowed_by)
        for ion, kind in (('Na', 'cations'), ('Cl', 'anions'))
    }
    name = f'{len(sample.charges)} ions of molten NaCl at {KELVIN:g} K'
    in_box = f'{name}, taken to a box of {PUBLISHED_IONS}'
    yield compared(
        f'conductivity of {name} by Green-Kubo, S/m',
        engine,
        sigma.mapped(lambda end: CONDUCTIVITY * end),
        PUBLISHED_CONDUCTIVITY,
        f'{SOURCE}; STACIE itself: 349 +- 1.3',
    )
    for ion, each in diffusion.items():
        yield compared(
            f'diffusion coefficient of {ion} in {in_box}, 1e-9 m^2/s',
            engine,
            each.mapped(lambda end: DIFFUSION * end),
            PUBLISHED_DIFFUSION[ion],
            SOURCE,
        )
    yield compared(
        f'Haven ratio of {in_box}',
        engine,
        haven_ratio(pairs / volume, list(diffusion.values()), sigma),
        published_haven_ratio(),
        f'{SOURCE}, from its conductivity and diffusion coefficients',
    )


def haven_ratio(pairs: float, diffusion: list[Estimate], sigma: Estimate) -> Estimate:
    """Divide what ions would conduct that move each by itself by what they do, kT = 1.

    Args:
        pairs: Of ions, per volume.
        diffusion: Coefficients of both kinds.
        sigma: The conductivity.
    """
    alone, together = sum(each.value or np.nan for each in diffusion), sigma.value or np.nan
    halves = np.hypot.reduce([half_width(each) for each in diffusion])
    half = float(np.hypot(halves / alone, half_width(sigma) / together))
    ratio = pairs * alone / together
    return Estimate(ratio, ratio * (1 - half), ratio * (1 + half))


def published_haven_ratio() -> tuple[float, float]:
    """Compute the Haven ratio of the reference, and its standard error."""
    (sigma, sigma_error), (na, na_error) = PUBLISHED_CONDUCTIVITY, PUBLISHED_DIFFUSION['Na']
    cl, cl_error = PUBLISHED_DIFFUSION['Cl']
    pairs = KILOGRAMS_PER_CUBIC_METRE / (SODIUM + CHLORINE)
    ratio = pairs * constants.e**2 * 1e-9 * (na + cl) / ENERGY / sigma
    parts = (sigma_error / sigma, np.hypot(na_error, cl_error) / (na + cl))
    return float(ratio), float(ratio * np.hypot(*parts))


def images_slow_diffusion_by(run: Run) -> float:
    """Compute how much slower diffusion is than in the published box, sigma^2/tau."""
    pressures = [f'pressure_{pair}' for pair in ('xx', 'xy', 'xz', 'yy', 'yz', 'zz')]
    log = run.log('volume', *pressures)
    volume = float(log.pop('volume')[0])
    stress = {name[-2:]: column for name, column in log.items()}
    viscosity = shear_viscosity(stress, volume, 1.0, ROW_PERIOD * TIME_STEP).value or np.nan
    edge = volume ** (1 / 3)
    larger = (PUBLISHED_IONS / len(run.topology.charge)) ** (1 / 3)
    return float(CUBIC_LATTICE / (6 * np.pi * viscosity * edge) * (1 - 1 / larger))


def liquid() -> Sample:
    """A crystal that was molten at 3300 K and cooled, by LAMMPS."""
    lattice = Sample(crystal('NaCl', CELLS)[0].frame, salt())
    lattice.frame.particles.mass = lattice.masses
    volume = len(lattice.charges) / 2 * (SODIUM + CHLORINE) / KILOGRAMS_PER_CUBIC_METRE
    scale = volume ** (1 / 3) / LENGTH / lattice.state.box[0]
    start = lattice.at(lattice.state.positions * scale, lattice.state.box * scale)
    start = start.with_velocities(1.0, 0)
    cooling = Langevin(TIME_STEP, Ramp(3.0, 1.0, MELTING_STEPS), 0.5)
    return start.moved('lammps', cooling, MELTING_STEPS, start.mesh(COULOMB_ERROR))


def salt() -> ForceField:
    """Sodium and chloride ions."""
    r = np.arange(NEAREST, CUTOFF + SPACING / 2, SPACING)
    return replace(
        bare_charges(BJERRUM),
        masses=np.array([1.0, CHLORINE / SODIUM]),
        extra_pairs={pair: Tabulated(r, energy_of(pair, r * LENGTH)) for pair in PAIRS},
    )


def energy_of(pair: tuple[int, int], r: NDArray[np.float64]) -> NDArray[np.float64]:
    """All but Coulomb, in kT, at distances in metres."""
    c, touching, c6, c8 = PAIRS[pair]
    energy = REPULSION * c * np.exp(DECAY * (touching * 1e-10 - r))
    return np.asarray((energy - c6 * 1e-79 / r**6 - c8 * 1e-99 / r**8) / ENERGY)
