"""Setting an engine by measurement: the fastest of settings that have the same force error.

The Coulomb error of a mesh is measured on the state that a stage begins from. Where the stage is
long enough to win back the time, some meshes and skins are timed too; what was found is kept in a
cache for all systems of the kind. A stage that resumes has the settings that it began with.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import os
import platform
import time
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import TypeAdapter, ValidationError

from workflow.electrostatics.mesh import CoulombMesh, choose_mesh, none_reaches
from workflow.engines.contract import (
    ConstantPressure,
    ConstantVolume,
    Integrator,
    Simulation,
    State,
)
from workflow.engines.errors import SimulationFailed, is_lone
from workflow.engines.settings import TUNING_CACHE_VARIABLE
from workflow.jobs.atomic_writes import renaming
from workflow.process import Interrupted, StopRequest
from workflow.stages.coulomb_check import CoulombCheck
from workflow.stages.system import System, Tuning

_logger = logging.getLogger(__name__)

# So far from the error aimed at the search for a splitting ends, or after so many tries.
_CONTENT, _MOST_TRIES = 0.03, 5
# How many meshes are timed with the usual skin, and which other skins with the fastest of them.
_MESHES, _SKINS = 6, (0.4, 0.5, 0.6, 0.8, 1.0)
# A setting is timed for so many seconds, and enough steps to rebuild the neighbour list in some.
_SECONDS, _STEPS, _ROUNDS = 0.8, 100, 5
# A stage is worth it that takes so many times longer, at about so many seconds per bead and step.
_WORTH, _PER_BEAD = 30, 1.3e-6


@dataclass(frozen=True)
class Trial:
    """A setting that was timed, its speed relative to the first; without charges no cut-off."""

    tuning: Tuning
    cutoff: float | None
    speed: float


@dataclass(frozen=True, eq=False)
class Choice:
    """A setting and how it was found.

    Attributes:
        engine: That it is for, as it describes itself.
        mesh: Of the state that it was found on; None without charges.
        achieved_error: RMS error of the Coulomb forces on that state, relative to their RMS.
        trials: All that was timed; none where estimated costs decided.
    """

    engine: dict[str, Any]
    tuning: Tuning
    mesh: CoulombMesh | None = None
    achieved_error: float | None = None
    trials: tuple[Trial, ...] = ()

    def record(self) -> dict[str, Any]:
        """Return plain values for the job document."""
        trials = [asdict(trial) for trial in self.trials]
        found: dict[str, Any] = {'tuning': asdict(self.tuning) | {'trials': trials}}
        if self.mesh is not None:
            found['coulomb'] = asdict(self.mesh) | {'achieved_error': self.achieved_error}
        return found


_WRITTEN = TypeAdapter(Choice)


def choose_settings(
    saved: Path,
    system: System,
    start: State,
    integrator: Integrator,
    steps: int,
    stop: StopRequest,
) -> Choice:
    """Choose how a stage of at most `steps` sets its engine, or read what it chose when it began.

    `saved` is the file for that, and `start` the state from which the stage begins.

    Raises:
        Interrupted: If a stop was requested while settings were timed.
        SimulationFailed: If the engine cannot begin from this state.
        UserError: If the box is too small or no mesh reaches the requested error.
    """
    before = _read(saved, system)
    if before is not None:
        return before
    search, cached = _Search(system, start), cache_file(system, integrator)
    found, known = None, _read(cached, system)
    if known is not None:
        found = search.settled(known.tuning, known.trials)
    elif steps * len(start.positions) * _PER_BEAD > _WORTH * (seconds := _seconds_of_tuning(start)):
        _logger.info('settings of the engine are timed for about %.0f seconds', seconds)
        found = search.fastest(integrator, stop)
        if found is not None:
            with suppress(OSError):  # the next stage of the kind takes the time again
                _keep(cached, found)
    found = found or search.estimated()
    _keep(saved, found)
    return found


def cache_file(system: System, integrator: Integrator) -> Path:
    """Name the file of what was found for systems like this one, on a device like this one.

    It is in the folder that ISP_TUNING_CACHE names, else in the user's own.
    """
    # Of a user whom the machine does not know '~' stays: in the root, where nothing can be kept.
    own = os.environ.get('XDG_CACHE_HOME') or os.path.join('/', os.path.expanduser('~/.cache'))
    point = {k: v for k, v in system.state_point.items() if k not in ('replica', 'protocol')}
    kind = [
        point,
        int(system.topology.particles.N),
        system.coulomb_error,
        type(integrator).__name__,
        integrator.time_step,
        system.engine.describe(),
        _processor(),
    ]
    digest = hashlib.sha256(json.dumps(kind, sort_keys=True).encode()).hexdigest()
    return Path(os.environ.get(TUNING_CACHE_VARIABLE) or f'{own}/isp-cgmd') / f'{digest[:32]}.json'


class _Search:
    """Settings of a system, with the Coulomb error that each has on one state."""

    def __init__(self, system: System, start: State) -> None:
        self._system, self._start = system, start
        self._request = system.force_error(start)
        self._check = None if self._request is None else CoulombCheck(system, start)

    def settled(self, tuning: Tuning, trials: tuple[Trial, ...] = ()) -> Choice | None:
        """Find the splitting of a grid that has the error aimed at; None if none is found."""
        engine, request = self._system.engine.describe(), self._request
        if request is None or self._check is None:
            return Choice(engine, tuning, trials=trials)
        if tuning.grid is None:
            return None
        ratio, found, aim = tuning.error_ratio or 1.0, None, request.aim(measured=True)
        for _ in range(_MOST_TRIES):
            if (mesh := request.mesh(tuning.grid, ratio)) is None:
                break
            error, mesh = self._check.error_of(mesh)
            # Of few ions it jumps with each pair that the cut-off passes: the nearest is taken.
            off = abs(error - aim)
            if error <= request.error and (found is None or off < found[0]):
                settled = replace(tuning, error_ratio=ratio)
                found = off, Choice(engine, settled, mesh, error, trials)
            if off < _CONTENT * aim:
                break
            ratio *= error / mesh.estimated_error
        return found and found[1]

    def estimated(self) -> Choice:
        """Take the setting of least estimated costs, as it is where no splitting settles.

        A finer one where that has a larger error than asked for, which few ions may.
        """
        tuning = Tuning(self._system.engine.skin)
        if self._request is None or self._check is None:
            return Choice(self._system.engine.describe(), tuning)
        request, costs = self._request, self._system.engine.mesh_costs
        for likely in request.meshes(costs, error_ratio=1.0)[:_MESHES]:
            if (settled := self.settled(replace(tuning, grid=likely.grid))) is not None:
                return settled
        mesh = choose_mesh(request, costs)
        error, mesh = self._check.error_of(mesh)
        if error <= request.error:
            return Choice(self._system.engine.describe(), tuning, mesh, error)
        for finer in replace(request, error=request.error / 2).meshes(costs)[:_MESHES]:
            if (settled := self.settled(replace(tuning, grid=finer.grid))) is not None:
                return settled
        raise none_reaches(request, costs)

    def fastest(self, integrator: Integrator, stop: StopRequest) -> Choice | None:
        """Time some meshes with the usual skin, then other skins with the fastest of them.

        Each is timed in turns with the first: what else the machine does counts for both alike. The
        box stays: one that shrinks would make the first one slower and slower, or fail.
        """
        if isinstance(integrator, ConstantPressure):
            integrator = ConstantVolume(
                integrator.time_step, integrator.kT, integrator.thermostat_time
            )
        usual = Tuning(self._system.engine.skin)
        tunings = [usual]
        if self._request is not None:
            costs = self._system.engine.mesh_costs
            meshes = self._request.meshes(costs, error_ratio=1.0)[:_MESHES]
            tunings = [replace(usual, grid=mesh.grid) for mesh in meshes]
        # One after the other: to settle a grid takes some time too.
        choices = (choice for each in tunings if (choice := self.settled(each)) is not None)
        if (usual_choice := next(choices, None)) is None:
            return None
        with closing(self._simulation(usual_choice, integrator)) as first:
            try:
                first.run(_STEPS // 4)
                seconds = _timed(first, _STEPS // 4)
                steps = max(_STEPS, int(_SECONDS / seconds * (_STEPS // 4))) // _ROUNDS
                times: dict[Choice, float] = {}
                for choice in itertools.chain([usual_choice], choices):
                    times[choice] = self._time(choice, integrator, first, steps, stop)
                of_grid = min(times, key=lambda choice: times[choice])
                for skin in set(_SKINS) - {usual.skin}:
                    other = replace(of_grid, tuning=replace(of_grid.tuning, skin=skin))
                    times[other] = self._time(other, integrator, first, steps, stop)
            except SimulationFailed as failure:
                if is_lone(failure):  # other ranks wait inside the engine: nothing can follow
                    raise
                return None  # the stage will tell
        trials = tuple(
            Trial(choice.tuning, choice.mesh.cutoff if choice.mesh else None, 1 / relative)
            for choice, relative in times.items()
        )
        gain = max(trial.speed for trial in trials)
        _logger.info('the fastest of %d has %.2f times the speed of the first', len(trials), gain)
        return replace(min(times, key=lambda choice: times[choice]), trials=trials)

    def _time(
        self,
        choice: Choice,
        integrator: Integrator,
        first: Simulation,
        steps: int,
        stop: StopRequest,
    ) -> float:
        """Measure the time of a step relative to that of the first choice."""
        if stop.reason is not None:
            raise Interrupted('stopped while settings of the engine were timed')
        with closing(self._simulation(choice, integrator)) as simulation:
            simulation.run(steps // 2)
            rounds = [_timed(simulation, steps) / _timed(first, steps) for _ in range(_ROUNDS)]
        return median(rounds)

    def _simulation(self, choice: Choice, integrator: Integrator) -> Simulation:
        system = replace(self._system, tuning=choice.tuning)
        return system.set_up(self._start, integrator, choice.mesh, seed=1, log_period=0)


def _timed(simulation: Simulation, steps: int) -> float:
    started = time.perf_counter()
    simulation.run(steps)
    return time.perf_counter() - started


def _seconds_of_tuning(start: State) -> float:
    each = max(_SECONDS, _STEPS * len(start.positions) * _PER_BEAD)
    return 2 * each * (_MESHES + len(_SKINS) - 1)


def _processor() -> str:
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith('model name')), platform.machine())


def _read(path: Path, system: System) -> Choice | None:
    """Read a choice; None without one that this system can have, for it can be found again."""
    try:
        choice = _WRITTEN.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    engine, grid = system.engine, choice.tuning.grid
    is_possible = grid is None or grid in engine.mesh_costs.grids()
    return choice if is_possible and choice.engine == engine.describe() else None


def _keep(path: Path, choice: Choice) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with renaming(path) as temporary:
        temporary.write_bytes(_WRITTEN.dump_json(choice, indent=1))
