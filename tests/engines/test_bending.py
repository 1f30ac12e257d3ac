"""Statics of bending on every engine: what a chain of its bonds and angles alone has exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.model import load_model
from tests.systems import melt, state_point
from workflow.engines.contract import Engine, Langevin

CHAINS, LENGTH = 60, 20


def test_angles_of_a_phantom_chain_are_those_of_its_bending(engine: Engine) -> None:
    """p(cos) is exp(k cos / kT) with nothing but bonds and angles: <cos> = coth k - 1/k.

    It holds for the cosine of successive bond vectors, at kT = 1, whatever the bonds are. No figure
    of a melt: there, neighbours that are two bonds apart repel, and chains are stiffer.
    """
    point = state_point(
        'kremer_grest_bending', {'M': 1.0}, chains=CHAINS, degree_of_polymerisation=LENGTH
    )
    frame, field = melt(point)
    phantom = replace(field, pair_cutoff=np.zeros((1, 1)))
    simulation = engine.simulation(frame, phantom, Langevin(0.005, 1.0, 1.0), None, 1, 0)
    simulation.run(2000)
    cosines = []
    for _ in range(40):
        simulation.run(100)
        state = simulation.state()
        chains = (state.positions + state.images * state.box).reshape(CHAINS, LENGTH, 3)
        bonds = np.diff(chains, axis=1)
        bonds /= np.linalg.norm(bonds, axis=2, keepdims=True)
        cosines.append(np.sum(bonds[:, 1:] * bonds[:, :-1], axis=2).mean(axis=1))
    simulation.close()
    k = load_model('kremer_grest_bending').angles['bending'].k
    by_chain = np.mean(cosines, axis=0)  # chains do not feel each other: independent
    error = by_chain.std(ddof=1) / np.sqrt(CHAINS)
    assert error < 0.01
    assert abs(by_chain.mean() - (1 / np.tanh(k) - 1 / k)) < 4 * error
