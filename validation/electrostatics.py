"""Is the force error that was requested the one that is had?

`choose_mesh` estimates the error of mesh and cut-off for ions without correlations; here the
forces of each engine are held against the direct Ewald sum, on up to 500 ions of random
configurations, of dense and dilute liquids of ions, and of melts of the isp model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from validation.claim import Row, judged
from validation.job import Job
from validation.systems import Sample, bare_charges, ion_liquid, make_engine, melt, random_ions
from workflow.coulomb import ewald_forces

TITLE = 'Electrostatics to a requested accuracy'

REQUESTS = (1e-2, 1e-3, 1e-4)
LOWEST, HIGHEST = 0.3, 1.0
# All but one in twenty: the estimate is statistical, the requests are many.
LEAST_SHARE = 0.95
MOST_IONS = 500
NUMBERS = (100, 1_000, 10_000)
BJERRUM_LENGTHS = (4.0, 16.0, 40.0)


def jobs() -> Iterator[Job]:
    """All jobs of this section."""
    for number in reversed(NUMBERS):
        yield Job(f'ions_{number}', partial(achieved, number))
    yield Job('melts', achieved_in_melts)
    yield Job('elsewhere', achieved_elsewhere)


def achieved(number: int, engine: str) -> Iterator[Row]:
    """Ions alone: random, and liquids of two densities at three Bjerrum lengths."""
    steps = 1_000 if number < 5_000 else 300
    cases = {'random, density 0.4': random_ions(number, 0.4, 16.0, seed=1)}
    for bjerrum_length in BJERRUM_LENGTHS:
        name = f'liquid, density 0.4, l_B {bjerrum_length:g}'
        cases[name] = ion_liquid(number, 0.4, bjerrum_length, steps)
    if number < 5_000:
        cases['liquid, density 0.05, l_B 16'] = ion_liquid(number, 0.05, 16.0, steps)
    ratios = {name: error_ratios(sample, engine) for name, sample in cases.items()}
    yield _row(f'{number} ions', engine, ratios)


def achieved_in_melts(engine: str) -> Iterator[Row]:
    """Melts of the isp model at three compositions and two sizes.

    One Bjerrum length serves: on given positions it scales forces and errors alike.
    """
    ratios = {}
    for fraction in (0.1, 0.5, 1.0):
        for chains in (30, 60):
            sample = melt('isp', {'LSP': fraction, 'DOPA': 1 - fraction}, chains, 10)
            ratios[f'LSP {fraction}, {chains} chains'] = error_ratios(sample, engine)
    yield _row('melts of the isp model, chains of 10, l_B 16', engine, ratios)


def achieved_elsewhere(engine: str) -> Iterator[Row]:
    """Draws, densities, couplings and compositions on which nothing of the choice was tuned."""
    ratios = {}
    for bjerrum_length, density in ((7.0, 0.1), (25.0, 0.2), (36.0, 0.6)):
        sample = ion_liquid(600, density, bjerrum_length, 1_000, seed=3)
        ratios[f'liquid, density {density:g}, l_B {bjerrum_length:g}'] = error_ratios(
            sample, engine
        )
    for fraction, chains in ((0.05, 40), (0.25, 40), (0.75, 40)):
        sample = melt('isp', {'LSP': fraction, 'DOPA': 1 - fraction}, chains, 20, seed=3)
        ratios[f'melt, LSP {fraction}'] = error_ratios(sample, engine)
    yield _row('other draws than those the choice was tuned on', engine, ratios)


def error_ratios(sample: Sample, engine: str) -> dict[float, float]:
    """Request -> achieved error over requested error, both relative to the RMS force."""
    ions = np.flatnonzero(sample.charges)
    chosen = np.random.default_rng(0).permutation(ions)[:MOST_IONS]
    chosen.sort()
    state, field = sample.state, sample.field
    exact = ewald_forces(state.positions, sample.charges, state.box, field.bjerrum_length, chosen)
    typical = np.sqrt(np.mean(np.sum(exact**2, axis=1)))
    bare = without_short_range(sample)
    ratios = {}
    for request in REQUESTS:
        # The mesh is that of the whole system, whose beads without charge have a cost too.
        simulation = bare.simulation(make_engine(engine), mesh=sample.mesh(request))
        difference = simulation.forces()[chosen] - exact
        simulation.close()
        error = np.sqrt(np.mean(np.sum(difference**2, axis=1)))
        ratios[request] = float(error / typical / request)
    return ratios


def without_short_range(sample: Sample) -> Sample:
    """The ions alone with no interaction but Coulomb, at their places among all beads."""
    frame = sample.frame
    bare = bare_charges(sample.field.bjerrum_length)
    types = ('0', '+', '-')
    field = replace(
        bare,
        bead_types=types,
        masses=np.ones(3),
        charges=np.array([0.0, 1.0, -1.0]),
        sigma=np.ones(3),
        pair_epsilon=np.zeros((3, 3)),
        pair_sigma=np.ones((3, 3)),
        pair_cutoff=np.zeros((3, 3)),
    )
    copy = sample.with_state(sample.state).frame
    copy.particles.types = list(types)
    copy.particles.typeid = np.select([sample.charges > 0, sample.charges < 0], [1, 2], 0)
    copy.particles.typeid = copy.particles.typeid.astype(np.uint32)
    copy.bonds.N = copy.angles.N = 0
    copy.bonds.group = copy.angles.group = np.zeros((0, 2), dtype=np.int32)
    copy.bonds.typeid = copy.angles.typeid = np.zeros(0, dtype=np.uint32)
    assert frame.particles.N == copy.particles.N
    return Sample(copy, field)


def _row(name: str, engine: str, ratios: dict[str, dict[float, float]]) -> Row:
    every = [ratio for of_case in ratios.values() for ratio in of_case.values()]
    inside = sum(LOWEST <= ratio <= HIGHEST for ratio in every)
    detail = '; '.join(
        f'{case}: ' + ', '.join(f'{ratio:.2f}' for ratio in of_case.values())
        for case, of_case in ratios.items()
    )
    requests = ', '.join(f'{request:g}' for request in REQUESTS)
    return judged(
        f'achieved over requested RMS force error, {name}; requests {requests}',
        engine,
        'direct Ewald sum',
        f'{inside} of {len(every)} within [{LOWEST}, {HIGHEST}]; {detail}',
        f'{LEAST_SHARE:.0%} within [{LOWEST}, {HIGHEST}]: the estimate is statistical',
        holds=inside >= LEAST_SHARE * len(every),
    )
