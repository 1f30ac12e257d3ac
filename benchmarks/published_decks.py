"""The project's settings against decks of LAMMPS as they are published.

Their accuracy, 1e-4, is relative to the force between two unit charges 1 sigma apart without a
dielectric, as LAMMPS takes it: with l_B = 36 sigma in the dielectric constant, it is far finer than
that beside the forces there are. So the error that such a deck has is measured, and asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing

from benchmarks.base import Benchmark, Figure, Setting
from benchmarks.melts import melt_system, relaxed
from benchmarks.native_runs import sum_in_one_style
from benchmarks.settings_scan import INTEGRATOR, words
from benchmarks.timing import slowness, spread
from workflow.electrostatics.mesh import choose_mesh
from workflow.engines.contract import Engine, Simulation, State
from workflow.process import StopRequest
from workflow.stages.coulomb_check import CoulombCheck
from workflow.stages.system import System
from workflow.stages.trajectory_writer import frame_with_state
from workflow.stages.tuning import _Search

_LSP, _BJERRUM_LENGTH, _ACCURACY = 0.5, 36.0, 1e-4
_CUTOFFS = (6.5, 10.5)
_SKIN = 0.3  # what LAMMPS takes by default
# For information: errors that a sweep asks for.
_USUAL_ERRORS = (1e-3, 1e-2)
# Steps of a deck that may take a second for each; they rebuild the neighbour list twice.
_STEPS, _ROUNDS = 16, 3
_AT_LEAST = 10.0


class PublishedDecks(Benchmark):
    """Speed of the project's choice over that of a published deck of the same force error."""

    name = 'published_decks'
    question = 'How fast is the project against LAMMPS decks as published, at their force error?'
    sizes = (4_200,)

    def measure(self, size: int, setting: Setting) -> Iterator[Figure]:
        """Measure LAMMPS; other engines have other decks."""
        for engine in setting.engines:
            if engine.name == 'lammps':
                start = relaxed(size, engine, setting.cache, _LSP, _BJERRUM_LENGTH)
                for cutoff in _CUTOFFS:
                    yield from _figures(size, engine, start, cutoff)


def _figures(size: int, engine: Engine, start: State, cutoff: float) -> Iterator[Figure]:
    system = melt_system(size, engine, _LSP, bjerrum_length=_BJERRUM_LENGTH)
    case = f'{len(start.positions)} beads, published cut-off {cutoff:g}'
    with closing(_published(system, start, cutoff)) as published:
        error = CoulombCheck(system, start).of_forces(published.forces())
        yield Figure(case, 'relative force error of the deck', error)
        published.run(_STEPS)
        for requested in (error, *_USUAL_ERRORS):
            asked = melt_system(size, engine, _LSP, requested, _BJERRUM_LENGTH)
            search = _Search(asked, start)
            choice = search.fastest(INTEGRATOR, StopRequest()) or search.estimated()
            print(f'{case}, error {requested:.2g}: {words(choice)}', file=sys.stderr, flush=True)
            with closing(search._simulation(choice, INTEGRATOR)) as ours:
                ours.run(_STEPS)
                ratio = spread(slowness(ours, published, _STEPS, _ROUNDS))
            at_least = _AT_LEAST if requested == error else None
            of = 'the same error' if requested == error else f'error {requested:g}'
            quantity = f'speed / deck, {of}'
            yield Figure(case, quantity, ratio.median, ratio.low, ratio.high, at_least)


def _published(system: System, start: State, cutoff: float) -> Simulation:
    request = system.force_error(start)
    assert request is not None
    simulation = system.engine.simulation(
        frame_with_state(system.topology, start),
        system.force_field,
        INTEGRATOR,
        choose_mesh(request, system.engine.mesh_costs),  # another one follows
        1,
        0,
        _SKIN,
    )
    # Neighbours by the thousand, too, which the longer cut-off has.
    kspace = [f'kspace_style pppm {_ACCURACY}', 'neigh_modify one 10000 page 100000']
    sum_in_one_style(simulation, system.force_field, cutoff, kspace)
    return simulation
